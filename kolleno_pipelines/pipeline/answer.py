"""Answering the sender: result files into the feedback folder, processed files into the archive folder. Off by default.

Nothing on the server is written, moved or deleted unless the connection names these folders.
"""

import csv
import io
from collections.abc import Iterable

import psycopg

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.connectors.errors import Changed, Permanent
from kolleno_pipelines.connectors.sftp.client import open_drop
from kolleno_pipelines.connectors.sftp.drop import Drop
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.storage import csv_rows, ledger
from kolleno_pipelines.storage.ledger import FindingRow, LedgerFile

_COLUMNS = ("line", "column", "code", "message")


def answer(deployment: Deployment, connection: SftpConnection) -> list[str]:
    """Tell the sender about each file with a new verdict; returns the names answered. Raises ConnectorError."""
    if not (connection.feedback_folder or connection.archive_folder):
        return []
    with deployment.transaction() as conn:
        files = ledger.unanswered(conn, connection.name)
    answered: list[str] = []
    if not files:
        return answered
    with open_drop(connection, deployment.resolve) as drop:
        listed = {entry.name: entry for entry in drop.listing(with_root=False).entries}
        for file in files:
            with deployment.transaction() as conn:
                if connection.feedback_folder:
                    drop.put_atomically(connection.feedback_folder, f"{file.name}.result.csv", _result(conn, file))
                entry = listed.get(file.name)
                same = entry is not None and (entry.size, entry.modified_at) == file.content_seen
                if connection.archive_folder and entry is not None and same and file.status != "failed":
                    _move(drop, entry, connection.archive_folder, conn, file)
                ledger.note_answered(conn, file.id)
            answered.append(file.name)
    return answered


def _move(drop: Drop, entry: object, folder: str, conn: psycopg.Connection[object], file: LedgerFile) -> None:
    try:
        drop.move(entry, folder)  # type: ignore[arg-type]
    except (Changed, Permanent):
        return  # replaced meanwhile, or already there: the next look decides
    ledger.note_moved_away(conn, file.id)


def _result(conn: psycopg.Connection[object], file: LedgerFile) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for finding in _findings(conn, file):
        writer.writerow([finding.line or "", finding.column or "", finding.code, finding.message])
    return out.getvalue().encode()


def _findings(conn: psycopg.Connection[object], file: LedgerFile) -> Iterable[FindingRow]:
    yield from ledger.findings_of(conn, file.id)
    for line, _, findings in csv_rows.rejected_rows(conn, file.id):
        for f in findings:
            yield FindingRow(line, f.get("column"), f.get("value"), f["code"], f["level"], f["message"])
