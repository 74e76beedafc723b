"""What `check` found, file by file, as data and as JSON. How it is found does not belong here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Any

from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.findings import Finding
from kolleno_pipelines.schemas.sftp_tables import TableName


class FileStatus(StrEnum):
    """What would become of a file."""

    CLEAN = "clean"  # warnings alone leave a file clean
    REJECTS = "rejects"  # rows would be rejected or, where a baseline tells so, parked
    FAILED = "failed"
    IGNORED = "ignored"


@dataclass(slots=True)
class FileReport:
    """What was found in one file; `findings` are cut at `max_findings`, `codes` and the counts of rows are not.

    A failed file has accepted no row: `rows_read` says how far the reading came.
    """

    name: str
    type: TableName | None
    max_findings: int
    status: FileStatus = FileStatus.CLEAN
    rows_read: int = 0
    rows_accepted: int = 0
    rows_rejected: int = 0
    findings: list[Finding] = field(default_factory=list)
    codes: Counter[Code] = field(default_factory=Counter)

    def add(self, findings: Iterable[Finding]) -> None:
        """List findings while there is room; they are counted apart."""
        self.findings += islice(findings, max(0, self.max_findings - len(self.findings)))

    def fail(self, findings: Iterable[Finding], rows_read: int) -> None:
        """Fail the file: the reasons come first, what was found in rows before stays."""
        reasons = list(findings)
        self.status, self.rows_read = FileStatus.FAILED, rows_read
        self.findings = [*reasons, *self.findings][: self.max_findings]
        self.codes.update(finding.code for finding in reasons)

    def ignore(self, finding: Finding | None) -> None:
        """Ignore the file for what its name or its content as a whole says."""
        self.status = FileStatus.IGNORED
        if finding is not None:
            self.add([finding])
            self.codes[finding.code] += 1

    def to_json(self) -> dict[str, Any]:
        """Return the shape of `kolleno check --json`."""
        return {
            "name": self.name,
            "type": None if self.type is None else self.type.value,
            "status": self.status.value,
            "rows_read": self.rows_read,
            "rows_accepted": self.rows_accepted,
            "rows_rejected": self.rows_rejected,
            "findings": [finding.to_json() for finding in self.findings],
        }


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All files, in the order of their names."""

    files: list[FileReport]

    @property
    def has_findings(self) -> bool:
        """Whether someone must act, because a file is not clean (exit code 1 of the command)."""
        return any(file.status is not FileStatus.CLEAN for file in self.files)

    def to_json(self) -> dict[str, Any]:
        """Return the shape of `kolleno check --json`."""
        return {"files": [file.to_json() for file in self.files]}
