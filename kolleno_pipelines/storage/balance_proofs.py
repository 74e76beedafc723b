"""Adds up the rows of a provider's balance until each snapshot, in SQL. Decides nothing (rules/balance_proof.py)."""

from __future__ import annotations

from typing import Any

import psycopg

from kolleno_pipelines.schemas.payouts import SnapshotFacts, UnprovenDays

#: Rows of the balances that a snapshot does not speak of are left out.
_ROWS = "t.connection = %(connection)s AND (t.balance_type IS NULL OR t.balance_type = 'payments')"


def snapshots(conn: psycopg.Connection[Any], connection: str) -> list[SnapshotFacts]:
    """Return the snapshots of a connection, by currency and moment, with what the rows up to each come to."""
    return [SnapshotFacts(*row) for row in conn.execute(_SNAPSHOTS.encode(), {"connection": connection})]


def unproven_days(conn: psycopg.Connection[Any], connection: str) -> list[UnprovenDays]:
    """Return by currency what lies before the day of the first snapshot."""
    return [UnprovenDays(*row) for row in conn.execute(_UNPROVEN.encode(), {"connection": connection})]


#: Seconds decide, as rows and snapshots are told by the second: up to the newest row that the snapshot names, else up
#: to its own moment. Which rows of the deciding second are older, nothing tells. A currency that has rows and that the
#: snapshot does not list is stated to be 0.
_SNAPSHOTS = f"""
WITH listed AS MATERIALIZED (
    SELECT source_id, currency_iso, taken_at, available, pending, newest_balance_transaction_source_id, connection,
           left(source_id, -(length(currency_iso) + 1)) AS id
    FROM receivables.balance_snapshots WHERE connection = %(connection)s
), unlisted AS (
    SELECT m.id || ':' || c.currency_iso, c.currency_iso, m.taken_at, 0, 0, m.newest_balance_transaction_source_id,
           m.connection, m.id
    FROM (SELECT DISTINCT id, taken_at, newest_balance_transaction_source_id, connection FROM listed) m
    JOIN (SELECT t.currency_iso, min(t.created_at) AS began FROM receivables.balance_transactions t
          WHERE {_ROWS} GROUP BY 1) c ON c.began <= m.taken_at
    WHERE NOT EXISTS (SELECT FROM listed l WHERE l.id = m.id AND l.currency_iso = c.currency_iso)
), named AS MATERIALIZED (
    SELECT s.source_id, s.currency_iso, s.taken_at, s.available, s.pending,
           n.source_id IS NOT NULL OR s.newest_balance_transaction_source_id IS NULL AS is_newest_known,
           COALESCE(n.created_at, s.taken_at) AS second,
           CASE WHEN n.currency_iso = s.currency_iso AND (n.balance_type IS NULL OR n.balance_type = 'payments')
                THEN n.net END AS newest
    FROM (SELECT * FROM listed UNION ALL SELECT * FROM unlisted) s
    LEFT JOIN receivables.balance_transactions n
        ON n.source_id = s.newest_balance_transaction_source_id AND n.connection = s.connection
), bounds AS MATERIALIZED (
    SELECT array_agg(DISTINCT second ORDER BY second) AS seconds FROM named
), cuts AS MATERIALIZED (
    SELECT n.*, width_bucket(n.second, b.seconds) AS number FROM named n CROSS JOIN bounds b
), parts AS MATERIALIZED (
    SELECT currency_iso, number, is_beside, count(*) AS rows, sum(net) AS net FROM (
        SELECT currency_iso, net, number, created_at = seconds[number] AS is_beside
        FROM (SELECT t.currency_iso, t.net, t.created_at, b.seconds, width_bucket(t.created_at, b.seconds) AS number
              FROM receivables.balance_transactions t CROSS JOIN bounds b
              WHERE {_ROWS} AND b.seconds IS NOT NULL) n
    ) r GROUP BY 1, 2, 3
), summed AS (
    SELECT source_id, sum(rows) OVER until AS rows, sum(net) OVER until AS net FROM (
        SELECT NULL AS source_id, currency_iso, number, 1 AS place, rows, net FROM parts
        UNION ALL SELECT source_id, currency_iso, number, 0, 0, 0 FROM cuts
    ) points
    WINDOW until AS (PARTITION BY currency_iso ORDER BY number, place ROWS UNBOUNDED PRECEDING)
)
SELECT c.source_id, c.currency_iso, c.taken_at, c.available, c.pending, c.is_newest_known, s.rows::bigint, s.net,
       c.newest, COALESCE(b.rows, 0) - (c.newest IS NOT NULL)::integer, COALESCE(b.net, 0) - COALESCE(c.newest, 0)
FROM cuts c JOIN summed s USING (source_id)
LEFT JOIN parts b ON b.currency_iso = c.currency_iso AND b.number = c.number AND b.is_beside
ORDER BY c.currency_iso, c.taken_at, c.source_id"""

_UNPROVEN = f"""
SELECT t.currency_iso, count(*), sum(t.net), max(t.observed_at)
FROM receivables.balance_transactions t
CROSS JOIN (SELECT min(taken_at)::date AS day FROM receivables.balance_snapshots
            WHERE connection = %(connection)s) f
WHERE {_ROWS} AND (f.day IS NULL OR t.created_at < f.day) GROUP BY 1 ORDER BY 1"""
