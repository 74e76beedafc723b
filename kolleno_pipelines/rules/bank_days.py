"""Of which days every line of a bank account is known, so that a line which is not there is missing. Pure.

A day counts where its statement ties (opening + entries = closing) and the chain to the next one holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import groupby

from kolleno_pipelines.schemas.currencies import amount_text
from kolleno_pipelines.schemas.payout_bank import BankDays, BankStatement, StatementFault

DOES_NOT_TIE, GAP = "does_not_tie", "gap"


def known_days(statements: Iterable[BankStatement]) -> list[BankDays]:
    """Return the days of each account of which every line is known; weekends between two statements are among them."""
    found: list[BankDays] = []
    for chain in _chains(statements):
        current: BankDays | None = None
        before: BankStatement | None = None
        for one in chain:
            if not _ties(one):
                current = before = None
                continue
            goes_on = current is not None and before is not None and before.closing == one.opening
            first = current.first if current is not None and goes_on else one.first
            if goes_on:
                found.pop()
            current = BankDays(one.connection, one.account_source_id, one.currency_iso, first, one.last)
            found.append(current)
            before = one
    return found


def statement_faults(statements: Iterable[BankStatement]) -> list[StatementFault]:
    """Return the statements that do not tie, and those before which one is missing, oldest first by account."""
    faults: list[StatementFault] = []
    for chain in _chains(statements):
        before: BankStatement | None = None
        for one in chain:
            if not _ties(one):
                faults.append(_fault(one, DOES_NOT_TIE, one.opening + one.booked - one.closing, _untied(one)))
            if before is not None and before.closing != one.opening:
                faults.append(_fault(one, GAP, one.opening - before.closing, _apart(before, one)))
            before = one
    return faults


def _chains(statements: Iterable[BankStatement]) -> list[list[BankStatement]]:
    """The statements of each account by their days; the same one once more, under another id, counts once."""
    ordered = sorted(
        statements,
        key=lambda one: (one.connection, one.account_source_id, one.last, one.first, len(one.ref), one.ref),
    )
    by_account = groupby(ordered, key=lambda one: (one.connection, one.account_source_id))
    return [_linked(list(chain)) for _, chain in by_account]


def _linked(chain: Sequence[BankStatement]) -> list[BankStatement]:
    """Several of the same days come in the order in which one begins where another ended."""
    linked: list[BankStatement] = []
    for _, same in groupby(chain, key=lambda one: (one.last, one.first)):
        left = list({(one.opening, one.closing, one.booked): one for one in same}.values())
        while left:
            following = _following(linked, left)
            left.remove(following)
            linked.append(following)
    return linked


def _following(linked: Sequence[BankStatement], left: Sequence[BankStatement]) -> BankStatement:
    """Return the statement that begins where the last one ended, else one that begins where none of the others ends."""
    ends = {one.closing for one in left}
    begins = [one for one in left if linked and one.opening == linked[-1].closing]
    return (begins or [one for one in left if one.opening not in ends] or list(left))[0]


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
