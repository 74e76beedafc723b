"""What `kolleno ingest` does from end to end: ingest, then reconcile. The stages themselves lie beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.connectors.errors import ConnectorError
from kolleno_pipelines.pipeline.clock import Clock, utc_now
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.ingest import Ingested, ingest
from kolleno_pipelines.pipeline.refresh import refresh
from kolleno_pipelines.pipeline.result_summary import ResultSummary
from kolleno_pipelines.pipeline.summaries import changed_words, file_summary, reconciled_words, result_summary

Progress = Callable[[str], None]


@dataclass
class Delivered:
    """What one ingestion of a connection came to, reconciliation included."""

    ingested: Ingested
    results: list[ResultSummary] = field(default_factory=list)

    @property
    def has_findings(self) -> bool:
        """Whether somebody should look at what came in (breaks have a report of their own)."""
        return self.ingested.has_findings

    @property
    def is_new(self) -> bool:
        """Whether anything at all was new."""
        done = self.ingested
        return bool(done.taken.names or done.taken.notices or done.loaded.loaded or done.loaded.failed)

    def to_json(self) -> dict[str, Any]:
        """Return one element of `kolleno ingest --json`."""
        done = self.ingested
        return {
            "connection": done.connection,
            "taken": done.taken.names,
            "bytes": done.taken.bytes,
            "unchanged": done.taken.duplicates,
            "settling": done.taken.settling,
            "notices": [{"name": n.name, "code": n.code, "message": n.message} for n in done.taken.notices],
            "loaded": [file_summary(file) for file in done.loaded.loaded],
            "failed": [file_summary(file) for file in done.loaded.failed],
            "batches": done.loaded.batches,
            "open_batches": [vars(batch) for batch in done.open_batches],
            "changes": {name: vars(changes) for name, changes in done.folded.entities.items()},
            "parked": done.folded.parked,
            "days": done.days,
            "answered": done.answered,
            "unanswered": done.unanswered,
            "results": [result_summary(result) for result in self.results],
        }

    def sentences(self) -> Iterator[str]:
        """Yield what happened, a line each."""
        done = self.ingested
        name = done.connection
        if not self.is_new:
            yield f"{name}: nothing new."
        else:
            yield f"{name}: {len(done.taken.names)} files taken ({done.taken.bytes:,} bytes), {_loads(done)}."
        yield from (f"{name}: {notice.message}" for notice in done.taken.notices)
        yield from (f"{same}: the same content again; nothing is done with it." for same in done.taken.duplicates)
        yield from (f"{file.name} failed: {file.message}" for file in done.loaded.failed)
        yield from (
            f"{file.name}: {file.rows_rejected} of {file.rows_read} rows rejected (kolleno files show {file.name})"
            for file in done.loaded.loaded
            if file.rows_rejected
        )
        yield from changed_words(done.folded.entities)
        if done.folded.parked:
            yield f"{done.folded.parked} rows wait for a record that has not come yet."
        for batch in done.open_batches:
            lacking = ", ".join([*batch.missing, *batch.failed])
            yield f"Batch {batch.batch_id} is {batch.status}{f': {lacking}' if lacking else ''} (kolleno batches)."
        if done.taken.settling:
            yield f"{len(done.taken.settling)} files are still being written; the next look takes them."
        if done.unanswered:
            yield f"The sender was not answered, the next run tries again: {done.unanswered}"
        yield from reconciled_words(self.results)


def deliver(
    deployment: Deployment,
    connection: SftpConnection,
    *,
    clock: Clock = utc_now,
    progress: Progress = lambda _: None,
) -> Delivered:
    """Look once, take what is new through to reconciliation.

    Raises ConnectorError when the folder cannot be read, after reconciling what was in the archive already.
    """
    try:
        done = Delivered(ingest(deployment, connection, clock=clock, progress=progress))
    except ConnectorError:
        refresh(deployment, clock=clock, progress=progress)
        raise
    done.results = refresh(deployment, clock=clock, progress=progress)
    return done


def _loads(done: Ingested) -> str:
    loaded, failed = len(done.loaded.loaded), len(done.loaded.failed)
    rows = sum(file.rows_accepted or 0 for file in done.loaded.loaded)
    return f"{loaded} loaded with {rows:,} rows in {len(done.loaded.batches)} batches, {failed} failed"
