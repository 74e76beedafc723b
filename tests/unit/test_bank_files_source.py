"""A bank's files as a source: which are taken, in which order, what waits, what is said of those that are not read."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kolleno_pipelines.connections import BankFilesConnection
from kolleno_pipelines.connectors.bank_files.client import describe
from kolleno_pipelines.connectors.contract import Pass
from kolleno_pipelines.connectors.errors import NeedsHuman, Permanent
from kolleno_pipelines.connectors.folders.client import open_folder
from kolleno_pipelines.connectors.folders.drop import Entry
from tests.bank_folder import ACCOUNTS, DAY, ENTRIES, FILES, WAIT, Bank, ids, window


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    for name in ("bank", "kept"):
        (tmp_path / name).mkdir()
    return Bank(tmp_path / "bank", tmp_path / "kept")


def test_changes_come_by_rising_time_and_each_file_is_fetched_once(bank: Bank) -> None:
    bank.put("a.xml", "late 1\n", DAY + timedelta(hours=2))
    bank.put("b.xml", "first 1\nsecond 2\n")
    with bank.open() as source:
        read = list(source.records(ENTRIES, window()))
        assert ids(source.records(FILES, window())) == ["b.xml", "a.xml"]
        assert ids(source.records(ACCOUNTS, window())) == ["A", "A"]
    assert [(record.source_id, record.modified_at) for record in read] == [
        ("first", DAY),
        ("second", DAY),
        ("late", DAY + timedelta(hours=2)),
    ]
    assert json.loads(read[0].payload) == {"id": "first", "text": "1"}
    assert bank.fetched == ["b.xml", "a.xml"]
    assert bank.listings == 1


def test_a_window_holds_both_its_ends(bank: Bank) -> None:
    for hour in range(4):
        bank.put(f"{hour}.xml", f"at{hour} x\n", DAY + timedelta(hours=hour))
    with bank.open() as source:
        taken = window(Pass.CHANGES, DAY + timedelta(hours=1), DAY + timedelta(hours=2))
        assert ids(source.records(ENTRIES, taken)) == ["at1", "at2"]
    assert bank.fetched == ["1.xml", "2.xml"]


def test_all_extracts_are_of_the_files_of_the_first_look(bank: Bank) -> None:
    bank.put("a.xml", "one 1\n")
    with bank.open() as source:
        assert ids(source.records(ACCOUNTS, window())) == ["A"]
        bank.put("b.xml", "two 2\n")
        (bank.folder / "a.xml").unlink()
        assert ids(source.records(ENTRIES, window())) == ["one"]


def test_names_of_other_files_and_of_files_still_written_are_passed_over(bank: Bank) -> None:
    for name in ("a.xml", "b.XML", "notes.txt", "c.xml.part", "d.xml.TMP", ".e.xml", "Überweisung.xml"):
        bank.put(name, f"{name} 1\n")
    (bank.folder / "f.xml").mkdir()
    (bank.folder / "g.xml").symlink_to("a.xml")
    assert sorted(bank.changes(files="*.xml")) == ["a.xml", "Überweisung.xml"]
    assert sorted(bank.changes()) == ["a.xml", "b.XML", "notes.txt", "Überweisung.xml"]


def test_a_sweep_gives_the_newest_of_each_id(bank: Bank) -> None:
    bank.put("old.xml", "same old\ngone 1\n", DAY - timedelta(days=30))
    bank.put("new.xml", "same new\nsame newest\n")
    with bank.open() as source:
        swept = list(source.records(ENTRIES, window(Pass.SWEEP)))
        (account,) = source.records(ACCOUNTS, window(Pass.SWEEP))
    told = {record.source_id: json.loads(record.payload)["text"] for record in swept}
    assert (told, len(swept)) == ({"same": "newest", "gone": "1"}, 2)
    assert json.loads(account.payload)["file"] == "new.xml"


def test_a_young_file_is_taken_when_it_stays_as_it_is(bank: Bank) -> None:
    bank.put("young.xml", "young 1\n", None)
    began = time.monotonic()
    assert bank.changes() == ["young"]
    assert time.monotonic() - began >= WAIT.total_seconds()
    assert bank.listings == 2


def test_what_is_later_than_a_file_that_grows_waits_with_it(bank: Bank) -> None:
    now = datetime.now(UTC)
    growing = bank.put("growing.xml", "half", now - timedelta(seconds=30))
    bank.put("before.xml", "before 1\n", now - timedelta(seconds=40))
    bank.put("after.xml", "after 1\n", now - timedelta(seconds=2))

    def grow() -> None:
        growing.write_text(growing.read_text() + "+", encoding="utf-8")
        os.utime(growing, (time.time(), (now - timedelta(seconds=20)).timestamp()))

    bank.meanwhile = grow
    with bank.open() as source:
        for extract, expected in ((ENTRIES, "before"), (FILES, "before.xml")):
            assert ids(source.records(extract, window())) == [expected]
        assert sorted(ids(source.records(ENTRIES, window(Pass.SWEEP)))) == ["after", "before"]
    assert "growing.xml" not in bank.fetched


def test_a_file_that_vanishes_is_passed_over_and_one_that_is_replaced_waits(bank: Bank) -> None:
    for number, name in enumerate(("one.xml", "two.xml", "three.xml", "four.xml")):
        bank.put(name, f"{name} 1\n", DAY + timedelta(hours=number))

    def happens(entry: Entry) -> None:
        if entry.name == "two.xml":
            (bank.folder / "two.xml").unlink()
        if entry.name == "three.xml":
            bank.put("three.xml", "three.xml 1\nmore 1\n", None)

    bank.before_fetching = happens
    with bank.open() as source:
        assert ids(source.records(ENTRIES, window())) == ["one.xml"]
        assert ids(source.records(FILES, window())) == ["one.xml"]
        assert ids(source.records(ENTRIES, window(Pass.SWEEP))) == ["four.xml", "one.xml"]
    bank.before_fetching = lambda _: None
    assert bank.changes() == ["one.xml", "four.xml", "three.xml", "more"]


def test_a_file_that_is_too_large_is_told_and_not_fetched(bank: Bank) -> None:
    bank.put("large.xml", "x" * 1_001)
    bank.put("small.xml", "small 1\n", DAY + timedelta(hours=1))
    with bank.open(max_file_bytes=1_000) as source:
        assert ids(source.records(ENTRIES, window())) == ["small"]
        large, _ = source.records(FILES, window())
    assert json.loads(large.payload) == {
        "id": "large.xml",
        "file": "large.xml",
        "faults": [
            {
                "fault": "It has 1,001 bytes; this connection takes at most 1,000. Raise max_file_bytes in"
                " connections.yaml, or ask the bank for smaller files."
            }
        ],
    }
    assert (large.source_id, large.modified_at, bank.fetched) == ("large.xml", DAY, ["small.xml"])


def test_a_file_that_may_not_be_read_or_named_is_told_and_the_others_go_on(bank: Bank) -> None:
    bank.put("secret.xml", "secret 1\n")
    bank.put("plain.xml", "plain 1\n", DAY + timedelta(hours=1))
    strange = Path(os.fsdecode(bytes(bank.folder) + b"/f\xe9vrier.xml"))
    strange.write_text("x", encoding="utf-8")

    def refuse(entry: Entry) -> None:
        if entry.name == "secret.xml":
            raise Permanent("secret.xml is not read: this user may not.", "bank")

    bank.before_fetching = refuse
    with bank.open() as source:
        assert ids(source.records(ENTRIES, window())) == ["plain"]
        told = {r.source_id: json.loads(r.payload)["faults"] for r in source.records(FILES, window())}
    assert told == {
        "secret.xml": [{"fault": "secret.xml is not read: this user may not."}],
        "plain.xml": [],
        "f\\xe9vrier.xml": [{"fault": "Its name is not used: it is not UTF-8. The bank must rename it."}],
    }


def test_a_clock_that_is_ahead_delays_nothing(bank: Bank) -> None:
    bank.put("ahead.xml", "ahead 1\n", datetime.now(UTC) + timedelta(hours=3))
    with bank.open() as source:
        until = window()
        (record,) = source.records(ENTRIES, until)
        assert record.modified_at is not None
        assert record.modified_at <= until.until
        assert ids(source.records(ENTRIES, window(until=DAY))) == []


def test_a_folder_that_is_not_there_needs_a_person_and_single_objects_cannot_be_asked_for(bank: Bank) -> None:
    with bank.open(folder="absent") as source, pytest.raises(NeedsHuman, match="There is no folder"):
        list(source.records(ENTRIES, window()))
    with bank.open() as source, pytest.raises(ValueError, match="cannot be asked for lookup"):
        list(source.records(ENTRIES, window(Pass.LOOKUP)))


def test_a_description_says_how_many_files_are_the_bank_s(bank: Bank) -> None:
    for name in ("a.xml", "b.xml", "notes.txt"):
        bank.put(name, "x")
    connection = BankFilesConnection(location=bank.folder.as_uri(), files="*.xml")
    with open_folder(connection, str) as drop:
        told = describe(drop, connection)
    assert told[0].startswith(f"Folder {bank.folder}: 3 files, 3 bytes")
    assert told[-1] == "Names that match files, *.xml: 2."
