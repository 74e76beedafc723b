"""Receiving: what arrived under a file name becomes a row of the ledger `raw.files`. What it says is not read here."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg


@dataclass(frozen=True)
class Arrival:
    """What is known of a file when it is taken: name parsed, bytes archived."""

    name: str
    type: str | None
    name_time: datetime | None
    fix: int
    size: int
    modified_at: datetime | None
    partition_day: date
    sha256: str | None = None
    status: str = "taken"
    message: str | None = None


def add_file(conn: psycopg.Connection[Any], connection: str, arrival: Arrival, run_id: str | None = None) -> int | None:
    """Add a received content as the next receipt of its name; returns its id.

    The same content again returns None: only its size and time of change are noted, so that it is not fetched again.
    """
    moment = f"{arrival.type} {arrival.name_time} {arrival.fix}" if arrival.type else arrival.name
    for what in (arrival.name, moment):
        conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"file {connection} {what}"])
    last = conn.execute(
        "SELECT id, sha256, status FROM raw.files WHERE connection = %s AND name = %s ORDER BY receipt DESC LIMIT 1",
        [connection, arrival.name],
    ).fetchone()
    if last and last[2] in {"held", "ignored"}:
        _turn(conn, last[0], connection, arrival, run_id)
        return int(last[0])
    if last and last[1] == arrival.sha256:
        conn.execute("UPDATE raw.files SET modified_at = %s WHERE id = %s", [arrival.modified_at, last[0]])
        return None
    values = _values(conn, connection, arrival, run_id)
    row = conn.execute(
        f"INSERT INTO raw.files (connection, name, {', '.join(values)})"
        f" VALUES (%s, %s{', %s' * len(values)}) RETURNING id".encode(),
        [connection, arrival.name, *values.values()],
    ).fetchone()
    return int(row[0]) if row else None


def _turn(conn: psycopg.Connection[Any], file_id: int, connection: str, arrival: Arrival, run_id: str | None) -> None:
    """Let a name that was only noticed so far take what is known of it now."""
    values = _values(conn, connection, arrival, run_id, but=file_id)
    conn.execute("DELETE FROM raw.findings WHERE file_id = %s", [file_id])
    conn.execute(
        f"UPDATE raw.files SET ({', '.join(values)}, code_counts, taken_at)"
        f" = ROW (%s{', %s' * (len(values) - 1)}, '{{}}', now()) WHERE id = %s".encode(),
        [*values.values(), file_id],
    )


def _values(
    conn: psycopg.Connection[Any], connection: str, arrival: Arrival, run_id: str | None, *, but: int = 0
) -> dict[str, object]:
    """Return columns and values of the ledger row, `but` being the row that is written over.

    Contents are counted per name, or per moment where `-` and `:` spell one moment; the first one taken fixed the day.
    """
    row = conn.execute(
        "SELECT COALESCE(max(receipt), 0) + 1, min(partition_day) FILTER (WHERE sha256 IS NOT NULL) FROM raw.files"
        " WHERE connection = %s AND id <> %s AND (name = %s OR (type, name_time, fix) = (%s, %s, %s))",
        [connection, but, arrival.name, arrival.type, arrival.name_time, arrival.fix],
    ).fetchone()
    receipt, day = row or (1, None)
    return {
        "type": arrival.type,
        "name_time": arrival.name_time,
        "fix": arrival.fix,
        "receipt": receipt,
        "sha256": arrival.sha256,
        "size": arrival.size,
        "modified_at": arrival.modified_at,
        "partition_day": min(day or arrival.partition_day, arrival.partition_day),
        "status": arrival.status,
        "message": arrival.message,
        "run_id": run_id,
    }
