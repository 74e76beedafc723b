"""A year re-processed in one go: 365 days x 7 files of 1,000 rows, through Dagster and by the command."""

from __future__ import annotations

import json
import time
from datetime import date, timedelta

from benchmarks.lines import Line, middle
from benchmarks.site import Site
from kolleno_pipelines.pipeline.ingest import ingest
from kolleno_pipelines.pipeline.instance import write_instance
from kolleno_pipelines.sandbox import bulk

DAYS, ROWS, FIRST = 365, 1_000, date(2025, 1, 1)


def measure(site: Site, repeats: int) -> list[Line]:
    """Load the year (not timed), then re-process it through Dagster and by `kolleno reprocess`."""
    return _measure(site, repeats, DAYS)


def _measure(site: Site, repeats: int, days: int) -> list[Line]:
    deployment = site.begin_afresh()
    write_instance(site.settings)
    bulk.write_days(site.drop, days, ROWS, first_day=FIRST)
    began = time.perf_counter()
    first = ingest(deployment, deployment.sftp)
    loading = time.perf_counter() - began
    assert len(first.loaded.loaded) == 7 * days, first
    with deployment.session() as session:
        session.execute("VACUUM ANALYZE")
    span = ("--from", FIRST.isoformat(), "--to", (FIRST + timedelta(days=days - 1)).isoformat())
    runs = [json.loads(site.run_child("-m", "benchmarks.timed_range", *span)) for _ in range(repeats)]
    totals = [run["seconds"] for run in runs]
    own = [run["seconds"] - sum(run["work"].values()) for run in runs]
    plain = []
    for _ in range(repeats):
        began = time.perf_counter()
        replayed = json.loads(site.run_child("-m", "kolleno_pipelines.cli", "reprocess", *span, "--json"))
        plain.append(time.perf_counter() - began)
        assert replayed["changed"] == 0, replayed["changes"]
    work = ", ".join(f"{name} {seconds:.1f}" for name, seconds in runs[0]["work"].items() if seconds >= 0.5)
    return [
        Line("reprocess_365", middle(totals), "s", 240.0, f"one Dagster run; our work in it: {work}"),
        Line("reprocess_365_orchestrator", middle(own), "s", note="the same run, outside our functions"),
        Line("reprocess_365_plain", middle(plain), "s", note=f"kolleno reprocess; the first load took {loading:.0f} s"),
    ]
