"""Reads posted documents, their allocations and moves for the rules, in chunks of bounded memory. Decides nothing."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
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
    CustomerTotal,
    DocumentKind,
    Horizon,
    LedgerPart,
    StatedTotal,
)
from kolleno_pipelines.schemas.results import UNAPPLIED_ITEMS

CHUNK = 250_000
BATCH_WINDOW = Horizon().batch_window
_csv: Any = pyarrow.csv

_TABLES = {
    DocumentKind.INVOICE: "receivables.invoices",
    DocumentKind.CREDIT_NOTE: "receivables.credit_notes",
    DocumentKind.PAYMENT: "receivables.payments",
}
_LINKS = {"payment": "payments_invoices", "credit_note": "credit_notes_invoices"}


def ledger_parts(
    conn: psycopg.Connection[Any],
    connection: str,
    kinds: tuple[DocumentKind, ...] = tuple(DocumentKind),
    *,
    batch_window: timedelta = BATCH_WINDOW,
    with_groups: bool = False,
    chunk: int = CHUNK,
) -> Iterator[LedgerPart]:
    """Yield the posted documents of a connection, about `chunk` at a time, each chunk with all that belongs to it.

    The ultimate parents of customers are null unless asked for. All chunks agree only in a REPEATABLE READ transaction.
    """
    horizon = Horizon(_baseline(conn, connection), batch_window)
    for kind in kinds:
        for after, upto in _ranges(conn, connection, kind, chunk):
            bounds = {"connection": connection, "kind": kind.value, "after": after, "upto": upto}
            yield LedgerPart(
                connection,
                kind,
                read_table(conn, _documents(kind, with_groups=with_groups), bounds, DOCUMENTS),
                read_table(conn, _allocations(kind, with_groups=with_groups), bounds, ALLOCATIONS),
                read_table(conn, _MOVES, bounds, MOVES),
                read_table(conn, _allocation_moves(kind), bounds, ALLOCATION_MOVES),
                horizon,
            )


def _baseline(conn: psycopg.Connection[Any], connection: str) -> datetime | None:
    """Return the version of the earliest live input of a connection."""
    row = conn.execute(
        "SELECT min(name_time) FROM raw.files WHERE connection = %s AND is_loaded", (connection,)
    ).fetchone()
    return row[0] if row else None


def parked_links(conn: psycopg.Connection[Any], connection: str, kind: DocumentKind) -> pa.Table:
    """Return the parked allocation rows that name documents of a kind (PARKED_LINKS)."""
    paying = [kind.value] if kind.value in _LINKS else list(_LINKS)
    document = "invoice_id" if kind is DocumentKind.INVOICE else f"{kind.value}_id"
    query = " UNION ALL ".join(
        f"""
SELECT l.{document}, l.amount, f.name, p.line, p.code, p.parent_table, p.parent_id,
       EXISTS (SELECT FROM sftp_csv.parked_rows q WHERE q.connection = p.connection
               AND q.table_name = p.parent_table AND q.source_id = p.parent_id)
FROM sftp_csv.waiting_rows p
JOIN sftp_csv.{_LINKS[one]} l ON l.file_id = p.file_id AND l.line = p.line
JOIN raw.files f ON f.id = p.file_id
WHERE p.connection = %(connection)s AND p.table_name = '{_LINKS[one]}' AND l.amount <> 0"""
        for one in paying
    )
    return read_table(conn, query, {"connection": connection}, PARKED_LINKS)


def unapplied_items(conn: psycopg.Connection[Any], connection: str, *, chunk: int = CHUNK) -> Iterator[pa.Table]:
    """Yield posted payments and credit notes with something left to apply (UNAPPLIED_ITEMS), in chunks."""
    for kind in (DocumentKind.CREDIT_NOTE, DocumentKind.PAYMENT):
        query = f"""
SELECT d.connection, d.kind, d.source_id, d.ref, d.customer_source_id, d.currency_iso, d.date_issued, d.amount,
       d.balance_open
FROM {_TABLES[kind]} d
WHERE d.connection = %(connection)s AND d.balance_open <> 0 AND {_within("d.source_id")}"""
        for after, upto in _ranges(conn, connection, kind, chunk):
            yield read_table(conn, query, {"connection": connection, "after": after, "upto": upto}, UNAPPLIED_ITEMS)


def customer_totals(conn: psycopg.Connection[Any], connection: str) -> list[CustomerTotal]:
    """Return what each customer's posted documents of a currency come to now; customers without any have no row."""
    union = " UNION ALL ".join(
        f"SELECT '{kind.value}' AS kind, customer_source_id, currency_iso, balance_open FROM {table}"
        " WHERE connection = %(connection)s AND balance_open <> 0"
        for kind, table in _TABLES.items()
    )
    rows = conn.execute(
        f"""
SELECT customer_source_id, currency_iso, count(*) FILTER (WHERE kind = 'invoice'), count(*),
       COALESCE(sum(balance_open) FILTER (WHERE kind = 'invoice'), 0),
       COALESCE(sum(balance_open) FILTER (WHERE kind = 'credit_note'), 0),
       COALESCE(sum(balance_open) FILTER (WHERE kind = 'payment'), 0),
       0::numeric
FROM ({union}) open_items
GROUP BY 1, 2 ORDER BY 1, 2""",
        {"connection": connection},
    )
    return [CustomerTotal(connection, *row) for row in rows]


def currencies(conn: psycopg.Connection[Any], connection: str) -> list[str]:
    """Return the currencies of the connection's posted documents."""
    union = " UNION ".join(
        f"SELECT DISTINCT currency_iso FROM {table} WHERE connection = %(connection)s AND posting_status = 'posted'"
        for table in _TABLES.values()
    )
    return [row[0] for row in conn.execute(f"{union} ORDER BY 1", {"connection": connection})]


def stated_totals(conn: psycopg.Connection[Any], connection: str) -> list[StatedTotal]:
    """Return what the source states its customers owe, where it does."""
    union = " UNION ALL ".join(
        f"SELECT customer_source_id, currency_iso FROM {table}"
        " WHERE connection = %(connection)s AND posting_status = 'posted'"
        for table in _TABLES.values()
    )
    rows = conn.execute(
        f"""
WITH stated AS (
    SELECT source_id, balance_currency_iso, balance_stated, observed_at FROM receivables.customers
    WHERE connection = %(connection)s AND balance_stated IS NOT NULL
), used AS (
    SELECT d.customer_source_id, array_agg(DISTINCT d.currency_iso ORDER BY d.currency_iso) AS currencies
    FROM ({union}) d JOIN stated s ON s.source_id = d.customer_source_id AND s.balance_currency_iso IS NULL GROUP BY 1
)
SELECT s.*, COALESCE(u.currencies, '{{}}') FROM stated s LEFT JOIN used u ON u.customer_source_id = s.source_id
ORDER BY s.source_id""",
        {"connection": connection},
    )
    return [
        StatedTotal(connection, customer, currency, stated, seen, tuple(used))
        for customer, currency, stated, seen, used in rows
    ]


def last_moves(
    conn: psycopg.Connection[Any], connection: str, customers: Sequence[str]
) -> dict[tuple[str, str], datetime]:
    """Return by customer and currency the version at which a document of theirs was first told or its balance moved."""
    union = " UNION ALL ".join(
        f"SELECT d.customer_source_id, d.currency_iso, GREATEST(d.first_seen_at, m.moved_at) AS moved_at FROM {table} d"
        " LEFT JOIN receivables.balance_moves m USING (source_id, kind, connection)"
        " WHERE d.connection = %(connection)s AND d.customer_source_id = ANY(%(customers)s)"
        for table in _TABLES.values()
    )
    rows = conn.execute(
        f"SELECT customer_source_id, currency_iso, max(moved_at) FROM ({union}) d GROUP BY 1, 2",
        {"connection": connection, "customers": list(customers)},
    )
    return {(row[0], row[1]): row[2] for row in rows}


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
    SELECT source_id, row_number() OVER (ORDER BY source_id) AS number FROM {_TABLES[kind]}
    WHERE connection = %s) numbered
WHERE number %% %s = 0 ORDER BY source_id""",
        (connection, chunk),
    )
    bounds: list[str | None] = [None, *(row[0] for row in rows), None]
    return list(pairwise(bounds))


def _within(column: str) -> str:
    """Ids of one range; null leaves that side open."""
    return (
        f"(%(after)s::text IS NULL OR {column} > %(after)s::text)"
        f" AND (%(upto)s::text IS NULL OR {column} <= %(upto)s::text)"
    )


def _documents(kind: DocumentKind, *, with_groups: bool) -> str:
    group, customers = _group("d") if with_groups else ("NULL", "")
    return f"""
SELECT d.source_id, d.customer_source_id, {group}, d.currency_iso, d.amount, COALESCE(d.balance, 0), d.balance_source,
       d.status_stated, d.date_issued, d.date_due, d.date_paid, d.first_seen_at
FROM {_TABLES[kind]} d{customers}
WHERE d.connection = %(connection)s AND d.posting_status = 'posted' AND {_within("d.source_id")}"""


def _ends(kind: DocumentKind) -> tuple[str, str, str]:
    """Names of a document's own end of an allocation and of the other one, and the documents there."""
    own, other = ("to", "from") if kind is DocumentKind.INVOICE else ("from", "to")
    others = [one for one in DocumentKind if (one is DocumentKind.INVOICE) != (kind is DocumentKind.INVOICE)]
    union = " UNION ALL ".join(
        f"SELECT '{one.value}' AS kind, source_id, connection, posting_status, date_issued, currency_iso,"
        " customer_source_id, CASE WHEN posting_status <> 'posted' AND observed_at > first_seen_at THEN observed_at END"
        f" AS ended_at FROM {_TABLES[one]}"
        for one in others
    )
    joined = (
        f"LEFT JOIN ({union}) o\n"
        f"    ON o.kind = a.{other}_kind AND o.source_id = a.{other}_source_id AND o.connection = a.connection"
    )
    return own, other, joined


def _allocations(kind: DocumentKind, *, with_groups: bool) -> str:
    own, other, joined = _ends(kind)
    group, customers = _group("o") if with_groups else ("NULL", "")
    return f"""
SELECT a.{own}_source_id, a.{other}_kind, a.{other}_source_id, o.posting_status, o.date_issued, o.currency_iso,
       {group}, a.amount, a.date_applied, a.first_seen_at, COALESCE(m.moved_at, a.first_seen_at), o.ended_at
FROM receivables.allocations a
LEFT JOIN (SELECT source_id, from_kind, connection, max(moved_at) AS moved_at FROM receivables.allocation_moves
           GROUP BY 1, 2, 3) m USING (source_id, from_kind, connection)
{joined}{customers}
WHERE a.connection = %(connection)s AND a.{own}_kind = %(kind)s AND a.removed_at IS NULL
  AND {_within(f"a.{own}_source_id")}"""


def _allocation_moves(kind: DocumentKind) -> str:
    """Moves of all allocations of the documents, also of those that ended."""
    own, other, joined = _ends(kind)
    return f"""
SELECT a.{own}_source_id, a.{other}_kind, o.posting_status, o.currency_iso, o.ended_at, a.first_seen_at, m.moved_at,
       m.amount_delta
FROM receivables.allocation_moves m
JOIN receivables.allocations a USING (source_id, from_kind, connection)
{joined}
WHERE a.connection = %(connection)s AND a.{own}_kind = %(kind)s AND {_within(f"a.{own}_source_id")}"""


def _group(alias: str) -> tuple[str, str]:
    """Column and join that give the ultimate parent of a document's customer."""
    return "COALESCE(c.group_source_id, c.source_id)", (
        f"\nLEFT JOIN receivables.customers c ON c.source_id = {alias}.customer_source_id"
        f" AND c.connection = {alias}.connection"
    )


_MOVES = f"""
SELECT m.source_id, m.moved_at, m.settled_delta
FROM receivables.balance_moves m
WHERE m.connection = %(connection)s AND m.kind = %(kind)s AND {_within("m.source_id")}"""
