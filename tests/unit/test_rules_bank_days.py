"""Days of a bank account of which every line is known: statements that tie and follow each other."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise, permutations
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from kolleno_pipelines.rules.bank_days import known_days, statement_faults
from kolleno_pipelines.schemas.payout_bank import BankStatement

D = Decimal
FIRST = date(2026, 2, 2)


def statement(
    ref: str, first: int, opening: str, booked: str, *, last: int | None = None, closing: str = "", account: str = "A"
) -> BankStatement:
    """A statement of days counted from FIRST; it ties unless a closing balance is given."""
    return BankStatement(
        connection="bank",
        account_source_id=account,
        currency_iso="USD",
        ref=ref,
        file=f"{ref}.xml",
        first=FIRST + timedelta(days=first),
        last=FIRST + timedelta(days=first if last is None else last),
        opening=D(opening),
        closing=D(closing) if closing else D(opening) + D(booked),
        booked=D(booked),
    )


def spans(*statements: BankStatement) -> list[tuple[int, int]]:
    return [((one.first - FIRST).days, (one.last - FIRST).days) for one in known_days(statements)]


def codes(*statements: BankStatement) -> list[tuple[str, str, Decimal]]:
    return [(one.ref, one.code, one.difference) for one in statement_faults(statements)]


def test_statements_that_follow_each_other_are_one_span_over_a_weekend() -> None:
    week = [statement("1", 3, "0", "5"), statement("2", 4, "5", "-1"), statement("3", 7, "4", "2")]
    for order in permutations(week):
        assert (spans(*order), codes(*order)) == ([(3, 7)], [])


def test_a_lost_statement_parts_the_days() -> None:
    found = (statement("1", 0, "0", "5"), statement("3", 2, "9", "1"))
    assert spans(*found) == [(0, 0), (2, 2)]
    (fault,) = statement_faults(found)
    assert (fault.ref, fault.code, fault.difference) == ("3", "missing_before", D(4))
    assert fault.evidence == (
        "Statement 1 of 2026-02-02 ends with USD 5.00, and the next one, 3 of 2026-02-04 (3.xml), begins with USD 9.00:"
        " a statement between them is missing."
    )


def test_a_statement_that_does_not_tie_proves_nothing() -> None:
    found = (statement("1", 0, "0", "5"), statement("2", 1, "5", "1", closing="7"), statement("3", 2, "7", "1"))
    assert spans(*found) == [(0, 0), (2, 2)]
    (fault,) = statement_faults(found)
    assert (fault.ref, fault.code, fault.difference) == ("2", "does_not_tie", D(-1))
    assert "begins with USD 5.00, its entries come to USD 1.00, and it ends with USD 7.00" in fault.evidence


def test_days_are_not_joined_over_a_statement_that_does_not_tie() -> None:
    """Its balances lead on as if nothing had been booked: only its entries show that something is wrong."""
    found = (statement("1", 0, "0", "5"), statement("2", 1, "5", "3", closing="5"), statement("3", 2, "5", "1"))
    assert (spans(*found), codes(*found)) == ([(0, 0), (2, 2)], [("2", "does_not_tie", D(3))])
    apart = (*found[:2], statement("3", 2, "9", "1"))
    assert codes(*apart) == [("2", "does_not_tie", D(3)), ("3", "missing_before", D(4))]


def test_a_statement_once_more_under_another_name_counts_once() -> None:
    found = (statement("1", 0, "0", "5"), statement("1b", 0, "0", "5"), statement("2", 1, "5", "1"))
    assert (spans(*found), codes(*found)) == ([(0, 1)], [])


def test_several_statements_of_one_day_are_linked_by_their_balances() -> None:
    found = [
        statement("9", 0, "0", "5"),
        statement("10", 0, "5", "2"),
        statement("11", 0, "7", "-7"),
        statement("1", 1, "0", "1"),
    ]
    for seed in range(5):
        Random(seed).shuffle(found)
        assert (spans(*found), codes(*found)) == ([(0, 1)], [])


def test_the_first_day_s_statements_are_linked_by_their_balances_alone() -> None:
    """Nothing came before them, and their ids say the contrary."""
    found = (statement("1", 0, "5", "2"), statement("2", 0, "0", "5"), statement("3", 1, "7", "1"))
    assert (spans(*found), codes(*found)) == ([(0, 1)], [])


def test_a_statement_of_the_month_once_more_parts_nothing() -> None:
    """Statements by day, and all of them again in one of the month, in whatever order."""
    days = [statement(f"D{day}", day, str(day * 5), "5") for day in range(12)]
    month = statement("M", 0, "0", "50", last=9)
    found = [*days, month]
    for seed in range(5):
        Random(seed).shuffle(found)
        assert (spans(*found), codes(*found)) == ([(0, 11)], [])
    without = [one for one in found if one.ref != "D4"]
    assert spans(*without) == [(0, 11)], "the month has what the lost day had"
    assert codes(*without) == [("D5", "missing_before", D(5))]


def test_statements_that_tell_the_month_until_each_day_follow_each_other() -> None:
    found = [statement(f"{month}-{day}", month * 10, str(month * 50), str(day * 5 + 5), last=month * 10 + day)
             for month in range(2) for day in range(10)]  # fmt: skip
    for seed in range(5):
        Random(seed).shuffle(found)
        assert (spans(*found), codes(*found)) == ([(0, 19)], [])
    lost = [one for one in found if one.ref != "0-9"]
    assert spans(*lost) == [(0, 8), (10, 19)]


def test_weeks_and_months_overlap() -> None:
    weeks = [statement(f"W{week}", week * 7, str(week * 7), "7", last=week * 7 + 6) for week in range(6)]
    months = [statement("M0", 0, "0", "30", last=29), statement("M1", 30, "30", "12", last=41)]
    assert (spans(*weeks, *months), codes(*weeks, *months)) == ([(0, 41)], [])
    assert spans(*weeks[:3], *weeks[4:], *months) == [(0, 41)]


def test_a_statement_may_begin_on_the_day_on_which_the_one_before_ended() -> None:
    found = [statement(str(day), day - 1, str(day), "1", last=day) for day in range(1, 6)]
    assert (spans(*found), codes(*found)) == ([(0, 5)], [])
    assert spans(*found[:2], *found[3:]) == [(0, 2), (3, 5)]


@given(st.data())
def test_days_are_known_where_statements_lead_through_them(data: st.DataObject) -> None:
    """Cut one account's movements into statements in several ways, lose some: what is left never proves too much."""
    moved = data.draw(st.lists(st.integers(1, 3), min_size=8, max_size=8), label="of each day, never nothing")
    said = []
    for way in range(data.draw(st.integers(1, 3))):
        cuts = sorted(data.draw(st.sets(st.integers(1, 7)), label="begins")) or [8]
        for first, end in pairwise(sorted({0, *cuts, 8})):
            if data.draw(st.booleans() if way else st.just(True)):
                opening, booked = sum(moved[:first]), sum(moved[first:end])
                said.append(statement(f"{way}-{first}", first, str(opening), str(booked), last=end - 1))
    kept = [one for one in said if not data.draw(st.booleans(), label=f"lost {one.ref}")]
    told = {day for one in kept for day in range((one.first - FIRST).days, (one.last - FIRST).days + 1)}
    found = spans(*data.draw(st.permutations(kept)))
    assert {day for first, last in found for day in range(first, last + 1)} == told
    assert found == spans(*kept)


def test_accounts_stay_apart() -> None:
    found = (statement("1", 0, "0", "5"), statement("1", 1, "5", "1", account="B"))
    assert len(known_days(found)) == 2
    assert codes(*found) == []
