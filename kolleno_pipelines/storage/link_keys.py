"""How the link files of a connection key their rows: with an id of their own or by the pair (model 2). No file is read.

The key is a function of the files received: under `auto` that of the earliest link file, of either type, that can be
read. A failed file that keeps its `link_keyed_by` failed for its key alone.
"""

from typing import Any

import psycopg

from kolleno_pipelines.schemas.sftp_tables import TABLES
from kolleno_pipelines.storage import ledger, standing
from kolleno_pipelines.storage.ledger import LedgerFile

_LINKS = [table.name.value for table in TABLES.values() if table.is_link]
_NEWEST = "max(receipt) OVER (PARTITION BY {})"


def note_key(conn: psycopg.Connection[Any], file_id: int, key: str) -> None:
    """Remember how a file keys its rows."""
    conn.execute("UPDATE raw.files SET link_keyed_by = %s WHERE id = %s", [key, file_id])


def key_of(conn: psycopg.Connection[Any], connection: str, setting: str) -> str | None:
    """Return the key of a connection: its setting or, for `auto`, that of its earliest link file; None without any."""
    if setting != "auto":
        return setting
    row = conn.execute(
        "SELECT link_keyed_by FROM (SELECT link_keyed_by, name_time, fix, type, receipt,"
        f" GREATEST({_NEWEST.format('name')}, {_NEWEST.format('type, name_time, fix')}) AS newest"
        " FROM raw.files WHERE connection = %(c)s AND type = ANY(%(links)s) AND link_keyed_by IS NOT NULL"
        " AND status NOT IN ('replaced', 'skipped')) f WHERE receipt = newest"
        " ORDER BY name_time, fix, array_position(%(links)s, type) LIMIT 1".encode(),
        {"c": connection, "links": _LINKS},
    ).fetchone()
    return str(row[0]) if row else None


def judge_again(conn: psycopg.Connection[Any], connection: str, key: str) -> list[LedgerFile]:
    """Let files that failed for another key than this one, and may stand, be read again; returns them."""
    files = [f for f in standing.failed_over(conn, connection) if f.link_keyed_by == key]
    if files:
        ledger.set_status(conn, [f.id for f in files], "taken")
    return files


def keyed_otherwise(conn: psycopg.Connection[Any], connection: str, key: str) -> list[LedgerFile]:
    """Return the readable contents that stand and key their rows otherwise."""
    readable = {"waiting", "loaded", "processed", "processed_with_rejects"}
    contents = standing.standing_contents(conn, connection)
    return [f for f in contents if f.link_keyed_by not in {None, key} and f.status in readable]
