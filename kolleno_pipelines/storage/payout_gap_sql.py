"""SQL that looks for the rows behind gaps of payouts. Nothing is run here.

Pure text over the working tables of storage/payouts.py and of storage/payout_gaps.py: `gaps`, `gap_items`, `orphans`,
`lost`.
"""

from __future__ import annotations

from kolleno_pipelines.storage.payout_sql import NAMED

GAPS = """
CREATE UNLOGGED TABLE gaps (
    payout text, currency_iso text, amount numeric, created_at timestamptz, number integer, decimals integer
)"""

#: Items of the payouts with a gap, with what made them. `short` is by how much their amount is below what made them,
#: where payout_sql.py does not compare that: in another currency by the rate; what is taken or given back by the object
#: that it is for, as a dispute may be for another amount than its row.
GAP_ITEMS = """
SELECT i.payout, i.id, i.net, i.currency_iso, t.type, t.source_object_id, t.charge_source_id AS charge,
       CASE WHEN s.iso <> t.currency_iso THEN round(s.sign * s.money * t.exchange_rate, g.decimals)
            WHEN t.type NOT IN ('charge', 'payment', 'refund', 'payment_refund') THEN s.sign * s.money
            END - i.amount AS short
FROM (SELECT DISTINCT payout, currency_iso, decimals FROM gaps) g
JOIN payout_items i ON i.payout = g.payout AND i.currency_iso = g.currency_iso
LEFT JOIN receivables.balance_transactions t ON t.source_id = i.id AND t.connection = %(connection)s
LEFT JOIN receivables.charges c ON c.source_id = t.source_object_id AND c.connection = %(connection)s
LEFT JOIN receivables.refunds r ON r.source_id = t.source_object_id AND r.connection = %(connection)s
LEFT JOIN receivables.disputes d ON d.source_id = t.source_object_id AND d.connection = %(connection)s
CROSS JOIN LATERAL (SELECT
    COALESCE(c.amount, r.amount, d.amount) AS money, COALESCE(c.currency_iso, r.currency_iso, d.currency_iso) AS iso,
    CASE WHEN c.source_id IS NOT NULL AND t.type IN ('charge', 'payment') THEN 1
         WHEN c.source_id IS NOT NULL AND t.type IN ('payment_failure_refund', 'payment_reversal') THEN -1
         WHEN t.reporting_category = 'partial_capture_reversal' THEN NULL
         WHEN r.source_id IS NOT NULL AND t.type IN ('refund', 'payment_refund') THEN -1
         WHEN r.source_id IS NOT NULL AND 'refund_failure' IN (t.type, t.reporting_category) THEN 1
         WHEN d.source_id IS NOT NULL AND t.reporting_category = 'dispute' THEN -1
         WHEN d.source_id IS NOT NULL AND t.reporting_category = 'dispute_reversal' THEN 1 END AS sign
) s"""

#: Rows of the balance that no payout's list holds.
ORPHANS = """
SELECT t.source_id AS id, t.currency_iso, t.net, t.created_at, t.available_on, t.charge_source_id
FROM receivables.balance_transactions t
WHERE t.connection = %(connection)s AND NOT EXISTS (
    SELECT FROM receivables.payout_members m
    WHERE m.balance_transaction_source_id = t.source_id AND m.connection = t.connection)"""
ORPHANS_INDEX = 'CREATE INDEX ON orphans (currency_iso, net, created_at DESC, id COLLATE "C")'

#: The rows that charges, refunds and payouts name and that the balance's list does not know. What is not exact is money
#: less a fee that nobody knows; else it is `exactly` that.
LOST = f"""
SELECT n.id AS row_id, n.charge, n.currency_iso, n.created_at, n.money, CASE WHEN n.is_exact THEN n.money END AS exactly
FROM ({NAMED}) n
WHERE NOT EXISTS (
    SELECT FROM receivables.balance_transactions t WHERE t.source_id = n.id AND t.connection = %(connection)s)"""
LOST_INDEX = 'CREATE INDEX ON lost (currency_iso, money, row_id COLLATE "C")'

#: In this order: in two payouts; in another payout that has as much too much, or too little; one row under two ids; a
#: row that says another amount than what made it; one that is in no payout; one that its charge or refund names and
#: that the balance's list does not know; one of those that would have had a fee of more than a fifth.
EXPLAINED = """
WITH too_much AS (
    SELECT i.*, g.number FROM gaps g JOIN gap_items i ON i.payout = g.payout AND i.net = -g.amount
), repeated AS (
    SELECT w.payout, w.number, 1 AS place, 'in_two_payouts' AS code, w.id, false AS is_missing, NULL AS other,
           NULL AS charge, w.id AS sorted
    FROM too_much w WHERE EXISTS (SELECT FROM payout_items i WHERE i.id = w.id AND i.payout <> w.payout)
), moved AS (
    SELECT a.payout AS lacks, a.number AS lacks_number, b.payout AS has, b.number AS has_number, b.id FROM gaps a
    JOIN too_much b ON b.net = a.amount AND b.currency_iso = a.currency_iso AND b.payout <> a.payout
), twins AS (
    SELECT w.payout, w.number, 3 AS place, 'doubled' AS code, w.id, false AS is_missing, t.source_id AS other,
           t.charge_source_id AS charge,
           CASE WHEN c.source_id IS NULL AND r.source_id IS NULL THEN '0' ELSE '1' END || w.id AS sorted
    FROM too_much w
    JOIN receivables.balance_transactions t
        ON t.source_object_id = w.source_object_id AND t.type = w.type AND t.net = w.net AND t.source_id <> w.id
       AND t.connection = %(connection)s
    LEFT JOIN receivables.charges c ON c.balance_transaction_source_id = w.id AND c.connection = %(connection)s
    LEFT JOIN receivables.refunds r ON r.balance_transaction_source_id = w.id AND r.connection = %(connection)s
), lost AS (
    SELECT g.payout, g.number, CASE WHEN n.exactly IS NULL AND g.amount < n.money * 0.8 THEN 7 ELSE 6 END AS place,
           'dropped' AS code, n.row_id AS id, true AS is_missing, NULL AS other, n.charge,
           to_char(n.money - g.amount, 'FM000000000000000000.000000') || n.row_id AS sorted
    FROM gaps g
    CROSS JOIN LATERAL (
        (SELECT * FROM lost n
         WHERE n.currency_iso = g.currency_iso AND n.money = g.amount AND n.exactly IS NOT NULL
           AND n.created_at <= g.created_at
         ORDER BY money, row_id COLLATE "C" LIMIT %(shown)s)
        UNION ALL
        (SELECT * FROM lost n
         WHERE n.currency_iso = g.currency_iso AND n.money >= g.amount AND g.amount > 0 AND n.exactly IS NULL
           AND n.created_at <= g.created_at
         ORDER BY money, row_id COLLATE "C" LIMIT %(shown)s)
    ) n
), candidates AS (
    SELECT * FROM repeated
    UNION ALL SELECT lacks, lacks_number, 2, 'moved', id, true, has, NULL, id FROM moved
    UNION ALL SELECT has, has_number, 2, 'moved', id, false, lacks, NULL, id FROM moved
    UNION ALL SELECT * FROM twins
    UNION ALL
    SELECT g.payout, g.number, 4, 'source_differs', i.id, false, i.source_object_id, i.charge, i.id
    FROM gaps g JOIN gap_items i ON i.payout = g.payout AND i.short = g.amount
    UNION ALL
    SELECT g.payout, g.number, 5, 'dropped', o.id, true, NULL, o.charge_source_id, lpad(o.number::text, 9, '0')
    FROM gaps g
    CROSS JOIN LATERAL (
        SELECT o.id, o.charge_source_id, row_number() OVER (ORDER BY created_at DESC, id COLLATE "C") AS number
        FROM orphans o
        WHERE o.currency_iso = g.currency_iso AND o.net = g.amount AND o.created_at <= g.created_at
          AND (o.available_on IS NULL OR o.available_on <= g.created_at::date)
        ORDER BY created_at DESC, id COLLATE "C" LIMIT %(shown)s
    ) o
    UNION ALL SELECT * FROM lost
), ranked AS (
    SELECT *, row_number() OVER (PARTITION BY payout, number, place
                                 ORDER BY sorted COLLATE "C", id COLLATE "C", other) AS rank
    FROM (SELECT DISTINCT ON (payout, number, place, id) * FROM candidates
          ORDER BY payout, number, place, id, sorted COLLATE "C", other COLLATE "C") d
)
SELECT r.payout, r.code, array_agg(r.id ORDER BY rank), min(g.amount), bool_and(r.is_missing), r.place < 6,
       (array_agg(r.other ORDER BY rank))[1], (array_agg(r.charge ORDER BY rank))[1], r.place < 7
FROM ranked r JOIN gaps g ON g.payout = r.payout AND g.number = r.number
WHERE r.rank <= %(shown)s GROUP BY r.payout, r.number, r.place, r.code
ORDER BY r.payout, r.place < 6 DESC, r.number, r.place"""

#: What may explain a part of a gap: by payout, the likelier first.
CANDIDATES = """
WITH chosen AS (
    SELECT DISTINCT payout, currency_iso, created_at FROM gaps WHERE payout = ANY(%(payouts)s)
), own AS (
    SELECT i.* FROM gap_items i JOIN chosen c USING (payout)
), opposite AS (  -- one lacks what the other has too much
    SELECT DISTINCT a.payout, b.payout AS other FROM gaps a
    JOIN gaps b ON b.amount = -a.amount AND b.currency_iso = a.currency_iso AND b.payout <> a.payout
    WHERE a.payout = ANY(%(payouts)s) ORDER BY 1, 2 LIMIT %(opposite)s
), found (payout, place, code, id, amount, is_missing, other, charge, sorted) AS (
    SELECT i.payout, 1, 'in_two_payouts', i.id, -i.net, false, NULL, i.charge, i.id FROM own i
    WHERE EXISTS (SELECT FROM payout_items o WHERE o.id = i.id AND o.payout <> i.payout)
    UNION ALL  -- as much as another payout lacks
    SELECT i.payout, 2, 'moved', i.id, -i.net, false, g.payout, i.charge, i.id
    FROM own i JOIN gaps g ON g.amount = i.net AND g.currency_iso = i.currency_iso AND g.payout <> i.payout
    UNION ALL  -- as much as another payout has too much
    SELECT c.payout, 2, 'moved', i.id, i.net, true, g.payout, i.charge, i.id
    FROM chosen c JOIN gaps g ON g.currency_iso = c.currency_iso AND g.payout <> c.payout
    JOIN gap_items i ON i.payout = g.payout AND i.net = -g.amount
    UNION ALL
    SELECT o.payout, 2, 'moved', i.id, i.net, true, o.other, i.charge, i.id
    FROM opposite o JOIN gap_items i ON i.payout = o.other
    UNION ALL
    SELECT o.payout, 2, 'moved', i.id, -i.net, false, o.other, i.charge, i.id
    FROM opposite o JOIN gap_items i ON i.payout = o.payout
    UNION ALL
    SELECT i.payout, 3, 'doubled', i.id, -i.net, false, t.source_id, i.charge,
           CASE WHEN c.source_id IS NULL AND r.source_id IS NULL THEN '0' ELSE '1' END || i.id
    FROM own i
    JOIN receivables.balance_transactions t
        ON t.source_object_id = i.source_object_id AND t.type = i.type AND t.net = i.net AND t.source_id <> i.id
       AND t.connection = %(connection)s
    LEFT JOIN receivables.charges c ON c.balance_transaction_source_id = i.id AND c.connection = %(connection)s
    LEFT JOIN receivables.refunds r ON r.balance_transaction_source_id = i.id AND r.connection = %(connection)s
    UNION ALL
    SELECT i.payout, 4, 'source_differs', i.id, i.short, false, i.source_object_id, i.charge, i.id FROM own i
    WHERE i.short <> 0
    UNION ALL
    SELECT c.payout, 5, 'dropped', o.id, o.net, true, NULL, o.charge_source_id, lpad(o.number::text, 9, '0')
    FROM chosen c
    CROSS JOIN LATERAL (
        SELECT o.*, row_number() OVER (ORDER BY created_at DESC, id COLLATE "C") AS number FROM orphans o
        WHERE o.currency_iso = c.currency_iso AND o.created_at <= c.created_at
          AND (o.available_on IS NULL OR o.available_on <= c.created_at::date)
        ORDER BY created_at DESC, id COLLATE "C" LIMIT %(orphans)s
    ) o
    UNION ALL
    SELECT c.payout, CASE WHEN n.exactly IS NULL THEN 7 ELSE 6 END, 'dropped', n.row_id, n.money, true, NULL, n.charge,
           n.row_id
    FROM chosen c
    CROSS JOIN LATERAL (
        SELECT * FROM lost n WHERE n.currency_iso = c.currency_iso AND n.created_at <= c.created_at
        ORDER BY n.created_at DESC, n.row_id COLLATE "C" LIMIT %(lost)s
    ) n
)
SELECT payout, code, id, amount, is_missing, place < 6, other, charge, place < 7
FROM (SELECT DISTINCT ON (payout, place, id, amount, other) * FROM found
      ORDER BY payout, place, id, amount, other, sorted) d
ORDER BY payout, place, sorted COLLATE "C", id COLLATE "C", other"""
