"""The sensor `sftp_watch`, ticked by hand: what it reports to log and webhook, and that it does so once. No daemon."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from pydantic import SecretStr

from kolleno_pipelines.automation import run_failures
from kolleno_pipelines.automation.launch import launch
from kolleno_pipelines.connections import Connections
from kolleno_pipelines.definitions import build_definitions
from kolleno_pipelines.pipeline.alerts import Alert, AlertKind, post_all
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.sandbox import drops
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.settings import Settings
from tests.canaries import CANARY
from tests.graph.ticking import Ticker
from tests.graph.webhook import Hook


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


def test_a_lasting_silence_is_not_told_again_by_looks_between_the_ticks(
    watched: Settings,
    connections: Connections,
    ephemeral: dg.DagsterInstance,
    deployment: Deployment,
    hook: Hook,
) -> None:
    definitions = build_definitions(watched, _strict(connections, expect_every=timedelta(microseconds=1)))
    ticker, arrivals = (Ticker(name, definitions, ephemeral) for name in ("sftp_watch", "sftp_arrivals"))
    ticker.tick()
    for minutes in (9, 6, 3):
        arrivals.tick()
        with deployment.session() as session:
            session.execute("UPDATE raw.looks SET listed_at = now() - %s * interval '1 minute'", [minutes])
        ticker.tick()
        assert ticker.result is not None
        assert ticker.result.asset_events == []
    assert [alert["kind"] for alert in hook.alerts] == ["silence"]


def test_a_folder_that_cannot_be_listed_is_told_once_for_each_reason(
    watched: Settings,
    connections: Connections,
    ephemeral: dg.DagsterInstance,
    deployment: Deployment,
    drop: Path,
    hook: Hook,
) -> None:
    definitions = build_definitions(watched, connections)
    watch, arrivals = (Ticker(name, definitions, ephemeral) for name in ("sftp_watch", "sftp_arrivals"))
    arrivals.tick()
    drop.rmdir()
    drop.parent.rmdir()

    def look_in_vain(minutes: int) -> None:
        with pytest.raises(Exception, match=str(drop.parent)):
            arrivals.tick()
        with deployment.session() as session:
            session.execute(
                "UPDATE raw.looks SET listed_at = date_trunc('hour', now()) - interval '1 day',"
                " looked_at = date_trunc('hour', now()) - interval '1 day' + %s * interval '1 minute'",
                [minutes],
            )
        watch.tick()

    look_in_vain(4)
    assert hook.alerts == []
    for minutes in (6, 7, 8):
        look_in_vain(minutes)
    (alert,) = hook.alerts
    assert alert["kind"] == "cannot_list"
    assert str(drop.parent) in alert["message"]
    with deployment.session() as session:
        session.execute("UPDATE raw.looks SET error = 'The host key has changed.'")
    watch.tick()
    watch.tick()
    assert "host key has changed" in hook.alerts[1]["message"]
    look_in_vain(9)  # the first reason again, in the same outage
    assert len(hook.alerts) == 2
    drop.mkdir(parents=True)
    arrivals.tick()
    watch.tick()
    drop.rmdir()
    drop.parent.rmdir()
    look_in_vain(10)
    assert len(hook.alerts) == 3


def test_a_connection_that_cannot_even_be_tried_is_told_at_once(
    watched: Settings, connections: Connections, ephemeral: dg.DagsterInstance, tmp_path: Path, hook: Hook
) -> None:
    key = tmp_path / "key"
    key.touch()
    fields = {"location": "sftp://k@127.0.0.1:1/", "key_file": key, "key_passphrase": "${KOLLENO_TEST_UNSET}"}
    definitions = build_definitions(watched, _strict(connections, **fields))
    with pytest.raises(Exception, match="KOLLENO_TEST_UNSET"):
        Ticker("sftp_arrivals", definitions, ephemeral).tick()
    Ticker("sftp_watch", definitions, ephemeral).tick()
    (alert,) = hook.alerts
    assert "KOLLENO_TEST_UNSET" in alert["message"]


def test_only_what_the_webhook_did_not_take_is_sent_again(hook: Hook) -> None:
    alerts = [Alert(AlertKind.RUN_FAILED, "sftp", str(number), f"run {number} failed") for number in range(120)]
    hook.answers = [200, 500]
    unsent = post_all([], alerts, SecretStr(hook.url), now=datetime.now(UTC))
    assert [alert["subject"] for alert in unsent] == [str(number) for number in range(50, 100)]
    assert post_all(unsent, alerts[:1], SecretStr(hook.url), now=datetime.now(UTC)) == []
    told = [alert["subject"] for alert in hook.alerts]
    assert sorted(told, key=int) == sorted(["0", *(str(number) for number in range(120))], key=int)
    gone = SecretStr("http://127.0.0.1:1/")
    assert len(post_all([], alerts, gone, now=datetime.now(UTC))) == 120


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
    (alert,) = [alert for alert in hook.alerts if alert["kind"] == "run_failed"]
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
