"""`kolleno reprocess`: a range of days again, from the archive. What re-processing is does not belong here."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from kolleno_pipelines.cli.choices import AsJson, Day
from kolleno_pipelines.cli.terminal import CannotRun, end, print_json, print_rows, say, working

if TYPE_CHECKING:
    from kolleno_pipelines.pipeline.reprocess import Reprocessed


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("reprocess")(reprocess)


def reprocess(
    first: Annotated[date, Day("--from", "First day.")],
    last: Annotated[date, Day("--to", "Last day, included.")],
    only: Annotated[
        str | None, typer.Option("--only", metavar="failed", help="Only files that failed or wait.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say which files would be read; change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take a range of days through again, from the archive; an old range never overwrites newer data."""
    if only not in {None, "failed"}:
        raise typer.BadParameter(f"{only!r} is not known; it is `failed`", param_hint="--only")
    from kolleno_pipelines.pipeline import reprocess as reprocessing
    from kolleno_pipelines.pipeline.clock import utc_now
    from kolleno_pipelines.pipeline.days import DaysError, days_within
    from kolleno_pipelines.pipeline.deployment import open_deployment
    from kolleno_pipelines.pipeline.person import operator_name

    deployment = open_deployment()
    try:
        first, last = days_within(first, last, deployment.settings.first_day, utc_now().date())
    except DaysError as error:
        raise CannotRun(str(error)) from None
    with working("Re-processing", total=sum(1 for _ in reprocessing.chunks(first, last))) as work:
        done = reprocessing.reprocess(
            deployment,
            deployment.sftp,
            first,
            last,
            only_failed=only == "failed",
            dry_run=dry_run,
            requested_by=operator_name(),
            progress=work.step,
        )
    if as_json:
        print_json(done.to_json())
    else:
        _print_reprocessed(done)
    end(findings=done.has_findings)


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
