"""Lists as Stripe gives them: what each takes, what it selects, its pages. No HTTP."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kolleno_pipelines.sandbox.stripe import parameters
from kolleno_pipelines.sandbox.stripe.book import Json, Kind, kind_of, moment_of
from kolleno_pipelines.sandbox.stripe.parameters import Read
from kolleno_pipelines.sandbox.stripe.reading import Reader
from kolleno_pipelines.sandbox.stripe.refusals import no_such, refusal

EVENT_DAYS = timedelta(days=30)
_PAGED: Mapping[str, Read] = {
    "limit": parameters.limit,
    "starting_after": parameters.text,
    "ending_before": parameters.text,
    "expand": parameters.texts,
}
_CREATED: Mapping[str, Read] = {**_PAGED, "created": parameters.moments}
PARAMETERS: Mapping[Kind, Mapping[str, Read]] = {
    Kind.BALANCE_TRANSACTIONS: {
        **_CREATED,
        **dict.fromkeys(("currency", "payout", "source", "type"), parameters.text),
    },
    Kind.CHARGES: {**_CREATED, **dict.fromkeys(("customer", "payment_intent", "transfer_group"), parameters.text)},
    Kind.PAYMENT_INTENTS: {**_CREATED, "customer": parameters.text},
    Kind.REFUNDS: {**_CREATED, **dict.fromkeys(("charge", "payment_intent"), parameters.text)},
    Kind.DISPUTES: {**_CREATED, **dict.fromkeys(("charge", "payment_intent"), parameters.text)},
    Kind.PAYOUTS: {
        **_CREATED,
        "arrival_date": parameters.moments,
        "destination": parameters.text,
        "status": parameters.one_of("pending", "paid", "failed", "canceled"),
    },
    Kind.CUSTOMERS: {**_CREATED, "email": parameters.text},
    Kind.EVENTS: {
        **_CREATED,
        "type": parameters.text,
        "types": parameters.texts,
        "delivery_success": parameters.flag,
    },
}
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_MOMENTS = ("created", "arrival_date")
_NO_TESTS = {*_PAGED, "payout", "types", "type", "delivery_success"}
_LONGEST_TYPES = 20


@dataclass(frozen=True)
class Page:
    """A page of a list, newest first, and whether there is more in the direction of reading."""

    records: list[Json]
    has_more: bool


def page(reader: Reader, kind: Kind, asked: Json, now: datetime) -> Page:
    """Return the page that is asked for. Raises ApiRefusalError."""
    found = [each for each in _candidates(reader, kind, asked, now) if _suits(kind, each, asked)]
    size = asked.get("limit", 10)
    after, before = asked.get("starting_after"), asked.get("ending_before")
    if after and before:
        raise refusal("You may only specify one of these parameters: starting_after, ending_before.")
    if before:
        place = _place(reader, kind, before, "ending_before", now)
        newer = [each for each in found if reader.place(each["id"]) > place]
        return Page(newer[-size:], len(newer) > size)
    if after:
        found = _older(reader, kind, found, after, now)
    return Page(found[:size], len(found) > size)


def _older(reader: Reader, kind: Kind, found: list[Json], after: str, now: datetime) -> list[Json]:
    """What follows the cursor; its own twin too, where a row is answered twice."""
    place = _place(reader, kind, after, "starting_after", now)
    known = next((number for number, each in enumerate(found) if each["id"] == after), None)
    if known is not None:
        return found[known + 1 :]
    return [each for each in found if reader.place(each["id"]) < place]


def _place(reader: Reader, kind: Kind, identity: str, param: str, now: datetime) -> int:
    if kind_of(identity) is not kind or reader.get(identity, now) is None:
        raise no_such(kind.word, identity, param=param, status=400)
    return reader.place(identity)


def _candidates(reader: Reader, kind: Kind, asked: Json, now: datetime) -> list[Json]:
    if kind is Kind.BALANCE_TRANSACTIONS and "payout" in asked:
        payout_id = asked["payout"]
        payout = reader.get(payout_id, now) if kind_of(payout_id) is Kind.PAYOUTS else None
        if payout is None:
            raise no_such("payout", payout_id, param="payout", status=400)
        if not payout["automatic"]:
            raise refusal("Balance transactions can only be listed for automatic payouts, not manual ones.")
        return sorted(reader.members(payout_id, now), key=lambda each: -reader.place(each["id"]))
    if kind is Kind.EVENTS:
        return [each for each in reader.records(kind, now) if moment_of(each["created"]) >= now - EVENT_DAYS]
    if kind is Kind.CUSTOMERS:
        return [each for each in reader.records(kind, now) if not each.get("deleted")]
    return reader.records(kind, now)


def _suits(kind: Kind, record: Json, asked: Json) -> bool:
    for name in _MOMENTS:
        bounds = asked.get(name, {})
        if any(not _COMPARE[each](moment_of(record[name]), bound) for each, bound in bounds.items()):
            return False
    if "type" in asked and not _is_type(record["type"], asked["type"], wild=kind is Kind.EVENTS):
        return False
    if "types" in asked:
        if len(asked["types"]) > _LONGEST_TYPES:
            raise refusal(f"types can have at most {_LONGEST_TYPES} entries.", param="types")
        if not any(_is_type(record["type"], each, wild=True) for each in asked["types"]):
            return False
    others = (name for name in asked if name not in _NO_TESTS and name not in _MOMENTS)
    return all(record.get(name) == asked[name] for name in others)


def _is_type(stated: str, wanted: str, *, wild: bool) -> bool:
    if wild and wanted.endswith("*"):
        return stated.startswith(wanted[:-1])
    return stated == wanted
