"""One bank account on its way through time: bookings, a statement for each banking day. No payouts, no files.

Banking days are Monday to Friday; what comes after the cut-off of a day is booked on the next one, and so is what comes
on a weekend. A day's statement is made in its evening.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from kolleno_pipelines.sandbox.bank.statements import Account, Line, Statement, reference

CUT_OFF, EVENING = time(17), time(18)
_DAY = timedelta(days=1)


def banking_day(day: date) -> date:
    """Return a day itself, or the Monday after it."""
    while day.weekday() >= 5:
        day += _DAY
    return day


def booking_day(moment: datetime) -> date:
    """Return the day on which a bank books what reaches it at a moment."""
    moment = moment.astimezone(UTC)
    return banking_day(moment.date() + (_DAY if moment.time() > CUT_OFF else timedelta(0)))


def stated_until(moment: datetime) -> date:
    """Return the newest banking day whose statement was made at a moment."""
    day = moment.astimezone(UTC).date()
    if moment.astimezone(UTC).time() < EVENING:
        day -= _DAY
    while day.weekday() >= 5:
        day -= _DAY
    return day


def banking_days(first: date, last: date) -> Iterator[date]:
    """Yield the banking days from one day to another, both included."""
    day = banking_day(first)
    while day <= last:
        yield day
        day = banking_day(day + _DAY)


class BankAccount:
    """An account from its first day on. What is booked late changes every balance after it."""

    def __init__(self, account: Account, opened: date, opening: Decimal = Decimal("2500.00")) -> None:
        self.account = account
        self.opened = banking_day(opened)
        self.opening = opening
        self._lines: dict[date, list[Line]] = defaultdict(list)
        self._keys: set[str] = set()

    def book(self, *lines: Line) -> None:
        """Book lines, and give them the bank's reference.

        Raises ValueError for a day that is none of the account's banking days, and for a key that was booked before.
        """
        for line in lines:
            if line.day < self.opened or line.day != banking_day(line.day):
                message = f"{self.account.id} books nothing on {line.day}."
                raise ValueError(message)
            if line.key in self._keys:
                message = f"{line.key} is booked in {self.account.id} already."
                raise ValueError(message)
            self._keys.add(line.key)
            self._lines[line.day].append(replace(line, ref=reference(self.account, line.key)))

    def lines(self, day: date) -> tuple[Line, ...]:
        """Return what is booked on a day, in the order in which it came."""
        return tuple(self._lines.get(day, ()))

    def statements(self, until: date) -> tuple[Statement, ...]:
        """Return the statement of each banking day until a day: each opens with what the one before closed with."""
        balance, made = self.opening, []
        for number, day in enumerate(banking_days(self.opened, until), 1):
            drawn = Statement(self.account, number, day, balance, balance, self.lines(day))
            balance += drawn.moved
            made.append(replace(drawn, closing=balance))
        return tuple(made)
