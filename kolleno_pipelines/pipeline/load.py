"""Loading batches: archived files become validated rows of `sftp_csv`, seven tables in one transaction. No fold."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import IO, Any

import psycopg
import pyarrow as pa

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.connectors.sftp.landing import Landing, LandingOptions, land
from kolleno_pipelines.pipeline.batches import current_batches, refresh_batches
from kolleno_pipelines.pipeline.clock import Clock, utc_now
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.retention import restore_rows
from kolleno_pipelines.pipeline.take import finding_row
from kolleno_pipelines.rules.batches import Batch, BatchState
from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.findings import FileFailed, Finding, RejectedRow
from kolleno_pipelines.schemas.sftp_tables import TABLES, CsvTable, TableName
from kolleno_pipelines.storage import csv_rows, ledger, turns
from kolleno_pipelines.storage.failpoints import reach
from kolleno_pipelines.storage.ledger import LedgerFile

Progress = Callable[[str], None]
_FINDINGS_KEPT = 1_000


@dataclass
class Loaded:
    """What one loading did: files loaded (ledger rows afterwards), failed, waiting for companions."""

    loaded: list[LedgerFile] = field(default_factory=list)
    failed: list[LedgerFile] = field(default_factory=list)
    waiting: list[LedgerFile] = field(default_factory=list)
    batches: list[str] = field(default_factory=list)


class _FailedInBatch(Exception):  # noqa: N818 - a signal between two functions of this module
    def __init__(self, file: LedgerFile, findings: Sequence[Finding]) -> None:
        super().__init__(file.name)
        self.file, self.findings = file, findings


@dataclass
class _Loading:
    deployment: Deployment
    connection: SftpConnection
    run_id: str | None
    clock: Clock
    progress: Progress
    result: Loaded = field(default_factory=Loaded)
    reloaded: set[int] = field(default_factory=set)


def load(
    deployment: Deployment,
    connection: SftpConnection,
    *,
    first: date | None = None,
    last: date | None = None,
    reload: bool = False,
    only_failed: bool = False,
    run_id: str | None = None,
    clock: Clock = utc_now,
    progress: Progress = lambda _: None,
) -> Loaded:
    """Load each complete batch of the days [first, last] in one transaction; read the others for their verdicts.

    `reload` validates and loads again what is loaded already, from the archive; `only_failed` confines that to files
    that failed or wait. A file-level fault fails the batch: nothing of it loads, every file of it gets its verdict.
    """
    work = _Loading(deployment, connection, run_id, clock, progress)
    done: set[str] = set()
    while _pass(work, first, last, reload, only_failed, done):
        pass  # a verdict may have completed other batches: they are computed anew
    refresh_batches(deployment, connection, clock=clock)
    return work.result


def _pass(
    work: _Loading, first: date | None, last: date | None, reload: bool, only_failed: bool, done: set[str]
) -> bool:
    """Work on the batches in their order until a file fails or a failed one turns out good; tells whether one did."""
    with work.deployment.transaction() as conn:
        files, batches = current_batches(conn, work.connection)
    for batch in batches:
        signature = " ".join([batch.batch_id, batch.state, *(f.name for f in batch.loadable)])
        members = [files[m.name] for m in batch.members]
        days = {f.partition_day for f in members} | {batch.day}
        inside = any((first is None or day >= first) and (last is None or day <= last) for day in days)
        if not inside or batch.state is BatchState.SKIPPED or signature in done:
            continue
        open_files = [files[f.name] for f in batch.loadable if not files[f.name].is_loaded]
        unread = [f for f in members if f.status == "taken"]
        again = reload and (not only_failed or bool(batch.failed or batch.missing))
        if not (open_files or unread or again):
            continue
        done.add(signature)
        failed, loaded, waiting = (len(some) for some in (work.result.failed, work.result.loaded, work.result.waiting))
        if batch.loadable:
            _load_batch(work, batch, files, reload=reload and not only_failed)
        else:
            _judge(work, batch, files, again=reload)
        revived = any(files[f.name].status == "failed" for f in work.result.waiting[waiting:])
        if revived or len(work.result.failed) > failed:
            return True
        files |= {f.name: f for f in (*work.result.loaded[loaded:], *work.result.waiting[waiting:])}
    return False


def _load_batch(work: _Loading, batch: Batch, files: Mapping[str, LedgerFile], *, reload: bool) -> None:
    """Load a complete batch: all its files in one transaction, or none."""
    planned = [files[f.name] for f in batch.loadable]
    planned = [f for f in planned if not f.is_loaded or (reload and f.id not in work.reloaded)]
    try:
        with work.deployment.transaction() as conn:
            turns.hold_off_folds(conn, work.connection.name)
            now = ledger.lock_files(conn, [f.id for f in planned])
            # Another run may have loaded or replaced some of them since they were planned.
            wanted = [f for f in planned if f.id in now and now[f.id].is_loaded == f.is_loaded]
            for file in wanted:
                work.progress(file.name)
                _load_file(work, conn, file)
            if wanted:
                reach("before_commit")
        if not wanted:
            return
        reach("after_commit")
    except _FailedInBatch as failed:
        _record_failed(work, failed.file, failed.findings)
        _judge(work, batch, files, again=False)
        return
    work.reloaded.update(f.id for f in wanted)
    with work.deployment.transaction() as conn:
        work.result.loaded += [ledger.file_by_id(conn, f.id) for f in wanted]
    work.result.batches.append(batch.batch_id)


def _judge(work: _Loading, batch: Batch, files: Mapping[str, LedgerFile], *, again: bool) -> None:
    """Read the files of a batch that may not load, so that each gets its verdict; no row is loaded."""
    for file in [files[member.name] for member in batch.members]:
        again_now = again and not file.is_loaded and file.id not in work.reloaded
        if file.is_fetched and (file.status == "taken" or again_now):
            work.reloaded.add(file.id)
            work.progress(file.name)
            try:
                with work.deployment.transaction() as conn:
                    _judge_file(work, conn, file)
            except _FailedInBatch as failed:
                _record_failed(work, failed.file, failed.findings)


def _record_failed(work: _Loading, file: LedgerFile, findings: Sequence[Finding]) -> None:
    """Record the verdict; what an earlier reading of the file loaded is withdrawn."""
    with work.deployment.transaction() as conn:
        turns.hold_off_folds(conn, work.connection.name)
        now = ledger.lock_files(conn, [file.id]).get(file.id)
        if now is None:
            return
        table = TABLES[TableName(str(file.type))]
        if now.is_pruned:
            csv_rows.queue_all(conn, work.connection.name, table)
        csv_rows.clear_file(conn, work.connection.name, table, file.id)
        ledger.record_failed(conn, file.id, [finding_row(f) for f in findings])
        work.result.failed.append(ledger.file_by_id(conn, file.id))


def _land(work: _Loading, file: LedgerFile) -> tuple[CsvTable, Landing]:
    table = TABLES[TableName(str(file.type))]
    sha256 = str(file.sha256)
    options = LandingOptions(max_findings=_FINDINGS_KEPT)
    try:
        return table, land(lambda: work.deployment.archive.open(sha256), table, options)
    except FileFailed as failed:  # a fault of the header is found before the first row is asked for
        raise _FailedInBatch(file, failed.findings) from failed


class _Spool:
    """Rejected rows set aside on disk while the COPY of the accepted ones has the connection."""

    def __init__(self, file: IO[str]) -> None:
        self.file = file
        self.warnings: list[Finding] = []
        self.count = 0

    def pass_rows(self, landing: Landing) -> Iterator[pa.RecordBatch]:
        for block in landing.blocks():
            for row in block.rejected:
                self.keep(row)
            self.warnings += block.warnings
            yield block.rows

    def keep(self, row: RejectedRow) -> None:
        self.file.write(json.dumps([row.line, list(row.cells), [f.to_json() for f in row.findings]]) + "\n")
        self.count += 1

    def rows(self) -> Iterator[csv_rows.KeptRow]:
        self.file.seek(0)
        for text in self.file:
            line, cells, findings = json.loads(text)
            yield line, cells, findings


def _load_file(work: _Loading, conn: psycopg.Connection[Any], file: LedgerFile) -> None:
    """Validate one archived file and load its rows, rejects and verdict; older contents of the name are withdrawn."""
    table, landing = _land(work, file)
    for older in ledger.replace_older(conn, file):
        if older.is_pruned:
            restore_rows(conn, work.deployment.archive, older)
        csv_rows.clear_file(conn, work.connection.name, table, older.id)
    csv_rows.clear_file(conn, work.connection.name, table, file.id)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as spool_file:
        spool = _Spool(spool_file)
        try:
            csv_rows.copy_rows(conn, table, file.id, spool.pass_rows(landing), landing.header.fields)
            _withdraw_duplicates(conn, table, file, landing, spool)
        except FileFailed as failed:
            raise _FailedInBatch(file, failed.findings) from failed
        _require_one_key(work, conn, file, landing)
        if spool.count:
            csv_rows.add_rejected(conn, file.id, spool.rows())
        ledger.add_findings(conn, file.id, map(finding_row, spool.warnings))
    ledger.record_valid(conn, file.id, _verdict(landing), loaded=True)


def _withdraw_duplicates(
    conn: psycopg.Connection[Any], table: CsvTable, file: LedgerFile, landing: Landing, spool: _Spool
) -> None:
    lines = []
    for row in landing.duplicates():
        lines.append(row.line)
        spool.keep(row)
    if lines:
        csv_rows.withdraw_lines(conn, table, file.id, lines)


def _judge_file(work: _Loading, conn: psycopg.Connection[Any], file: LedgerFile) -> None:
    now = ledger.lock_files(conn, [file.id]).get(file.id)
    if now is None or (now.status, now.is_loaded) != (file.status, file.is_loaded):
        return  # another run came first
    _, landing = _land(work, file)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as spool_file:
        spool = _Spool(spool_file)
        try:
            for _ in spool.pass_rows(landing):
                pass
            for row in landing.duplicates():
                spool.keep(row)
        except FileFailed as failed:
            raise _FailedInBatch(file, failed.findings) from failed
        _require_one_key(work, conn, file, landing)
        conn.execute("DELETE FROM sftp_csv.rejected_rows WHERE file_id = %s", [file.id])
        ledger.clear_findings(conn, file.id)
        csv_rows.add_rejected(conn, file.id, spool.rows())
        ledger.add_findings(conn, file.id, map(finding_row, spool.warnings))
    ledger.record_valid(conn, file.id, _verdict(landing), loaded=False)
    work.result.waiting.append(ledger.file_by_id(conn, file.id))


def _require_one_key(work: _Loading, conn: psycopg.Connection[Any], file: LedgerFile, landing: Landing) -> None:
    """Fail a link file that keys its rows otherwise than this connection does (model 2: one of the two)."""
    own = landing.link_keyed_by
    if own is None:
        return
    expected: str | None = work.connection.allocation_key
    if expected == "auto":
        others = [f for f in ledger.newest_files(conn, work.connection.name) if f.is_loaded and f.type == file.type]
        expected = next((f.link_keyed_by for f in others if f.link_keyed_by and f.name != file.name), own)
    if own != expected:
        with_id, without = "with an id of their own", "by the two documents they join"
        message = (
            f"the rows of this file are keyed {with_id if own == 'id' else without}, those of this connection"
            f" {with_id if expected == 'id' else without}; send them one way"
        )
        raise _FailedInBatch(file, [Finding(None, "id", None, Code.BAD_HEADER, message)])


def _verdict(landing: Landing) -> ledger.Verdict:
    summary, header = landing.summary, landing.header
    return ledger.Verdict(
        summary.rows_read,
        summary.rows_accepted,
        summary.rows_rejected,
        summary.warnings,
        {str(code): number for code, number in summary.code_counts.items()},
        ledger.money_as_text(summary.money_totals),
        list(header.fields),
        list(header.extra_columns),
        list(header.names),
        landing.link_keyed_by,
    )
