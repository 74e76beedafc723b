"""Amounts of Stripe: whole minor units by its own table of decimal places, which is not ISO's. Nothing is rounded."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa

from kolleno_pipelines.connectors.columns import pc

#: Currencies without minor units.
_NONE = ("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF")
#: Currencies of three decimals; all others have two, also ISK and UGX, whose minor units are always 00.
_THREE = ("BHD", "JOD", "KWD", "OMR", "TND")
_WHOLE = ("ISK", "UGX")
_MONEY = pa.decimal128(20, 6)
#: Digits of the largest whole number that a column of minor units holds.
_MINOR = pa.decimal128(19, 0)


def decimals(currency_iso: str) -> int:
    """Return how many decimals an amount of a currency has, as ISO writes it."""
    if currency_iso in _NONE:
        return 0
    return 3 if currency_iso in _THREE else 2


def currency(texts: Any) -> Any:
    """Return currency codes as ISO writes them."""
    return pc.utf8_upper(texts)


def major(minor: Any, currencies: Any) -> Any:
    """Return amounts in major units; `currencies` as ISO writes them. Raises ArrowInvalid: beyond 14 digits."""
    upper = pc.if_else(
        pc.is_in(currencies, value_set=pa.array(_NONE)),
        _factor("1"),
        pc.if_else(pc.is_in(currencies, value_set=pa.array(_THREE)), _factor("0.001"), _factor("0.01")),
    )
    return pc.cast(pc.multiply(pc.cast(minor, _MINOR), upper), _MONEY)


def is_broken(minor: Any, currencies: Any) -> Any:
    """Say which amounts have parts of a unit that is not divided: ISK and UGX come with two decimals that are 00."""
    divided = pc.multiply(pc.divide(minor, 100), 100)
    is_whole = pc.is_in(currencies, value_set=pa.array(_WHOLE))
    return pc.fill_null(pc.and_(is_whole, pc.not_equal(minor, divided)), False)


def _factor(text: str) -> pa.Scalar[Any]:
    return pa.scalar(Decimal(text), pa.decimal128(4, 3))
