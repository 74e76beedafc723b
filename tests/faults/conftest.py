"""Worlds for fault tests, and the answer of an undisturbed run to compare with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from kolleno_pipelines.sandbox import drops
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.settings import Settings
from tests.databases import fresh_database
from tests.faults.worlds import Digest, World

MakeWorld = Callable[..., World]


@pytest.fixture(scope="session")
def company() -> Company:
    """A company of a few days with every kind of mishap, small enough to be told in a second."""
    return Company.build(4, customers=8, days=5, invoices_per_day=3, history_days=20, old_documents=6)


@pytest.fixture
def world(database: str, tmp_path: Path) -> World:
    """A deployment of its own, nothing dropped yet."""
    return World(tmp_path, database)


@pytest.fixture(scope="session")
def make_world(
    postgres_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeWorld]:
    """Make further deployments that live as long as the session."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        made = 0

        def make(**options: str) -> World:
            nonlocal made
            made += 1
            url = stack.enter_context(fresh_database(postgres_url, migrated_template, f"faults_{made}"))
            return World(tmp_path_factory.mktemp("world"), url, **options)

        yield make


@pytest.fixture(scope="session")
def undisturbed(make_world: MakeWorld, company: Company) -> Digest:
    """What the company's files come to when nothing happens on the way."""
    world = make_world()
    world.put_all(drops.arrivals(company))
    done = world.ingest()
    assert not done.ingested.loaded.failed
    assert not done.ingested.open_batches
    digest = world.digest()
    assert all(digest[table] for table in ("customers", "invoices", "payments", "allocations", "balance_moves"))
    assert all(digest[f"reconciliation.{table}"] for table in ("balances", "ageing", "roll_forward", "differences"))
    return digest


@pytest.fixture
def second(settings: Settings, tmp_path: Path, postgres_url: str, migrated_template: str) -> Iterator[Settings]:
    """Settings of another deployment, for an undisturbed reading of the same vendor."""
    with fresh_database(postgres_url, migrated_template, "test_second") as url:
        changes = {"home": tmp_path / "second-home", "database_url": SecretStr(url)}
        yield settings.model_copy(update=changes)
