"""One parser per kind of cell: text in, a typed value or the reason why not out. No rows, no files.

Nothing is trimmed or guessed: a cell is taken as it stands. An id keeps its blanks and leading zeros; text keeps its
blanks; numbers, dates, flags and codes must match exactly, so that a blank around them is a reason of its own. Only a
status word is looked up in a normalised spelling, and kept as sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cache

from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.currencies import country_codes, currency_codes
from kolleno_pipelines.schemas.sftp_tables import Column, Kind
from kolleno_pipelines.schemas.statuses import SFTP_STATUSES, normalise_status

# The patterns of the whole column, for Arrow's RE2.
DECIMAL_PATTERN = r"^-?[0-9]{1,14}(\.[0-9]{1,6})?$"
_EMAIL_PART = r'[^\s@,;:<>"()\[\]\\\x00-\x1f]+'
EMAIL_PATTERN = rf"^{_EMAIL_PART}@{_EMAIL_PART}\.[^\s@.,;:<>\"()\[\]\\\x00-\x1f]+$"
_EMAIL = re.compile(EMAIL_PATTERN.strip("^$"), re.ASCII)
EMAIL_LENGTH = 254
NULL_TOKENS = ("null", "none", "nan")

_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})
_FIRST_YEAR, _LAST_YEAR = 1900, 2199


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a cell cannot be taken; told as "<column> '<value>' <wrong>, expected <expected>"."""

    code: Code
    wrong: str
    expected: str


Parsed = str | date | bool | Fault

EMPTY = Fault(Code.REQUIRED_VALUE_EMPTY, "is empty", "a value in every row")
BLANK = Fault(Code.REQUIRED_VALUE_EMPTY, "is blank", "a value in every row")
NULL_TOKEN = Fault(Code.NULL_TOKEN, "is a word for no value", "an empty cell where there is none")
NEGATIVE = Fault(Code.NEGATIVE_AMOUNT, "is negative", "an amount of 0 or more, in the document's own sense")
_BAD_DECIMAL = "a number such as 1234.50: at most 14 digits, a point, at most 6 decimals, no thousands separator"
_BAD_DATE = f"a date YYYY-MM-DD of the years {_FIRST_YEAR} to {_LAST_YEAR}"
_BAD_EMAIL = Fault(Code.BAD_EMAIL, "is not an e-mail address", "one address such as name@example.com")
_BAD_CURRENCY = Fault(Code.BAD_CURRENCY, "is not a currency code", "an ISO 4217 code in capitals such as USD")
_BAD_COUNTRY = Fault(Code.BAD_COUNTRY, "is not a country code", "an ISO 3166 code of two capitals such as US")
_BAD_BOOLEAN = Fault(Code.BAD_BOOLEAN, "is neither true nor false", "true, false, yes, no, 1 or 0")
_BAD_STATUS = "is no status that is known"


@cache
def too_long(column: Column) -> Fault:
    """Return the fault of a cell longer than its column allows: a descriptive one is ignored, any other rejected."""
    code = Code.VALUE_IGNORED if column.descriptive else Code.VALUE_TOO_LONG
    return Fault(code, "is too long", f"at most {column.max_length:,} characters")


def is_null_token(cell: str) -> bool:
    """Whether the whole cell says NULL, None or NaN in any case (article 11647004: no NULL values)."""
    return cell.lower() in NULL_TOKENS


def date_of(cell: str, column: Column) -> Parsed:
    """Return the day of a cell YYYY-MM-DD, or why it is none."""
    match = _DATE.fullmatch(cell)
    if match is None:
        # Digits and hyphens of a date, but more of them than a date has.
        if len(cell) > column.max_length and not cell.strip("0123456789-"):
            return too_long(column)
        return Fault(Code.BAD_DATE, "is not a date", _BAD_DATE)
    year, month, day = map(int, match.groups())
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        return Fault(Code.BAD_DATE, "is too far from today", _BAD_DATE)
    try:
        return date(year, month, day)
    except ValueError:
        return Fault(Code.BAD_DATE, "is not a day of the calendar", _BAD_DATE)


def boolean_of(cell: str, _column: Column) -> Parsed:
    """Return the flag of a cell, in any case, or why it is none."""
    word = cell.lower()
    return word in _TRUE if word in _TRUE or word in _FALSE else _BAD_BOOLEAN


def currency_of(cell: str, _column: Column) -> Parsed:
    """Return the ISO 4217 code; capitals only, since a guess about money is worse than a question."""
    return cell if cell in currency_codes() else _BAD_CURRENCY


def country_of(cell: str, _column: Column) -> Parsed:
    """Return the ISO 3166 alpha-2 code, or why it is none."""
    return cell if cell in country_codes() else _BAD_COUNTRY


def status_of(cell: str, column: Column) -> Parsed:
    """Return the source's word as sent when the status table knows it."""
    if len(cell) > column.max_length:
        return too_long(column)
    if normalise_status(cell) in SFTP_STATUSES:
        return cell
    return Fault(Code.VALUE_IGNORED, _BAD_STATUS, "a word such as open, paid, disputed or void")


# Kinds with few distinct values: each distinct cell is parsed once.
DISTINCT_PARSERS: dict[Kind, Callable[[str, Column], Parsed]] = {
    Kind.DATE: date_of,
    Kind.BOOLEAN: boolean_of,
    Kind.CURRENCY: currency_of,
    Kind.COUNTRY: country_of,
    Kind.STATUS: status_of,
}


def parse_distinct(cell: str, column: Column) -> Parsed | None:
    """Return what a cell of such a kind holds; None for an empty optional one."""
    if not cell:
        return EMPTY if column.required else None
    if is_null_token(cell):
        return NULL_TOKEN
    return DISTINCT_PARSERS[column.kind](cell, column)


def decimal_fault(cell: str, column: Column) -> Fault:
    """Return why a cell that does not match DECIMAL_PATTERN is no amount."""
    if not cell:
        return EMPTY
    if is_null_token(cell):
        return NULL_TOKEN
    # A number, but with more digits than an amount has.
    if len(cell) > column.max_length and not cell.lstrip("-").strip("0123456789."):
        return too_long(column)
    return Fault(Code.BAD_DECIMAL, "is not a decimal number", _BAD_DECIMAL)


def text_fault(cell: str, column: Column) -> Fault | None:
    """Return why a cell of an id, text, name or e-mail column cannot be taken, None when it can."""
    if column.required and not cell.strip():
        return BLANK if cell else EMPTY
    if not cell:
        return None
    if column.kind is not Kind.NAME and is_null_token(cell):
        return NULL_TOKEN
    if column.kind is Kind.EMAIL and (len(cell) > EMAIL_LENGTH or _EMAIL.fullmatch(cell) is None):
        return _BAD_EMAIL
    return too_long(column) if len(cell) > column.max_length else None
