"""Who waits for whom: a fold works alone on its connection, loads and results keep out of its way. No data."""

from typing import Any

import psycopg

_RESULTS = "results"


def take_fold_turn(conn: psycopg.Connection[Any], connection: str) -> None:
    """Wait until no load and no other fold of the connection is under way; hold them off until the transaction ends."""
    conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"fold {connection}"])
    conn.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))", [_RESULTS])


def hold_off_folds(conn: psycopg.Connection[Any], connection: str) -> None:
    """Wait for the fold of the connection that is under way; hold off the next until the transaction ends.

    A fold must find every row that a load says it withdrew, and no row twice.
    """
    conn.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))", [f"fold {connection}"])


def take_results_turn(conn: psycopg.Connection[Any]) -> None:
    """Wait for every fold under way and hold off others until `end_results_turn`; outside of a transaction.

    Between the two a snapshot is taken: it then holds every fold that says it ended before.
    """
    conn.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [_RESULTS])


def end_results_turn(conn: psycopg.Connection[Any]) -> None:
    """Let folds go on; the snapshot is taken."""
    conn.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [_RESULTS])
