"""Days of a bank account of which every line is known: statements that tie and follow each other."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import permutations
from random import Random

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
    assert (fault.ref, fault.code, fault.difference) == ("3", "gap", D(4))
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
    assert codes(*apart) == [("2", "does_not_tie", D(3)), ("3", "gap", D(4))]


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


def test_accounts_stay_apart() -> None:
    found = (statement("1", 0, "0", "5"), statement("1", 1, "5", "1", account="B"))
    assert len(known_days(found)) == 2
    assert codes(*found) == []
