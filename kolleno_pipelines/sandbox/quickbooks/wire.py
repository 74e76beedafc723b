"""How QuickBooks writes values: money without trailing zeros, moments with the company's offset. No objects."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

Json = dict[str, Any]
CENT = Decimal("0.01")


class Stored(Json):
    """A state of an object that never changes again; its text is made once."""

    @cached_property
    def text(self) -> str:
        """The object as JSON."""
        return _text_of(self)


def moment_text(moment: datetime, zone: ZoneInfo) -> str:
    """Return a moment as MetaData writes it: to the second, with the offset that the company has at that moment."""
    return moment.astimezone(zone).isoformat(timespec="seconds")


def answer_time(moment: datetime, zone: ZoneInfo) -> str:
    """Return the `time` of an answer: to the millisecond."""
    return moment.astimezone(zone).isoformat(timespec="milliseconds")


def to_text(value: Any) -> str:
    """Return JSON text with exact decimals: 100 stands for 100.00 and 477.5 for 477.50."""
    if isinstance(value, Decimal):
        text = format(value, "f")
        return (text.rstrip("0").rstrip(".") or "0") if "." in text else text
    if isinstance(value, Stored):
        return value.text
    if isinstance(value, dict):
        return _text_of(value)
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(to_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _text_of(value: Json) -> str:
    return "{" + ",".join(f"{json.dumps(name)}:{to_text(each)}" for name, each in value.items()) + "}"


def read_text(text: str | bytes) -> Any:
    """Return what a JSON text says, decimals exact. Raises ValueError where it is none."""
    return json.loads(text, parse_float=Decimal)


def money(value: object) -> Decimal:
    """Return an amount of an object; an absent one is 0."""
    return Decimal(0) if value is None else Decimal(str(value))
