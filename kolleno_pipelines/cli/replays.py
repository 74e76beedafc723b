"""`kolleno reprocess`: a range of days again, from the archive. What re-processing is does not belong here."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated

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
    failed = only == "failed"
    with working("Re-processing", total=len(drops) * sum(1 for _ in reprocessing.chunks(first, last))) as work:
        person, step = operator_name(), work.step
        files = [
            reprocessing.reprocess(
                deployment,
                each,
                first,
                last,
                only_failed=failed,
                dry_run=dry_run,
                requested_by=person,
                progress=step,
            )
            for each in drops
        ]
        payloads = [
            deliver_again(deployment, each, first, last, only_failed=failed, dry_run=dry_run, progress=step)
            for each in api_connections(deployment.connections)
        ]
    _tell(files, payloads, as_json=as_json)
    end(findings=any(each.has_findings for each in files) or any(each.has_findings for each in payloads))


def _tell(files: list[Reprocessed], payloads: list[ApiDelivered], *, as_json: bool) -> None:
    """Print what was done again; there is one drop folder at most."""
    if as_json:
        shown = files[0].to_json() if files else {}
        print_json(shown | {"connections": [each.to_json() for each in payloads]})
        return
    for each in files:
        _print_reprocessed(each)
    _print_again(payloads)


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
