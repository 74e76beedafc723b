"""A batch of 7 x 1,000 rows in production's way: daemon, sensor, run worker. No large batches."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from benchmarks.lines import Line, middle
from benchmarks.site import Site
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.instance import write_instance
from kolleno_pipelines.sandbox import bulk
from kolleno_pipelines.sandbox.bulk import BulkDrop

ROWS = 1_000
_PATIENCE = 300.0
_LOOKED = "SELECT count(*) FROM raw.looks WHERE listed_at IS NOT NULL"
_COMMITTED = "SELECT min(run_id) FROM raw.files WHERE name = ANY(%s) HAVING count(*) FILTER (WHERE is_folded) = 7"


def measure(site: Site, repeats: int) -> list[Line]:
    """Drop batches while `kolleno dev` runs; time each from the drop and from RUN_START to committed."""
    deployment = site.begin_afresh()
    write_instance(site.settings)
    # One more than is counted: the first run of a fresh database is nobody's daily life.
    first_day = datetime.now(UTC).date() - timedelta(days=repeats + 1)
    drops = bulk.write_days(site.made / "small", repeats + 1, ROWS, first_day=first_day)
    with _served(site, deployment):
        timed = [_timed(site, deployment, drop) for drop in drops][1:]
    return [
        Line("small_batch", middle(run for run, _ in timed), "s", 3.0, "RUN_START to committed, 7 x 1,000 rows"),
        Line(
            "small_batch_from_drop",
            middle(drop for _, drop in timed),
            "s",
            note="two looks 30 s apart, and the start of the run",
        ),
    ]


@contextmanager
def _served(site: Site, deployment: Deployment) -> Iterator[None]:
    child = site.start_child("-m", "kolleno_pipelines.cli", "dev", "--port", "3900")
    try:
        _wait(lambda: _first(deployment, _LOOKED), "the sensor's first look")
        yield
    finally:
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=60)


def _timed(site: Site, deployment: Deployment, drop: BulkDrop) -> tuple[float, float]:
    """Return seconds from RUN_START and from the drop until everything is folded and committed."""
    from dagster import DagsterInstance

    for path in drop.paths.values():
        os.utime(path)  # an upload is as young as its arrival
        path.rename(site.drop / path.name)
    dropped = time.time()
    names = [path.name for path in drop.paths.values()]
    run_id = str(_wait(lambda: _first(deployment, _COMMITTED, names), "the batch to be committed"))
    committed = time.time()
    with DagsterInstance.from_config(str(site.home)) as instance:

        def ended() -> bool:
            run = instance.get_run_by_id(run_id)
            return run is not None and run.is_finished

        _wait(ended, "the run to end")
        started = instance.get_run_stats(run_id).start_time
    assert started is not None, run_id
    return committed - started, committed - dropped


def _first(deployment: Deployment, query: str, names: list[str] | None = None) -> object:
    with deployment.session() as session:
        row = session.execute(query, [names] if names else None).fetchone()
    return row[0] if row else None


def _wait(condition: Callable[[], object], what: str) -> object:
    until = time.monotonic() + _PATIENCE
    while not (found := condition()):
        if time.monotonic() > until:
            raise RuntimeError(f"Waited {_PATIENCE:.0f} s for {what}.")
        time.sleep(0.02)
    return found
