"""Stripe's amounts: whole minor units by Stripe's own table of decimals, its fees, its conversions. No objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

_ZERO_DECIMAL = frozenset(
    {
        *("bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga"),
        *("pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"),
    }
)
_THREE_DECIMAL = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
#: Without decimals in the world, with two at Stripe, which must be 00.
_TWO_ZEROS = frozenset({"isk", "ugx"})


def exponent(currency: str) -> int:
    """Return how many decimals Stripe gives a currency: 2 for ISK and UGX, whatever ISO says."""
    if currency in _ZERO_DECIMAL:
        return 0
    return 3 if currency in _THREE_DECIMAL else 2


def step(currency: str) -> int:
    """Return what every amount is a multiple of: 100 for ISK and UGX, 10 for currencies of three decimals, else 1."""
    if currency in _TWO_ZEROS:
        return 100
    return 10 if currency in _THREE_DECIMAL else 1


def minor(amount: Decimal | int | str, currency: str) -> int:
    """Return an amount of major units in minor ones. Raises ValueError for one that Stripe cannot state."""
    exact = Decimal(amount).scaleb(exponent(currency))
    whole = int(exact)
    if whole != exact or whole % step(currency):
        message = f"Stripe has no amount of {amount} {currency}."
        raise ValueError(message)
    return whole


def major(amount: int, currency: str) -> Decimal:
    """Return minor units as an amount of major ones, with all its decimals."""
    return Decimal(amount).scaleb(-exponent(currency))


def rounded(exact: Decimal, currency: str) -> int:
    """Round minor units half up, to what the currency can state."""
    one = step(currency)
    return int((exact / one).quantize(Decimal(1), ROUND_HALF_UP)) * one


def converted(amount: int, currency: str, into: str, rate: Decimal) -> int:
    """Return minor units of one currency in those of another; `rate` is major units of `into` for one of `currency`."""
    return rounded(Decimal(amount).scaleb(exponent(into) - exponent(currency)) * rate, into)


@dataclass(frozen=True)
class Rate:
    """What Stripe takes of a payment: per cent of it and a fixed part in minor units, perhaps within bounds."""

    percent: Decimal
    fixed: int = 0
    most: int | None = None
    least: int = 0

    def fee(self, amount: int, currency: str) -> int:
        """Return the fee of an amount in minor units, rounded half up."""
        whole = rounded(Decimal(amount) * self.percent / 100 + self.fixed, currency)
        return max(self.least, whole if self.most is None else min(self.most, whole))


def rate_of(method: str, currency: str, *, international: bool = False) -> Rate:
    """Return what a payment by a method costs, settled in a currency: 2.9 % + 0.30 for a card, 3.9 % for one abroad."""
    if method == "card":
        percent = Decimal("3.9") if international else Decimal("2.9")
        return Rate(percent, {0: 30, 2: 30, 3: 300}[exponent(currency)] // step(currency) * step(currency))
    return _DEBITS[method]


_DEBITS: Mapping[str, Rate] = {
    "us_bank_account": Rate(Decimal("0.8"), most=500),
    "acss_debit": Rate(Decimal(1), 40, most=500),
    "sepa_debit": Rate(Decimal(0), 35),
    "bacs_debit": Rate(Decimal(1), least=20, most=200),
}
#: Payment methods that take days to be certain; any other is a card.
DEBITS = frozenset(_DEBITS)
LARGEST_AMOUNT = 99_999_999
