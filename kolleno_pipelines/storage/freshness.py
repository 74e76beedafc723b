"""Which stored results are older than what was folded since. Nothing is computed here."""

from __future__ import annotations

from datetime import date
from typing import Any

import psycopg


def stale_days(conn: psycopg.Connection[Any], connection: str) -> list[date]:
    """Return the days whose files were folded after the day's roll-forward was computed, or that have none yet."""
    rows = conn.execute(
        "SELECT DISTINCT f.partition_day FROM raw.files f LEFT JOIN reconciliation.results r"
        " ON r.result = 'roll_forward' AND r.connection = f.connection AND r.day = f.partition_day"
        " WHERE f.connection = %s AND f.folded_at IS NOT NULL"
        " AND (r.computed_at IS NULL OR r.computed_at < f.folded_at) ORDER BY 1",
        [connection],
    ).fetchall()
    return [row[0] for row in rows]


def is_present(conn: psycopg.Connection[Any], connection: str, today: date) -> bool:
    """Tell whether every result of the present state was computed today and after the last fold."""
    row = conn.execute(
        "SELECT count(*) = 5 FROM reconciliation.results WHERE connection = %(connection)s AND today = %(today)s"
        " AND (result IN ('balances', 'control_totals', 'unapplied_cash', 'differences')"
        "      OR result = 'roll_forward' AND day = %(today)s)"
        " AND computed_at >= COALESCE((SELECT max(folded_at) FROM raw.files WHERE connection = %(connection)s),"
        "                             '-infinity')",
        {"connection": connection, "today": today},
    ).fetchone()
    return bool(row and row[0])
