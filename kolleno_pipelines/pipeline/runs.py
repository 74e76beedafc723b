"""Which days are worked on, and whether the process of a run lives: locks in PostgreSQL that end with their holder.

What the orchestrator says about its runs does not belong here.
"""

import threading
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import date, datetime
from typing import Any

import psycopg

from kolleno_pipelines.connections import Connection
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.storage import run_marks, turns
from kolleno_pipelines.storage.batches import busy_days, days_in_flight
from kolleno_pipelines.storage.database import DatabaseError, moment

#: How often a run's process looks after its mark: well within the grace of whoever misses it.
MARK_SECONDS = 15.0


@contextmanager
def in_flight(deployment: Deployment, connection: Connection, days: Collection[date]) -> Iterator[None]:
    """Hold the lock of each of the days while the block runs. Raises DayBusyError after ten minutes of waiting."""
    with deployment.session() as session, days_in_flight(session, connection.name, sorted(days)):
        yield


def days_busy(deployment: Deployment, connection: Connection, days: Collection[date]) -> set[date]:
    """Return those of the days on which somebody works now."""
    with deployment.session() as session:
        return busy_days(session, connection.name, sorted(days))


@contextmanager
def judging(deployment: Deployment) -> Iterator[None]:
    """Let the block alone judge facts and tell of them, so that the verdict told last is the one found last."""
    with deployment.session() as session, turns.verdicts_turn(session):
        yield


def now_there(deployment: Deployment) -> datetime:
    """Return the moment by the clock of the database, which dates what is computed."""
    with deployment.session() as session:
        return moment(session)


class RunMark:
    """The mark of this process's run. Once set it is looked after: a restart of the database in mid-work ends it."""

    def __init__(self, deployment: Deployment, run_id: str, *, every: float = MARK_SECONDS) -> None:
        self._deployment, self._run_id, self._every = deployment, run_id, every
        self._held = ExitStack()
        self._session: psycopg.Connection[Any] | None = None
        self._turn, self._closing = threading.Lock(), threading.Event()
        self._keeper: threading.Thread | None = None

    def renew(self) -> None:
        """Set the mark unless it stands. Raises DatabaseError."""
        with self._turn:
            self._set()
        if self._keeper is None:
            self._keeper = threading.Thread(target=self._keep, name="run mark", daemon=True)
            self._keeper.start()

    def close(self) -> None:
        """Take the mark away."""
        self._closing.set()
        if self._keeper is not None:
            self._keeper.join()
        self._held.close()
        self._session = None

    def _keep(self) -> None:
        while not self._closing.wait(self._every):
            with self._turn, suppress(psycopg.Error, DatabaseError):
                self._set()

    def _set(self) -> None:
        if self._session is not None and _answers(self._session):
            return
        self._session = None
        self._held.close()
        session = self._held.enter_context(self._deployment.session())
        run_marks.mark_running(session, self._run_id)
        self._session = session


def _answers(session: psycopg.Connection[Any]) -> bool:
    try:
        session.execute("SELECT")
    except psycopg.Error:
        return False
    return True


def runs_without_process(deployment: Deployment, run_ids: Iterable[str]) -> set[str]:
    """Return those of the runs whose process is gone, as far as the marks tell."""
    with deployment.session() as session:
        return run_marks.without_mark(session, run_ids)
