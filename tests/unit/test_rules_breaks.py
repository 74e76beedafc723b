"""What a break is called, what becomes of it, and the rings that customers can form."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_rows import INVOICE, allocation, document, move, parked, parked_link, part

from kolleno_pipelines.rules.ageing import Buckets
from kolleno_pipelines.rules.balances import check_balances, merge_summaries
from kolleno_pipelines.rules.breaks import break_id
from kolleno_pipelines.rules.control_totals import control_totals, since_moved
from kolleno_pipelines.rules.differences import Known, is_red, next_status
from kolleno_pipelines.rules.findings import hierarchy_cycles
from kolleno_pipelines.rules.proof import prove
from kolleno_pipelines.schemas.ledger_parts import CustomerTotal, StatedTotal
from kolleno_pipelines.schemas.results import AgeingRow, BreakStatus, Cause, NotComparable, RollForwardRow

OPEN, ACCEPTED, RESOLVED, REOPENED = BreakStatus
DAY = date(2026, 3, 31)
SEEN = datetime(2026, 1, 1, 6, tzinfo=UTC)
ONE = Decimal(1)


@pytest.mark.parametrize(
    ("known", "status"),
    [
        (Known(None, ONE, False, None, None), OPEN),
        (Known(OPEN, ONE, False, None, None), OPEN),
        (Known(RESOLVED, ONE, False, None, None), REOPENED),
        (Known(RESOLVED, ONE, True, ONE, None), REOPENED),
        (Known(REOPENED, ONE, True, ONE, None), REOPENED),
        (Known(ACCEPTED, ONE, True, ONE, None), ACCEPTED),
        (Known(ACCEPTED, ONE, True, ONE, DAY), ACCEPTED),
        (Known(ACCEPTED, ONE, True, ONE, date(2026, 3, 30)), OPEN),
        (Known(ACCEPTED, 2 * ONE, True, ONE, None), REOPENED),
        (Known(ACCEPTED, 2 * ONE, True, ONE, date(2026, 3, 30)), OPEN),
        (Known(None, ONE, True, ONE, None), ACCEPTED),
    ],
)
def test_what_becomes_of_a_break(known: Known, status: BreakStatus) -> None:
    assert next_status(known, DAY) is status


def test_only_open_ones_that_are_not_opening_are_red() -> None:
    red = {(status, cause) for status in BreakStatus for cause in (None, *Cause) if is_red(status, cause)}
    assert {status for status, _ in red} == {OPEN, REOPENED}
    assert {cause for _, cause in red} == {None, *Cause} - {Cause.OPENING, Cause.MOVED_DURING_READ}


_TEXT = st.text(max_size=8)


@given(st.tuples(*[_TEXT] * 6), st.tuples(*[_TEXT] * 6))
def test_ids_tell_breaks_apart(left: tuple[str, ...], right: tuple[str, ...]) -> None:
    ids = [break_id(one[0], one[1], (one[2], one[3]), (one[4], one[5])) for one in (left, right)]
    assert (ids[0] == ids[1]) is (left == right)
    assert len(ids[0]) == 16


@pytest.mark.parametrize(
    ("parents", "rings"),
    [
        ({}, []),
        ({"A": "B", "B": "C"}, []),
        ({"A": "A"}, [["A"]]),
        ({"A": "B", "B": "A"}, [["A", "B"]]),
        ({"Z": "A", "A": "B", "B": "C", "C": "A"}, [["A", "B", "C"]]),
        ({"A": "B", "B": "A", "C": "D", "D": "C", "E": "C"}, [["A", "B"], ["C", "D"]]),
    ],
)
def test_rings_of_customers(parents: dict[str, str], rings: list[list[str]]) -> None:
    found = hierarchy_cycles("sftp", parents, dict.fromkeys(parents, SEEN))
    assert [one.evidence for one in found] == [
        '{"customers": [' + ", ".join(f'"{name}"' for name in ring) + "]}" for ring in rings
    ]


class TestControlTotals:
    def total(self, customer: str, currency: str, invoices: str) -> CustomerTotal:
        zero = Decimal(0)
        return CustomerTotal("sftp", customer, currency, 1, 1, Decimal(invoices), zero, zero, zero)

    def stated(self, customer: str, currency: str | None, amount: str, *used: str) -> StatedTotal:
        return StatedTotal("sftp", customer, currency, Decimal(amount), SEEN, used)

    def test_a_stated_balance_without_currency(self) -> None:
        """Compared in the one currency of its documents, also when they are closed; else it is said."""
        stated = [
            self.stated("A", None, "50", "EUR"),
            self.stated("B", None, "50"),
            self.stated("C", None, "0"),
            self.stated("D", None, "0", "EUR", "GBP"),
        ]
        found = control_totals("sftp", ["EUR"], [], stated, {})
        assert [(one.customer_source_id, one.currency_iso, one.difference) for one in found.breaks] == [
            ("A", "EUR", -50)
        ]
        assert [(one.customer_source_id, one.currencies) for one in found.not_comparable] == [
            ("B", ""),
            ("D", "EUR, GBP"),
        ]

    def test_since_is_not_before_the_last_move(self) -> None:
        found = control_totals("sftp", [], [self.total("A", "USD", "10")], [self.stated("A", "USD", "9")], {})
        later = SEEN + timedelta(days=4)
        moves = (({("A", "USD"): (later, later)}, later), ({("A", "EUR"): (later, later)}, SEEN), ({}, SEEN))
        for moved, since in moves:
            assert [one.since for one in since_moved(found.breaks, moved)] == [since]

    def test_what_changed_after_its_customer_was_read_moved_during_the_read(self) -> None:
        found = control_totals("qb", [], [self.total("A", "USD", "10")], [self.stated("A", "USD", "9")], {})
        minute, moved = timedelta(minutes=1), {("A", "USD"): (SEEN, SEEN)}
        for asked, cause in ((SEEN - minute, "moved_during_read"), (SEEN, None), (SEEN + minute, None)):
            assert [one.cause for one in since_moved(found.breaks, moved, {"A": asked})] == [cause]

    def test_only_customers_that_have_a_stated_balance_are_compared(self) -> None:
        totals = [self.total("A", "USD", "10"), self.total("B", "USD", "5"), self.total("B", "EUR", "1")]
        stated = [self.stated("A", "USD", "9"), self.stated("C", "USD", "2"), self.stated("B", None, "5", "EUR", "USD")]
        found = control_totals("sftp", ["USD", "EUR", "GBP"], totals, stated, {})
        rows, breaks = found.totals, found.breaks
        assert found.not_comparable == [NotComparable("sftp", "B", Decimal(5), "EUR, USD")]
        assert [(row.currency_iso, row.customers, row.net, row.stated, row.difference) for row in rows] == [
            ("EUR", 1, 1, None, None),
            ("GBP", 0, 0, None, None),
            ("USD", 2, 15, 11, -1),
        ]
        assert [(one.customer_source_id, one.computed, one.stated) for one in breaks] == [("A", 10, 9), ("C", 0, 2)]

    def test_tolerance(self) -> None:
        stated = [self.stated("A", "USD", "9.99")]
        for tolerance, count in (({}, 1), ({"USD": Decimal("0.01")}, 0), ({"EUR": ONE}, 1)):
            found = control_totals("sftp", [], [self.total("A", "USD", "10")], stated, tolerance)
            assert len(found.breaks) == count


class TestBalances:
    def test_a_summary_over_parts(self) -> None:
        rows = [document("I1", "10", "10", DAY), document("I2", "10", "4", DAY)]
        parts = [part(INVOICE, [row]) for row in rows]
        summary = merge_summaries(row for one in parts for row in check_balances(one, parked(), {}).summary)
        assert summary == check_balances(part(INVOICE, rows), parked(), {}).summary
        assert (summary[0].documents, summary[0].tied, summary[0].opening, summary[0].difference) == (2, 1, 1, 6)

    def test_a_parent_that_is_parked_itself(self) -> None:
        ledger = part(INVOICE, [document("I1", "100", "40", DAY)])
        for parent_is_parked, cause in ((False, "missing_document"), (True, "parked")):
            link = parked_link("I1", parent_is_parked=parent_is_parked)
            (row,) = check_balances(ledger, parked(link), {}).differing.to_pylist()
            assert row["cause"] == cause

    def test_since_when(self) -> None:
        ledger = part(
            INVOICE,
            [document("I1", "100", "0", DAY), document("I2", "100", "0", DAY)],
            [allocation("I2", ("payment", "P1"), "30", DAY, seen=date(2026, 2, 5))],
            [
                move("I1", date(2026, 2, 1), "70"),
                move("I1", date(2026, 2, 3), "30"),
                move("I2", date(2026, 2, 5), "30"),
            ],
        )
        found = {row["source_id"]: row for row in check_balances(ledger, parked(), {}).differing.to_pylist()}
        assert (found["I1"]["since"].date(), found["I1"]["is_opening"]) == (date(2026, 2, 1), False)
        assert (found["I2"]["since"].date(), found["I2"]["is_opening"]) == (date(2026, 1, 1), True)

    def test_a_wide_difference_keeps_every_digit(self) -> None:
        ledger = part(INVOICE, [document("I1", "99999999999999.999999", "0.000001", DAY)] * 1)
        (row,) = check_balances(ledger, parked(), {}).differing.to_pylist()
        assert row["difference"] == Decimal("99999999999999.999998")


def test_a_closing_that_is_not_the_ageing_is_a_defect() -> None:
    zero = Decimal(0)
    rolled = RollForwardRow(DAY, "sftp", "USD", zero, ONE, zero, zero, zero, zero, zero, zero, ONE, zero)
    aged = AgeingRow(DAY, "sftp", None, "USD", "not_due", 1, ONE)
    prove([aged], [rolled])
    with pytest.raises(ArithmeticError, match="ageing 0 is not the closing 1"):
        prove([], [rolled])


@given(st.lists(st.integers(1, 400), min_size=1, max_size=6, unique=True).map(sorted), st.integers(-400, 800))
def test_every_day_falls_into_one_bucket(bounds: list[int], late: int) -> None:
    buckets = Buckets(tuple(bounds))
    holding = [name for name, (low, high) in zip(buckets.names, buckets.edges, strict=True) if low <= late < high]
    assert len(holding) == 1
    assert (holding[0] == "not_due") is (late <= 0)
