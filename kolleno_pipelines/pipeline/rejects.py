"""Exporting a file's rejected rows, so that its sender corrects and uploads them. Nothing is rejected here."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.connectors.sftp.names import FileName, fix_name, parse_name
from kolleno_pipelines.connectors.sftp.rejects import export_rejects
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.file_views import file_view
from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.findings import Finding, RejectedRow
from kolleno_pipelines.storage import csv_rows, ledger


class NothingToExportError(Exception):
    """The file has no rejected rows; the text says what it has instead."""


@dataclass(frozen=True)
class ExportedRejects:
    """Where the rows went, how many, and the name under which they should be uploaded again."""

    path: Path
    rows: int
    upload_as: str


def write_rejects(deployment: Deployment, connection: SftpConnection, name: str, out: Path) -> ExportedRejects:
    """Write the rejected rows of the newest content of `name` to `out`; a folder gets the proper name.

    The name for the upload is `<type>_<origin time>.fixN.csv`, N one more than that of the origin and of every fix
    received for it: a second export never replaces the first one's corrections. Raises
    NoSuchFileError, NothingToExportError, OSError.
    """
    file = file_view(deployment, connection, name, limit=0).file
    parsed = parse_name(file.name, timezone=connection.timezone)
    if not file.rows_rejected or not isinstance(parsed, FileName):
        raise NothingToExportError(_why_nothing(file.status, name))
    with deployment.transaction() as conn:
        upload_as = fix_name(parsed, ledger.last_fix(conn, file) + 1)
    path = out / upload_as if out.is_dir() else out
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as target:
            for line in export_rejects(file.header or [], _rows(deployment, file.id)):
                target.write(line)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return ExportedRejects(path, file.rows_rejected, upload_as)


def _rows(deployment: Deployment, file_id: int) -> Iterator[RejectedRow]:
    with deployment.transaction() as conn:
        for line, cells, findings in csv_rows.rejected_rows(conn, file_id):
            reasons = [
                Finding(f.get("line"), f.get("column"), f.get("value"), Code(f["code"]), f["message"]) for f in findings
            ]
            yield RejectedRow(line, "", cells, reasons)


def _why_nothing(status: str, name: str) -> str:
    if status == "failed":
        return (
            f"{name} failed as a whole, so it has no rejected rows: kolleno files show {name} says why; send it again."
        )
    return f"{name} has no rejected rows."
