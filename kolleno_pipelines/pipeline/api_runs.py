"""What a run does for days of an API connection: ask the vendor, or normalise and fold from the archive alone.

What comes to a person's terminal lies in api_delivery.py; passes in passes.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import date

from kolleno_pipelines.connections import ApiConnection
from kolleno_pipelines.connectors.registry import connector_of
from kolleno_pipelines.pipeline.clock import Clock, utc_now
from kolleno_pipelines.pipeline.days import ranges
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.normalise import fold, normalise_again, normalise_pending
from kolleno_pipelines.pipeline.passes import ReadConnection, Reader
from kolleno_pipelines.pipeline.sources import open_source
from kolleno_pipelines.storage.fold_report import Changes, FoldReport

__all__ = ["Changes", "FoldedDays", "ReadConnection", "fold_days", "read_days"]

Progress = Callable[[str], None]


@dataclass
class FoldedDays:
    """What normalising and folding came to: parts of extracts that were normalised, what changed."""

    parts: int = 0
    folded: FoldReport = field(default_factory=FoldReport)


def read_days(
    deployment: Deployment,
    connection: ApiConnection,
    days: Collection[date],
    *,
    wanted: Collection[str] | None = None,
    run_id: str | None = None,
    clock: Clock = utc_now,
    progress: Progress = lambda _: None,
) -> ReadConnection:
    """Ask the vendor: for a day that is over what was modified on it, for today everything that is due.

    wanted: which extracts, all of them by default. Raises NeedsHuman.
    """
    today = clock().date()
    connector = connector_of(connection.system)
    done = ReadConnection(connection.name)
    with open_source(deployment, connection) as source:
        reader = Reader(deployment, connection, connector, source, run_id, clock, progress)
        for first, last in ranges([day for day in days if day < today]):
            done.passes += reader.read_days(first, last, wanted).passes
        if today in days:
            done.passes += reader.read(wanted).passes
            done.passes += reader.read_hanging(wanted).passes
    return done


def fold_days(
    deployment: Deployment,
    connection: ApiConnection,
    days: Collection[date],
    *,
    again: bool = True,
    run_id: str | None = None,
) -> FoldedDays:
    """Normalise what landed for the days once more (`again`), and what is pending, then fold; nothing is asked."""
    connector = connector_of(connection.system)
    done = FoldedDays()
    if again:
        for first, last in ranges(days):
            done.parts += normalise_again(deployment, connection.name, connector, first, last)
    done.parts += normalise_pending(deployment, connection.name, connector)
    done.folded = fold(deployment, connection.name, run_id=run_id)
    return done
