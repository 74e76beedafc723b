"""Folding what is loaded into `receivables`: one transaction per connection. How a record folds is storage/fold.py."""

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.pipeline.batches import refresh_batches
from kolleno_pipelines.pipeline.clock import Clock, utc_now
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.retention import prune, restore
from kolleno_pipelines.storage import fold as fold_store
from kolleno_pipelines.storage.failpoints import reach
from kolleno_pipelines.storage.fold import PrunedRowsError
from kolleno_pipelines.storage.fold_report import Changes, FoldReport

__all__ = ["Changes", "FoldReport", "fold"]


def fold(
    deployment: Deployment, connection: SftpConnection, *, run_id: str | None = None, clock: Clock = utc_now
) -> FoldReport:
    """Bring `receivables` of a connection in line with its loaded rows, in one transaction; says what changed.

    Folding again changes nothing. Two folds of one connection wait for each other.
    """
    try:
        report = _fold_once(deployment, connection, run_id)
    except PrunedRowsError as needed:
        restore(deployment, connection, needed.files)
        return fold(deployment, connection, run_id=run_id, clock=clock)
    prune(deployment, connection, clock)
    refresh_batches(deployment, connection, clock=clock)
    return report


def _fold_once(deployment: Deployment, connection: SftpConnection, run_id: str | None) -> FoldReport:
    with deployment.transaction() as conn:
        report = fold_store.fold(conn, connection.name, run_id=run_id)
        reach("before_fold_commit")
    reach("after_fold_commit")
    return report
