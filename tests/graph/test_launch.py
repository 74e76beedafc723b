"""`python -m kolleno_pipelines.automation.launch` as scripts use it: one JSON line, exit codes, sentences."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from pydantic import SecretStr

from kolleno_pipelines.automation.launch import main
from kolleno_pipelines.connections import Connections
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.settings import Settings


def _launch(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kolleno_pipelines.automation.launch", *arguments]
    environment = os.environ | _variables(settings)
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)


def _variables(settings: Settings) -> dict[str, str]:
    assert settings.database_url is not None
    return {
        "DAGSTER_HOME": str(settings.home),
        "KOLLENO_HOME": str(settings.home),
        "KOLLENO_CONNECTIONS": str(settings.connections),
        "KOLLENO_DATABASE_URL": settings.database_url.get_secret_value(),
        "KOLLENO_FIRST_DAY": settings.first_day.isoformat(),
        "DAGSTER_EVENT_BATCH_SIZE": "500",
    }


@pytest.fixture
def configured(graph_settings: Settings, connections: Connections) -> Settings:
    """Settings whose connections.yaml exists."""
    location = json.dumps(connections["sftp"].location)
    graph_settings.connections.write_text(f"connections:\n  sftp: {{system: sftp, location: {location}}}\n")
    return graph_settings


def test_a_range_is_cut_into_runs_and_told_in_one_line(
    configured: Settings, instance: dg.DagsterInstance, company: Company
) -> None:
    first = company.plan.first_day
    days = ("--from", first.isoformat(), "--to", (first + timedelta(days=2)).isoformat())
    ended = _launch(configured, "--job", "reconciliation", *days, "--run-days", "2")
    assert ended.returncode == 0, ended.stderr
    (line,) = ended.stdout.splitlines()
    told = json.loads(line)
    assert told["success"]
    assert [(run["first_day"], run["last_day"]) for run in told["runs"]] == [
        (first.isoformat(), (first + timedelta(days=1)).isoformat()),
        ((first + timedelta(days=2)).isoformat(), (first + timedelta(days=2)).isoformat()),
    ]
    assert {instance.get_run_by_id(run["run_id"]).status for run in told["runs"]} == {dg.DagsterRunStatus.SUCCESS}  # type: ignore[union-attr]


def test_several_jobs_run_one_after_the_other_each_for_its_days_until_one_fails(
    configured: Settings, instance: dg.DagsterInstance, company: Company, connections: Connections
) -> None:
    first = company.plan.first_day.isoformat()
    later = (company.plan.first_day + timedelta(days=1)).isoformat()
    folder = connections["sftp"].local_root
    (folder / "csv_data_uploads").rmdir()
    folder.rmdir()
    names = ("reconciliation", "sftp", "reconciliation")
    words = [word for name in names for word in ("--job", name, "--from", first, "--to", later)]
    words[5] = first
    ended = _launch(configured, *words)
    assert ended.returncode == 1
    told = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [(one["job"], one["last_day"], one["success"]) for one in told] == [
        ("reconciliation", first, True),
        ("sftp", later, False),
    ]


def test_a_failed_run_is_exit_code_1_with_its_reason(
    configured: Settings, instance: dg.DagsterInstance, company: Company, connections: Connections
) -> None:
    folder = connections["sftp"].local_root
    (folder / "csv_data_uploads").rmdir()
    folder.rmdir()
    day = company.plan.first_day.isoformat()
    ended = _launch(configured, "--job", "sftp", "--from", day, "--to", day)
    assert ended.returncode == 1
    assert str(folder) in json.loads(ended.stdout)["runs"][0]["error"]


def test_what_cannot_start_is_exit_code_2_and_one_sentence(
    configured: Settings, company: Company, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    day = company.plan.first_day.isoformat()
    far = (datetime.now(UTC).date() + timedelta(days=2)).isoformat()
    before = (configured.first_day - timedelta(days=1)).isoformat()
    for arguments, without, words in (
        (("--from", day, "--to", day), "DAGSTER_HOME", "eval $(kolleno env)"),
        (("--from", day, "--to", day, "--job", "reprocess"), "", "has its own --from and --to"),
        (
            ("--from", day, "--to", day, "--job", "read_x", "--from", day, "--to", day),
            "",
            "There is no job read_x for",
        ),
        (("--from", day, "--to", before), "", "lies before --from"),
        (("--from", before, "--to", before), "", "KOLLENO_FIRST_DAY"),
        (("--from", far, "--to", far), "", "today"),
    ):
        with monkeypatch.context() as changed:
            for name, value in _variables(configured).items():
                changed.setenv(name, value)
            if without:
                changed.delenv(without)
            code = main(["--job", "sftp", *arguments])
        out, err = capsys.readouterr()
        assert (code, out) == (2, "")
        assert words in err
        assert len(err.splitlines()) == 1
    ended = _launch(configured, "--job", "read_books", "--from", day, "--to", day)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert len(ended.stderr.splitlines()) == 1
    assert "no job read_books" in ended.stderr
    assert "sftp, reprocess, reconciliation" in ended.stderr


def test_a_database_that_is_away_is_exit_code_2_and_one_sentence(
    configured: Settings, instance: dg.DagsterInstance, company: Company
) -> None:
    day = company.plan.first_day.isoformat()
    away = configured.model_copy(update={"database_url": SecretStr("postgresql://k@127.0.0.1:9/nothing")})
    ended = _launch(away, "--job", "sftp", "--from", day, "--to", day)
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert "nothing on 127.0.0.1 cannot be reached" in line


def test_dagster_s_database_that_is_away_is_exit_code_2_too(
    configured: Settings, instance: dg.DagsterInstance, company: Company
) -> None:
    day = company.plan.first_day.isoformat()
    file = configured.home / "dagster.yaml"
    file.write_text(
        re.sub(r"postgres_url: .*", "postgres_url: 'postgresql+psycopg2://k@127.0.0.1:9/x'", file.read_text())
    )
    ended = _launch(configured, "--job", "sftp", "--from", day, "--to", day)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "Traceback" not in ended.stderr
    told = ended.stderr.splitlines()[-1]
    assert told.startswith(f"The Dagster instance of {configured.home} cannot be opened")
