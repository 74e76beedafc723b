"""The polls sensor beside runs of its connection: none is queued while one is under way, a killed one does not stay."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.utils import make_new_run_id

from kolleno_pipelines.automation import api_polls, own_runs, run_failures
from kolleno_pipelines.definitions import build_definitions
from kolleno_pipelines.pipeline.instance import write_instance
from kolleno_pipelines.pipeline.runs import in_flight
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.quickbooks.filling import filled_from
from kolleno_pipelines.settings import Settings
from tests.api_sites import NAME, SECRET_VARIABLE, ApiSite, quickbooks_site
from tests.databases import drop_those_of_dagster
from tests.graph.ticking import Ticker

JOB = f"read_{NAME}"


class Clock:
    """The sensor's clock."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(api_polls, "utc_now", clock)
    return clock


@pytest.fixture
def site(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiSite]:
    company = Company.build(3, customers=4, days=2, invoices_per_day=1, history_days=5, expressible=True)
    with quickbooks_site(filled_from(company).file, settings, tmp_path / "site") as site:
        monkeypatch.setenv(SECRET_VARIABLE, site.vendor.tokens.client_secret)
        yield site


@pytest.fixture
def real(site: ApiSite, postgres_url: str) -> Iterator[dg.DagsterInstance]:
    """An instance that a process of its own reaches too."""
    with dg.DagsterInstance.from_config(str(write_instance(site.settings))) as opened:
        yield opened
    drop_those_of_dagster(postgres_url)


def _run(job: str, status: dg.DagsterRunStatus, tags: Mapping[str, str] | None = None) -> dg.DagsterRun:
    """A run as the daemon has it."""
    location = RegisteredCodeLocationOrigin("kolleno_pipelines")
    origin = RemoteRepositoryOrigin(location, SINGLETON_REPOSITORY_NAME).get_job_origin(job)
    return dg.DagsterRun(job_name=job, run_id=make_new_run_id(), status=status, tags=tags, remote_job_origin=origin)


def _said(ticker: Ticker) -> str:
    assert ticker.result is not None
    return str(ticker.result.skip_reason)


@pytest.mark.parametrize("status", own_runs.IN_PROGRESS)
def test_while_a_run_is_under_way_no_tick_asks_for_another(
    site: ApiSite, ephemeral: dg.DagsterInstance, clock: Clock, status: dg.DagsterRunStatus
) -> None:
    definitions = build_definitions(site.settings, site.connections)
    ticker = Ticker(f"{NAME}_polls", definitions, ephemeral)
    (request,) = ticker.tick()
    run = ephemeral.add_run(_run(JOB, status, request.tags))
    # One that was made and never queued counts for ten minutes.
    minutes = (0.5, 4, 5) if status == dg.DagsterRunStatus.NOT_STARTED else (0.5, 15, 60, 300)
    for pause in (timedelta(minutes=each) for each in minutes):
        clock.now += pause
        assert not ticker.tick()
        ticker.forget()
        assert not ticker.tick(), "nor does one that lost its memory"
        assert "under way" in _said(ticker)
    ephemeral.report_run_canceled(run)
    assert len(ticker.tick()) == 1


def test_runs_of_other_jobs_hide_none(
    site: ApiSite, ephemeral: dg.DagsterInstance, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    definitions = build_definitions(site.settings, site.connections)
    ephemeral.add_run(_run(JOB, dg.DagsterRunStatus.STARTED))
    for _ in range(201):
        ephemeral.add_run(_run("reprocess", dg.DagsterRunStatus.QUEUED))
    ticker = Ticker(f"{NAME}_polls", definitions, ephemeral)
    assert not ticker.tick()
    assert "under way" in _said(ticker)


def test_a_run_that_was_killed_blocks_polling_until_its_end_is_noticed(
    site: ApiSite, real: dg.DagsterInstance, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    definitions, today = build_definitions(site.settings, site.connections), datetime.now(UTC).date()
    polls, watch = (Ticker(name, definitions, real) for name in (f"{NAME}_polls", "run_watch"))
    watch.tick()
    with in_flight(site.deployment, site.connections[NAME], [today]):
        process = _reading(site, today.isoformat())
        try:
            _wait_until_started(real, process)
            assert not polls.tick()
            assert "under way" in _said(polls)
        finally:
            process.kill()
            process.wait()
    assert not polls.tick()
    assert "under way" in _said(polls), "Dagster still shows it as started"
    monkeypatch.setattr(run_failures, "GRACE", timedelta(0))
    deadline = time.monotonic() + 60
    while real.get_runs(dg.RunsFilter(job_name=JOB, statuses=[dg.DagsterRunStatus.STARTED])):
        assert time.monotonic() < deadline, "the database ends the session of a killed process in its own time"
        watch.tick()
    assert len(polls.tick()) == 1


def _reading(site: ApiSite, day: str) -> subprocess.Popen[bytes]:
    variables = site.variables() | {"DAGSTER_HOME": str(site.settings.home)}
    words = ("-m", "kolleno_pipelines.automation.launch", "--job", JOB, "--from", day, "--to", day)
    return subprocess.Popen([sys.executable, *words], env={**os.environ, **variables}, stderr=subprocess.DEVNULL)


def _wait_until_started(instance: dg.DagsterInstance, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while not instance.get_runs(dg.RunsFilter(job_name=JOB, statuses=[dg.DagsterRunStatus.STARTED])):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
