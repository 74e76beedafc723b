"""Which difference was there before the first file, and which one arose: by moment, input by input."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from ledger_rows import INVOICE, allocation, allocation_move, document, move, parked, parked_link, part

from kolleno_pipelines.rules.balances import check_balances
from kolleno_pipelines.schemas.ledger_parts import Horizon, LedgerPart

BASELINE = datetime(2026, 1, 1, 6, tzinfo=UTC)
OLD = date(2025, 12, 1)


def at(day: int, hour: int = 6, minute: int = 0) -> datetime:
    return datetime(2026, 1, day, hour, minute, tzinfo=UTC)


def paid(amount: str, seen: datetime, **more: Any) -> dict[str, Any]:
    return allocation("I1", ("payment", "P1"), amount, OLD, first_seen_at=seen, **more)


def told(balance: str, issued: date = OLD, seen: datetime = BASELINE, amount: str = "100") -> dict[str, Any]:
    return document("I1", amount, balance, issued, first_seen_at=seen)


def invoice(one: dict[str, Any], *rows: dict[str, Any], window: timedelta | None = None, **more: Any) -> LedgerPart:
    horizon = Horizon(BASELINE, window) if window else Horizon(BASELINE)
    return part(INVOICE, [one], list(rows), horizon=horizon, **more)


def found(ledger: LedgerPart, *links: dict[str, Any]) -> tuple[Decimal, str, datetime]:
    """Difference, cause and since of the one document."""
    (row,) = check_balances(ledger, parked(*links), {}).differing.to_pylist()
    assert row["is_opening"] is (row["cause"] == "opening")
    return row["difference"], row["cause"], row["since"]


class TestWhoseHistoryMayBeMissing:
    @pytest.mark.parametrize(
        ("issued", "seen"),
        [
            (OLD, BASELINE),
            (date(2026, 1, 9), BASELINE),  # dated ahead, told in the baseline
            (date(2026, 1, 9), at(1, 18)),  # told on the baseline's day
            (OLD, at(9)),  # told later, dated before
            (date(2026, 1, 1), at(9)),
        ],
    )
    def test_opening(self, issued: date, seen: datetime) -> None:
        assert found(invoice(told("40", issued, seen))) == (60, "opening", seen)

    @pytest.mark.parametrize("issued", [date(2026, 1, 2), date(2026, 1, 9)])
    def test_red_from_the_start(self, issued: date) -> None:
        assert found(invoice(told("40", issued, at(9)))) == (60, "missing_document", at(9))

    def test_a_batch_that_runs_over_midnight_is_one_baseline(self) -> None:
        late = Horizon(at(1, 23, 58))
        for seen, cause in ((at(2, 0, 3), "opening"), (at(2, 0, 30), "missing_document")):
            ledger = part(INVOICE, [told("40", date(2026, 1, 2), seen)], horizon=late)
            assert found(ledger)[1] == cause

    def test_a_link_that_waits_is_history_that_is_here(self) -> None:
        assert found(invoice(told("40")), parked_link("I1"))[1] == "missing_document"


class TestChanges:
    def test_a_difference_that_shrinks_is_red_from_then_on(self) -> None:
        assert found(invoice(told("40"), paid("20", at(5)))) == (40, "missing_document", at(5))

    def test_a_difference_that_grows_is_red_from_then_on(self) -> None:
        assert found(invoice(told("30"), moves=[move("I1", at(5), "10")])) == (70, "missing_document", at(5))

    def test_a_difference_that_a_balance_takes_back_in_part_is_red(self) -> None:
        assert found(invoice(told("70"), moves=[move("I1", at(5), "-30")])) == (30, "missing_document", at(5))

    def test_what_came_and_went_changed_nothing(self) -> None:
        moves = [move("I1", at(5), "10"), move("I1", at(7), "-10")]
        assert found(invoice(told("40"), moves=moves)) == (60, "opening", BASELINE)

    def test_what_is_explained_later_changed_nothing(self) -> None:
        ledger = invoice(told("30"), paid("10", at(7)), moves=[move("I1", at(5), "10")])
        assert found(ledger) == (60, "opening", BASELINE)

    def test_an_explained_move_of_the_same_batch_changed_nothing(self) -> None:
        ledger = invoice(told("20"), paid("20", at(5, 6, 10)), moves=[move("I1", at(5), "20")])
        assert found(ledger) == (60, "opening", BASELINE)

    def test_how_far_apart_the_files_of_a_batch_lie_is_the_connections(self) -> None:
        rows = (told("20"), paid("80", at(1, 7)))
        moved = [move("I1", at(5), "10")]
        assert found(invoice(told("10"), paid("80", at(1, 7)), moves=moved))[2] == at(5)
        assert found(invoice(rows[0], paid("20", at(1, 7)), window=timedelta(hours=2))) == (60, "opening", BASELINE)
        assert found(invoice(rows[0], paid("20", at(1, 7))))[1] == "missing_document"


class TestMoments:
    def test_a_later_batch_of_the_same_day_is_an_input_of_its_own(self) -> None:
        ledger = invoice(told("30"), paid("60", at(1, 6, 0)), moves=[move("I1", at(1, 12), "10")])
        assert found(ledger) == (10, "missing_document", at(1, 12))

    def test_two_batches_ten_minutes_apart(self) -> None:
        ledger = invoice(told("30"), paid("60", at(1, 6, 1)), moves=[move("I1", at(1, 6, 10), "10")])
        assert found(ledger)[1:] == ("missing_document", at(1, 6, 10))

    def test_an_allocation_that_grew_explains_from_each_of_its_moments(self) -> None:
        link = paid("50", BASELINE)
        grown = [allocation_move(link, at(3), "20")]
        moves = [move("I1", at(3), "20"), move("I1", at(9), "10")]
        assert found(invoice(told("40"), link, moves=moves, allocation_moves=grown)) == (10, "missing_document", at(9))

    def test_an_allocation_that_ended_left_its_document_unexplained(self) -> None:
        ended = allocation_move(paid("0", BASELINE), at(4), "-60")
        assert found(invoice(told("40"), allocation_moves=[ended])) == (60, "missing_document", at(4))

    def test_a_payment_that_was_voided_leaves_an_opening_difference_as_it_was(self) -> None:
        link = paid("60", BASELINE, other_posting_status="voided", other_ended_at=at(4))
        assert found(invoice(told("70"), link, moves=[move("I1", at(4), "-60")])) == (30, "opening", BASELINE)

    def test_a_voided_payment_whose_invoice_still_says_paid(self) -> None:
        link = paid("60", BASELINE, other_posting_status="voided", other_ended_at=at(4))
        assert found(invoice(told("40"), link)) == (60, "void", at(4))


class TestSinceOfFindings:
    """A break of an allocation is there since its amount last moved, whatever else was stated since."""

    def findings(self, ledger: LedgerPart) -> dict[str, datetime]:
        return {one.kind: one.since for one in check_balances(ledger, parked(), {}).findings}

    def test_over_allocated(self) -> None:
        link = paid("120", BASELINE, amount_at=at(4))
        assert self.findings(invoice(told("0"), link)) == {"over_allocated": at(4)}

    def test_closed_with_balance(self) -> None:
        one = told("100") | {"status_stated": "paid"}
        assert self.findings(invoice(one)) == {"closed_with_balance": BASELINE}
        assert self.findings(invoice(one, moves=[move("I1", at(3), "-5")])) == {"closed_with_balance": at(3)}

    def test_pairs(self) -> None:
        link = paid("60", BASELINE, amount_at=at(4), other_currency_iso="EUR", other_group="C9")
        found = self.findings(invoice(told("40"), link))
        assert found == {"currency_mismatch": at(4), "customer_mismatch": at(4)}


class TestOpeningComesFirst:
    def test_of_the_size_of_a_rounding(self) -> None:
        assert found(invoice(told("99.99")))[1] == "opening"
        assert found(invoice(told("99.99", date(2026, 1, 5), at(5))))[1] == "rounding"

    def test_with_a_payment_that_was_void_when_first_seen(self) -> None:
        link = paid("60", BASELINE, other_posting_status="voided")
        assert found(invoice(told("40"), link))[1] == "opening"

    def test_with_an_allocation_across_currencies(self) -> None:
        assert found(invoice(told("40"), paid("50", BASELINE, other_currency_iso="EUR")))[1] == "opening"
        later = told("40", date(2026, 1, 5), at(5))
        assert found(invoice(later, paid("50", at(5), other_currency_iso="EUR")))[1] == "fx"

    def test_less_settled_than_allocated_is_never_opening(self) -> None:
        assert found(invoice(told("70"), paid("60", BASELINE)))[1] == "stale_extract"
