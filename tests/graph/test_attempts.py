"""What the arrivals sensor remembers: starts, back-off, giving up. No database, no Dagster."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from kolleno_pipelines.automation.attempts import MOST_ATTEMPTS, Memory, signature_of

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = date(2026, 3, 1)


def test_the_same_files_are_started_once_then_after_growing_pauses_then_given_up() -> None:
    memory, starts, given_up = Memory(), [], []
    for minute in range(60):
        memory = Memory.read(memory.write())
        decision = memory.decide({DAY: "a"}, [], NOW + timedelta(minutes=minute))
        starts += [minute] if decision.start else []
        given_up += [minute] if decision.given_up else []
    assert starts == [0, 1, 3, 7, 15]
    assert len(starts) == MOST_ATTEMPTS
    assert given_up == [31]


def test_other_content_starts_at_once() -> None:
    memory = Memory()
    for _ in range(MOST_ATTEMPTS + 2):
        memory.decide({DAY: "a"}, [], NOW)
    decision = memory.decide({DAY: "b"}, [], NOW)
    assert decision.start == [DAY]


def test_a_day_that_somebody_works_on_waits_and_costs_no_attempt() -> None:
    memory = Memory()
    assert not memory.decide({DAY: "a"}, [DAY], NOW).start
    assert memory.decide({DAY: "a"}, [], NOW).start == [DAY]


def test_a_day_no_longer_due_is_forgotten_and_its_next_start_has_another_key() -> None:
    memory = Memory()
    memory.decide({DAY: "a"}, [], NOW)
    key = memory.run_key(DAY, DAY)
    assert memory.decide({}, [], NOW).start == []
    assert memory.days == {}
    memory.decide({DAY: "a"}, [], NOW + timedelta(days=1))
    assert memory.run_key(DAY, DAY) != key


def test_every_attempt_has_another_key() -> None:
    memory, keys = Memory(), set()
    for minute in (0, 1, 3, 7, 15):
        memory.decide({DAY: "a"}, [], NOW + timedelta(minutes=minute))
        keys.add(memory.run_key(DAY, DAY))
    assert len(keys) == MOST_ATTEMPTS


def test_a_cursor_of_another_version_or_damaged_is_forgotten() -> None:
    for cursor in (None, "", "{", "[]", '"x"', '{"version": 99, "days": {}}', '{"version": 1, "days": {"x": 3}}'):
        assert Memory.read(cursor).days == {}


def test_a_signature_names_size_and_time_of_each_content() -> None:
    first = signature_of({"a.csv": (10, NOW), "b.csv": None})
    assert first == signature_of({"b.csv": None, "a.csv": (10, NOW)})
    assert first != signature_of({"a.csv": (11, NOW), "b.csv": None})
    assert first != signature_of({"a.csv": (10, NOW + timedelta(seconds=1)), "b.csv": None})
    assert first != signature_of({"a.csv": None, "b.csv": None})
