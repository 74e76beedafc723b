"""What a bank may do with a line other than book it: each says what is booked in its place. No files, no outcomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

from kolleno_pipelines.sandbox.bank.payouts_received import Change, returned
from kolleno_pipelines.sandbox.bank.statements import Detail, Line, Money

CENT = Decimal("0.01")


def lost(_: Line) -> tuple[Line, ...]:
    """Nothing is booked."""
    return ()


def doubled(line: Line) -> tuple[Line, ...]:
    """It is booked twice, each with a reference of its own."""
    return (line, replace(line, key=f"{line.key}/again"))


def kept(line: Line) -> tuple[Line, ...]:
    """What comes in stays: it is not sent back."""
    return () if line.is_reversal else (line,)


def other_by(amount: Decimal) -> Change:
    """As much more comes in, or less goes out."""
    return lambda line: (_with(line, lambda detail: replace(detail, amount=detail.amount + amount)),)


def turned(line: Line) -> tuple[Line, ...]:
    """What comes in goes out."""
    return (_with(line, lambda detail: replace(detail, amount=-detail.amount)),)


def booked_on(day: date) -> Change:
    """It is booked on another day."""
    return lambda line: (replace(line, day=day),)


def sent_back(at: datetime) -> Change:
    """It comes in, and the bank sends it back at a moment."""
    return lambda line: (line, returned(line, at))


def exchanged(amount: Decimal, instructed: Money | None = None) -> Change:
    """It comes in in the account's currency; `instructed` is what is told of the amount that was sent."""
    return lambda line: (_with(line, lambda detail: replace(detail, amount=amount, instructed=instructed)),)


def within_batch(*others: Detail) -> Change:
    """It is one of several payments in one line."""
    return lambda line: (replace(line, details=(others[0], *line.details, *others[1:]), text="COLLECTIVE CREDIT"),)


def _with(line: Line, change: Callable[[Detail], Detail]) -> Line:
    return replace(line, details=tuple(change(each) for each in line.details))
