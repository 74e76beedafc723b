"""What an account's API reads: the book as it stands, or as a tamper would have it. No requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from kolleno_pipelines.sandbox.stripe.book import Json, Kind
from kolleno_pipelines.sandbox.stripe.ledger import Ledger
from kolleno_pipelines.sandbox.stripe.payouts import members_of


@dataclass(frozen=True)
class Tamper:
    """One quiet change of what is answered, while the account stays as it is.

    item: the id that whoever reads the answers must name. altered: fields by object id. dropped: ids that are answered
    no more. doubled: a second row, by the id of the first. moved: the payout that a row is said to belong to.
    """

    name: str
    story: str
    item: str
    altered: Mapping[str, Json] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()
    doubled: Mapping[str, Json] = field(default_factory=dict)
    moved: Mapping[str, str] = field(default_factory=dict)


class Reader:
    """Reads one account; `tamper` may be set and taken away at any time."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.tamper: Tamper | None = None

    def get(self, identity: str, now: datetime) -> Json | None:
        """Return an object as it stands at a moment."""
        if self.tamper is not None:
            twin = next((each for each in self.tamper.doubled.values() if each["id"] == identity), None)
            if twin is not None:
                return twin
        found = self.ledger.book.get(identity, now)
        return None if found is None else next(iter(self._told([found])), None)

    def records(self, kind: Kind, now: datetime) -> list[Json]:
        """Return the objects of a kind, newest first."""
        found = self.ledger.book.records(kind, now)
        return found if self.tamper is None else self._told(found)

    def members(self, payout_id: str, now: datetime) -> list[Json]:
        """Return what a payout is said to consist of, its own row first."""
        found = members_of(self.ledger, payout_id, now)
        if self.tamper is None:
            return found
        moved = self.tamper.moved
        found = [each for each in found if moved.get(each["id"], payout_id) == payout_id]
        known = {each["id"] for each in found}
        others = (self.ledger.book.get(each, now) for each, to in moved.items() if to == payout_id)
        return self._told([*found, *(each for each in others if each is not None and each["id"] not in known)])

    def place(self, identity: str) -> int:
        """Return the place of an object in the order in which all came; a second row is beside its first."""
        doubled = {} if self.tamper is None else self.tamper.doubled
        first = next((first for first, twin in doubled.items() if twin["id"] == identity), identity)
        return self.ledger.book.place(first)

    def _told(self, records: list[Json]) -> list[Json]:
        tamper = self.tamper
        if tamper is None:
            return records
        told: list[Json] = []
        for each in records:
            if each["id"] in tamper.dropped:
                continue
            told.append({**each, **tamper.altered.get(each["id"], {})})
            if each["id"] in tamper.doubled:
                told.append(tamper.doubled[each["id"]])
        return told
