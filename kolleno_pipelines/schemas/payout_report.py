"""A payment provider's report of its payouts, and what its comparison with the API's view says. No rule, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

#: What a row of a report says, beside its line in the file: columns of the rows that are staged, in this order.
CELLS = (
    *("source_id", "payout_source_id", "currency_iso", "amount", "fee", "net"),
    *("reporting_category", "source_object_id", "charge_source_id", "created_at", "available_on", "effective_at"),
)
#: Which of them are compared with the payout's own list, and with the balance's.
OF_PAYOUT_LIST = ("currency_iso", "amount", "fee", "net", "reporting_category")
OF_BALANCE_LIST = (*OF_PAYOUT_LIST, "source_object_id", "charge_source_id", "created_at", "available_on")

Cell = str | None
#: The line in the file, then CELLS as the database reads them; nothing where the file has no such column.
ReportRow = tuple[int, *tuple[Cell, ...]]
Values = Mapping[str, object]


class ReportCode(StrEnum):
    """What is wrong between a report and the API's view."""

    DIFFERS = "differs"
    NOT_IN_API = "not_in_api"
    NOT_IN_REPORT = "not_in_report"
    DOUBLED_IN_REPORT = "doubled_in_report"
    DOUBLED_IN_API = "doubled_in_api"
    PAYOUT_NOT_IN_API = "payout_not_in_api"
    PAYOUT_NOT_IN_REPORT = "payout_not_in_report"
    NOT_ITEMISABLE = "not_itemisable"
    AMOUNT_DIFFERS = "amount_differs"


class ReportOutcome(StrEnum):
    """What became of a payout in a comparison."""

    DIFFERS = "differs"
    PENDING = "pending"
    AGREES = "agrees"


class Period(NamedTuple):
    """The moments that a report covers, the end exclusive, and what told so."""

    start: datetime
    end: datetime
    told_by: str


@dataclass(frozen=True)
class ReportName:
    """What the name of a downloaded report says: its currency, its first and last day, its time zone."""

    currency_iso: str
    first: date
    last: date
    timezone: str


@dataclass(frozen=True)
class Asked:
    """What a person says of a report beside what its name says: first and last day, both included; the time zone."""

    first: date | None = None
    last: date | None = None
    timezone: str | None = None


class Offsets(NamedTuple):
    """How far moments of a report are from the API's: rows compared, rows that agree, the least and the most.

    in_quarters: every one is a whole number of quarters of an hour, as the offsets of time zones are.
    """

    rows: int
    equal: int
    least: timedelta | None
    most: timedelta | None
    in_quarters: bool | None


@dataclass(frozen=True)
class ReportLayout:
    """Which columns a file has: by field of CELLS the column's name, and the fields whose moments are in UTC."""

    columns: Mapping[str, str]
    in_utc: frozenset[str]


@dataclass(frozen=True)
class ComparedRow:
    """A row of a report beside what the API's two lists say of it; nothing where a list does not have it.

    first_line: where the file had it before. payouts: those whose lists have it, `times` of them in all. is_itemised:
    the payout that the report names is itemised by the API. Moments are those of the report's time zone.
    """

    line: int
    source_id: str
    payout_source_id: str
    first_line: int | None
    payouts: tuple[str, ...]
    times: int
    is_itemised: bool
    is_own: bool
    report: Values
    payout_list: Values | None
    balance_list: Values | None


@dataclass(frozen=True)
class MissingItem:
    """An item of a payout's own list that the report does not have, though it has the payout."""

    payout_source_id: str
    source_id: str
    currency_iso: str
    net: Decimal


@dataclass(frozen=True)
class Sums:
    """How many rows there are, and what they come to."""

    rows: int
    amount: Decimal
    fee: Decimal
    net: Decimal


@dataclass(frozen=True)
class PayoutSums:
    """A payout and currency, with what the report and the API's view come to; the payout's own row counts nowhere.

    line: where the report has its first row; nothing where it names the payout nowhere. payout_amount: what the payout
    states, in payout_currency_iso.
    """

    payout_source_id: str
    currency_iso: str
    line: int | None
    is_known: bool
    is_itemisable: bool
    is_complete: bool
    payout_amount: Decimal | None
    payout_currency_iso: str | None
    report: Sums
    api: Sums


@dataclass(frozen=True)
class ReportFinding:
    """One thing that is wrong: where in the file, of which row and payout, in which column, and what both sides say.

    `api_list`: which of the API's lists says so: payout, balance or both.
    """

    code: str
    line: int | None
    payout_source_id: str
    balance_transaction_source_id: str | None
    column: str | None
    report_value: str | None
    api_value: str | None
    api_list: str | None
    currency_iso: str | None
    message: str


@dataclass(frozen=True)
class PayoutCompared:
    """What became of a payout and currency: rows, gross, fee and net, by the report and by the API."""

    payout_source_id: str
    currency_iso: str
    outcome: str
    report_rows: int
    api_rows: int
    report_gross: Decimal
    api_gross: Decimal
    report_fee: Decimal
    api_fee: Decimal
    report_net: Decimal
    api_net: Decimal
