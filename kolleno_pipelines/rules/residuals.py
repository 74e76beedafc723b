"""When the unexplained part of a document arose, input by input: model 6's dating of amount - balance - allocations.

Judging the part, and naming its cause, do not belong here (balances.py, causes.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from kolleno_pipelines.rules.allocated import Linked, Small
from kolleno_pipelines.rules.columns import (
    NO_DAY,
    Days,
    Flags,
    Places,
    day_of,
    days,
    microseconds,
    optional_microseconds,
)
from kolleno_pipelines.rules.scaled import Amounts, sums
from kolleno_pipelines.schemas.ledger_parts import DocumentKind
from kolleno_pipelines.schemas.results import Basis

BASES: tuple[Basis, ...] = tuple(Basis)
FIRST_SIGHT = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Parts:
    """Unexplained parts: place of the document, amount in millionths, version moment (FIRST_SIGHT: seen so at first).

    The parts of a document sum to its residual; they run by document and moment.
    """

    document: Places
    amount: Amounts
    moment: Places

    @property
    def later(self) -> Flags:
        """Which parts arose after first sight."""
        flags: Flags = self.moment != FIRST_SIGHT
        return flags


@dataclass(frozen=True)
class Dated:
    """Unexplained parts with the day on which each reduced its document, and what dated it (index into BASES)."""

    document: Places
    amount: Amounts
    day: Days
    basis: Small


def parts_by_input(linked: Linked) -> Parts:
    """Split each residual by the input in which it arose, as each input told it: nothing is set off.

    An input's move of amount - balance is explained by the allocations that began, moved or ended with the files of
    its batch (`horizon.batch_window`), and by no others.
    """
    return _by_input(*_entries(linked))


def settle(parts: Parts) -> Parts:
    """Let parts of opposite sign in one document take each other away, so that what remains has one sign.

    For dating only. What one input explains too much is taken from the part of the same size, else from the newest
    ones before it.
    """
    size = int(parts.document.max()) + 1 if len(parts.document) else 0
    positive, negative = np.zeros(size, dtype=bool), np.zeros(size, dtype=bool)
    positive[parts.document[parts.amount > 0]] = True
    negative[parts.document[parts.amount < 0]] = True
    mixed = (positive & negative)[parts.document]
    if not mixed.any():
        return parts
    settled = _settle(parts.document[mixed], parts.amount[mixed], parts.moment[mixed])
    return Parts(
        np.concatenate([parts.document[~mixed], settled.document]),
        np.concatenate([parts.amount[~mixed], settled.amount]),
        np.concatenate([parts.moment[~mixed], settled.moment]),
    )


def date_parts(linked: Linked, parts: Parts) -> Dated:
    """Date each part: an invoice's by date_paid, else by the version's day, else at issue; never before issue."""
    issued = linked.issued[parts.document]
    first = ~parts.later
    day = np.where(first, issued, day_of(np.where(first, 0, parts.moment))).astype(np.int32)
    basis = np.where(first, BASES.index(Basis.FIRST_SEEN), BASES.index(Basis.MOVED)).astype(np.int8)
    if linked.part.kind is DocumentKind.INVOICE:
        paid = days(linked.part.documents["date_paid"])[parts.document]
        day = np.where(paid != NO_DAY, paid, day).astype(np.int32)
        basis = np.where(paid != NO_DAY, BASES.index(Basis.DATE_PAID), basis).astype(np.int8)
    return Dated(parts.document, parts.amount, np.maximum(day, issued), basis)


def _entries(linked: Linked) -> tuple[Places, Amounts, Places]:
    """Return (document, amount, moment) of first sights, moves and - negative - allocations, of what differs."""
    differing = linked.residual != 0
    first_seen = microseconds(linked.part.documents["first_seen_at"])
    first = np.flatnonzero(differing)
    moves = differing[linked.move_document]
    move_document, delta = linked.move_document[moves], linked.move_delta[moves]
    moved_at = microseconds(linked.moves["moved_at"])[moves]
    settled = linked.amount - linked.balance - sums(move_document, delta, len(linked))
    told_document = np.concatenate([first, move_document])
    told_at = np.maximum(np.concatenate([first_seen[first], moved_at]), first_seen[told_document])

    document, amount, moment = _explained(linked)
    kept = differing[document] & (amount != 0)
    document, amount, moment = document[kept], amount[kept], moment[kept]
    moment = np.maximum(moment, first_seen[document])
    moment = _of_same_batch(document, moment, told_document, told_at, linked.part.horizon.batch_window)

    documents, moments = np.concatenate([told_document, document]), np.concatenate([told_at, moment])
    return (
        documents,
        np.concatenate([settled[first], delta, -amount]),
        np.where(moments == first_seen[documents], FIRST_SIGHT, moments),
    )


def _explained(linked: Linked) -> tuple[Places, Amounts, Places]:
    """Return (document, amount, moment) of what allocations explain, from the moment on at which it counted.

    An allocation counts from its own first sight with the amount that it had then, and each move from its own moment
    on. Where the document at its other end ceased to count, it ended with that.
    """
    allocations, history = linked.allocations, linked.history
    begins, began = microseconds(allocations["first_seen_at"]), microseconds(history["first_seen_at"])
    ended = linked.allocation_ended
    return (
        np.concatenate([linked.allocation_document] * 2 + [linked.history_document] * 2),
        np.concatenate([linked.allocation_amount + ended, -ended, -linked.history_delta, linked.history_delta]),
        np.concatenate(
            [begins, optional_microseconds(allocations["other_ended_at"]), began, microseconds(history["moved_at"])]
        ),
    )


def _of_same_batch(
    document: Places, moment: Places, told_document: Places, told_at: Places, window: timedelta
) -> Places:
    """Return each moment as that of the nearest input of its document within the window, else as it is.

    The files of one batch lie a little apart; a document is told by at most one of them.
    """
    if len(document) == 0 or len(told_document) == 0:
        return moment
    moments, rank = np.unique(np.concatenate([told_at, moment]), return_inverse=True)
    rank = rank.astype(np.int64)
    told = np.unique(told_document * len(moments) + rank[: len(told_at)])
    wanted = document * len(moments) + rank[len(told_at) :]
    after = np.searchsorted(told, wanted)
    nearest, distance = moment.copy(), np.full(len(moment), window // timedelta(microseconds=1), dtype=np.int64)
    for place in (after - 1, after):
        inside = np.clip(place, 0, len(told) - 1)
        found = moments[told[inside] % len(moments)]
        apart = np.abs(found - moment)
        better = (place == inside) & (told[inside] // len(moments) == document) & (apart <= distance)
        nearest, distance = np.where(better, found, nearest), np.where(better, apart, distance)
    return nearest


def _by_input(document: Places, amount: Amounts, moment: Places) -> Parts:
    """Sum the entries of one document and moment, in that order; what sums to 0 is explained and left out."""
    if len(document) == 0:
        return Parts(document, amount, moment)
    order = np.lexsort((moment, document))
    document, amount, moment = document[order], amount[order], moment[order]
    begins: npt.NDArray[np.bool_] = np.ones(len(document), dtype=bool)
    begins[1:] = (document[1:] != document[:-1]) | (moment[1:] != moment[:-1])
    starts = np.flatnonzero(begins)
    total = np.add.reduceat(amount, starts)
    left = total != 0
    return Parts(document[starts][left], total[left], moment[starts][left])


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
