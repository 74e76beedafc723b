"""Frames that the reconciliation rules take and give, and the closed lists of words in them. No rule, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import pyarrow as pa

AMOUNT = pa.decimal128(20, 6)
TOTAL = pa.decimal128(38, 6)
MOMENT = pa.timestamp("us", "UTC")
_TEXT, _DAY = pa.string(), pa.date32()


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field(name, kind) for name, kind in columns.items()])


class DocumentKind(StrEnum):
    """The documents that have a table of their own; an invoice is owed to us, the others are owed by us."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    PAYMENT = "payment"

    @property
    def sign(self) -> int:
        """+1 where the document adds to what is owed to us, -1 where it takes off."""
        return 1 if self is DocumentKind.INVOICE else -1


class Cause(StrEnum):
    """Probable cause of a break (model 7). A break without a sign of any has none."""

    STALE_EXTRACT = "stale_extract"
    MISSING_DOCUMENT = "missing_document"
    LINK_CAP = "link_cap"
    OPENING = "opening"
    VOID = "void"
    UNREAD_KIND = "unread_kind"
    FX = "fx"
    ROUNDING = "rounding"
    DUPLICATE = "duplicate"
    PARKED = "parked"
    MOVED_DURING_READ = "moved_during_read"


class BreakStatus(StrEnum):
    """Where a break stands; an accepted one is not red."""

    OPEN = "open"
    ACCEPTED = "accepted"
    RESOLVED = "resolved"
    REOPENED = "reopened"


class Basis(StrEnum):
    """What dated an unexplained part (model 6)."""

    DATE_PAID = "date_paid"
    MOVED = "moved"  # the version day of the input in which the stated balance moved
    FIRST_SEEN = "first_seen"  # present at first sight: dated at issue, history_incomplete
    CURRENCY = "currency"  # an allocation across currencies: explained, yet no movement of one currency


class Line(StrEnum):
    """The lines of the roll-forward, in its order."""

    INVOICES = "invoices"
    CREDIT_NOTES = "credit_notes"
    RECEIPTS = "receipts"
    REFUNDS = "refunds"
    JOURNALS = "journals"
    WRITE_OFFS = "write_offs"
    UNEXPLAINED = "unexplained"


#: How each line enters: opening + sum(sign * line) = closing.
LINE_SIGNS: dict[Line, int] = {
    Line.INVOICES: 1,
    Line.CREDIT_NOTES: -1,
    Line.RECEIPTS: -1,
    Line.REFUNDS: 1,
    Line.JOURNALS: 1,
    Line.WRITE_OFFS: -1,
    Line.UNEXPLAINED: -1,
}

#: The other side of an allocation where it has no document table: the line on which the movement shows.
LINE_OF_OTHER_SIDE: dict[str, Line] = {
    "refund": Line.REFUNDS,
    "finance_charge": Line.JOURNALS,
    "journal": Line.JOURNALS,
    "invoice_deposit": Line.RECEIPTS,
    "deposit": Line.RECEIPTS,
    "overpayment": Line.RECEIPTS,
    "prepayment": Line.RECEIPTS,
    "discount": Line.WRITE_OFFS,
    "write_off": Line.WRITE_OFFS,
    "withholding": Line.WRITE_OFFS,
    "rounding": Line.WRITE_OFFS,
    "fx": Line.WRITE_OFFS,
}

UNAPPLIED = "unapplied"
NOT_DUE = "not_due"

#: Posted documents of one connection and kind, as the rules take them; the group is the customer's ultimate parent.
DOCUMENTS = _schema(
    source_id=_TEXT,
    customer_source_id=_TEXT,
    group_source_id=_TEXT,
    currency_iso=_TEXT,
    amount=AMOUNT,
    balance=TOTAL,
    balance_source=_TEXT,
    status_stated=_TEXT,
    date_issued=_DAY,
    date_due=_DAY,
    date_paid=_DAY,
    first_seen_at=MOMENT,
)

#: Live allocations of those documents; `source_id` is the document's, `other_*` the document at the other end (null
#: where it is not known) and its customer's ultimate parent; `other_ended_at` when that document ceased to count
#: (null where it counts, or never did); `amount_at` when the amount last moved.
ALLOCATIONS = _schema(
    source_id=_TEXT,
    other_kind=_TEXT,
    other_source_id=_TEXT,
    other_posting_status=_TEXT,
    other_date=_DAY,
    other_currency_iso=_TEXT,
    other_group=_TEXT,
    amount=AMOUNT,
    date_applied=_DAY,
    first_seen_at=MOMENT,
    amount_at=MOMENT,
    other_ended_at=MOMENT,
)

#: Later inputs in which the stated amount - balance of a document changed.
MOVES = _schema(source_id=_TEXT, moved_at=MOMENT, settled_delta=TOTAL)

#: Later inputs in which the amount of an allocation of those documents changed, its end included; `source_id` and
#: `other_*` as in ALLOCATIONS, `first_seen_at` the allocation's own.
ALLOCATION_MOVES = _schema(
    source_id=_TEXT,
    other_kind=_TEXT,
    other_posting_status=_TEXT,
    other_currency_iso=_TEXT,
    other_ended_at=MOMENT,
    first_seen_at=MOMENT,
    moved_at=MOMENT,
    amount_delta=AMOUNT,
)

#: Allocation rows that wait for a parent, with the document that they would touch.
PARKED_LINKS = _schema(
    source_id=_TEXT,
    amount=AMOUNT,
    file=_TEXT,
    line=pa.int32(),
    code=_TEXT,
    parent_table=_TEXT,
    parent_id=_TEXT,
    parent_is_parked=pa.bool_(),
)

#: Open payments and credit notes.
UNAPPLIED_ITEMS = _schema(
    connection=_TEXT,
    kind=_TEXT,
    source_id=_TEXT,
    ref=_TEXT,
    customer_source_id=_TEXT,
    currency_iso=_TEXT,
    date_issued=_DAY,
    amount=AMOUNT,
    balance=TOTAL,
)

BALANCES = _schema(
    break_id=_TEXT,
    connection=_TEXT,
    kind=_TEXT,
    source_id=_TEXT,
    customer_source_id=_TEXT,
    currency_iso=_TEXT,
    amount=AMOUNT,
    allocated=TOTAL,
    balance=TOTAL,
    difference=TOTAL,
    is_opening=pa.bool_(),
    cause=_TEXT,
    since=MOMENT,
    evidence=_TEXT,
)


#: Documents behind the unexplained lines of the roll-forward; amounts as that line shows them.
UNEXPLAINED = _schema(
    day=_DAY,
    connection=_TEXT,
    kind=_TEXT,
    source_id=_TEXT,
    basis=_TEXT,
    currency_iso=_TEXT,
    amount=TOTAL,
)


@dataclass(frozen=True)
class Break:
    """What does not agree, as a result hands it to `differences`; a side is kind and source_id, "" for none."""

    break_id: str
    connection: str
    kind: str
    left_kind: str
    left_source_id: str
    right_kind: str
    right_source_id: str
    customer_source_id: str | None
    currency_iso: str | None
    amount: Decimal | None
    cause: str | None
    since: datetime
    evidence: str  # a JSON object


@dataclass(frozen=True)
class Horizon:
    """How far back the inputs of a connection reach, and how far apart the files of one batch may lie.

    `baseline` is the version of its earliest live input; None where there is none: then no history is here.
    """

    baseline: datetime | None = None
    batch_window: timedelta = timedelta(minutes=15)


@dataclass(frozen=True)
class LedgerPart:
    """Posted documents of one connection and kind with their live allocations and moves: a chunk, or all of them."""

    connection: str
    kind: DocumentKind
    documents: pa.Table  # DOCUMENTS
    allocations: pa.Table  # ALLOCATIONS
    moves: pa.Table  # MOVES
    allocation_moves: pa.Table = field(default_factory=ALLOCATION_MOVES.empty_table)
    horizon: Horizon = Horizon()


@dataclass(frozen=True)
class BalanceSummaryRow:
    """How many documents of one connection, kind and currency tie, with their sums."""

    connection: str
    kind: str
    currency_iso: str
    documents: int
    tied: int
    unproven: int
    differing: int
    opening: int
    amount: Decimal
    allocated: Decimal
    balance: Decimal
    difference: Decimal


@dataclass(frozen=True)
class CustomerTotal:
    """What one customer's documents of one currency come to now, and what the source says it owes, if it does."""

    connection: str
    customer_source_id: str
    currency_iso: str
    invoices_open: int
    items_open: int
    invoices_balance: Decimal
    credit_notes_balance: Decimal
    payments_balance: Decimal
    journals_balance: Decimal

    @property
    def net(self) -> Decimal:
        """Open invoices - credit notes - unapplied payments + journals."""
        return self.invoices_balance - self.credit_notes_balance - self.payments_balance + self.journals_balance


@dataclass(frozen=True)
class StatedTotal:
    """What the source states that one customer owes; without a currency where the customer has none.

    `currencies` are those of the posted documents of a customer without a currency.
    """

    connection: str
    customer_source_id: str
    currency_iso: str | None
    stated: Decimal
    observed_at: datetime
    currencies: tuple[str, ...] = ()


@dataclass(frozen=True)
class ControlTotal:
    """One connection and currency: what is owed by its documents, and by the source's own word."""

    connection: str
    currency_iso: str
    customers: int
    invoices_open: int
    invoices_balance: Decimal
    credit_notes_balance: Decimal
    payments_balance: Decimal
    journals_balance: Decimal
    net: Decimal
    stated: Decimal | None
    difference: Decimal | None


@dataclass(frozen=True)
class ControlTotalBreak:
    """A customer whose computed balance is not the stated one."""

    break_id: str
    connection: str
    customer_source_id: str
    currency_iso: str
    computed: Decimal
    stated: Decimal
    difference: Decimal
    since: datetime


@dataclass(frozen=True)
class NotComparable:
    """A customer whose stated balance has no currency and cannot be given one; `currencies` of its documents."""

    connection: str
    customer_source_id: str
    stated: Decimal
    currencies: str


@dataclass(frozen=True)
class AgeingRow:
    """What was open at the end of a day in one bucket; `customer_source_id` is None where customers are summed."""

    day: date
    connection: str
    customer_source_id: str | None
    currency_iso: str
    bucket: str
    documents: int
    amount: Decimal


@dataclass(frozen=True)
class RollForwardRow:
    """One day of one connection and currency: opening + lines = closing."""

    day: date
    connection: str
    currency_iso: str
    opening: Decimal
    invoices: Decimal
    credit_notes: Decimal
    receipts: Decimal
    refunds: Decimal
    journals: Decimal
    write_offs: Decimal
    unexplained: Decimal
    closing: Decimal
    dated_ahead: Decimal
