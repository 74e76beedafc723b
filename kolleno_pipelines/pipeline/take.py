"""Taking files: from the drop folder into the archive and the ledger, byte for byte. Nothing is parsed here."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

import psycopg

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.connectors.errors import Changed, Permanent
from kolleno_pipelines.connectors.folders.drop import Drop
from kolleno_pipelines.connectors.sftp.client import open_drop
from kolleno_pipelines.pipeline.clock import Clock, utc_now
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.look import Candidate, Look, Notice, look
from kolleno_pipelines.schemas.codes import Code, level_of
from kolleno_pipelines.schemas.findings import Finding
from kolleno_pipelines.storage import file_verdicts, ledger
from kolleno_pipelines.storage.arrivals import Arrival, add_file
from kolleno_pipelines.storage.failpoints import reach

Progress = Callable[[str], None]
_NOTICES_AT_ONCE = 500


@dataclass
class Taken:
    """What one taking did: ledger ids of new contents, names noticed, names left for the next look."""

    file_ids: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    days: set[date] = field(default_factory=set)
    duplicates: list[str] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    settling: list[str] = field(default_factory=list)
    bytes: int = 0


def take(
    deployment: Deployment,
    connection: SftpConnection,
    *,
    days: Collection[date] | None = None,
    second_look: bool = False,
    run_id: str | None = None,
    clock: Clock = utc_now,
    progress: Progress = lambda _: None,
) -> Taken:
    """Take every complete new file (of `days`, else of all days) into the archive and the ledger.

    With `second_look` it waits `settle` and looks again where younger files were seen. Each file is recorded by itself:
    a crash leaves no half file and the next taking goes on. Raises ConnectorError when the folder cannot be listed.
    """
    with open_drop(connection, deployment.resolve) as drop:
        seen = look(deployment, connection, drop, clock=clock)
        if second_look and seen.settling:
            progress(f"{len(seen.settling)} files are younger than a minute; looking again")
            time.sleep(connection.settle.total_seconds() + 0.1)
            seen = look(deployment, connection, drop, clock=clock)
        taken = Taken(settling=list(seen.settling))
        record_notices(deployment, connection, seen)
        taken.notices = seen.notices
        # Batch by batch, so that what a lost connection leaves in the archive is whole batches.
        for candidate in sorted(seen.candidates, key=lambda c: (c.file_name.name_time, c.entry.name)):
            if days is None or candidate.day in days:
                progress(candidate.entry.name)
                _take_one(deployment, connection, drop, candidate, taken, run_id)
    return taken


def finding_row(finding: Finding) -> file_verdicts.FindingRow:
    """Return a finding of validation as the ledger stores it."""
    return file_verdicts.FindingRow(
        finding.line, finding.column, finding.value, finding.code, level_of(finding.code), finding.message
    )


def record_notices(deployment: Deployment, connection: SftpConnection, seen: Look) -> None:
    """Write names that are not taken into the ledger, each with its reason."""
    for start in range(0, len(seen.notices), _NOTICES_AT_ONCE):
        with deployment.transaction() as conn:
            for notice in seen.notices[start : start + _NOTICES_AT_ONCE]:
                _note(conn, connection, notice, seen.looked_at)


def _note(
    conn: psycopg.Connection[Any], connection: SftpConnection, notice: Notice, now: datetime, type_: str | None = None
) -> bool:
    """Write one name that is not taken; `type_` is set for one that could not be read. Tells whether that is new."""
    day, status = now.date(), notice.status
    arrival = Arrival(notice.name, type_, None, 0, notice.size, notice.modified_at, day, None, status, notice.message)
    finding = file_verdicts.FindingRow(None, None, None, notice.code, level_of(notice.code), notice.message)
    known = ledger.files_named(conn, notice.name, connection.name)
    is_new = not known or (known[-1].status, known[-1].message) != (status, notice.message)
    file_id = add_file(conn, connection.name, arrival)
    if file_id is not None:
        file_verdicts.add_findings(conn, file_id, [finding])
    return is_new


def _take_one(
    deployment: Deployment,
    connection: SftpConnection,
    drop: Drop,
    candidate: Candidate,
    taken: Taken,
    run_id: str | None,
) -> None:
    entry, parsed = candidate.entry, candidate.file_name
    size = entry.size or 0
    arrival = Arrival(
        entry.name, parsed.type.value, parsed.name_time, parsed.fix, size, entry.modified_at, candidate.day
    )
    if size > connection.max_file_bytes:
        _fail_too_large(deployment, connection, arrival, run_id)
        return
    try:
        with deployment.archive.writer() as writer:
            drop.download(entry, writer)
    except Changed:
        taken.settling.append(entry.name)
        return
    except Permanent as error:
        notice = Notice(entry.name, Code.UNEXPECTED_NAME, str(error), size, entry.modified_at)
        with deployment.transaction() as conn:
            if _note(conn, connection, notice, utc_now(), parsed.type.value):
                taken.notices.append(notice)
        return
    reach("archive_written")
    arrival = replace(arrival, size=writer.size, sha256=writer.sha256)
    _record(deployment, connection, arrival, candidate.warning, taken, run_id)


def _record(
    deployment: Deployment,
    connection: SftpConnection,
    arrival: Arrival,
    warning: Finding | None,
    taken: Taken,
    run_id: str | None,
) -> None:
    """Write an archived content into the ledger; one that is there already is noted as such."""
    with deployment.transaction() as conn:
        file_id = add_file(conn, connection.name, arrival, run_id)
        if file_id is None:
            ledger.note_duplicate(conn, connection.name, arrival.name)
        elif warning is not None:
            file_verdicts.add_findings(conn, file_id, [finding_row(warning)])
    reach("ledger_row")
    taken.bytes += arrival.size
    if file_id is None:
        taken.duplicates.append(arrival.name)
        return
    taken.file_ids.append(file_id)
    taken.names.append(arrival.name)
    taken.days.add(arrival.partition_day)


def _fail_too_large(deployment: Deployment, connection: SftpConnection, arrival: Arrival, run_id: str | None) -> None:
    message = (
        f"{arrival.name} has {arrival.size:,} bytes; this connection takes at most {connection.max_file_bytes:,}."
        " Split the file, or raise max_file_bytes in connections.yaml."
    )
    finding = file_verdicts.FindingRow(None, None, None, Code.TOO_LARGE, level_of(Code.TOO_LARGE), message)
    unread = replace(arrival, sha256=f"{ledger.NOT_FETCHED}: {arrival.size} bytes", status="failed")
    with deployment.transaction() as conn:
        file_id = add_file(conn, connection.name, unread, run_id)
        if file_id is not None:
            file_verdicts.record_failed(conn, file_id, [finding])
