"""One Stripe account on its way through time: its book, its balance, what is due later. No charges, no payouts.

Time goes forward: whatever is written carries a moment at or after the last one, and what falls due before it is done
first. A moment's part of a second is dropped, as Stripe's stamps have none.
"""

from __future__ import annotations

import heapq
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from kolleno_pipelines.sandbox.stripe import balance_objects, objects
from kolleno_pipelines.sandbox.stripe.book import Book, Json, Kind, stamp
from kolleno_pipelines.sandbox.stripe.categories import category_of
from kolleno_pipelines.sandbox.stripe.identities import object_id

Job = Callable[[datetime], None]


@dataclass(frozen=True)
class Terms:
    """What an account has agreed with Stripe.

    settles: currencies that have a balance of their own; what comes in others is converted into `home` by `rates`
    (major units of home for one of theirs). minimum: what automatic payouts leave, by currency. dispute_fee: in minor
    units of the balance's currency. trace: status of the trace id of a payout that is paid; only a `supported` one has
    a value.
    """

    country: str = "US"
    home: str = "usd"
    settles: frozenset[str] = frozenset({"usd"})
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    automatic: bool = True
    minimum: Mapping[str, int] = field(default_factory=dict)
    dispute_fee: int = 1500
    trace: str = "supported"
    livemode: bool = False

    def settled_in(self, currency: str) -> tuple[str, Decimal | None]:
        """Return the currency of the balance that a payment moves, and the rate where it is another."""
        return (currency, None) if currency in self.settles else (self.home, self.rates[currency])


class Entry(NamedTuple):
    """A balance transaction, as far as sums need it."""

    id: str
    created: datetime
    available_on: datetime
    currency: str
    net: int


class Balance(NamedTuple):
    """What an account has in one currency."""

    available: int = 0
    pending: int = 0


class Ledger:
    """One account. `advance` does what is due; every verb of the other modules does so first.

    members: the balance transactions of each automatic payout. unsettled: those that are in none yet.
    """

    def __init__(self, name: str, opened: datetime, terms: Terms | None = None) -> None:
        self.name = name
        self.account_id = object_id("acct", name)
        self.terms = terms or Terms()
        self.opened = self.now = opened.astimezone(UTC).replace(microsecond=0)
        self.book = Book()
        self.lock = threading.RLock()
        self.entries: list[Entry] = []
        self.unsettled: list[Entry] = []
        self.members: dict[str, tuple[str, ...]] = {}
        self._agenda: list[tuple[datetime, int, Job]] = []
        self._counts: dict[str, int] = defaultdict(int)
        self._jobs = 0

    def next_id(self, prefix: str, key: str = "") -> str:
        """Return a new id; one that is made of a `key` can be known before."""
        self._counts[prefix] += 1
        return object_id(prefix, f"{self.name}/{key or self._counts[prefix]}")

    def later(self, at: datetime, job: Job) -> None:
        """Let something happen at a moment, when time comes there."""
        self._jobs += 1
        heapq.heappush(self._agenda, (at, self._jobs, job))

    def advance(self, until: datetime) -> datetime:
        """Do what falls due until a moment, and return it. Raises ValueError for one before the last."""
        moment = until.astimezone(UTC).replace(microsecond=0)
        with self.lock:
            if moment < self.now:
                message = f"The account's last moment is {self.now.isoformat()}; {moment.isoformat()} is before it."
                raise ValueError(message)
            while self._agenda and self._agenda[0][0] <= moment:
                due, _, job = heapq.heappop(self._agenda)
                self.now = max(self.now, due)
                job(self.now)
            self.now = moment
        return moment

    def write(self, record: Json, kind: Kind, at: datetime, *told: str) -> Json:
        """Put a new object, and tell the events of these types about it."""
        self.book.put(kind, record, at)
        for each in told:
            self.tell(each, record, at)
        return record

    def change(self, identity: str, kind: Kind, at: datetime, *told: str, **changes: Any) -> Json:
        """Put a new version of an object with some fields changed; events of `updated` say what was before."""
        before = self.book.latest(identity)
        record = self.book.put(kind, {**before, **changes}, at)
        previous = {name: before.get(name) for name, value in changes.items() if before.get(name) != value}
        for each in told:
            self.tell(each, record, at, previous if each.endswith("updated") else None)
        return record

    def tell(self, kind: str, record: Json, at: datetime, previous: Json | None = None) -> None:
        """Write an event."""
        data: Json = {"object": record} | ({"previous_attributes": previous} if previous else {})
        made = objects.event(self.next_id("evt"), kind, data, stamp(at), livemode=self.terms.livemode)
        self.book.put(Kind.EVENTS, made, at)

    def enter(
        self,
        at: datetime,
        kind: str,
        amount: int,
        currency: str,
        *,
        source: str | None = None,
        fees: Iterable[Json] = (),
        available_on: datetime | None = None,
        category: str = "",
        description: str | None = None,
        rate: Decimal | None = None,
    ) -> Json:
        """Write a balance transaction, and return it: it never changes, but that pending becomes available."""
        details = list(fees)
        fee = sum(each["amount"] for each in details)
        available = max(available_on or at, at)
        more = {
            "available_on": stamp(available),
            "description": description,
            "exchange_rate": None if rate is None else float(rate),
            "fee_details": details,
            "reporting_category": category or category_of(kind),
            "source": source,
            "status": "pending" if available > at else "available",
        }
        identity = self.next_id("txn")
        made = balance_objects.balance_transaction(identity, kind, amount, fee, currency, stamp(at), more=more)
        self.book.put(Kind.BALANCE_TRANSACTIONS, made, at)
        if available > at:
            self.book.put(Kind.BALANCE_TRANSACTIONS, {**made, "status": "available"}, available)
        for each in (self.entries, self.unsettled):
            each.append(Entry(identity, at, available, currency, made["net"]))
        return made

    def balance(self, now: datetime) -> dict[str, Balance]:
        """Return the balance of each currency at a moment: the net of every balance transaction until then."""
        sums: dict[str, list[int]] = {each: [0, 0] for each in sorted(self.terms.settles)}
        for entry in self.entries:
            if entry.created <= now:
                sums.setdefault(entry.currency, [0, 0])[entry.available_on > now] += entry.net
        return {currency: Balance(*each) for currency, each in sums.items()}


def working_days_after(day: datetime, count: int) -> datetime:
    """Return midnight of the day that is so many working days later."""
    found = datetime.combine(day.astimezone(UTC).date(), time(), UTC)
    while count:
        found += timedelta(days=1)
        count -= found.weekday() < 5
    return found
