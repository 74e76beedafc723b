"""An API connection from the vendor, or a folder of recorded payloads, to reconciled receivables: `kolleno extract`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from kolleno_pipelines.connections import ApiConnection
from kolleno_pipelines.connectors.contract import Connector, Extract, Pass
from kolleno_pipelines.connectors.registry import connector_of
from kolleno_pipelines.pipeline.clock import Clock, utc_now
from kolleno_pipelines.pipeline.days import days_of
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.import_extracts import Imported, import_extracts
from kolleno_pipelines.pipeline.normalise import fold, normalise_again, normalise_pending
from kolleno_pipelines.pipeline.passes import ReadConnection, Reader
from kolleno_pipelines.pipeline.refresh import refresh
from kolleno_pipelines.pipeline.result_summary import ResultSummary
from kolleno_pipelines.pipeline.runs import in_flight
from kolleno_pipelines.pipeline.sources import open_source
from kolleno_pipelines.pipeline.summaries import changed_words, reconciled_words, result_summary
from kolleno_pipelines.storage import extracts, readings, versions
from kolleno_pipelines.storage.fold_report import FoldReport

Progress = Callable[[str], None]

#: A parent that is looked up may itself wait for another.
_ROUNDS = 3
_SHOWN = 100


class UnknownObjectError(ValueError):
    """The extract, or an object of it, cannot be asked for; the text says why."""


@dataclass
class ApiDelivered:
    """What came to receivables, and what was kept aside or waits.

    imported: payloads by extract of an import. parts: of extracts that were normalised again by a re-processing.
    planned: the parts that one would normalise again; then nothing was done.
    """

    connection: str
    read: ReadConnection | None = None
    imported: dict[str, int] = field(default_factory=dict)
    observed_at: datetime | None = None
    parts: int | None = None
    planned: list[dict[str, Any]] | None = None
    folded: FoldReport = field(default_factory=FoldReport)
    quarantined: list[dict[str, Any]] = field(default_factory=list)
    failed_parts: list[dict[str, Any]] = field(default_factory=list)
    parked: list[dict[str, Any]] = field(default_factory=list)
    results: list[ResultSummary] = field(default_factory=list)

    @property
    def has_findings(self) -> bool:
        """Whether somebody should look: a pass that failed, a payload or part kept aside, a row that waits."""
        aside = self.quarantined or self.failed_parts
        return bool((self.read and self.read.has_findings) or aside or self.folded.parked)

    def to_json(self) -> dict[str, Any]:
        """Return the shape of `--json`."""
        return {
            "connection": self.connection,
            "passes": [vars(done) for done in self.read.passes] if self.read else [],
            "payloads": self.imported,
            "observed_at": self.observed_at,
            "parts": self.parts,
            "planned": self.planned,
            "changes": {name: vars(changes) for name, changes in self.folded.entities.items()},
            "quarantined": self.quarantined,
            "failed_parts": self.failed_parts,
            "parked": self.folded.parked,
            "parked_rows": self.parked,
            "results": [result_summary(result) for result in self.results],
        }

    def sentences(self) -> Iterator[str]:
        """Yield what happened, a line each."""
        if self.read is not None:
            yield f"{self.connection}: {self.read.records:,} payloads received."
            yield from (
                f"{done.pass_} of {done.extract}: {done.error or done.finding}"
                for done in self.read.passes
                if done.error or done.finding
            )
        if self.observed_at is not None:
            taken = ", ".join(f"{name} {number:,}" for name, number in self.imported.items())
            yield f"{self.connection}: taken as observed at {self.observed_at.isoformat()}: {taken}."
        if self.planned is not None:
            told = f"{len(self.planned):,} parts of extracts would be normalised again"
            yield f"{self.connection}: {told}; nothing was changed."
        if self.parts is not None:
            yield f"{self.connection}: {self.parts:,} parts of extracts were normalised again from the archive."
        yield from (
            f"Quarantined: {one['extract']} line {one['line']}"
            f"{' (' + one['source_id'] + ')' if one['source_id'] else ''}: {one['reason']}"
            for one in self.quarantined
        )
        yield from (
            f"Failed: a part of {one['extract']} of {one['partition_day']}, {one['records']:,} payloads, could not be"
            f" normalised; the next run tries it again: {one['message']}"
            for one in self.failed_parts
        )
        yield from changed_words(self.folded.entities)
        if self.folded.parked:
            yield f"{self.folded.parked} rows wait for a record that has not come yet."
            yield from (
                f"Waits: {one['entity']} {one['source_id']} for {one['parent_entity']} {one['parent_id']}"
                for one in self.parked
            )
        yield from reconciled_words(self.results)


def deliver_from_vendor(
    deployment: Deployment,
    connection: ApiConnection,
    *,
    run_id: str | None = None,
    clock: Clock = utc_now,
    progress: Progress = lambda _: None,
) -> ApiDelivered:
    """Read what is due and take it through to reconciliation; missing parents are read as they become known.

    Raises NeedsHuman after what had landed was taken through: a sign-in that ended delays nothing that is here.
    """
    connector = connector_of(connection.system)
    done = ApiDelivered(connection.name)
    with in_flight(deployment, connection, [clock().date()]):
        try:
            with open_source(deployment, connection) as source:
                reader = Reader(deployment, connection, connector, source, run_id, clock, progress)
                done.read = reader.read()
                _fold(deployment, connector, done, run_id)
                for _ in range(_ROUNDS):
                    looked_up = reader.read_by_id()
                    done.read.passes += looked_up.passes
                    if not looked_up.records:
                        break
                    _fold(deployment, connector, done, run_id)
                done.read.passes += reader.read_hanging().passes
        finally:
            _fold(deployment, connector, done, run_id)
    return _finished(deployment, done, clock, progress)


def deliver_objects(
    deployment: Deployment,
    connection: ApiConnection,
    extract: str,
    ids: Sequence[str],
    *,
    clock: Clock = utc_now,
    progress: Progress = lambda _: None,
) -> ApiDelivered:
    """Ask for single objects of an extract by their ids, whatever is due, and take them through to reconciliation.

    Raises UnknownObjectError, NeedsHuman.
    """
    connector = connector_of(connection.system)
    ids = list(dict.fromkeys(ids))
    one = _asked_by_id(deployment, connection, connector, extract, ids)
    done = ApiDelivered(connection.name)
    with in_flight(deployment, connection, [clock().date()]):
        with open_source(deployment, connection) as source:
            done.read = Reader(deployment, connection, connector, source, None, clock, progress).read_objects(one, ids)
        _fold(deployment, connector, done, None)
    return _finished(deployment, done, clock, progress)


def _asked_by_id(
    deployment: Deployment, connection: ApiConnection, connector: Connector, name: str, ids: Sequence[str]
) -> Extract:
    """Return the extract, if it can be asked for these ids: what hangs on objects takes the ids of those received."""
    by_id = {extract.name: extract for extract in connector.extracts if Pass.LOOKUP in extract.passes}
    if name not in by_id:
        has = f"has no {name} to be asked for by id; it has {', '.join(by_id)}" if by_id else "is not asked by id"
        raise UnknownObjectError(f"{connection.system} {has}.")
    hangs_on = by_id[name].hangs_on
    if hangs_on is not None:
        with deployment.transaction() as conn:
            known = versions.newest_digests(conn, connection.name, hangs_on, ids)
        if unknown := [source_id for source_id in ids if source_id not in known]:
            raise UnknownObjectError(
                f"Nothing with the id {unknown[0]} was received among the {hangs_on} of {connection.name}."
            )
    return by_id[name]


def deliver_from_folder(
    deployment: Deployment,
    connection: ApiConnection,
    folder: Path,
    *,
    observed_at: datetime | None = None,
    run_id: str | None = None,
    clock: Clock = utc_now,
    progress: Progress = lambda _: None,
) -> ApiDelivered:
    """Import recorded payloads and take them through to reconciliation. Raises ImportFolderError."""
    connector = connector_of(connection.system)
    imported: Imported = import_extracts(
        deployment, connection.name, connector, folder, observed_at=observed_at, run_id=run_id, clock=clock
    )
    done = ApiDelivered(connection.name, None, imported.payloads, imported.observed_at, folded=imported.folded)
    return _finished(deployment, done, clock, progress)


def deliver_again(
    deployment: Deployment,
    connection: ApiConnection,
    first: date,
    last: date,
    *,
    only_failed: bool = False,
    dry_run: bool = False,
    clock: Clock = utc_now,
    progress: Progress = lambda _: None,
) -> ApiDelivered:
    """Normalise what was received for the days [first, last] once more, from the archive; the vendor is not asked.

    only_failed: just parts that failed or wait. dry_run: only say which parts.
    """
    if dry_run:
        return _planned(deployment, connection, first, last, only_failed)
    connector, days = connector_of(connection.system), days_of(first, last)
    done = ApiDelivered(connection.name)
    with in_flight(deployment, connection, days):
        done.parts = normalise_again(deployment, connection.name, connector, first, last, only_failed=only_failed)
        _fold(deployment, connector, done, None)
    return _finished(deployment, done, clock, progress)


def _planned(
    deployment: Deployment, connection: ApiConnection, first: date, last: date, only_failed: bool
) -> ApiDelivered:
    with deployment.transaction() as conn:
        parts = extracts.extracts_of_days(conn, connection.name, first, last, only_failed=only_failed)
    names = ("partition_day", "extract", "pass_", "status", "records", "size", "message")
    return ApiDelivered(connection.name, planned=[{name: getattr(part, name) for name in names} for part in parts])


def _fold(deployment: Deployment, connector: Connector, done: ApiDelivered, run_id: str | None) -> None:
    normalise_pending(deployment, done.connection, connector)
    done.folded.add(fold(deployment, done.connection, run_id=run_id))


def _finished(deployment: Deployment, done: ApiDelivered, clock: Clock, progress: Progress) -> ApiDelivered:
    with deployment.session() as session:
        done.quarantined = readings.quarantined(session, done.connection, _SHOWN)
        done.failed_parts = readings.failed_parts(session, done.connection, _SHOWN)
        done.parked = readings.parked(session, done.connection, _SHOWN)[1]
    done.results = refresh(deployment, clock=clock, progress=progress)
    return done
