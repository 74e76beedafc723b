"""Loading batches: archived files become validated rows of `sftp_csv`, seven tables in one transaction. No fold."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.pipeline.batches import current_batches, refresh_batches
from kolleno_pipelines.pipeline.clock import Clock, utc_now
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.load_plan import Scope, days_of, is_due, plan
from kolleno_pipelines.pipeline.reading import FailedReadingError, judge_file, key_fault, load_file
from kolleno_pipelines.pipeline.take import finding_row
from kolleno_pipelines.rules.batches import Batch, BatchState
from kolleno_pipelines.schemas.findings import Finding
from kolleno_pipelines.schemas.sftp_tables import TABLES, TableName
from kolleno_pipelines.storage import csv_rows, file_verdicts, ledger, link_keys, standing, turns
from kolleno_pipelines.storage.failpoints import reach
from kolleno_pipelines.storage.ledger import LedgerFile

Progress = Callable[[str], None]
#: Rows of a batch beyond which autovacuum finds reason enough to come by itself, and soon.
_LEFT_TO_AUTOVACUUM = 50_000


@dataclass
class Loaded:
    """What one loading did: files loaded (ledger rows afterwards), failed, waiting for companions."""

    loaded: list[LedgerFile] = field(default_factory=list)
    failed: list[LedgerFile] = field(default_factory=list)
    waiting: list[LedgerFile] = field(default_factory=list)
    batches: list[str] = field(default_factory=list)

    def add(self, other: "Loaded") -> None:
        """Add what another loading did after this one."""
        self.loaded += other.loaded
        self.failed += other.failed
        self.waiting += other.waiting
        self.batches += other.batches


@dataclass
class _Loading:
    deployment: Deployment
    connection: SftpConnection
    scope: Scope
    run_id: str | None
    progress: Progress
    result: Loaded = field(default_factory=Loaded)
    again: set[int] = field(default_factory=set)  # ledger ids to read although they have a verdict; read ones leave


def load(
    deployment: Deployment,
    connection: SftpConnection,
    *,
    first: date | None = None,
    last: date | None = None,
    within: Collection[date] | None = None,
    reload: bool = False,
    only_failed: bool = False,
    run_id: str | None = None,
    clock: Clock = utc_now,
    progress: Progress = lambda _: None,
) -> Loaded:
    """Load each complete batch of the days [first, last] in one transaction; read the others for their verdicts.

    `within` confines the work to batches all of whose days are among these. `reload` validates and loads again what is
    loaded or failed already, from the archive; `only_failed` confines that to files that failed or wait. A file-level
    fault fails the batch: nothing of it loads, every file of it gets its verdict.
    """
    work = _Loading(deployment, connection, Scope(first, last, within), run_id, progress)
    if reload:
        with deployment.transaction() as conn:
            planned = plan(conn, connection, work.scope, reload=True, only_failed=only_failed)
        work.again = {file.id for file in planned}
        for file in planned:
            if file.status == "failed":  # one that turns out good takes its place before batches are looked at
                _judge(work, file)
    done: set[str] = set()
    while _pass(work, done) or _settle_key(work):
        pass  # a verdict may have completed other batches: they are computed anew
    refresh_batches(deployment, connection, clock=clock)
    return work.result


def _pass(work: _Loading, done: set[str]) -> bool:
    """Work on the batches in their order until a file fails or a failed one turns out good; tells whether one did."""
    with work.deployment.transaction() as conn:
        files, batches = current_batches(conn, work.connection)
    for batch in batches:
        wanted = [files[f.name] for f in batch.loadable or batch.own]
        signature = " ".join([batch.batch_id, batch.state, *(str(f.id) for f in wanted)])
        if batch.state is BatchState.SKIPPED or signature in done:
            continue
        todo = [f for f in wanted if is_due(f, batch) or (f.id in work.again and (batch.loadable or not f.is_loaded))]
        if not todo or not work.scope.holds(days_of(batch, files), days_of(batch, files, with_successors=True)):
            continue
        done.add(signature)
        failed, loaded, waiting = (len(some) for some in (work.result.failed, work.result.loaded, work.result.waiting))
        if batch.loadable:
            _load_batch(work, batch, files, todo)
        else:
            for file in todo:
                _judge(work, file)
        revived = any(files[f.name].status == "failed" for f in work.result.waiting[waiting:] if f.name in files)
        if revived or len(work.result.failed) > failed:
            return True
        files |= {f.name: f for f in (*work.result.loaded[loaded:], *work.result.waiting[waiting:])}
    return False


def _load_batch(work: _Loading, batch: Batch, files: Mapping[str, LedgerFile], planned: Sequence[LedgerFile]) -> None:
    """Load files of a complete batch, all in one transaction or none."""
    try:
        with work.deployment.transaction() as conn:
            turns.hold_off_folds(conn, work.connection.name)
            now = ledger.lock_files(conn, [f.id for f in planned])
            # Another run may have loaded or replaced some of them since they were planned.
            wanted = [f for f in planned if f.id in now and now[f.id].is_loaded == f.is_loaded]
            for file in wanted:
                work.progress(file.name)
                load_file(conn, work.deployment, work.connection, file)
            if wanted:
                reach("before_commit")
        if not wanted:
            return
        reach("after_commit")
    except FailedReadingError as failed:
        _record_failed(work, failed.file, failed.findings, failed.keyed_by)
        for file in (files[own.name] for own in batch.own):
            if file.status == "taken" and file.id != failed.file.id:
                _judge(work, file)
        return
    work.again.difference_update(f.id for f in wanted)
    with work.deployment.transaction() as conn:
        loaded = [ledger.file_by_id(conn, f.id) for f in wanted]
    if sum(f.rows_accepted or 0 for f in loaded) <= _LEFT_TO_AUTOVACUUM:
        csv_rows.sum_up(work.deployment.database_url, TABLES.values())
    work.result.loaded += loaded
    work.result.batches.append(batch.batch_id)


def _judge(work: _Loading, file: LedgerFile) -> None:
    """Read a file that may not load, so that it gets its verdict; no row is loaded."""
    work.again.discard(file.id)
    work.progress(file.name)
    try:
        with work.deployment.transaction() as conn:
            now = ledger.lock_files(conn, [file.id]).get(file.id)
            if now is None or (now.status, now.is_loaded) != (file.status, file.is_loaded):
                return  # another run came first
            judge_file(conn, work.deployment, work.connection, file)
            work.result.waiting.append(ledger.file_by_id(conn, file.id))
    except FailedReadingError as failed:
        _record_failed(work, failed.file, failed.findings, failed.keyed_by)


def _record_failed(work: _Loading, file: LedgerFile, findings: Sequence[Finding], keyed_by: str | None = None) -> None:
    """Record the verdict; what an earlier reading loaded is withdrawn, and what the file had replaced stands again."""
    work.again.discard(file.id)
    with work.deployment.transaction() as conn:
        turns.hold_off_folds(conn, work.connection.name)
        now = ledger.lock_files(conn, [file.id]).get(file.id)
        if now is None:
            return
        table = TABLES[TableName(str(file.type))]
        if now.is_pruned:
            csv_rows.queue_all(conn, work.connection.name, table)
        csv_rows.clear_file(conn, work.connection.name, table, file.id)
        file_verdicts.record_failed(conn, file.id, [finding_row(f) for f in findings], keyed_by)
        standing.revive_older(conn, file)
        work.result.failed.append(ledger.file_by_id(conn, file.id))


def _settle_key(work: _Loading) -> bool:
    """Hold every link file to the key of the connection, which a verdict may have changed; tells whether one moved."""
    with work.deployment.transaction() as conn:
        key = link_keys.key_of(conn, work.connection.name, work.connection.allocation_key)
        if key is None:
            return False
        judged_again = link_keys.judge_again(conn, work.connection.name, key)
        wrong = link_keys.keyed_otherwise(conn, work.connection.name, key)
    for file in wrong:
        _record_failed(work, file, [key_fault(file.link_keyed_by, key)], file.link_keyed_by)
    return bool(judged_again or wrong)
