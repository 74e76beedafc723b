"""A Dagster instance on the tests' PostgreSQL, a drop folder, definitions for both. No assertions."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from kolleno_pipelines.connections import Connections, SftpConnection
from kolleno_pipelines.definitions import build_definitions
from kolleno_pipelines.pipeline.deployment import Deployment, open_deployment
from kolleno_pipelines.pipeline.instance import write_instance
from kolleno_pipelines.sandbox import drops
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.settings import Settings
from tests.databases import drop_those_of_dagster
from tests.graph.webhook import Hook

DAYS = 5


@pytest.fixture(scope="session")
def company() -> Company:
    """A small company whose last day was yesterday, so that no file is dated ahead of the clock."""
    first_day = datetime.now(UTC).date() - timedelta(days=DAYS)
    return Company.build(3, customers=8, days=DAYS, first_day=first_day, invoices_per_day=3, history_days=20)


@pytest.fixture
def graph_settings(settings: Settings, company: Company) -> Settings:
    """Settings whose first partition is the company's first day less three."""
    return settings.model_copy(update={"first_day": company.plan.first_day - timedelta(days=3)})


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    """The folder into which files are dropped."""
    folder = tmp_path / "drop" / "csv_data_uploads"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def connections(drop: Path) -> Connections:
    """One SFTP connection on the local drop folder."""
    return {"sftp": SftpConnection(location=drop.parent.as_uri())}


@pytest.fixture
def definitions(graph_settings: Settings, connections: Connections) -> dg.Definitions:
    """The definitions of the test's deployment."""
    return build_definitions(graph_settings, connections)


@pytest.fixture
def deployment(graph_settings: Settings, connections: Connections) -> Deployment:
    """The test's deployment, opened."""
    return open_deployment(graph_settings, connections)


@pytest.fixture
def instance(
    graph_settings: Settings, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """A real instance: PostgreSQL storage as `kolleno dev` configures it."""
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "500")
    home = write_instance(graph_settings)
    with dg.DagsterInstance.from_config(str(home)) as opened:
        yield opened
    drop_those_of_dagster(postgres_url)


@pytest.fixture
def ephemeral() -> Iterator[dg.DagsterInstance]:
    """A real instance in memory, for sensors."""
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


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


def drop_all(folder: Path, company: Company) -> list[Path]:
    """Write all batches of the company, complete and old enough."""
    return drops.write(folder, drops.arrivals(company))


def days_between(first: date, last: date) -> list[str]:
    """Return the partition keys of [first, last]."""
    return [(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]
