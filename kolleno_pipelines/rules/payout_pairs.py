"""Which two rows together explain why the items of a payout do not sum to it, where no single row does.

Which rows come into question is not decided here (storage/payout_gaps.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from heapq import nlargest
from itertools import combinations, islice, product

from kolleno_pipelines.schemas.payout_words import ExceptionCode
from kolleno_pipelines.schemas.payouts import Explanation, Gap

#: Rows that may be it instead and are told.
_RIVALS = 5
#: The least that is left of a charge after its fee, as a part of it, so that a row is taken for its.
_LEAST_NET = Decimal("0.8")

Pair = tuple[Explanation, Explanation]


def pairs(
    gaps: Iterable[Gap], candidates: Iterable[Explanation], explained: Iterable[Explanation] = ()
) -> dict[str, tuple[Explanation, ...]]:
    """Return by payout the two candidates that come to its gap, the first in their order.

    A row that was moved is too much in the one payout and missing in the other: both are told of it. One that is in no
    payout is missing in one only, and not in those whose gap is `explained` already.
    """
    taken = {one.source_id for one in explained if one.code is ExceptionCode.DROPPED}
    of_payout: dict[str, list[Explanation]] = {}
    for one in candidates:
        of_payout.setdefault(one.payout_source_id, []).append(one)
    found: dict[str, tuple[Explanation, ...]] = {}
    for gap in gaps:
        if gap.payout_source_id not in found:
            mine = of_payout.get(gap.payout_source_id, [])
            pair = _pair(
                gap, [one for one in mine if one.code is not ExceptionCode.DROPPED or one.source_id not in taken]
            )
            if pair is not None:
                found[gap.payout_source_id] = pair
                taken |= {one.source_id for one in pair if one.code is ExceptionCode.DROPPED}
    counterparts: dict[str, tuple[Explanation, ...]] = {}
    for one in (each for pair in found.values() for each in pair):
        other = _counterpart(one)
        if other is not None and other.payout_source_id not in found:
            known = counterparts.get(other.payout_source_id, ())
            if all(each.source_id != other.source_id for each in known):
                counterparts[other.payout_source_id] = (*known, other)
    return found | counterparts


def _pair(gap: Gap, candidates: Sequence[Explanation]) -> Pair | None:
    exact = [one for one in candidates if one.is_exact]
    fitting = list(islice(_exact_pairs(gap, exact), 1 + _RIVALS))
    if not fitting:
        return _pair_with_lost(gap, exact, [one for one in candidates if not one.is_exact])
    return _with_rivals(fitting)


def _with_rivals(fitting: Sequence[Pair]) -> Pair:
    """Return the first pair; the rows of the others may be it instead."""
    chosen = {one.source_id for one in fitting[0]}
    others = dict.fromkeys(one.source_id for pair in fitting[1:] for one in pair if one.source_id not in chosen)
    first, second = (one._replace(rivals=tuple(others)[:_RIVALS]) for one in fitting[0])
    return first, second


def _exact_pairs(gap: Gap, exact: Sequence[Explanation]) -> Iterator[Pair]:
    """Yield pairs that sum to the gap, of rows of equal amounts the first alone."""
    earlier: dict[Decimal, Explanation] = {}
    for one in exact:
        partner = earlier.get(gap.amount - one.amount)
        if partner is not None and partner.source_id != one.source_id:
            yield partner, one
        earlier.setdefault(one.amount, one)


def _pair_with_lost(gap: Gap, exact: Sequence[Explanation], lost: Sequence[Explanation]) -> Pair | None:
    """Return the row of which a charge alone tells that leaves the smallest fee, and what it is beside.

    Of two such rows nothing tells how much is whose.
    """
    beside: list[tuple[Decimal, int, Pair]] = []
    for row, (place, one) in product(lost, enumerate(exact)):
        net = gap.amount - one.amount
        if _may_be_net(net, row.amount) and row.source_id != one.source_id:
            beside.append((net / row.amount, -place, (row._replace(amount=net, is_exact=True), one)))
    for place, (row, other) in enumerate(combinations(lost, 2), len(exact)):
        if _may_be_net(gap.amount, row.amount + other.amount):
            beside.append((gap.amount / (row.amount + other.amount), -place, (row, other)))
    fitting = nlargest(1 + _RIVALS, beside, key=lambda found: found[:2])
    return _with_rivals([pair for _, _, pair in fitting]) if fitting else None


def _may_be_net(net: Decimal, money: Decimal) -> bool:
    return money * _LEAST_NET <= net <= money


def _counterpart(one: Explanation) -> Explanation | None:
    if one.code is not ExceptionCode.MOVED or one.other_source_id is None:
        return None
    return one._replace(
        payout_source_id=one.other_source_id,
        amount=-one.amount,
        is_missing=not one.is_missing,
        other_source_id=one.payout_source_id,
    )
