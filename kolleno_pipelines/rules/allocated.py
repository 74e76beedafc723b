"""What the allocations of posted documents come to: which count, from which day, and what they leave unexplained.

Dating what is left does not belong here (residuals.py), nor does judging it (balances.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kolleno_pipelines.rules.columns import (
    Days,
    Flags,
    Places,
    days,
    differ,
    find,
    is_one_of,
    is_there,
    take,
    taken,
)
from kolleno_pipelines.rules.scaled import Amounts, scaled, sums
from kolleno_pipelines.schemas.ledger_parts import REFUND, DocumentKind, LedgerPart
from kolleno_pipelines.schemas.results import LINE_OF_OTHER_SIDE, Line
from kolleno_pipelines.schemas.statuses import PostingStatus

Small = npt.NDArray[np.int8]

LINES: tuple[Line, ...] = tuple(Line)
#: Line of a movement between two documents of one currency: it leaves the net as it is.
TRANSFER = -1
_DOCUMENT_KINDS = [kind.value for kind in DocumentKind]
#: Those that are settled, in their own currency; the others settle.
_SETTLED = {DocumentKind.INVOICE, DocumentKind.JOURNAL}


@dataclass(frozen=True)
class Linked:
    """A part of the ledger as arrays. Amounts in millionths in the document's own sense, days since 1970-01-01.

    Arrays named `allocation_*` run along `allocations`, `move_*` along `moves`, `history_*` along `history`, the moves
    of allocations; all hold only rows of documents here.
    """

    part: LedgerPart
    amount: Amounts
    balance: Amounts
    allocated: Amounts
    issued: Days
    allocations: pa.Table
    allocation_document: Places
    allocation_amount: Amounts  # 0 where the allocation does not count for this document
    allocation_ended: Amounts  # what it counted for until the document at its other end ceased to count, else 0
    allocation_counts: Flags
    allocation_crosses_currencies: Flags
    allocation_effective: Days
    allocation_line: Small
    moves: pa.Table
    move_document: Places
    move_delta: Amounts
    history: pa.Table
    history_document: Places
    history_delta: Amounts  # 0 where the allocation never counted for this document

    @property
    def residual(self) -> Amounts:
        """What is left unexplained: amount - balance - allocations (model 6)."""
        residual: Amounts = self.amount - self.balance - self.allocated
        return residual

    def __len__(self) -> int:
        return self.part.documents.num_rows


def link(part: LedgerPart) -> Linked:
    """Join allocations and moves to their documents and decide what counts.

    An allocation counts when what is at its other end is posted, or has no rows of its own (a discount, a deposit).
    Its amount is in the target's currency: for a paying document of another currency it counts 0.
    """
    documents = part.documents
    allocations, places = _of_documents(part.allocations, documents)
    moves, move_places = _of_documents(part.moves, documents)
    history, history_places = _of_documents(part.allocation_moves, documents)
    amount, balance, stated, delta, moved = scaled(
        documents["amount"],
        documents["balance"],
        allocations["amount"],
        moves["settled_delta"],
        history["amount_delta"],
    )
    has_rows, posted, differs = _other_sides(allocations, documents, places)
    counts, ended = _counting(part.kind, allocations, has_rows=has_rows, posted=posted, differs=differs)
    own = np.where(counts, stated, np.zeros_like(stated))
    issued = days(documents["date_issued"])
    return Linked(
        part=part,
        amount=amount,
        balance=balance,
        allocated=sums(places, own, documents.num_rows),
        issued=issued,
        allocations=allocations,
        allocation_document=places,
        allocation_amount=own,
        allocation_ended=np.where(ended, stated, np.zeros_like(stated)),
        allocation_counts=counts,
        allocation_crosses_currencies=differs & posted,
        allocation_effective=_effective(allocations, issued[places]),
        allocation_line=_lines(allocations, differs=differs),
        moves=moves,
        move_document=move_places,
        move_delta=delta,
        history=history,
        history_document=history_places,
        history_delta=np.where(_ever_counted(part.kind, history, documents, history_places), moved, moved * 0),
    )


def _counting(
    kind: DocumentKind, allocations: pa.Table, *, has_rows: Flags, posted: Flags, differs: Flags
) -> tuple[Flags, Flags]:
    """Return whether each allocation counts for the document here, and whether it did until its other end ceased to."""
    same_money = ~(differs & (kind not in _SETTLED))
    counts = (posted | ~has_rows) & same_money
    return counts, is_there(allocations["other_ended_at"]) & ~counts & same_money


def _other_sides(allocations: pa.Table, documents: pa.Table, places: Places) -> tuple[Flags, Flags, Flags]:
    """Return whether the other end has rows of its own, is posted, and is a document of another currency."""
    has_rows = is_one_of(allocations["other_kind"], [*_DOCUMENT_KINDS, REFUND])
    posted = is_one_of(allocations["other_posting_status"], [PostingStatus.POSTED.value])
    own_currency = taken(documents["currency_iso"], places)
    return has_rows, posted, differ(allocations["other_currency_iso"], own_currency) & has_rows


def _ever_counted(kind: DocumentKind, history: pa.Table, documents: pa.Table, places: Places) -> Flags:
    has_rows, posted, differs = _other_sides(history, documents, places)
    once = posted | ~has_rows | is_there(history["other_ended_at"])
    return once & ~(differs & (kind not in _SETTLED))


def _effective(allocations: pa.Table, issued: Days) -> Days:
    """Latest of date_applied (else the paying document's date) and both documents' dates (model 6).

    Without date_applied the paying document's date is one of the two documents' dates.
    """
    latest = np.maximum(days(allocations["date_applied"]), days(allocations["other_date"]))
    return np.maximum(latest, issued)


def _lines(allocations: pa.Table, *, differs: Flags) -> Small:
    lines = np.full(allocations.num_rows, TRANSFER, dtype=np.int8)
    is_document = is_one_of(allocations["other_kind"], _DOCUMENT_KINDS)
    for kind, line in LINE_OF_OTHER_SIDE.items() if not is_document.all() else ():
        lines[is_one_of(allocations["other_kind"], [kind])] = LINES.index(line)
    lines[differs] = LINES.index(Line.UNEXPLAINED)
    return lines


def _of_documents(rows: pa.Table, documents: pa.Table) -> tuple[pa.Table, Places]:
    """Return the rows whose `source_id` is among the documents, and the place of each one's document."""
    places = find(rows["source_id"], documents["source_id"])
    known = places >= 0
    return (rows, places) if known.all() else (take(rows, np.flatnonzero(known)), places[known])
