"""`kolleno batches`: what belongs together, what is missing, and what an operator decides about it."""

from __future__ import annotations

from typing import Annotated

import typer

from kolleno_pipelines.cli.choices import AsJson
from kolleno_pipelines.cli.terminal import print_json, print_rows, say

group = typer.Typer(help="Batches of seven files.", invoke_without_command=True, rich_markup_mode=None)

BatchId = Annotated[str, typer.Argument(metavar="ID", help="The batch's id, as `kolleno batches` shows it.")]
Why = Annotated[str | None, typer.Option("--why", metavar="TEXT", help="The reason, kept with the decision.")]


def add_to(app: typer.Typer) -> None:
    """Add the group to the command."""
    app.add_typer(group, name="batches")


@group.callback()
def listed(
    context: typer.Context,
    only_open: Annotated[bool, typer.Option("--open", help="Only those that are not processed.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the batches, oldest first, with the types that are missing or failed."""
    if context.invoked_subcommand is not None:
        return
    from kolleno_pipelines.pipeline.batches import refresh_batches
    from kolleno_pipelines.pipeline.deployment import open_deployment

    deployment = open_deployment()
    rows = refresh_batches(deployment, deployment.sftp)
    shown = [row for row in rows if not (only_open and row.status.startswith("processed"))]
    if as_json:
        print_json([vars(row) for row in shown])
        return
    columns = ("batch", "day", "status", "files", "missing", "failed")
    cells = ((r.batch_id, r.partition_day, r.status, len(r.names), r.missing, r.failed) for r in shown)
    print_rows(columns, cells)
    say(f"{len(shown)} batches.")


@group.command()
def release(batch_id: BatchId, why: Why = None) -> None:
    """Let an incomplete or failed batch load: what is missing or failed counts as empty."""
    absent, _ = _decide(batch_id, "release", why)
    without = ", ".join(absent) or "nothing"
    say(f"Batch {batch_id} is released without {without}; the next run loads it (kolleno ingest, or the sensor).")


@group.command()
def skip(batch_id: BatchId, why: Why = None) -> None:
    """Set an incomplete or failed batch aside: nothing of it loads."""
    _, files = _decide(batch_id, "skip", why)
    say(f"Batch {batch_id} is skipped: its {files} files do not load and are shown as skipped.")


def _decide(batch_id: str, decision: str, why: str | None) -> tuple[list[str], int]:
    """Remember the decision; returns the types that are missing or failed and the number of files."""
    from kolleno_pipelines.pipeline.batches import decide
    from kolleno_pipelines.pipeline.deployment import open_deployment
    from kolleno_pipelines.pipeline.person import operator_name

    deployment = open_deployment()
    batch = decide(deployment, deployment.sftp, batch_id, decision, by=operator_name(), why=why)
    return [*batch.missing, *batch.failed], len(batch.names)
