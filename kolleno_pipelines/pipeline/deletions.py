"""Deletions as a source tells of them, with a watermark of their own. What is concluded from absence is sweep.py."""

from __future__ import annotations

from datetime import datetime, timedelta

from kolleno_pipelines.connectors.contract import Pass, Window
from kolleno_pipelines.connectors.errors import Retryable
from kolleno_pipelines.pipeline.parts import Extracted, Reading, land, parts_of
from kolleno_pipelines.pipeline.repetitions import without_repetitions
from kolleno_pipelines.storage import readings, watermarks

_DELETIONS = Pass.DELETIONS.value
#: Clocks differ: what is nearly too long ago for the vendor counts as too long ago.
_MARGIN = timedelta(minutes=5)


def deletions_read_until(reading: Reading) -> datetime | None:
    """Return up to when deletions were read; None when they never were."""
    with reading.deployment.transaction() as conn:
        return watermarks.watermark(conn, reading.connection, reading.extract.name, _DELETIONS)


def first_received(reading: Reading) -> datetime | None:
    """Return when anything of an extract was first observed (a backfill, an import); None when nothing was."""
    with reading.deployment.transaction() as conn:
        return readings.first_observed(conn, reading.connection, reading.extract.name)


def note_deletions_read(reading: Reading, until: datetime) -> None:
    """Note that deletions before a moment are known, or concern nothing that was ever read."""
    with reading.deployment.transaction() as conn:
        watermarks.move_watermark(conn, reading.connection, reading.extract.name, _DELETIONS, until)


def is_beyond_reach(reached: datetime, now: datetime, reach: timedelta | None) -> bool:
    """Tell whether a source no longer tells of what it deleted since then."""
    return reach is not None and reached < now - reach + _MARGIN


def extract_deletions(reading: Reading, reached: datetime, reach: timedelta | None) -> Extracted:
    """Read what was deleted since `reached`; the watermark moves to the beginning of the reading at its end."""
    began = reading.clock()
    after = reached - reading.lookback
    if reach is not None:
        after = max(after, began - reach + _MARGIN)
    window = Window(Pass.DELETIONS, after, began)
    done = Extracted()
    try:
        for part in parts_of(reading.source.records(reading.extract, window)):
            if news := without_repetitions(reading, window, part, reached):
                done.parts.append(land(reading, window, news, began, began.date()))
    except Retryable as stopped:
        if stopped.retry_after is None:
            raise
        done.stopped = stopped
        return done
    note_deletions_read(reading, began)
    return done
