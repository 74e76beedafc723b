"""Looking up by id the parents that rows wait for. Which rows wait is told by the fold; nothing is folded here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from kolleno_pipelines.connectors.contract import Connector, Extract, Pass, Window
from kolleno_pipelines.pipeline.parts import Extracted, Reading, land, parts_of
from kolleno_pipelines.storage import readings

#: So many are asked for in one go; the next goes on with the others.
MOST = 500
#: Whom the vendor did not have is asked for again after so long.
AGAIN_AFTER = timedelta(days=7)


def extract_missing_parents(connector: Connector, reading_of: Callable[[Extract], Reading]) -> dict[str, Extracted]:
    """Read the missing parents that were not asked for lately; returns what landed, by extract."""
    some = reading_of(connector.extracts[0])
    began = some.clock()
    with some.deployment.transaction() as conn:
        named = readings.missing_parents(conn, some.connection)
        wanted = list(dict.fromkeys(one for each in named if (one := connector.lookup_of(*each)) is not None))
        wanted = readings.not_asked(conn, some.connection, wanted, began, again_after=AGAIN_AFTER)[:MOST]
    done: dict[str, Extracted] = {}
    for name in dict.fromkeys(extract for extract, _ in wanted):
        reading = reading_of(connector.extract(name))
        ids = tuple(source_id for extract, source_id in wanted if extract == name)
        window = Window(Pass.LOOKUP, None, began, ids)
        found: set[str] = set()
        landed = done.setdefault(name, Extracted())
        for part in parts_of(reading.source.records(reading.extract, window)):
            found |= {record.source_id for record in part}
            landed.parts.append(land(reading, window, part, began, began.date()))
        with reading.deployment.transaction() as conn:
            readings.note_lookups(conn, reading.connection, name, began, ids, found)
    return done
