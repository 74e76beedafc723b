"""Looking at a drop folder: list, remember, compare, decide what is complete and new. Nothing is downloaded here."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.connectors.errors import ConnectorError
from kolleno_pipelines.connectors.folders.drop import Drop, Entry, Listing
from kolleno_pipelines.connectors.sftp.names import FileName, Standing, classify, looks_like_ours, partition_day
from kolleno_pipelines.pipeline.batches import as_batch_file
from kolleno_pipelines.pipeline.clock import Clock, utc_now
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.rules.arrivals import Arrived, due_days, is_complete, is_new
from kolleno_pipelines.rules.batches import BatchFile, BatchState, group
from kolleno_pipelines.schemas.codes import CODE_TEXTS, Code
from kolleno_pipelines.schemas.findings import Finding
from kolleno_pipelines.storage import batches as batch_store
from kolleno_pipelines.storage import ledger, sightings, standing
from kolleno_pipelines.storage.ledger import LedgerFile

PATIENCE = timedelta(minutes=2)


@dataclass(frozen=True)
class Candidate:
    """A complete, readable file of ours whose content the ledger does not hold yet."""

    entry: Entry
    file_name: FileName
    day: date
    complete_since: datetime
    warning: Finding | None = None


@dataclass(frozen=True)
class Notice:
    """A name that is not taken, with the code that says why."""

    name: str
    code: Code
    message: str
    size: int
    modified_at: datetime | None

    @property
    def status(self) -> str:
        """Its status in the ledger: a name dated ahead is held until then."""
        return "held" if self.code is Code.DATED_IN_FUTURE else "ignored"


@dataclass
class Look:
    """What one look saw: files to take, names to notice, files still settling or held."""

    looked_at: datetime
    candidates: list[Candidate] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    settling: list[str] = field(default_factory=list)
    listed: int = 0


def look(
    deployment: Deployment,
    connection: SftpConnection,
    drop: Drop,
    *,
    retry_after: timedelta | None = None,
    clock: Clock = utc_now,
) -> Look:
    """List the drop folder once and compare it with the ledger; raises ConnectorError when it cannot be listed.

    A file that could not be read may be readable now (rights change neither size nor time): it is tried again at once,
    or `retry_after` the last attempt.
    """
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
    for sighting in seen:
        known = taken.get(sighting.name)
        if is_new(sighting, known.content_seen if known else None) or _may_be_taken_now(
            known, connection, now - retry_after if retry_after else None
        ):
            complete = is_complete(sighting, listing.server_now, connection.settle)
            _sort(result, connection, deployment.settings.first_day, readable[sighting.name], complete, known)
    _notice_unreadable(result, listing, {name for name, file in taken.items() if file.sha256})
    result.notices = [n for n in result.notices if not _is_noted(taken.get(n.name), n)]
    return result


def _may_be_taken_now(known: LedgerFile | None, connection: SftpConnection, tried_before: datetime | None) -> bool:
    """Tell whether a content not taken may be taken now: it was too early, misplaced, too large, or not to be read."""
    if known is None:
        return False
    if known.status in {"held", "ignored"}:
        return known.type is None or tried_before is None or known.taken_at <= tried_before
    too_large = known.sha256 is not None and not known.is_fetched
    return too_large and known.size <= connection.max_file_bytes


def _is_noted(known: LedgerFile | None, notice: Notice) -> bool:
    return known is not None and known.status == notice.status


def _sort(
    result: Look,
    connection: SftpConnection,
    first_day: date,
    entry: Entry,
    complete: bool,
    known: LedgerFile | None,
) -> None:
    """Put one new file among the candidates, the notices or those that still settle."""
    named = classify(entry.name, now=result.looked_at, first_day=first_day, timezone=connection.timezone)
    if named.standing is Standing.UNFINISHED:
        return
    if named.standing is not Standing.READY or named.file is None:
        if named.finding is not None:
            size = entry.size or 0
            notice = Notice(entry.name, named.finding.code, named.finding.message, size, entry.modified_at)
            result.notices.append(notice)
    elif not complete:
        result.settling.append(entry.name)
    else:
        day = partition_day(named.file.name_time, result.looked_at.date())
        if known is not None and known.sha256 is not None:
            day = min(day, known.partition_day)
        since = entry.modified_at or result.looked_at
        result.candidates.append(Candidate(entry, named.file, day, since, named.finding))


def _notice_unreadable(result: Look, listing: Listing, taken: Collection[str]) -> None:
    """Notice what can never be read under its name, and files of ours beside the folder instead of in it."""
    for entry in listing.entries:
        why = entry.name_fault
        if why is None and looks_like_ours(entry.exact) and not (entry.is_file and entry.size is not None):
            why = "it is not a regular file (links are not followed)"
        if why is None and looks_like_ours(entry.exact) and entry.modified_at is None:
            why = "the server states no time of change for it, so that nobody knows when it is complete"
        if why is not None and (entry.is_file or looks_like_ours(entry.exact)):
            message = f"{entry.name} is not read: {why}. The sender must rename or replace it."
            result.notices.append(Notice(entry.name, Code.UNEXPECTED_NAME, message, entry.size or 0, entry.modified_at))
    inside = {entry.name for entry in listing.entries}
    for entry in listing.misplaced:
        # A file of that name may be in the drop folder too: what is noted of this one must not pass for that one.
        name = f"/{entry.name}" if entry.name in inside or entry.name in taken else entry.name
        text = CODE_TEXTS[Code.WRONG_FOLDER]
        message = f"{name} is not taken: {text.meaning}. {text.next_step}"
        result.notices.append(Notice(name, Code.WRONG_FOLDER, message, entry.size or 0, entry.modified_at))


def days_due(deployment: Deployment, connection: SftpConnection, seen: Look) -> dict[date, list[str]]:
    """Return the days for which a run should start now, with the file names that are the reason.

    Membership is computed as if the candidates had been taken; files taken but not loaded count as well, and files that
    failed and whose rows the fold has not let go, so that a run that died is followed by another.
    """
    with deployment.transaction() as conn:
        known = standing.standing_contents(conn, connection.name)
        withdrawn = standing.withdrawn(conn, connection.name)
        released = batch_store.decided_names(conn, connection.name, "release")
        skipped = batch_store.decided_names(conn, connection.name, "skip")
    new = {c.entry.name: c for c in seen.candidates}
    moments = {_moment(c.file_name.type, c.file_name.name_time, c.file_name.fix) for c in seen.candidates}
    replaced = {m for f in known if (m := _moment(f.type, f.name_time, f.fix)) in moments}
    known = [f for f in known if _moment(f.type, f.name_time, f.fix) not in moments]
    files = [as_batch_file(f) for f in known]
    files += [BatchFile(name, c.file_name.type, c.file_name.name_time, c.file_name.fix) for name, c in new.items()]
    groups = group(files, window=connection.batch_window, released=released, skipped=skipped)
    ready = {f.name for g in groups if g.state in {BatchState.COMPLETE, BatchState.RELEASED} for f in g.loadable}
    arrived = [
        Arrived(
            name,
            c.day,
            urgent=name in ready or _moment(c.file_name.type, c.file_name.name_time, c.file_name.fix) in replaced,
            complete_since=c.complete_since,
        )
        for name, c in new.items()
    ]
    left = [*(f for f in known if _left_over(f, f.name in ready)), *withdrawn]
    arrived += [Arrived(f.name, f.partition_day, urgent=True, complete_since=f.taken_at) for f in left]
    return due_days(arrived, seen.looked_at, PATIENCE)


def _moment(type_: object, name_time: datetime | None, fix: int) -> tuple[str, datetime | None, int]:
    """Return what `-` and `:` spellings of a name have in common."""
    return str(type_), name_time, fix


def _left_over(file: LedgerFile, in_ready_batch: bool) -> bool:
    """Tell whether a taken file still waits for work: its verdict, its load or its fold."""
    if file.status == "taken":
        return True
    return in_ready_batch and (not file.is_loaded or not file.is_folded) and file.status != "failed"
