"""Reading one archived file: its rows into `sftp_csv`, or its verdict alone. Which files, and when, is load.py's."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO, Any

import psycopg
import pyarrow as pa

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.connectors.sftp.landing import Landing, land
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.retention import landing_options, restore_rows
from kolleno_pipelines.pipeline.take import finding_row
from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.findings import FileFailed, Finding, RejectedRow
from kolleno_pipelines.schemas.sftp_tables import TABLES, CsvTable, TableName
from kolleno_pipelines.storage import csv_rows, file_verdicts, ledger, link_keys
from kolleno_pipelines.storage.ledger import LedgerFile


class FailedReadingError(Exception):
    """A fault of a whole file. `keyed_by` is set when only the key of its link rows is wrong."""

    def __init__(self, file: LedgerFile, findings: Sequence[Finding], keyed_by: str | None = None) -> None:
        super().__init__(file.name)
        self.file, self.findings, self.keyed_by = file, findings, keyed_by


class _Spool:
    """Rejected rows set aside on disk while the COPY of the accepted ones has the connection."""

    def __init__(self, file: IO[str]) -> None:
        self.file = file
        self.warnings: list[Finding] = []
        self.count = 0

    def pass_rows(self, landing: Landing) -> Iterator[pa.RecordBatch]:
        for block in landing.blocks():
            for row in block.rejected:
                self.keep(row)
            self.warnings += block.warnings
            yield block.rows

    def keep(self, row: RejectedRow) -> None:
        self.file.write(json.dumps([row.line, list(row.cells), [f.to_json() for f in row.findings]]) + "\n")
        self.count += 1

    def rows(self) -> Iterator[csv_rows.KeptRow]:
        self.file.seek(0)
        for text in self.file:
            line, cells, findings = json.loads(text)
            yield line, cells, findings


def load_file(
    conn: psycopg.Connection[Any], deployment: Deployment, connection: SftpConnection, file: LedgerFile
) -> None:
    """Validate one archived file and load its rows, rejects and verdict; older contents of the name are withdrawn.

    Raises FailedReadingError; the caller then rolls back.
    """
    table, landing = _land(deployment, connection, file)
    for older in ledger.replace_older(conn, file):
        if older.is_pruned:
            restore_rows(conn, deployment.archive, connection, older)
        csv_rows.clear_file(conn, connection.name, table, older.id)
    if file.is_loaded:
        csv_rows.clear_file(conn, connection.name, table, file.id)
    else:
        csv_rows.clear_verdict(conn, file.id)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as spool_file:
        spool = _Spool(spool_file)
        try:
            csv_rows.copy_rows(conn, table, file.id, spool.pass_rows(landing), landing.header.fields)
            _withdraw_duplicates(conn, table, file, landing, spool)
        except FileFailed as failed:
            raise FailedReadingError(file, failed.findings) from failed
        _require_one_key(conn, connection, file, landing)
        if spool.count:
            csv_rows.add_rejected(conn, file.id, spool.rows())
        file_verdicts.add_findings(conn, file.id, map(finding_row, spool.warnings))
    file_verdicts.record_valid(conn, file.id, _verdict(landing), loaded=True)


def judge_file(
    conn: psycopg.Connection[Any], deployment: Deployment, connection: SftpConnection, file: LedgerFile
) -> None:
    """Read one archived file for its verdict and rejects; no row is loaded. Raises FailedReadingError."""
    _, landing = _land(deployment, connection, file)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as spool_file:
        spool = _Spool(spool_file)
        try:
            for _ in spool.pass_rows(landing):
                pass
            for row in landing.duplicates():
                spool.keep(row)
        except FileFailed as failed:
            raise FailedReadingError(file, failed.findings) from failed
        _require_one_key(conn, connection, file, landing)
        conn.execute("DELETE FROM sftp_csv.rejected_rows WHERE file_id = %s", [file.id])
        file_verdicts.clear_findings(conn, file.id)
        csv_rows.add_rejected(conn, file.id, spool.rows())
        file_verdicts.add_findings(conn, file.id, map(finding_row, spool.warnings))
    file_verdicts.record_valid(conn, file.id, _verdict(landing), loaded=False)


def key_fault(own: str | None, expected: str) -> Finding:
    """Return what is wrong with a link file whose rows are keyed otherwise than its connection's (model 2)."""
    with_id, without = "with an id of their own", "by the two documents they join"
    message = (
        f"the rows of this file are keyed {with_id if own == 'id' else without}, those of this connection"
        f" {with_id if expected == 'id' else without}; send them one way"
    )
    return Finding(None, "id", None, Code.BAD_HEADER, message)


def _land(deployment: Deployment, connection: SftpConnection, file: LedgerFile) -> tuple[CsvTable, Landing]:
    table = TABLES[TableName(str(file.type))]
    sha256 = str(file.sha256)
    options = landing_options(connection, connection.max_file_bytes)
    try:
        return table, land(lambda: deployment.archive.open(sha256), table, options)
    except FileFailed as failed:  # a fault of the header is found before the first row is asked for
        raise FailedReadingError(file, failed.findings) from failed


def _require_one_key(
    conn: psycopg.Connection[Any], connection: SftpConnection, file: LedgerFile, landing: Landing
) -> None:
    """Fail a link file that keys its rows otherwise than this connection does (model 2: one of the two)."""
    own = landing.link_keyed_by
    if own is None:
        return
    link_keys.note_key(conn, file.id, own)
    expected = link_keys.key_of(conn, connection.name, connection.allocation_key) or own
    if own != expected:
        raise FailedReadingError(file, [key_fault(own, expected)], own)


def _withdraw_duplicates(
    conn: psycopg.Connection[Any], table: CsvTable, file: LedgerFile, landing: Landing, spool: _Spool
) -> None:
    lines = []
    for row in landing.duplicates():
        lines.append(row.line)
        spool.keep(row)
    if lines:
        csv_rows.withdraw_lines(conn, table, file.id, lines)


def _verdict(landing: Landing) -> file_verdicts.Verdict:
    summary, header = landing.summary, landing.header
    return file_verdicts.Verdict(
        summary.rows_read,
        summary.rows_accepted,
        summary.rows_rejected,
        summary.warnings,
        {str(code): number for code, number in summary.code_counts.items()},
        file_verdicts.money_as_text(summary.money_totals),
        list(header.fields),
        list(header.extra_columns),
        list(header.names),
        landing.link_keyed_by,
    )
