"""Frames that the reconciliation rules take: documents, allocations, their moves, stated totals. No rule, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import pyarrow as pa

AMOUNT = pa.decimal128(20, 6)
TOTAL = pa.decimal128(38, 6)
MOMENT = pa.timestamp("us", "UTC")
TEXT, DAY = pa.string(), pa.date32()


def schema(**columns: pa.DataType) -> pa.Schema:
    """Return the schema of a frame, its columns in the order given."""
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


#: Posted documents of one connection and kind, as the rules take them; the group is the customer's ultimate parent.
DOCUMENTS = schema(
    source_id=TEXT,
    customer_source_id=TEXT,
    group_source_id=TEXT,
    currency_iso=TEXT,
    amount=AMOUNT,
    balance=TOTAL,
    balance_source=TEXT,
    status_stated=TEXT,
    date_issued=DAY,
    date_due=DAY,
    date_paid=DAY,
    first_seen_at=MOMENT,
)

#: Live allocations of those documents; `source_id` is the document's, `other_*` the document at the other end (null
#: where it is not known) and its customer's ultimate parent; `other_ended_at` when that document ceased to count
#: (null where it counts, or never did); `amount_at` when the amount last moved.
ALLOCATIONS = schema(
    source_id=TEXT,
    other_kind=TEXT,
    other_source_id=TEXT,
    other_posting_status=TEXT,
    other_date=DAY,
    other_currency_iso=TEXT,
    other_group=TEXT,
    amount=AMOUNT,
    date_applied=DAY,
    first_seen_at=MOMENT,
    amount_at=MOMENT,
    other_ended_at=MOMENT,
)

#: Later inputs in which the stated amount - balance of a document changed.
MOVES = schema(source_id=TEXT, moved_at=MOMENT, settled_delta=TOTAL)

#: Later inputs in which the amount of an allocation of those documents changed, its end included; `source_id` and
#: `other_*` as in ALLOCATIONS, `first_seen_at` the allocation's own.
ALLOCATION_MOVES = schema(
    source_id=TEXT,
    other_kind=TEXT,
    other_posting_status=TEXT,
    other_currency_iso=TEXT,
    other_ended_at=MOMENT,
    first_seen_at=MOMENT,
    moved_at=MOMENT,
    amount_delta=AMOUNT,
)

#: Allocation rows that wait for a parent, with the document that they would touch.
PARKED_LINKS = schema(
    source_id=TEXT,
    amount=AMOUNT,
    file=TEXT,
    line=pa.int32(),
    code=TEXT,
    parent_table=TEXT,
    parent_id=TEXT,
    parent_is_parked=pa.bool_(),
)


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
