"""What happened in the synthetic company, as a list of immutable events. No simulation, no CSV, no sums.

Every event carries the number of the batch that tells it; batches are numbered by the time in their files' names, so
the list of events is in version order whatever the order in which the files arrive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from kolleno_pipelines.schemas.sftp_tables import TableName

DocumentKind = Literal["invoice", "credit_note", "payment"]
PayingKind = Literal["payment", "credit_note"]

INVOICE: DocumentKind = "invoice"
CREDIT_NOTE: Literal["credit_note"] = "credit_note"
PAYMENT: Literal["payment"] = "payment"

#: The file in which documents of a kind stand.
TABLE_OF: Mapping[DocumentKind, TableName] = {
    INVOICE: TableName.INVOICES,
    CREDIT_NOTE: TableName.CREDIT_NOTES,
    PAYMENT: TableName.PAYMENTS,
}

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch of seven files: its name time (UTC), the day it arrives, its level-3 and extra columns by table."""

    number: int
    name_time: datetime
    arrives_on: date
    columns: Mapping[TableName, tuple[str, ...]]

    @property
    def version_day(self) -> date:
        """Day of the time in the files' names; dates what the batch changes without a date of its own."""
        return self.name_time.date()


@dataclass(frozen=True, slots=True)
class CustomerStated:
    """A customer is new or changed; `cells` holds every column of the customers file."""

    batch: int
    source_id: str
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ContactStated:
    """A contact is new or changed; `cells` holds every column of the contacts file."""

    batch: int
    source_id: str
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DocumentIssued:
    """A document is told for the first time; `settled_before` is the part whose history lies before the baseline."""

    batch: int
    kind: DocumentKind
    source_id: str
    customer: str
    ref: str
    amount: Decimal
    currency: str
    date_issued: date
    date_due: date | None = None
    settled_before: Decimal = ZERO
    date_paid: date | None = None
    balance_is_blank: bool = False
    cells: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DocumentCorrected:
    """A later batch restates an older document; None leaves a field as it was."""

    batch: int
    kind: DocumentKind
    source_id: str
    amount: Decimal | None = None
    ref: str | None = None
    date_issued: date | None = None
    date_due: date | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class AllocationStated:
    """The whole amount of the pair (paying document, invoice) is now `amount`; 0 ends it."""

    batch: int
    from_kind: PayingKind
    from_id: str
    to_id: str
    amount: Decimal
    date_applied: date | None


@dataclass(frozen=True, slots=True)
class BalanceMoved:
    """A balance falls by `amount` and no allocation says why (write-off, refund): an unexplained part.

    Below 0 it rises: a part of what was unexplained is taken back.
    """

    batch: int
    kind: DocumentKind
    source_id: str
    amount: Decimal
    date_paid: date | None


@dataclass(frozen=True, slots=True)
class DocumentVoided:
    """A document no longer counts; the source goes on stating `balance`; `sends_ends` also sends links with 0."""

    batch: int
    kind: DocumentKind
    source_id: str
    balance: Decimal
    sends_ends: bool


@dataclass(frozen=True, slots=True)
class DisputeStated:
    """An invoice is disputed, or no longer; a disputed invoice counts like any other."""

    batch: int
    source_id: str
    disputed: bool


Event = (
    CustomerStated
    | ContactStated
    | DocumentIssued
    | DocumentCorrected
    | AllocationStated
    | BalanceMoved
    | DocumentVoided
    | DisputeStated
)
