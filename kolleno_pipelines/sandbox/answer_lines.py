"""What the right answers consist of: a line of the control totals, of the ageing, of the roll-forward, and so on.

How they follow from the events is answers.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from kolleno_pipelines.sandbox.events import ZERO, DocumentKind


@dataclass(frozen=True)
class ControlTotal:
    """What is owed in one currency; balances are positive in their document's own sense."""

    currency_iso: str
    customers: int  # customers with an open document in this currency
    invoices_open: int
    invoices_balance: Decimal
    credit_notes_balance: Decimal
    payments_balance: Decimal

    @property
    def net(self) -> Decimal:
        """Open invoices less open credit notes and money on account."""
        return self.invoices_balance - self.credit_notes_balance - self.payments_balance


@dataclass(frozen=True)
class AgeingLine:
    """One bucket; `unapplied` is negative and counts no documents. `customer` is empty in totals."""

    currency_iso: str
    bucket: str
    documents: int
    amount: Decimal
    customer: str = ""


@dataclass(frozen=True)
class RollForwardLine:
    """One day of one currency: opening + invoices - credit notes - receipts - unexplained = closing."""

    day: date
    currency_iso: str
    opening: Decimal
    invoices: Decimal
    credit_notes: Decimal
    receipts: Decimal
    unexplained: Decimal

    @property
    def closing(self) -> Decimal:
        """Net at the end of the day."""
        return self.opening + self.invoices - self.credit_notes - self.receipts - self.unexplained


@dataclass(frozen=True)
class Difference:
    """Amount less allocations less stated balance of one document.

    `opening`: it is what it was at first sight, and the document may have a past before the first files.
    """

    kind: DocumentKind
    source_id: str
    currency_iso: str
    difference: Decimal
    opening: bool


@dataclass(frozen=True)
class Unapplied:
    """Money and credit of one customer and currency that is applied to nothing."""

    customer: str
    currency_iso: str
    payments: Decimal
    credit_notes: Decimal


@dataclass(frozen=True)
class RecordState:
    """What must be true of a document after all files; `balance` is None where the source leaves it blank."""

    kind: DocumentKind
    source_id: str
    customer: str
    ref: str
    amount: Decimal
    balance: Decimal | None
    balance_open: Decimal
    currency_iso: str
    date_issued: date
    date_due: date | None
    posting_status: str
    settlement: str
    collection_status: str


def net_of(lines: Iterable[AgeingLine]) -> dict[str, Decimal]:
    """Return the net by currency of ageing lines, `unapplied` included."""
    net: dict[str, Decimal] = {}
    for line in lines:
        net[line.currency_iso] = net.get(line.currency_iso, ZERO) + line.amount
    return net
