"""Batches of the drop: computed from the ledger, shown to the operator, released or skipped. No file is read here."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.pipeline.clock import Clock, utc_now
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.rules.batches import Batch, BatchFile, BatchState, group, is_stalled
from kolleno_pipelines.schemas.sftp_tables import TableName
from kolleno_pipelines.storage import batches as batch_store
from kolleno_pipelines.storage import ledger, standing
from kolleno_pipelines.storage.batches import BatchRow
from kolleno_pipelines.storage.ledger import LedgerFile


def as_batch_file(file: ledger.LedgerFile, *, overtaken: bool = False) -> BatchFile:
    """Return a ledger file as far as grouping needs it; `overtaken` by a newer content that failed."""
    if file.type is None or file.name_time is None:
        raise ValueError(f"{file.name} is not one of the seven types")
    failed = file.status == "failed"
    return BatchFile(file.name, TableName(file.type), file.name_time, file.fix, failed=failed, overtaken=overtaken)


def current_batches(
    conn: psycopg.Connection[Any], connection: SftpConnection
) -> tuple[dict[str, LedgerFile], list[Batch]]:
    """Return the content that stands of each file of ours by name, and the batches they form."""
    files = {f.name: f for f in standing.standing_contents(conn, connection.name)}
    overtaken = {standing.moment(f) for f in standing.failed_over(conn, connection.name)}
    batches = group(
        (as_batch_file(f, overtaken=f.status != "failed" and standing.moment(f) in overtaken) for f in files.values()),
        window=connection.batch_window,
        released=batch_store.decided_names(conn, connection.name, "release"),
        skipped=batch_store.decided_names(conn, connection.name, "skip"),
    )
    return files, batches


def refresh_batches(deployment: Deployment, connection: SftpConnection, *, clock: Clock = utc_now) -> list[BatchRow]:
    """Compute the batches again and store them as the operator sees them; returns them, oldest first."""
    with deployment.transaction() as conn:
        batch_store.alone(conn, connection.name)
        files, batches = current_batches(conn, connection)
        rows = [_batch_row(connection, batch, files, clock()) for batch in batches]
        batch_store.save_batches(conn, connection.name, rows)
        skipped = [files[m.name] for b in batches if b.state is BatchState.SKIPPED for m in b.members]
        ids = [f.id for f in skipped if not f.is_loaded and f.status != "skipped"]
        if ids:
            ledger.set_status(conn, ids, "skipped")
    return rows


def _batch_row(connection: SftpConnection, batch: Batch, files: dict[str, LedgerFile], now: datetime) -> BatchRow:
    """Return the batch as stored. `names` are its own members: what is decided about it concerns no other batch."""
    members = [files[m.name] for m in batch.members]
    counted = dict.fromkeys([*batch.own, *batch.replaced_by.values()])
    newest = max(f.taken_at for f in members)
    return BatchRow(
        connection.name,
        batch.batch_id,
        min(f.partition_day for f in members),
        batch.begins_at,
        _batch_status(connection, batch, [files[f.name] for f in counted], newest, now),
        [t.value for t in batch.missing],
        [t.value for t in (*batch.failed, *batch.unmended)],
        [m.name for m in batch.members],
        min(f.taken_at for f in members),
    )


def _batch_status(
    connection: SftpConnection, batch: Batch, files: Sequence[LedgerFile], newest: datetime, now: datetime
) -> str:
    good = [f for f in files if f.status != "failed"]
    if batch.state is BatchState.SKIPPED:
        return "skipped"
    if batch.state is BatchState.FAILED or (batch.unmended and batch.state is BatchState.COMPLETE):
        return "failed"
    if all(f.is_folded for f in good) and good:
        return "processed_with_rejects" if any(f.rows_rejected for f in good) else "processed"
    if batch.state is BatchState.INCOMPLETE:
        return "stalled" if is_stalled(batch, newest, now, connection.stall_after) else "waiting"
    return "released" if batch.state is BatchState.RELEASED else "processing"


class NoSuchBatchError(Exception):
    """There is no open batch of that id; the text names the open ones."""


def decide(
    deployment: Deployment, connection: SftpConnection, batch_id: str, decision: str, *, by: str, why: str | None
) -> BatchRow:
    """Release (treat what is missing or failed as empty) or skip a batch that is not processed yet.

    The decision is kept as an input of the fold. Raises NoSuchBatchError.
    """
    rows = refresh_batches(deployment, connection)
    is_open = {"waiting", "stalled", "failed", "released", "skipped"}
    batch = next((row for row in rows if row.batch_id == batch_id and row.status in is_open), None)
    if batch is None:
        others = ", ".join(row.batch_id for row in rows if row.status in is_open) or "none"
        raise NoSuchBatchError(f"No open batch {batch_id}; open batches: {others}.")
    with deployment.transaction() as conn:
        batch_store.add_decision(conn, batch, decision, by, why)
    return next(row for row in refresh_batches(deployment, connection) if row.batch_id == batch_id)
