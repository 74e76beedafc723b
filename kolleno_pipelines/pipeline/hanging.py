"""Asking for what hangs on the objects of another extract, a call each; and for any object that a person names.

Which objects changed since they were last asked for is told by storage/readings.py, when it is their turn by passes.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pyarrow as pa

from kolleno_pipelines.connectors.contract import Extract, Pass, Record, Window
from kolleno_pipelines.connectors.errors import ConnectorError, Permanent, Retryable
from kolleno_pipelines.connectors.payload_blocks import payload_blocks
from kolleno_pipelines.pipeline.lookups import MOST
from kolleno_pipelines.pipeline.parts import Extracted, Reading, land, parts_of
from kolleno_pipelines.pipeline.repetitions import newest_known, without_known
from kolleno_pipelines.storage import readings
from kolleno_pipelines.storage.archive import ArchiveError

_DAY = timedelta(days=1)
#: So many answers land together, and are noted with them: about a minute of requests. Fewer where they are long.
_TOGETHER, _RECORDS_TOGETHER = 50, 5_000
#: So many objects are looked at for their flag in one reading; the next goes on with the others.
_LOOKED_AT = 20_000


def extract_hanging(reading: Reading, on: Extract, *, a_day: int) -> Extracted:
    """Ask for what hangs on objects of `on` that are new or changed since it was last asked for, newest first.

    a_day: at most so many objects within 24 hours, so that the other passes keep their share of the vendor's limits.
    Only what is normalised is known to have changed. What comes exactly as it is known does not land again.
    """
    connection, extract, began = reading.connection, reading.extract, reading.clock()
    with reading.deployment.transaction() as conn:
        most = min(MOST, a_day - readings.number_found(conn, connection, extract.name, began - _DAY))
        if most <= 0:
            return Extracted()
        limit = most if extract.flag is None else _LOOKED_AT
        changed = readings.changed_since_asked(conn, connection, extract.name, on.name, limit)
    wanted, bare = _by_flag(reading, on, changed, most)
    with reading.deployment.transaction() as conn:
        readings.note_lookups(conn, connection, extract.name, began, bare, set())
    return _Asking(reading, began, newest_known(reading, wanted)).ask(wanted)


def extract_objects(reading: Reading, ids: Sequence[str]) -> Extracted:
    """Ask for the objects that a person names; `finding` says whom the source does not have."""
    asking = _Asking(reading, reading.clock())
    done = asking.ask(ids)
    absent = [source_id for source_id in ids if source_id not in asking.found]
    if absent and done.stopped is None:
        done.finding = f"The vendor has no {reading.extract.name} with the id {', '.join(absent)}."
    return done


@dataclass
class _Asking:
    """Objects that are asked for one after the other; what came lands part by part, and who was asked for is noted.

    known: id -> digest of what need not land again. answers: what came since the last part.
    """

    reading: Reading
    began: datetime
    known: Mapping[str, str] = field(default_factory=dict)
    found: set[str] = field(default_factory=set)
    answers: dict[str, list[Record]] = field(default_factory=dict)
    done: Extracted = field(default_factory=Extracted)

    def ask(self, ids: Sequence[str]) -> Extracted:
        """Ask for each by its id. A source that asks to wait ends it cleanly: the others stay to be asked for.

        What is refused for good is noted too, so that it keeps none from its turn, and raised. Raises ConnectorError.
        """
        for source_id in ids:
            window = Window(Pass.LOOKUP, None, self.began, (source_id,))
            try:
                self.answers[source_id] = list(self.reading.source.records(self.reading.extract, window))
            except ConnectorError as error:
                if isinstance(error, Permanent):
                    self.answers[source_id] = []
                self._keep()
                if not isinstance(error, Retryable) or error.retry_after is None:
                    raise
                self.done.stopped = error
                return self.done
            records = sum(len(answer) for answer in self.answers.values())
            if len(self.answers) == _TOGETHER or records >= _RECORDS_TOGETHER:
                self._keep()
        self._keep()
        return self.done

    def _keep(self) -> None:
        """Land what came, and note with its last part who was asked for: nobody is asked twice for what is here."""
        reading, began = self.reading, self.began
        found = {source_id for source_id, records in self.answers.items() if records}
        note = partial(
            readings.note_lookups,
            connection=reading.connection,
            extract=reading.extract.name,
            now=began,
            asked=list(self.answers),
            found=found,
        )
        came = [record for records in self.answers.values() for record in records]
        parts = list(parts_of(without_known(came, self.known)))
        for part in parts:
            also = note if part is parts[-1] else None
            window = Window(Pass.LOOKUP, None, began)
            self.done.parts.append(land(reading, window, part, began, began.date(), also=also))
        if not parts:
            with reading.deployment.transaction() as conn:
                note(conn)
        self.found |= found
        self.answers = {}


def _by_flag(
    reading: Reading, on: Extract, changed: Sequence[readings.ChangedObject], most: int
) -> tuple[list[str], list[str]]:
    """Return at most so many ids to ask for, and those met meanwhile that say themselves that nothing hangs there.

    Where something hung before, it is asked once more: it went.
    """
    wanted: list[str] = []
    bare: list[str] = []
    lines: dict[str, set[int]] = {}
    for each in changed:
        if len(wanted) == most:
            break
        if each.sha256 not in lines:
            lines[each.sha256] = _bare_lines(reading, on, each.sha256)
        is_bare = each.line in lines[each.sha256] and not each.was_found
        (bare if is_bare else wanted).append(each.source_id)
    return wanted, bare


def _bare_lines(reading: Reading, on: Extract, content: str) -> set[int]:
    """Return the lines of a part whose payloads say that nothing hangs on them; none where it cannot be read."""
    flag = reading.extract.flag
    if flag is None:
        return set()
    schema = pa.schema([on.schema.field(0), pa.field(flag, pa.bool_())])
    found: set[int] = set()
    try:
        with reading.deployment.archive.open(content) as stream:
            for table, _ in payload_blocks(stream, schema):
                lines: list[Any] = table["line"].to_pylist()
                said = zip(lines, table[flag].to_pylist(), strict=True)
                found |= {line for line, is_there in said if is_there is False}
    except (ArchiveError, OSError):
        return set()
    return found
