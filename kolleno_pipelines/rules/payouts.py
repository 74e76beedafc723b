"""Is a payout what its items come to, and has each of them its payment in the ledger (model 5)?

Laying items out and adding them up does not belong here (storage/payouts.py), nor the sentences (payout_exceptions.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import combinations
from typing import Any

from kolleno_pipelines.rules import payout_exceptions
from kolleno_pipelines.schemas.payout_bank import NOT_COMPARED, BankLeg
from kolleno_pipelines.schemas.payout_words import EFFECTS, ITEM_CODES, ExceptionCode, Leg, PayoutOutcome
from kolleno_pipelines.schemas.payouts import (
    Explanation,
    Gap,
    PayoutException,
    PayoutFacts,
    PayoutRow,
    SuspectItem,
)

_PRECEDENCE = tuple(PayoutOutcome)
Explanations = Mapping[str, Sequence[Explanation]]
_NONE: Explanations = {}
_ZERO = Decimal(0)


def payout_outcome(state: PayoutOutcome | None, *legs: PayoutOutcome) -> PayoutOutcome:
    """Return a payout's outcome: what its own state says, else that of the leg that comes first in PayoutOutcome.

    `state` is REVERSED, NOT_ITEMISABLE or PENDING, None where its items are compared.
    """
    return state or min(legs, key=_PRECEDENCE.index)


def leg_outcome(leg: Leg, codes: Collection[ExceptionCode], *, has_fallback: bool = False) -> PayoutOutcome:
    """Return a leg's outcome: the first in PayoutOutcome that one of the exceptions gives it, else reconciled.

    `has_fallback`: an item's payments were found by the charge's id.
    """
    found = [EFFECTS[code].outcome for code in codes if EFFECTS[code].leg is leg]
    if found:
        return min(found, key=_PRECEDENCE.index)
    if has_fallback and leg is Leg.LEDGER:
        return PayoutOutcome.RECONCILED_WITH_FALLBACK
    return PayoutOutcome.RECONCILED


def state_of(payout: PayoutFacts) -> PayoutOutcome | None:
    """Return what a payout's own words decide before its items are looked at; None: nothing."""
    if payout.is_reversed:
        return PayoutOutcome.REVERSED
    if not payout.is_itemisable:
        return PayoutOutcome.NOT_ITEMISABLE
    if not payout.is_complete:
        return PayoutOutcome.PENDING
    return None


def gaps_of(payouts: Iterable[PayoutFacts]) -> list[Gap]:
    """Return what of the sums of payouts nothing that is known to be wrong explains: of each what it may be."""
    return [
        Gap(payout.source_id, payout.currency_iso, amount, payout.created_at, number)
        for payout in payouts
        for number, amount in enumerate(_unexplained(payout))
    ]


def _unexplained(payout: PayoutFacts) -> list[Decimal]:
    """Return what a payout may lack, the likeliest first; nothing where it ties, or what is known explains it.

    A row that is in it twice is too much once. What the two lists say otherwise, what would make items agree with their
    source, and what the payout's own row says otherwise may each be a part of it or not.
    """
    if state_of(payout) is not None:
        return []
    own = _ZERO if payout.own_row_net is None else payout.amount + payout.own_row_net
    known = [part for part in (payout.set_off - payout.doubled, payout.suspected, own) if part]
    apart = payout.amount - payout.items_net - payout.doubled
    made = [apart - sum(parts) for size in range(len(known), -1, -1) for parts in combinations(known, size)]
    return [] if _ZERO in made else list(dict.fromkeys(made))


def exceptions_of_payouts(
    connection: str, payouts: Iterable[PayoutFacts], explained: Explanations = _NONE
) -> Iterator[PayoutException]:
    """Yield what is wrong with payouts as wholes: sums, their own rows, charges from before the cut-over.

    `explained` is by payout: the rows that explain its gap, alone or together.
    """
    for payout in payouts:
        for code, named in _own_faults(payout, explained.get(payout.source_id, ())):
            if not _is_told_by_item(code):
                yield payout_exceptions.of_payout(connection, payout, code, named)


def exceptions_of_items(connection: str, ledger: str, items: Iterable[SuspectItem]) -> Iterator[PayoutException]:
    """Yield one exception for each thing that is wrong with an item."""
    for item in items:
        for code, is_wrong in zip(ITEM_CODES, item.flags, strict=True):
            if is_wrong:
                yield payout_exceptions.of_item(connection, ledger, item, code)


def payout_row(
    connection: str,
    ledger: str,
    payout: PayoutFacts,
    explained: Sequence[Explanation] = (),
    bank: BankLeg = NOT_COMPARED,
) -> PayoutRow:
    """Return a payout with its outcomes and how many exceptions it has; `explained` as for exceptions_of_payouts."""
    state = state_of(payout)
    own = [code for code, _ in _own_faults(payout, explained)]
    codes = {code for code, number in zip(ITEM_CODES, payout.flags, strict=True) if number} | set(own)
    if payout.amount != payout.items_net:
        codes.add(ExceptionCode.SUM_DIFFERS)  # whatever explains it
    items = state or leg_outcome(Leg.ITEMS, codes)
    ledger_outcome = state or leg_outcome(Leg.LEDGER, codes, has_fallback=payout.fallbacks > 0)
    told = [code for code in own if not _is_told_by_item(code)]
    return PayoutRow(
        connection=connection,
        source_id=payout.source_id,
        ledger=ledger,
        outcome=payout_outcome(state, items, ledger_outcome, bank.outcome).value,
        items_outcome=items.value,
        ledger_outcome=ledger_outcome.value,
        status=payout.status,
        currency_iso=payout.currency_iso,
        amount=payout.amount,
        items=payout.items,
        items_net=payout.items_net,
        difference=payout.amount - payout.items_net if state is None else None,
        exceptions=(0 if state else sum(payout.flags) + len(told)) + (bank.code is not None),
        fallbacks=payout.fallbacks,
        date_arrival=payout.date_arrival,
        created_at=payout.created_at,
        **_at_bank(bank),
    )


def _at_bank(bank: BankLeg) -> dict[str, Any]:
    """Return the columns of a payout that tell of its line at the bank."""
    line = bank.line
    return {
        "bank_outcome": bank.outcome.value,
        "bank_resolver": None if bank.resolver is None else bank.resolver.value,
        "bank_connection": None if line is None else line.connection,
        "bank_line_source_id": None if line is None else line.source_id,
        "bank_amount": None if line is None else line.amount,
        "bank_currency_iso": None if line is None else line.currency_iso,
        "bank_day": None if line is None else line.day,
    }


def exceptions_of_bank(
    connection: str, payouts: Iterable[PayoutFacts], legs: Mapping[tuple[str, str], BankLeg]
) -> Iterator[PayoutException]:
    """Yield what is wrong with payouts at the bank; `legs` are by connection and payout."""
    for payout in payouts:
        leg = legs.get((connection, payout.source_id), NOT_COMPARED)
        if leg.code is not None:
            yield payout_exceptions.of_bank(connection, payout, leg.code, leg)


def _own_faults(
    payout: PayoutFacts, explained: Sequence[Explanation]
) -> list[tuple[ExceptionCode, Explanation | None]]:
    """Return what is wrong with a payout itself, beside its items, and the rows that explain its sum."""
    if state_of(payout) is not None:
        return []
    faults: list[tuple[ExceptionCode, Explanation | None]] = []
    if payout.items_before_cutover:
        faults.append((ExceptionCode.BEFORE_CUTOVER, None))
    if payout.own_row_net is not None and payout.own_row_net != -payout.amount:
        faults.append((ExceptionCode.OWN_ROW, None))
    if payout.own_row_net is None and payout.own_row_source_id is not None:
        faults.append((ExceptionCode.NOT_IN_BALANCE, None))
    if not _unexplained(payout):
        return faults
    if not explained and payout.amount != payout.items_net:
        faults.append((ExceptionCode.SUM_DIFFERS, None))
    return faults + [(one.code, one) for one in explained]


def _is_told_by_item(code: ExceptionCode) -> bool:
    """A row that is in two payouts is an exception of its own already."""
    return code is ExceptionCode.IN_TWO_PAYOUTS
