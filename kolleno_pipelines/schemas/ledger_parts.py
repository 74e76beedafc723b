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
    """The documents that open amounts are made of: an invoice is owed to us, credits and money are owed by us.

    A journal is a line on a receivables account, signed in itself: debit positive, what is owed to us.
    """

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    PAYMENT = "payment"
    OVERPAYMENT = "overpayment"
    PREPAYMENT = "prepayment"
    JOURNAL = "journal"

    @property
    def sign(self) -> int:
        """+1 where the document adds to what is owed to us, -1 where it takes off."""
        return 1 if self in {DocumentKind.INVOICE, DocumentKind.JOURNAL} else -1


#: Money received, applied or on account: rows of `receivables.payments`.
MONEY_KINDS = (DocumentKind.PAYMENT, DocumentKind.OVERPAYMENT, DocumentKind.PREPAYMENT)
#: Kinds that an allocation may name beside documents, and whose rows say whether they count.
REFUND = "refund"
#: Stands for the posting status of the other side where the setting `link_cap` leaves an allocation out.
BEYOND_CAP = "beyond_cap"

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
#: (null where it counts, or never did); `amount_at` when the amount last moved. What comes out of a journal line has a
#: negative amount, as the line has: it makes less of a credit.
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
    `is_complete`: a system that is asked told all of its history, whatever the day on which it was asked.
    """

    baseline: datetime | None = None
    batch_window: timedelta = timedelta(minutes=15)
    is_complete: bool = False


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
    payments_balance: Decimal  # overpayments and prepayments included
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
class ReceivablesAccount:
    """An account on which receivables are kept, with what the source states of it, in the account's currency.

    `last_read` is when the source was last asked for it.
    """

    connection: str
    source_id: str
    name: str
    currency_iso: str | None
    stated: Decimal | None
    observed_at: datetime
    last_read: datetime


@dataclass(frozen=True)
class AccountTotal:
    """What the documents of one currency on one account come to now; without an account where they name none.

    `changed_at` is the newest version among them.
    """

    account_source_id: str | None
    currency_iso: str
    net: Decimal
    net_home: Decimal  # in home currency, each document at its own rate, to the cent
    changed_at: datetime
