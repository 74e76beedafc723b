"""`kolleno check` and `ingest`: files validated before they are sent, and taken when they are there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kolleno_pipelines.cli.choices import AsJson
from kolleno_pipelines.cli.terminal import CannotRun, Work, end, print_json, print_rows, printable, say, working

if TYPE_CHECKING:
    from kolleno_pipelines.pipeline.check_report import CheckReport
    from kolleno_pipelines.pipeline.delivery import Delivered


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("check")(check)
    app.command("ingest")(ingest)


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
    """Look once, take what is new through to reconciliation, say what happened, and end."""
    from kolleno_pipelines.connections import load_connections
    from kolleno_pipelines.pipeline.delivery import deliver
    from kolleno_pipelines.pipeline.deployment import open_deployment
    from kolleno_pipelines.settings import load_settings

    settings = load_settings()
    known = load_connections(settings.connections)
    if unknown := [name for name in connections or () if name not in known]:
        raise CannotRun(
            f"There is no connection {unknown[0]} in {settings.connections}; there is {', '.join(known) or 'none'}."
        )
    deployment = open_deployment(settings)
    chosen = [each for name, each in known.items() if not connections or name in connections] or [deployment.sftp]
    with working("Ingesting") as work:
        delivered = [deliver(deployment, each, progress=work.step) for each in chosen]
    if as_json:
        print_json({"connections": [each.to_json() for each in delivered]})
    else:
        for each in delivered:
            _print_delivered(each)
    end(findings=any(each.has_findings for each in delivered))


def _print_delivered(delivered: Delivered) -> None:
    for line in delivered.sentences():
        print(printable(line))
