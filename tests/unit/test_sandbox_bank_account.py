"""An account of the sandbox's bank through time, and when it books what reaches it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise

import pytest

from kolleno_pipelines.sandbox.bank.account import BankAccount, booking_day, stated_until
from kolleno_pipelines.sandbox.bank.files import folder, message_of, statement_messages
from kolleno_pipelines.sandbox.bank.noise import add_look_alikes, add_noise
from kolleno_pipelines.sandbox.bank.statements import Detail, Kind, Line, invented_account

MONDAY, WEDNESDAY, FRIDAY = date(2026, 2, 2), date(2026, 2, 4), date(2026, 2, 6)
ACCOUNT = invented_account("test", "EUR")


def _line(key: str, day: date, amount: str) -> Line:
    return Line(key, day, (Detail(Decimal(amount)),))


def _account() -> BankAccount:
    account = BankAccount(ACCOUNT, MONDAY, Decimal("10.00"))
    account.book(_line("b", WEDNESDAY, "5.00"), _line("a", WEDNESDAY, "-17.25"), _line("c", FRIDAY, "0.01"))
    return account


def test_each_banking_day_has_a_statement_that_opens_with_the_last_closing() -> None:
    told = _account().statements(date(2026, 2, 9))
    assert [each.day.day for each in told] == [2, 3, 4, 5, 6, 9]
    assert [each.number for each in told] == [1, 2, 3, 4, 5, 6]
    assert [str(each.closing) for each in told] == ["10.00", "10.00", "-2.25", "-2.25", "-2.24", "-2.24"]
    assert all(one.closing == other.opening for one, other in pairwise(told))
    assert [each.key for each in told[2].lines] == ["b", "a"], "in the order in which they came"


def test_references_are_those_of_the_key_whatever_else_is_booked() -> None:
    refs = {each.key: each.ref for day in (WEDNESDAY, FRIDAY) for each in _account().lines(day)}
    assert len(set(refs.values())) == 3
    alone = BankAccount(ACCOUNT, MONDAY)
    alone.book(_line("a", WEDNESDAY, "-17.25"))
    assert alone.lines(WEDNESDAY)[0].ref == refs["a"]
    other = BankAccount(invented_account("other", "EUR"), MONDAY)
    other.book(_line("a", WEDNESDAY, "-17.25"))
    assert other.lines(WEDNESDAY)[0].ref != refs["a"]


@pytest.mark.parametrize("line", [_line("d", date(2026, 2, 7), "1"), _line("d", date(2026, 1, 30), "1")])
def test_nothing_is_booked_on_a_weekend_or_before_the_account(line: Line) -> None:
    with pytest.raises(ValueError, match="books nothing"):
        _account().book(line)


def test_nothing_is_booked_twice() -> None:
    with pytest.raises(ValueError, match="already"):
        _account().book(_line("a", FRIDAY, "1"))


def test_what_is_pending_moves_no_balance() -> None:
    account = _account()
    account.book(replace(_line("d", WEDNESDAY, "99.00"), is_pending=True))
    assert account.statements(WEDNESDAY)[-1].closing == Decimal("-2.25")


@pytest.mark.parametrize(
    ("moment", "booked", "stated"),
    [
        ("2026-02-04T09:00", "2026-02-04", "2026-02-03"),
        ("2026-02-04T17:01", "2026-02-05", "2026-02-03"),
        ("2026-02-04T18:00", "2026-02-05", "2026-02-04"),
        ("2026-02-06T17:30", "2026-02-09", "2026-02-05"),
        ("2026-02-07T03:00", "2026-02-09", "2026-02-06"),
        ("2026-02-09T07:00", "2026-02-09", "2026-02-06"),
    ],
)
def test_the_day_of_booking_and_of_the_newest_statement(moment: str, booked: str, stated: str) -> None:
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert (booking_day(at), stated_until(at)) == (date.fromisoformat(booked), date.fromisoformat(stated))


def test_files_are_named_after_account_and_day_and_come_in_their_order() -> None:
    account = _account()
    told = [*statement_messages(account, WEDNESDAY), message_of(account.statements(MONDAY)[0], kind=Kind.NOTIFICATION)]
    files = folder(told)
    assert [each.name for each in files] == [
        f"{ACCOUNT.id}_20260202_054.xml",
        *(f"{ACCOUNT.id}_202602{day}.xml" for day in ("02", "03", "04")),
    ]
    assert [each.modified.hour for each in files] == [12, 18, 18, 18]
    with pytest.raises(ValueError, match="one name"):
        folder([*told, told[0]])


def test_noise_names_no_payout_and_is_the_same_each_time() -> None:
    last = date(2026, 4, 30)
    accounts = [BankAccount(ACCOUNT, MONDAY) for _ in range(2)]
    incoming = [_line(f"po_{number}", WEDNESDAY, f"{number}.00") for number in range(1, 8)]
    for account in accounts:
        add_noise(account, last)
        add_look_alikes(account, incoming, last)
    one, two = (account.statements(last) for account in accounts)
    assert one == two
    lines = [line for each in one for line in each.lines]
    assert not any("STRIPE" in each.text + line.text for line in lines for each in line.details)
    assert [line.amount for line in lines if line.key.startswith("fee")] == [Decimal("-12.50")] * 2
    assert {len(line.details) for line in lines if line.key.startswith("batch")} == {3}
    assert [line.amount for line in lines if line.key.startswith("look-alike")] == [Decimal("1.00"), Decimal("6.00")]
