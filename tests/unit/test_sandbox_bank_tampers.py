"""Quiet changes of what the sandbox's bank tells: each changes one line, and the files say what must be found."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest

from kolleno_pipelines.sandbox.bank.cases import CASES
from kolleno_pipelines.sandbox.bank.outcomes import RECONCILED
from kolleno_pipelines.sandbox.bank.scenes import BankCase
from kolleno_pipelines.sandbox.bank.tampers import BankTamper, tampers
from tests.bank_messages import Told, days, judged, payments

NAMES = ("drop_line", "cut_line", "alter_amount", "double_line", "turn_sign", "move_line")


@pytest.fixture(scope="module")
def case() -> BankCase:
    return CASES["two_accounts_in_one_file"]()


@pytest.fixture(scope="module")
def changed(case: BankCase) -> dict[str, BankTamper]:
    (payout,) = case.stripe.payouts
    return {each.name: each for each in tampers(case.messages, payout)}


def test_there_is_one_of_each_kind(changed: dict[str, BankTamper]) -> None:
    assert tuple(changed) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_what_must_be_found_is_what_the_files_say(case: BankCase, changed: dict[str, BankTamper], name: str) -> None:
    tamper = changed[name]
    (payout,) = case.stripe.payouts
    assert tamper.payout == payout
    assert payout in tamper.story
    assert tamper.outcome != RECONCILED
    assert judged(case.stripe.ledger, tamper.files, case.until) == {payout: tamper.outcome}


@pytest.mark.parametrize(
    ("name", "gone", "come"),
    [
        ("drop_line", ["96.80"], []),
        ("cut_line", ["96.80"], []),
        ("alter_amount", ["96.80"], ["96.81"]),
        ("double_line", [], ["96.80"]),
        ("turn_sign", ["96.80"], ["-96.80"]),
        ("move_line", ["96.80"], ["96.80"]),
    ],
)
def test_one_line_is_changed_and_no_other(
    case: BankCase, changed: dict[str, BankTamper], name: str, gone: list[str], come: list[str]
) -> None:
    before, after = payments(case.files), payments(changed[name].files)
    assert _amounts(before, after) == [Decimal(each) for each in gone]
    assert _amounts(after, before) == [Decimal(each) for each in come]


def _amounts(told: list[Told], without: list[Told]) -> list[Decimal]:
    return [each.amount for each in told if each not in without]


@pytest.mark.parametrize("name", NAMES)
def test_balances_tie_where_it_says_so(changed: dict[str, BankTamper], name: str) -> None:
    told = days(changed[name].files)
    assert all(one.closing == other.opening for one, other in pairwise(told) if one.account == other.account)
    off = [each.opening + each.moved - each.closing for each in told if each.opening + each.moved != each.closing]
    assert off == ([Decimal("-96.80")] if name == "cut_line" else [])


def test_names_and_moments_of_the_files_stay(case: BankCase, changed: dict[str, BankTamper]) -> None:
    for tamper in changed.values():
        assert [(each.name, each.modified) for each in tamper.files] == [
            (each.name, each.modified) for each in case.files
        ]


def test_what_does_not_suit_is_refused() -> None:
    case = CASES["missing"]()
    with pytest.raises(ValueError, match="one line"):
        tampers(case.messages, next(iter(case.stripe.payouts)))
    case = CASES["by_trace"]()
    with pytest.raises(ValueError, match="another currency"):
        tampers(case.messages, next(iter(case.stripe.payouts)))
