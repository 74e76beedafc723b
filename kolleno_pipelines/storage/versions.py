"""Which payload of an object is the newest known: by its digest, or where it was kept aside. Nothing is read."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg


def is_settled(conn: psycopg.Connection[Any], connection: str, extract: str, since: datetime) -> bool:
    """Whether everything that landed of an extract with versions of `since` or later is normalised."""
    row = conn.execute(
        "SELECT NOT EXISTS (SELECT FROM raw.extracts WHERE connection = %s AND extract = %s"
        " AND status IN ('landed', 'failed') AND (newest_modified_at IS NULL OR newest_modified_at >= %s))",
        [connection, extract, since],
    ).fetchone()
    return bool(row and row[0])


def newest_digests(
    conn: psycopg.Connection[Any], connection: str, extract: str, source_ids: Sequence[str]
) -> dict[str, str]:
    """Return id -> digest of the payload that the fold takes as the newest version of each of the objects."""
    rows = conn.execute(
        "SELECT DISTINCT ON (source_id) source_id, digest FROM normalised.payloads"
        " WHERE connection = %s AND kind = %s AND source_id = ANY(%s)"
        " ORDER BY source_id, COALESCE(modified_at, observed_at) DESC, observed_at DESC, is_deleted DESC, digest DESC",
        [connection, extract, list(source_ids)],
    )
    return {row[0]: row[1] for row in rows}


def kept_aside(
    conn: psycopg.Connection[Any], connection: str, extract: str, source_ids: Sequence[str]
) -> dict[str, tuple[str, int]]:
    """Return id -> content in the archive and line of the newest payload, where that is a quarantined one."""
    rows = conn.execute(
        "SELECT DISTINCT ON (q.source_id) q.source_id, e.sha256, q.line FROM raw.quarantined_payloads q"
        " JOIN raw.extracts e ON e.id = q.extract_id"
        " WHERE e.connection = %(c)s AND e.extract = %(x)s AND q.source_id = ANY(%(ids)s) AND NOT EXISTS ("
        "SELECT FROM normalised.payloads p WHERE p.connection = e.connection AND p.kind = e.extract"
        " AND p.source_id = q.source_id AND p.observed_at > e.observed_at)"
        " ORDER BY q.source_id, e.observed_at DESC, e.id DESC",
        {"c": connection, "x": extract, "ids": list(source_ids)},
    )
    return {row[0]: (row[1], row[2]) for row in rows}
