"""Documents as movements by day: what was open at the end of a day is the sum of the movements up to it (model 6).

Sorting the movements into buckets or lines of a report does not belong here (ageing.py, roll_forward.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from kolleno_pipelines.rules.allocated import LINES, Linked, Small, link
from kolleno_pipelines.rules.columns import Days, Flags, Places
from kolleno_pipelines.rules.residuals import BASES, date_parts, parts_by_input, settle
from kolleno_pipelines.rules.scaled import Amounts
from kolleno_pipelines.schemas.ledger_parts import DocumentKind, LedgerPart
from kolleno_pipelines.schemas.results import Basis, Line

NO_BASIS = -1
_EPOCH = date(1970, 1, 1)
_LINE_OF_ISSUE = {
    DocumentKind.INVOICE: Line.INVOICES,
    DocumentKind.CREDIT_NOTE: Line.CREDIT_NOTES,
    DocumentKind.PAYMENT: Line.RECEIPTS,
    DocumentKind.OVERPAYMENT: Line.RECEIPTS,
    DocumentKind.PREPAYMENT: Line.RECEIPTS,
    DocumentKind.JOURNAL: Line.JOURNALS,
}


@dataclass(frozen=True)
class Movements:
    """Changes of what is open, in the document's own sense: sum over all = balance, over days up to D = open(D)."""

    linked: Linked
    document: Places
    day: Days
    amount: Amounts
    line: Small  # index into LINES, or TRANSFER
    basis: Small  # index into BASES for unexplained parts, else NO_BASIS
    ahead: Flags  # dated after today


def day_number(day: date) -> int:
    """Return days since 1970-01-01."""
    return (day - _EPOCH).days


def movements(part: LedgerPart, today: date) -> Movements:
    """Return every movement of posted documents: issue, allocations, unexplained parts.

    A movement dated after today counts today: the source's balance, which is the truth, already holds it. So what is
    open today is the stated balance of every posted document.
    """
    linked = link(part)
    dated = date_parts(linked, settle(parts_by_input(linked)))
    counting = np.flatnonzero(linked.allocation_counts)
    count = len(linked)
    crossing = linked.allocation_line[counting] == LINES.index(Line.UNEXPLAINED)
    day = np.concatenate([linked.issued, linked.allocation_effective[counting], dated.day])
    ahead = day > day_number(today)
    return Movements(
        linked=linked,
        document=np.concatenate(
            [np.arange(count, dtype=np.int64), linked.allocation_document[counting], dated.document]
        ),
        day=np.where(ahead, day_number(today), day).astype(np.int32),
        amount=np.concatenate([linked.amount, -linked.allocation_amount[counting], -dated.amount]),
        line=np.concatenate(
            [
                np.full(count, LINES.index(_LINE_OF_ISSUE[part.kind]), dtype=np.int8),
                linked.allocation_line[counting],
                np.full(len(dated.document), LINES.index(Line.UNEXPLAINED), dtype=np.int8),
            ]
        ),
        basis=np.concatenate(
            [
                np.full(count, NO_BASIS, dtype=np.int8),
                np.where(crossing, BASES.index(Basis.CURRENCY), NO_BASIS).astype(np.int8),
                dated.basis,
            ]
        ),
        ahead=ahead,
    )
