"""ISO 4217 codes and their decimals, ISO 3166 country codes; no exchange rate, no payment provider's own table."""

from __future__ import annotations

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
