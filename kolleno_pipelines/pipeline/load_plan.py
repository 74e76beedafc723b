"""Which files a loading reads, decided from the ledger and the batches before any is read. Nothing is read here."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.pipeline.batches import current_batches
from kolleno_pipelines.rules.batches import Batch, BatchState
from kolleno_pipelines.storage import standing
from kolleno_pipelines.storage.ledger import LedgerFile


@dataclass(frozen=True)
class Scope:
    """The days to work on: a batch with a day in [first, last] and, if given, with no day out of `within`."""

    first: date | None = None
    last: date | None = None
    within: Collection[date] | None = None

    def holds(self, days: Collection[date], all_days: Collection[date]) -> bool:
        """Tell whether a batch of these days is worked on; `all_days` count its successors' too."""
        if self.within is not None and not set(all_days) <= set(self.within):
            return False
        return any(
            (self.first is None or day >= self.first) and (self.last is None or day <= self.last) for day in days
        )


def days_of(batch: Batch, files: Mapping[str, LedgerFile], *, with_successors: bool = False) -> set[date]:
    """Return the days of a batch: of its begin and of its files."""
    own = (*batch.own, *batch.loadable) if with_successors else batch.own
    return {batch.day} | {files[f.name].partition_day for f in own}


def is_due(file: LedgerFile, batch: Batch) -> bool:
    """Tell whether a file of a batch still lacks its verdict, or its rows although the batch may load."""
    if not file.is_fetched or file.status == "failed":
        return False
    return file.status == "taken" or (bool(batch.loadable) and not file.is_loaded)


def plan(
    conn: psycopg.Connection[Any],
    connection: SftpConnection,
    scope: Scope,
    *,
    reload: bool = False,
    only_failed: bool = False,
) -> list[LedgerFile]:
    """Return the files that a loading would read: those due and, with `reload`, those read before.

    That is: failed contents that may stand if they are good now, waiting ones, and unless `only_failed` those loaded by
    batches that may load. What a skipped batch holds, and contents that a newer one replaced, are not read.
    """
    files, batches = current_batches(conn, connection)
    failed: dict[object, list[LedgerFile]] = {}
    for file in standing.failed_over(conn, connection.name) if reload else ():
        if file.is_fetched:
            failed.setdefault(standing.moment(file), []).append(file)
    found: dict[int, LedgerFile] = {}
    for batch in batches:
        days, all_days = days_of(batch, files), days_of(batch, files, with_successors=True)
        if batch.state is BatchState.SKIPPED or not scope.holds(days, all_days):
            continue
        own = [files[f.name] for f in dict.fromkeys((*batch.own, *batch.loadable))]
        members = {f.name for f in batch.own}  # what completes a batch is read again with its own
        found |= {
            f.id: f
            for f in own
            if is_due(f, batch) or (reload and f.name in members and _is_read_again(f, batch, only_failed))
        }
        found |= {f.id: f for each in own for f in failed.get(standing.moment(each), ())}
    return sorted(found.values(), key=lambda f: (str(f.name_time), f.fix, f.name, f.receipt))


def _is_read_again(file: LedgerFile, batch: Batch, only_failed: bool) -> bool:
    if file.status == "failed" or not file.is_fetched:
        return False
    return not file.is_loaded or (bool(batch.loadable) and not only_failed)


def days_due(conn: psycopg.Connection[Any], connection: SftpConnection) -> set[date]:
    """Return every day of the batches in which a file is due."""
    files, batches = current_batches(conn, connection)
    days: set[date] = set()
    for batch in batches:
        some = [files[f.name] for f in batch.loadable or batch.own]
        if batch.state is not BatchState.SKIPPED and any(is_due(f, batch) for f in some):
            days |= days_of(batch, files, with_successors=True)
    return days
