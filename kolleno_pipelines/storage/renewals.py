"""Which objects of a payment provider are to be asked for once more. No network, nothing is concluded here.

Its objects do not tell when they changed. What names them does: events, and the rows of the balance that they make;
what is still open may change without either, once events are no longer kept.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import psycopg

#: (kind, id) of an object, by the provider's word for it.
Named = tuple[str, str]

#: The status of reconciliation of a payout whose list is whole.
WHOLE = "completed"
#: Moments of the provider are cut to the second: what was seen so shortly after an object was named may be from before.
_SAME_MOMENT = timedelta(minutes=1)
#: Its clock is not ours: what was seen within so long after an object was named, by the two clocks, may be from before
#: where it was told of only later. Older news that comes late, as of a first reading that was stopped, names too much.
_CLOCKS = timedelta(days=1)
#: Statuses from which an object still moves.
_OPEN = {
    # One that is held waits to be taken, or is given back: that it was given back makes no row of the balance.
    "charge": (
        "charges",
        "status = 'pending'"
        " OR (status = 'succeeded' AND is_captured IS FALSE AND COALESCE(amount_refunded, 0) < amount)",
    ),
    "refund": ("refunds", "status IN ('pending', 'requires_action')"),
    "dispute": ("disputes", "status NOT IN ('won', 'lost', 'warning_closed', 'prevented')"),
    "payout": (
        "payouts",
        "status IN ('pending', 'in_transit') OR (status = 'paid' AND is_automatic"
        f" AND COALESCE(reconciliation_status, '') NOT IN ('{WHOLE}', 'not_applicable'))",
    ),
    "payment_intent": ("payment_intents", "status IN ('processing', 'requires_action', 'requires_capture')"),
}


_NAMED_SINCE_SEEN = """
WITH telling AS (
    SELECT source_kind AS kind, source_object_id AS id, created_at, origin FROM receivables.provider_events
    WHERE connection = %(connection)s AND loaded_at > COALESCE(%(since)s, '-infinity'::timestamptz)
    UNION ALL
    SELECT source_kind, source_object_id, created_at, origin FROM receivables.balance_transactions
    WHERE connection = %(connection)s AND loaded_at > COALESCE(%(since)s, '-infinity'::timestamptz)
    UNION ALL  -- a refund or dispute changes its charge
    SELECT 'charge', charge_source_id, created_at, origin FROM receivables.balance_transactions
    WHERE connection = %(connection)s AND loaded_at > COALESCE(%(since)s, '-infinity'::timestamptz)
    UNION ALL  -- without a row too, and no event tells of the charge then
    SELECT 'charge', COALESCE(r.charge_source_id, d.charge_source_id), e.created_at, e.origin
    FROM receivables.provider_events e
    LEFT JOIN receivables.refunds r ON e.source_kind = 'refund' AND r.source_id = e.source_object_id
        AND r.connection = %(connection)s
    LEFT JOIN receivables.disputes d ON e.source_kind = 'dispute' AND d.source_id = e.source_object_id
        AND d.connection = %(connection)s
    WHERE e.connection = %(connection)s AND e.loaded_at > COALESCE(%(since)s, '-infinity'::timestamptz)
        AND e.source_kind IN ('refund', 'dispute')
), named AS (
    SELECT t.kind, t.id, max(t.created_at) AS named_at, max(p.observed_at) AS told_at
    FROM telling t LEFT JOIN raw.extracts p ON p.id = substring(t.origin FROM '^e([0-9]+):')::integer
    WHERE t.id IS NOT NULL GROUP BY 1, 2
), extracts AS (
    SELECT * FROM unnest(%(kinds)s::text[], %(extracts)s::text[]) e (kind, extract)
), seen AS (
    SELECT p.kind AS extract, p.source_id AS id, max(p.observed_at) AS seen_at
    FROM normalised.payloads p
    WHERE p.connection = %(connection)s AND p.kind = ANY(%(extracts)s) AND p.source_id IN (SELECT id FROM named)
    GROUP BY 1, 2
)
SELECT n.kind, n.id FROM named n JOIN extracts e USING (kind) LEFT JOIN seen s ON s.extract = e.extract AND s.id = n.id
LEFT JOIN raw.lookups l ON l.connection = %(connection)s AND l.extract = e.extract AND l.source_id = n.id
WHERE GREATEST(s.seen_at, l.asked_at) IS NULL
   OR GREATEST(s.seen_at, l.asked_at) < GREATEST(n.named_at + %(same_moment)s,
                                                    LEAST(n.told_at, n.named_at + %(clocks)s))
ORDER BY n.named_at, n.kind, n.id"""


def named_since_seen(
    conn: psycopg.Connection[Any], connection: str, since: datetime | None, extract_of: dict[str, str]
) -> list[Named]:
    """Return objects that an event or a row of the balance names, folded after `since`, and not surely seen later.

    A row names what made it, and the charge behind that, as an event of a known refund or dispute does. What was seen
    surely later: after the reading that told of it began, by our clock, and a while after the provider's moment of it.

    extract_of: kind -> extract of the payloads by which it is seen; other kinds are left out.
    """
    rows = conn.execute(
        _NAMED_SINCE_SEEN,
        {
            "connection": connection,
            "since": since,
            "kinds": list(extract_of),
            "extracts": list(extract_of.values()),
            "same_moment": _SAME_MOMENT,
            "clocks": _CLOCKS,
        },
    ).fetchall()
    return [(row[0], row[1]) for row in rows]


def newest_named(conn: psycopg.Connection[Any], connection: str) -> datetime | None:
    """Return when the newest of what names objects was folded."""
    row = conn.execute(
        "SELECT max(loaded_at) FROM (SELECT max(loaded_at) AS loaded_at FROM receivables.provider_events"
        " WHERE connection = %(c)s UNION ALL SELECT max(loaded_at) FROM receivables.balance_transactions"
        " WHERE connection = %(c)s) n",
        {"c": connection},
    ).fetchone()
    return row[0] if row else None


def still_open(
    conn: psycopg.Connection[Any], connection: str, now: datetime, extract_of: dict[str, str], *, every: timedelta
) -> list[Named]:
    """Return objects that may still move and were neither received nor asked for within `every`."""
    found: list[Named] = []
    for kind, (table, condition) in _OPEN.items():
        rows = conn.execute(
            f"SELECT o.source_id FROM receivables.{table} o WHERE o.connection = %(connection)s AND ({condition})"
            " AND NOT EXISTS (SELECT FROM raw.lookups l WHERE l.connection = o.connection AND l.extract = %(extract)s"
            " AND l.source_id = o.source_id AND l.asked_at > %(since)s)"
            " AND NOT EXISTS (SELECT FROM normalised.payloads p WHERE p.connection = o.connection"
            " AND p.kind = %(extract)s AND p.source_id = o.source_id AND p.observed_at > %(since)s)"
            " ORDER BY o.created_at, o.source_id".encode(),
            {"connection": connection, "extract": extract_of[kind], "since": now - every},
        )
        found += [(kind, row[0]) for row in rows]
    return found


def whole_payouts(
    conn: psycopg.Connection[Any], connection: str, extract: str, in_hand: Collection[str] = ()
) -> list[str]:
    """Return automatic payouts whose list is whole, and of which nobody has asked what is in them; oldest first.

    One of which only a part of the list landed, as a reading was stopped there, is asked for again.

    in_hand: those among what is not normalised yet.
    """
    rows = conn.execute(
        """
SELECT w.id FROM (
    SELECT p.source_id AS id, p.created_at FROM normalised.payouts p JOIN raw.extracts e ON e.id = p.extract_id
    WHERE e.connection = %(connection)s AND p.is_automatic AND p.reconciliation_status = %(whole)s
    UNION ALL SELECT id, NULL FROM unnest(%(in_hand)s::text[]) id
) w
WHERE NOT EXISTS (SELECT FROM raw.lookups l WHERE l.connection = %(connection)s AND l.extract = %(extract)s
                  AND l.source_id = w.id)
  AND NOT EXISTS (
      SELECT FROM receivables.payout_members m
      JOIN receivables.payouts p ON p.source_id = m.payout_source_id AND p.connection = m.connection
      WHERE m.connection = %(connection)s AND m.payout_source_id = w.id
        AND m.balance_transaction_source_id IS DISTINCT FROM p.balance_transaction_source_id
      GROUP BY p.amount HAVING sum(m.net) = p.amount)
GROUP BY w.id ORDER BY min(w.created_at), w.id""",
        {"connection": connection, "extract": extract, "whole": WHOLE, "in_hand": list(in_hand)},
    )
    return [row[0] for row in rows]


def some_rows(conn: psycopg.Connection[Any], connection: str, number: int) -> list[str]:
    """Return some rows of the balance, which no account ever loses; fewer where fewer are known."""
    rows = conn.execute(
        "SELECT source_id FROM receivables.balance_transactions WHERE connection = %s ORDER BY source_id LIMIT %s",
        [connection, number],
    )
    return [row[0] for row in rows]
