"""Normalising: archived payloads become rows of our entities, and the fold makes records of them. Offline."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from operator import attrgetter

import psycopg

from kolleno_pipelines.connections import ledger_served
from kolleno_pipelines.connectors.contract import Connector
from kolleno_pipelines.connectors.payload_blocks import normalise_block, payload_blocks
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.schemas.records import Normalised
from kolleno_pipelines.storage import extracts, record_rows, turns
from kolleno_pipelines.storage.archive import ArchiveError
from kolleno_pipelines.storage.extracts import ExtractRow
from kolleno_pipelines.storage.failpoints import reach
from kolleno_pipelines.storage.fold_report import FoldReport
from kolleno_pipelines.storage.record_fold import fold_records


def normalise_pending(deployment: Deployment, connection: str, connector: Connector) -> int:
    """Normalise what has landed of a connection and is not normalised yet; returns the number of parts."""
    with deployment.transaction() as conn:
        pending = extracts.extracts_to_normalise(conn, connection)
    return _normalise(deployment, connector, pending)


def normalise_again(
    deployment: Deployment,
    connection: str,
    connector: Connector,
    first: date,
    last: date,
    *,
    only_failed: bool = False,
) -> int:
    """Normalise what was received for the days [first, last] once more; returns the number of parts."""
    with deployment.transaction() as conn:
        received = extracts.extracts_of_days(conn, connection, first, last, only_failed=only_failed)
    return _normalise(deployment, connector, received)


#: A part that one of these stops is noted as failed; the others go on, and the next run tries it again.
_FAULTS = (ArchiveError, psycopg.DataError, psycopg.IntegrityError, OSError, ValueError, LookupError)


@dataclass(frozen=True)
class _Said:
    """What the next block of a part says; a part ends with neither block nor fault, or with the fault that ends it."""

    part: ExtractRow
    block: Normalised | None = None
    fault: Exception | None = None


def _normalise(deployment: Deployment, connector: Connector, parts: Iterable[ExtractRow]) -> int:
    number = 0
    with closing(_one_ahead(_said(deployment, connector, parts))) as said:
        for part, blocks in groupby(said, key=attrgetter("part")):
            try:
                number += _store(deployment, part, blocks)
            except _FAULTS as error:
                with deployment.transaction() as conn:
                    extracts.note_failed(conn, part.id, " ".join(str(error).split())[:500] or type(error).__name__)
    return number


def _store(deployment: Deployment, part: ExtractRow, blocks: Iterable[_Said]) -> bool:
    with deployment.transaction() as conn:
        turns.hold_off_folds(conn, part.connection)
        if extracts.lock_extract(conn, part.id).status != part.status:
            return False  # another run came first
        record_rows.clear_rows(conn, part)
        quarantined = 0
        for said in blocks:
            if said.fault:
                raise said.fault
            if said.block is None:
                break  # here, so that the part is committed before the next one is waited for
            quarantined += len(said.block.quarantined)
            record_rows.put_rows(conn, part, said.block)
        extracts.note_normalised(conn, part.id, quarantined)
        reach("before_commit")
    return True


def _said(deployment: Deployment, connector: Connector, parts: Iterable[ExtractRow]) -> Iterator[_Said]:
    for part in parts:
        try:
            extract = connector.extract(part.extract)
            with deployment.archive.open(part.sha256) as stream:
                for table, unreadable in payload_blocks(stream, extract.schema, forms=extract.forms):
                    block = normalise_block(connector.normalise, extract.name, table)
                    block.quarantined += unreadable
                    yield _Said(part, block)
        except _FAULTS as fault:
            yield _Said(part, fault=fault)
        else:
            yield _Said(part)


def _one_ahead(blocks: Iterator[_Said]) -> Generator[_Said, None, None]:
    """Yield each block while the next one is made: the database takes rows in and the normaliser works meanwhile."""
    with ThreadPoolExecutor(1, thread_name_prefix="normalise") as ahead:
        coming = ahead.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = ahead.submit(next, blocks, None)
            yield block


def fold(deployment: Deployment, connection: str, *, run_id: str | None = None) -> FoldReport:
    """Bring `receivables` of an API connection in line with its normalised payloads, in one transaction."""
    ledger = ledger_served(deployment.connections, connection)
    with deployment.transaction() as conn:
        report = fold_records(conn, connection, run_id=run_id, ledger=ledger)
        reach("before_fold_commit")
    reach("after_fold_commit")
    return report
