"""What of two connections of one company is compared, and what comes of it. No rule, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum


class Gap(StrEnum):
    """What one of two systems cannot state; listed as expected."""

    NO_JOURNALS = "no_journals"  # one of them has no journals on receivables
    ZERO_PAYMENT = "zero_payment"  # a payment of 0 by which one of them applies a credit
    NO_GROUPS = "no_groups"  # one of them has no parents of customers


class Differs(StrEnum):
    """What the ledger and a mirror say otherwise about one document or customer."""

    NOT_IN_MIRROR = "not_in_mirror"
    NOT_IN_LEDGER = "not_in_ledger"
    CUSTOMER = "customer"
    DATE = "date"
    CURRENCY = "currency"
    AMOUNT = "amount"
    BALANCE = "balance"
    PARENT = "parent"


@dataclass(frozen=True)
class SystemTraits:
    """What a system can state."""

    has_journals: bool = True
    has_groups: bool = True


TRAITS: dict[str, SystemTraits] = {
    "sftp": SystemTraits(has_journals=False),
    "xero": SystemTraits(has_journals=False, has_groups=False),
}


def traits_of(system: str) -> SystemTraits:
    """Return what a system can state; one that nothing is said of can state everything."""
    return TRAITS.get(system, SystemTraits())


@dataclass(frozen=True)
class SideCustomer:
    """A customer of one connection; `match` is what it is found by on the other side."""

    source_id: str
    match: str
    parent_source_id: str | None
    observed_at: datetime


@dataclass(frozen=True)
class SideDocument:
    """A document of one connection, in its own sense, with its customer's `match`; kinds as they are compared.

    What is not posted has a balance of 0 and counts for nothing; it says why the other side's is alone.
    """

    kind: str
    source_id: str
    ref: str | None
    customer: str
    currency_iso: str
    date_issued: date
    is_posted: bool
    amount: Decimal
    balance: Decimal
    observed_at: datetime


@dataclass(frozen=True)
class Side:
    """One connection as agreement reads it.

    `documents` may leave out those that have an equal counterpart; `owed` is what all come to, by customer (`match`)
    and currency. `read_upto` is the newest input.
    """

    connection: str
    traits: SystemTraits
    customers: Sequence[SideCustomer]
    documents: Sequence[SideDocument]
    owed: Mapping[tuple[str, str], Decimal]
    read_upto: datetime


@dataclass(frozen=True)
class AgreementRow:
    """What one customer owes in one currency by the ledger and by a mirror; `expected` is what the systems imply."""

    connection: str
    mirror: str
    customer_source_id: str
    mirror_customer_source_id: str
    currency_iso: str
    balance: Decimal
    mirror_balance: Decimal
    difference: Decimal
    expected: Decimal


@dataclass(frozen=True)
class AgreementBreak:
    """A document, or a customer, of which the ledger and a mirror say something else."""

    break_id: str
    connection: str
    mirror: str
    kind: str
    differs: str
    source_id: str
    mirror_source_id: str
    ref: str | None
    date_issued: date | None
    customer_source_id: str | None
    mirror_customer_source_id: str | None
    currency_iso: str | None
    amount: Decimal | None
    mirror_amount: Decimal | None
    balance: Decimal | None
    mirror_balance: Decimal | None
    cause: str | None
    since: datetime


@dataclass(frozen=True)
class AgreementGap:
    """What one of the two systems cannot state; `balance` is its part of what is owed, ledger - mirror."""

    connection: str
    mirror: str
    gap: str
    kind: str
    currency_iso: str
    items: int
    balance: Decimal
