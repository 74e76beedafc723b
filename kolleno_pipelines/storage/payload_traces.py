"""Where a record of a system that is asked comes from: its payloads, those set aside, its audit. Read only.

traces.py is the same for what senders drop.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

from kolleno_pipelines.schemas.records import RecordTable
from kolleno_pipelines.storage.traces import EXACT, FieldChange


@dataclass(frozen=True)
class PayloadStatement:
    """One version of the object that the record is made of: `line` of part `part` (raw.extracts) of an extract.

    values: what it says of the record, exact, empty ones left out; None where it holds it no more, or says deleted.
    """

    extract: str
    pass_: str
    part: int
    line: int
    modified_at: datetime | None
    observed_at: datetime
    is_deleted: bool
    values: dict[str, Any] | None


@dataclass(frozen=True)
class Aside:
    """A payload with this id that could not be normalised, of whatever extract."""

    extract: str
    part: int
    line: int
    observed_at: datetime
    reason: str


@dataclass(frozen=True)
class WaitingRecord:
    """A row about the record that waits for a parent."""

    part: int
    line: int
    code: str
    parent_entity: str
    parent_id: str


@dataclass(frozen=True)
class RecordChange(FieldChange):
    """A change that a payload brought; `extract`, `part`, `line`: where the new value stands."""

    extract: str | None
    part: int | None
    line: int | None
    run_id: str | None


#: `origin` of a record that an API told of is `e<part>:<line>`.
_PART = "substring({0}.origin from '^e([0-9]+):')::integer"


def record(conn: psycopg.Connection[Any], entity: str, connection: str, source_id: str) -> list[dict[str, Any]]:
    """Return the record as it is now; several for an allocation id that several kinds of payers share."""
    rows = conn.execute(
        (
            f"SELECT {EXACT.format('to_jsonb(r)')} || jsonb_build_object('origin',"
            " concat_ws(' ', e.extract, 'part', e.id, 'line', split_part(r.origin, ':', 2)))"
            f" FROM receivables.{entity} r LEFT JOIN raw.extracts e ON e.id = {_PART.format('r')}"
            " WHERE r.source_id = %s AND r.connection = %s"
        ).encode(),
        [source_id, connection],
    ).fetchall()
    return [row[0] for row in rows]


def statements(
    conn: psycopg.Connection[Any], table: RecordTable, connection: str, source_id: str
) -> list[PayloadStatement]:
    """Return every version of the objects that ever told of the record, oldest first."""
    said = EXACT.format("jsonb_strip_nulls(to_jsonb(n) - '{extract_id,line,source_id}'::text[])")
    with conn.cursor(row_factory=class_row(PayloadStatement)) as cursor:
        return cursor.execute(
            f"""
WITH said AS (
    SELECT n.extract_id, n.line, {said} AS values FROM normalised.{table.entity} n
    JOIN raw.extracts e ON e.id = n.extract_id WHERE n.source_id = %(id)s AND e.connection = %(connection)s
), owners AS (
    SELECT DISTINCT p.kind, p.source_id FROM said JOIN normalised.payloads p USING (extract_id, line)
)
SELECT e.extract, e.pass AS pass_, e.id AS part, p.line, p.modified_at, p.observed_at, p.is_deleted, s.values
FROM normalised.payloads p JOIN owners USING (kind, source_id) JOIN raw.extracts e ON e.id = p.extract_id
LEFT JOIN said s USING (extract_id, line)
WHERE p.connection = %(connection)s
ORDER BY COALESCE(p.modified_at, p.observed_at), p.observed_at, p.is_deleted, p.digest, e.id, p.line""".encode(),
            {"id": source_id, "connection": connection},
        ).fetchall()


def set_aside(conn: psycopg.Connection[Any], connection: str, source_id: str) -> list[Aside]:
    """Return the quarantined payloads with this id, oldest first."""
    with conn.cursor(row_factory=class_row(Aside)) as cursor:
        return cursor.execute(
            "SELECT e.extract, e.id AS part, q.line, e.observed_at, q.reason FROM raw.quarantined_payloads q"
            " JOIN raw.extracts e ON e.id = q.extract_id WHERE q.source_id = %s AND e.connection = %s"
            " ORDER BY e.observed_at, e.id, q.line",
            [source_id, connection],
        ).fetchall()


def waiting(conn: psycopg.Connection[Any], entity: str, connection: str, source_id: str) -> list[WaitingRecord]:
    """Return the rows about the record that wait for a parent."""
    with conn.cursor(row_factory=class_row(WaitingRecord)) as cursor:
        return cursor.execute(
            "SELECT extract_id AS part, line, code, parent_entity, parent_id FROM normalised.parked_rows"
            " WHERE connection = %s AND entity = %s AND source_id = %s AND NOT is_overtaken ORDER BY 1, 2, 4, 5",
            [connection, entity, source_id],
        ).fetchall()


def changes(conn: psycopg.Connection[Any], entity: str, connection: str, source_id: str) -> list[RecordChange]:
    """Return the audited changes of the record, oldest first."""
    with conn.cursor(row_factory=class_row(RecordChange)) as cursor:
        return cursor.execute(
            (
                "SELECT a.changed_at, a.version_at, a.entity, a.field, a.old_value, a.new_value, e.extract,"
                " e.id AS part, CASE WHEN e.id IS NOT NULL THEN split_part(a.origin, ':', 2)::integer END AS line,"
                " a.run_id"
                f" FROM receivables.audit a LEFT JOIN raw.extracts e ON e.id = {_PART.format('a')}"
                " WHERE a.source_id = %s AND a.entity = %s AND a.connection = %s ORDER BY a.id"
            ).encode(),
            [source_id, entity, connection],
        ).fetchall()
