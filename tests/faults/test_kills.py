"""SIGKILL at every named point: the next run goes on as if nothing had happened, and readers never saw half of it."""

from __future__ import annotations

import pytest

from kolleno_pipelines.sandbox import drops
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.schemas.sftp_tables import TableName
from tests.faults.worlds import Digest, World

POINTS = (
    "archive_written",
    "archive_written@17",
    pytest.param("ledger_row@9", marks=pytest.mark.nightly),
    "mid_copy@5",
    "before_commit",
    "after_commit@2",
    pytest.param("before_merge", marks=pytest.mark.nightly),
    "after_merge",
    "before_fold_commit",
    "after_fold_commit",
    "reconcile_balances",
    pytest.param("reconcile_control_totals", marks=pytest.mark.nightly),
    pytest.param("reconcile_unapplied_cash", marks=pytest.mark.nightly),
    "reconcile_differences",
    pytest.param("reconcile_ageing", marks=pytest.mark.nightly),
    pytest.param("reconcile_roll_forward", marks=pytest.mark.nightly),
)


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_point_the_next_run_makes_it_good(
    world: World, company: Company, undisturbed: Digest, point: str
) -> None:
    world.put_all(drops.arrivals(company))
    world.die_at(point, "ingest")

    seen = world.receivables()
    is_folded = point.startswith(("after_fold", "reconcile"))
    for table, rows in seen.items():
        assert rows == (undisturbed[table] if is_folded else []), f"half a fold was seen in {table}"
    whole = {drop.name_of(table): len(drop.rows[table]) for drop in drops.versions(company) for table in TableName}
    for table in TableName:
        for name, rows in world.query(
            f"SELECT f.name, count(*) FROM sftp_csv.{table} JOIN raw.files f ON f.id = file_id GROUP BY 1"
        ):
            assert rows == whole[str(name)], f"a part of {name} was seen"

    world.ingest()
    assert world.digest() == undisturbed
    world.rows_kept()
    again = world.ingest()
    assert again.ingested.taken.names == []
    assert again.ingested.folded.is_empty
    assert again.results == []


@pytest.mark.nightly
def test_killed_again_and_again_at_other_points_and_while_reprocessing(
    world: World, company: Company, undisturbed: Digest
) -> None:
    world.put_all(drops.arrivals(company))
    for point in ("ledger_row@20", "mid_copy@9", "after_merge", "reconcile_differences"):
        world.die_at(point, "ingest")
    first, last = str(company.plan.first_day), str(company.last_day)
    for point in ("mid_copy@7", "after_commit@2", "after_merge", "after_fold_commit"):
        world.die_at(point, "reprocess", "--from", first, "--to", last)
    world.ingest()
    assert world.digest() == undisturbed
    world.run("reprocess", "--from", first, "--to", last, code=None)
    assert world.digest() == undisturbed
    world.rows_kept()


def test_the_command_says_that_killed_work_is_made_up_for(world: World, company: Company, undisturbed: Digest) -> None:
    world.put_all(drops.arrivals(company))
    world.die_at("after_fold_commit", "ingest")
    out, err = world.run("ingest")
    assert "Reconciled" in out
    assert err == ""
    assert world.digest() == undisturbed
