"""How long accepted rows stay in `sftp_csv`: pruned after `retention_days`, restored from the archive when needed."""

from datetime import timedelta
from functools import partial
from typing import Any

import psycopg

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.connectors.sftp.landing import LandingOptions, land
from kolleno_pipelines.pipeline.clock import Clock
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.schemas.sftp_tables import TABLES, TableName
from kolleno_pipelines.storage import csv_rows, ledger, turns
from kolleno_pipelines.storage.archive import Archive
from kolleno_pipelines.storage.ledger import LedgerFile

#: Findings kept per file; their counts are never cut.
FINDINGS_KEPT = 1_000


def prune(deployment: Deployment, connection: SftpConnection, clock: Clock) -> int:
    """Remove rows past the connection's retention, if it has one; returns the number of files pruned."""
    if connection.retention_days is None:
        return 0
    with deployment.transaction() as conn:
        turns.take_fold_turn(conn, connection.name)
        return csv_rows.prune(conn, connection.name, clock() - timedelta(days=connection.retention_days))


def restore(deployment: Deployment, connection: SftpConnection, file_ids: list[int]) -> None:
    """Put the accepted rows of pruned files back, as validated from the archive; their verdicts stay as they are."""
    for file_id in file_ids:
        with deployment.transaction() as conn:
            turns.hold_off_folds(conn, connection.name)
            file = ledger.lock_files(conn, [file_id]).get(file_id)
            if file is not None and file.is_pruned:
                restore_rows(conn, deployment.archive, connection, file)


def landing_options(connection: SftpConnection, max_file_bytes: int) -> LandingOptions:
    """Return how files of a connection are read: without the columns that it does not ask for."""
    unread = frozenset() if connection.balance_stated else frozenset({"balance_stated"})
    return LandingOptions(max_file_bytes=max_file_bytes, max_findings=FINDINGS_KEPT, unread=unread)


def restore_rows(conn: psycopg.Connection[Any], archive: Archive, connection: SftpConnection, file: LedgerFile) -> None:
    """Put the accepted rows of one pruned file back inside the open transaction."""
    table, sha256 = TABLES[TableName(str(file.type))], str(file.sha256)
    # It was accepted at its size once, whatever the limit is now.
    landing = land(partial(archive.open, sha256), table, landing_options(connection, file.size))
    rows = (block.rows for block in landing.blocks())
    csv_rows.copy_rows(conn, table, file.id, rows, landing.header.fields)
    csv_rows.withdraw_lines(conn, table, file.id, [row.line for row in landing.duplicates()])
    conn.execute("UPDATE raw.files SET is_pruned = false WHERE id = %s", [file.id])
