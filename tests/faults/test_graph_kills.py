"""A run of the Dagster graph killed after a commit and before its events: the next run writes both. Nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg
import pytest

from kolleno_pipelines.pipeline.instance import write_instance
from kolleno_pipelines.sandbox import drops
from kolleno_pipelines.sandbox.company import Company
from tests.databases import drop_those_of_dagster
from tests.faults.worlds import Digest, World

_LAUNCH = "kolleno_pipelines.automation.launch"
_LATER = [pytest.mark.nightly]


@pytest.fixture
def dagster_home(world: World, postgres_url: str) -> Iterator[str]:
    home = write_instance(world.settings)
    yield str(home)
    drop_those_of_dagster(postgres_url)


@pytest.mark.parametrize(
    "point",
    [
        pytest.param("ledger_row@9", marks=_LATER),
        pytest.param("before_commit", marks=_LATER),
        pytest.param("after_commit@2", marks=_LATER),
        pytest.param("before_fold_commit", marks=_LATER),
        "after_fold_commit",
        pytest.param("reconcile_differences", marks=_LATER),
    ],
)
def test_a_graph_run_killed_before_its_events(
    world: World, company: Company, undisturbed: Digest, dagster_home: str, point: str
) -> None:
    world.put_all(drops.arrivals(company))
    words = ("--job", "sftp", "--from", str(company.plan.first_day), "--to", str(company.last_day), "--no-reload")
    world.die_at(point, *words, module=_LAUNCH, DAGSTER_HOME=dagster_home)
    killed = world.receivables()
    if point == "after_fold_commit":
        assert killed["invoices"] == undisturbed["invoices"], "what was committed is there, although no event says so"

    process = world.start(*words, module=_LAUNCH, DAGSTER_HOME=dagster_home)
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert json.loads(out)["success"] is True
    assert world.digest() == undisturbed
    world.rows_kept()

    events = "SELECT count(DISTINCT partition) FROM event_logs WHERE dagster_event_type = 'ASSET_MATERIALIZATION'"
    with psycopg.connect(f"{world.database_url}".replace("?", "_dagster?", 1)) as conn:
        rows = conn.execute(f"{events} AND asset_key = %s", ('["receivables", "sftp", "invoices"]',)).fetchone()
    assert rows == (company.plan.days,)
