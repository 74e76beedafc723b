"""Extracting from a source: windows, watermarks, parts, clean stops. What the payloads say does not matter here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from kolleno_pipelines.connectors.contract import Extract, Pass, Record, Window
from kolleno_pipelines.connectors.errors import Retryable
from kolleno_pipelines.connectors.quickbooks.landing import INVOICES
from kolleno_pipelines.pipeline import parts
from kolleno_pipelines.pipeline.deployment import open_deployment
from kolleno_pipelines.pipeline.extract import OVERLAP, Extracted, Reading, extract_changes, extract_days
from kolleno_pipelines.settings import Settings

BEGINNING = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass
class Ledger:
    """A source of invoices by the time at which they were modified; it asks to wait after `allowed` payloads."""

    modified: dict[str, datetime] = field(default_factory=dict)
    allowed: int = 1_000_000
    windows: list[Window] = field(default_factory=list)

    def records(self, extract: Extract, window: Window) -> Iterator[Record]:
        assert extract is INVOICES
        self.windows.append(window)
        for source_id, at in sorted(self.modified.items(), key=lambda item: item[1]):
            if (window.after is None or at > window.after) and at <= window.until:
                if self.allowed == 0:
                    raise Retryable("The day's requests are used up.", "qb", retry_after=3600)
                self.allowed -= 1
                yield Record(json.dumps({"Id": source_id}).encode(), source_id, at)


class World:
    """A ledger, a clock and a deployment that reads the one by the other."""

    def __init__(self, database: str, home: Path) -> None:
        self.deployment = open_deployment(Settings(home=home, database_url=database), {})
        self.ledger = Ledger()
        self.now = BEGINNING + timedelta(days=10)

    @property
    def reading(self) -> Reading:
        return Reading(self.deployment, "qb", self.ledger, INVOICES, clock=lambda: self.now)

    def landed(self) -> list[str]:
        """Ids of all payloads in the archive, in the order in which they landed."""
        with psycopg.connect(self.deployment.database_url) as conn:
            contents = conn.execute("SELECT sha256 FROM raw.extracts ORDER BY id").fetchall()
        ids = []
        for (sha256,) in contents:
            with self.deployment.archive.open(sha256) as stream:
                ids += [json.loads(line)["Id"] for line in stream.read().splitlines()]
        return ids

    def watermark(self) -> datetime | None:
        with psycopg.connect(self.deployment.database_url) as conn:
            row = conn.execute("SELECT reached FROM raw.watermarks").fetchone()
        return row[0] if row else None

    def changes(self) -> Extracted:
        return extract_changes(self.reading)


@pytest.fixture
def world(database: str, tmp_path: Path) -> World:
    return World(database, tmp_path)


def test_the_first_reading_takes_all_and_the_next_what_changed_with_an_overlap(world: World) -> None:
    world.ledger.modified = {f"I{day}": BEGINNING + timedelta(days=day) for day in range(5)}
    assert world.changes().records == 5
    assert world.ledger.windows[-1] == Window(Pass.CHANGES, None, world.now)
    assert world.watermark() == BEGINNING + timedelta(days=4)
    world.ledger.modified |= {"I9": BEGINNING + timedelta(days=9), "I0": BEGINNING + timedelta(days=8)}
    assert world.changes().records == 3, "the last one is read once more: it lies in the overlap"
    assert world.ledger.windows[-1].after == BEGINNING + timedelta(days=4) - OVERLAP
    assert world.landed() == ["I0", "I1", "I2", "I3", "I4", "I4", "I0", "I9"]


def test_the_watermark_never_passes_the_moment_at_which_the_reading_began(world: World) -> None:
    world.ledger.modified = {"I1": world.now + timedelta(hours=1)}
    assert world.changes().records == 0
    assert world.watermark() is None
    world.now += timedelta(hours=1)
    assert world.changes().records == 1
    assert world.watermark() == world.now


def test_an_old_range_lands_on_its_days_and_leaves_the_watermark(world: World) -> None:
    world.ledger.modified = {f"I{day}": BEGINNING + timedelta(days=day, hours=12) for day in range(5)}
    world.changes()
    before = world.watermark()
    again = extract_days(world.reading, date(2026, 3, 2), date(2026, 3, 30))
    assert [(part.partition_day, part.records) for part in again.parts] == [
        (date(2026, 3, day), 1) for day in (2, 3, 4, 5)
    ]
    assert world.watermark() == before


def test_a_source_that_asks_to_wait_stops_cleanly_and_goes_on_where_it_stopped(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_PART_RECORDS", 3)
    world.ledger.modified = {f"I{hour}": BEGINNING + timedelta(hours=hour) for hour in range(10)}
    world.ledger.allowed = 7
    stopped = world.changes()
    assert (stopped.records, stopped.stopped is not None) == (7, True), "what had come is kept"
    assert stopped.stopped is not None
    assert stopped.stopped.retry_after == 3600
    assert world.watermark() == BEGINNING + timedelta(hours=6)
    world.ledger.allowed = 100
    assert world.changes().stopped is None
    assert set(world.landed()) == {f"I{hour}" for hour in range(10)}, "nothing is missing"


def test_another_fault_is_told_and_keeps_what_came(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_PART_RECORDS", 2)
    world.ledger.modified = {f"I{hour}": BEGINNING + timedelta(hours=hour) for hour in range(5)}
    inner = world.ledger.records

    def broken(extract: Extract, window: Window) -> Iterator[Record]:
        for number, record in enumerate(inner(extract, window)):
            if number == 3:
                raise Retryable("The connection broke.", "qb")
            yield record

    monkeypatch.setattr(world.ledger, "records", broken)
    with pytest.raises(Retryable, match="broke"):
        world.changes()
    assert world.landed() == ["I0", "I1"]
    monkeypatch.undo()
    world.changes()
    assert set(world.landed()) == {f"I{hour}" for hour in range(5)}
