"""The sweep: what is open, and lists in full, for changes that a source does not announce, and for what is gone.

Only a complete sweep may conclude that something is gone, and not when it would close more than a share of what is open
(docs/model.md). When a sweep is due is decided by passes.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from kolleno_pipelines.connectors.contract import Connector, Pass, Record, Window
from kolleno_pipelines.connectors.errors import Retryable
from kolleno_pipelines.pipeline.parts import Extracted, Reading, land, parts_of
from kolleno_pipelines.storage import extracts, readings, watermarks

_SWEEP = Pass.SWEEP.value
_UNANNOUNCED = {_SWEEP, Pass.LOOKUP.value, Pass.IMPORT.value}


def sweep(reading: Reading, connector: Connector, *, close_share: Decimal, everything: bool = False) -> Extracted:
    """Read what is open (or everything) once more, then close what the source does not have any more.

    What the sweep did not name is asked for by its id: it may only be closed. What is not there either is gone, and
    gets a tombstone, unless that were several and more than `close_share` of what is known: then nothing is, and
    `finding` says so. One may always be closed: it was asked for by its id.
    """
    began = reading.clock()
    open_only = reading.extract.sweeps_open_only and not everything
    with reading.deployment.transaction() as conn:
        live = readings.live_objects(conn, reading.connection, reading.extract.name, began, open_only=open_only)
        pending = extracts.extracts_to_normalise(conn, reading.connection)
    # What an earlier sweep brought and nobody has normalised yet is not known: then nothing is left out.
    is_settled = not any(part.extract == reading.extract.name and part.pass_ in _UNANNOUNCED for part in pending)
    window = Window(Pass.CHANGES if everything else Pass.SWEEP, None, began)
    seen: set[str] = set()
    done = Extracted()
    try:
        records = reading.source.records(reading.extract, window)
        for part in parts_of(_news(records, live if is_settled else {}, seen)):
            done.parts.append(land(reading, window, part, began, began.date(), pass_=_SWEEP))
        _conclude(reading, connector, done, set(live) - seen, len(live), close_share, began)
    except Retryable as stopped:
        if stopped.retry_after is None:
            raise
        done.stopped = stopped
        return done
    with reading.deployment.transaction() as conn:
        watermarks.move_watermark(conn, reading.connection, reading.extract.name, _SWEEP, began)
    return done


def _news(records: Iterator[Record], known: dict[str, str], seen: set[str]) -> Iterator[Record]:
    """Yield what is not known exactly as it is, and note every id."""
    for record in records:
        seen.add(record.source_id)
        if known.get(record.source_id) != hashlib.sha256(record.payload).hexdigest():
            yield record


def _conclude(
    reading: Reading,
    connector: Connector,
    done: Extracted,
    absent: set[str],
    known: int,
    close_share: Decimal,
    began: datetime,
) -> None:
    """Ask for what the sweep did not name, then lay tombstones for what is not there."""
    if not absent or connector.tombstone is None or Pass.LOOKUP not in reading.extract.passes:
        return
    window = Window(Pass.LOOKUP, None, began, tuple(sorted(absent)))
    found: set[str] = set()
    for part in parts_of(reading.source.records(reading.extract, window)):
        found |= {record.source_id for record in part}
        done.parts.append(land(reading, window, part, began, began.date()))
    gone = sorted(absent - found)
    if len(gone) > max(Decimal(1), close_share * known):
        done.finding = (
            f"The sweep of {reading.extract.name} misses {len(gone):,} of {known:,}, more than close_share"
            f" ({close_share:f}) of them: none was closed. Look at {gone[0]} in the vendor's own pages; if they"
            " are gone indeed, raise close_share in connections.yaml for one sweep."
        )
        return
    tombstones = (Record(connector.tombstone(source_id, began), source_id, began) for source_id in gone)
    for part in parts_of(tombstones):
        done.parts.append(land(reading, window, part, began, began.date(), pass_=_SWEEP))
