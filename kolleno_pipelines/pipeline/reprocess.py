"""Re-processing a range of days from the archive: validate, load and fold again, without the server.

Which results are refreshed afterwards is the caller's choice; a range may be re-processed any number of times.
"""

import getpass
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.pipeline.clock import Clock, utc_now
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.fold import Changes, fold
from kolleno_pipelines.pipeline.load import Loaded, load
from kolleno_pipelines.storage import reprocessings
from kolleno_pipelines.storage.batches import days_in_flight
from kolleno_pipelines.storage.ledger import LedgerFile, files_of_days

CHUNK_DAYS = 31
Progress = Callable[[str], None]


@dataclass
class Reprocessed:
    """What a re-processing read and changed; `files` in a dry run are those it would read."""

    first: date
    last: date
    dry_run: bool
    files: list[LedgerFile] = field(default_factory=list)
    failed: list[LedgerFile] = field(default_factory=list)
    changes: dict[str, Changes] = field(default_factory=dict)
    parked: int = 0

    @property
    def changed(self) -> int:
        """Records new, changed or gone."""
        return sum(c.new + c.changed + c.gone for c in self.changes.values())


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
    """Re-process the files of [first, last] from the archive in chunks of 31 days and say what changed.

    An old range never overwrites newer data: each record is folded from all its inputs. A second time changes nothing.
    """
    result = Reprocessed(first, last, dry_run)
    with deployment.session() as session:
        if dry_run:
            inside = files_of_days(session, connection.name, first, last)
            result.files = [f for f in inside if f.sha256 and (f.status == "failed" or not only_failed)]
            return result
        request = reprocessings.begin(
            session, connection.name, first, last, requested_by or getpass.getuser(), only_failed, run_id
        )
        for start, end in chunks(first, last):
            progress(f"{start} to {end}")
            days = [start + timedelta(days=n) for n in range((end - start).days + 1)]
            with days_in_flight(session, connection.name, days):
                loaded = load(
                    deployment,
                    connection,
                    first=start,
                    last=end,
                    reload=True,
                    only_failed=only_failed,
                    run_id=run_id,
                    clock=clock,
                )
                _add(result, loaded, fold(deployment, connection, run_id=run_id, clock=clock).entities)
        reprocessings.end(session, request, len(result.files), {name: vars(c) for name, c in result.changes.items()})
    return result


def _add(result: Reprocessed, loaded: Loaded, entities: dict[str, Changes]) -> None:
    result.files += loaded.loaded + loaded.waiting
    result.failed += loaded.failed
    for entity, changes in entities.items():
        result.changes.setdefault(entity, Changes()).add(changes)
