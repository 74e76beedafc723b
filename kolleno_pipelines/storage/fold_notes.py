"""What a fold tells senders about rows that load: superseded, newer parked, waiting. It changes no record."""

from collections.abc import Sequence

from kolleno_pipelines.storage.fold_apply import Execute

_FINDINGS_KEPT = 1_000


def note_superseded(execute: Execute, files: Sequence[int]) -> None:
    """Warn, once per file, of its rows about which a newer input already speaks."""
    _note(
        execute,
        "SELECT file_id, line, source_id FROM (SELECT *, max(version) OVER (PARTITION BY source_id) AS newest"
        " FROM late_steps) s WHERE version < newest AND file_id = ANY(%(files)s)",
        "superseded",
        "a newer file already speaks about this record; the row is kept in its place in time",
        files,
    )


def note_newer_parked(execute: Execute, files: Sequence[int]) -> None:
    """Warn of rows that load although a newer row about the same record waits for its parent."""
    waiting = execute("SELECT DISTINCT table_name FROM sftp_csv.waiting_rows WHERE connection = %(connection)s")
    for (table,) in waiting.fetchall():
        _note(
            execute,
            f"SELECT DISTINCT s.file_id, s.line, s.source_id FROM sftp_csv.{table} s"
            " JOIN raw.files f ON f.id = s.file_id"
            " JOIN sftp_csv.waiting_rows p ON p.source_id = s.source_id AND p.table_name = f.type"
            " AND p.connection = f.connection JOIN raw.files n ON n.id = p.file_id"
            " WHERE s.file_id = ANY(%(files)s) AND (n.name_time, n.fix, n.receipt) > (f.name_time, f.fix, f.receipt)",
            "newer_parked",
            "a newer row about this record waits for its parent; this older one stands until then",
            files,
        )


def _note(execute: Execute, rows: str, code: str, message: str, files: Sequence[int]) -> None:
    if not files:
        return
    execute(
        f"WITH hit AS ({rows}), counted AS (SELECT file_id, count(*) AS n FROM hit GROUP BY file_id), raised AS ("
        " UPDATE raw.files f SET warnings = COALESCE(warnings, 0) + n, answered_at = NULL,"
        " code_counts = code_counts || jsonb_build_object(%(code)s::text, n) FROM counted c WHERE f.id = c.file_id)"
        " INSERT INTO raw.findings (file_id, line, column_name, value, code, level, message)"
        " SELECT file_id, line, 'id', source_id, %(code)s, 'warning', %(message)s"
        " FROM (SELECT *, row_number() OVER (PARTITION BY file_id ORDER BY line) AS k FROM hit) h WHERE k <= %(kept)s",
        code=code,
        message=message,
        files=list(files),
        kept=_FINDINGS_KEPT,
    )


_WAITING = (
    "SELECT file_id, sum(hashtextextended(concat_ws('|', line, parent_table, parent_id), 0)::numeric) AS rows"
    " FROM sftp_csv.waiting_rows WHERE connection = %(connection)s GROUP BY file_id"
)


def note_waiting(execute: Execute) -> None:
    """Remember which rows wait before the fold."""
    execute("DROP TABLE IF EXISTS waited")
    execute(f"CREATE TEMP TABLE waited ON COMMIT DROP AS {_WAITING}")


def ask_for_answers(execute: Execute) -> None:
    """Let the senders of files of which other rows wait now than before the fold be told again."""
    execute(
        f"UPDATE raw.files f SET answered_at = NULL FROM waited w FULL JOIN ({_WAITING}) n USING (file_id)"
        " WHERE f.id = COALESCE(w.file_id, n.file_id) AND f.answered_at IS NOT NULL AND w.rows IS DISTINCT FROM n.rows"
    )
