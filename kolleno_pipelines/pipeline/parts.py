"""How what a source yields lands: part by part in the archive as it came, a row in the ledger for each. No window.

A part is committed before the next is asked for: what stops in the middle goes on there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import psycopg

from kolleno_pipelines.connectors.contract import Extract, Record, RecordSource, Window
from kolleno_pipelines.connectors.errors import Retryable
from kolleno_pipelines.pipeline.clock import Clock, utc_now
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.storage import extracts, watermarks
from kolleno_pipelines.storage.archive import Digest
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
    finding: str | None = None

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
    lookback: timedelta = OVERLAP


def parts_of(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Cut records into parts that fit into memory. What came before the source asks to wait is a part too."""
    part: list[Record] = []
    size = 0
    try:
        for record in records:
            part.append(record)
            size += len(record.payload)
            if len(part) >= _PART_RECORDS or size >= _PART_BYTES:
                yield part
                part, size = [], 0
    except Retryable as stopped:
        if part and stopped.retry_after is not None:
            yield part
        raise
    if part:
        yield part


def newest(part: list[Record], began: datetime) -> datetime | None:
    """Return the newest modified time of a part, never past the moment at which the reading began."""
    stated = [record.modified_at for record in part if record.modified_at is not None]
    return min(max(stated), began) if stated else None


def land(
    reading: Reading,
    window: Window,
    part: list[Record],
    began: datetime,
    day: date,
    *,
    pass_: str | None = None,
    reached: datetime | None = None,
    also: Callable[[psycopg.Connection[Any]], None] | None = None,
) -> ExtractRow:
    """Archive a part, then give it its row, move the watermark and do what is `also` to be done in one transaction.

    It was observed when the reading began: never later than the state that it tells of.
    """
    digest = _archived(reading, part)
    reach("archived")
    landed = Landed(
        connection=reading.connection,
        extract=reading.extract.name,
        pass_=pass_ or window.pass_.value,
        partition_day=day,
        observed_at=began,
        sha256=digest.sha256,
        size=digest.size,
        records=len(part),
        window_from=window.after,
        window_to=window.until,
        newest_modified_at=newest(part, window.until),
        run_id=reading.run_id,
    )
    with reading.deployment.transaction() as conn:
        row = extracts.note_landed(conn, landed)
        if reached is not None:
            watermarks.move_watermark(conn, reading.connection, reading.extract.name, window.pass_.value, reached)
        if also is not None:
            also(conn)
    reach("landed")
    return row


def _archived(reading: Reading, part: list[Record]) -> Digest:
    """Put a part into the archive, a line each."""
    with reading.deployment.archive.writer() as writer:
        for record in part:
            writer.write(record.payload + b"\n")
    return writer.close()
