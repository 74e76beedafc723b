"""The objects of one Stripe account with their history: what stood at a moment. No money, no checks.

Lists are newest first, in the order in which objects came.
"""

from __future__ import annotations

import threading
from bisect import bisect_right, insort
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

Json = dict[str, Any]


class Kind(StrEnum):
    """A kind of object; the value is its place below /v1."""

    CHARGES = "charges"
    PAYMENT_INTENTS = "payment_intents"
    REFUNDS = "refunds"
    DISPUTES = "disputes"
    PAYOUTS = "payouts"
    BALANCE_TRANSACTIONS = "balance_transactions"
    CUSTOMERS = "customers"
    EVENTS = "events"
    TOPUPS = "topups"
    TRANSFERS = "transfers"

    @property
    def word(self) -> str:
        """What an object of this kind calls itself."""
        return self.value.removesuffix("s")


#: Which kind an id belongs to.
KIND_OF_PREFIX: Mapping[str, Kind] = {
    "ch": Kind.CHARGES,
    "py": Kind.CHARGES,
    "pi": Kind.PAYMENT_INTENTS,
    "re": Kind.REFUNDS,
    "pyr": Kind.REFUNDS,
    "dp": Kind.DISPUTES,
    "po": Kind.PAYOUTS,
    "txn": Kind.BALANCE_TRANSACTIONS,
    "cus": Kind.CUSTOMERS,
    "evt": Kind.EVENTS,
    "tu": Kind.TOPUPS,
    "tr": Kind.TRANSFERS,
}


def kind_of(identity: str) -> Kind | None:
    """Return the kind of an object by its id, None where the prefix says none."""
    return KIND_OF_PREFIX.get(identity.split("_", 1)[0])


def stamp(moment: datetime) -> int:
    """Return a moment as Stripe writes it: whole seconds since 1970."""
    return int(moment.timestamp())


def moment_of(seconds: int) -> datetime:
    """Return the moment of a stamp."""
    return datetime.fromtimestamp(seconds, UTC)


class Book:
    """Versions of objects by kind and id."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._versions: dict[Kind, dict[str, list[tuple[datetime, Json]]]] = {kind: {} for kind in Kind}
        self._places: dict[str, int] = {}
        self._moments: dict[Kind, list[datetime]] = {kind: [] for kind in Kind}
        self._seen: dict[Kind, tuple[tuple[int, int], list[Json]]] = {}

    def put(self, kind: Kind, record: Json, at: datetime) -> Json:
        """Write a new version of an object, and return it. Raises ValueError when a newer one is there."""
        identity = record["id"]
        with self._lock:
            versions = self._versions[kind].setdefault(identity, [])
            if versions and versions[-1][0] > at:
                message = f"{identity} has a version of {versions[-1][0]}, after {at}."
                raise ValueError(message)
            versions.append((at, record))
            self._places.setdefault(identity, len(self._places))
            insort(self._moments[kind], at)
        return record

    def get(self, identity: str, now: datetime) -> Json | None:
        """Return an object as it stood, or None when it was not there."""
        kind = kind_of(identity)
        versions = self._versions[kind].get(identity, []) if kind else []
        place = bisect_right(versions, now, key=lambda each: each[0])
        return versions[place - 1][1] if place else None

    def latest(self, identity: str) -> Json:
        """Return an object as it was last written. Raises KeyError for an unknown id."""
        kind = kind_of(identity)
        if kind is None:
            raise KeyError(identity)
        return self._versions[kind][identity][-1][1]

    def versions(self, identity: str, now: datetime) -> list[tuple[datetime, Json]]:
        """Return what an object was, one version after the other, up to a moment."""
        kind = kind_of(identity)
        return [each for each in self._versions[kind].get(identity, []) if each[0] <= now] if kind else []

    def records(self, kind: Kind, now: datetime) -> list[Json]:
        """Return every object of a kind as it stood, newest first."""
        with self._lock:
            moments = self._moments[kind]
            mark = (bisect_right(moments, now), len(moments))
            seen = self._seen.get(kind)
            if seen is None or seen[0] != mark:
                found = (self.get(identity, now) for identity in reversed(self._versions[kind]))
                seen = self._seen[kind] = (mark, [each for each in found if each is not None])
            return seen[1]

    def place(self, identity: str) -> int:
        """Return the place of an object in the order in which all came."""
        return self._places[identity]
