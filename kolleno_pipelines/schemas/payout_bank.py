"""Rows that the comparison of payouts with bank lines takes and gives. No rule, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from kolleno_pipelines.schemas.payout_words import ExceptionCode, PayoutOutcome

#: A payout may be booked so long before its day of arrival, which is the provider's estimate.
EARLY = timedelta(days=2)


class BankResolver(StrEnum):
    """By what the line of a payout was found."""

    TRACE_ID = "trace_id"  # the bank's reference that the provider states
    DESCRIPTOR = "descriptor"  # amount, day of arrival and the provider's name or text


@dataclass(frozen=True, slots=True)
class BankPayout:
    """A payout as the bank sees it. `is_taken_back`: it failed or was cancelled, so that the bank must not keep it."""

    connection: str
    source_id: str
    amount: Decimal
    currency_iso: str
    created_at: datetime
    date_arrival: date | None
    is_taken_back: bool
    destination_source_id: str | None


@dataclass(frozen=True, slots=True)
class BankCandidate:
    """A booked line that may be a payout's: it carries its trace id, or is of its amount, currency and days.

    `day`: booked, else of value. `is_return`: the bank says that money came back. `names_provider`: a text of the line
    has the payout's descriptor or the provider's name.
    """

    payout_connection: str
    payout_source_id: str
    connection: str
    source_id: str
    account_source_id: str
    amount: Decimal
    currency_iso: str
    amount_instructed: Decimal | None
    currency_instructed_iso: str | None
    day: date | None
    is_return: bool
    has_trace: bool
    names_provider: bool


@dataclass(frozen=True)
class BankStatement:
    """A statement with balances, all its pages together. `booked` is what its entries come to."""

    connection: str
    account_source_id: str
    currency_iso: str | None
    ref: str
    file: str
    first: date
    last: date
    opening: Decimal
    closing: Decimal
    booked: Decimal


class BankDays(NamedTuple):
    """Days of an account of which every line is known: statements that tie, each beginning where the last one ended."""

    connection: str
    account_source_id: str
    first: date
    last: date


class StatementFault(NamedTuple):
    """A statement that does not tie, or does not begin where the one before it ended."""

    connection: str
    account_source_id: str
    ref: str
    file: str
    code: str
    difference: Decimal
    evidence: str


@dataclass(frozen=True)
class BankLeg:
    """What became of a payout at the bank. `code` and `evidence` say what is wrong, `missing` what the bank lacks.

    `since`: the day of the bank from which on it is wrong.
    """

    outcome: PayoutOutcome
    resolver: BankResolver | None = None
    line: BankCandidate | None = None
    code: ExceptionCode | None = None
    missing: Decimal = Decimal(0)
    evidence: str = ""
    since: date | None = None


#: Where no bank is read.
NOT_COMPARED = BankLeg(PayoutOutcome.NOT_COMPARED)
