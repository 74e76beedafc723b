"""Quiet changes of what a bank tells, one at a time: each names the payout that it touches and what must be found.

Balances follow where it says so; a statement that is changed without them does not add up, and proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from kolleno_pipelines.sandbox.bank import changes
from kolleno_pipelines.sandbox.bank.files import File, Messages, folder
from kolleno_pipelines.sandbox.bank.outcomes import AWAITING, BY_TRACE, MISSING, BankOutcome
from kolleno_pipelines.sandbox.bank.payouts_received import Change
from kolleno_pipelines.sandbox.bank.statements import Account, Kind, Line, Statement, reference

_AMOUNT = BankOutcome("amount_mismatch", BY_TRACE)
_CURRENCY = BankOutcome("currency_mismatch", BY_TRACE)


@dataclass(frozen=True)
class BankTamper:
    """Changed messages. payout: the id that must be named. outcome: of that payout; all others stay as they were."""

    name: str
    story: str
    payout: str
    outcome: BankOutcome
    messages: Messages

    @property
    def files(self) -> tuple[File, ...]:
        """The files in the bank's folder, oldest first."""
        return folder(self.messages)


def drop_line(messages: Messages, payout: str) -> BankTamper:
    """Leave a payout's line out; all balances after it are as if it had never been."""
    told = balanced(_changed(messages, payout, changes.lost))
    return BankTamper("drop_line", f"the line of {payout} is not there", payout, MISSING, told)


def cut_line(messages: Messages, payout: str) -> BankTamper:
    """Leave a payout's line out and the balances as they were: its statement's lines do not come to them."""
    told = _changed(messages, payout, changes.lost)
    story = f"the line of {payout} is not there, and the balances have it"
    return BankTamper("cut_line", story, payout, AWAITING, told)


def alter_amount(messages: Messages, payout: str) -> BankTamper:
    """State a payout's line one cent too high, with its balances."""
    told = balanced(_changed(messages, payout, changes.other_by(changes.CENT)))
    return BankTamper("alter_amount", f"the line of {payout} has one cent too many", payout, _AMOUNT, told)


def double_line(messages: Messages, payout: str) -> BankTamper:
    """Book a payout's line twice, the second time under a reference of its own."""
    told = balanced(_changed(messages, payout, changes.doubled))
    return BankTamper("double_line", f"the line of {payout} is there twice", payout, _AMOUNT, told)


def turn_sign(messages: Messages, payout: str) -> BankTamper:
    """State a payout's line as going the other way."""
    told = balanced(_changed(messages, payout, changes.turned))
    return BankTamper("turn_sign", f"the line of {payout} goes the other way", payout, _AMOUNT, told)


def move_line(messages: Messages, payout: str) -> BankTamper:
    """Book a payout's line on the same day in an account of another currency, by the same number."""
    account, line = _line_of(messages, payout)
    others = [each for told in messages for each in told.statements if each.account.currency != account.currency]
    found = [each for each in others if each.day == line.day]
    if not found:
        raise _unsuitable("an account in another currency")
    target = found[0].account
    moved = replace(line, key=f"{line.key}/moved", ref=reference(target, f"{line.key}/moved"))

    def with_it(told: Statement) -> Statement:
        is_there = told.account == target and told.day == line.day
        return replace(told, lines=(*told.lines, moved)) if is_there else told

    gone = _changed(messages, payout, changes.lost)
    story = f"the line of {payout} is in the account {target.id}"
    return BankTamper("move_line", story, payout, _CURRENCY, balanced(_each_statement(gone, with_it)))


_MAKERS: tuple[Callable[[Messages, str], BankTamper], ...] = (
    *(drop_line, cut_line, alter_amount, double_line, turn_sign, move_line),
)


def tampers(messages: Messages, payout: str) -> tuple[BankTamper, ...]:
    """Return one tamper of each kind for a payout with one line that has the trace id.

    `drop_line` expects that its window is over. Raises ValueError where there is no such line, or no other account.
    """
    return tuple(make(messages, payout) for make in _MAKERS)


def balanced(messages: Messages) -> Messages:
    """Return messages whose statements open with what the one before closed with, and close with what they come to.

    The first of each account keeps its opening; statements must come by day.
    """
    closings: dict[Account, Decimal] = {}

    def tied(told: Statement) -> Statement:
        opening = closings.get(told.account, told.opening)
        closings[told.account] = opening + told.moved
        return replace(told, opening=opening, closing=closings[told.account])

    return _each_statement(messages, tied)


def _each_statement(messages: Messages, change: Callable[[Statement], Statement]) -> Messages:
    return tuple(
        replace(each, statements=tuple(change(told) for told in each.statements))
        if each.kind is Kind.STATEMENT
        else each
        for each in messages
    )


def _changed(messages: Messages, payout: str, change: Change) -> Messages:
    """Return messages in which the line of a payout is changed, with references of what it became."""
    _line_of(messages, payout)

    def told(statement: Statement) -> Statement:
        lines = [one for each in statement.lines for one in _become(statement.account, each, payout, change)]
        return replace(statement, lines=tuple(lines))

    return _each_statement(messages, told)


def _become(account: Account, line: Line, payout: str, change: Change) -> Iterable[Line]:
    if not line.is_about(payout):
        return (line,)
    return (replace(each, ref=reference(account, each.key)) for each in change(line))


def _line_of(messages: Messages, payout: str) -> tuple[Account, Line]:
    """The account and the only line of a payout."""
    found: Mapping[str, tuple[Account, Line]] = {
        line.ref: (told.account, line)
        for each in messages
        for told in each.statements
        for line in told.lines
        if line.is_about(payout)
    }
    if len(found) != 1:
        raise _unsuitable(f"one line of {payout}")
    return next(iter(found.values()))


def _unsuitable(what: str) -> ValueError:
    return ValueError(f"These messages do not have {what}.")
