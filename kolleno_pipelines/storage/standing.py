"""Which of a file's contents stands: the newest that can be read, whatever came in which order. No verdict is made."""

from datetime import datetime
from typing import Any

import psycopg

from kolleno_pipelines.storage import ledger
from kolleno_pipelines.storage.ledger import LedgerFile, files_where


def moment(file: LedgerFile) -> tuple[str | None, datetime | None, int]:
    """Return what all contents of one file have in common, under either spelling of its name."""
    return file.type, file.name_time, file.fix


def _newest(condition: str) -> str:
    """Return SQL for the receipt of the newest content, among those of `condition`, of a row's name or moment.

    Window functions look at each row once; a NOT EXISTS with an OR in it looks at every pair.
    """
    newest = f"max(receipt) FILTER (WHERE {condition})"
    return f"GREATEST({newest} OVER (PARTITION BY name), {newest} OVER (PARTITION BY type, name_time, fix))"


_READABLE = "sha256 IS NOT NULL AND status NOT IN ('failed', 'replaced')"
_CONTENTS = (
    f"(SELECT id, type, sha256, status, receipt, {_newest(_READABLE)} AS readable,"
    f" {_newest('sha256 IS NOT NULL')} AS newest FROM raw.files WHERE connection = %(c)s) f"
)


def standing_contents(conn: psycopg.Connection[Any], connection: str) -> list[LedgerFile]:
    """Return what counts: per type, time and fix number the newest content that can be read, else the newest.

    A failed content is no input. Names that differ only in `-` and `:` speak for one moment; a name that was later only
    noticed still counts.
    """
    return files_where(
        conn,
        f"id IN (SELECT id FROM {_CONTENTS}"
        " WHERE type IS NOT NULL AND sha256 IS NOT NULL AND receipt = COALESCE(readable, newest))",
        {"c": connection},
    )


def failed_over(conn: psycopg.Connection[Any], connection: str) -> list[LedgerFile]:
    """Return the failed contents that no newer readable content has put aside: read again, they may stand."""
    return files_where(
        conn,
        f"id IN (SELECT id FROM {_CONTENTS} WHERE type IS NOT NULL AND sha256 IS NOT NULL AND status = 'failed'"
        " AND receipt > COALESCE(readable, 0))",
        {"c": connection},
    )


def revive_older(conn: psycopg.Connection[Any], file: LedgerFile) -> None:
    """Let the newest content that a failed one had replaced be judged again, unless another readable one stands."""
    conn.execute(
        "UPDATE raw.files SET status = 'taken' WHERE id = (SELECT id FROM raw.files WHERE connection = %(c)s"
        " AND (name = %(name)s OR (type, name_time, fix) = (%(type)s, %(time)s, %(fix)s)) AND status <> 'failed'"
        " AND sha256 IS NOT NULL AND type IS NOT NULL ORDER BY receipt DESC LIMIT 1) AND status = 'replaced'",
        {"c": file.connection, "name": file.name, "type": file.type, "time": file.name_time, "fix": file.fix},
    )


def withdrawn(conn: psycopg.Connection[Any], connection: str) -> list[LedgerFile]:
    """Return files that failed after they had been folded, and whose rows no fold has let go yet."""
    return files_where(conn, f"connection = %(c)s AND {ledger.WITHDRAWN}", {"c": connection})
