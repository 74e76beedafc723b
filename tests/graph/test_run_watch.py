"""Failed and orphaned runs of a deployment without a drop folder: marked, told once, with the connection they read."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from pydantic import SecretStr

from kolleno_pipelines.automation import run_failures
from kolleno_pipelines.connections import QuickBooksConnection, XeroConnection
from kolleno_pipelines.definitions import build_definitions
from kolleno_pipelines.settings import Settings
from tests.graph.ticking import Ticker
from tests.graph.webhook import Hook


@pytest.fixture
def watched(settings: Settings, tmp_path: Path, hook: Hook) -> dg.Definitions:
    """A ledger and a mirror, both read over the network; no drop folder."""
    connections = {
        "books": QuickBooksConnection(name="books", role="ledger"),
        "xero": XeroConnection(name="xero", role="mirror"),
    }
    settings = settings.model_copy(update={"webhook_url": SecretStr(hook.url), "home": tmp_path})
    return build_definitions(settings, connections)


def _started(definitions: dg.Definitions, instance: dg.DagsterInstance, job: str) -> dg.DagsterRun:
    run = instance.create_run_for_job(definitions.resolve_job_def(job))
    instance.report_dagster_event(
        dg.DagsterEvent(event_type_value="PIPELINE_START", job_name=job, message="started"), run.run_id
    )
    return run


def test_a_run_whose_process_is_gone_is_marked_and_told(
    watched: dg.Definitions, ephemeral: dg.DagsterInstance, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticker = Ticker("run_watch", watched, ephemeral)
    run = _started(watched, ephemeral, "read_xero")
    ticker.tick()
    assert hook.alerts == [], "not before the grace has passed"
    monkeypatch.setattr(run_failures, "GRACE", timedelta(0))
    ticker.tick()
    ticker.tick()
    (alert,) = hook.alerts
    assert (alert["kind"], alert["connection"], alert["subject"]) == ("run_orphaned", "xero", run.run_id)
    marked = ephemeral.get_run_by_id(run.run_id)
    assert marked is not None
    assert marked.status == dg.DagsterRunStatus.FAILURE


def test_a_failed_run_is_told_once_even_when_the_webhook_was_away(
    watched: dg.Definitions, ephemeral: dg.DagsterInstance, hook: Hook
) -> None:
    ticker = Ticker("run_watch", watched, ephemeral)
    ticker.tick()
    for job in ("read_books", "reconciliation"):
        ephemeral.report_run_failed(_started(watched, ephemeral, job), "The vendor is away.")
    hook.status = 500
    ticker.tick()
    assert hook.alerts == []
    hook.status = 200
    ticker.tick()
    ticker.tick()
    told = {alert["message"].partition("(")[2].partition(")")[0]: alert for alert in hook.alerts}
    assert {job: (alert["kind"], alert["connection"]) for job, alert in told.items()} == {
        "read_books": ("run_failed", "books"),
        "reconciliation": ("run_failed", "books"),
    }
    assert "The vendor is away." in told["read_books"]["message"]


def test_with_a_drop_folder_its_sensor_watches_the_runs_of_all(watched: dg.Definitions, settings: Settings) -> None:
    from kolleno_pipelines.connections import SftpConnection

    assert "run_watch" in {sensor.name for sensor in watched.get_repository_def().sensor_defs}
    mixed = {
        "sftp": SftpConnection(location="file:///nowhere"),
        "books": QuickBooksConnection(name="books", role="mirror"),
    }
    sensors = build_definitions(settings, mixed).get_repository_def().sensor_defs
    assert {sensor.name for sensor in sensors} == {"sftp_arrivals", "sftp_watch", "books_polls"}
