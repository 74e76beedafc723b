"""`kolleno files`, `rejects`, `trace`: what was received, what is wrong with it, where a value is from. Read only."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kolleno_pipelines.cli.choices import AsJson, Day
from kolleno_pipelines.cli.terminal import cell, end, print_json, print_rows, say

if TYPE_CHECKING:
    from kolleno_pipelines.pipeline.file_views import FileView, LedgerFile
    from kolleno_pipelines.pipeline.tracing import Trace

group = typer.Typer(help="Received files.", invoke_without_command=True, rich_markup_mode=None)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="files")
    app.command("rejects")(rejects)
    app.command("trace")(trace)


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


def trace(
    entity: Annotated[
        str,
        typer.Argument(metavar="ENTITY", help="customers, contacts, invoices, credit_notes, payments, allocations."),
    ],
    source_id: Annotated[
        str, typer.Argument(metavar="SOURCE_ID", help="The record's id; of an allocation: PAYMENT|INVOICE.")
    ],
    as_json: AsJson = False,
) -> None:
    """Show which files said what about a record, and each change that came of it."""
    from kolleno_pipelines.pipeline.deployment import open_deployment
    from kolleno_pipelines.pipeline.tracing import trace as find

    deployment = open_deployment()
    found = find(deployment, deployment.sftp, entity, source_id)
    if as_json:
        print_json(found.to_json())
    elif found.is_known:
        _print_trace(found)
    if not found.is_known:
        say(f"No file ever said anything about {found.entity} {source_id}.")
    end(findings=not found.is_known)


def _print_trace(found: Trace) -> None:
    said = (
        (each.file, each.receipt, each.line, each.file_status, _values(each.values, each.absent))
        for each in found.statements
    )
    print_rows(("file", "receipt", "line", "status", "values"), said, title="What the files say, oldest version first")
    if found.rejected:
        kept = (
            (each.file, each.receipt, each.line, "; ".join(f["message"] for f in each.findings))
            for each in found.rejected
        )
        print()
        print_rows(("file", "receipt", "line", "rejected because"), kept, title="Rows that were rejected")
    if found.waiting:
        waits = ((w.file, w.line, w.code, f"{w.parent_table} {w.parent_id}", w.cause) for w in found.waiting)
        print()
        print_rows(("file", "line", "code", "waits for", "because of"), waits, title="Rows that wait for a parent")
    if found.changes:
        changed = ((c.version_at, c.entity, c.field, c.old_value, c.new_value, c.file, c.line) for c in found.changes)
        print()
        columns = ("version", "entity", "field", "old", "new", "file", "line")
        print_rows(columns, changed, title="Changes")
    for record in found.records:
        print()
        print_rows(("", ""), ((k, v) for k, v in record.items() if v is not None), title="The record now")


def _values(values: dict[str, Any], absent: list[str] | None) -> str:
    text = " ".join(f"{name}={cell(value)}" for name, value in values.items())
    return f"{text} (not usable, kept as before: {', '.join(absent)})" if absent else text
