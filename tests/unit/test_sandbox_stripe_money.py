"""The sandbox Stripe's amounts: decimals, fees to the cent, conversions."""

from __future__ import annotations

from decimal import Decimal

import pytest

from kolleno_pipelines.sandbox.stripe.money import converted, exponent, major, minor, rate_of, rounded, step


@pytest.mark.parametrize(
    ("currency", "decimals", "multiple"),
    [("usd", 2, 1), ("jpy", 0, 1), ("clp", 0, 1), ("kwd", 3, 10), ("tnd", 3, 10), ("isk", 2, 100), ("ugx", 2, 100)],
)
def test_decimals_are_stripes_own(currency: str, decimals: int, multiple: int) -> None:
    assert (exponent(currency), step(currency)) == (decimals, multiple)
    assert major(minor(7, currency), currency) == 7
    assert minor(7, currency) == 7 * 10**decimals


@pytest.mark.parametrize(
    ("amount", "currency"), [("7.5", "isk"), ("7.01", "ugx"), ("0.5", "jpy"), ("1.234", "usd"), ("1.235", "kwd")]
)
def test_amounts_that_cannot_be_stated(amount: str, currency: str) -> None:
    with pytest.raises(ValueError, match="Stripe has no amount"):
        minor(amount, currency)
    assert minor(Decimal("1.230"), "kwd") == 1230


@pytest.mark.parametrize(
    ("gross", "fee", "net"),
    [
        (2_040_000, 59_190, 1_980_810),
        (117_524, 3_438, 114_086),
        (7_239_375, 209_972, 7_029_403),
        (255_360, 7_435, 247_925),
        (438_750, 12_754, 425_996),
        (19_350, 591, 18_759),
        (7_499_999, 217_530, 7_282_469),
    ],
)
def test_fees_of_cards(gross: int, fee: int, net: int) -> None:
    assert rate_of("card", "usd").fee(gross, "usd") == fee
    assert gross - fee == net


def test_fees_of_other_ways_to_pay() -> None:
    assert rate_of("card", "usd", international=True).fee(3_519_960, "usd") == 137_308
    assert rate_of("us_bank_account", "usd").fee(10_000, "usd") == 80
    assert rate_of("us_bank_account", "usd").fee(1_000_000, "usd") == 500, "never more than 5.00"
    assert rate_of("sepa_debit", "eur").fee(99_999, "eur") == 35
    assert rate_of("bacs_debit", "gbp").fee(500, "gbp") == 20, "never less than 0.20"
    assert rate_of("acss_debit", "cad").fee(10_000, "cad") == 140
    assert rate_of("card", "kwd").fee(10_000, "kwd") == 590, "290 + 300"
    assert rate_of("card", "isk").fee(100_000, "isk") % 100 == 0


def test_halves_go_up() -> None:
    assert [rounded(Decimal(each), "usd") for each in ("0.4", "0.5", "1.5", "2.5", "-2.5")] == [0, 1, 2, 3, -3]
    assert rounded(Decimal(50), "ugx") == 100


def test_conversions() -> None:
    assert converted(1000, "eur", "usd", Decimal("1.234")) == 1234
    assert converted(1500, "jpy", "usd", Decimal("0.0067")) == 1005, "1,500 yen are 10.05 dollars"
    assert converted(1000, "usd", "jpy", Decimal(150)) == 1500
