"""`kolleno trace`: who said what about a record, and what changed because of it. Read only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kolleno_pipelines.cli.choices import AsJson
from kolleno_pipelines.cli.terminal import cell, end, print_json, print_rows, say

if TYPE_CHECKING:
    from kolleno_pipelines.connections import AnyConnection
    from kolleno_pipelines.pipeline.deployment import Deployment
    from kolleno_pipelines.pipeline.payload_tracing import PayloadStatement, PayloadTrace
    from kolleno_pipelines.pipeline.tracing import Trace


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("trace")(trace)


def trace(
    entity: Annotated[
        str,
        typer.Argument(metavar="ENTITY", help="The table of the record: customers, invoices, payments, charges ..."),
    ],
    source_id: Annotated[
        str, typer.Argument(metavar="SOURCE_ID", help="The record's id; of an allocation of files: PAYMENT|INVOICE.")
    ],
    name: Annotated[
        str | None,
        typer.Option("--connection", metavar="NAME", help="Whose record; the ledger's, else the first that has such."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show which files or payloads said what about a record, and each change that came of it."""
    from kolleno_pipelines.pipeline.deployment import open_deployment
    from kolleno_pipelines.pipeline.payload_tracing import PayloadTrace, chosen_for

    deployment = open_deployment()
    connection, table, others = chosen_for(deployment.connections, entity, name)
    found = _found(deployment, connection, table, source_id)
    if as_json:
        print_json(found.to_json())
    elif found.is_known:
        _print_payloads(found) if isinstance(found, PayloadTrace) else _print_files(found)
    if not found.is_known:
        what = "payload" if isinstance(found, PayloadTrace) else "file"
        elsewhere = f" Or is it of another one: --connection {', '.join(others)}?" if others else ""
        say(f"No {what} ever said anything about {table} {source_id} of {connection.name}.{elsewhere}")
    end(findings=not found.is_known)


def _found(deployment: Deployment, connection: AnyConnection, table: str, source_id: str) -> Trace | PayloadTrace:
    from kolleno_pipelines.connections import SftpConnection
    from kolleno_pipelines.pipeline.payload_tracing import trace_payloads
    from kolleno_pipelines.pipeline.tracing import trace as trace_files

    if isinstance(connection, SftpConnection):
        return trace_files(deployment, connection, table, source_id)
    return trace_payloads(deployment, connection, table, source_id)


def _print_files(found: Trace) -> None:
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
    _print_records(found.records)


def _print_payloads(found: PayloadTrace) -> None:
    said = (
        (each.extract, each.pass_, each.part, each.line, each.modified_at, each.observed_at, _told(each))
        for each in found.statements
    )
    columns = ("extract", "why read", "part", "line", "modified", "observed", "values")
    print_rows(columns, said, title=f"What the payloads of {found.connection} say, oldest version first")
    if found.aside:
        aside = ((each.extract, each.part, each.line, each.observed_at, each.reason) for each in found.aside)
        print()
        print_rows(("extract", "part", "line", "observed", "reason"), aside, title="Payloads that were set aside")
    if found.waiting:
        waits = ((w.part, w.line, w.code, f"{w.parent_entity} {w.parent_id}") for w in found.waiting)
        print()
        print_rows(("part", "line", "code", "waits for"), waits, title="Rows that wait for a parent")
    if found.changes:
        changed = ((c.version_at, c.field, c.old_value, c.new_value, c.extract, c.part, c.line) for c in found.changes)
        print()
        print_rows(("version", "field", "old", "new", "extract", "part", "line"), changed, title="Changes")
    _print_records(found.records)


def _told(said: PayloadStatement) -> str:
    if said.values is not None:
        return _values(said.values, None)
    return "it is deleted" if said.is_deleted else "it holds nothing of the record"


def _print_records(records: Iterable[dict[str, Any]]) -> None:
    for record in records:
        print()
        print_rows(("", ""), ((k, v) for k, v in record.items() if v is not None), title="The record now")


def _values(values: dict[str, Any], absent: list[str] | None) -> str:
    text = " ".join(f"{name}={cell(value)}" for name, value in values.items())
    return f"{text} (not usable, kept as before: {', '.join(absent)})" if absent else text
