"""`kolleno compare-report`: a report downloaded from a payment provider beside the API's view. No use case."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kolleno_pipelines.cli.choices import AsJson, Day, refuse_two_forms
from kolleno_pipelines.cli.terminal import CannotRun, end, print_json, print_rows, say, working, write_csv

if TYPE_CHECKING:
    from kolleno_pipelines.pipeline.compare_report import Comparison, UnreadableReportError
    from kolleno_pipelines.schemas.payout_report import Asked

FINDINGS = (
    *("code", "line", "payout_source_id", "balance_transaction_source_id", "column", "currency_iso"),
    *("report_value", "api_value", "api_list", "message"),
)
#: Names of whatever zone a machine is in, which the database does not know.
_OF_THE_MACHINE = {"localtime", "posixrules"}
_FAULTS = ("line", "column", "value", "code", "message")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compare-report")(compare_report)


def compare_report(
    connection: Annotated[str, typer.Argument(metavar="CONNECTION", help="The payment provider's connection.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The itemized payout reconciliation, as downloaded.")],
    first: Annotated[date | None, Day("--from", "First day of the report, where its name does not say.")] = None,
    last: Annotated[date | None, Day("--to", "Last day, included.")] = None,
    timezone: Annotated[
        str | None,
        typer.Option("--timezone", metavar="ZONE", help="Of the columns without _utc; else by the name, else UTC."),
    ] = None,
    max_findings: Annotated[
        int, typer.Option("--max-findings", min=1, help="List at most so many; a CSV has all.")
    ] = 1_000,
    as_json: AsJson = False,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write the findings as CSV; - is stdout.")
    ] = None,
) -> None:
    """Compare a provider's own report of its payouts, row by row, with what was read of its API; nothing is kept.

    Exit code 1: something differs, or cannot be compared yet. 2: the file cannot be read, or is of another account.
    """
    from kolleno_pipelines.pipeline.compare_report import UnreadableReportError, comparison
    from kolleno_pipelines.pipeline.deployment import open_deployment

    asked = _asked(first, last, timezone)
    refuse_two_forms(csv_file, as_json=as_json)
    deployment = open_deployment()
    try:
        with (
            working("Comparing") as work,
            comparison(deployment, connection, file, asked, max_findings=max_findings, progress=work.step) as compared,
        ):
            if csv_file is not None:
                _write(csv_file, compared)
            else:
                _tell(compared, max_findings, as_json=as_json)
            for note in compared.notes():
                say(note)
    except UnreadableReportError as unreadable:
        _tell_faults(unreadable, as_json=as_json)
        raise CannotRun(str(unreadable)) from None
    end(findings=compared.asks_for_somebody)


def _asked(first: date | None, last: date | None, timezone: str | None) -> Asked:
    from zoneinfo import available_timezones

    from kolleno_pipelines.schemas.payout_report import Asked

    if (first is None) != (last is None):
        raise typer.BadParameter("--from and --to go together", param_hint="--from")
    if first is not None and last is not None and last < first:
        raise typer.BadParameter(f"{last} lies before {first}", param_hint="--to")
    if timezone is not None and timezone not in available_timezones() - _OF_THE_MACHINE:
        raise typer.BadParameter(
            f"{timezone!r} is no time zone such as UTC or America/New_York", param_hint="--timezone"
        )
    return Asked(first, last, timezone)


def _write(target: Path, compared: Comparison) -> None:
    write_csv(target, FINDINGS, (vars(found) for found in compared.findings()))
    if str(target) != "-":
        say(f"{sum(compared.codes.values()):,} findings are in {target}.")


def _tell(compared: Comparison, limit: int, *, as_json: bool) -> None:
    found = compared.findings()
    listed = [vars(one) for one in islice(found, limit)]
    _drain(found)
    payouts = _payouts(compared)
    if as_json:
        period = compared.period
        print_json(
            {
                "connection": compared.connection,
                "file": compared.file,
                "rows": compared.rows,
                "timezone": compared.timezone,
                "period": None if period is None else period._asdict(),
                "codes": compared.codes,
                "payouts": payouts,
                "findings": listed,
            }
        )
        return
    if payouts:
        print_rows(tuple(payouts[0]), (tuple(row.values()) for row in payouts), title="Payouts")
    if listed:
        print()
        print_rows(FINDINGS, ([row[name] for name in FINDINGS] for row in listed), title="Findings")
    if (total := sum(compared.codes.values())) > len(listed):
        say(f"{total:,} findings, of which {len(listed):,} are listed (--max-findings); --csv FILE has them all.")


def _drain(rest: Iterator[object]) -> None:
    for _ in rest:
        pass


def _payouts(compared: Comparison) -> list[dict[str, Any]]:
    from kolleno_pipelines.pipeline.plain_rows import plain_row

    return [plain_row(vars(one)) for one in compared.payouts]


def _tell_faults(unreadable: UnreadableReportError, *, as_json: bool) -> None:
    faults = [one.to_json() for one in unreadable.findings]
    if as_json:
        print_json({"faults": unreadable.faults, "findings": faults})
    elif unreadable.faults > 1:
        print_rows(_FAULTS, ([fault[name] for name in _FAULTS] for fault in faults))
