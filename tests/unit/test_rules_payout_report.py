"""What a row of a report, beside the API's lists, comes to; which period a report covers; moments of another zone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from kolleno_pipelines.rules.payout_report import (
    finding_of_item,
    finding_of_payout,
    findings_of_row,
    payout_compared,
    payouts_of,
)
from kolleno_pipelines.rules.report_period import days_of, report_period, zone_fault
from kolleno_pipelines.schemas.payout_report import (
    OF_BALANCE_LIST,
    OF_PAYOUT_LIST,
    Asked,
    ComparedRow,
    MissingItem,
    Offsets,
    PayoutSums,
    Period,
    ReportName,
    Sums,
)

CREATED = datetime.fromisoformat("2026-02-02 09:30:00")
SAID = {
    "currency_iso": "USD",
    "amount": Decimal("100.000000"),
    "fee": Decimal("3.200000"),
    "net": Decimal("96.800000"),
    "reporting_category": "charge",
    "source_object_id": "ch_1",
    "charge_source_id": "ch_1",
    "created_at": CREATED,
    "available_on": date(2026, 2, 4),
}
COLUMNS = {field: f"column_{field}" for field in OF_BALANCE_LIST}
LISTED = {field: SAID[field] for field in OF_PAYOUT_LIST}
AGREED = ComparedRow(7, "txn_1", "po_1", None, ("po_1",), 1, True, False, SAID, LISTED, SAID)


def told(row: ComparedRow) -> list[tuple[str | None, ...]]:
    found = list(findings_of_row(row, COLUMNS))
    assert {(one.line, one.balance_transaction_source_id, one.payout_source_id) for one in found} <= {
        (7, "txn_1", "po_1")
    }
    return [(one.code, one.column, one.report_value, one.api_value, one.api_list) for one in found]


def test_what_agrees_is_not_told() -> None:
    assert told(AGREED) == []


@pytest.mark.parametrize(
    ("field", "value", "said", "shown"),
    [
        ("amount", Decimal("100.01"), "100.00", "100.01"),
        ("fee", Decimal("-3.2"), "3.20", "-3.20"),
        ("net", Decimal(0), "96.80", "0.00"),
        ("currency_iso", "EUR", "USD", "EUR"),
        ("reporting_category", "refund", "charge", "refund"),
        ("source_object_id", "ch_2", "ch_1", "ch_2"),
        ("charge_source_id", "ch_2", "ch_1", "ch_2"),
        ("created_at", CREATED + timedelta(seconds=1), "2026-02-02 09:30:00", "2026-02-02 09:30:01"),
        ("available_on", date(2026, 2, 5), "2026-02-04", "2026-02-05"),
    ],
)
def test_each_value_that_differs_is_told_with_both(field: str, value: object, said: str, shown: str) -> None:
    other = {field: value}
    expected = ("differs", f"column_{field}", said, shown)
    assert told(replace(AGREED, balance_list=SAID | other)) == [(*expected, "balance")]
    if field in OF_PAYOUT_LIST:
        assert told(replace(AGREED, payout_list=LISTED | other)) == [(*expected, "payout")]
        both = replace(AGREED, payout_list=LISTED | other, balance_list=SAID | other)
        assert told(both) == [(*expected, "both")]


def test_two_lists_that_say_two_other_things_are_two_findings() -> None:
    row = replace(AGREED, payout_list=LISTED | {"fee": Decimal(1)}, balance_list=SAID | {"fee": Decimal(2)})
    assert [each[3:] for each in told(row)] == [("1.00", "payout"), ("2.00", "balance")]


def test_what_the_api_does_not_say_or_the_file_has_no_column_for_is_not_compared() -> None:
    assert told(replace(AGREED, balance_list=SAID | {"charge_source_id": None})) == []
    lacking = replace(AGREED, report=SAID | {"charge_source_id": None})
    assert told(lacking) == [("differs", "column_charge_source_id", None, "ch_1", "balance")]
    assert list(findings_of_row(lacking, {"amount": "gross"})) == []


def test_a_row_that_a_list_lacks() -> None:
    nowhere = replace(AGREED, payouts=(), times=0, payout_list=None, balance_list=None)
    assert told(nowhere) == [("not_in_api", None, None, None, "both")]
    assert told(replace(AGREED, balance_list=None)) == [("not_in_api", None, None, None, "balance")]
    unpaid = replace(AGREED, payouts=(), times=0, payout_list=None)
    assert told(unpaid) == [("differs", "automatic_payout_id", "po_1", None, "payout")]
    assert told(replace(unpaid, is_itemised=False)) == []
    assert told(replace(unpaid, is_own=True)) == []
    moved = replace(AGREED, payouts=("po_2",))
    assert told(moved) == [("differs", "automatic_payout_id", "po_1", "po_2", "payout")]
    assert told(replace(moved, is_itemised=False)) == told(moved)
    assert [payouts_of(found) for found in findings_of_row(moved, COLUMNS)] == [{"po_1", "po_2"}]


def test_a_row_that_is_somewhere_twice() -> None:
    assert told(replace(AGREED, first_line=3)) == [("doubled_in_report", None, None, None, None)]
    twice = ("doubled_in_api", "automatic_payout_id", "po_1")
    assert told(replace(AGREED, times=2)) == [(*twice, "po_1", "payout")]
    assert told(replace(AGREED, times=2, payouts=("po_1", "po_2"))) == [(*twice, "po_1, po_2", "payout")]


def test_an_item_that_the_report_lacks() -> None:
    found = finding_of_item(MissingItem("po_1", "txn_2", "JPY", Decimal("500.000000")))
    assert (found.code, found.balance_transaction_source_id, found.api_value, found.line) == (
        "not_in_report",
        "txn_2",
        "500",
        None,
    )


SUMS = Sums(2, Decimal(110), Decimal(10), Decimal(100))
NOTHING = Sums(0, Decimal(0), Decimal(0), Decimal(0))
TIED = PayoutSums("po_1", "USD", 2, True, True, True, Decimal(100), "USD", SUMS, SUMS)


@pytest.mark.parametrize(
    ("sums", "code", "outcome"),
    [
        (TIED, None, "agrees"),
        (replace(TIED, payout_amount=Decimal("100.01")), "amount_differs", "agrees"),
        (replace(TIED, payout_currency_iso="EUR"), "amount_differs", "agrees"),
        (replace(TIED, is_complete=False, payout_amount=Decimal(7)), None, "pending"),
        (replace(TIED, is_known=False, is_itemisable=False, is_complete=False), "payout_not_in_api", "pending"),
        (replace(TIED, is_itemisable=False, is_complete=False), "not_itemisable", "pending"),
        (replace(TIED, line=None, report=NOTHING), "payout_not_in_report", "agrees"),
        (replace(TIED, line=None, report=NOTHING, api=NOTHING), "payout_not_in_report", "agrees"),
        (replace(TIED, line=None, report=NOTHING, api=NOTHING, payout_amount=Decimal(0)), None, "agrees"),
    ],
)
def test_what_is_wrong_with_a_payout_as_a_whole(sums: PayoutSums, code: str | None, outcome: str) -> None:
    found = finding_of_payout(sums, set())
    assert (found and found.code) == code
    assert payout_compared(sums, set()).outcome == outcome
    assert payout_compared(sums, {"po_1"}).outcome == "differs"


def test_a_sum_is_told_only_where_nothing_else_of_the_payout_is() -> None:
    apart = replace(TIED, payout_amount=Decimal("100.01"))
    found = finding_of_payout(apart, {"po_2"})
    assert found is not None
    assert (found.report_value, found.api_value, found.line) == ("100.00", "100.01", 2)
    assert finding_of_payout(apart, {"po_1"}) is None
    foreign = finding_of_payout(replace(TIED, payout_amount=Decimal(100), payout_currency_iso="JPY"), set())
    assert foreign is not None
    assert foreign.message == "The report's rows come to net USD 100.00, the payout is JPY 100."


def test_what_a_payout_holds_that_the_report_does_not_name() -> None:
    absent = replace(TIED, line=None, report=NOTHING)
    found = [finding_of_payout(each, set()) for each in (absent, replace(absent, api=NOTHING))]
    assert [one and one.message.rpartition(": ")[2] for one in found] == [
        "by the API 2 item(s), net USD 100.00.",
        "by the API USD 100.00, without an item.",
    ]


JANUARY = ReportName("USD", date(2026, 1, 1), date(2026, 1, 31), "America/Chicago")
SPAN = (datetime(2026, 1, 3, 12, tzinfo=UTC), datetime(2026, 1, 9, 1, tzinfo=UTC))


def test_the_period_is_what_a_person_says_then_the_name_then_what_the_file_holds() -> None:
    asked = report_period(Asked(date(2026, 2, 1), date(2026, 2, 2)), JANUARY, "UTC", SPAN)
    assert asked == Period(datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 3, tzinfo=UTC), "--from and --to")
    named = report_period(Asked(), JANUARY, "America/Chicago", SPAN)
    assert named is not None
    assert (named.start, named.end) == (datetime(2026, 1, 1, 6, tzinfo=UTC), datetime(2026, 2, 1, 6, tzinfo=UTC))
    assert days_of(named, "America/Chicago") == "2026-01-01 to 2026-01-31 (America/Chicago)"
    held = report_period(Asked(), None, "UTC", SPAN)
    assert held is not None
    assert (held.start, held.end) == (datetime(2026, 1, 4, tzinfo=UTC), datetime(2026, 1, 9, tzinfo=UTC))
    assert report_period(Asked(), None, "UTC", (SPAN[0], SPAN[0])) is None
    assert report_period(Asked(), None, "UTC", None) is None
    endless = report_period(Asked(date.min, date.max), None, "Asia/Tokyo", None)
    assert endless is not None
    assert endless.start < SPAN[0] < SPAN[1] < endless.end


def _off(rows: int, equal: int, least: float, most: float, *, in_quarters: bool = True) -> Offsets:
    return Offsets(rows, equal, timedelta(hours=least), timedelta(hours=most), in_quarters)


def test_moments_of_another_zone_are_off_in_every_row() -> None:
    assert zone_fault(_off(9, 0, -5, -4)) == "4:00 to 5:00 hours before"
    assert zone_fault(_off(9, 0, 5.75, 5.75)) == "5:45 hours after"
    for offsets in (
        _off(9, 9, 0, 0),
        _off(9, 8, 0, 1),
        _off(9, 0, -5, -4, in_quarters=False),
        _off(9, 0, -400, -4),
        _off(9, 0, -1, 2),
        Offsets(0, 0, None, None, None),
    ):
        assert zone_fault(offsets) is None
