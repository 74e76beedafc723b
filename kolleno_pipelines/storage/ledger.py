"""The ledger `raw.files`: one row per received content of a file name, its verdict and fate. No rules, no bytes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from kolleno_pipelines.schemas.codes import Code, level_of

#: What stands for the checksum of a content that is too large to fetch.
NOT_FETCHED = "not fetched"
#: Findings about how a file arrived, not about what it says: reading it again keeps them.
ARRIVAL_WARNINGS = [Code.DATED_IN_FUTURE.value, Code.SUPERSEDED.value, Code.NEWER_PARKED.value]
ARRIVAL_CODES = [*ARRIVAL_WARNINGS, Code.DUPLICATE_CONTENT.value]
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


@dataclass(frozen=True)
class FindingRow:
    """A finding as stored: physical line, column, value cut, code, level, message."""

    line: int | None
    column: str | None
    value: str | None
    code: str
    level: str
    message: str


def add_findings(conn: psycopg.Connection[Any], file_id: int, findings: Iterable[FindingRow]) -> None:
    """Store findings about a file or its rows."""
    with (
        conn.cursor() as cursor,
        cursor.copy("COPY raw.findings (file_id, line, column_name, value, code, level, message) FROM STDIN") as copy,
    ):
        for f in findings:
            value = f.value.replace("\x00", "\\0") if f.value else f.value
            message = f.message.replace("\x00", "\\0")
            copy.write_row((file_id, f.line, f.column, value, f.code, f.level, message))


def findings_of(conn: psycopg.Connection[Any], file_id: int) -> list[FindingRow]:
    """Return the findings stored about a file, file-level ones first, then by line."""
    with conn.cursor(row_factory=class_row(FindingRow)) as cursor:
        return cursor.execute(
            "SELECT line, column_name AS column, value, code, level, message FROM raw.findings"
            " WHERE file_id = %s ORDER BY line NULLS FIRST, id",
            [file_id],
        ).fetchall()


@dataclass(frozen=True)
class Verdict:
    """What validation found: counts of rows, counts per code, money per field and currency (as text)."""

    rows_read: int
    rows_accepted: int
    rows_rejected: int
    warnings: int
    code_counts: Mapping[str, int]
    money_totals: Mapping[str, Mapping[str, str]]
    fields: Sequence[str]
    extra_columns: Sequence[str]
    header: Sequence[str]
    link_keyed_by: str | None


def clear_findings(conn: psycopg.Connection[Any], file_id: int) -> None:
    """Remove what an earlier reading of a file found; what was noted about its arrival stays."""
    conn.execute("DELETE FROM raw.findings WHERE file_id = %s AND code <> ALL(%s)", [file_id, ARRIVAL_CODES])


#: What was counted about the arrival stays; the sender is told again when the verdict is another one.
_RECORD_VALID = """
UPDATE raw.files SET
    rows_read = %(read)s, rows_accepted = %(accepted)s, rows_rejected = %(rejected)s,
    warnings = %(warnings)s + (SELECT COALESCE(sum(n::bigint), 0)
        FROM jsonb_each_text(code_counts) a (code, n) WHERE code = ANY(%(arrival_warnings)s)),
    code_counts = %(counts)s || (SELECT COALESCE(jsonb_object_agg(code, n), '{}')
        FROM jsonb_each(code_counts) a (code, n) WHERE code = ANY(%(arrival_codes)s)),
    money_totals = %(totals)s, fields = %(fields)s, extra_columns = %(extra)s, header = %(header)s,
    link_keyed_by = %(keyed_by)s, message = NULL, validated_at = now(), status = %(status)s,
    answered_at = CASE
        WHEN message IS NULL AND (rows_read, rows_rejected, code_counts - %(arrival_codes)s::text[])
             IS NOT DISTINCT FROM (%(read)s::bigint, %(rejected)s::bigint, %(counts)s::jsonb)
        THEN answered_at END
WHERE id = %(file)s"""


def record_valid(conn: psycopg.Connection[Any], file_id: int, verdict: Verdict, *, loaded: bool) -> None:
    """Note that a file is readable; `loaded` when its rows are in `sftp_csv` by now and wait for the fold."""
    conn.execute(
        _RECORD_VALID,
        {
            "read": verdict.rows_read,
            "accepted": verdict.rows_accepted,
            "rejected": verdict.rows_rejected,
            "warnings": verdict.warnings,
            "counts": Jsonb(dict(verdict.code_counts)),
            "totals": Jsonb({field: dict(totals) for field, totals in verdict.money_totals.items()}),
            "fields": list(verdict.fields),
            "extra": list(verdict.extra_columns),
            "header": list(verdict.header),
            "keyed_by": verdict.link_keyed_by,
            "status": "loaded" if loaded else "waiting",
            "arrival_warnings": ARRIVAL_WARNINGS,
            "arrival_codes": ARRIVAL_CODES,
            "file": file_id,
        },
    )
    if loaded:
        conn.execute(
            "UPDATE raw.files SET is_loaded = true, is_folded = false, is_pruned = false, loaded_at = now()"
            " WHERE id = %s",
            [file_id],
        )


def record_failed(
    conn: psycopg.Connection[Any], file_id: int, findings: Sequence[FindingRow], keyed_by: str | None = None
) -> None:
    """Note that a file failed as a whole, with every reason; nothing of it is loaded.

    `keyed_by`: how it keys its link rows, when it failed for that alone.
    """
    clear_findings(conn, file_id)
    add_findings(conn, file_id, findings)
    counts: dict[str, int] = {}
    for finding in findings:
        counts[finding.code] = counts.get(finding.code, 0) + 1
    message = "; ".join(f.message for f in findings)
    conn.execute(
        "UPDATE raw.files SET status = 'failed', message = %s, answered_at = CASE WHEN message = %s"
        " THEN answered_at END, code_counts = %s, validated_at = now(),"
        " is_folded = is_folded AND NOT is_loaded, is_loaded = false, is_pruned = false, link_keyed_by = %s"
        " WHERE id = %s",
        [message, message, Jsonb(counts), keyed_by, file_id],
    )


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


def money_as_text(totals: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Return money totals with exact decimals as text, for JSON."""
    return {name: {currency: str(amount) for currency, amount in sums.items()} for name, sums in totals.items()}
