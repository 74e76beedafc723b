"""What was found in a file when it was read: findings, counts, whether it can be loaded. Rows of `raw.findings`.

Which files there are, and what became of each beside, is ledger.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from kolleno_pipelines.schemas.codes import Code

#: Findings about how a file arrived, not about what it says: reading it again keeps them.
ARRIVAL_WARNINGS = [Code.DATED_IN_FUTURE.value, Code.SUPERSEDED.value, Code.NEWER_PARKED.value]
ARRIVAL_CODES = [*ARRIVAL_WARNINGS, Code.DUPLICATE_CONTENT.value]


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


def money_as_text(totals: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Return money totals with exact decimals as text, for JSON."""
    return {name: {currency: str(amount) for currency, amount in sums.items()} for name, sums in totals.items()}
