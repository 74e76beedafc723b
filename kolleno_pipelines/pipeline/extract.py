"""Extracting what changed: since the last time, or in windows of time. Nothing is normalised here.

Deletions, sweeps and lookups lie beside this module; how parts land is parts.py.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from kolleno_pipelines.connectors.contract import Pass, Window
from kolleno_pipelines.connectors.errors import Retryable
from kolleno_pipelines.pipeline.parts import OVERLAP, Extracted, Reading, land, newest, parts_of
from kolleno_pipelines.pipeline.repetitions import without_repetitions
from kolleno_pipelines.storage import watermarks

__all__ = ["OVERLAP", "Extracted", "Reading", "extract_changes", "extract_days", "extract_window"]

#: Some vendors leave out the moment at which a window opens: it opens so much earlier. What comes twice does no harm.
_OPENS_EARLIER = timedelta(seconds=1)


def extract_changes(reading: Reading, *, since: datetime | None = None) -> Extracted:
    """Read what changed since the last time, all of it the first time (or from `since`), and move the watermark.

    The watermark is the newest modified time received, never past the moment at which the reading began. A source that
    asks to wait (a day limit) ends the reading cleanly; the next one goes on where this one stopped. What comes again
    because readings overlap, and is as it was, does not land again.
    """
    began = reading.clock()
    name, extract = reading.connection, reading.extract.name
    with reading.deployment.transaction() as conn:
        reached = watermarks.watermark(conn, name, extract, Pass.CHANGES.value)
    window = Window(Pass.CHANGES, reached - reading.lookback if reached else since, began)
    done = Extracted()
    try:
        for part in parts_of(reading.source.records(reading.extract, window)):
            if news := without_repetitions(reading, window, part, reached):
                done.parts.append(land(reading, window, news, began, began.date(), reached=newest(part, began)))
    except Retryable as stopped:
        if stopped.retry_after is None:
            raise
        done.stopped = stopped
    return done


def extract_window(reading: Reading, after: datetime, until: datetime, day: date) -> Extracted:
    """Read what was last modified from `after` to `until`, both included, for a day; the watermark stays where it is.

    What was modified again since is not in it: it lies in a later window, or comes with the changes. A source that asks
    to wait ends the reading cleanly; what had come has landed.
    """
    began = reading.clock()
    window = Window(Pass.CHANGES, after - _OPENS_EARLIER, min(until, began))
    done = Extracted()
    try:
        for part in parts_of(reading.source.records(reading.extract, window)):
            done.parts.append(land(reading, window, part, began, day))
    except Retryable as stopped:
        if stopped.retry_after is None:
            raise
        done.stopped = stopped
    return done


def extract_days(reading: Reading, first: date, last: date) -> Extracted:
    """Read what was modified on the days [first, last] once more, day by day, until the source asks to wait."""
    done = Extracted()
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        opens = datetime.combine(day, time.min, UTC)
        if opens > reading.clock():
            break
        read = extract_window(reading, opens, opens + timedelta(days=1), day)
        done.parts += read.parts
        if read.stopped is not None:
            done.stopped = read.stopped
            break
    return done
