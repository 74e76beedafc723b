"""`kolleno reprocess`: a range of days again, from the archive. What re-processing is does not belong here."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kolleno_pipelines.cli.choices import AsJson, Day
from kolleno_pipelines.cli.terminal import CannotRun, end, print_json, print_rows, printable, say, working

if TYPE_CHECKING:
    from kolleno_pipelines.pipeline.api_delivery import ApiDelivered
    from kolleno_pipelines.pipeline.reprocess import Reprocessed


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("reprocess")(reprocess)


def reprocess(
    first: Annotated[date, Day("--from", "First day.")],
    last: Annotated[date, Day("--to", "Last day, included.")],
    only: Annotated[str | None, typer.Option("--only", metavar="failed", help="Only what failed or waits.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be read; change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take a range of days through again, from the archive; an old range never overwrites newer data."""
    if only not in {None, "failed"}:
        raise typer.BadParameter(f"{only!r} is not known; it is `failed`", param_hint="--only")
    from kolleno_pipelines.connections import SftpConnection, api_connections
    from kolleno_pipelines.pipeline import reprocess as reprocessing
    from kolleno_pipelines.pipeline.api_delivery import deliver_again
    from kolleno_pipelines.pipeline.clock import utc_now
    from kolleno_pipelines.pipeline.days import DaysError, days_within
    from kolleno_pipelines.pipeline.deployment import open_deployment
    from kolleno_pipelines.pipeline.person import operator_name

    deployment = open_deployment()
    try:
        first, last = days_within(first, last, deployment.settings.first_day, utc_now().date())
    except DaysError as error:
        raise CannotRun(str(error)) from None
    drops = [each for each in deployment.connections.values() if isinstance(each, SftpConnection)]
    apis = api_connections(deployment.connections)
    shown: dict[str, Any] = {}
    findings = False
    with working("Re-processing", total=len(drops) * sum(1 for _ in reprocessing.chunks(first, last))) as work:
        for drop in drops:
            done = reprocessing.reprocess(
                deployment,
                drop,
                first,
                last,
                only_failed=only == "failed",
                dry_run=dry_run,
                requested_by=operator_name(),
                progress=work.step,
            )
            shown, findings = done.to_json(), done.has_findings
            if not as_json:
                _print_reprocessed(done)
        again = [
            deliver_again(
                deployment, each, first, last, only_failed=only == "failed", dry_run=dry_run, progress=work.step
            )
            for each in apis
        ]
    if as_json:
        print_json(shown | {"connections": [each.to_json() for each in again]})
    else:
        _print_again(again)
    end(findings=findings or any(each.has_findings for each in again))


def _print_again(again: list[ApiDelivered]) -> None:
    for each in again:
        if each.planned:
            columns = ("partition_day", "extract", "pass_", "status", "records", "size")
            shown = ("day", "extract", "pass", "status", "payloads", "bytes")
            print_rows(shown, [[part[column] for column in columns] for part in each.planned])
        for line in each.sentences():
            print(printable(line))


def _print_reprocessed(result: Reprocessed) -> None:
    if result.dry_run:
        rows = ((f.partition_day, f.name, f.receipt, f.status, f.rows_read, f.size) for f in result.files)
        print_rows(("day", "file", "receipt", "status", "rows", "bytes"), rows)
        say(f"{len(result.files)} files of {result.first} to {result.last} would be read; nothing was changed.")
        return
    changes = [(name, c.new, c.changed, c.gone, c.fields) for name, c in result.changes.items()]
    print_rows(("entity", "new", "changed", "gone", "fields"), changes)
    for file in result.failed:
        say(f"{file.name} failed: {file.message}")
    what = f"{result.changed} records changed" if result.changed else "nothing changed"
    say(f"{len(result.files)} files of {result.first} to {result.last} were read again: {what}.")
