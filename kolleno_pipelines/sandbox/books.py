"""The company's own books: what is true after a run of events, document by document. No CSV, no totals, no ageing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from kolleno_pipelines.sandbox.events import (
    INVOICE,
    ZERO,
    AllocationStated,
    BalanceMoved,
    ContactStated,
    CustomerStated,
    DisputeStated,
    DocumentCorrected,
    DocumentIssued,
    DocumentKind,
    DocumentVoided,
    Event,
    PayingKind,
)


class DocumentKey(NamedTuple):
    """Identity of a document inside the company."""

    kind: DocumentKind
    source_id: str


class PairKey(NamedTuple):
    """Identity of an allocation: the paying document and the invoice."""

    from_kind: PayingKind
    from_id: str
    to_id: str


@dataclass(slots=True)
class Unexplained:
    """A part of a document that no allocation explains and the day it counts from."""

    amount: Decimal
    day: date


@dataclass(slots=True)
class Document:
    """An invoice, credit note or payment as the company knows it."""

    key: DocumentKey
    batch: int
    customer: str
    ref: str
    amount: Decimal
    currency: str
    date_issued: date
    date_due: date | None
    date_paid: date | None
    balance_is_blank: bool
    cells: Mapping[str, str]
    settled_before: Decimal = ZERO
    unexplained: list[Unexplained] = field(default_factory=list)
    pairs: dict[PairKey, None] = field(default_factory=dict)
    voided: bool = False
    void_balance: Decimal = ZERO
    disputed: bool = False

    @property
    def unexplained_amount(self) -> Decimal:
        """Sum of the parts that no allocation explains."""
        return sum((part.amount for part in self.unexplained), ZERO)


@dataclass(slots=True)
class Allocation:
    """What one paying document pays of one invoice; amount 0 means that it ended."""

    key: PairKey
    batch: int
    amount: Decimal
    date_applied: date | None


@dataclass(slots=True)
class Touched:
    """Records that a batch must state again."""

    customers: dict[str, None] = field(default_factory=dict)
    contacts: dict[str, None] = field(default_factory=dict)
    documents: dict[DocumentKey, None] = field(default_factory=dict)
    pairs: dict[PairKey, None] = field(default_factory=dict)


class Books:
    """State after the events applied so far; `version_days` gives each batch's day for parts without a date."""

    def __init__(self, version_days: Mapping[int, date]) -> None:
        self.version_days = version_days
        self.customers: dict[str, Mapping[str, str]] = {}
        self.contacts: dict[str, Mapping[str, str]] = {}
        self.documents: dict[DocumentKey, Document] = {}
        self.allocations: dict[PairKey, Allocation] = {}

    def apply(self, event: Event, touched: Touched) -> None:
        """Take one event into the books and note in `touched` which records it changes."""
        match event:
            case CustomerStated():
                self.customers[event.source_id] = event.cells
                touched.customers[event.source_id] = None
            case ContactStated():
                self.contacts[event.source_id] = event.cells
                touched.contacts[event.source_id] = None
            case DocumentIssued():
                self._issue(event, touched)
            case DocumentCorrected():
                self._correct(event, touched)
            case AllocationStated():
                self._allocate(event, touched)
            case BalanceMoved():
                self._move(event, touched)
            case DocumentVoided():
                self._void(event, touched)
            case DisputeStated():
                key = DocumentKey(INVOICE, event.source_id)
                self.documents[key].disputed = event.disputed
                touched.documents[key] = None

    def is_live(self, pair: PairKey) -> bool:
        """Whether an allocation counts: not ended, and neither of its documents voided."""
        allocation = self.allocations[pair]
        return (
            allocation.amount != 0
            and not self.documents[DocumentKey(pair.from_kind, pair.from_id)].voided
            and not self.documents[DocumentKey(INVOICE, pair.to_id)].voided
        )

    def allocated(self, document: Document) -> Decimal:
        """Sum of the document's live allocations, in its own currency."""
        return sum((self.allocations[pair].amount for pair in document.pairs if self.is_live(pair)), ZERO)

    def balance(self, document: Document) -> Decimal:
        """What is open: amount less allocations less unexplained parts; 0 for a voided document."""
        if document.voided:
            return ZERO
        return document.amount - document.unexplained_amount - self.allocated(document)

    def effective_day(self, pair: PairKey) -> date:
        """Day an allocation counts from: the latest of its own (else the payer's) day and both documents' days."""
        payer = self.documents[DocumentKey(pair.from_kind, pair.from_id)]
        invoice = self.documents[DocumentKey(INVOICE, pair.to_id)]
        applied = self.allocations[pair].date_applied or payer.date_issued
        return max(applied, payer.date_issued, invoice.date_issued)

    def may_lack_history(self, document: Document) -> bool:
        """Whether a document may have a past before the first files: told with them, or dated up to their day."""
        first_day = min(self.version_days.values())
        return self.version_days[document.batch] == first_day or document.date_issued <= first_day

    def _issue(self, event: DocumentIssued, touched: Touched) -> None:
        key = DocumentKey(event.kind, event.source_id)
        document = Document(
            key=key,
            batch=event.batch,
            customer=event.customer,
            ref=event.ref,
            amount=event.amount,
            currency=event.currency,
            date_issued=event.date_issued,
            date_due=event.date_due,
            date_paid=event.date_paid,
            balance_is_blank=event.balance_is_blank,
            cells=event.cells,
            settled_before=event.settled_before,
        )
        if event.settled_before:
            day = max(event.date_paid or event.date_issued, event.date_issued)
            document.unexplained.append(Unexplained(event.settled_before, day))
        self.documents[key] = document
        touched.documents[key] = None

    def _correct(self, event: DocumentCorrected, touched: Touched) -> None:
        document = self.documents[DocumentKey(event.kind, event.source_id)]
        document.amount = document.amount if event.amount is None else event.amount
        document.ref = event.ref or document.ref
        document.date_issued = event.date_issued or document.date_issued
        document.date_due = event.date_due or document.date_due
        if event.description is not None:
            document.cells = {**document.cells, "description": event.description}
        touched.documents[document.key] = None

    def _allocate(self, event: AllocationStated, touched: Touched) -> None:
        pair = PairKey(event.from_kind, event.from_id, event.to_id)
        before = self.allocations.get(pair)
        date_applied = event.date_applied or (before.date_applied if before else None)
        batch = before.batch if before else event.batch
        self.allocations[pair] = Allocation(pair, batch, event.amount, date_applied)
        touched.pairs[pair] = None
        for key in (DocumentKey(pair.from_kind, pair.from_id), DocumentKey(INVOICE, pair.to_id)):
            self.documents[key].pairs[pair] = None
            if not self.documents[key].balance_is_blank:
                touched.documents[key] = None

    def _move(self, event: BalanceMoved, touched: Touched) -> None:
        document = self.documents[DocumentKey(event.kind, event.source_id)]
        document.date_paid = event.date_paid or document.date_paid
        stated = document.date_paid if document.key.kind == INVOICE else None
        if event.amount > 0:
            day = max(stated or self.version_days[event.batch], document.date_issued)
            document.unexplained.append(Unexplained(event.amount, day))
        else:
            _take_back(document.unexplained, -event.amount)
        touched.documents[document.key] = None

    def _void(self, event: DocumentVoided, touched: Touched) -> None:
        document = self.documents[DocumentKey(event.kind, event.source_id)]
        live = [pair for pair in document.pairs if self.is_live(pair)]
        document.voided, document.void_balance = True, event.balance
        touched.documents[document.key] = None
        for pair in live:
            other = DocumentKey(pair.from_kind, pair.from_id)
            other = DocumentKey(INVOICE, pair.to_id) if other == document.key else other
            if not self.documents[other].balance_is_blank:
                touched.documents[other] = None
            if event.sends_ends:
                self.allocations[pair].amount = ZERO
                touched.pairs[pair] = None


def _take_back(parts: list[Unexplained], amount: Decimal) -> None:
    """Take an amount off what is unexplained: the newest part of exactly that size, else the newest parts."""
    for place in reversed(range(len(parts))):
        if parts[place].amount == amount:
            del parts[place]
            return
    while amount:
        taken = min(amount, parts[-1].amount)
        parts[-1].amount -= taken
        amount -= taken
        if not parts[-1].amount:
            parts.pop()
