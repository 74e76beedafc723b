"""`kolleno files`, `rejects`: what was received and what is wrong with it. Read only."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kolleno_pipelines.cli.choices import AsJson, Day
from kolleno_pipelines.cli.terminal import cell, print_json, print_rows, say

if TYPE_CHECKING:
    from kolleno_pipelines.pipeline.file_views import FileView, LedgerFile

group = typer.Typer(help="Received files.", invoke_without_command=True, rich_markup_mode=None)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="files")
    app.command("rejects")(rejects)


@group.callback()
def listed(
    context: typer.Context,
    first: Annotated[date | None, Day("--from", "First day (of the files' names, UTC).")] = None,
    last: Annotated[date | None, Day("--to", "Last day.")] = None,
    status: Annotated[list[str] | None, typer.Option("--status", help="Only these; may be repeated.")] = None,
    as_json: AsJson = False,
) -> None:
    """List received files, oldest first: their status, their rows, what is wrong."""
    if context.invoked_subcommand is not None:
        return
    from kolleno_pipelines.pipeline.deployment import open_deployment
    from kolleno_pipelines.pipeline.file_views import STATUSES, files_of

    for word in status or ():
        if word not in STATUSES:
            raise typer.BadParameter(f"{word} is no status; there are {', '.join(STATUSES)}", param_hint="--status")
    deployment = open_deployment()
    found = files_of(deployment, deployment.sftp, first=first or date.min, last=last or date.max, statuses=status or ())
    if as_json:
        print_json([vars(file) for file in found])
        return
    columns = ("day", "file", "receipt", "status", "read", "accepted", "rejected", "warnings", "message")
    print_rows(columns, ([*_row(file), file.message] for file in found))
    say(f"{len(found)} files.")


def _row(file: LedgerFile) -> list[object]:
    counts = (file.rows_read, file.rows_accepted, file.rows_rejected, file.warnings)
    return [file.partition_day, file.name, file.receipt, file.status, *counts]


@group.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The file's name as it lay in the drop folder.")],
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many findings and rows of each sort.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Show one file: its verdict, its findings, its rejected and waiting rows, what it replaced."""
    from kolleno_pipelines.pipeline.deployment import open_deployment
    from kolleno_pipelines.pipeline.file_views import file_view

    deployment = open_deployment()
    view = file_view(deployment, deployment.sftp, name, limit=limit)
    if as_json:
        print_json(view.to_json())
    else:
        _print_view(view)


def _print_view(view: FileView) -> None:
    file = view.file
    facts: dict[str, object] = {
        "file": file.name,
        "status": file.status,
        "message": file.message,
        "receipt": f"{file.receipt} ({len(view.older)} older contents of this name)" if view.older else file.receipt,
        "day": file.partition_day,
        "bytes": file.size,
        "sha256": file.sha256,
        "taken": file.taken_at,
        "rows": f"{file.rows_read} read, {file.rows_accepted} accepted, {file.rows_rejected} rejected"
        if file.rows_read is not None
        else None,
        "codes": file.code_counts,
        "money": "; ".join(f"{name} {cell(sums)}" for name, sums in file.money_totals.items()),
        "run": file.run_id,
    }
    print_rows(("", ""), ((name, value) for name, value in facts.items() if value not in (None, {}, "")))
    _print_findings("Findings", ((f.line, f.column, f.value, f.code, f.message) for f in view.findings))
    reasons = (
        (row.line, f.get("column"), f.get("value"), f["code"], f["message"])
        for row in view.rejected
        for f in row.findings
    )
    _print_findings("Rejected rows", reasons)
    if view.waiting:
        rows = ((w.line, w.source_id, w.code, w.parent_table, w.parent_id, w.cause) for w in view.waiting)
        print()
        print_rows(("line", "record", "code", "waits for", "id", "because of"), rows, title="Waiting rows")


def _print_findings(title: str, rows: Any) -> None:
    found = list(rows)
    if found:
        print()
        print_rows(("line", "column", "value", "code", "message"), found, title=title)


def rejects(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The file whose rejected rows are wanted.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Where to write them; a folder gets the right name.")
    ],
) -> None:
    """Export the rejected rows of a file, each with its reasons, to be corrected and uploaded again."""
    from kolleno_pipelines.pipeline.deployment import open_deployment
    from kolleno_pipelines.pipeline.rejects import NothingToExportError, write_rejects

    deployment = open_deployment()
    try:
        written = write_rejects(deployment, deployment.sftp, name, out)
    except NothingToExportError as nothing:
        say(str(nothing))
        return
    say(
        f"{written.rows} rows are in {written.path}. Correct them and upload the file as {written.upload_as};"
        " it needs no companions."
    )
    print(written.path)
