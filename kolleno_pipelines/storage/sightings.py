"""What looks at a drop folder saw (`raw.sightings`, `raw.looks`), so that the next look can compare. No network."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import psycopg

from kolleno_pipelines.schemas.sightings import Sighting


def record_look(
    conn: psycopg.Connection[Any], connection: str, files: Iterable[tuple[str, int, datetime]], now: datetime
) -> list[Sighting]:
    """Remember a listing of (name, size, time of change) and return every name with its history.

    Names that are gone are forgotten; a name whose size or time changed starts to settle again.
    """
    conn.execute(
        "CREATE TEMP TABLE listed (name text PRIMARY KEY, size bigint, modified_at timestamptz) ON COMMIT DROP"
    )
    with conn.cursor() as cursor, cursor.copy("COPY listed FROM STDIN") as copy:
        for row in files:
            copy.write_row(row)
    conn.execute(
        "DELETE FROM raw.sightings s WHERE connection = %s AND NOT EXISTS (SELECT FROM listed l WHERE l.name = s.name)",
        [connection],
    )
    rows = conn.execute(
        "INSERT INTO raw.sightings AS s (connection, name, size, modified_at, first_seen_at, changed_at, seen_at)"
        " SELECT %(c)s, name, size, modified_at, %(now)s, %(now)s, %(now)s FROM listed"
        " ON CONFLICT (connection, name) DO UPDATE SET seen_at = excluded.seen_at, size = excluded.size,"
        " modified_at = excluded.modified_at, changed_at = CASE WHEN (s.size, s.modified_at) ="
        " (excluded.size, excluded.modified_at) THEN s.changed_at ELSE excluded.changed_at END"
        " RETURNING name, size, modified_at, changed_at, seen_at",
        {"c": connection, "now": now},
    ).fetchall()
    conn.execute("DROP TABLE listed")
    conn.execute(
        "INSERT INTO raw.looks (connection, looked_at, listed_at, error) VALUES (%(c)s, %(now)s, %(now)s, NULL)"
        " ON CONFLICT (connection) DO UPDATE SET looked_at = %(now)s, listed_at = %(now)s, error = NULL",
        {"c": connection, "now": now},
    )
    return sorted((Sighting(*row) for row in rows), key=lambda s: s.name)


def record_blind_look(conn: psycopg.Connection[Any], connection: str, error: str, now: datetime) -> None:
    """Remember that the folder could not be listed; an error is not an empty folder."""
    conn.execute(
        "INSERT INTO raw.looks (connection, looked_at, error) VALUES (%(c)s, %(now)s, %(error)s)"
        " ON CONFLICT (connection) DO UPDATE SET looked_at = %(now)s, error = %(error)s",
        {"c": connection, "now": now, "error": error},
    )


def last_look(conn: psycopg.Connection[Any], connection: str) -> tuple[datetime, datetime | None, str | None] | None:
    """Return (looked at, last listed at, error of the last look) or None when nobody looked yet."""
    row = conn.execute(
        "SELECT looked_at, listed_at, error FROM raw.looks WHERE connection = %s", [connection]
    ).fetchone()
    return (row[0], row[1], row[2]) if row else None
