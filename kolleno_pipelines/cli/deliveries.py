"""`kolleno check`, `ingest`, `extract`, `import-extracts`: what is sent is validated and taken. No use case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from kolleno_pipelines.cli.choices import AsJson, parse_moment
from kolleno_pipelines.cli.terminal import CannotRun, Work, end, print_json, print_rows, printable, say, working

if TYPE_CHECKING:
    from kolleno_pipelines.connections import AnyConnection
    from kolleno_pipelines.pipeline.api_delivery import ApiDelivered
    from kolleno_pipelines.pipeline.check_report import CheckReport
    from kolleno_pipelines.pipeline.delivery import Delivered
    from kolleno_pipelines.pipeline.deployment import Deployment


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("check")(check)
    app.command("ingest")(ingest)
    app.command("extract")(extract)
    app.command("import-extracts")(import_recorded)


def check(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="CSV files, or folders of them.")],
    baseline: Annotated[
        Path | None,
        typer.Option("--baseline", metavar="FOLDER", help="Files sent before; then unknown parents are reported."),
    ] = None,
    max_findings: Annotated[
        int, typer.Option("--max-findings", min=0, help="List at most so many for each file.")
    ] = 1_000,
    timezone: Annotated[str, typer.Option("--timezone", help="Zone of the times in the names.")] = "UTC",
    as_json: AsJson = False,
) -> None:
    """Validate files before they are uploaded; needs no database and no server."""
    from kolleno_pipelines.pipeline import check as checking
    from kolleno_pipelines.pipeline.clock import utc_now

    zone = _zone(timezone)
    with working("Checking") as work:
        report = checking.check(
            paths,
            baseline=baseline,
            max_findings=max_findings,
            timezone=zone,
            now=utc_now(),
            first_day=_first_day(),
            progress=_rows_so_far(work),
        )
    if as_json:
        print_json(report.to_json())
    else:
        _print_check(report)
    end(findings=report.has_findings)


def _first_day() -> date:
    """Return the first day that is read, where that is known here; a sender's machine has no KOLLENO_FIRST_DAY."""
    from kolleno_pipelines.settings import load_settings

    settings = load_settings()
    return settings.first_day if "first_day" in settings.model_fields_set else date.min


def _zone(name: str) -> str:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise typer.BadParameter(
            f"{name!r} is no time zone such as UTC or Europe/London", param_hint="--timezone"
        ) from None
    return name


def _rows_so_far(work: Work) -> Callable[[str, int], None]:
    def step(name: str, rows: int) -> None:
        work.step(f"{name}, {rows:,} rows")

    return step


def _print_check(report: CheckReport) -> None:
    columns = ("file", "status", "read", "accepted", "rejected")
    print_rows(columns, ((f.name, f.status, f.rows_read, f.rows_accepted, f.rows_rejected) for f in report.files))
    found = [(f.name, g.line, g.column, g.value, g.code, g.level, g.message) for f in report.files for g in f.findings]
    if found:
        print()
        print_rows(("file", "line", "column", "value", "code", "level", "message"), found)
    for file in report.files:
        if (total := sum(file.codes.values())) > len(file.findings):
            say(f"{file.name}: {total:,} findings, of which {len(file.findings):,} are listed (--max-findings).")
    if not report.files:
        say("There is no file to check.")


def ingest(
    connections: Annotated[
        list[str] | None, typer.Argument(metavar="[CONNECTION...]", help="All when left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look once into the drop folder, take what is new through to reconciliation, say what happened, and end."""
    from kolleno_pipelines.connections import SftpConnection
    from kolleno_pipelines.pipeline.delivery import deliver

    deployment = _deployment(connections)
    chosen = [each for each in _chosen(deployment, connections) if isinstance(each, SftpConnection)]
    if not chosen and not connections:
        chosen = [deployment.sftp]
    _refuse_others(connections, [each.name for each in chosen], "is no drop folder: `kolleno extract {}` reads it")
    with working("Ingesting") as work:
        _tell([deliver(deployment, each, progress=work.step) for each in chosen], as_json=as_json)


def extract(
    connections: Annotated[
        list[str] | None, typer.Argument(metavar="[CONNECTION...]", help="All that are asked over the network.")
    ] = None,
    only: Annotated[
        str | None, typer.Option("--extract", metavar="EXTRACT", help="Ask for single objects of it alone; with --id.")
    ] = None,
    ids: Annotated[
        list[str] | None, typer.Option("--id", metavar="ID", help="The vendor's id; again for more.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask the vendor for what changed, take it through to reconciliation, say what happened, and end."""
    from kolleno_pipelines.connections import ApiConnection
    from kolleno_pipelines.pipeline.api_delivery import deliver_from_vendor, deliver_objects

    deployment = _deployment(connections)
    chosen = [each for each in _chosen(deployment, connections) if isinstance(each, ApiConnection)]
    _refuse_others(connections, [each.name for each in chosen], "is a drop folder: `kolleno ingest {}` looks into it")
    if not chosen:
        raise CannotRun(f"{deployment.settings.connections} holds no connection that is asked over the network.")
    if only or ids:
        if not only or not ids or len(chosen) != 1:
            raise typer.BadParameter("--extract and --id go together, for one connection", param_hint="--extract")
        with working("Extracting") as work:
            _tell([deliver_objects(deployment, chosen[0], only, ids, progress=work.step)], as_json=as_json)
    with working("Extracting") as work:
        _tell([deliver_from_vendor(deployment, each, progress=work.step) for each in chosen], as_json=as_json)


def import_recorded(
    connection: Annotated[str, typer.Argument(metavar="CONNECTION", help="Whose payloads they are.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Holds <extract>.jsonl, one payload a line.")],
    observed_at: Annotated[
        datetime | None,
        typer.Option(
            "--observed-at",
            parser=parse_moment,
            metavar="MOMENT",
            help="When they were recorded, with offset; else the newest modified time in the folder.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take payloads that were recorded elsewhere through to reconciliation; nothing is asked of the vendor."""
    from kolleno_pipelines.connections import ApiConnection
    from kolleno_pipelines.pipeline.api_delivery import deliver_from_folder

    deployment = _deployment([connection])
    (chosen,) = _chosen(deployment, [connection])
    if not isinstance(chosen, ApiConnection):
        raise CannotRun(f"{connection} is a drop folder, which has no extracts: `kolleno ingest` takes its files.")
    with working("Importing") as work:
        done = deliver_from_folder(deployment, chosen, folder, observed_at=observed_at, progress=work.step)
    _tell([done], as_json=as_json)


def _deployment(names: list[str] | None) -> Deployment:
    """Open the deployment, unless a connection is named that it does not have."""
    from kolleno_pipelines.connections import load_connections
    from kolleno_pipelines.pipeline.deployment import open_deployment
    from kolleno_pipelines.settings import load_settings

    settings = load_settings()
    known = load_connections(settings.connections)
    if unknown := [name for name in names or () if name not in known]:
        raise CannotRun(
            f"There is no connection {unknown[0]} in {settings.connections}; there is {', '.join(known) or 'none'}."
        )
    return open_deployment(settings, known)


def _chosen(deployment: Deployment, names: list[str] | None) -> list[AnyConnection]:
    return [each for name, each in deployment.connections.items() if not names or name in names]


def _refuse_others(names: list[str] | None, chosen: list[str], why: str) -> None:
    for name in names or ():
        if name not in chosen:
            raise CannotRun(f"{name} {why.format(name)}.")


def _tell(delivered: Sequence[Delivered | ApiDelivered], *, as_json: bool) -> NoReturn:
    if as_json:
        print_json({"connections": [each.to_json() for each in delivered]})
    else:
        for each in delivered:
            for line in each.sentences():
                print(printable(line))
    end(findings=any(each.has_findings for each in delivered))
