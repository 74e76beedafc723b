"""The ledger `raw.extracts`: one row per part of an extract that was received in one go. No bytes, no normalising."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True)
class Landed:
    """What is known of a part of an extract when its bytes are in the archive; moments aware, size in bytes."""

    connection: str
    extract: str
    pass_: str
    partition_day: date
    observed_at: datetime
    sha256: str
    size: int
    records: int
    window_from: datetime | None = None
    window_to: datetime | None = None
    newest_modified_at: datetime | None = None
    run_id: str | None = None


@dataclass(frozen=True)
class ExtractRow:
    """One row of `raw.extracts`."""

    id: int
    connection: str
    extract: str
    pass_: str
    partition_day: date
    window_from: datetime | None
    window_to: datetime | None
    observed_at: datetime
    newest_modified_at: datetime | None
    sha256: str
    size: int
    records: int
    status: str
    message: str | None
    quarantined: int | None


_COLUMNS = ", ".join("pass AS pass_" if name == "pass_" else name for name in ExtractRow.__dataclass_fields__)


def note_landed(conn: psycopg.Connection[Any], landed: Landed) -> ExtractRow:
    """Give a part of an extract its row in the ledger."""
    values = vars(landed) | {"pass": landed.pass_}
    del values["pass_"]
    names = ", ".join(values)
    places = ", ".join(f"%({name})s" for name in values)
    with conn.cursor(row_factory=class_row(ExtractRow)) as cursor:
        statement = f"INSERT INTO raw.extracts ({names}) VALUES ({places}) RETURNING {_COLUMNS}"
        return cursor.execute(statement.encode(), values).fetchall()[0]


def extracts_to_normalise(conn: psycopg.Connection[Any], connection: str) -> list[ExtractRow]:
    """Return what has landed and is not normalised yet, oldest first."""
    return _where(conn, "connection = %s AND status IN ('landed', 'failed')", [connection])


def extracts_to_fold(conn: psycopg.Connection[Any], connection: str, extract: str) -> list[ExtractRow]:
    """Return what has landed of an extract and is not folded yet, oldest first."""
    return _where(conn, "connection = %s AND extract = %s AND status <> 'folded'", [connection, extract])


def extracts_of_days(
    conn: psycopg.Connection[Any], connection: str, first: date, last: date, *, only_failed: bool = False
) -> list[ExtractRow]:
    """Return what was received for the days [first, last], oldest first; only what failed or waits if asked to."""
    which = " AND status IN ('landed', 'failed')" if only_failed else ""
    return _where(conn, f"connection = %s AND partition_day BETWEEN %s AND %s{which}", [connection, first, last])


def lock_extract(conn: psycopg.Connection[Any], extract_id: int) -> ExtractRow:
    """Keep other runs from normalising this part until the transaction ends; KeyError when there is none."""
    conn.execute("SELECT FROM raw.extracts WHERE id = %s FOR NO KEY UPDATE", [extract_id])
    found = _where(conn, "id = %s", [extract_id])
    if not found:
        raise KeyError(f"no extract {extract_id} in the ledger")
    return found[0]


def note_normalised(conn: psycopg.Connection[Any], extract_id: int, quarantined: int) -> None:
    """Note that the rows of a part are in `normalised` and wait for the fold."""
    conn.execute(
        "UPDATE raw.extracts SET status = 'normalised', message = NULL, quarantined = %s, normalised_at = now()"
        " WHERE id = %s",
        [quarantined, extract_id],
    )


def note_failed(conn: psycopg.Connection[Any], extract_id: int, message: str) -> None:
    """Note that a part could not be normalised at all, and why."""
    conn.execute("UPDATE raw.extracts SET status = 'failed', message = %s WHERE id = %s", [message, extract_id])


def _where(conn: psycopg.Connection[Any], condition: str, values: Sequence[Any]) -> list[ExtractRow]:
    with conn.cursor(row_factory=class_row(ExtractRow)) as cursor:
        statement = f"SELECT {_COLUMNS} FROM raw.extracts WHERE {condition} ORDER BY observed_at, id"
        return cursor.execute(statement.encode(), values).fetchall()
