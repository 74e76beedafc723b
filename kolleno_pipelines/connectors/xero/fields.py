"""How Xero writes values: dates as `/Date(ms+0000)/`, empty texts for nothing, rates the other way round. No entities.

Milliseconds count from 1970 in UTC, also negative ones; an offset behind them says in which zone a day was meant and
moves no instant; 0 stands for no date at all.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from kolleno_pipelines.connectors.columns import MOMENT, pc

_DATE = r"^/Date\((?P<ms>-?\d{1,15})(?:(?P<sign>[+-])(?P<hours>\d\d)(?P<minutes>\d\d))?\)/$"
_ONE_DATE = re.compile(_DATE)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS_PER_MINUTE = 60_000
#: The vendor keeps two decimals of every currency.
_CENTS = 2
_RATE_DIGITS = 18
#: Wide enough for any rate, and not too wide for an amount to be divided by it.
_DIVISOR = pa.decimal256(34, 20)


def moment_of(text: str) -> datetime | None:
    """Return one date as an instant; None for 0. Raises ValueError."""
    match = _ONE_DATE.match(text)
    if match is None:
        raise ValueError(f"{text[:60]!r} is no date as Xero writes it")
    milliseconds = int(match["ms"])
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds) if milliseconds else None
    except OverflowError:
        raise ValueError(f"{text[:60]!r} is a date beyond the calendar") from None


def moments(texts: Any) -> Any:
    """Return a column of dates as instants in UTC; empty ones and 0 are null."""
    return pc.cast(pc.cast(_milliseconds(texts), pa.timestamp("ms", "UTC")), MOMENT)


def plain_days(texts: Any, strings: Any = None) -> Any:
    """Return a column of dates as plain days: as `DateString` beside it says, else the day in the zone that it names.

    Without an offset, or with +0000, that is the day in UTC; nothing is shifted into anybody's own zone.
    """
    milliseconds = _milliseconds(texts)
    local = pc.cast(pc.add(milliseconds, _offsets(texts)), pa.timestamp("ms"))
    days = pc.cast(local, pa.date32(), safe=False)
    if strings is None:
        return days
    said = pc.cast(pc.utf8_slice_codeunits(stated(strings), 0, 10), pa.date32())
    is_nothing = pc.and_(pc.is_null(milliseconds), pc.is_valid(stated(texts)))
    return pc.if_else(is_nothing, None, pc.coalesce(said, days))


def _milliseconds(texts: Any) -> Any:
    given = stated(texts)
    parts = pc.extract_regex(given, _DATE)
    unreadable = pc.and_(pc.is_valid(given), pc.is_null(parts))
    if pc.any(unreadable).as_py():
        raise pa.ArrowInvalid(f"{given.filter(unreadable)[0].as_py()[:60]!r} is no date as Xero writes it")
    text = pc.if_else(pc.is_valid(parts), pc.struct_field(parts, "ms"), None)
    milliseconds = pc.cast(text, pa.int64())
    return pc.if_else(pc.equal(milliseconds, 0), None, milliseconds)


def _offsets(texts: Any) -> Any:
    """Milliseconds by which the zone that a date names is ahead of UTC."""
    parts = pc.extract_regex(texts, _DATE)
    hours, minutes = (
        pc.cast(pc.if_else(pc.equal(part, ""), "0", part), pa.int64())
        for part in (pc.struct_field(parts, "hours"), pc.struct_field(parts, "minutes"))
    )
    ahead = pc.multiply(pc.add(pc.multiply(hours, 60), minutes), _MS_PER_MINUTE)
    return pc.if_else(pc.equal(pc.struct_field(parts, "sign"), "-"), pc.negate(ahead), ahead)


def stated(texts: Any) -> Any:
    """Return a column of texts in which empty ones, Xero's word for nothing, are null."""
    return pc.if_else(pc.equal(texts, ""), None, texts)


def home_rate(currency_rate: Any) -> Any:
    """Return home units for one document unit: CurrencyRate states the inverse, 0.70 euros for a dollar."""
    rate = _divisor(currency_rate)
    one = pa.repeat(pa.scalar(Decimal(1), pa.decimal256(10, 9)), len(rate))  # the quotient has more digits so
    inverse = pc.round(pc.divide(one, rate), ndigits=_RATE_DIGITS, round_mode="half_towards_infinity")
    return pc.cast(inverse, pa.decimal128(38, 24), safe=False)


def home_amount(amount: Any, currency_rate: Any) -> Any:
    """Return an amount in home currency, to the cent: 100 at CurrencyRate 0.70 is 142.86."""
    exact = pc.divide(pc.cast(amount, pa.decimal256(20, 6)), _divisor(currency_rate))
    rounded = pc.round(exact, ndigits=_CENTS, round_mode="half_towards_infinity")
    return pc.cast(rounded, pa.decimal128(20, 6), safe=False)


def _divisor(currency_rate: Any) -> Any:
    """A rate that is 0 or below is none."""
    positive = pc.greater(currency_rate, pa.scalar(0, currency_rate.type))
    return pc.cast(pc.if_else(pc.fill_null(positive, False), currency_rate, None), _DIVISOR, safe=False)
