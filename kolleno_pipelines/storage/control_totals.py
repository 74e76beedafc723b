"""Adds up what is owed per customer and per receivables account, in SQL, exactly, and reads what the source states.

Comparing the two does not belong here (rules/control_totals.py, rules/account_totals.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import psycopg

from kolleno_pipelines.schemas.ledger_parts import AccountTotal, CustomerTotal, ReceivablesAccount, StatedTotal
from kolleno_pipelines.storage.document_sql import NET_PARTS, customer_of
from kolleno_pipelines.storage.documents import has_aliases
from kolleno_pipelines.storage.record_specs import HOME_CURRENCY

#: When the objects of payloads `p` were last asked for. A sweep asks for all of them and lands only what it finds
#: changed; while anything that landed waits for the fold it does not count: that may be a newer state.
_LAST_READ = """max(GREATEST(p.observed_at, (
    SELECT w.reached FROM raw.watermarks w
    WHERE w.connection = p.connection AND w.extract = p.kind AND w.pass = 'sweep'
      AND NOT EXISTS (SELECT FROM raw.extracts e
                      WHERE e.connection = p.connection AND e.extract = p.kind
                        AND e.status IN ('landed', 'normalised')))))"""


class Moved(NamedTuple):
    """Versions of one customer's documents in a currency: of the last move of an open amount, of the last change."""

    moved_at: datetime
    changed_at: datetime


def customer_totals(conn: psycopg.Connection[Any], connection: str) -> list[CustomerTotal]:
    """Return what each customer's posted documents of a currency come to now; customers without any have no row."""
    union = _union(conn, connection, "d.currency_iso, d.balance_open", "d.balance_open <> 0")
    parts = ", ".join(f"COALESCE(sum(balance_open) FILTER (WHERE part = '{part}'), 0)" for part in NET_PARTS)
    rows = conn.execute(
        f"""
SELECT customer_source_id, currency_iso, count(*) FILTER (WHERE part = 'invoices'), count(*), {parts}
FROM ({union}) open_items
GROUP BY 1, 2 ORDER BY 1, 2""",
        {"connection": connection},
    )
    return [CustomerTotal(connection, *row) for row in rows]


def currencies(conn: psycopg.Connection[Any], connection: str) -> list[str]:
    """Return the currencies of the connection's posted documents."""
    union = " UNION ".join(
        f"SELECT DISTINCT currency_iso FROM {table} WHERE connection = %(connection)s AND posting_status = 'posted'"
        for table, _ in NET_PARTS.values()
    )
    return [row[0] for row in conn.execute(f"{union} ORDER BY 1", {"connection": connection})]


def stated_totals(conn: psycopg.Connection[Any], connection: str) -> list[StatedTotal]:
    """Return what the source states its customers owe, where it does; one that was merged into another is no more."""
    union = _union(conn, connection, "d.currency_iso", "d.posting_status = 'posted'")
    rows = conn.execute(
        f"""
WITH stated AS (
    SELECT source_id, balance_currency_iso, balance_stated, observed_at FROM receivables.customers c
    WHERE connection = %(connection)s AND balance_stated IS NOT NULL
      AND NOT EXISTS (SELECT FROM receivables.customer_aliases a
                      WHERE a.source_id = c.source_id AND a.connection = c.connection)
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
) -> dict[tuple[str, str], Moved]:
    """Return by customer and currency the versions at which documents of theirs were last told, moved and changed."""
    if not customers:
        return {}
    resolves = has_aliases(conn, connection)
    customer, aliases = customer_of("d", has_aliases=resolves)
    union = " UNION ALL ".join(
        f"SELECT {customer} AS customer_source_id, d.currency_iso, GREATEST(d.first_seen_at, m.moved_at) AS moved_at,"
        f" d.observed_at FROM {table} d LEFT JOIN receivables.balance_moves m USING (source_id, kind, connection)"
        f"{aliases} WHERE d.connection = %(connection)s AND {customer} = ANY(%(customers)s)"
        for table, _ in NET_PARTS.values()
    )
    rows = conn.execute(
        f"SELECT customer_source_id, currency_iso, max(moved_at), max(observed_at) FROM ({union}) d GROUP BY 1, 2",
        {"connection": connection, "customers": list(customers)},
    )
    return {(row[0], row[1]): Moved(row[2], row[3]) for row in rows}


def last_reads(conn: psycopg.Connection[Any], connection: str, customers: Sequence[str]) -> dict[str, datetime]:
    """Return when an API was last asked for each customer; one of a source that sends files has none."""
    rows = conn.execute(
        f"SELECT c.source_id, {_LAST_READ} FROM normalised.customers c"
        " JOIN normalised.payloads p USING (extract_id, line)"
        " WHERE p.connection = %s AND c.source_id = ANY(%s) GROUP BY 1",
        (connection, list(customers)),
    )
    return {row[0]: row[1] for row in rows}


def receivables_accounts(conn: psycopg.Connection[Any], connection: str) -> list[ReceivablesAccount]:
    """Return the accounts on which receivables are kept; those without a currency are in the home currency."""
    rows = conn.execute(
        f"""
SELECT a.source_id, a.name, COALESCE(a.currency_iso, {HOME_CURRENCY}), a.balance_stated, a.observed_at,
       COALESCE((SELECT {_LAST_READ}
                 FROM normalised.accounts n JOIN normalised.payloads p USING (extract_id, line)
                 WHERE n.source_id = a.source_id AND p.connection = a.connection), a.observed_at)
FROM receivables.accounts a WHERE a.connection = %(connection)s AND a.is_receivable ORDER BY a.source_id""",
        {"connection": connection},
    )
    return [ReceivablesAccount(connection, *row) for row in rows]


def account_totals(conn: psycopg.Connection[Any], connection: str) -> list[AccountTotal]:
    """Return what posted documents come to, by the account that they name and their currency."""
    union = " UNION ALL ".join(
        f"SELECT {'account_source_id' if part == 'journals' else 'receivable_account_source_id'} AS account,"
        f" currency_iso, {sign} * balance_open AS net, COALESCE(exchange_rate, 1) AS rate, observed_at FROM {table}"
        " WHERE connection = %(connection)s AND posting_status = 'posted'"
        for part, (table, sign) in NET_PARTS.items()
    )
    rows = conn.execute(
        "SELECT account, currency_iso, COALESCE(sum(net), 0), COALESCE(sum(round(net * rate, 2)), 0), max(observed_at)"
        f" FROM ({union}) d GROUP BY 1, 2 ORDER BY 1 NULLS FIRST, 2",
        {"connection": connection},
    )
    return [AccountTotal(*row) for row in rows]


def home_currency(conn: psycopg.Connection[Any], connection: str) -> str | None:
    """Return the currency in which the company of a connection keeps its books, where it says so."""
    row = conn.execute(f"SELECT {HOME_CURRENCY}", {"connection": connection}).fetchone()
    return row[0] if row else None


def _union(conn: psycopg.Connection[Any], connection: str, columns: str, condition: str) -> str:
    """Return SQL of all documents that fulfil a condition, with their customers as they are now."""
    customer, aliases = customer_of("d", has_aliases=has_aliases(conn, connection))
    return " UNION ALL ".join(
        f"SELECT '{part}' AS part, {customer} AS customer_source_id, {columns} FROM {table} d{aliases}"
        f" WHERE d.connection = %(connection)s AND {condition}"
        for part, (table, _) in NET_PARTS.items()
    )
