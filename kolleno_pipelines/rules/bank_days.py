"""Of which days every line of a bank account is known, so that a line which is not there is missing. Pure.

A day counts where its statement ties (opening + entries = closing) and the chain to the next one holds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

from kolleno_pipelines.schemas.currencies import amount_text
from kolleno_pipelines.schemas.payout_bank import BankDays, BankStatement, StatementFault

DOES_NOT_TIE, MISSING_BEFORE = "does_not_tie", "missing_before"


def known_days(statements: Iterable[BankStatement]) -> list[BankDays]:
    """Return the days of each account of which every line is known; weekends between two statements are among them.

    Of statements of overlapping days (by day, and of the month once more) each is a way from its first day to its last.
    """
    found: list[BankDays] = []
    for steps in _accounts(statements):
        firsts: list[date] = []  # of each step: the first day from which the chain leads to it
        widest: list[BankDays] = []
        for step in steps:
            one = step.statement
            linked = [firsts[number] for number in step.before if _leads(steps[number].statement, one)]
            firsts.append(min([one.first, *linked]))
            if _ties(one):
                _keep(widest, BankDays(one.connection, one.account_source_id, firsts[-1], one.last))
        found += widest
    return found


def _keep(widest: list[BankDays], days: BankDays) -> None:
    """Add days, which end last of all, in place of those that are among them."""
    while widest and widest[-1].first >= days.first:
        widest.pop()
    if not widest or widest[-1].last < days.last:
        widest.append(days)


def statement_faults(statements: Iterable[BankStatement]) -> list[StatementFault]:
    """Return the statements that do not tie, and those before which one is missing, oldest first by account."""
    faults: list[StatementFault] = []
    for steps in _accounts(statements):
        for step in steps:
            one, before = step.statement, [steps[number].statement for number in step.before]
            if not _ties(one):
                faults.append(_fault(one, DOES_NOT_TIE, one.opening + one.booked - one.closing, _untied(one)))
            if before and all(each.closing != one.opening for each in before):
                faults.append(_fault(one, MISSING_BEFORE, one.opening - before[-1].closing, _apart(before[-1], one)))
    return faults


class _Step(NamedTuple):
    """A statement, and the places of those that end last before it begins."""

    statement: BankStatement
    before: list[int]


def _accounts(statements: Iterable[BankStatement]) -> list[list[_Step]]:
    """The statements of each account by their days; the same one once more, under another id, counts once."""
    ordered = sorted(
        statements,
        key=lambda one: (one.connection, one.account_source_id, one.last, one.first, len(one.ref), one.ref),
    )
    by_account = groupby(ordered, key=lambda one: (one.connection, one.account_source_id))
    return [_steps(list(chain)) for _, chain in by_account]


def _steps(chain: Sequence[BankStatement]) -> list[_Step]:
    """Several of the same days come in the order in which one begins where another ended."""
    steps: list[_Step] = []
    lasts: list[date] = []
    ends: dict[date, list[int]] = {}  # last day -> the last statement of each period that ends with it
    for (last, first), same in groupby(chain, key=lambda one: (one.last, one.first)):
        before = _before(first, last, lasts, ends, steps)
        left = list({(one.opening, one.closing, one.booked): one for one in same}.values())
        while left:
            closings = {steps[number].statement.closing for number in before}
            following = _following(closings, left)
            left.remove(following)
            steps.append(_Step(following, before))
            before = [len(steps) - 1]
        if last not in ends:
            lasts.append(last)
        ends.setdefault(last, []).append(len(steps) - 1)
    return steps


def _before(
    first: date, last: date, lasts: Sequence[date], ends: Mapping[date, list[int]], steps: Sequence[_Step]
) -> list[int]:
    """Return the statements after which a period may begin: those that end last before it, or on its first day.

    The likeliest comes last: where banks state moments, one ends on the day on which the next begins.
    """
    place = bisect_left(lasts, first)
    earlier = ends[lasts[place - 1]] if place else []
    return [*earlier, *(number for number in ends.get(first, []) if steps[number].statement.first < first < last)]


def _following(closings: set[Decimal], left: Sequence[BankStatement]) -> BankStatement:
    """Return the statement that begins where the last one ended, else one that begins where none of the others ends."""
    ends = {one.closing for one in left}
    begins = [one for one in left if one.opening in closings]
    return (begins or [one for one in left if one.opening not in ends] or list(left))[0]


def _leads(before: BankStatement, one: BankStatement) -> bool:
    return _ties(before) and _ties(one) and before.closing == one.opening


def _ties(one: BankStatement) -> bool:
    return one.opening + one.booked == one.closing


def _fault(one: BankStatement, code: str, difference: Decimal, evidence: str) -> StatementFault:
    return StatementFault(one.connection, one.account_source_id, one.ref, one.file, code, difference, evidence)


def _untied(one: BankStatement) -> str:
    opening, booked, closing = (_shown(one, each) for each in (one.opening, one.booked, one.closing))
    return (
        f"Statement {one.ref} of {one.last} ({one.file}) begins with {opening}, its entries come to {booked}, and it"
        f" ends with {closing}."
    )


def _apart(before: BankStatement, one: BankStatement) -> str:
    return (
        f"Statement {before.ref} of {before.last} ends with {_shown(before, before.closing)}, and the next one,"
        f" {one.ref} of {one.last} ({one.file}), begins with {_shown(one, one.opening)}: a statement between them is"
        " missing."
    )


def _shown(one: BankStatement, amount: Decimal) -> str:
    return f"{one.currency_iso or ''} {amount_text(amount, one.currency_iso)}".strip()
