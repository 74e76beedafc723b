"""The ledger `raw.files`: one row per received content of a file name, and its fate. No rules, no bytes.

What was found in a file when it was read is file_verdicts.py.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

from kolleno_pipelines.schemas.codes import Code, level_of

#: What stands for the checksum of a content that is too large to fetch.
NOT_FETCHED = "not fetched"
#: Condition on files that failed after they had been folded, and whose rows no fold has let go yet.
WITHDRAWN = "status = 'failed' AND NOT is_folded AND folded_at IS NOT NULL"


@dataclass(frozen=True)
class LedgerFile:
    """One row of `raw.files`; sizes in bytes, moments aware."""

    id: int
    connection: str
    name: str
    type: str | None
    name_time: datetime | None
    fix: int
    receipt: int
    sha256: str | None
    size: int
    modified_at: datetime | None
    partition_day: date
    batch_id: str | None
    status: str
    message: str | None
    rows_read: int | None
    rows_accepted: int | None
    rows_rejected: int | None
    warnings: int | None
    code_counts: dict[str, int]
    money_totals: dict[str, dict[str, str]]
    fields: list[str] | None
    header: list[str] | None
    link_keyed_by: str | None
    is_loaded: bool
    is_folded: bool
    is_pruned: bool
    taken_at: datetime
    validated_at: datetime | None
    loaded_at: datetime | None
    folded_at: datetime | None
    archived_away_at: datetime | None
    answered_at: datetime | None
    run_id: str | None

    @property
    def content_seen(self) -> tuple[int, datetime | None]:
        """Size and time of change as listed when this content was taken."""
        return (self.size, self.modified_at)

    @property
    def is_fetched(self) -> bool:
        """Whether its bytes are in the archive; a file over the size limit is recorded without them."""
        return self.sha256 is not None and not self.sha256.startswith(NOT_FETCHED)


_COLUMNS = ", ".join(LedgerFile.__dataclass_fields__)


def files_where(conn: psycopg.Connection[Any], condition: str, params: Mapping[str, Any]) -> list[LedgerFile]:
    """Return the ledger rows that a SQL condition names, by their names' time."""
    with conn.cursor(row_factory=class_row(LedgerFile)) as cursor:
        statement = (
            f"SELECT {_COLUMNS} FROM raw.files WHERE {condition} ORDER BY name_time NULLS LAST, fix, name, receipt"
        )
        return cursor.execute(statement.encode(), params).fetchall()


def newest_files(conn: psycopg.Connection[Any], connection: str) -> list[LedgerFile]:
    """Return the newest content of each file name of the connection, ignored and held names included."""
    return files_where(
        conn,
        "connection = %(c)s AND NOT EXISTS (SELECT FROM raw.files n WHERE n.connection = raw.files.connection"
        " AND n.name = raw.files.name AND n.receipt > raw.files.receipt)",
        {"c": connection},
    )


def files_of_days(conn: psycopg.Connection[Any], connection: str, first: date, last: date) -> list[LedgerFile]:
    """Return all contents whose partition day lies in [first, last]."""
    return files_where(
        conn,
        "connection = %(c)s AND partition_day BETWEEN %(first)s AND %(last)s",
        {"c": connection, "first": first, "last": last},
    )


def files_named(conn: psycopg.Connection[Any], name: str, connection: str | None = None) -> list[LedgerFile]:
    """Return every content received under a name, oldest first."""
    return files_where(
        conn,
        "name = %(name)s AND (%(c)s::text IS NULL OR connection = %(c)s)",
        {"name": name, "c": connection},
    )


def last_fix(conn: psycopg.Connection[Any], file: LedgerFile) -> int:
    """Return the highest fix number received for the type and time of a file."""
    row = conn.execute(
        "SELECT max(fix) FROM raw.files WHERE connection = %s AND type = %s AND name_time = %s",
        [file.connection, file.type, file.name_time],
    ).fetchone()
    return max(file.fix, row[0] or 0) if row else file.fix


def file_by_id(conn: psycopg.Connection[Any], file_id: int) -> LedgerFile:
    """Return one ledger row; KeyError when there is none."""
    found = files_where(conn, "id = %(id)s", {"id": file_id})
    if not found:
        raise KeyError(f"no file {file_id} in the ledger")
    return found[0]


def lock_files(conn: psycopg.Connection[Any], file_ids: Collection[int]) -> dict[int, LedgerFile]:
    """Keep other runs from loading these files until the transaction ends; returns them as they are now, by id.

    Contents that were replaced in the meantime are left out.
    """
    conn.execute("SELECT FROM raw.files WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [list(file_ids)])
    return {f.id: f for f in files_where(conn, "id = ANY(%(ids)s) AND status <> 'replaced'", {"ids": list(file_ids)})}


def replace_older(conn: psycopg.Connection[Any], file: LedgerFile) -> list[LedgerFile]:
    """Mark older contents of the same name (or moment) as replaced; returns those whose rows must be withdrawn."""
    if file.receipt <= 1:
        return []
    condition = "connection = %(c)s AND receipt < %(receipt)s AND status <> 'replaced' AND (name = %(name)s"
    condition += " OR (type, name_time, fix) = (%(type)s, %(time)s, %(fix)s))"
    params = {"c": file.connection, "receipt": file.receipt, "name": file.name}
    params |= {"type": file.type, "time": file.name_time, "fix": file.fix}
    conn.execute(f"SELECT FROM raw.files WHERE {condition} ORDER BY id FOR NO KEY UPDATE".encode(), params)
    older = files_where(conn, condition, params)
    conn.execute(
        "UPDATE raw.files SET status = 'replaced', is_loaded = false WHERE id = ANY(%s)", [[f.id for f in older]]
    )
    return [f for f in older if f.is_loaded]


def set_status(conn: psycopg.Connection[Any], file_ids: Collection[int], status: str) -> None:
    """Set the status of files."""
    conn.execute("UPDATE raw.files SET status = %s WHERE id = ANY(%s)", [status, list(file_ids)])


def note_duplicate(conn: psycopg.Connection[Any], connection: str, name: str) -> None:
    """Note with the newest content of a name that it came once more."""
    conn.execute(
        "WITH came AS (UPDATE raw.files SET code_counts = code_counts || jsonb_build_object(%(code)s::text,"
        " COALESCE((code_counts ->> %(code)s)::bigint, 0) + 1) WHERE id = (SELECT id FROM raw.files"
        " WHERE connection = %(c)s AND name = %(name)s ORDER BY receipt DESC LIMIT 1) RETURNING id, modified_at)"
        " INSERT INTO raw.findings (file_id, code, level, message) SELECT id, %(code)s, %(level)s,"
        " %(name)s || ' came again, last modified at ' || to_char(modified_at AT TIME ZONE 'UTC',"
        " 'YYYY-MM-DD HH24:MI:SS') || ' UTC, with the content it had: nothing is done with it' FROM came",
        {
            "c": connection,
            "name": name,
            "code": Code.DUPLICATE_CONTENT.value,
            "level": level_of(Code.DUPLICATE_CONTENT).value,
        },
    )
