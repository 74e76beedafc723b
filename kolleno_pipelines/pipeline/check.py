"""Use case: validate CSV files offline, before they are uploaded. No database, no server, no clock of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, tzinfo
from functools import partial
from pathlib import Path
from typing import BinaryIO

from kolleno_pipelines.connectors.sftp.landing import DEFAULT_OPTIONS, Landing, LandingOptions, land
from kolleno_pipelines.connectors.sftp.names import FileName, Standing, classify
from kolleno_pipelines.pipeline.check_report import CheckReport, FileReport, FileStatus
from kolleno_pipelines.pipeline.known_parents import PARKING_CODES, AcceptedIds, KnownParents, orphan_findings
from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.findings import FileFailed, Finding, printable, shown
from kolleno_pipelines.schemas.sftp_tables import TABLES, TableName

Progress = Callable[[str, int], None]
_ORDER = {table: position for position, table in enumerate(TableName)}
# Without a clock no name is too new and none too old.
_END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)


class CouldNotCheckError(Exception):
    """A path that cannot be read: nothing can be said about it (exit code 2 of the command)."""


def check(
    paths: Iterable[Path | str],
    *,
    baseline: Path | str | None = None,
    max_findings: int = 1_000,
    timezone: str | tzinfo = UTC,
    options: LandingOptions = DEFAULT_OPTIONS,
    now: datetime | None = None,
    first_day: date = date.min,
    progress: Progress | None = None,
) -> CheckReport:
    """Validate files, or the files of folders (not of folders in them), and say what the pipeline would do with them.

    `baseline` is a folder of files sent before: with it, rows whose parent is neither there nor in the files checked
    are reported (`unknown_*`); a file of it that fails is reported too. `max_findings` cuts each file's list, never its
    counts. `now` (aware) lets names dated in the future be found. `progress` is called with a file's name and its rows
    so far. Raises CouldNotCheckError.
    """
    files = [_named(path, timezone, now, first_day, max_findings) for path in _files_of(paths)]
    _ignore_repeated(files)
    options = replace(options, max_findings=max_findings)
    known, lost = None, list[_File]()
    if baseline is not None:
        known = KnownParents()
        parents = [_named(path, timezone, None, date.min, max_findings) for path in _files_of([baseline])]
        for file in _in_order_of_dependence(parents):
            _read(file, options, known, progress)
        lost = [file for file in parents if file.report.status is FileStatus.FAILED]
    for file in _in_order_of_dependence(files):
        _read(file, options, known, progress)
    return CheckReport([file.report for file in (*lost, *files)])


@dataclass(slots=True)
class _File:
    """A path, what its name says, and the report on it."""

    path: Path
    name: FileName | None
    report: FileReport


def _files_of(paths: Iterable[Path | str]) -> list[Path]:
    """Return the files meant, in the order of their names."""
    files: list[Path] = []
    for path in map(Path, paths):
        try:
            if path.is_dir():
                files += [entry for entry in path.iterdir() if entry.is_file() and not entry.name.startswith(".")]
            elif path.is_file():
                files.append(path)
            else:
                msg = f"{printable(str(path))} is no file and no folder; name a CSV file or a folder of them"
                raise CouldNotCheckError(msg)
        except OSError as error:
            raise _unreadable(path, error) from error
    return sorted(dict.fromkeys(files), key=lambda path: (path.name, str(path)))


def _named(path: Path, timezone: str | tzinfo, now: datetime | None, first_day: date, max_findings: int) -> _File:
    """Return the file with a report that says what its name alone tells."""
    found = classify(path.name, now=now or _END_OF_TIME, first_day=first_day, timezone=timezone)
    report = FileReport(printable(path.name), found.file.type if found.file else None, max_findings)
    finding = found.finding
    if found.standing is Standing.UNFINISHED:
        message = f"'{shown(path.name)}' is named like a file still being written, expected its final name"
        finding = Finding(None, None, shown(path.name), Code.UNEXPECTED_NAME, message)
    if found.standing is not Standing.READY:
        report.ignore(finding)
    elif finding is not None:
        report.add([finding])
        report.codes[finding.code] += 1
    return _File(path, found.file, report)


def _ignore_repeated(files: list[_File]) -> None:
    """Ignore a file that says again what another of the same name, or the same spelled with `-`, says."""
    first: dict[str, _File] = {}
    for file in files:
        if file.name is None or file.report.status is not FileStatus.CLEAN:
            continue
        other = first.setdefault(file.name.canonical, file)
        if other is not file and _digest(other.path) == _digest(file.path):
            message = f"has the content of '{other.report.name}', of the same type and time; expected once"
            file.report.ignore(Finding(None, None, None, Code.DUPLICATE_CONTENT, f"'{file.report.name}' {message}"))


def _in_order_of_dependence(files: list[_File]) -> list[_File]:
    """Return the files to read, parents first."""
    read = [(file.name.type, file) for file in files if file.name and file.report.status is FileStatus.CLEAN]
    return [file for _, file in sorted(read, key=lambda pair: _ORDER[pair[0]])]


def _read(file: _File, options: LandingOptions, known: KnownParents | None, progress: Progress | None) -> None:
    """Land the file and report what was found in it."""
    report = file.report
    table = TABLES[TableName(report.type or "")]
    landing: Landing | None = None
    try:
        landing = land(partial(_open, file.path), table, options)
        accepted: list[AcceptedIds] = []
        for block in landing.blocks():
            for row in block.rejected:
                report.add(row.findings)
            report.add(block.warnings)
            if known is not None:
                accepted.append(AcceptedIds(block.rows))
                for reference, orphans in known.unknown(table, block.rows):
                    report.add(orphan_findings(block.rows, landing.header, reference, orphans))
                    report.codes[Code(reference.code)] += len(orphans)
            if progress is not None:
                progress(report.name, landing.rows_read)
        for row in landing.duplicates():
            report.add(row.findings)
        if known is not None:
            known.add(table.name, accepted, landing.withdrawn_lines)
        _conclude(report, landing)
    except FileFailed as failed:
        report.fail(failed.findings, landing.rows_read if landing else 0)
    except OSError as error:
        raise _unreadable(file.path, error) from error


def _conclude(report: FileReport, landing: Landing) -> None:
    summary = landing.summary
    report.rows_read, report.rows_accepted = summary.rows_read, summary.rows_accepted
    report.rows_rejected = summary.rows_rejected
    report.codes.update(summary.code_counts)
    report.findings.sort(key=lambda finding: finding.line or 0)
    if summary.rows_rejected or any(report.codes[code] for code in PARKING_CODES):
        report.status = FileStatus.REJECTS


def _open(path: Path) -> BinaryIO:
    return path.open("rb")


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> CouldNotCheckError:
    why = error.strerror or str(error)
    return CouldNotCheckError(f"{printable(str(path))} cannot be read ({why}); check its permissions")
