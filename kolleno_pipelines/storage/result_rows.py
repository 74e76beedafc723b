"""Reads stored reconciliation results, for reports, checks and metadata. Decides nothing and writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import psycopg
from psycopg.rows import dict_row

from kolleno_pipelines.storage.charge_sql import break_amount

Rows = list[dict[str, Any]]

#: A break that asks for somebody: rules.differences.is_red in SQL.
_RED = "reconciliation.is_red(d.status, d.cause)"
#: Tables of breaks: which of their rows are some, and how large.
_BREAKS = {
    "balances": ("true", "t.difference"),
    "control_total_breaks": ("true", "t.difference"),
    "account_totals": ("t.is_break", "t.difference"),
    "agreement_breaks": ("true", "COALESCE(t.balance, 0) - COALESCE(t.mirror_balance, 0)"),
    "charges": ("t.break_id IS NOT NULL", break_amount("t")),
    "payout_exceptions": ("t.is_break", "t.amount"),
    "balance_proofs": ("t.is_break", "t.change"),
    "balance_exceptions": ("true", "t.amount"),
}

#: The cause of a break, where its table has none of its own.
_CAUSES = dict.fromkeys(("charges", "payout_exceptions", "balance_proofs", "balance_exceptions"), "d.cause")

_ORDER = {
    "balances": "cause IS NOT DISTINCT FROM 'opening', abs(difference) DESC, source_id",
    "balance_summary": "connection, kind, currency_iso",
    "control_totals": "connection, currency_iso",
    "control_total_breaks": "abs(difference) DESC, customer_source_id",
    "not_comparable": "customer_source_id",
    "account_totals": "connection, account_source_id, currency_iso",
    "agreement": "abs(difference - expected) DESC, abs(balance) DESC, customer_source_id, mirror",
    "agreement_breaks": "abs(COALESCE(balance, 0) - COALESCE(mirror_balance, 0)) DESC, break_id",
    "agreement_gaps": "connection, mirror, gap, kind, currency_iso",
    "unapplied_cash": "connection, currency_iso, age_days DESC, balance DESC, source_id",
    "differences": "status = 'resolved', cause IS NOT DISTINCT FROM 'opening', abs(amount) DESC NULLS LAST, break_id",
    "unexplained": "abs(amount) DESC, source_id",
    "charges": f"break_id IS NULL, abs({break_amount('charges')}) DESC, source_id",
    "payouts": "exceptions DESC, created_at DESC, source_id",
    "payout_lines": "payout_source_id, line, currency_iso",
    "payout_exceptions": "NOT is_break, abs(amount) DESC, break_id",
    "balance_proofs": "NOT is_break, currency_iso, taken_at DESC NULLS LAST",
    "balance_exceptions": "abs(amount) DESC, break_id",
}


def stored_rows(
    conn: psycopg.Connection[Any], table: str, connections: Sequence[str], *, limit: int | None = None
) -> Rows:
    """Return rows of a result table, the ones that a person looks at first in front."""
    return _query(
        conn,
        f"SELECT * FROM reconciliation.{table} WHERE connection = ANY(%s) ORDER BY {_ORDER[table]} LIMIT %s",
        (list(connections), limit),
    )


def row_count(conn: psycopg.Connection[Any], table: str, connections: Sequence[str]) -> int:
    """Return how many rows of a result table are of the connections."""
    row = conn.execute(
        f"SELECT count(*) FROM reconciliation.{table} WHERE connection = ANY(%s)", [list(connections)]
    ).fetchone()
    return int(row[0]) if row else 0


def agreement_totals(conn: psycopg.Connection[Any], connections: Sequence[str]) -> Rows:
    """Return what is owed by each side of a comparison, by currency."""
    return _query(
        conn,
        "SELECT connection, mirror, currency_iso, sum(balance) AS balance, sum(mirror_balance) AS mirror_balance,"
        " sum(difference) AS difference, sum(expected) AS expected"
        " FROM reconciliation.agreement WHERE connection = ANY(%s) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        (list(connections),),
    )


def most_overdue(conn: psycopg.Connection[Any], connections: Sequence[str], *, limit: int) -> Rows:
    """Return the customers with most overdue, by currency, on the newest day of the ageing."""
    return _query(
        conn,
        "SELECT connection, customer_source_id, currency_iso, sum(documents)::bigint AS documents,"
        " sum(amount) AS amount"
        " FROM reconciliation.ageing_by_customer"
        " WHERE connection = ANY(%s) AND bucket NOT IN ('not_due', 'unapplied')"
        " GROUP BY 1, 2, 3 ORDER BY 5 DESC, 2 LIMIT %s",
        (list(connections), limit),
    )


def unapplied_totals(conn: psycopg.Connection[Any], connections: Sequence[str]) -> Rows:
    """Return what is unapplied per connection, currency and age bucket."""
    return _query(
        conn,
        "SELECT connection, currency_iso, bucket, count(*) AS items, sum(balance) AS balance"
        " FROM reconciliation.unapplied_cash WHERE connection = ANY(%s)"
        " GROUP BY 1, 2, 3 ORDER BY 1, 2, min(age_days)",
        (list(connections),),
    )


def charge_totals(conn: psycopg.Connection[Any], connections: Sequence[str]) -> Rows:
    """Return what was taken per connection, currency and outcome, and what the ledger shows of it."""
    return _query(
        conn,
        "SELECT connection, currency_iso, outcome, count(*) AS charges, sum(amount) AS amount,"
        " sum(surcharge_amount) AS surcharge_amount, sum(paid) AS paid"
        " FROM reconciliation.charges WHERE connection = ANY(%s) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        (list(connections),),
    )


def payout_totals(conn: psycopg.Connection[Any], connections: Sequence[str]) -> Rows:
    """Return per connection, currency and outcome how many payouts there are, and what they come to."""
    return _query(
        conn,
        "SELECT connection, currency_iso, outcome, count(*) AS payouts, sum(amount) AS amount"
        " FROM reconciliation.payouts WHERE connection = ANY(%s) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        (list(connections),),
    )


def bank_counts(conn: psycopg.Connection[Any], connections: Sequence[str]) -> dict[str, int]:
    """Return how many payouts have each outcome at the bank."""
    rows = conn.execute(
        "SELECT bank_outcome, count(*) FROM reconciliation.payouts WHERE connection = ANY(%s) GROUP BY 1 ORDER BY 1",
        (list(connections),),
    )
    return {row[0]: row[1] for row in rows}


def newest_payouts(conn: psycopg.Connection[Any], connections: Sequence[str], *, limit: int) -> Rows:
    """Return the payouts made last."""
    return _query(
        conn,
        "SELECT * FROM reconciliation.payouts WHERE connection = ANY(%s) ORDER BY created_at DESC, source_id LIMIT %s",
        (list(connections), limit),
    )


def payouts_before(
    conn: psycopg.Connection[Any], connections: Sequence[str], has: tuple[str, str], before: date, *, limit: int
) -> Rows:
    """Return the payouts that were to arrive before a day and have an outcome (its column, the word), oldest first."""
    column, outcome = has
    return _query(
        conn,
        f"SELECT * FROM reconciliation.payouts WHERE connection = ANY(%s) AND {column} = %s AND date_arrival < %s"
        " ORDER BY date_arrival, source_id LIMIT %s",
        (list(connections), outcome, before, limit),
    )


def payouts_by_id(conn: psycopg.Connection[Any], payouts: Sequence[tuple[str, str]]) -> Rows:
    """Return payouts by connection and id, in the order in which they are named."""
    return _query(
        conn,
        "SELECT p.* FROM reconciliation.payouts p JOIN unnest(%s::text[], %s::text[]) WITH ORDINALITY"
        " n (connection, source_id, place) USING (connection, source_id) ORDER BY n.place",
        _columns(payouts),
    )


def lines_of_payouts(conn: psycopg.Connection[Any], payouts: Sequence[tuple[str, str]]) -> Rows:
    """Return the lines of some payouts, named by connection and id."""
    return _query(
        conn,
        "SELECT l.* FROM reconciliation.payout_lines l JOIN unnest(%s::text[], %s::text[])"
        " n (connection, payout_source_id) USING (connection, payout_source_id)",
        _columns(payouts),
    )


def _columns(pairs: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [first for first, _ in pairs], [second for _, second in pairs]


def proof_counts(conn: psycopg.Connection[Any], connections: Sequence[str]) -> dict[str, int]:
    """Return how many proofs of balances have each outcome."""
    rows = conn.execute(
        "SELECT outcome, count(*) FROM reconciliation.balance_proofs WHERE connection = ANY(%s) GROUP BY 1",
        (list(connections),),
    )
    return {row[0]: row[1] for row in rows}


def charge_breaks(conn: psycopg.Connection[Any], connections: Sequence[str]) -> Rows:
    """Return the charges that ask for somebody, by how much they differ."""
    return _query(
        conn,
        "SELECT * FROM reconciliation.charges WHERE connection = ANY(%s) AND break_id IS NOT NULL"
        f" ORDER BY {_ORDER['charges']}",
        (list(connections),),
    )


def break_counts(conn: psycopg.Connection[Any], connections: Sequence[str]) -> Rows:
    """Return per status how many breaks there are and how many of them ask for somebody."""
    return _query(
        conn,
        f"SELECT status, count(*) AS breaks, count(*) FILTER (WHERE {_RED}) AS red"
        " FROM reconciliation.differences d WHERE connection = ANY(%s) GROUP BY 1",
        (list(connections),),
    )


def red_totals(conn: psycopg.Connection[Any], connections: Sequence[str]) -> Rows:
    """Return the breaks that ask for somebody per connection, kind and currency; without currency there is no sum."""
    return _query(
        conn,
        "SELECT connection, kind, currency_iso, count(*) AS breaks,"
        " CASE WHEN currency_iso IS NOT NULL THEN sum(abs(amount)) END AS amount"
        f" FROM reconciliation.differences d WHERE connection = ANY(%s) AND {_RED}"
        " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        (list(connections),),
    )


def red_rows(
    conn: psycopg.Connection[Any], table: str, connections: Sequence[str], *, limit: int | None = None
) -> Rows:
    """Return the rows of a table of breaks that ask for somebody, as the list of differences says.

    A row that the list does not hold yet is open.
    """
    is_break, size = _BREAKS[table]
    return _query(
        conn,
        f"SELECT t.* FROM reconciliation.{table} t LEFT JOIN reconciliation.differences d USING (break_id)"
        f" WHERE t.connection = ANY(%s) AND {is_break}"
        f" AND reconciliation.is_red(COALESCE(NULLIF(d.status, 'resolved'), 'open'), {_CAUSES.get(table, 't.cause')})"
        f" ORDER BY abs({size}) DESC, t.break_id LIMIT %s",
        (list(connections), limit),
    )


def red_breaks(conn: psycopg.Connection[Any], connections: Sequence[str], *, limit: int) -> Rows:
    """Return the largest breaks that ask for somebody: neither accepted nor resolved nor opening."""
    return _query(
        conn,
        f"SELECT d.* FROM reconciliation.differences d WHERE d.connection = ANY(%s) AND {_RED}"
        " ORDER BY abs(d.amount) DESC NULLS LAST, d.break_id LIMIT %s",
        (list(connections), limit),
    )


def red_unexplained(
    conn: psycopg.Connection[Any], connections: Sequence[str], days: Sequence[date], *, limit: int
) -> Rows:
    """Return the unexplained movements of days whose document has a break that asks for somebody, largest first."""
    return _query(
        conn,
        f"""
WITH red AS MATERIALIZED ({_RED_DOCUMENTS})
SELECT u.* FROM reconciliation.unexplained u
WHERE u.connection = ANY(%s) AND u.day = ANY(%s) AND {_IS_RED_MOVEMENT}
ORDER BY abs(u.amount) DESC, u.source_id LIMIT %s""",
        (list(connections), list(days), limit),
    )


def is_red_movement(conn: psycopg.Connection[Any], connection: str, movements: Sequence[tuple[str, str, str]]) -> bool:
    """Tell whether one of the unexplained movements (kind, source_id, basis) asks for somebody."""
    kinds, ids, bases = ([movement[place] for movement in movements] for place in range(3))
    found = _query(
        conn,
        f"""
WITH red AS MATERIALIZED ({_RED_DOCUMENTS})
SELECT FROM unnest(%s::text[], %s::text[], %s::text[]) m (kind, source_id, basis),
       LATERAL (SELECT %s AS connection, m.*) u WHERE {_IS_RED_MOVEMENT} LIMIT 1""",
        (kinds, ids, bases, connection),
    )
    return bool(found)


_RED_DOCUMENTS = f"""
    SELECT d.connection, d.left_kind AS kind, d.left_source_id AS source_id, NULL AS basis
    FROM reconciliation.differences d WHERE {_RED} AND d.kind = 'balance_allocation_mismatch'
    UNION
    SELECT d.connection, d.right_kind, d.right_source_id, 'currency'
    FROM reconciliation.differences d WHERE {_RED} AND d.kind = 'currency_mismatch'"""
_IS_RED_MOVEMENT = """(
    (u.connection, u.kind, u.source_id) IN (SELECT connection, kind, source_id FROM red WHERE basis IS NULL)
    OR (u.basis = 'currency'
        AND (u.connection, u.kind, u.source_id) IN (
            SELECT connection, kind, source_id FROM red WHERE basis = 'currency')))"""


def _query(conn: psycopg.Connection[Any], query: str, params: tuple[object, ...]) -> Rows:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, params).fetchall()
