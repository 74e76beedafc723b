"""Batches as the operator sees them (`raw.batches`), decisions about them, and the locks of a day. No rules."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True)
class BatchRow:
    """One row of `raw.batches`."""

    connection: str
    batch_id: str
    partition_day: date
    begins_at: datetime
    status: str
    missing: list[str]
    failed: list[str]
    names: list[str]
    first_seen_at: datetime | None = None
    processed_at: datetime | None = None


def alone(conn: psycopg.Connection[Any], connection: str) -> None:
    """Let one transaction at a time compute and store the batches of a connection."""
    conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"batches {connection}"])


def save_batches(conn: psycopg.Connection[Any], connection: str, batches: Sequence[BatchRow]) -> None:
    """Make `raw.batches` of a connection what was computed; rows that say the same are not touched.

    Call `alone` before computing: an older view must not be stored over a newer one.
    """
    conn.execute("CREATE TEMP TABLE computed (LIKE raw.batches) ON COMMIT DROP")
    columns = "connection, batch_id, partition_day, begins_at, status, missing, failed, names"
    with conn.cursor() as cursor, cursor.copy(f"COPY computed ({columns}, first_seen_at) FROM STDIN".encode()) as copy:
        copy.set_types(["text", "text", "date", "timestamptz", "text", "text[]", "text[]", "text[]", "timestamptz"])
        for b in batches:
            row = (b.connection, b.batch_id, b.partition_day, b.begins_at, b.status, b.missing, b.failed, b.names)
            copy.write_row((*row, b.first_seen_at))
    conn.execute(
        "DELETE FROM raw.batches b WHERE connection = %s"
        " AND NOT EXISTS (SELECT FROM computed c WHERE c.batch_id = b.batch_id)",
        [connection],
    )
    conn.execute(
        f"INSERT INTO raw.batches AS b ({columns}, first_seen_at, processed_at)"
        f" SELECT {columns}, COALESCE(first_seen_at, now()),"
        " CASE WHEN status LIKE 'processed%' THEN now() END FROM computed"
        " ON CONFLICT (connection, batch_id) DO UPDATE SET status = excluded.status, missing = excluded.missing,"
        " failed = excluded.failed, names = excluded.names, partition_day = excluded.partition_day,"
        " processed_at = COALESCE(b.processed_at, excluded.processed_at)"
        " WHERE (b.status, b.missing, b.failed, b.names)"
        " IS DISTINCT FROM (excluded.status, excluded.missing, excluded.failed, excluded.names)".encode()
    )
    conn.execute("DROP TABLE computed")


def batches_of(conn: psycopg.Connection[Any], connection: str | None = None) -> list[BatchRow]:
    """Return the batches as last computed, oldest first."""
    with conn.cursor(row_factory=class_row(BatchRow)) as cursor:
        return cursor.execute(
            "SELECT connection, batch_id, partition_day, begins_at, status, missing, failed, names, first_seen_at,"
            " processed_at FROM raw.batches WHERE %(c)s::text IS NULL OR connection = %(c)s"
            " ORDER BY begins_at, batch_id",
            {"c": connection},
        ).fetchall()


def decided_names(conn: psycopg.Connection[Any], connection: str, decision: str) -> set[str]:
    """Return the file names that an operator released or skipped; what was decided last about a name holds."""
    rows = conn.execute(
        "SELECT name FROM (SELECT DISTINCT ON (name) name, decision FROM raw.batch_decisions, unnest(names) name"
        " WHERE connection = %s ORDER BY name, id DESC) newest WHERE decision = %s",
        [connection, decision],
    ).fetchall()
    return {row[0] for row in rows}


def add_decision(
    conn: psycopg.Connection[Any], batch: BatchRow, decision: str, decided_by: str, why: str | None
) -> None:
    """Remember what an operator decided about a batch; it is an input of the fold and never forgotten."""
    conn.execute(
        "INSERT INTO raw.batch_decisions (connection, decision, batch_id, names, decided_by, why)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        [batch.connection, decision, batch.batch_id, batch.names, decided_by, why],
    )


class DayBusyError(Exception):
    """Another run works on the same day of the same connection."""


@contextmanager
def days_in_flight(
    conn: psycopg.Connection[Any], connection: str, days: Sequence[date], *, wait_seconds: float = 600
) -> Iterator[None]:
    """Hold the advisory lock of each (connection, day) while the block runs; `conn` must be in autocommit.

    A second run of the same day waits up to `wait_seconds`, then gets DayBusyError. The locks end with the session, so
    a killed run leaves none behind.
    """
    held: list[str] = []
    conn.execute(f"SET lock_timeout = {int(wait_seconds * 1000)}".encode())
    try:
        for day in sorted(set(days)):
            key = f"day {connection} {day}"
            try:
                conn.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [key])
            except psycopg.errors.LockNotAvailable as error:
                raise DayBusyError(
                    f"Another run has been working on {connection} {day} for more than {wait_seconds:.0f} s; "
                    "wait until it has ended, then start this run again."
                ) from error
            held.append(key)
        yield
    finally:
        _unlock(conn, held)


def _unlock(conn: psycopg.Connection[Any], keys: Sequence[str]) -> None:
    """Give the locks back; where the server has ended the session (a restart), they have ended with it."""
    with suppress(psycopg.OperationalError):
        for key in keys:
            conn.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [key])


def busy_days(conn: psycopg.Connection[Any], connection: str, days: Sequence[date]) -> set[date]:
    """Return the days on which some run holds its lock now."""
    busy = set()
    for day in days:
        key = f"day {connection} {day}"
        row = conn.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [key]).fetchone()
        if row and row[0]:
            conn.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [key])
        else:
            busy.add(day)
    return busy
