"""Is a payout what its items come to, and has each of them its payment in the ledger (model 5)?

Laying items out and adding them up does not belong here (storage/payouts.py), nor the sentences (payout_exceptions.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from decimal import Decimal

from kolleno_pipelines.rules import payout_exceptions
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
_NONE: Mapping[str, Explanation] = {}


def payout_outcome(state: PayoutOutcome | None, items: PayoutOutcome, ledger: PayoutOutcome) -> PayoutOutcome:
    """Return a payout's outcome: what its own state says, else that of the leg that comes first in PayoutOutcome.

    `state` is REVERSED, NOT_ITEMISABLE or PENDING, None where its items are compared.
    """
    return state or min(items, ledger, key=_PRECEDENCE.index)


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


def gap_of(payout: PayoutFacts) -> Gap | None:
    """Return what of a payout's sum no item that is known to be wrong explains; None: it ties, or is explained."""
    apart = payout.amount - payout.items_net
    if state_of(payout) is not None or apart in {Decimal(0), payout.set_off, payout.set_off + payout.suspected}:
        return None
    return Gap(payout.source_id, payout.currency_iso, apart - payout.set_off, payout.created_at)


def gaps_of(payouts: Iterable[PayoutFacts]) -> list[Gap]:
    """Return the gaps of payouts, of those that have one."""
    return [gap for gap in map(gap_of, payouts) if gap is not None]


def exceptions_of_payouts(
    connection: str, payouts: Iterable[PayoutFacts], explained: Mapping[str, Explanation] = _NONE
) -> Iterator[PayoutException]:
    """Yield what is wrong with payouts as wholes: sums, their own rows, charges from before the cut-over.

    `explained` is by payout: the row that explains its gap.
    """
    for payout in payouts:
        for code in _own_codes(payout, explained.get(payout.source_id)):
            made = payout_exceptions.of_payout(
                connection, payout, code, gap_of(payout), explained.get(payout.source_id)
            )
            if made is not None:
                yield made


def exceptions_of_items(connection: str, ledger: str, items: Iterable[SuspectItem]) -> Iterator[PayoutException]:
    """Yield one exception for each thing that is wrong with an item."""
    for item in items:
        for code, is_wrong in zip(ITEM_CODES, item.flags, strict=True):
            if is_wrong:
                yield payout_exceptions.of_item(connection, ledger, item, code)


def payout_row(connection: str, ledger: str, payout: PayoutFacts, explained: Explanation | None = None) -> PayoutRow:
    """Return a payout with its outcomes and how many exceptions it has; `explained` as for exceptions_of_payouts."""
    state = state_of(payout)
    own = _own_codes(payout, explained)
    codes = {code for code, number in zip(ITEM_CODES, payout.flags, strict=True) if number} | set(own)
    items = state or leg_outcome(Leg.ITEMS, codes)
    ledger_outcome = state or leg_outcome(Leg.LEDGER, codes, has_fallback=payout.fallbacks > 0)
    told = [code for code in own if not _is_told_by_item(code, explained)]
    return PayoutRow(
        connection=connection,
        source_id=payout.source_id,
        ledger=ledger,
        outcome=payout_outcome(state, items, ledger_outcome).value,
        items_outcome=items.value,
        ledger_outcome=ledger_outcome.value,
        status=payout.status,
        currency_iso=payout.currency_iso,
        amount=payout.amount,
        items=payout.items,
        items_net=payout.items_net,
        difference=payout.amount - payout.items_net if state is None else None,
        exceptions=0 if state else sum(payout.flags) + len(told),
        fallbacks=payout.fallbacks,
        date_arrival=payout.date_arrival,
        created_at=payout.created_at,
    )


def _own_codes(payout: PayoutFacts, explained: Explanation | None) -> list[ExceptionCode]:
    """Return what is wrong with a payout itself, beside its items."""
    if state_of(payout) is not None:
        return []
    codes = []
    if payout.items_before_cutover:
        codes.append(ExceptionCode.BEFORE_CUTOVER)
    if payout.own_row_net is not None and payout.own_row_net != -payout.amount:
        codes.append(ExceptionCode.OWN_ROW)
    if gap_of(payout) is not None:
        codes.append(explained.code if explained is not None else ExceptionCode.SUM_DIFFERS)
    return codes


def _is_told_by_item(code: ExceptionCode, explained: Explanation | None) -> bool:
    """A row that is in two payouts is an exception of its own already."""
    return code is ExceptionCode.IN_TWO_PAYOUTS and explained is not None
