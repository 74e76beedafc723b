"""File names: what they say, which are not ours, and when a file is taken."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolleno_pipelines.connectors.sftp.names import (
    FileName,
    Standing,
    classify,
    fix_name,
    parse_name,
    partition_day,
    printable_name,
)
from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.sftp_tables import TableName

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FIRST = date(2020, 1, 1)


def parsed(name: str, timezone: str = "UTC") -> FileName:
    result = parse_name(name, timezone=timezone)
    assert isinstance(result, FileName)
    return result


@pytest.mark.parametrize("table", list(TableName))
def test_each_type_is_read_whole(table: TableName) -> None:
    name = parsed(f"{table.value}_2023-11-16T15:45:30.csv")
    assert (name.type, name.fix) == (table, 0)
    assert name.name_time == datetime(2023, 11, 16, 15, 45, 30, tzinfo=UTC)
    assert name.canonical == f"{table.value}_2023-11-16T15:45:30.csv"


def test_hyphens_stand_for_colons_and_are_the_same_name() -> None:
    windows, unix = parsed("payments_2026-01-02T03-04-05.fix12.csv"), parsed("payments_2026-01-02T03:04:05.fix12.csv")
    assert (windows.name_time, windows.fix, windows.canonical) == (unix.name_time, 12, unix.canonical)


@pytest.mark.parametrize(
    "name",
    [
        "invoice_2026-01-01T00:00:00.csv",
        "Invoices_2026-01-01T00:00:00.csv",
        "invoices_2026-02-30T00:00:00.csv",
        "invoices_2026-01-01T24:00:00.csv",
        "invoices_2026-01-01T23:59:60.csv",
        "invoices_2026-01-01T00:00-00.csv",
        "invoices_2026-01-01T000000.csv",
        "invoices_2026-01-01 00:00:00.csv",
        "invoices_2026-01-01T00:00:00.CSV",
        "invoices_2026-01-01T00:00:00.csv.csv",
        "invoices_2026-01-01T00:00:00.fix0.csv",
        "invoices_2026-01-01T00:00:00.fix01.csv",
        "invoices_2026-01-01T00:00:00Z.csv",
        "invoices_2026-01-01T00:00:00.csv\n.csv",
        "invoices_٢٠٢٦-01-01T00:00:00.csv",
        "invoices_0000-01-01T00:00:00.csv",
        "a/../invoices_2026-01-01T00:00:00.csv",
        " invoices_2026-01-01T00:00:00.csv",
        "x.csv",
    ],
)
def test_other_csv_names_are_unexpected(name: str) -> None:
    assert parse_name(name) is Code.UNEXPECTED_NAME


@pytest.mark.parametrize("name", ["invoices_2026-01-01T00:00:00.xlsx", "readme", "a.csv.gz", "", "invoices.csv\n"])
def test_what_is_no_csv(name: str) -> None:
    assert parse_name(name) is Code.NOT_CSV


@pytest.mark.parametrize(
    "name",
    [".invoices_2026-01-01T00:00:00.csv", "invoices_2026-01-01T00:00:00.csv.part", "a.TMP", ".", "x.part", "a.tmp"],
)
def test_unfinished_names_are_no_files_yet(name: str) -> None:
    assert parse_name(name) is None
    assert classify(name, now=NOW, first_day=FIRST).standing is Standing.UNFINISHED


def test_the_time_is_read_in_the_connections_zone() -> None:
    assert parsed("contacts_2026-07-01T01:00:00.csv", "Europe/Berlin").name_time == datetime(
        2026, 6, 30, 23, tzinfo=UTC
    )
    # Ambiguous: the first of the two; impossible: as if the clock had not been changed yet.
    assert parsed("contacts_2026-10-25T02:30:00.csv", "Europe/Berlin").name_time.hour == 0
    assert parsed("contacts_2026-03-29T02:30:00.csv", "Europe/Berlin").name_time.hour == 1


def test_a_moment_outside_the_calendar_is_unexpected() -> None:
    assert parse_name("contacts_0001-01-01T00:00:00.csv", timezone="Asia/Tokyo") is Code.UNEXPECTED_NAME
    assert parse_name("contacts_9999-12-31T23:59:59.csv", timezone="America/New_York") is Code.UNEXPECTED_NAME


@pytest.mark.parametrize(
    ("ahead", "standing", "finding"),
    [
        (timedelta(0), Standing.READY, None),
        (timedelta(seconds=-1), Standing.READY, None),
        (timedelta(seconds=1), Standing.READY, Code.DATED_IN_FUTURE),
        (timedelta(hours=14), Standing.READY, Code.DATED_IN_FUTURE),
        (timedelta(hours=14, seconds=1), Standing.HELD, Code.DATED_IN_FUTURE),
    ],
)
def test_names_ahead_of_now(ahead: timedelta, standing: Standing, finding: Code | None) -> None:
    name = f"customers_{NOW + ahead:%Y-%m-%dT%H:%M:%S}.csv"
    found = classify(name, now=NOW, first_day=FIRST)
    assert (found.standing, found.finding.code if found.finding else None) == (standing, finding)
    assert found.file is not None


def test_names_before_the_first_day_are_ignored_by_their_utc_day() -> None:
    early = classify("customers_2019-12-31T23:59:59.csv", now=NOW, first_day=FIRST)
    assert early.standing is Standing.IGNORED
    assert early.finding is not None
    assert early.finding.code is Code.BEFORE_START
    assert "KOLLENO_FIRST_DAY" in early.finding.message
    west = classify("customers_2019-12-31T23:59:59.csv", now=NOW, first_day=FIRST, timezone="America/New_York")
    assert west.standing is Standing.READY


@pytest.mark.parametrize(("name", "code"), [("x.csv", Code.UNEXPECTED_NAME), ("x.pdf", Code.NOT_CSV)])
def test_ignored_names_say_why(name: str, code: Code) -> None:
    found = classify(name, now=NOW, first_day=FIRST)
    assert found.standing is Standing.IGNORED
    assert found.finding is not None
    assert found.finding.code is code
    assert "expected" in found.finding.message


def test_partition_day_is_never_after_today() -> None:
    assert partition_day(datetime(2026, 3, 1, 23, tzinfo=UTC), date(2026, 3, 2)) == date(2026, 3, 1)
    assert partition_day(datetime(2026, 3, 3, 1, tzinfo=UTC), date(2026, 3, 2)) == date(2026, 3, 2)


def test_fix_names_keep_the_spelling_and_are_read_back() -> None:
    origin = parsed("credit_notes_invoices_2026-01-02T03-04-05.csv")
    name = fix_name(origin, 2)
    assert name == "credit_notes_invoices_2026-01-02T03-04-05.fix2.csv"
    assert parsed(name).fix == 2
    assert fix_name(parsed(name)) == "credit_notes_invoices_2026-01-02T03-04-05.fix1.csv"
    with pytest.raises(ValueError, match="1 or more"):
        fix_name(origin, 0)


@given(st.text(max_size=80))
def test_hostile_names_never_crash_and_print_safely(name: str) -> None:
    result = parse_name(name)
    assert result is None or isinstance(result, Code | FileName)
    shown = printable_name(name)
    assert shown.isprintable()
    assert shown.encode().decode() == shown


def test_printable_names() -> None:
    assert printable_name("a\x1b[31m\n\u202e.csv\udcff") == "a\\x1b[31m\\n\\u202e.csv\\udcff"
    assert printable_name("Zahlungen_ö.csv") == "Zahlungen_ö.csv"
    assert len(printable_name("x" * 5_000)) == 255
