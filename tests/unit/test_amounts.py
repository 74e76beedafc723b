"""Amounts as text: the decimals of their currency, more where they have more, in reports and in metadata alike."""

from __future__ import annotations

from decimal import Decimal

import dagster as dg
import pytest

from kolleno_pipelines.assets.presentation import money, rows_table
from kolleno_pipelines.schemas.currencies import amount_text

AMOUNTS = [
    ("1", "USD", "1.00"),
    ("1.5", "USD", "1.50"),
    ("1.234500", "USD", "1.2345"),
    ("1234.567891", "USD", "1234.567891"),
    ("100.000000", "JPY", "100"),
    ("100.5", "JPY", "100.5"),
    ("-5000", "JPY", "-5000"),
    ("0.000000", "JPY", "0"),
    ("7", "KWD", "7.000"),
    ("1.230000", "KWD", "1.230"),
    ("0.000001", "KWD", "0.000001"),
    ("2.5", "CLF", "2.5000"),
    ("-0.000000", "USD", "0.00"),
    ("-0.5", "USD", "-0.50"),
    ("12345678901234567890.1", "EUR", "12345678901234567890.10"),
    ("1E+3", "USD", "1000.00"),
    ("3", None, "3.00"),
]


@pytest.mark.parametrize(("amount", "currency", "text"), AMOUNTS)
def test_an_amount_has_its_currency_s_decimals_and_all_of_its_own(amount: str, currency: str | None, text: str) -> None:
    assert amount_text(Decimal(amount), currency) == text
    shown = amount_text(Decimal(amount), currency, thousands=True)
    assert shown.replace(",", "") == text
    assert Decimal(text) == Decimal(amount)


def test_thousands_are_set_apart_for_people() -> None:
    assert amount_text(Decimal("1234567.8"), "USD", thousands=True) == "1,234,567.80"
    assert amount_text(Decimal(-1234567), "JPY", thousands=True) == "-1,234,567"


def test_metadata_show_amounts_by_the_currency_of_their_row() -> None:
    amounts = {"JPY": "5000.000000", "KWD": "1234.500000", "USD": "0.123456"}
    rows = [{"currency_iso": currency, "amount": Decimal(text)} for currency, text in amounts.items()]
    expected = {"JPY": "5,000", "KWD": "1,234.500", "USD": "0.123456"}
    for names in (None, ("amount",)):
        table = rows_table(rows, names)
        assert isinstance(table, dg.TableMetadataValue)
        assert [record.data["amount"] for record in table.records] == list(expected.values())
    sums = money("open", {currency: Decimal(text) for currency, text in amounts.items()})
    assert sums == {f"open {currency}": text for currency, text in expected.items()}
