"""The sensor `sftp_watch`, ticked by hand: what it reports to log and webhook, and that it does so once. No daemon."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr

from kolleno_pipelines.automation import run_failures
from kolleno_pipelines.automation.launch import launch
from kolleno_pipelines.connections import Connections
from kolleno_pipelines.definitions import build_definitions
from kolleno_pipelines.sandbox import drops
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.settings import Settings
from tests.canaries import CANARY
from tests.graph.ticking import Ticker


class Hook:
    """A web server that takes what is posted; `status` is what it answers."""

    def __init__(self) -> None:
        self.posts: list[dict[str, Any]] = []
        self.status = 200
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if hook.status == 200:
                    hook.posts.append(json.loads(body))
                self.send_response(hook.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/{CANARY}"

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """All alerts posted so far."""
        return [alert for post in self.posts for alert in post["alerts"]]


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A webhook's other side."""
    hook = Hook()
    thread = threading.Thread(target=hook.server.serve_forever, args=(0.05,))
    thread.start()
    yield hook
    hook.server.shutdown()
    hook.server.server_close()
    thread.join()


@pytest.fixture
def watched(graph_settings: Settings, hook: Hook) -> Settings:
    """Settings with the webhook."""
    return graph_settings.model_copy(update={"webhook_url": SecretStr(hook.url)})


def _strict(connections: Connections, **fields: object) -> Connections:
    return {"sftp": connections["sftp"].model_copy(update=fields)}


def _drop_part(folder: Path, company: Company) -> None:
    """Drop the first batch without its payments."""
    drops.write(folder, [next(drops.arrivals(company))])
    next(folder.glob("payments_2*")).unlink()


def test_a_stalled_batch_is_told_once_and_again_only_when_the_webhook_missed_it(
    watched: Settings,
    connections: Connections,
    ephemeral: dg.DagsterInstance,
    company: Company,
    drop: Path,
    hook: Hook,
    caplog: pytest.LogCaptureFixture,
) -> None:
    definitions = build_definitions(watched, _strict(connections, stall_after=timedelta(0)))
    _drop_part(drop, company)
    day = company.plan.first_day
    assert launch(ephemeral, definitions, "sftp", day, day).success
    ticker = Ticker("sftp_watch", definitions, ephemeral)
    hook.status = 500
    with caplog.at_level(logging.WARNING):
        assert ticker.tick() == []
    hook.status = 200
    assert "payments did not come" in caplog.text
    assert hook.posts == []
    ticker.tick()
    ticker.tick()
    (alert,) = hook.alerts
    assert alert["kind"] == "stalled_batch"
    assert alert["details"]["missing"] == ["payments"]
    assert "kolleno batches release" in alert["message"]
    assert "payments did not come" in hook.posts[0]["text"]
    assert CANARY not in caplog.text
    assert ticker.cursor is not None
    assert CANARY not in ticker.cursor


def test_the_checks_in_the_ui_turn_without_a_run(
    watched: Settings, connections: Connections, ephemeral: dg.DagsterInstance, company: Company, drop: Path
) -> None:
    definitions = build_definitions(watched, _strict(connections, stall_after=timedelta(0)))
    ticker = Ticker("sftp_watch", definitions, ephemeral)
    ticker.tick()
    assert ticker.result is not None
    assert {e.check_name: e.passed for e in ticker.result.asset_events} == {  # type: ignore[union-attr]
        "no_failed_file": True,
        "no_stalled_batch": True,
        "not_silent": True,
    }
    _drop_part(drop, company)
    assert launch(ephemeral, definitions, "sftp", company.plan.first_day, company.plan.first_day).success
    ticker.tick()
    assert [(e.check_name, e.passed) for e in ticker.result.asset_events] == [("no_stalled_batch", False)]  # type: ignore[union-attr]


def test_silence_is_told_once_with_the_last_complete_batch(
    watched: Settings,
    connections: Connections,
    ephemeral: dg.DagsterInstance,
    company: Company,
    drop: Path,
    hook: Hook,
) -> None:
    definitions = build_definitions(watched, _strict(connections, expect_every=timedelta(microseconds=1)))
    ticker = Ticker("sftp_watch", definitions, ephemeral)
    ticker.tick()
    ticker.tick()
    (alert,) = hook.alerts
    assert alert["kind"] == "silence"
    assert "no complete batch has come to sftp yet" in alert["message"]
    drops.write(drop, [next(drops.arrivals(company))])
    assert launch(ephemeral, definitions, "sftp", company.plan.first_day, company.plan.first_day).success
    ticker.tick()
    ticker.tick()
    _, alert = hook.alerts
    assert f"{company.plan.first_day:%Y%m%d}T060000" in alert["message"]


def test_a_failed_run_is_told_once_with_its_reason(
    watched: Settings,
    connections: Connections,
    ephemeral: dg.DagsterInstance,
    company: Company,
    drop: Path,
    hook: Hook,
) -> None:
    definitions = build_definitions(watched, connections)
    ticker = Ticker("sftp_watch", definitions, ephemeral)
    ticker.tick()
    drop.rmdir()
    drop.parent.rmdir()
    assert not launch(ephemeral, definitions, "sftp", company.plan.first_day, company.plan.first_day).success
    ticker.tick()
    ticker.tick()
    (alert,) = hook.alerts
    assert alert["kind"] == "run_failed"
    assert f"of {company.plan.first_day}" in alert["message"]
    assert str(drop.parent) in alert["message"]


def test_an_orphaned_run_is_marked_as_failed_and_its_day_starts_again(
    watched: Settings,
    connections: Connections,
    instance: dg.DagsterInstance,
    company: Company,
    drop: Path,
    hook: Hook,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched.connections.write_text(
        f"connections:\n  sftp: {{system: sftp, location: {json.dumps(connections['sftp'].location)}}}\n"
    )
    definitions = build_definitions(watched, connections)
    drops.write(drop, [next(drops.arrivals(company))])
    run = _run_that_dies(watched, company, watched.home / "mark")
    record = instance.get_run_record_by_id(run)
    assert record is not None
    assert record.dagster_run.status == dg.DagsterRunStatus.STARTED

    arrivals, watch = Ticker("sftp_arrivals", definitions, instance), Ticker("sftp_watch", definitions, instance)
    assert arrivals.tick() == []  # the dead run still counts as working on the day
    watch.tick()
    assert hook.alerts == []  # not before the grace has passed
    monkeypatch.setattr(run_failures, "GRACE", timedelta(0))
    watch.tick()
    record = instance.get_run_record_by_id(run)
    assert record is not None
    assert record.dagster_run.status == dg.DagsterRunStatus.FAILURE
    (alert,) = hook.alerts
    assert alert["kind"] == "run_orphaned"
    watch.tick()
    assert len(hook.alerts) == 1
    (request,) = arrivals.tick()
    assert request.partition_key == company.plan.first_day.isoformat()


def test_a_run_that_lives_is_left_alone(
    watched: Settings, connections: Connections, ephemeral: dg.DagsterInstance, company: Company
) -> None:
    from kolleno_pipelines.pipeline.deployment import open_deployment
    from kolleno_pipelines.pipeline.runs import RunMark
    from kolleno_pipelines.resources.deployment import DeploymentResource

    definitions = build_definitions(watched, connections)
    run = ephemeral.create_run_for_job(definitions.resolve_job_def("sftp"))
    ephemeral.report_dagster_event(
        dg.DagsterEvent(event_type_value="PIPELINE_START", job_name="sftp", message="started"), run.run_id
    )
    resource = DeploymentResource(watched, connections, None)
    mark = RunMark(open_deployment(watched, connections), run.run_id)
    now, suspects = datetime.now(UTC), dict[str, str]()
    with dg.build_sensor_context(instance=ephemeral) as context:
        mark.renew()
        mark.renew()
        later = [now + timedelta(minutes=minutes) for minutes in range(5)]
        assert [run_failures.mark_orphans(context, resource, suspects, moment) for moment in later] == [[]] * 5
        assert suspects == {}
        mark.close()
        assert run_failures.mark_orphans(context, resource, suspects, later[0]) == []
        assert list(suspects) == [run.run_id]
        assert run_failures.mark_orphans(context, resource, suspects, later[0] + timedelta(seconds=59)) == []
        ((lost, _),) = run_failures.mark_orphans(context, resource, suspects, later[2])
    assert lost.run_id == run.run_id


def _run_that_dies(settings: Settings, company: Company, mark: Path) -> str:
    """Start a run in a process that is killed between its commit and its events; returns the run's id."""
    assert settings.database_url is not None
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(settings.home),
        "KOLLENO_HOME": str(settings.home),
        "KOLLENO_CONNECTIONS": str(settings.connections),
        "KOLLENO_DATABASE_URL": settings.database_url.get_secret_value(),
        "KOLLENO_FIRST_DAY": settings.first_day.isoformat(),
        "KOLLENO_FAILPOINT": "after_commit",
        "KOLLENO_FAILPOINT_MARK": str(mark),
    }
    day = company.plan.first_day.isoformat()
    command = [sys.executable, "-m", "kolleno_pipelines.automation.launch", "--job", "sftp", "--from", day, "--to", day]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == -9, ended.stderr
    assert mark.read_text() == "after_commit"
    with dg.DagsterInstance.from_config(str(settings.home)) as instance:
        return instance.get_run_records(limit=1)[0].dagster_run.run_id
