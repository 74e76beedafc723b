"""Rows of results as plain values, ready for JSON: amounts as text, days and moments in ISO form. No report is made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from kolleno_pipelines.schemas.currencies import amount_text

Row = dict[str, Any]


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
