"""The sensor `sftp_arrivals`, ticked by hand on a real instance: when it starts runs, and when not. No daemon."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from pydantic import SecretStr

from kolleno_pipelines.automation.attempts import MOST_ATTEMPTS, Memory
from kolleno_pipelines.automation.launch import launch
from kolleno_pipelines.connections import Connections
from kolleno_pipelines.definitions import build_definitions
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.sandbox import drops
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.settings import Settings
from kolleno_pipelines.storage.batches import days_in_flight
from tests.graph.ticking import Ticker
from tests.graph.webhook import Hook


@pytest.fixture
def ticker(ephemeral: dg.DagsterInstance, definitions: dg.Definitions) -> Ticker:
    """Ticks `sftp_arrivals` with the cursor of the tick before."""
    return Ticker("sftp_arrivals", definitions, ephemeral)


@pytest.fixture
def batches(company: Company) -> list[drops.Drop]:
    """The company's batches in the order of their arrival."""
    return list(drops.arrivals(company))


def _partition(request: dg.RunRequest) -> str:
    tags = request.tags
    start, end = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
    return request.partition_key or f"{tags[start]}..{tags[end]}"


def test_a_complete_batch_starts_one_run_and_its_content_never_another(
    ticker: Ticker,
    ephemeral: dg.DagsterInstance,
    definitions: dg.Definitions,
    batches: list[drops.Drop],
    drop: Path,
) -> None:
    assert ticker.tick() == []
    drops.write(drop, batches[:1])
    (request,) = ticker.tick()
    day = batches[0].name_time.date()
    assert _partition(request) == day.isoformat()
    assert request.run_config == {"ops": {"sftp_csv": {"config": {"reload": False}}}}
    assert "invoices_" in request.tags["kolleno/because_of"]
    assert ticker.tick() == []
    assert launch(ephemeral, definitions, "sftp", day, day, reload=False).success
    ticker.forget()
    assert ticker.tick() == []


def test_an_incomplete_batch_waits_and_does_not_hold_up_a_complete_one(
    ticker: Ticker, batches: list[drops.Drop], drop: Path
) -> None:
    drops.write(drop, batches[:2])
    first = min(path.name[-23:-13] for path in drop.iterdir())
    held_back = next(path for path in drop.glob(f"payments_{first}*"))
    content = held_back.read_bytes()
    held_back.unlink()
    for path in drop.glob(f"*_{first}*"):
        os.utime(path)  # just arrived: still inside the sender's two minutes
    (request,) = ticker.tick()
    assert _partition(request) == batches[1].name_time.date().isoformat()
    held_back.write_bytes(content)
    _make_old(*drop.glob(f"*_{first}*"))
    assert _partition(ticker.tick()[0]) == first


def test_a_replaced_file_starts_a_run_and_the_same_bytes_again_do_not(
    ticker: Ticker,
    ephemeral: dg.DagsterInstance,
    definitions: dg.Definitions,
    deployment: Deployment,
    batches: list[drops.Drop],
    drop: Path,
) -> None:
    drops.write(drop, batches[:1])
    day = batches[0].name_time.date()
    assert len(ticker.tick()) == 1
    assert launch(ephemeral, definitions, "sftp", day, day, reload=False).success
    path = next(drop.glob("invoices_*"))
    shorter = b"\n".join(path.read_bytes().splitlines()[:-1]) + b"\n"
    for content in (shorter, shorter):  # the second time only its time of change is new: read once, then left alone
        path.write_bytes(content)
        _make_old(path)
        (request,) = ticker.tick()
        assert request.tags["kolleno/because_of"] == path.name
        assert launch(ephemeral, definitions, "sftp", day, day, reload=False).success
        assert ticker.tick() == []
    with deployment.session() as session:
        assert session.execute("SELECT max(receipt) FROM raw.files WHERE name = %s", [path.name]).fetchone() == (2,)


def test_days_after_an_outage_are_ranges_of_one_run_each(
    ticker: Ticker, company: Company, batches: list[drops.Drop], drop: Path
) -> None:
    drops.write(drop, batches)
    (request,) = ticker.tick()
    assert _partition(request) == f"{company.plan.first_day}..{company.last_day}"


def test_no_folder_is_an_error_and_no_empty_folder_and_recovers(
    ticker: Ticker, batches: list[drops.Drop], drop: Path
) -> None:
    drops.write(drop, batches[:1])
    away = drop.parent.with_name("away")
    drop.parent.rename(away)
    with pytest.raises(Exception, match=str(drop.parent)):
        ticker.tick()
    away.rename(drop.parent)
    assert len(ticker.tick()) == 1


def test_a_thousand_noise_names_are_noted_once_and_start_nothing(
    ticker: Ticker, deployment: Deployment, drop: Path
) -> None:
    for number in range(1_000):
        (drop / f"noise {number}.txt").write_text("x")
    _make_old(*drop.iterdir())
    begun = time.monotonic()
    assert ticker.tick() == []
    assert time.monotonic() - begun < 30
    with deployment.session() as session:
        noted = session.execute("SELECT count(*), max(receipt) FROM raw.files WHERE status = 'ignored'").fetchone()
        assert noted == (1_000, 1)
        assert ticker.tick() == []
        assert session.execute("SELECT count(*), max(receipt) FROM raw.files").fetchone() == (1_000, 1)


def test_a_day_that_is_worked_on_waits(
    ticker: Ticker, deployment: Deployment, connections: Connections, batches: list[drops.Drop], drop: Path
) -> None:
    drops.write(drop, batches[:1])
    day = batches[0].name_time.date()
    with deployment.session() as session, days_in_flight(session, "sftp", [day]):
        assert ticker.tick() == []
    assert len(ticker.tick()) == 1


def test_a_run_on_its_way_is_not_doubled_when_the_cursor_is_lost(
    ticker: Ticker, ephemeral: dg.DagsterInstance, definitions: dg.Definitions, batches: list[drops.Drop], drop: Path
) -> None:
    drops.write(drop, batches[:1])
    (request,) = ticker.tick()
    run = ephemeral.create_run_for_job(
        definitions.resolve_job_def("sftp"),
        tags={"dagster/partition": str(request.partition_key)},
    )
    ticker.forget()
    assert ticker.tick() == []
    ephemeral.report_run_failed(run)
    assert len(ticker.tick()) == 1


def test_a_run_that_died_half_way_is_followed_by_another(
    ticker: Ticker,
    graph_settings: Settings,
    deployment: Deployment,
    batches: list[drops.Drop],
    drop: Path,
) -> None:
    from kolleno_pipelines.pipeline.take import take

    drops.write(drop, batches[:1])
    assert len(ticker.tick()) == 1
    take(deployment, deployment.sftp)  # and died before the load
    (request,) = ticker.tick()
    assert _partition(request) == batches[0].name_time.date().isoformat()
    assert ticker.tick() == []


def test_a_day_given_up_is_told_even_if_the_webhook_is_away_at_that_moment(
    graph_settings: Settings,
    connections: Connections,
    ephemeral: dg.DagsterInstance,
    batches: list[drops.Drop],
    drop: Path,
    hook: Hook,
) -> None:
    settings = graph_settings.model_copy(update={"webhook_url": SecretStr(hook.url)})
    ticker = Ticker("sftp_arrivals", build_definitions(settings, connections), ephemeral)
    drops.write(drop, batches[:1])
    ticker.tick()
    memory = Memory.read(ticker.cursor)
    for attempt in memory.days.values():
        attempt.number, attempt.last = MOST_ATTEMPTS, "2020-01-01T00:00:00+00:00"
    ticker.cursor, hook.status = memory.write(), 503
    assert ticker.tick() == []
    assert hook.posts == []
    hook.status = 200
    ticker.tick()
    ticker.tick()
    (alert,) = hook.alerts
    assert (alert["kind"], alert["subject"]) == ("gave_up", batches[0].name_time.date().isoformat())


def _make_old(*paths: Path) -> None:
    """Let files count as complete; each call gives them another time of change."""
    moment = (datetime.now(UTC) - timedelta(hours=1)).timestamp()
    for path in paths:
        os.utime(path, (moment, moment))
