"""Received files as an operator looks at them: the list, one file with everything said about it, its rejected rows.

Nothing is changed here, and no file is read again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from typing import Any

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.storage import csv_rows, file_verdicts, ledger, traces
from kolleno_pipelines.storage.file_verdicts import FindingRow
from kolleno_pipelines.storage.ledger import LedgerFile
from kolleno_pipelines.storage.traces import Waiting

__all__ = ["FileView", "LedgerFile", "NoSuchFileError", "file_view", "files_of"]

STATUSES = (
    "held",
    "ignored",
    "taken",
    "waiting",
    "loaded",
    "processed",
    "processed_with_rejects",
    "failed",
    "replaced",
    "skipped",
)


class NoSuchFileError(Exception):
    """No file of that name was ever seen; the text names similar ones."""


@dataclass(frozen=True)
class RejectedView:
    """One rejected row: its physical line, its cells as sent, every reason."""

    line: int
    cells: list[str]
    findings: list[dict[str, Any]]


@dataclass
class FileView:
    """The newest content of a name and the older ones; lists are cut at the limit, the counts in `file` never."""

    file: LedgerFile
    older: list[LedgerFile] = field(default_factory=list)
    findings: list[FindingRow] = field(default_factory=list)
    rejected: list[RejectedView] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the shape of `kolleno files show --json`."""
        return {
            **vars(self.file),
            "findings": [vars(each) for each in self.findings],
            "rejected": [vars(each) for each in self.rejected],
            "waiting": [vars(each) for each in self.waiting],
            "older": [vars(each) for each in self.older],
        }


def files_of(
    deployment: Deployment,
    connection: SftpConnection,
    *,
    first: date = date.min,
    last: date = date.max,
    statuses: Collection[str] = (),
) -> list[LedgerFile]:
    """Return the received contents of the days [first, last], in order of their names' time; names without one last."""
    with deployment.transaction() as conn:
        files = ledger.files_of_days(conn, connection.name, first, last)
    return [each for each in files if not statuses or each.status in statuses]


def file_view(deployment: Deployment, connection: SftpConnection, name: str, *, limit: int = 100) -> FileView:
    """Return the newest content received under a name with what was found. Raises NoSuchFileError."""
    with deployment.transaction() as conn:
        contents = ledger.files_named(conn, name, connection.name)
        if not contents:
            known = [each.name for each in ledger.newest_files(conn, connection.name)]
            near = ", ".join(get_close_matches(name, known, n=3))
            hint = f"; similar: {near}" if near else "; kolleno files lists what was"
            raise NoSuchFileError(f"No file {name} was ever seen in the drop folder of {connection.name}{hint}.")
        view = FileView(contents[-1], contents[:-1])
        view.findings = file_verdicts.findings_of(conn, view.file.id)[:limit]
        view.waiting = traces.waiting_in_file(conn, view.file.id, limit)
        rows = csv_rows.rejected_rows(conn, view.file.id)
        view.rejected = [RejectedView(*row) for row, _ in zip(rows, range(limit), strict=False)]
    return view
