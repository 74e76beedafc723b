"""Which stored results are older than what was folded since. Nothing is computed here.

A stored day holds until something changes that counts on it or before. What changed is told by the times at which
records were written and by the audit, for the old values and the records that went.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import psycopg

BY_DAY = ("ageing", "roll_forward")
#: What counts on a day, or makes an allocation count: the table, which is its entity in the audit, and its kinds.
_KINDS = {
    "invoices": ("invoice",),
    "credit_notes": ("credit_note",),
    "payments": ("payment", "overpayment", "prepayment"),
    "journals": ("journal",),
    "refunds_erp": ("refund",),
}
_DOCUMENTS = tuple(_KINDS)
_ENTITIES = ", ".join(f"('{kind}', '{table}')" for table, kinds in _KINDS.items() for kind in kinds)
_EVERY_KIND = ", ".join(f"('{kind}')" for kinds in _KINDS.values() for kind in kinds)
_EVERY_TABLE = ", ".join(f"'{table}'" for table in _DOCUMENTS)


_STORED = (
    "(SELECT * FROM reconciliation.results WHERE connection = ANY(%(connections)s) AND result = ANY(%(results)s)"
    " AND isfinite(day) AND day <= %(today)s) s"
)


def _ends_of(allocations: str, changed_at: str, condition: str) -> str:
    """SQL of both documents of allocations `a`."""
    return " UNION ALL ".join(
        f"SELECT a.connection, {changed_at}, a.{end}_kind, a.{end}_source_id FROM {allocations} WHERE {condition}"
        for end in ("from", "to")
    )


def _touched() -> str:
    """SQL of the documents that may count otherwise: connection, when they were touched, kind, source_id.

    A document or its moves were written; an allocation of it was, or went, or named it before; the document at the
    other end of an allocation began or ceased to count, or got another currency.
    """
    mine = "connection = ANY(%(connections)s)"
    audited = f"u.{mine} AND u.changed_at > %(since)s"
    linked = f"a.{mine} AND a.loaded_at > %(since)s"
    moved = "receivables.allocations a JOIN receivables.allocation_moves m USING (source_id, from_kind, connection)"
    gone = (
        "(SELECT u.connection, u.changed_at, r.* FROM receivables.audit u, jsonb_to_record(u.old_value::jsonb)"
        " AS r (from_kind text, from_source_id text, to_kind text, to_source_id text)"
        f" WHERE {audited} AND u.entity = 'allocations' AND u.field = 'withdrawn') a"
    )
    others = [
        "receivables.allocations a JOIN receivables.audit u ON u.connection = a.connection"
        f" AND u.source_id = a.{end}_source_id AND (a.{end}_kind, u.entity) IN ({_ENTITIES})"
        for end in ("from", "to")
    ]
    return " UNION ALL ".join(
        [
            *(
                f"SELECT connection, loaded_at AS changed_at, kind, source_id FROM receivables.{table}"
                f" WHERE {mine} AND loaded_at > %(since)s"
                for table in (*_DOCUMENTS, "balance_moves")
            ),
            _ends_of("receivables.allocations a", "a.loaded_at", linked),
            _ends_of(moved, "m.loaded_at", f"a.{mine} AND m.loaded_at > %(since)s"),
            _ends_of(gone, "a.changed_at", "true"),
            *(
                _ends_of(other, "u.changed_at", f"{audited} AND u.field IN ('posting_status', 'currency_iso')")
                for other in others
            ),
            "SELECT u.connection, u.changed_at, k.kind, u.old_value FROM receivables.audit u,"
            f" (VALUES {_EVERY_KIND}) k (kind)"
            f" WHERE {audited} AND u.entity = 'allocations' AND u.field IN ('from_source_id', 'to_source_id')",
        ]
    )


def _counting() -> str:
    """SQL of the days from which on what was touched counts: a document's date, as it is, was, or was when it went."""
    audited = (
        "FROM receivables.audit WHERE connection = ANY(%(connections)s) AND changed_at > %(since)s"
        f" AND entity IN ({_EVERY_TABLE})"
    )
    return " UNION ALL ".join(
        [
            *(
                "SELECT t.connection, t.changed_at, d.date_issued AS day FROM touched t"
                f" JOIN receivables.{table} d USING (source_id, kind, connection)"
                for table in _DOCUMENTS
            ),
            f"SELECT connection, changed_at, old_value::date {audited} AND field = 'date_issued'",
            "SELECT connection, changed_at, (old_value::jsonb ->> 'date_issued')::date"
            f" {audited} AND field = 'withdrawn'",
        ]
    )


_TOUCHED, _COUNTING = _touched(), _counting()


#: What was folded: files that were dropped, and extracts of systems that are asked.
_FOLDED = (
    "(SELECT connection, partition_day, folded_at FROM raw.files UNION ALL"
    " SELECT connection, partition_day, folded_at FROM raw.extracts)"
)


def days_without_results(conn: psycopg.Connection[Any], connection: str) -> list[date]:
    """Return the days of what was folded after one of the day's results was computed, or that lack one."""
    rows = conn.execute(
        f"SELECT DISTINCT f.partition_day FROM {_FOLDED} f CROSS JOIN unnest(%s::text[]) n (result)"
        " LEFT JOIN reconciliation.results r"
        " ON r.result = n.result AND r.connection = f.connection AND r.day = f.partition_day"
        " WHERE f.connection = %s AND f.folded_at IS NOT NULL"
        " AND (r.computed_at IS NULL OR r.computed_at < f.folded_at) ORDER BY 1",
        [list(BY_DAY), connection],
    ).fetchall()
    return [row[0] for row in rows]


def stale_days(
    conn: psycopg.Connection[Any], connections: Sequence[str], today: date, results: Sequence[str]
) -> list[date]:
    """Return the stored days up to today that do not hold any more, of any of the results.

    Those on or after the earliest day on which something counts that changed since the day was computed; and those
    that were today when computed and are past now: what was dated ahead counted on them.
    """
    bounds = {"connections": list(connections), "results": list(results), "today": today}
    row = conn.execute(f"SELECT min(computed_at) FROM {_STORED}", bounds).fetchone()
    if row is None or row[0] is None:
        return []
    rows = conn.execute(
        f"""
WITH touched AS MATERIALIZED ({_TOUCHED}),
counting AS ({_COUNTING}),
from_day AS (SELECT connection, changed_at, min(day) AS day FROM counting GROUP BY 1, 2)
SELECT DISTINCT s.day FROM {_STORED}
WHERE s.day = s.today AND s.today < %(today)s
   OR EXISTS (SELECT FROM from_day c WHERE c.connection = s.connection AND c.changed_at > s.computed_at
              AND c.day <= s.day)
ORDER BY 1""",
        bounds | {"since": row[0]},
    ).fetchall()
    return [row[0] for row in rows]


def note_holding(conn: psycopg.Connection[Any], connections: Sequence[str], results: Sequence[str]) -> None:
    """Note that the stored days that are not stale hold as of this transaction; the stale ones are computed in it."""
    conn.execute(
        "UPDATE reconciliation.results SET computed_at = now() WHERE connection = ANY(%s) AND result = ANY(%s)"
        " AND isfinite(day) AND computed_at < now()",
        [list(connections), list(results)],
    )


def is_present(conn: psycopg.Connection[Any], connection: str, today: date) -> bool:
    """Tell whether every result of the present state and of today was computed today and after the last fold.

    Agreement, which there is only where a mirror is, is computed with them.
    """
    row = conn.execute(
        "SELECT count(*) = 6 FROM reconciliation.results WHERE connection = %(connection)s AND today = %(today)s"
        " AND (result IN ('balances', 'control_totals', 'unapplied_cash', 'differences')"
        "      OR result IN ('ageing', 'roll_forward') AND day = %(today)s)"
        f" AND computed_at >= COALESCE((SELECT max(f.folded_at) FROM {_FOLDED} f"
        "                              WHERE f.connection = %(connection)s), '-infinity')",
        {"connection": connection, "today": today},
    ).fetchone()
    return bool(row and row[0])


def is_provider_present(
    conn: psycopg.Connection[Any], connection: str, compared_with: Sequence[str], today: date
) -> bool:
    """Tell whether charges, payouts and breaks of a payment provider were computed today and after the last fold.

    After that of the connections too that they are compared with: the ledger, its banks.
    """
    row = conn.execute(
        "SELECT count(*) = 3 FROM reconciliation.results WHERE connection = %(connection)s AND today = %(today)s"
        " AND result IN ('charges', 'payouts', 'differences')"
        f" AND computed_at >= COALESCE((SELECT max(f.folded_at) FROM {_FOLDED} f"
        "                              WHERE f.connection = ANY(%(read)s)), '-infinity')",
        {"connection": connection, "read": [connection, *compared_with], "today": today},
    ).fetchone()
    return bool(row and row[0])


def is_computed(
    conn: psycopg.Connection[Any], result: str, connections: Sequence[str], today: date, since: datetime | None
) -> bool:
    """Tell whether a result of the present state was computed for today over a moment after `since`; not, of None.

    Whoever asked at `since` then has all that was there when it asked.
    """
    row = conn.execute(
        "SELECT count(*) = cardinality(%(connections)s::text[]) FROM reconciliation.results"
        " WHERE result = %(result)s AND connection = ANY(%(connections)s) AND day = '-infinity'"
        " AND today = %(today)s AND computed_at > %(since)s",
        {"connections": list(connections), "result": result, "today": today, "since": since},
    ).fetchone()
    return bool(row and row[0])


def computed_days(
    conn: psycopg.Connection[Any],
    results: Sequence[str],
    connections: Sequence[str],
    today: date,
    since: datetime | None,
) -> set[date]:
    """Return the days of which every one of the results was computed for today over a moment after `since`."""
    rows = conn.execute(
        "SELECT day FROM reconciliation.results WHERE result = ANY(%(results)s) AND connection = ANY(%(connections)s)"
        " AND isfinite(day) AND today = %(today)s AND computed_at > %(since)s GROUP BY day HAVING count(*) = %(parts)s",
        {
            "results": list(results),
            "connections": list(connections),
            "today": today,
            "since": since,
            "parts": len(results) * len(connections),
        },
    ).fetchall()
    return {row[0] for row in rows}
