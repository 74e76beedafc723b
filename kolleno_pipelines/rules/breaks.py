"""What makes a break the same one in every run. Which breaks there are does not belong here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256

from kolleno_pipelines.schemas.results import Break

Side = tuple[str, str]
NO_SIDE: Side = ("", "")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def break_id(kind: str, connection: str, left: Side, right: Side = NO_SIDE) -> str:
    """Return the stable id: a hash of kind, connection and both sides, never of the amount or the run (model 7)."""
    parts = json.dumps([kind, connection, *left, *right], ensure_ascii=False, separators=(",", ":"))
    return sha256(parts.encode()).hexdigest()[:16]


def new_break(
    kind: str,
    connection: str,
    left: Side,
    right: Side = NO_SIDE,
    *,
    since: datetime,
    customer: str | None = None,
    currency: str | None = None,
    amount: Decimal | None = None,
    cause: str | None = None,
    evidence: Mapping[str, object] | None = None,
) -> Break:
    """Return a break with its id. `since` is the version of the input in which it arose."""
    return Break(
        break_id(kind, connection, left, right),
        connection,
        kind,
        *left,
        *right,
        customer,
        currency,
        amount,
        cause,
        since,
        as_json(evidence or {}),
    )


def as_json(evidence: Mapping[str, object]) -> str:
    """Return evidence as a JSON object; amounts and moments as text, keys in order."""
    return json.dumps(evidence, ensure_ascii=False, sort_keys=True, default=str)


def moment(microseconds: int) -> datetime:
    """Return the UTC moment of a number of microseconds since 1970-01-01."""
    return _EPOCH + timedelta(microseconds=int(microseconds))


def plain(amount: Decimal) -> str:
    """Return an amount as text without trailing zeros."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
