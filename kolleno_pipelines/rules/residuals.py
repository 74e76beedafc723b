"""When the unexplained part of a document arose: model 6's dating of amount - balance - allocations.

Judging the part, and naming its cause, do not belong here (balances.py, causes.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kolleno_pipelines.rules.allocated import Linked, Small
from kolleno_pipelines.rules.columns import NO_DAY, Days, Places, day_of, days, microseconds
from kolleno_pipelines.rules.scaled import Amounts, sums
from kolleno_pipelines.schemas.results import Basis, DocumentKind

BASES: tuple[Basis, ...] = tuple(Basis)
FIRST_SIGHT = np.iinfo(np.int64).min
_FIRST_DAY = NO_DAY


@dataclass(frozen=True)
class Parts:
    """Unexplained parts: place of the document, amount in millionths, version moment (FIRST_SIGHT: seen so at first).

    The parts of a document have one sign and sum to its residual.
    """

    document: Places
    amount: Amounts
    moment: Places


@dataclass(frozen=True)
class Dated:
    """Unexplained parts with the day on which each reduced its document, and what dated it (index into BASES)."""

    document: Places
    amount: Amounts
    day: Days
    basis: Small


def unexplained_parts(linked: Linked) -> Parts:
    """Split each residual by the input in which it arose.

    An input's move of amount - balance is explained by the allocations seen on its day; allocations seen before the
    first move (without moves: up to the document's own last change) belong to first sight. What one input explains
    too much is taken from the part of the same size, else from the newest ones before it.
    """
    entries = _entries(linked)
    document, amount, moment = _by_input(*entries)
    positive, negative = np.zeros(len(linked), dtype=bool), np.zeros(len(linked), dtype=bool)
    positive[document[amount > 0]] = True
    negative[document[amount < 0]] = True
    mixed = (positive & negative)[document]
    if not mixed.any():
        return Parts(document, amount, moment)
    settled = _settle(document[mixed], amount[mixed], moment[mixed])
    return Parts(
        np.concatenate([document[~mixed], settled.document]),
        np.concatenate([amount[~mixed], settled.amount]),
        np.concatenate([moment[~mixed], settled.moment]),
    )


def date_parts(linked: Linked, parts: Parts) -> Dated:
    """Date each part: an invoice's by date_paid, else by the version's day, else at issue; never before issue."""
    issued = linked.issued[parts.document]
    first = parts.moment == FIRST_SIGHT
    day = np.where(first, issued, day_of(np.where(first, 0, parts.moment))).astype(np.int32)
    basis = np.where(first, BASES.index(Basis.FIRST_SEEN), BASES.index(Basis.MOVED)).astype(np.int8)
    if linked.part.kind is DocumentKind.INVOICE:
        paid = days(linked.part.documents["date_paid"])[parts.document]
        day = np.where(paid != NO_DAY, paid, day).astype(np.int32)
        basis = np.where(paid != NO_DAY, BASES.index(Basis.DATE_PAID), basis).astype(np.int8)
    return Dated(parts.document, parts.amount, np.maximum(day, issued), basis)


def _entries(linked: Linked) -> tuple[Places, Days, Amounts, Places]:
    """Return (document, day of input, amount, moment) of first sights, moves and - negative - allocations."""
    differing = linked.residual != 0
    first = np.flatnonzero(differing)
    moves = differing[linked.move_document]
    move_document, delta = linked.move_document[moves], linked.move_delta[moves]
    moved_at = microseconds(linked.moves["moved_at"])[moves]
    allocated = differing[linked.allocation_document] & linked.allocation_counts
    seen_document, seen_amount = linked.allocation_document[allocated], -linked.allocation_amount[allocated]
    seen_at = microseconds(linked.allocations["observed_at"])[allocated]

    bound = day_of(microseconds(linked.part.documents["observed_at"])) + 1
    first_move = np.full(len(linked), np.iinfo(np.int32).max, dtype=np.int32)
    np.minimum.at(first_move, move_document, day_of(moved_at))
    bound = np.where(first_move == np.iinfo(np.int32).max, bound, first_move)
    at_first = day_of(seen_at) < bound[seen_document]

    settled = linked.amount - linked.balance - sums(move_document, delta, len(linked))
    return (
        np.concatenate([first, move_document, seen_document]),
        np.concatenate(
            [
                np.full(len(first), _FIRST_DAY, dtype=np.int32),
                day_of(moved_at),
                np.where(at_first, _FIRST_DAY, day_of(seen_at)).astype(np.int32),
            ]
        ),
        np.concatenate([settled[first], delta, seen_amount]),
        np.concatenate([np.full(len(first), FIRST_SIGHT), moved_at, np.where(at_first, FIRST_SIGHT, seen_at)]),
    )


def _by_input(document: Places, day: Days, amount: Amounts, moment: Places) -> tuple[Places, Amounts, Places]:
    """Sum the entries of one document and day, in that order; what sums to 0 is explained and left out."""
    if len(document) == 0:
        return document, amount, moment
    order = np.lexsort((moment, day, document))
    document, day, amount, moment = document[order], day[order], amount[order], moment[order]
    begins: npt.NDArray[np.bool_] = np.ones(len(document), dtype=bool)
    begins[1:] = (document[1:] != document[:-1]) | (day[1:] != day[:-1])
    starts = np.flatnonzero(begins)
    total = np.add.reduceat(amount, starts)
    left = total != 0
    return document[starts][left], total[left], moment[starts][left]


def _settle(document: Places, amount: Amounts, moment: Places) -> Parts:
    """Let parts of opposite sign in one document take each other away, oldest input first."""
    settled: list[tuple[int, int, int]] = []
    current, open_parts = -1, list[list[int]]()
    for place, value, moment_of_part in zip(document.tolist(), amount.tolist(), moment.tolist(), strict=True):
        if place != current:
            settled += [(current, left, at) for left, at in open_parts]
            current, open_parts = place, []
        _take(open_parts, value, moment_of_part)
    settled += [(current, left, at) for left, at in open_parts]
    return Parts(
        np.array([place for place, _, _ in settled], dtype=np.int64),
        np.array([value for _, value, _ in settled], dtype=amount.dtype),
        np.array([at for _, _, at in settled], dtype=np.int64),
    )


def _take(open_parts: list[list[int]], value: int, moment: int) -> None:
    """Add one part to the open ones of a document; an opposite part of the same size goes first, then the newest."""
    for place in range(len(open_parts) - 1, -1, -1):
        if open_parts[place][0] == -value:
            del open_parts[place]
            return
    while value and open_parts and (open_parts[-1][0] > 0) != (value > 0):
        newest = open_parts[-1]
        if abs(newest[0]) > abs(value):
            newest[0] += value
            return
        value += newest[0]
        open_parts.pop()
    if value:
        open_parts.append([value, moment])
