"""Extracting: what a system answers lands in the archive as it came, part by part, with a row in the ledger for each.

Nothing is normalised here. A part is committed before the next is asked for: what stops in the middle goes on there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from kolleno_pipelines.connectors.contract import Extract, Pass, Record, RecordSource, Window
from kolleno_pipelines.connectors.errors import Retryable
from kolleno_pipelines.pipeline.clock import Clock, utc_now
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.storage import extracts, watermarks
from kolleno_pipelines.storage.extracts import ExtractRow, Landed
from kolleno_pipelines.storage.failpoints import reach

#: A modified time is set before its transaction is seen by others: what is read overlaps by so much.
OVERLAP = timedelta(minutes=10)
_PART_RECORDS, _PART_BYTES = 5_000, 16 * 1024 * 1024


@dataclass
class Extracted:
    """What one reading landed; `stopped` says why it ended early, and when it may go on, if it did."""

    parts: list[ExtractRow] = field(default_factory=list)
    stopped: Retryable | None = None

    @property
    def records(self) -> int:
        """Payloads received."""
        return sum(part.records for part in self.parts)


@dataclass(frozen=True)
class Reading:
    """Whose extract is read from where, for which run."""

    deployment: Deployment
    connection: str
    source: RecordSource
    extract: Extract
    run_id: str | None = None
    clock: Clock = utc_now


def extract_changes(reading: Reading, *, since: datetime | None = None) -> Extracted:
    """Read what changed since the last time, all of it the first time (or from `since`), and move the watermark.

    The watermark is the newest modified time received, never past the moment at which the reading began. A source that
    asks to wait (a day limit) ends the reading cleanly; the next one goes on where this one stopped.
    """
    began = reading.clock()
    name, extract = reading.connection, reading.extract.name
    with reading.deployment.transaction() as conn:
        reached = watermarks.watermark(conn, name, extract, Pass.CHANGES.value)
    window = Window(Pass.CHANGES, reached - OVERLAP if reached else since, began)
    done = Extracted()
    try:
        for part in _parts(reading.source.records(reading.extract, window)):
            done.parts.append(_land(reading, window, part, began.date(), reached=_newest(part, began)))
    except Retryable as stopped:
        if stopped.retry_after is None:
            raise
        done.stopped = stopped
    return done


def extract_days(reading: Reading, first: date, last: date) -> Extracted:
    """Read what was modified on the days [first, last] once more, day by day; the watermark stays where it is."""
    began = reading.clock()
    done = Extracted()
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        opens = datetime.combine(day, time.min, UTC)
        if opens > began:
            break
        window = Window(Pass.CHANGES, opens, min(opens + timedelta(days=1), began))
        done.parts += [
            _land(reading, window, part, day) for part in _parts(reading.source.records(reading.extract, window))
        ]
    return done


def _parts(records: Iterator[Record]) -> Iterator[list[Record]]:
    part: list[Record] = []
    size = 0
    for record in records:
        part.append(record)
        size += len(record.payload)
        if len(part) >= _PART_RECORDS or size >= _PART_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _newest(part: list[Record], began: datetime) -> datetime | None:
    stated = [record.modified_at for record in part if record.modified_at is not None]
    return min(max(stated), began) if stated else None


def _land(
    reading: Reading, window: Window, part: list[Record], day: date, *, reached: datetime | None = None
) -> ExtractRow:
    """Archive a part, then give it its row and move the watermark in one transaction."""
    with reading.deployment.archive.writer() as writer:
        for record in part:
            writer.write(record.payload + b"\n")
    digest = writer.close()
    reach("archived")
    landed = Landed(
        connection=reading.connection,
        extract=reading.extract.name,
        pass_=window.pass_.value,
        partition_day=day,
        observed_at=window.until,
        sha256=digest.sha256,
        size=digest.size,
        records=len(part),
        window_from=window.after,
        window_to=window.until,
        newest_modified_at=_newest(part, window.until),
        run_id=reading.run_id,
    )
    with reading.deployment.transaction() as conn:
        row = extracts.note_landed(conn, landed)
        if reached is not None:
            watermarks.move_watermark(conn, reading.connection, reading.extract.name, window.pass_.value, reached)
    reach("landed")
    return row
