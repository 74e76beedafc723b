"""One reading of an API connection: every pass that is due, extract by extract. What a pass does lies beside it.

An extract that fails or is stopped does not stop the others; what needs a person does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

from kolleno_pipelines.connections import ApiConnection
from kolleno_pipelines.connectors.contract import Connector, Extract, Pass, RecordSource
from kolleno_pipelines.connectors.errors import ConnectorError, NeedsHuman
from kolleno_pipelines.pipeline.clock import Clock, utc_now
from kolleno_pipelines.pipeline.deletions import (
    deletions_read_until,
    extract_deletions,
    first_received,
    is_beyond_reach,
    note_deletions_read,
)
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.extract import extract_changes, extract_days
from kolleno_pipelines.pipeline.hanging import extract_hanging, extract_objects
from kolleno_pipelines.pipeline.lookups import extract_missing_parents
from kolleno_pipelines.pipeline.parts import Extracted, Reading
from kolleno_pipelines.pipeline.relisting import list_again, untold_since
from kolleno_pipelines.pipeline.renewals import extract_renewed
from kolleno_pipelines.pipeline.same_account import require_same_account, rows_of
from kolleno_pipelines.pipeline.sweep import sweep
from kolleno_pipelines.storage import readings, watermarks

Progress = Callable[[str], None]


@dataclass
class PassDone:
    """What one pass over one extract came to; `error` says why it ended early, `finding` what to look at."""

    extract: str
    pass_: str
    records: int = 0
    bytes: int = 0
    error: str | None = None
    finding: str | None = None


@dataclass
class ReadConnection:
    """What one reading of a connection came to."""

    connection: str
    passes: list[PassDone] = field(default_factory=list)

    @property
    def failed(self) -> list[PassDone]:
        """The passes that ended early."""
        return [done for done in self.passes if done.error is not None]

    @property
    def records(self) -> int:
        """Payloads received."""
        return sum(done.records for done in self.passes)

    @property
    def has_findings(self) -> bool:
        """Whether somebody should look."""
        return any(done.error or done.finding for done in self.passes)

    def of(self, extract: str) -> list[PassDone]:
        """The passes over one extract."""
        return [done for done in self.passes if done.extract == extract]


@dataclass(frozen=True)
class _DueSweep:
    extract: Extract
    swept: datetime | None
    everything: bool


_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Reader:
    """Reads a connection by an open source, for a run."""

    deployment: Deployment
    connection: ApiConnection
    connector: Connector
    source: RecordSource
    run_id: str | None = None
    clock: Clock = utc_now
    progress: Progress = lambda _: None

    def read(self, wanted: Collection[str] | None = None) -> ReadConnection:
        """Take every pass that is due over the wanted extracts (all of them). Raises NeedsHuman."""
        done = ReadConnection(self.connection.name)
        if not self._is_same_account(done):
            return done
        due: list[_DueSweep] = []
        for extract in self.connector.extracts:
            if wanted is None or extract.name in wanted:
                self._extract(extract, done, due)
        # Under a day limit no sweep may keep the others from their turn: the one that is longest ago comes first.
        for sweep_due in sorted(due, key=lambda each: each.swept or _NEVER):
            self._sweep(sweep_due, done)
        self._list_again(done, wanted)
        if wanted is None:
            self._by_id(done)
        return done

    def read_days(self, first: date, last: date, wanted: Collection[str] | None = None) -> ReadConnection:
        """Read what was modified on the days [first, last] once more; no watermark moves. Raises NeedsHuman."""
        done = ReadConnection(self.connection.name)
        if not self._is_same_account(done):
            return done
        for extract in self.connector.extracts:
            of_days = Pass.CHANGES in extract.passes and not extract.is_momentary
            if of_days and (wanted is None or extract.name in wanted):
                reading = self._reading(extract)
                self._take(done, extract, Pass.CHANGES, partial(extract_days, reading, first, last), note=False)
        return done

    def read_by_id(self) -> ReadConnection:
        """Ask for what the fold names: parents that rows wait for; of a payment provider, what changed. NeedsHuman."""
        done = ReadConnection(self.connection.name)
        self._by_id(done)
        return done

    def read_hanging(self, wanted: Collection[str] | None = None) -> ReadConnection:
        """Ask for what hangs on objects that changed, where the connection says so. It comes after everything else.

        What needs a person is told like any fault: all that the receivables are made of has come.
        """
        done = ReadConnection(self.connection.name)
        for name in self.connection.also_read:
            extract = self.connector.extract(name)
            if extract.hangs_on is None or (wanted is not None and name not in wanted):
                continue
            on, a_day = self.connector.extract(extract.hangs_on), self.connection.also_read_a_day
            run = partial(extract_hanging, self._reading(extract), on, a_day=a_day)
            self._take(done, extract, Pass.LOOKUP, run, raises=False)
        return done

    def read_objects(self, extract: Extract, ids: Sequence[str]) -> ReadConnection:
        """Ask for single objects by their ids. Raises NeedsHuman."""
        done = ReadConnection(self.connection.name)
        if self._is_same_account(done):
            self._take(done, extract, Pass.LOOKUP, partial(extract_objects, self._reading(extract), ids), note=False)
        return done

    def _reading(self, extract: Extract) -> Reading:
        return Reading(
            self.deployment,
            self.connection.name,
            self.source,
            extract,
            self.run_id,
            self.clock,
            self.connection.lookback,
        )

    def _extract(self, extract: Extract, done: ReadConnection, due: list[_DueSweep]) -> None:
        """Read what changed and what was deleted; what is to be swept is added to `due`."""
        reading, began = self._reading(extract), self.clock()
        reach = self.connector.deletions_reach
        tells = Pass.DELETIONS in extract.passes
        deleted_until = deletions_read_until(reading) if tells else None
        if tells and deleted_until is None:
            deleted_until = first_received(reading)
            if deleted_until is None:
                note_deletions_read(reading, began)  # what was deleted before is nothing that was ever read
        if Pass.CHANGES in extract.passes:
            self._changes(reading, done, began)
        too_old = deleted_until is not None and is_beyond_reach(deleted_until, began, reach)
        if deleted_until is not None and not too_old:
            self._take(done, extract, Pass.DELETIONS, partial(extract_deletions, reading, deleted_until, reach))
        if Pass.SWEEP in extract.passes:
            swept = self._swept(extract)
            if swept is None or began - swept >= self.connection.sweep_every:
                due.append(_DueSweep(extract, swept, too_old))

    def _sweep(self, due: _DueSweep, done: ReadConnection) -> None:
        share = self.connection.close_share
        run = partial(sweep, self._reading(due.extract), self.connector, close_share=share, everything=due.everything)
        self._take(done, due.extract, Pass.SWEEP, run)

    def _list_again(self, done: ReadConnection, wanted: Collection[str] | None) -> None:
        """List once more what may have changed untold since events were last read."""
        events = self.connector.events
        if events is None:
            return
        for name, age in events.relisted.items():
            if wanted is not None and name not in wanted:
                continue
            reading = self._reading(self.connector.extract(name))
            since = untold_since(reading, events)
            if since is not None:
                after = None if age is None else since - age
                self._take(done, reading.extract, Pass.SWEEP, partial(list_again, reading, after))

    def _changes(self, reading: Reading, done: ReadConnection, began: datetime) -> None:
        """Read the changes; a first reading of everything is a sweep as well."""
        extract = reading.extract
        since = self._start if extract.is_limited else None
        with self.deployment.transaction() as conn:
            is_first = not readings.has_payloads(conn, self.connection.name, extract.name)
        changes = self._take(done, extract, Pass.CHANGES, partial(extract_changes, reading, since=since))
        if is_first and since is None and changes.error is None and changes.records:
            with self.deployment.transaction() as conn:
                watermarks.move_watermark(conn, self.connection.name, extract.name, Pass.SWEEP.value, began)

    @property
    def _start(self) -> datetime | None:
        day = self.connection.start_date
        return None if day is None else datetime.combine(day, time.min, UTC)

    def _swept(self, extract: Extract) -> datetime | None:
        """When the last sweep of an extract that came to its end began."""
        with self.deployment.transaction() as conn:
            return watermarks.watermark(conn, self.connection.name, extract.name, Pass.SWEEP.value)

    def _is_same_account(self, done: ReadConnection) -> bool:
        """Whether a provider's key opens the account that was read before; what kept it from telling is noted."""
        if self.connection.role != "provider":
            return True
        extract = self.connector.extract(rows_of(self.connector))
        came = self._take(done, extract, Pass.LOOKUP, partial(require_same_account, self._reading(extract)))
        if came.error is None:
            done.passes.remove(came)
        return came.error is None

    def _by_id(self, done: ReadConnection) -> None:
        """Ask for what the fold names, and note how that ended. Raises NeedsHuman, noted too."""
        if self.connection.role == "bank":
            return  # nothing of it waits, and nothing can be asked for
        is_provider, began = self.connection.role == "provider", self.clock()
        came = PassDone("changed objects" if is_provider else "missing parents", Pass.LOOKUP.value)
        try:
            if is_provider:
                found = extract_renewed(self.connector, self._reading, every=self.connection.sweep_every)
            else:
                found = extract_missing_parents(self.connector, self._reading)
        except ConnectorError as error:
            came.error = str(error)
            self._note(came, began)
            if isinstance(error, NeedsHuman):
                raise
            done.passes.append(came)
            return
        passes = [_summary(extract, Pass.LOOKUP, landed) for extract, landed in found.items()]
        came.error = next((one.error for one in passes if one.error), None)
        self._note(came, began)
        done.passes += passes

    def _take(
        self,
        done: ReadConnection,
        extract: Extract,
        pass_: Pass,
        run: Callable[[], Extracted],
        *,
        note: bool = True,
        raises: bool = True,
    ) -> PassDone:
        """Run a pass and note how it ended. Raises NeedsHuman, noted too, unless told not to."""
        self.progress(f"{self.connection.name}: {pass_.value} of {extract.name}")
        began = self.clock()
        try:
            came = _summary(extract.name, pass_, run())
        except ConnectorError as error:
            came = PassDone(extract.name, pass_.value, error=str(error))
            if raises and isinstance(error, NeedsHuman):
                self._note(came, began)
                raise
        done.passes.append(came)
        if note:
            self._note(came, began)
        return came

    def _note(self, came: PassDone, began: datetime) -> None:
        key = (self.connection.name, came.extract, came.pass_)
        with self.deployment.transaction() as conn:
            readings.note_reading(conn, key, began, error=came.error, finding=came.finding)


def _summary(extract: str, pass_: Pass, landed: Extracted) -> PassDone:
    stopped = None
    if landed.stopped is not None:
        wait = timedelta(seconds=round(landed.stopped.retry_after or 0))
        stopped = f"{landed.stopped} It goes on where it stopped, in {wait} at the earliest."
    size = sum(part.size for part in landed.parts)
    return PassDone(extract, pass_.value, landed.records, size, stopped, landed.finding)
