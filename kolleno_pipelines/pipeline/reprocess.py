"""Re-processing a range of days from the archive: validate, load, fold and reconcile again, without the server.

A range may be re-processed any number of times; what a dry run would read is decided by load_plan.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.pipeline.clock import Clock, utc_now
from kolleno_pipelines.pipeline.days import days_within
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.fold import Changes, fold
from kolleno_pipelines.pipeline.load import Loaded, load
from kolleno_pipelines.pipeline.load_plan import Scope, plan
from kolleno_pipelines.pipeline.person import operator_name
from kolleno_pipelines.pipeline.refresh import refresh
from kolleno_pipelines.pipeline.result_summary import ResultSummary
from kolleno_pipelines.pipeline.summaries import file_summary, result_summary
from kolleno_pipelines.storage import reprocessings
from kolleno_pipelines.storage.batches import days_in_flight
from kolleno_pipelines.storage.ledger import LedgerFile

CHUNK_DAYS = 31
Progress = Callable[[str], None]


@dataclass
class Reprocessed:
    """What a re-processing read and changed; `files` in a dry run are those it would read, and there are no results."""

    first: date
    last: date
    dry_run: bool
    files: list[LedgerFile] = field(default_factory=list)
    failed: list[LedgerFile] = field(default_factory=list)
    changes: dict[str, Changes] = field(default_factory=dict)
    results: list[ResultSummary] = field(default_factory=list)

    @property
    def changed(self) -> int:
        """Records new, changed or gone."""
        return sum(c.new + c.changed + c.gone for c in self.changes.values())

    @property
    def has_findings(self) -> bool:
        """Whether files of the range fail or have rejected rows; a dry run finds nothing."""
        return not self.dry_run and bool(self.failed or any(file.rows_rejected for file in self.files))

    def add(self, loaded: Loaded, entities: dict[str, Changes]) -> None:
        """Add what one chunk did; a file counts once, with what became of it in the end."""
        failed = {file.id: file for file in (*self.failed, *loaded.failed)}
        files = {file.id: file for file in (*self.files, *loaded.waiting, *loaded.loaded)}
        self.failed = [file for file in failed.values() if file.id not in files]
        self.files = list(files.values())
        for entity, changes in entities.items():
            self.changes.setdefault(entity, Changes()).add(changes)

    def to_json(self) -> dict[str, Any]:
        """Return the shape of `kolleno reprocess --json`."""
        return {
            "first": self.first,
            "last": self.last,
            "dry_run": self.dry_run,
            "files": [file_summary(file) for file in self.files],
            "failed": [file_summary(file) for file in self.failed],
            "changed": self.changed,
            "changes": {name: vars(changes) for name, changes in self.changes.items()},
            "results": [result_summary(result) for result in self.results],
        }


def chunks(first: date, last: date) -> Iterator[tuple[date, date]]:
    """Cut [first, last] into ranges of at most 31 days."""
    while first <= last:
        end = min(last, first + timedelta(days=CHUNK_DAYS - 1))
        yield first, end
        first = end + timedelta(days=1)


def reprocess(
    deployment: Deployment,
    connection: SftpConnection,
    first: date,
    last: date,
    *,
    only_failed: bool = False,
    dry_run: bool = False,
    requested_by: str | None = None,
    run_id: str | None = None,
    clock: Clock = utc_now,
    progress: Progress = lambda _: None,
) -> Reprocessed:
    """Re-process [first, last] from the archive in chunks of 31 days, then reconcile the present and each of its days.

    An old range never overwrites newer data: each record is folded from all its inputs. A second time changes nothing.
    Of the range only what lies within the first day and today counts; raises DaysError when nothing does.
    """
    first, last = days_within(first, last, deployment.settings.first_day, clock().date())
    result = Reprocessed(first, last, dry_run)
    if dry_run:
        with deployment.transaction() as conn:
            result.files = plan(conn, connection, Scope(first, last), reload=True, only_failed=only_failed)
        return result
    with deployment.session() as session:
        request = reprocessings.begin(
            session, connection.name, first, last, requested_by or operator_name(), only_failed, run_id
        )
        for start, end in chunks(first, last):
            progress(f"{start} to {end}")
            days = [start + timedelta(days=n) for n in range((end - start).days + 1)]
            with days_in_flight(session, connection.name, days):
                _chunk(result, deployment, connection, (start, end), only_failed, run_id, clock)
        reprocessings.end(session, request, len(result.files), {name: vars(c) for name, c in result.changes.items()})
    touched = {f.partition_day for f in (*result.files, *result.failed) if first <= f.partition_day <= last}
    result.results = refresh(deployment, days=touched, clock=clock, progress=progress)
    return result


def _chunk(
    result: Reprocessed,
    deployment: Deployment,
    connection: SftpConnection,
    days: tuple[date, date],
    only_failed: bool,
    run_id: str | None,
    clock: Clock,
) -> None:
    """Load and fold the days from the first to the last again; add to `result` what that did."""
    first, last = days
    loaded = load(
        deployment,
        connection,
        first=first,
        last=last,
        reload=True,
        only_failed=only_failed,
        run_id=run_id,
        clock=clock,
    )
    result.add(loaded, fold(deployment, connection, run_id=run_id, clock=clock).entities)
