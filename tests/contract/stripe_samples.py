"""Stripe's sample objects as a judge of objects: the same keys, and JSON types that are the sample's.

A sample is one object in one state: a null in it says nothing about the type, and where it has an object that only
some states have, null is right too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Words of the caller's own, and what differs with the way of payment.
_FREE = {
    *("metadata", "payment_method_details", "destination_details", "payment_method_options", "last_payment_error"),
}
#: Plain values that an object of another state has not, by resource.
_NULLABLE = {
    "account": {"disabled_reason"},
    "balance_transaction": {"description", "source"},
    "charge": {"balance_transaction", "description", "name", "receipt_url"},
    "payment_intent": {"canceled_at"},
    "payout": {"description"},
    "customer": {"currency"},
}
#: Fields that a sample lacks, since its object never was in the state that has them.
_MORE = {
    "refund": {"failure_balance_transaction", "failure_reason"},
    "event": {"previous_attributes"},
}
#: Fields of a sample that an object has only when asked to.
_EXPANDED = {"charge": {"refunds"}}


@dataclass(frozen=True)
class StripeSamples:
    """The samples by resource, as Stripe names it in `object`."""

    resources: Mapping[str, Mapping[str, Any]]

    @classmethod
    def read(cls, path: Path) -> StripeSamples:
        return cls(json.loads(path.read_text(encoding="utf-8"))["resources"])

    def faults(self, body: Any) -> list[str]:
        """Everything that is wrong with an object, a list, or what is inside them; empty when it is right."""
        if body["object"] == "list":
            wrong = [] if set(body) == {"object", "data", "has_more", "url"} else [f"list: {sorted(body)}"]
            return wrong + [fault for each in body["data"] for fault in self.faults(each)]
        word = body["object"]
        if word not in self.resources:
            return [f"{word}: no such resource"]
        wrong = list(self._compared(word, self.resources[word], body, word))
        return wrong + [fault for each in _inside(body) for fault in self.faults(each)]

    def _compared(self, word: str, sample: Any, served: Any, path: str) -> Iterator[str]:
        last = path.rsplit(".", 1)[-1]
        if last in _FREE or (word == "event" and path == "event.data.object"):
            return
        if isinstance(sample, dict) and isinstance(served, dict) and sample:
            if "object" in served and path != word:
                return
            optional = _EXPANDED.get(word, set()) if path == word else set()
            for name in sample.keys() - served.keys() - optional:
                yield f"{path}.{name}: missing"
            for name in served.keys() - sample.keys() - _MORE.get(word, set()):
                yield f"{path}.{name}: unknown"
            for name in sample.keys() & served.keys():
                yield from self._compared(word, sample[name], served[name], f"{path}.{name}")
        elif isinstance(sample, list) and isinstance(served, list):
            for each in served if sample else []:
                yield from self._compared(word, sample[0], each, f"{path}[]")
        elif not _agree(sample, served, nullable=last in _NULLABLE.get(word, set())):
            yield f"{path}: {type(served).__name__} instead of {type(sample).__name__}"


def _inside(body: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the objects that are fields of an object, or in its lists; an event has one in its data."""
    if body["object"] == "event":
        yield body["data"]["object"]
    for value in body.values():
        within = value if isinstance(value, list) else [value]
        yield from (each for each in within if isinstance(each, dict) and isinstance(each.get("object"), str))


def _agree(sample: Any, served: Any, *, nullable: bool) -> bool:
    """Whether a value may be of this type where the sample's is another or the same."""
    if sample is None:
        return True
    if served is None:
        return nullable or isinstance(sample, (dict, list))
    if isinstance(sample, str) and isinstance(served, dict):
        return "object" in served  # expanded
    if isinstance(sample, bool) or isinstance(served, bool):
        return isinstance(sample, bool) and isinstance(served, bool)
    if isinstance(sample, (int, float)):
        return isinstance(served, (int, float))
    return isinstance(served, type(sample))
