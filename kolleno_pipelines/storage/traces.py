"""Where a record's values come from: the kept rows, rejected and waiting ones that name it, its audit. Read only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

from kolleno_pipelines.schemas.sftp_tables import CsvTable


@dataclass(frozen=True)
class Statement:
    """One row of one received file that speaks about the record; `values` are its cells, typed, empty ones left out."""

    file: str
    receipt: int
    line: int
    table_name: str
    name_time: datetime
    taken_at: datetime
    fix: int
    file_status: str
    values: dict[str, Any]
    absent: list[str] | None


@dataclass(frozen=True)
class RejectedMention:
    """A row that names the record and was kept aside, with its cells as sent and every reason."""

    file: str
    receipt: int
    line: int
    cells: dict[str, str]
    findings: list[dict[str, Any]]


@dataclass(frozen=True)
class Waiting:
    """A row that waits for a parent; `cause` is the rejected row, of the parent or of whom that waits for in turn."""

    file: str
    receipt: int
    line: int
    table_name: str
    source_id: str
    code: str
    parent_table: str
    parent_id: str
    cause: str | None


@dataclass(frozen=True)
class FieldChange:
    """One audited change of one field; `version_at`: of the input that brought it."""

    changed_at: datetime
    version_at: datetime | None
    entity: str
    field: str
    old_value: str | None
    new_value: str | None


@dataclass(frozen=True)
class Change(FieldChange):
    """A change that a file brought, and where the new value stands; None where no input names the record any more."""

    file: str | None
    receipt: int | None
    line: int | None
    run_id: str | None


_CELLS = "jsonb_strip_nulls(to_jsonb(s) - '{file_id,line,absent,source_id}'::text[])"
#: A row as JSON whose numbers are exact text: a JSON number would be read as a float. {0} is the row, as jsonb.
EXACT = (
    "(SELECT jsonb_object_agg(key, CASE jsonb_typeof(value)"
    " WHEN 'number' THEN to_jsonb(trim_scale((value #>> '{{}}')::numeric)::text) ELSE value END)"
    " FROM jsonb_each({0}))"
)
#: `origin` of a stored record is `<ledger id>:<line>`.
_ORIGIN_FILE = "LEFT JOIN raw.files f ON f.id::text = split_part({0}.origin, ':', 1)"
_ORIGIN_LINE = "split_part({0}.origin, ':', 2)"


def record(conn: psycopg.Connection[Any], entity: str, connection: str, source_id: str) -> list[dict[str, Any]]:
    """Return the record as it is now; several for an allocation id that payments and credit notes share."""
    rows = conn.execute(
        (
            f"SELECT {EXACT.format('to_jsonb(r)')}"
            f" || jsonb_build_object('origin', f.name || ' line ' || {_ORIGIN_LINE.format('r')})"
            f" FROM receivables.{entity} r {_ORIGIN_FILE.format('r')} WHERE r.source_id = %s AND r.connection = %s"
        ).encode(),
        [source_id, connection],
    ).fetchall()
    return [row[0] for row in rows]


def statements(conn: psycopg.Connection[Any], table: CsvTable, connection: str, source_id: str) -> list[Statement]:
    """Return the accepted rows of one CSV table that name the record, in order of their version."""
    with conn.cursor(row_factory=class_row(Statement)) as cursor:
        return cursor.execute(
            (
                "SELECT f.name AS file, f.receipt, s.line, f.type AS table_name, f.name_time, f.taken_at, f.fix,"
                " f.status AS file_status, s.absent,"
                f" {EXACT.format(_CELLS)} AS values"
                f" FROM sftp_csv.{table.name} s JOIN raw.files f ON f.id = s.file_id"
                " WHERE s.source_id = %s AND f.connection = %s ORDER BY f.name_time, f.fix, f.receipt, s.line"
            ).encode(),
            [source_id, connection],
        ).fetchall()


def rejected_mentions(
    conn: psycopg.Connection[Any], table: CsvTable, connection: str, source_id: str
) -> list[RejectedMention]:
    """Return the rejected rows of one CSV table whose key cells say this id."""
    rows = conn.execute(
        "SELECT f.name, f.receipt, r.line, f.header, r.cells, r.findings FROM sftp_csv.rejected_rows r"
        " JOIN raw.files f ON f.id = r.file_id WHERE f.connection = %s AND f.type = %s AND r.cells && %s"
        " ORDER BY f.name_time, f.fix, f.receipt, r.line",
        [connection, table.name.value, _key_cells(table, source_id)],
    ).fetchall()
    mentions = []
    for name, receipt, line, header, cells, findings in rows:
        named = dict(zip(header or [], cells, strict=False))
        if _says(table, named, source_id):
            mentions.append(RejectedMention(name, receipt, line, named, findings))
    return mentions


def _key_cells(table: CsvTable, source_id: str) -> list[str]:
    """Return every cell that the key of a record may consist of: an id, or the two documents of a link."""
    parts = (re.sub(r"\\(.)", r"\1", part) for part in re.findall(r"(?:\\.|[^\\|])+", source_id))
    return [source_id, *parts] if table.is_link else [source_id]


def _says(table: CsvTable, named: dict[str, str], source_id: str) -> bool:
    if named.get("id") == source_id:
        return True
    owner, target = (f"{part}_id" for part in _link_parts(table)) if table.is_link else ("", "")
    return table.is_link and "|".join(_escaped(named.get(part, "")) for part in (owner, target)) == source_id


def _escaped(part: str) -> str:
    """Return an id as it stands in the key of a pair."""
    return part.replace("\\", "\\\\").replace("|", "\\|")


def _link_parts(table: CsvTable) -> tuple[str, str]:
    return table.name.value.removesuffix("s_invoices"), "invoice"


_WAITING = """
    SELECT f.name AS file, f.receipt, p.line, p.table_name, p.source_id, p.code, p.parent_table, p.parent_id,
           (WITH RECURSIVE up AS (
                SELECT p.parent_table, p.parent_id, 1 AS depth
                UNION
                SELECT q.parent_table, q.parent_id, up.depth + 1 FROM up JOIN sftp_csv.parked_rows q
                ON q.connection = p.connection AND q.table_name = up.parent_table AND q.source_id = up.parent_id
                WHERE up.depth < 4)
            SELECT k.name || ' line ' || r.line || ': ' || (r.findings -> 0 ->> 'message')
            FROM up JOIN raw.files k ON k.connection = p.connection AND k.type = up.parent_table
            JOIN sftp_csv.rejected_rows r ON r.file_id = k.id
              AND r.cells[array_position(k.header, 'id')] = up.parent_id
            ORDER BY up.depth DESC, k.name_time DESC, r.line LIMIT 1) AS cause
    FROM sftp_csv.waiting_rows p JOIN raw.files f ON f.id = p.file_id
"""


def waiting_rows(conn: psycopg.Connection[Any], table: CsvTable, connection: str, source_id: str) -> list[Waiting]:
    """Return the rows about the record that wait for a parent."""
    with conn.cursor(row_factory=class_row(Waiting)) as cursor:
        return cursor.execute(
            (
                f"{_WAITING} WHERE p.connection = %s AND p.table_name = %s AND p.source_id = %s"
                " ORDER BY f.name, p.line, p.parent_table"
            ).encode(),
            [connection, table.name.value, source_id],
        ).fetchall()


def waiting_in_file(conn: psycopg.Connection[Any], file_id: int, limit: int) -> list[Waiting]:
    """Return the first rows of a file that wait for a parent."""
    with conn.cursor(row_factory=class_row(Waiting)) as cursor:
        return cursor.execute(
            f"{_WAITING} WHERE p.file_id = %s ORDER BY p.line, p.parent_table LIMIT %s".encode(), [file_id, limit]
        ).fetchall()


def changes(conn: psycopg.Connection[Any], entities: list[str], connection: str, source_id: str) -> list[Change]:
    """Return the audited changes of the record, oldest first."""
    with conn.cursor(row_factory=class_row(Change)) as cursor:
        return cursor.execute(
            (
                "SELECT a.changed_at, a.version_at, a.entity, a.field, a.old_value, a.new_value, f.name AS file,"
                f" f.receipt, NULLIF({_ORIGIN_LINE.format('a')}, '')::integer AS line, a.run_id"
                f" FROM receivables.audit a {_ORIGIN_FILE.format('a')}"
                " WHERE a.source_id = %s AND a.entity = ANY(%s) AND a.connection = %s ORDER BY a.id"
            ).encode(),
            [source_id, entities, connection],
        ).fetchall()
