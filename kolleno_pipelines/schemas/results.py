"""Frames that the reconciliation rules give, and the closed lists of words in them. No rule, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

import pyarrow as pa

from kolleno_pipelines.schemas.ledger_parts import AMOUNT, DAY, MOMENT, TEXT, TOTAL, schema


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
    "invoice_deposit": Line.RECEIPTS,
    "deposit": Line.RECEIPTS,
    "discount": Line.WRITE_OFFS,
    "write_off": Line.WRITE_OFFS,
    "withholding": Line.WRITE_OFFS,
    "rounding": Line.WRITE_OFFS,
    "fx": Line.WRITE_OFFS,
}

UNAPPLIED = "unapplied"
NOT_DUE = "not_due"

#: Open payments and credit notes, and journal lines that take off.
UNAPPLIED_ITEMS = schema(
    connection=TEXT,
    kind=TEXT,
    source_id=TEXT,
    ref=TEXT,
    customer_source_id=TEXT,
    currency_iso=TEXT,
    date_issued=DAY,
    amount=AMOUNT,
    balance=TOTAL,
)

BALANCES = schema(
    break_id=TEXT,
    connection=TEXT,
    kind=TEXT,
    source_id=TEXT,
    customer_source_id=TEXT,
    currency_iso=TEXT,
    amount=AMOUNT,
    allocated=TOTAL,
    balance=TOTAL,
    difference=TOTAL,
    is_opening=pa.bool_(),
    cause=TEXT,
    since=MOMENT,
    evidence=TEXT,
)


#: Documents behind the unexplained lines of the roll-forward; amounts as that line shows them.
UNEXPLAINED = schema(
    day=DAY,
    connection=TEXT,
    kind=TEXT,
    source_id=TEXT,
    basis=TEXT,
    currency_iso=TEXT,
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
    cause: str | None = None


@dataclass(frozen=True)
class AccountTotalRow:
    """One receivables account in one currency: what its documents come to, and what the source says of it.

    `difference` is computed - stated; empty where the two cannot be compared, and `reason` says why.
    """

    break_id: str
    connection: str
    account_source_id: str
    name: str
    currency_iso: str
    computed: Decimal
    stated: Decimal | None
    difference: Decimal | None
    reason: str | None
    cause: str | None
    since: datetime
    is_break: bool = False


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
