"""Contract of every registered connector to receivables: totals, replays, deletions, windows in any order."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kolleno_pipelines.connections import SYSTEMS, ApiConnection
from kolleno_pipelines.connectors.contract import Connector, Extract, Pass, Window
from kolleno_pipelines.connectors.registry import connector_of
from kolleno_pipelines.pipeline.deployment import open_deployment
from kolleno_pipelines.pipeline.extract import extract_window
from kolleno_pipelines.pipeline.import_extracts import import_extracts
from kolleno_pipelines.pipeline.normalise import fold, normalise_again, normalise_pending
from kolleno_pipelines.pipeline.parts import Reading, land
from kolleno_pipelines.pipeline.passes import ReadConnection, Reader
from kolleno_pipelines.settings import Settings
from tests.contract.vendors import ASKED, FIXTURES, Client, Vendor, client_of, parsed, serve, write_some
from tests.record_payloads import Row, state_of

NAME = "contract"
MOST_WINDOWS = 3


@pytest.fixture(params=ASKED)
def connector(request: pytest.FixtureRequest) -> Connector:
    return connector_of(request.param)


@pytest.fixture
def vendor(connector: Connector) -> Iterator[Vendor]:
    with serve(connector.system) as served:
        write_some(served, 6, apart=timedelta(hours=7))
        yield served


@pytest.fixture
def client(vendor: Vendor) -> Iterator[Client]:
    with client_of(vendor) as opened:
        yield opened


class Books:
    """A deployment that reads a vendor to receivables, under names of connections that a test chooses."""

    def __init__(self, connector: Connector, vendor: Vendor, client: Client, database: str, home: Path) -> None:
        self.connector, self.vendor, self.client = connector, vendor, client
        self.connection = SYSTEMS[connector.system].model_validate({"name": NAME})
        self.deployment = open_deployment(Settings(home=home, database_url=database), {NAME: self.connection})

    def now(self) -> datetime:
        return self.vendor.clock.now

    def read(self) -> ReadConnection:
        """Every pass that is due, then normalise and fold, until no row waits for what can be looked up."""
        assert isinstance(self.connection, ApiConnection)
        reader = Reader(self.deployment, self.connection, self.connector, self.client.source, clock=self.now)
        done = reader.read()
        self.settle(NAME)
        done.passes += reader.read_by_id().passes
        assert done.failed == []
        self.settle(NAME)
        return done

    def settle(self, name: str) -> None:
        named = replace(self.deployment, connections={name: self.connection})
        normalise_pending(named, name, self.connector)
        fold(named, name)

    def state(self, name: str = NAME) -> dict[str, list[Row]]:
        with psycopg.connect(self.deployment.database_url) as conn:
            return state_of(conn, name)

    def parts(self) -> int:
        with psycopg.connect(self.deployment.database_url) as conn:
            row = conn.execute("SELECT count(*) FROM raw.extracts").fetchone()
        return int(row[0]) if row else 0

    def quarantined(self, name: str = NAME) -> int:
        with psycopg.connect(self.deployment.database_url) as conn:
            row = conn.execute("SELECT sum(quarantined) FROM raw.extracts WHERE connection = %s", [name]).fetchone()
        return int(row[0] or 0) if row else 0


@pytest.fixture
def books(connector: Connector, vendor: Vendor, client: Client, database: str, tmp_path: Path) -> Books:
    return Books(connector, vendor, client, database, tmp_path)


def test_totals_in_are_totals_out(books: Books, vendor: Vendor, client: Client) -> None:
    books.read()
    whole = client.read_whole(books.connector)
    stated = vendor.totals({name: parsed(records) for name, records in whole.items()})
    more, less = (stated[key] for key in vendor.covers)
    assert more > less > 0, "cases that are done with, and open"
    state = books.state()
    counted = {entity: [row for row in state[entity] if vendor.counts(row)] for entity in vendor.counted}
    come = {key: _sum(counted[key.split(".")[0]], key.split(".")[1]) for key in stated}
    assert come == stated
    assert [entity for entity in vendor.counted if counted[entity] and f"{entity}.amount" not in stated] == []
    assert books.quarantined() == 0
    assert state["parked"] == []


def _sum(rows: list[Row], column: str) -> Decimal:
    return sum((row[column] or Decimal(0) for row in rows), Decimal(0))


def test_a_replay_changes_nothing_and_asks_for_nothing(books: Books, vendor: Vendor) -> None:
    books.read()
    before, asked = books.state(), vendor.server.count()
    again = normalise_again(books.deployment, NAME, books.connector, date(2000, 1, 1), date(2100, 1, 1))
    assert again == books.parts() > 0
    assert fold(books.deployment, NAME).is_empty
    assert books.state() == before
    assert vendor.server.count() == asked


def test_what_is_read_again_changes_nothing(books: Books, vendor: Vendor) -> None:
    books.read()
    before = books.state()
    vendor.clock.advance(vendor.quiet)
    books.read()
    after = books.state()
    assert {name for name, rows in after.items() if rows != before[name]} == vendor.by_each_reading


def test_changes_come_and_what_was_deleted_does_not_count(books: Books, vendor: Vendor) -> None:
    books.read()
    made = vendor.write(vendor.clock.now)
    kept = vendor.write(vendor.clock.now)
    vendor.clock.advance(timedelta(minutes=1))
    books.read()
    assert [vendor.is_open(row) for row in _rows(books, made, kept)] == [True, True]
    vendor.change(kept, vendor.clock.now)
    vendor.delete(made, vendor.clock.now + timedelta(seconds=1))
    vendor.clock.advance(timedelta(minutes=1))
    books.read()
    gone, left = _rows(books, made, kept)
    assert (vendor.is_gone(gone), vendor.is_open(gone)) == (True, False)
    assert (vendor.is_gone(left), vendor.is_open(left)) == (False, True)


def _rows(books: Books, *ids: str) -> list[Row]:
    named = {row["source_id"]: row for row in books.state()[books.vendor.written]}
    return [named[source_id] for source_id in ids]


def test_fixtures_are_imported(books: Books) -> None:
    done = import_extracts(books.deployment, NAME, books.connector, FIXTURES / books.connector.system)
    assert set(done.payloads) == {extract.name for extract in books.connector.extracts}
    assert books.quarantined() == 0
    assert books.state()[books.vendor.written]


@pytest.fixture
def whole(books: Books) -> dict[str, list[Row]]:
    """What one window over everything ends in."""
    _read_windows(books, "whole", [_span(books)], [False])
    state = books.state("whole")
    assert state[books.vendor.written]
    return state


_names = itertools.count(1)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_windows_in_any_order_end_in_the_same_receivables(
    books: Books, whole: dict[str, list[Row]], data: st.DataObject
) -> None:
    begin, end = _span(books)
    seconds = int((end - begin).total_seconds())
    inner = st.lists(st.integers(1, seconds - 1), min_size=1, max_size=MOST_WINDOWS - 1, unique=True).map(sorted)
    bounds = [begin, *(begin + timedelta(seconds=cut) for cut in data.draw(inner)), end]
    windows = data.draw(st.permutations(list(itertools.pairwise(bounds))))
    folds = data.draw(st.lists(st.booleans(), min_size=len(windows), max_size=len(windows)))
    split = f"w{next(_names)}"
    _read_windows(books, split, windows, folds)
    assert books.state(split) == whole


def _span(books: Books) -> tuple[datetime, datetime]:
    """From before the vendor's first change to its now."""
    extracts = _with_windows(books)
    moments = [record.modified_at for extract in extracts for record in books.client.read(extract)]
    return min(moment for moment in moments if moment) - timedelta(days=1), books.now()


def _with_windows(books: Books) -> list[Extract]:
    return [one for one in books.connector.extracts if Pass.CHANGES in one.passes and not one.is_momentary]


def _read_windows(books: Books, name: str, windows: list[tuple[datetime, datetime]], folds: list[bool]) -> None:
    """Read windows of every extract in their order, folding after those that are told, then what has no windows."""
    for (after, until), is_folded in zip(windows, folds, strict=True):
        for extract in _with_windows(books):
            reading = Reading(books.deployment, name, books.client.source, extract, clock=books.now)
            assert extract_window(reading, after, until, until.date()).stopped is None
        if is_folded:
            books.settle(name)
    for extract in books.connector.extracts:
        if Pass.CHANGES not in extract.passes and Pass.SWEEP in extract.passes:
            reading = Reading(books.deployment, name, books.client.source, extract, clock=books.now)
            window = Window(Pass.SWEEP, None, books.now())
            records = list(books.client.source.records(extract, window))
            land(reading, window, records, books.now(), books.now().date())
    books.settle(name)
