"""Finds the rows that may explain why the items of a payout do not sum to it. Decides nothing (rules/payouts.py).

What is missing has exactly the net of the gap, what is too much its opposite. Over the working tables of payouts.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from kolleno_pipelines.schemas.payout_words import ExceptionCode
from kolleno_pipelines.schemas.payouts import Explanation, Gap
from kolleno_pipelines.storage.working_tables import lay_out

#: Rows of the same net that are told of one gap.
SHOWN = 6


def explanations(conn: psycopg.Connection[Any], connection: str, gaps: Sequence[Gap]) -> list[Explanation]:
    """Return for each gap what explains it best: the row first in its order, with up to five rivals beside it."""
    if not gaps:
        return []
    conn.execute("CREATE UNLOGGED TABLE gaps (payout text, currency_iso text, amount numeric, created_at timestamptz)")
    with conn.cursor() as cursor, cursor.copy("COPY gaps FROM STDIN") as copy:
        for gap in gaps:
            copy.write_row(gap)
    params = {"connection": connection, "shown": SHOWN}
    conn.execute("ANALYZE gaps")
    lay_out(conn, "gap_items", _GAP_ITEMS, params)
    lay_out(conn, "orphans", _ORPHANS, params)
    conn.execute(_ORPHANS_INDEX)
    found: dict[str, Explanation] = {}
    for payout, code, ids, is_missing, is_known, other, charge in conn.execute(_EXPLAINED.encode(), params):
        one = Explanation(payout, ExceptionCode(code), ids[0], is_missing, is_known, other, charge, tuple(ids[1:]))
        found.setdefault(payout, one)
    return [found[payout] for payout in sorted(found)]


#: Items of the payouts with a gap, with what made them.
_GAP_ITEMS = """
SELECT i.payout, i.id, i.net, i.currency_iso, g.amount AS gap, t.type, t.source_object_id
FROM gaps g JOIN payout_items i ON i.payout = g.payout AND i.currency_iso = g.currency_iso
LEFT JOIN receivables.balance_transactions t ON t.source_id = i.id AND t.connection = %(connection)s"""

#: Rows of the balance that no payout's list holds.
_ORPHANS = """
SELECT t.source_id AS id, t.currency_iso, t.net, t.created_at, t.available_on, t.charge_source_id
FROM receivables.balance_transactions t
WHERE t.connection = %(connection)s AND NOT EXISTS (
    SELECT FROM receivables.payout_members m
    WHERE m.balance_transaction_source_id = t.source_id AND m.connection = t.connection)"""
_ORPHANS_INDEX = 'CREATE INDEX ON orphans (currency_iso, net, created_at DESC, id COLLATE "C")'

#: In this order: in two payouts; in another payout that has as much too much, or too little; one row under two ids; a
#: row that is in no payout; a row that its charge or refund names and that the balance's list does not know.
_EXPLAINED = """
WITH too_much AS (SELECT * FROM gap_items WHERE net = -gap),
repeated AS (
    SELECT w.payout, 1 AS place, 'in_two_payouts' AS code, w.id, false AS is_missing, NULL AS other, NULL AS charge,
           w.id AS sorted
    FROM too_much w WHERE EXISTS (SELECT FROM payout_items i WHERE i.id = w.id AND i.payout <> w.payout)
), moved AS (
    SELECT a.payout AS lacks, b.payout AS has, b.id FROM gaps a
    JOIN too_much b ON b.net = a.amount AND b.currency_iso = a.currency_iso AND b.payout <> a.payout
), twins AS (
    SELECT w.payout, 3 AS place, 'doubled' AS code, w.id, false AS is_missing, t.source_id AS other,
           t.charge_source_id AS charge,
           CASE WHEN c.source_id IS NULL AND r.source_id IS NULL THEN '0' ELSE '1' END || w.id AS sorted
    FROM too_much w
    JOIN receivables.balance_transactions t
        ON t.source_object_id = w.source_object_id AND t.type = w.type AND t.net = w.net AND t.source_id <> w.id
       AND t.connection = %(connection)s
    LEFT JOIN receivables.charges c ON c.balance_transaction_source_id = w.id AND c.connection = %(connection)s
    LEFT JOIN receivables.refunds r ON r.balance_transaction_source_id = w.id AND r.connection = %(connection)s
), lost AS (
    SELECT g.payout, 5 AS place, 'dropped' AS code, n.row_id AS id, true AS is_missing, NULL AS other, n.charge,
           to_char(n.money - g.amount, 'FM000000000000000000.000000') || n.row_id AS sorted
    FROM gaps g JOIN (
        SELECT balance_transaction_source_id AS row_id, source_id AS charge, currency_iso, created_at,
               COALESCE(NULLIF(amount_captured, 0), amount) AS money, NULL::numeric AS exactly
        FROM receivables.charges WHERE connection = %(connection)s
        UNION ALL
        SELECT balance_transaction_source_id, charge_source_id, currency_iso, created_at, -amount, -amount
        FROM receivables.refunds WHERE connection = %(connection)s
    ) n ON n.currency_iso = g.currency_iso AND n.created_at <= g.created_at
       AND (n.exactly = g.amount OR n.exactly IS NULL AND g.amount > 0 AND n.money >= g.amount)
    WHERE n.row_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM receivables.balance_transactions t WHERE t.source_id = n.row_id AND t.connection = %(connection)s)
), candidates AS (
    SELECT * FROM repeated
    UNION ALL SELECT lacks, 2, 'moved', id, true, has, NULL, id FROM moved
    UNION ALL SELECT has, 2, 'moved', id, false, lacks, NULL, id FROM moved
    UNION ALL SELECT * FROM twins
    UNION ALL
    SELECT g.payout, 4, 'dropped', o.id, true, NULL, o.charge_source_id, lpad(o.number::text, 9, '0') FROM gaps g
    CROSS JOIN LATERAL (
        SELECT o.id, o.charge_source_id, row_number() OVER (ORDER BY created_at DESC, id COLLATE "C") AS number
        FROM orphans o
        WHERE o.currency_iso = g.currency_iso AND o.net = g.amount AND o.created_at <= g.created_at
          AND (o.available_on IS NULL OR o.available_on <= g.created_at::date)
        ORDER BY created_at DESC, id COLLATE "C" LIMIT %(shown)s
    ) o
    UNION ALL SELECT * FROM lost
), ranked AS (
    SELECT *,
           row_number() OVER (PARTITION BY payout, place ORDER BY sorted COLLATE "C", id COLLATE "C", other) AS number
    FROM (SELECT DISTINCT ON (payout, place, id) * FROM candidates
          ORDER BY payout, place, id, sorted COLLATE "C", other COLLATE "C") d
)
SELECT payout, code, array_agg(id ORDER BY number), bool_and(is_missing), place < 5,
       (array_agg(other ORDER BY number))[1],
       (array_agg(charge ORDER BY number))[1]
FROM ranked WHERE number <= %(shown)s GROUP BY payout, place, code ORDER BY payout, place"""
