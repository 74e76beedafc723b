"""`kolleno report`: each reconciliation result as a table, JSON or CSV. How it is computed does not belong here."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from kolleno_pipelines.cli import provider_tables
from kolleno_pipelines.cli.choices import AsJson, Day, refuse_two_forms
from kolleno_pipelines.cli.terminal import end, print_json, print_rows, say, write_csv

NAMES = (
    *("balances", "control-totals", "ageing", "roll-forward", "unapplied-cash", "agreement"),
    *("charges", "payouts", "balance-proofs", "differences"),
)
_NO_PROVIDER = (
    "No connection of connections.yaml is a payment provider's; docs/operating.md, section 4, says how to add one."
)
#: Reports whose rows hold others: these are laid out below each other.
_TABLES = {
    "charges": provider_tables.print_charges,
    "payouts": provider_tables.print_payouts,
    "balance-proofs": provider_tables.print_balance_proofs,
}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)


def report(
    name: Annotated[str, typer.Argument(metavar="NAME", help=", ".join(NAMES) + ".")],
    as_of: Annotated[date | None, Day("--as-of", "The day; of ageing and roll-forward only.")] = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="customer", help="A line per customer; of ageing only.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Mirrors too.")] = False,
    as_json: AsJson = False,
    csv_file: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write a CSV; - is stdout.")] = None,
) -> None:
    """Show what the reconciliation says. Exit code 1: it lists something that is neither accepted nor opening."""
    from kolleno_pipelines.connections import document_connections, provider_connections
    from kolleno_pipelines.pipeline import reports
    from kolleno_pipelines.pipeline.clock import utc_now
    from kolleno_pipelines.pipeline.deployment import open_deployment

    word = name.strip().lower().replace("_", "-")
    if word not in NAMES:
        raise typer.BadParameter(f"there is no report {name!r}; there are {', '.join(NAMES)}", param_hint="NAME")
    refuse_two_forms(csv_file, as_json=as_json)
    deployment = open_deployment()
    providers = provider_connections(deployment.connections)
    rows = reports.report(
        word,
        deployment.database_url,
        document_connections(deployment.connections),
        utc_now().date(),
        as_of=as_of,
        by=by,
        include_mirrors=everything,
        providers=providers,
    )
    if csv_file is not None:
        _write(csv_file, word, rows, by_customer=by is not None)
    elif as_json:
        print_json(rows)
    else:
        if word in reports.OF_PROVIDERS and not providers:
            say(_NO_PROVIDER)
        _print(word, rows)
    end(findings=reports.asks_for_somebody(word, rows, deployment.database_url))


def _write(target: Path, name: str, rows: list[dict[str, Any]], *, by_customer: bool) -> None:
    from kolleno_pipelines.pipeline.report_columns import report_columns

    if name == "payouts":
        write_csv(target, provider_tables.OF_SPREADSHEET, provider_tables.spread_payouts(rows))
    else:
        write_csv(target, list(rows[0]) if rows else report_columns(name, by_customer=by_customer), rows)
    if str(target) != "-":
        say(f"{len(rows)} rows are in {target}.")


def _print(name: str, rows: list[dict[str, Any]]) -> None:
    if not rows:
        say("There is nothing to report.")
        return
    if name in _TABLES:
        _TABLES[name](rows)
        return
    columns = list(rows[0])
    print_rows(columns, ([row[column] for column in columns] for row in rows))
