"""Model 6 by hand: what was open on a past day, what moved, what is unexplained and from when."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from ledger_rows import (
    CREDIT_NOTE,
    INVOICE,
    PAYMENT,
    TODAY,
    ageing_by_customer,
    ageing_on,
    allocation,
    document,
    move,
    net_by_day,
    paid_invoice,
    part,
    rolled,
)

from kolleno_pipelines.pipeline.days import days_of
from kolleno_pipelines.rules.ageing import Buckets

JAN = [date(2026, 1, day) for day in range(1, 32)]


def jan(day: int) -> date:
    return date(2026, 1, day)


def test_the_past_is_the_balance_now_and_what_reduced_it_since() -> None:
    paid_on = date(2026, 2, 5)
    ledger = (
        part(
            INVOICE,
            [document("I1", "100", "0", date(2025, 12, 1), date_due=jan(10))],
            [allocation("I1", ("payment", "P1"), "100", paid_on)],
        ),
        part(
            PAYMENT,
            [document("P1", "100", "0", paid_on)],
            [allocation("P1", ("invoice", "I1"), "100", date(2025, 12, 1))],
        ),
    )
    assert ageing_on(jan(31), *ledger) == {"1-30": (1, "100")}  # 21 days late
    assert ageing_on(date(2026, 2, 4), *ledger) == {"1-30": (1, "100")}
    assert ageing_on(paid_on, *ledger) == {}


def test_money_before_its_invoice_is_negative_on_account() -> None:
    ledger = paid_invoice()
    assert ageing_on(jan(4), *ledger) == {}
    assert ageing_on(jan(10), *ledger) == {"unapplied": (0, "-100")}
    assert ageing_on(jan(20), *ledger) == {}


@pytest.mark.parametrize(
    ("late", "bucket"),
    [
        *((-5, "not_due"), (0, "not_due"), (1, "1-30"), (30, "1-30"), (31, "31-60")),
        *((60, "31-60"), (61, "61-90"), (90, "61-90"), (91, "91+"), (4000, "91+")),
    ],
)
def test_buckets_by_days_late(late: int, bucket: str) -> None:
    due = date.fromordinal(TODAY.toordinal() - late)
    issued = min(due, date(2026, 1, 1))
    ledger = part(INVOICE, [document("I1", "7.5", "7.5", issued, date_due=due)])
    assert ageing_on(TODAY, ledger) == {bucket: (1, "7.5")}


def test_an_invoice_without_due_date_is_due_when_issued() -> None:
    ledger = part(INVOICE, [document("I1", "5", "5", jan(1))])
    assert ageing_on(jan(1), ledger) == {"not_due": (1, "5")}
    assert ageing_on(jan(2), ledger) == {"1-30": (1, "5")}


def test_buckets_are_configurable() -> None:
    assert Buckets((7, 14)).names == ("not_due", "1-7", "8-14", "15+")
    assert Buckets((7, 14)).age_names == ("0-7", "8-14", "15+")


@pytest.mark.parametrize(
    ("applied", "effective"), [(None, jan(20)), (jan(2), jan(20)), (jan(25), jan(25))], ids=["none", "early", "late"]
)
def test_an_allocation_counts_from_the_latest_of_three_days(applied: date | None, effective: date) -> None:
    ledger = (
        part(
            INVOICE,
            [document("I1", "100", "40", jan(20))],
            [allocation("I1", ("payment", "P1"), "60", jan(5), date_applied=applied)],
        ),
        part(
            PAYMENT,
            [document("P1", "60", "0", jan(5))],
            [allocation("P1", ("invoice", "I1"), "60", jan(20), date_applied=applied)],
        ),
    )
    for day in days_of(jan(20), jan(31)):
        expected = {"I1": "40"} if day >= effective else {"I1": "100"}
        shown = ageing_on(day, *ledger)
        assert [amount for bucket, (_, amount) in shown.items() if bucket != "unapplied"] == list(expected.values())
        assert ("unapplied" in shown) is (day < effective)


def test_an_allocation_of_a_voided_payment_reduces_nothing() -> None:
    ledger = part(
        INVOICE,
        [document("I1", "100", "100", jan(1), date_due=jan(31))],
        [allocation("I1", ("payment", "P1"), "60", jan(5), other_posting_status="voided")],
    )
    assert ageing_on(jan(20), ledger) == {"not_due": (1, "100")}


class TestUnexplainedParts:
    def listed(self, *documents: object, **frames: object) -> list[tuple[date, str, str]]:
        ledger = part(INVOICE, list(documents), **frames)  # type: ignore[arg-type]
        roll = rolled(date(2025, 12, 1), TODAY, ledger)
        rows = roll.listed(days_of(date(2025, 12, 1), TODAY))
        return sorted((row["day"], row["basis"], f"{row['amount']:.2f}") for row in rows.to_pylist())

    def test_at_first_sight_it_is_dated_at_issue_and_says_so(self) -> None:
        assert self.listed(document("I1", "100", "40", jan(3))) == [(jan(3), "first_seen", "60.00")]

    def test_date_paid_dates_it(self) -> None:
        assert self.listed(document("I1", "100", "0", jan(3), date_paid=jan(9))) == [(jan(9), "date_paid", "100.00")]

    def test_date_paid_never_lies_before_issue(self) -> None:
        assert self.listed(document("I1", "100", "0", jan(3), date_paid=jan(1))) == [(jan(3), "date_paid", "100.00")]

    def test_a_move_dates_it(self) -> None:
        rows = self.listed(
            document("I1", "100", "0", jan(3)), moves=[move("I1", jan(9), "30"), move("I1", jan(12), "70")]
        )
        assert rows == [(jan(9), "moved", "30.00"), (jan(12), "moved", "70.00")]

    def test_first_sight_and_a_later_move(self) -> None:
        rows = self.listed(document("I1", "100", "0", jan(3)), moves=[move("I1", jan(9), "30")])
        assert rows == [(jan(3), "first_seen", "70.00"), (jan(9), "moved", "30.00")]

    def test_an_allocation_seen_that_day_explains_the_move(self) -> None:
        rows = self.listed(
            document("I1", "100", "0", jan(3)),
            allocations=[allocation("I1", ("payment", "P1"), "30", jan(8), seen=jan(9))],
            moves=[move("I1", jan(9), "30"), move("I1", jan(12), "70")],
        )
        assert rows == [(jan(12), "moved", "70.00")]

    def test_an_allocation_from_before_the_first_move_belongs_to_first_sight(self) -> None:
        rows = self.listed(
            document("I1", "100", "20", jan(3)),
            allocations=[allocation("I1", ("payment", "P1"), "30", jan(4), seen=jan(5))],
            moves=[move("I1", jan(9), "40")],
        )
        assert rows == [(jan(3), "first_seen", "10.00"), (jan(9), "moved", "40.00")]

    def test_what_an_input_explains_too_much_explains_older_moves_newest_first(self) -> None:
        rows = self.listed(
            document("I1", "100", "30", jan(3)),
            allocations=[allocation("I1", ("payment", "P1"), "45", jan(4), seen=jan(12))],
            moves=[move("I1", jan(6), "20"), move("I1", jan(9), "30"), move("I1", jan(12), "20")],
        )
        assert rows == [(jan(6), "moved", "20.00"), (jan(9), "moved", "5.00")]

    def test_a_balance_that_comes_after_its_allocation_leaves_nothing(self) -> None:
        rows = self.listed(
            document("I1", "100", "10", jan(3)),
            allocations=[allocation("I1", ("payment", "P1"), "30", jan(4), seen=jan(5))],
            moves=[move("I1", jan(9), "30"), move("I1", jan(11), "60")],
        )
        assert rows == [(jan(11), "moved", "60.00")]

    def test_a_move_taken_back_leaves_the_others(self) -> None:
        rows = self.listed(
            document("I1", "100", "90", jan(3)),
            moves=[move("I1", jan(6), "40"), move("I1", jan(7), "10"), move("I1", jan(9), "-40")],
        )
        assert rows == [(jan(7), "moved", "10.00")]

    def test_the_date_paid_rule_is_for_invoices_only(self) -> None:
        payment = document("P1", "100", "0", jan(3), date_paid=jan(3))
        roll = rolled(JAN[0], TODAY, part(PAYMENT, [payment], moves=[move("P1", jan(9), "100")]))
        (row,) = roll.listed(JAN).to_pylist()
        assert (row["day"], row["basis"], row["amount"]) == (jan(9), "moved", Decimal(-100))


class TestRollForward:
    def test_every_line(self) -> None:
        ledger = (
            part(
                INVOICE,
                [document("I1", "100", "25", jan(2))],
                [
                    allocation("I1", ("payment", "P1"), "40", jan(3)),
                    allocation("I1", ("credit_note", "N1"), "10", jan(3)),
                    allocation("I1", ("write_off", "W1"), "5", jan(4), other_posting_status=None, date_applied=jan(4))
                    | {"other_date": None, "other_currency_iso": None},
                ],
            ),
            part(CREDIT_NOTE, [document("N1", "10", "0", jan(3))], [allocation("N1", ("invoice", "I1"), "10", jan(2))]),
            part(
                PAYMENT,
                [document("P1", "50", "5", jan(3))],
                [
                    allocation("P1", ("invoice", "I1"), "40", jan(2)),
                    allocation("P1", ("refund", "R1"), "5", jan(5)),
                ],
            ),
        )
        rows = {row.day: row for row in rolled(jan(1), jan(6), *ledger).rows(days_of(jan(1), jan(6)), TODAY)}
        assert [(row.opening, row.closing) for row in rows.values()] == [
            (0, 80),
            (80, 20),
            (20, 15),
            (15, 20),
            (20, 20),
        ]
        assert (rows[jan(2)].invoices, rows[jan(2)].unexplained) == (100, 20)
        assert (rows[jan(3)].credit_notes, rows[jan(3)].receipts) == (10, 50)
        assert rows[jan(4)].write_offs == 5
        assert rows[jan(5)].refunds == 5

    def test_days_before_the_first_document_have_no_row(self) -> None:
        roll = rolled(jan(1), jan(3), *paid_invoice())
        assert list(roll.rows(days_of(jan(1), jan(3)), TODAY)) == []

    def test_what_is_dated_ahead_counts_today_and_is_named(self) -> None:
        today = jan(10)
        ledger = part(
            INVOICE, [document("I1", "100", "100", jan(20)), document("I2", "7", "7", jan(9), date_due=jan(9))]
        )
        first, second = rolled(jan(9), today, ledger, today=today).rows([jan(9), today], today)
        assert (first.closing, first.dated_ahead) == (7, 0)
        assert (second.opening, second.invoices, second.closing, second.dated_ahead) == (7, 100, 107, 100)
        assert ageing_on(today, ledger, today=today) == {"not_due": (1, "100"), "1-30": (1, "7")}

    def test_an_allocation_across_currencies_is_shown_where_it_moves_one_currency(self) -> None:
        ledger = (
            part(
                INVOICE,
                [document("I1", "110", "0", jan(2))],
                [allocation("I1", ("payment", "P1"), "110", jan(3), other_currency_iso="EUR")],
            ),
            part(
                PAYMENT,
                [document("P1", "100", "0", jan(3), currency_iso="EUR")],
                [allocation("P1", ("invoice", "I1"), "110", jan(2), other_currency_iso="USD")],
            ),
        )
        roll = rolled(jan(1), jan(5), *ledger)
        lines = [(row.currency_iso, row.receipts, row.unexplained, row.closing) for row in roll.rows([jan(3)], TODAY)]
        assert lines == [("EUR", 100, -100, 0), ("USD", 0, 110, 0)]
        assert [
            (row["source_id"], row["basis"], row["amount"]) for row in roll.listed(days_of(jan(1), jan(5))).to_pylist()
        ] == [
            ("I1", "currency", 110),
            ("P1", "first_seen", -100),
        ]


def test_amounts_beyond_64_bits_stay_exact() -> None:
    huge = "99999999999999.999999"
    rows = [document(f"I{number}", huge, huge, jan(1)) for number in range(3)]
    net = net_by_day(jan(2), jan(2), part(INVOICE, rows))
    assert net == {(jan(2), "USD"): 3 * Decimal(huge)}


def test_by_customer() -> None:
    ledger = part(
        INVOICE,
        [
            document("I1", "1", "1", jan(1), customer_source_id="A"),
            document("I2", "2", "2", jan(1), customer_source_id="B"),
            document("I3", "4", "4", jan(1), customer_source_id="A"),
        ],
    )
    assert ageing_by_customer(jan(2), ledger) == {("A", "1-30"): (2, "5"), ("B", "1-30"): (1, "2")}
