"""Rows of results as plain values, ready for JSON: amounts as text, days and moments in ISO form. No report is made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from kolleno_pipelines.schemas.currencies import decimals_of

Row = dict[str, Any]


def amount_text(amount: Decimal | None, currency_iso: str | None) -> str | None:
    """Return an amount with at least its currency's decimals and no zeros beyond them; null stays null."""
    if amount is None:
        return None
    decimals = decimals_of(currency_iso) if currency_iso else 2
    whole, _, fraction = f"{amount:f}".partition(".")
    fraction = fraction.rstrip("0").ljust(decimals, "0")
    text = f"{whole}.{fraction}" if fraction else whole
    return "0" + text[2:] if text.startswith("-0") and not text.strip("-0.") else text


def plain_row(row: Mapping[str, Any]) -> Row:
    """Return a row with plain values; its amounts are in its `currency_iso`."""
    currency = row.get("currency_iso")
    return {key: _value(value, currency) for key, value in row.items()}


def _value(value: Any, currency: str | None) -> Any:
    if isinstance(value, Decimal):
        return amount_text(value, currency)
    if isinstance(value, date | datetime):
        return value.isoformat()
    return value
