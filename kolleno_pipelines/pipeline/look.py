"""Looking at a drop folder: list, remember, compare, decide what is complete and new. Nothing is downloaded here."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.connectors.errors import ConnectorError
from kolleno_pipelines.connectors.sftp.drop import Drop, Entry, Listing
from kolleno_pipelines.connectors.sftp.names import FileName, Standing, classify, partition_day
from kolleno_pipelines.pipeline.batches import as_batch_file
from kolleno_pipelines.pipeline.clock import Clock, utc_now
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.rules.arrivals import Arrived, due_days, is_complete, is_new
from kolleno_pipelines.rules.batches import BatchFile, BatchState, group
from kolleno_pipelines.schemas.codes import CODE_TEXTS, Code
from kolleno_pipelines.schemas.findings import Finding
from kolleno_pipelines.storage import batches as batch_store
from kolleno_pipelines.storage import ledger, sightings

PATIENCE = timedelta(minutes=2)


@dataclass(frozen=True)
class Candidate:
    """A complete, readable file of ours whose content the ledger does not hold yet."""

    entry: Entry
    file_name: FileName
    day: date
    complete_since: datetime
    replaces: bool
    warning: Finding | None = None


@dataclass(frozen=True)
class Notice:
    """A name that is not taken, with the code that says why."""

    name: str
    code: Code
    message: str
    size: int
    modified_at: datetime | None


@dataclass
class Look:
    """What one look saw: files to take, names to notice, files still settling or held."""

    looked_at: datetime
    candidates: list[Candidate] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    settling: list[str] = field(default_factory=list)
    listed: int = 0


def look(deployment: Deployment, connection: SftpConnection, drop: Drop, *, clock: Clock = utc_now) -> Look:
    """List the drop folder once and compare it with the ledger; raises ConnectorError when it cannot be listed."""
    now = clock()
    try:
        listing = drop.listing()
    except ConnectorError as error:
        with deployment.transaction() as conn:
            sightings.record_blind_look(conn, connection.name, str(error), now)
        raise
    readable = {e.name: e for e in listing.entries if e.readable and e.size is not None and e.modified_at is not None}
    with deployment.transaction() as conn:
        rows = [(e.name, e.size or 0, e.modified_at or now) for e in readable.values()]
        seen = sightings.record_look(conn, connection.name, rows, now)
        taken = {f.name: f for f in ledger.newest_files(conn, connection.name)}
    result = Look(now, listed=len(listing.entries))
    contents = {name: f.content_seen for name, f in taken.items()}
    held = {name for name, f in taken.items() if f.status == "held"}
    for sighting in seen:
        if not is_new(sighting, contents) and sighting.name not in held:
            continue
        complete = is_complete(sighting, listing.server_now, connection.settle)
        replaces = sighting.name in taken and sighting.name not in held
        _sort(result, connection, deployment.settings.first_day, readable[sighting.name], complete, replaces)
    _notice_unreadable(result, listing)
    result.notices = [n for n in result.notices if contents.get(n.name) != (n.size, n.modified_at)]
    return result


def _sort(
    result: Look, connection: SftpConnection, first_day: date, entry: Entry, complete: bool, replaces: bool
) -> None:
    """Put one new file among the candidates, the notices or those that still settle."""
    named = classify(entry.name, now=result.looked_at, first_day=first_day, timezone=connection.timezone)
    if named.standing is Standing.UNFINISHED:
        return
    if not complete:
        result.settling.append(entry.name)
    elif named.standing is Standing.READY and named.file is not None:
        day = partition_day(named.file.name_time, result.looked_at.date())
        since = entry.modified_at or result.looked_at
        result.candidates.append(Candidate(entry, named.file, day, since, replaces, named.finding))
    elif named.finding is not None:
        result.notices.append(
            Notice(entry.name, named.finding.code, named.finding.message, entry.size or 0, entry.modified_at)
        )


def _notice_unreadable(result: Look, listing: Listing) -> None:
    for entry in listing.entries:
        if entry.is_file and entry.name_fault is not None:
            message = f"{entry.name} is not read: {entry.name_fault}. The sender must rename it."
            result.notices.append(Notice(entry.name, Code.UNEXPECTED_NAME, message, entry.size or 0, entry.modified_at))
    result.notices += [_notice(entry, Code.WRONG_FOLDER) for entry in listing.misplaced]


def _notice(entry: Entry, code: Code) -> Notice:
    text = CODE_TEXTS[code]
    message = f"{entry.name} is not taken: {text.meaning}. {text.next_step}"
    return Notice(entry.name, code, message, entry.size or 0, entry.modified_at)


def days_due(deployment: Deployment, connection: SftpConnection, seen: Look) -> dict[date, list[str]]:
    """Return the days for which a run should start now, with the file names that are the reason.

    Membership is computed as if the candidates had been taken; files taken but not loaded count as well, so that a run
    that died is followed by another.
    """
    with deployment.transaction() as conn:
        known = [f for f in ledger.newest_files(conn, connection.name) if f.type and f.name_time and f.sha256]
        released = batch_store.decided_names(conn, connection.name, "release")
        skipped = batch_store.decided_names(conn, connection.name, "skip")
    new = {c.entry.name: c for c in seen.candidates}
    files = [as_batch_file(f) for f in known if f.name not in new]
    files += [BatchFile(name, c.file_name.type, c.file_name.name_time, c.file_name.fix) for name, c in new.items()]
    groups = group(files, window=connection.batch_window, released=released, skipped=skipped)
    ready = {f.name for g in groups if g.state in {BatchState.COMPLETE, BatchState.RELEASED} for f in g.loadable}
    arrived = [
        Arrived(name, c.day, urgent=name in ready or c.replaces, complete_since=c.complete_since)
        for name, c in new.items()
    ]
    arrived += [
        Arrived(f.name, f.partition_day, urgent=True, complete_since=f.taken_at)
        for f in known
        if f.name not in new and _left_over(f, f.name in ready)
    ]
    return due_days(arrived, seen.looked_at, PATIENCE)


def _left_over(file: ledger.LedgerFile, in_ready_batch: bool) -> bool:
    """Tell whether a taken file still waits for work: its verdict, its load or its fold."""
    if file.status == "taken":
        return True
    return in_ready_batch and (not file.is_loaded or not file.is_folded) and file.status != "failed"
