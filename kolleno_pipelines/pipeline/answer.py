"""Answering the sender: result files into the feedback folder, processed files into the archive folder. Off by default.

Nothing on the server is written, moved or deleted unless the connection names these folders.
"""

import csv
import io
from collections.abc import Iterable

import psycopg

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.connectors.errors import Changed, Permanent
from kolleno_pipelines.connectors.folders.drop import Drop
from kolleno_pipelines.connectors.sftp.client import open_drop
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.schemas.codes import Code, level_of
from kolleno_pipelines.schemas.escapes import escape
from kolleno_pipelines.schemas.findings import shown
from kolleno_pipelines.storage import answers, csv_rows, file_verdicts, traces, turns
from kolleno_pipelines.storage.file_verdicts import FindingRow
from kolleno_pipelines.storage.ledger import LedgerFile

_COLUMNS = ("line", "column", "code", "message")
_MOST_WAITING = 100_000


def answer(deployment: Deployment, connection: SftpConnection) -> list[str]:
    """Tell the sender about each file with a new verdict; returns the names answered. Raises ConnectorError.

    No transaction is open while the server is talked to.
    """
    if not (connection.feedback_folder or connection.archive_folder):
        return []
    with deployment.transaction() as conn:
        files = answers.unanswered(conn, connection.name)
    if not (files or connection.archive_folder):
        return []
    with open_drop(connection, deployment.resolve) as drop:
        for file in files:
            _tell(deployment, connection, drop, file)
        if connection.archive_folder:
            _move_processed(deployment, connection, drop, connection.archive_folder)
    return [file.name for file in files]


def _tell(deployment: Deployment, connection: SftpConnection, drop: Drop, file: LedgerFile) -> None:
    """Put the result of a file. It counts as told unless a fold has made it another one by the time it lies there."""
    result = None
    if connection.feedback_folder:
        with deployment.transaction() as conn:
            result = _result(conn, file)
        drop.put_atomically(connection.feedback_folder, f"{file.name}.result.csv", result)
    with deployment.transaction() as conn:
        turns.hold_off_folds(conn, connection.name)
        if result is None or _result(conn, file) == result:
            answers.note_answered(conn, file)


def _move_processed(deployment: Deployment, connection: SftpConnection, drop: Drop, folder: str) -> None:
    """Move what is processed, and lies there as it was taken, to the archive folder."""
    listed = {entry.name: entry for entry in drop.listing(with_root=False).entries}
    with deployment.transaction() as conn:
        files = answers.to_move(conn, connection.name, listed)
    for file in files:
        entry = listed[file.name]
        if (entry.size, entry.modified_at) != file.content_seen:
            continue
        try:
            drop.move(entry, folder)
        except (Changed, Permanent):
            continue  # replaced meanwhile, or already there: the next look decides
        with deployment.transaction() as conn:
            answers.note_moved_away(conn, file.id)


def _result(conn: psycopg.Connection[object], file: LedgerFile) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for finding in _findings(conn, file):
        cells = (str(finding.line or ""), finding.column or "", finding.code, finding.message)
        writer.writerow([escape(cell) for cell in cells])
    return out.getvalue().encode()


def _findings(conn: psycopg.Connection[object], file: LedgerFile) -> Iterable[FindingRow]:
    """Yield what was found in a file, the rows rejected, and the rows that wait with whom they wait for."""
    yield from file_verdicts.findings_of(conn, file.id)
    for line, _, findings in csv_rows.rejected_rows(conn, file.id):
        for f in findings:
            yield FindingRow(line, f.get("column"), f.get("value"), f["code"], f["level"], f["message"])
    for row in traces.waiting_in_file(conn, file.id, _MOST_WAITING):
        column = f"{row.parent_table.removesuffix('s')}_id"
        cause = f": {row.cause}" if row.cause else ""
        message = f"waits for {column} '{shown(row.parent_id)}', which has not come{cause}; it loads by itself then"
        yield FindingRow(row.line, column, row.parent_id, row.code, level_of(Code(row.code)), message)
