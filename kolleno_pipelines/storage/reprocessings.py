"""Who re-processed which range (`raw.reprocessings`). Nothing is re-processed here."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import psycopg
from psycopg.types.json import Jsonb


def begin(
    conn: psycopg.Connection[Any],
    connection: str,
    first: date,
    last: date,
    requested_by: str,
    only_failed: bool,
    run_id: str | None,
) -> int:
    """Note that a re-processing began; returns its id."""
    row = conn.execute(
        "INSERT INTO raw.reprocessings (connection, first_day, last_day, requested_by, only_failed, run_id)"
        " VALUES (%s, %s, %s, %s, %s, %s) RETURNING id",
        [connection, first, last, requested_by, only_failed, run_id],
    ).fetchone()
    return int(row[0]) if row else 0


def end(conn: psycopg.Connection[Any], request: int, files: int, changes: Mapping[str, Any]) -> None:
    """Note what a re-processing read and changed."""
    conn.execute(
        "UPDATE raw.reprocessings SET ended_at = now(), files = %s, changes = %s WHERE id = %s",
        [files, Jsonb(dict(changes)), request],
    )
