"""Locks of days and marks of runs whose server restarts while they are held. What is locked does not belong here."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import psycopg
import pytest

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.pipeline.deployment import Deployment, open_deployment
from kolleno_pipelines.pipeline.runs import RunMark, days_busy, in_flight, runs_without_process
from kolleno_pipelines.settings import Settings

DAYS = [date(2026, 3, 1), date(2026, 3, 2)]


@pytest.fixture
def deployment(settings: Settings, tmp_path: Path) -> Deployment:
    return open_deployment(settings, {"sftp": SftpConnection(location=tmp_path.as_uri())})


def _end_sessions(database: str) -> int:
    """End every session of the database but our own, as a restart does; returns how many there were."""
    with psycopg.connect(database, autocommit=True) as conn:
        return conn.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).rowcount


def _wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_work_whose_locks_died_unnoticed_has_not_failed(deployment: Deployment, database: str) -> None:
    mark = RunMark(deployment, "run")
    mark.renew()
    with in_flight(deployment, deployment.sftp, DAYS):
        assert days_busy(deployment, deployment.sftp, DAYS) == set(DAYS)
        assert _end_sessions(database) == 2
    mark.close()
    assert days_busy(deployment, deployment.sftp, DAYS) == set()


def test_a_mark_that_died_comes_back_while_the_run_works(deployment: Deployment, database: str) -> None:
    mark = RunMark(deployment, "run", every=0.05)
    mark.renew()
    _end_sessions(database)
    _wait_for(lambda: not runs_without_process(deployment, ["run"]))
    mark.close()
    _wait_for(lambda: runs_without_process(deployment, ["run"]) == {"run"})  # the server ends a session in its own time


def test_the_reason_of_work_that_failed_is_kept(deployment: Deployment, database: str) -> None:
    def work() -> None:
        with in_flight(deployment, deployment.sftp, DAYS):
            _end_sessions(database)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()


def test_locks_are_given_back_while_the_session_lives_on(deployment: Deployment) -> None:
    from kolleno_pipelines.storage.batches import days_in_flight

    with deployment.session() as session:
        with days_in_flight(session, "sftp", DAYS):
            assert days_busy(deployment, deployment.sftp, DAYS) == set(DAYS)
        assert days_busy(deployment, deployment.sftp, DAYS) == set()
