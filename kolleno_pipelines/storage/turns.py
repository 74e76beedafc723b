"""Who waits for whom: a fold works alone on its connection, loads and results keep out of its way. No data."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

_RESULTS = "results"
_VERDICTS = "verdicts"


def take_fold_turn(conn: psycopg.Connection[Any], connection: str) -> None:
    """Wait until no load and no other fold of the connection is under way; hold them off until the transaction ends."""
    conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"fold {connection}"])
    conn.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))", [_RESULTS])


def hold_off_folds(conn: psycopg.Connection[Any], connection: str) -> None:
    """Wait for the fold of the connection that is under way; hold off the next until the transaction ends.

    A fold must find every row that a load says it withdrew, and no row twice.
    """
    conn.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))", [f"fold {connection}"])


def take_tables_turn(conn: psycopg.Connection[Any], tables: Iterable[str]) -> None:
    """Wait for whoever computes one of the result tables; hold off the next until the session ends.

    It comes before `take_results_turn`: who waits here holds off no fold.
    """
    for table in sorted(tables):
        conn.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"result {table}"])


def take_results_turn(conn: psycopg.Connection[Any]) -> None:
    """Wait for every fold under way and hold off others until `end_results_turn`; outside of a transaction.

    Between the two a snapshot is taken: it then holds every fold that says it ended before.
    """
    conn.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [_RESULTS])


def end_results_turn(conn: psycopg.Connection[Any]) -> None:
    """Let folds go on; the snapshot is taken."""
    conn.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [_RESULTS])


@contextmanager
def verdicts_turn(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """Wait for whoever judges facts and tells of them; hold off others while the block runs, outside of a transaction.

    The verdict that is told last is then the one that was found last.
    """
    conn.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [_VERDICTS])
    try:
        yield
    finally:
        conn.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [_VERDICTS])
