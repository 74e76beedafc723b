"""Listing once more what may have changed while nobody read the events that told of it. Nothing is normalised here.

A system whose objects keep their place in every window tells of their changes by events, and only so far back. Which
extracts are concerned, and how old their objects may be, is the connector's (`Events`).
"""

from __future__ import annotations

from datetime import datetime

from kolleno_pipelines.connectors.contract import Events, Pass, Window
from kolleno_pipelines.connectors.errors import Retryable
from kolleno_pipelines.pipeline.deletions import is_beyond_reach
from kolleno_pipelines.pipeline.hanging import extract_objects
from kolleno_pipelines.pipeline.parts import Extracted, Reading, land, parts_of
from kolleno_pipelines.pipeline.repetitions import newest_known, without_known
from kolleno_pipelines.storage import readings, watermarks

_SWEEP = Pass.SWEEP.value


def untold_since(reading: Reading, events: Events) -> datetime | None:
    """Return since when what became of an extract's objects may not have been told; None where all of it was.

    Where all of it was, the watermark of the sweep moves: up to it every change was told of, or looked for.
    """
    connection, extract = reading.connection, reading.extract.name
    with reading.deployment.transaction() as conn:
        read = readings.read_until(conn, (connection, events.extract, Pass.CHANGES.value))
        told = watermarks.watermark(conn, connection, extract, _SWEEP)
        told = told or readings.first_observed(conn, connection, extract)
        if read is None:
            return None
        if told is not None and is_beyond_reach(told, read, events.reach):
            return told
        watermarks.move_watermark(conn, connection, extract, _SWEEP, read)
    return None


def list_again(reading: Reading, after: datetime | None) -> Extracted:
    """List what was made from `after`, and land what is not known exactly as it is.

    Where everything is listed (None), what is known and not in the list is asked for by its id: it may be deleted. A
    source that asks to wait ends it cleanly; the next reading begins it anew.
    """
    began, extract = reading.clock(), reading.extract.name
    window = Window(Pass.SWEEP, after, began)
    done, listed = Extracted(), set[str]()
    try:
        for part in parts_of(reading.source.records(reading.extract, window)):
            ids = [record.source_id for record in part]
            if news := without_known(part, newest_known(reading, ids)):
                done.parts.append(land(reading, window, news, began, began.date()))
            listed.update(ids)
    except Retryable as stopped:
        if stopped.retry_after is None:
            raise
        done.stopped = stopped
        return done
    if after is None:
        asked = extract_objects(reading, _not_listed(reading, listed, began))
        done.parts += asked.parts
        done.stopped = asked.stopped
    if done.stopped is None:
        with reading.deployment.transaction() as conn:
            watermarks.move_watermark(conn, reading.connection, extract, _SWEEP, began)
    return done


def _not_listed(reading: Reading, listed: set[str], began: datetime) -> list[str]:
    with reading.deployment.transaction() as conn:
        live = readings.live_objects(conn, reading.connection, reading.extract.name, began, open_only=False)
    return sorted(set(live) - listed)
