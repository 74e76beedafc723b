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

    Names that are gone are forgotten; a name whose size or time changed starts to settle again. Only what is new or
    changed is written: a folder that rests costs no writing.
    """
    columns = [list(column) for column in zip(*files, strict=True)] or [[], [], []]
    params = {"c": connection, "now": now, "names": columns[0], "sizes": columns[1], "times": columns[2]}
    conn.execute("DELETE FROM raw.sightings WHERE connection = %(c)s AND name <> ALL(%(names)s::text[])", params)
    conn.execute(
        "INSERT INTO raw.sightings AS s (connection, name, size, modified_at, first_seen_at, changed_at)"
        " SELECT %(c)s, l.name, l.size, l.modified_at, %(now)s, %(now)s"
        " FROM unnest(%(names)s::text[], %(sizes)s::bigint[], %(times)s::timestamptz[]) l (name, size, modified_at)"
        " LEFT JOIN raw.sightings o ON o.connection = %(c)s AND o.name = l.name"
        " WHERE o.name IS NULL OR (o.size, o.modified_at) <> (l.size, l.modified_at)"
        " ON CONFLICT (connection, name) DO UPDATE SET size = excluded.size,"
        " modified_at = excluded.modified_at, changed_at = CASE WHEN (s.size, s.modified_at) ="
        " (excluded.size, excluded.modified_at) THEN s.changed_at ELSE excluded.changed_at END",
        params,
    )
    rows = conn.execute(
        "SELECT name, size, modified_at, changed_at FROM raw.sightings WHERE connection = %s", [connection]
    ).fetchall()
    conn.execute(
        "INSERT INTO raw.looks (connection, looked_at, listed_at, error) VALUES (%(c)s, %(now)s, %(now)s, NULL)"
        " ON CONFLICT (connection) DO UPDATE SET looked_at = %(now)s, listed_at = %(now)s, error = NULL",
        {"c": connection, "now": now},
    )
    return sorted((Sighting(row[0], row[1], row[2], row[3], now) for row in rows), key=lambda s: s.name)


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
