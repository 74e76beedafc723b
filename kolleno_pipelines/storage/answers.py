"""What the ledger remembers of answering senders: who was told, what was moved aside. No network."""

from collections.abc import Collection
from typing import Any

import psycopg

from kolleno_pipelines.storage.ledger import LedgerFile, files_where

_JUDGED = "('waiting', 'processed', 'processed_with_rejects', 'failed')"


def unanswered(conn: psycopg.Connection[Any], connection: str) -> list[LedgerFile]:
    """Return files with a verdict that their sender has not been told yet."""
    return files_where(conn, f"connection = %(c)s AND answered_at IS NULL AND status IN {_JUDGED}", {"c": connection})


def to_move(conn: psycopg.Connection[Any], connection: str, names: Collection[str]) -> list[LedgerFile]:
    """Return the processed files among these names that were not moved to the archive folder yet."""
    return files_where(
        conn,
        "connection = %(c)s AND archived_away_at IS NULL AND status IN ('processed', 'processed_with_rejects')"
        " AND name = ANY(%(names)s)",
        {"c": connection, "names": list(names)},
    )


def note_answered(conn: psycopg.Connection[Any], file: LedgerFile) -> None:
    """Remember that the sender got the result of a file, unless that is another one by now."""
    conn.execute(
        "UPDATE raw.files SET answered_at = now() WHERE id = %s AND (validated_at, folded_at)"
        " IS NOT DISTINCT FROM (%s::timestamptz, %s::timestamptz)",
        [file.id, file.validated_at, file.folded_at],
    )


def note_moved_away(conn: psycopg.Connection[Any], file_id: int) -> None:
    """Remember that the server's copy was moved to the connection's archive folder."""
    conn.execute("UPDATE raw.files SET archived_away_at = now() WHERE id = %s", [file_id])
