"""Normalising: archived payloads become rows of our entities, and the fold makes records of them. Offline."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date

import psycopg

from kolleno_pipelines.connectors.contract import Connector, Extract
from kolleno_pipelines.connectors.payload_blocks import Readable, normalise_block, payload_blocks
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


def _normalise(deployment: Deployment, connector: Connector, parts: Iterable[ExtractRow]) -> int:
    number = 0
    for part in parts:
        try:
            number += _normalise_part(deployment, connector, part)
        except _FAULTS as error:
            with deployment.transaction() as conn:
                extracts.note_failed(conn, part.id, " ".join(str(error).split())[:500] or type(error).__name__)
    return number


def _normalise_part(deployment: Deployment, connector: Connector, part: ExtractRow) -> bool:
    with deployment.transaction() as conn:
        turns.hold_off_folds(conn, part.connection)
        if extracts.lock_extract(conn, part.id).status != part.status:
            return False  # another run came first
        record_rows.clear_rows(conn, part)
        quarantined = 0
        extract = connector.extract(part.extract)
        with (
            deployment.archive.open(part.sha256) as stream,
            closing(_one_ahead(_said(connector, extract, stream))) as said,
        ):
            for block in said:
                quarantined += len(block.quarantined)
                record_rows.put_rows(conn, part, block)
        extracts.note_normalised(conn, part.id, quarantined)
        reach("before_commit")
    return True


def _said(connector: Connector, extract: Extract, stream: Readable) -> Iterator[Normalised]:
    for table, unreadable in payload_blocks(stream, extract.schema):
        said = normalise_block(connector.normalise, extract.name, table)
        said.quarantined += unreadable
        yield said


def _one_ahead(blocks: Iterator[Normalised]) -> Generator[Normalised, None, None]:
    """Yield each block while the next one is made: the database takes rows in and the normaliser works meanwhile."""
    with ThreadPoolExecutor(1, thread_name_prefix="normalise") as ahead:
        coming = ahead.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = ahead.submit(next, blocks, None)
            yield block


def fold(deployment: Deployment, connection: str, *, run_id: str | None = None) -> FoldReport:
    """Bring `receivables` of an API connection in line with its normalised payloads, in one transaction."""
    with deployment.transaction() as conn:
        report = fold_records(conn, connection, run_id=run_id)
        reach("before_fold_commit")
    reach("after_fold_commit")
    return report
