"""ISO 4217 codes and their decimals, amounts as text, ISO 3166 country codes.

No exchange rate, no payment provider's own table.
"""

from __future__ import annotations

from decimal import Decimal
from functools import cache

# ISO 4217, table A.1, column "minor unit"; every code not named here has two decimals.
_DECIMALS: dict[str, int] = {
    **dict.fromkeys(("BIF", "BYR", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"), 0),
    **dict.fromkeys(("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
# ISO 4217, table A.3, withdrawn since 2015: documents of before are still in them.
_WITHDRAWN = frozenset({"ANG", "BGN", "BYR", "CUC", "HRK", "LTL", "MRO", "SLL", "STD", "VEF", "ZWL"})
# In the list of ISO, but "no currency" and "for testing": no money is in them.
_NO_MONEY = frozenset({"XXX", "XTS"})


@cache
def currency_codes() -> frozenset[str]:
    """Return the alphabetic codes of ISO 4217 in which money can be, or was since 2015; read on first use."""
    import pycountry

    return frozenset(currency.alpha_3 for currency in pycountry.currencies) - _NO_MONEY | _WITHDRAWN


@cache
def country_codes() -> frozenset[str]:
    """Return the two-letter codes of ISO 3166-1; read on first use."""
    import pycountry

    return frozenset(country.alpha_2 for country in pycountry.countries)


def decimals_of(currency_iso: str) -> int:
    """Return how many decimals amounts of the currency have (ISO 4217 minor unit)."""
    return _DECIMALS.get(currency_iso, 2)


def amount_text(amount: Decimal, currency_iso: str | None, *, thousands: bool = False) -> str:
    """Return an amount with the decimals of its currency (two of none), and all of them where it has more: not rounded.

    thousands: set apart by commas, for people; else as a number that programs read. There is no -0.
    """
    decimals = decimals_of(currency_iso) if currency_iso else 2
    whole, _, fraction = (f"{abs(amount):,f}" if thousands else f"{abs(amount):f}").partition(".")
    fraction = fraction.rstrip("0").ljust(decimals, "0")
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"
