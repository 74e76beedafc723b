"""How far each extract of a connection was read. What is read, and when, is not decided here."""

from datetime import datetime
from typing import Any

import psycopg


def watermark(conn: psycopg.Connection[Any], connection: str, extract: str, pass_: str) -> datetime | None:
    """Return how far an extract was read in a pass; None when it never was."""
    row = conn.execute(
        "SELECT reached FROM raw.watermarks WHERE connection = %s AND extract = %s AND pass = %s",
        [connection, extract, pass_],
    ).fetchone()
    return row[0] if row else None


def watermarks_of(conn: psycopg.Connection[Any], connection: str, pass_: str) -> dict[str, datetime]:
    """Return how far each extract of a connection was read in a pass, as far as it ever was."""
    rows = conn.execute(
        "SELECT extract, reached FROM raw.watermarks WHERE connection = %s AND pass = %s", [connection, pass_]
    ).fetchall()
    return {row[0]: row[1] for row in rows}


def move_watermark(conn: psycopg.Connection[Any], connection: str, extract: str, pass_: str, reached: datetime) -> None:
    """Note how far an extract was read; a watermark never goes back."""
    conn.execute(
        "INSERT INTO raw.watermarks (connection, extract, pass, reached) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (connection, extract, pass) DO UPDATE SET reached = excluded.reached,"
        " moved_at = clock_timestamp() WHERE watermarks.reached < excluded.reached",
        [connection, extract, pass_, reached],
    )
