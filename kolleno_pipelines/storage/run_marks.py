"""A mark for as long as the process of a run lives: a shared advisory lock of its session. No run states."""

from collections.abc import Iterable
from typing import Any

import psycopg


def _key(run_id: str) -> str:
    return f"run {run_id}"


def mark_running(conn: psycopg.Connection[Any], run_id: str) -> None:
    """Mark a run as alive until `conn` ends; several processes of one run may do so."""
    conn.execute("SELECT pg_advisory_lock_shared(hashtextextended(%s, 0))", [_key(run_id)])


def without_mark(conn: psycopg.Connection[Any], run_ids: Iterable[str]) -> set[str]:
    """Return the runs that no living session marks."""
    lost = set()
    for run_id in run_ids:
        row = conn.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [_key(run_id)]).fetchone()
        if row and row[0]:
            conn.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [_key(run_id)])
            lost.add(run_id)
    return lost
