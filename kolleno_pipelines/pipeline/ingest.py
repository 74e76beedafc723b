"""Taking what is new through to `receivables`: look, take, load, fold, answer. Reconciling is another story."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.connectors.errors import ConnectorError
from kolleno_pipelines.pipeline import load_plan
from kolleno_pipelines.pipeline.answer import answer
from kolleno_pipelines.pipeline.clock import Clock, utc_now
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.fold import FoldReport, fold
from kolleno_pipelines.pipeline.load import Loaded, load
from kolleno_pipelines.pipeline.take import Taken, take
from kolleno_pipelines.storage.batches import BatchRow, batches_of, days_in_flight

Progress = Callable[[str], None]
_SETTLED = {"processed", "processed_with_rejects", "skipped"}


@dataclass
class Ingested:
    """What one ingestion did, stage by stage."""

    connection: str
    taken: Taken
    loaded: Loaded
    folded: FoldReport
    days: list[date]
    open_batches: list[BatchRow] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    unanswered: str | None = None  # why the sender could not be told; the next ingestion tries again

    @property
    def has_findings(self) -> bool:
        """Whether somebody should look: failed files, rejected rows, notices, parked rows, stalled batches."""
        stuck = any(b.status in {"stalled", "failed"} for b in self.open_batches)
        rejects = any(f.rows_rejected for f in self.loaded.loaded)
        noticed = self.taken.notices or self.unanswered
        return bool(self.loaded.failed or noticed or self.folded.parked or stuck or rejects)


def ingest(
    deployment: Deployment,
    connection: SftpConnection,
    *,
    run_id: str | None = None,
    clock: Clock = utc_now,
    progress: Progress = lambda _: None,
) -> Ingested:
    """Look once (twice at young files), take what is new, load complete batches, fold them, answer the sender.

    Safe to run at any time, beside the daemon too. Raises ConnectorError when the folder cannot be read, but only after
    the work on what is in the archive already: a server that is away delays nothing that has been taken.
    """
    try:
        taken = take(deployment, connection, second_look=True, run_id=run_id, clock=clock, progress=progress)
        away = None
    except ConnectorError as error:
        taken, away = Taken(), error
    loaded, folded = _load_and_fold(deployment, connection, run_id, clock, progress)
    with deployment.transaction() as conn:
        open_batches = [b for b in batches_of(conn, connection.name) if b.status not in _SETTLED]
    if away is not None:
        raise away
    touched = sorted(taken.days | {f.partition_day for f in loaded.loaded})
    done = Ingested(connection.name, taken, loaded, folded, touched, open_batches)
    try:
        done.answered = answer(deployment, connection)
    except ConnectorError as error:
        done.unanswered = str(error)
    return done


def _load_and_fold(
    deployment: Deployment, connection: SftpConnection, run_id: str | None, clock: Clock, progress: Progress
) -> tuple[Loaded, FoldReport]:
    """Load and fold while holding the locks of every day that is worked on; again where that made other days due."""
    loaded, folded = Loaded(), FoldReport()
    before: set[date] | None = None
    with deployment.session() as session:
        while (days := load_plan.days_due(session, connection)) != before and (days or before is None):
            before = days
            with days_in_flight(session, connection.name, sorted(days)):
                loaded.add(load(deployment, connection, within=days, run_id=run_id, clock=clock, progress=progress))
                folded.add(fold(deployment, connection, run_id=run_id, clock=clock))
    return loaded, folded
