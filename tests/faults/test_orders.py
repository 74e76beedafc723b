"""The same files in any order and splits, with replaced contents, re-processing and pruning on the way: one state."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kolleno_pipelines.sandbox import drops
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.schemas.sftp_tables import TableName
from tests.faults.conftest import MakeWorld
from tests.faults.worlds import OLD, World

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Arrival:
    """One content of a file name; `age` in seconds tells contents of one size apart."""

    name: str
    content: bytes
    age: float


@dataclass(frozen=True, repr=False)
class Told:
    """What arrives: contents that stand in the end, earlier ones (cut short, or broken), later ones that fail."""

    first_day: date
    days: int
    final: list[Arrival] = field(default_factory=list)
    earlier: list[Arrival] = field(default_factory=list)
    later: list[Arrival] = field(default_factory=list)


@pytest.fixture(scope="module")
def told() -> Told:
    company = Company.build(21, customers=5, days=5, invoices_per_day=2, history_days=4, old_documents=3)
    told = Told(company.plan.first_day, company.plan.days)
    for drop in drops.versions(company):
        for table in TableName:
            name, content = drop.name_of(table), drop.content_of(table)
            told.final.append(Arrival(name, content, OLD))
            lines = content.splitlines(keepends=True)
            if len(lines) > 2 and drop.number % 2:
                told.earlier.append(Arrival(name, b"".join(lines[: len(lines) // 2 + 1]), 2 * OLD))
            elif table is TableName.PAYMENTS and drop.number:
                told.earlier.append(Arrival(name, b"id;broken\n", 2 * OLD))
            if (drop.number + list(TableName).index(table)) % 3 == 0:
                told.later.append(Arrival(name, b"id;broken;too\n", OLD))
    return told


@pytest.fixture(scope="module")
def shared(make_world: MakeWorld) -> World:
    return make_world()


def _new_world(shared: World, folder: Path, **options: str) -> World:
    number = next(_numbers)
    folder = folder / f"order_{number}"
    folder.mkdir()
    return World(folder, shared.database_url, options, f"order_{number}")


def _drop(world: World, some: list[Arrival]) -> None:
    for arrival in some:
        world.put(arrival.name, arrival.content, age=arrival.age)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("orders")


@pytest.fixture(scope="module")
def expected(shared: World, folder: Path, told: Told) -> tuple[object, object]:
    world = _new_world(shared, folder)
    _drop(world, told.final)
    world.ingest()
    assert set(world.batches().values()) == {"processed"}
    before = world.receivables()
    _drop(world, told.later)
    world.ingest()
    assert world.receivables() == before, "a failed content is no input"
    assert set(world.batches().values()) == {"processed", "failed"}
    return world.receivables(), world.batches()


@pytest.mark.nightly
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(seed=st.integers(0, 2**32), ingests=st.integers(2, 5), is_pruned=st.booleans())
def test_any_order_and_split_of_arrival_gives_the_same_state(
    shared: World,
    folder: Path,
    told: Told,
    expected: tuple[object, object],
    seed: int,
    ingests: int,
    is_pruned: bool,
) -> None:
    rng = random.Random(seed)
    batches: list[list[Arrival]] = [[] for _ in range(ingests + 1)]
    place = {arrival.name: rng.randrange(ingests) for arrival in told.final}
    for arrival in told.earlier:
        if place[arrival.name] and rng.random() < 0.7:  # an earlier content of a name comes before the one that stands
            batches[rng.randrange(place[arrival.name])].append(arrival)
    for arrival in told.final:
        batches[place[arrival.name]].append(arrival)
    for arrival in told.later:
        batches[rng.randrange(place[arrival.name] + 1, ingests + 1)].append(arrival)
    world = _new_world(shared, folder, **({"retention_days": "1"} if is_pruned else {}))
    for some in batches:
        _drop(world, some)
        world.ingest()
        if rng.random() < 0.3:
            first = told.first_day + timedelta(days=rng.randrange(told.days))
            world.reprocess(first, first + timedelta(days=rng.randrange(3)), only_failed=rng.random() < 0.3)
    assert (world.receivables(), world.batches()) == expected
    again = world.ingest()
    assert again.ingested.folded.is_empty
    assert again.ingested.loaded.loaded == []
    world.rows_kept()
