"""Reads posted documents, their allocations and moves for the rules, in chunks of bounded memory. Decides nothing.

The SQL of documents is in document_sql.py; totals by customer and account are control_totals.py's.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.csv

from kolleno_pipelines.schemas.ledger_parts import (
    ALLOCATION_MOVES,
    ALLOCATIONS,
    DOCUMENTS,
    MOVES,
    PARKED_LINKS,
    DocumentKind,
    Horizon,
    LedgerPart,
)
from kolleno_pipelines.schemas.results import UNAPPLIED_ITEMS
from kolleno_pipelines.storage import document_sql
from kolleno_pipelines.storage.document_sql import TABLES, Reading, of_kind, within

CHUNK = 250_000
BATCH_WINDOW = Horizon().batch_window
_csv: Any = pyarrow.csv

_LINKS = {"payment": "payments_invoices", "credit_note": "credit_notes_invoices"}


def ledger_parts(
    conn: psycopg.Connection[Any],
    connection: str,
    kinds: Collection[DocumentKind] = tuple(DocumentKind),
    *,
    batch_window: timedelta = BATCH_WINDOW,
    with_groups: bool = False,
    caps_links: bool = False,
    since: datetime | None = None,
    chunk: int = CHUNK,
) -> Iterator[LedgerPart]:
    """Yield the posted documents of a connection, about `chunk` at a time, each chunk with all that belongs to it.

    Documents of a merged customer name the one that it was merged into. The ultimate parents of customers are null
    unless asked for. `caps_links` leaves out what is past the fifteenth link of a payment; `since` is when a system
    that is asked was read from, unless that is all. All chunks agree only in a REPEATABLE READ transaction.
    """
    horizon = _horizon(conn, connection, batch_window, since)
    reading = Reading(has_aliases(conn, connection), with_groups, caps_links)
    for kind in kinds_present(conn, connection):
        for after, upto in _ranges(conn, connection, kind, chunk) if kind in kinds else ():
            bounds = {"connection": connection, "kind": kind.value, "after": after, "upto": upto}
            yield LedgerPart(
                connection,
                kind,
                read_table(conn, document_sql.documents(kind, reading), bounds, DOCUMENTS),
                read_table(conn, document_sql.allocations(kind, reading), bounds, ALLOCATIONS),
                read_table(conn, _MOVES, bounds, MOVES),
                read_table(conn, document_sql.allocation_moves(kind), bounds, ALLOCATION_MOVES),
                horizon,
            )


def kinds_present(conn: psycopg.Connection[Any], connection: str) -> list[DocumentKind]:
    """Return the kinds to read: invoices, credit notes and payments, and of the others those that the source has."""
    rows = conn.execute(
        "SELECT kind FROM receivables.payments WHERE kind <> 'payment' AND connection = %(connection)s GROUP BY 1"
        " UNION ALL SELECT 'journal' WHERE EXISTS (SELECT FROM receivables.journals WHERE connection = %(connection)s)",
        {"connection": connection},
    )
    rare = {row[0] for row in rows}
    always = {DocumentKind.INVOICE, DocumentKind.CREDIT_NOTE, DocumentKind.PAYMENT}
    return [kind for kind in DocumentKind if kind in always or kind.value in rare]


def has_aliases(conn: psycopg.Connection[Any], connection: str) -> bool:
    """Tell whether customers of a connection were merged."""
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM receivables.customer_aliases WHERE connection = %s)", (connection,)
    ).fetchone()
    return bool(row and row[0])


def _horizon(
    conn: psycopg.Connection[Any], connection: str, batch_window: timedelta, since: datetime | None
) -> Horizon:
    """Return how far back the inputs reach: files from the earliest live one on, a system that is asked all the way."""
    row = conn.execute(
        "SELECT (SELECT min(name_time) FROM raw.files WHERE connection = %(connection)s AND is_loaded),"
        " EXISTS (SELECT FROM raw.extracts WHERE connection = %(connection)s)",
        {"connection": connection},
    ).fetchone()
    baseline, is_asked = row or (None, False)
    if is_asked and baseline is None:
        return Horizon(since, batch_window, is_complete=since is None)
    return Horizon(baseline, batch_window)


def parked_links(conn: psycopg.Connection[Any], connection: str, kind: DocumentKind) -> pa.Table:
    """Return the parked allocation rows that name documents of a kind (PARKED_LINKS)."""
    params = {"connection": connection, "kind": kind.value}
    queries = [*_parked_csv_links(kind), _PARKED_ALLOCATIONS]
    return read_table(conn, " UNION ALL ".join(queries), params, PARKED_LINKS)


def _parked_csv_links(kind: DocumentKind) -> list[str]:
    paying = list(_LINKS) if kind is DocumentKind.INVOICE else [one for one in _LINKS if one == kind.value]
    document = "invoice_id" if kind is DocumentKind.INVOICE else f"{kind.value}_id"
    return [
        f"""
SELECT l.{document}, l.amount, f.name, p.line, p.code, p.parent_table, p.parent_id,
       EXISTS (SELECT FROM sftp_csv.parked_rows q WHERE q.connection = p.connection
               AND q.table_name = p.parent_table AND q.source_id = p.parent_id)
FROM sftp_csv.waiting_rows p
JOIN sftp_csv.{_LINKS[one]} l ON l.file_id = p.file_id AND l.line = p.line
JOIN raw.files f ON f.id = p.file_id
WHERE p.connection = %(connection)s AND p.table_name = '{_LINKS[one]}' AND l.amount <> 0"""
        for one in paying
    ]


#: `file` names the extract: nobody but us numbers the lines of one.
_PARKED_ALLOCATIONS = """
SELECT CASE WHEN r.to_kind = %(kind)s THEN r.to_source_id ELSE r.from_source_id END, r.amount,
       e.extract || ', extract ' || e.id, p.line, p.code, p.parent_entity, p.parent_id,
       EXISTS (SELECT FROM normalised.parked_rows q WHERE q.connection = p.connection
               AND q.entity = p.parent_entity AND q.source_id = p.parent_id)
FROM normalised.parked_rows p
JOIN normalised.allocations r USING (extract_id, line, source_id)
JOIN raw.extracts e ON e.id = p.extract_id
WHERE p.connection = %(connection)s AND p.entity = 'allocations' AND NOT p.is_overtaken AND r.amount <> 0
  AND %(kind)s IN (r.to_kind, r.from_kind)"""


def unapplied_items(conn: psycopg.Connection[Any], connection: str, *, chunk: int = CHUNK) -> Iterator[pa.Table]:
    """Yield posted documents with something left to apply (UNAPPLIED_ITEMS), in chunks.

    These are credit notes and money, and lines of journals that take off, as positive as these.
    """
    customer, aliases = Reading(has_aliases(conn, connection)).customer("d")
    for kind in kinds_present(conn, connection):
        if kind is DocumentKind.INVOICE:
            continue
        sign, only = ("-", " AND d.amount < 0") if kind is DocumentKind.JOURNAL else ("", "")
        query = f"""
SELECT d.connection, d.kind, d.source_id, d.ref, {customer}, d.currency_iso, d.date_issued, {sign}d.amount,
       {sign}d.balance_open
FROM {TABLES[kind]} d{aliases}
WHERE d.connection = %(connection)s AND d.balance_open <> 0{of_kind(kind)}{only} AND {within("d.source_id")}"""
        for after, upto in _ranges(conn, connection, kind, chunk):
            yield read_table(conn, query, {"connection": connection, "after": after, "upto": upto}, UNAPPLIED_ITEMS)


def parents(conn: psycopg.Connection[Any], connection: str) -> tuple[dict[str, str], dict[str, Any]]:
    """Return customer -> parent as stated, and customer -> version of its last change, where there is one."""
    rows = conn.execute(
        "SELECT source_id, parent_source_id, observed_at FROM receivables.customers"
        " WHERE connection = %s AND parent_source_id IS NOT NULL",
        (connection,),
    ).fetchall()
    return {row[0]: row[1] for row in rows}, {row[0]: row[2] for row in rows}


def read_table(conn: psycopg.Connection[Any], query: str, params: Mapping[str, object], schema: pa.Schema) -> pa.Table:
    """Return a query's rows as a table of the schema, column by column; amounts stay exact (COPY, CSV, decimal)."""
    sink = io.BytesIO()
    with conn.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT csv)", params) as copy:
        for block in copy:
            sink.write(block)
    if sink.tell() == 0:
        return schema.empty_table()
    return _csv.read_csv(  # type: ignore[no-any-return]
        pa.py_buffer(sink.getbuffer()),
        read_options=_csv.ReadOptions(column_names=schema.names),
        parse_options=_csv.ParseOptions(newlines_in_values=True),
        convert_options=_csv.ConvertOptions(
            column_types=schema,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )


def _ranges(
    conn: psycopg.Connection[Any], connection: str, kind: DocumentKind, chunk: int
) -> list[tuple[str | None, str | None]]:
    """Cut the documents' ids, in order, into ranges (after, up to]; the last one is open."""
    rows = conn.execute(
        f"""
SELECT source_id FROM (
    SELECT source_id, row_number() OVER (ORDER BY source_id) AS number FROM {TABLES[kind]} d
    WHERE connection = %s{of_kind(kind)}) numbered
WHERE number %% %s = 0 ORDER BY source_id""",
        (connection, chunk),
    )
    bounds: list[str | None] = [None, *(row[0] for row in rows), None]
    return list(pairwise(bounds))


_MOVES = f"""
SELECT m.source_id, m.moved_at, m.settled_delta
FROM receivables.balance_moves m
WHERE m.connection = %(connection)s AND m.kind = %(kind)s AND {within("m.source_id")}"""
