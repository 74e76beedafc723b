"""The sweep: what is open, and lists in full, for changes that a source does not announce, and for what is gone.

Only a complete sweep may conclude that something is gone, and not when it would close more than a share of what is open
(docs/model.md). One that the source stops goes on where it stopped. When a sweep is due is decided by passes.py.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from decimal import Decimal

from kolleno_pipelines.connectors.contract import Connector, Pass, Record, Window
from kolleno_pipelines.connectors.errors import Retryable
from kolleno_pipelines.pipeline.deletions import note_deletions_read
from kolleno_pipelines.pipeline.parts import Extracted, Reading, land, newest, parts_of
from kolleno_pipelines.storage import extracts, readings, sweeps, watermarks
from kolleno_pipelines.storage.sweeps import SweepProgress

_SWEEP = Pass.SWEEP.value
_UNANNOUNCED = {_SWEEP, Pass.LOOKUP.value, Pass.IMPORT.value}
#: Some vendors leave out the moment at which a window opens: a sweep goes on so much earlier.
_OPENS_EARLIER = timedelta(seconds=1)
#: So many are asked for by their id before it is noted who was there.
_LOOKUPS = 200


def sweep(reading: Reading, connector: Connector, *, close_share: Decimal, everything: bool = False) -> Extracted:
    """Read what is open (or everything) once more, then close what the source does not have any more.

    What the sweep did not name is asked for by its id: it may only be closed. What is not there gets a tombstone,
    unless that were several and more than `close_share` of what is known: then nothing does, and `finding` says so.
    """
    began, extract = reading.clock(), reading.extract.name
    open_only = reading.extract.sweeps_open_only and not everything
    with reading.deployment.transaction() as conn:
        kept = sweeps.stopped_sweep(conn, reading.connection, extract, everything=everything)
        live = readings.live_objects(conn, reading.connection, extract, began, open_only=open_only)
        pending = extracts.extracts_to_normalise(conn, reading.connection)
        swept = watermarks.watermark(conn, reading.connection, extract, _SWEEP)
    is_overtaken = kept is not None and swept is not None and kept.began <= swept
    progress = SweepProgress(began, everything) if kept is None or is_overtaken else kept
    # What an earlier sweep brought and nobody has normalised yet is not known: then nothing is left out.
    is_settled = not any(part.extract == extract and part.pass_ in _UNANNOUNCED for part in pending)
    done = Extracted()
    try:
        _read(reading, progress, done, live if is_settled else {}, began)
        _conclude(reading, connector, progress, done, set(live), close_share, began)
    except Retryable as stopped:
        if stopped.retry_after is None:
            raise
        done.stopped = stopped
        if progress.seen:
            with reading.deployment.transaction() as conn:
                sweeps.keep_sweep(conn, reading.connection, extract, progress)
        return done
    if everything and done.finding is None:
        note_deletions_read(reading, progress.began)
    with reading.deployment.transaction() as conn:
        sweeps.forget_sweep(conn, reading.connection, extract)
        watermarks.move_watermark(conn, reading.connection, extract, _SWEEP, progress.began)
    return done


def _read(reading: Reading, progress: SweepProgress, done: Extracted, known: dict[str, str], began: datetime) -> None:
    """Read on from where the sweep stands, and land what is not known exactly as it is."""
    after = progress.reached - _OPENS_EARLIER if progress.reached else None
    window = Window(Pass.CHANGES if progress.is_of_everything else Pass.SWEEP, after, began)
    for part in parts_of(reading.source.records(reading.extract, window)):
        news = [each for each in part if known.get(each.source_id) != hashlib.sha256(each.payload).hexdigest()]
        if news:
            done.parts.append(land(reading, window, news, began, began.date(), pass_=_SWEEP))
        progress.seen |= {record.source_id for record in part}
        progress.reached = max(filter(None, (progress.reached, newest(part, began))), default=None)


def _conclude(
    reading: Reading,
    connector: Connector,
    progress: SweepProgress,
    done: Extracted,
    known: set[str],
    close_share: Decimal,
    began: datetime,
) -> None:
    """Ask for what the sweep did not name, then lay tombstones for what is not there."""
    if connector.tombstone is None or Pass.LOOKUP not in reading.extract.passes:
        return
    _ask(reading, progress, done, sorted(known - progress.seen - progress.gone), began)
    gone = sorted((progress.gone & known) - progress.seen)
    # One may always be closed: it was asked for by its id.
    if len(gone) > max(Decimal(1), close_share * len(known)):
        done.finding = (
            f"The sweep of {reading.extract.name} misses {len(gone):,} of {len(known):,}, more than close_share"
            f" ({close_share:f}) of them: none was closed. Look at {gone[0]} in the vendor's own pages; if they"
            " are gone indeed, raise close_share in connections.yaml for one sweep."
        )
        return
    tombstones = (Record(connector.tombstone(source_id, began), source_id, began) for source_id in gone)
    window = Window(Pass.SWEEP, None, began)
    for part in parts_of(tombstones):
        done.parts.append(land(reading, window, part, began, began.date()))


def _ask(reading: Reading, progress: SweepProgress, done: Extracted, absent: list[str], began: datetime) -> None:
    """Ask for objects by their id, and note who is there."""
    for start in range(0, len(absent), _LOOKUPS):
        ids = tuple(absent[start : start + _LOOKUPS])
        window = Window(Pass.LOOKUP, None, began, ids)
        for part in parts_of(reading.source.records(reading.extract, window)):
            done.parts.append(land(reading, window, part, began, began.date()))
            progress.seen |= {record.source_id for record in part}
        progress.gone |= set(ids) - progress.seen
