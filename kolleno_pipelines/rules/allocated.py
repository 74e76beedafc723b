"""What the allocations of posted documents come to: which count, from which day, and what they leave unexplained.

Dating what is left does not belong here (residuals.py), nor does judging it (balances.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kolleno_pipelines.rules.columns import Days, Flags, Places, days, differ, find, is_one_of, take, taken, texts
from kolleno_pipelines.rules.scaled import Amounts, scaled, sums
from kolleno_pipelines.schemas.results import LINE_OF_OTHER_SIDE, DocumentKind, LedgerPart, Line
from kolleno_pipelines.schemas.statuses import PostingStatus

Small = npt.NDArray[np.int8]

LINES: tuple[Line, ...] = tuple(Line)
#: Line of a movement between two documents of one currency: it leaves the net as it is.
TRANSFER = -1


@dataclass(frozen=True)
class Linked:
    """A part of the ledger as arrays. Amounts in millionths in the document's own sense, days since 1970-01-01.

    Arrays named `allocation_*` run along `allocations`, `move_*` along `moves`; both hold only rows of documents here.
    """

    part: LedgerPart
    amount: Amounts
    balance: Amounts
    allocated: Amounts
    issued: Days
    allocations: pa.Table
    allocation_document: Places
    allocation_amount: Amounts  # 0 where the allocation does not count for this document
    allocation_counts: Flags
    allocation_crosses_currencies: Flags
    allocation_effective: Days
    allocation_line: Small
    moves: pa.Table
    move_document: Places
    move_delta: Amounts

    @property
    def residual(self) -> Amounts:
        """What is left unexplained: amount - balance - allocations (model 6)."""
        residual: Amounts = self.amount - self.balance - self.allocated
        return residual

    def __len__(self) -> int:
        return self.part.documents.num_rows


def link(part: LedgerPart) -> Linked:
    """Join allocations and moves to their documents and decide what counts.

    An allocation counts when the document at its other end is posted, or has no table of its own (a refund, a
    discount). Its amount is in the target's currency: for a paying document of another currency it counts 0.
    """
    documents = part.documents
    allocations, places = _of_documents(part.allocations, documents)
    moves, move_places = _of_documents(part.moves, documents)
    amount, balance, stated, delta = scaled(
        documents["amount"], documents["balance"], allocations["amount"], moves["settled_delta"]
    )
    has_document = is_one_of(allocations["other_kind"], [kind.value for kind in DocumentKind])
    posted = is_one_of(allocations["other_posting_status"], [PostingStatus.POSTED.value])
    own_currency = taken(documents["currency_iso"], places)
    differs = differ(allocations["other_currency_iso"], own_currency) & has_document
    counts = (posted | ~has_document) & ~(differs & (part.kind is not DocumentKind.INVOICE))
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
        allocation_counts=counts,
        allocation_crosses_currencies=differs & posted,
        allocation_effective=_effective(allocations, issued[places]),
        allocation_line=_lines(allocations, has_document=has_document, differs=differs),
        moves=moves,
        move_document=move_places,
        move_delta=delta,
    )


def _effective(allocations: pa.Table, issued: Days) -> Days:
    """Latest of date_applied (else the paying document's date) and both documents' dates (model 6).

    Without date_applied the paying document's date is one of the two documents' dates.
    """
    latest = np.maximum(days(allocations["date_applied"]), days(allocations["other_date"]))
    return np.maximum(latest, issued)


def _lines(allocations: pa.Table, *, has_document: Flags, differs: Flags) -> Small:
    lines = np.full(allocations.num_rows, TRANSFER, dtype=np.int8)
    lines[differs] = LINES.index(Line.UNEXPLAINED)
    if not has_document.all():
        kinds = texts(allocations["other_kind"])
        for place in np.flatnonzero(~has_document):
            lines[place] = LINES.index(LINE_OF_OTHER_SIDE[kinds[place]])
    return lines


def _of_documents(rows: pa.Table, documents: pa.Table) -> tuple[pa.Table, Places]:
    """Return the rows whose `source_id` is among the documents, and the place of each one's document."""
    places = find(rows["source_id"], documents["source_id"])
    known = places >= 0
    return (rows, places) if known.all() else (take(rows, np.flatnonzero(known)), places[known])
