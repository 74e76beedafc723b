"""Importing payloads that were recorded elsewhere: for support cases, migrations and tests without an account.

A folder holds `<extract>.jsonl`, one payload a line; an extract without a file is simply not known.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from kolleno_pipelines.connectors.contract import Connector, Extract, Pass
from kolleno_pipelines.connectors.payload_blocks import normalise_block, payload_blocks
from kolleno_pipelines.pipeline.clock import Clock, utc_now
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.normalise import fold, normalise_pending
from kolleno_pipelines.storage import extracts
from kolleno_pipelines.storage.archive import Digest
from kolleno_pipelines.storage.batches import days_in_flight
from kolleno_pipelines.storage.extracts import Landed
from kolleno_pipelines.storage.fold_report import FoldReport

SUFFIX = ".jsonl"


class ImportFolderError(ValueError):
    """The folder cannot be imported; the text says why and what to do."""


@dataclass
class Imported:
    """What an import took: payloads by extract, and what the fold changed."""

    observed_at: datetime
    payloads: dict[str, int] = field(default_factory=dict)
    folded: FoldReport = field(default_factory=FoldReport)


def import_extracts(
    deployment: Deployment,
    connection: str,
    connector: Connector,
    folder: Path,
    *,
    observed_at: datetime | None = None,
    run_id: str | None = None,
    clock: Clock = utc_now,
) -> Imported:
    """Take recorded payloads into the archive and through to receivables.

    They were observed at the moment given, else at the newest modified time in the folder, never now (docs/model.md).
    Importing the same again changes nothing. The day is locked meanwhile. Raises ImportFolderError, DayBusyError.
    """
    files = _files(connector, folder)
    if observed_at is not None and observed_at.tzinfo is None:
        raise ImportFolderError("--observed-at states no offset from UTC: write it as in 2026-03-01T12:00:00+00:00.")
    observed = observed_at or _newest(connector, files)
    done = Imported(observed)
    day = min(observed.astimezone(UTC).date(), clock().date())
    with deployment.session() as session, days_in_flight(session, connection, [day]):
        _take(deployment, connection, connector, files, done, day, run_id)
        normalise_pending(deployment, connection, connector)
        done.folded = fold(deployment, connection, run_id=run_id)
    return done


def _take(
    deployment: Deployment,
    connection: str,
    connector: Connector,
    files: dict[Extract, Path],
    done: Imported,
    day: date,
    run_id: str | None,
) -> None:
    """Put the files into the archive and the ledger, for a day."""
    for extract, path in files.items():
        digest = _archived(deployment, connector, path)
        records = _lines(path)
        done.payloads[extract.name] = records
        landed = Landed(
            connection=connection,
            extract=extract.name,
            pass_=Pass.IMPORT.value,
            partition_day=day,
            observed_at=done.observed_at,
            sha256=digest.sha256,
            size=digest.size,
            records=records,
            run_id=run_id,
        )
        with deployment.transaction() as conn:
            extracts.note_landed(conn, landed)


def _archived(deployment: Deployment, connector: Connector, path: Path) -> Digest:
    """Put a file into the archive as it is, but for what no payload may keep."""
    if connector.without_secrets is None:
        return deployment.archive.put_file(path)
    with path.open("rb") as lines, deployment.archive.writer() as writer:
        for line in lines:
            writer.write(connector.without_secrets(line))
    return writer.close()


def _files(connector: Connector, folder: Path) -> dict[Extract, Path]:
    """Return the files of the folder in the order of the connector's extracts."""
    known = [extract.name for extract in connector.extracts]
    if not folder.is_dir():
        raise ImportFolderError(f"{folder} is not a folder: name the one that holds <extract>{SUFFIX}.")
    named = sorted(path.name for path in folder.iterdir() if path.suffix == SUFFIX)
    unknown = [name for name in named if name.removesuffix(SUFFIX) not in known]
    if unknown:
        raise ImportFolderError(f"{folder / unknown[0]} names no extract of {connector.system}: {', '.join(known)}.")
    if not named:
        names = ", ".join(known)
        raise ImportFolderError(f"{folder} holds no <extract>{SUFFIX}; the extracts of {connector.system} are {names}.")
    return {
        extract: folder / f"{extract.name}{SUFFIX}"
        for extract in connector.extracts
        if f"{extract.name}{SUFFIX}" in named
    }


def _newest(connector: Connector, files: dict[Extract, Path]) -> datetime:
    newest: datetime | None = None
    for extract, path in files.items():
        with path.open("rb") as stream:
            for table, _ in payload_blocks(stream, extract.schema, forms=extract.forms):
                said = normalise_block(connector.normalise, extract.name, table)
                moments = [moment for moment in said.payloads["modified_at"].to_pylist() if moment is not None]
                newest = max([*moments, *([newest] if newest else [])], default=None)
    if newest is None:
        raise ImportFolderError("No payload of the folder states when it was modified: say --observed-at MOMENT.")
    return newest


def _lines(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(1 for line in stream if line.strip())
