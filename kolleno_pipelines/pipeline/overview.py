"""What an operator's pages show about a range of days and about the present state. Nothing is changed here.

The ledger is the truth for days: counts and money per table and day, whatever a run did. No orchestrator here.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.storage import batches as batch_store
from kolleno_pipelines.storage import ledger
from kolleno_pipelines.storage import overview as store
from kolleno_pipelines.storage.batches import BatchRow
from kolleno_pipelines.storage.ledger import LedgerFile
from kolleno_pipelines.storage.overview import EntityTotal, KeptAside, Waiting

__all__ = [
    "BatchRow",
    "DayTable",
    "EntityTotal",
    "KeptAside",
    "LedgerFile",
    "Waiting",
    "by_table_and_day",
    "entity_totals",
    "failed_files",
    "files_of",
    "kept_aside",
    "open_batches",
    "waiting",
]

_PAST = {"replaced", "skipped"}
_UNREAD = {"ignored", "held"}


@dataclass
class DayTable:
    """What one table's files of one day came to; `money` is field -> currency -> sum of the accepted rows."""

    files: int = 0
    failed: int = 0
    rows_read: int = 0
    rows_accepted: int = 0
    rows_rejected: int = 0
    bytes: int = 0
    money: dict[str, dict[str, Decimal]] = field(default_factory=dict)

    def join(self, other: "DayTable") -> None:
        """Count the files and rows of another table of the day in; not its money, whose fields are another's."""
        self.files += other.files
        self.failed += other.failed
        self.bytes += other.bytes
        self.rows_read += other.rows_read
        self.rows_accepted += other.rows_accepted
        self.rows_rejected += other.rows_rejected

    def add(self, file: LedgerFile) -> None:
        """Count one file in."""
        self.files += 1
        self.bytes += file.size
        if file.status == "failed":
            self.failed += 1
            return
        self.rows_read += file.rows_read or 0
        self.rows_accepted += file.rows_accepted or 0
        self.rows_rejected += file.rows_rejected or 0
        for name, sums in file.money_totals.items():
            totals = self.money.setdefault(name, {})
            for currency, amount in sums.items():
                totals[currency] = totals.get(currency, Decimal(0)) + Decimal(amount)


def files_of(deployment: Deployment, connection: SftpConnection, first: date, last: date) -> list[LedgerFile]:
    """Return the ledger rows of [first, last], names that were not taken included, replaced and skipped ones not."""
    with deployment.session() as session:
        files = ledger.files_of_days(session, connection.name, first, last)
    return [file for file in files if file.status not in _PAST]


def by_table_and_day(files: Iterable[LedgerFile]) -> dict[tuple[str, date], DayTable]:
    """Return what the files came to per (table, day); names that were not taken do not count."""
    sums: dict[tuple[str, date], DayTable] = {}
    for file in files:
        if file.type is not None and file.status not in _UNREAD:
            sums.setdefault((file.type, file.partition_day), DayTable()).add(file)
    return sums


def entity_totals(deployment: Deployment, connection: SftpConnection) -> list[EntityTotal]:
    """Return rows and sums of every receivables entity of the connection."""
    with deployment.session() as session:
        return store.entity_totals(session, connection.name)


def kept_aside(deployment: Deployment, connection: SftpConnection) -> list[KeptAside]:
    """Return rejected rows that nothing later has made good, newest file first, of each table's newest thousand."""
    with deployment.session() as session:
        return store.kept_aside(session, connection.name)


def waiting(deployment: Deployment, connection: SftpConnection, limit: int) -> tuple[dict[str, int], list[Waiting]]:
    """Return the number of parked rows by table, and the newest of them with the root cause."""
    with deployment.session() as session:
        return store.count_waiting(session, connection.name), store.waiting(session, connection.name, limit)


def open_batches(deployment: Deployment, connection: SftpConnection, *statuses: str) -> list[BatchRow]:
    """Return the batches of the connection that have one of the statuses, oldest first."""
    with deployment.session() as session:
        return [b for b in batch_store.batches_of(session, connection.name) if b.status in statuses]


def failed_files(deployment: Deployment, connection: SftpConnection) -> list[LedgerFile]:
    """Return files that failed and whose batch still waits for a good one, newest last."""
    stuck = open_batches(deployment, connection, "failed")
    names = {name for batch in stuck for name in batch.names}
    with deployment.session() as session:
        return [f for f in ledger.newest_files(session, connection.name) if f.status == "failed" and f.name in names]
