"""The accounts desk of the simulation: open items, counters and the events written so far. No decisions about days."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from kolleno_pipelines.sandbox.books import Books, Document, DocumentKey, PairKey, Touched
from kolleno_pipelines.sandbox.events import INVOICE, AllocationStated, Batch, DocumentKind, DocumentVoided, Event
from kolleno_pipelines.schemas.sftp_tables import TableName

EXPONENTS: Mapping[str, int] = {"JPY": 0, "KWD": 3}
_LARGEST_UNITS = {"JPY": 900_000, "KWD": 900_000}


def exponent(currency: str) -> int:
    """Return the number of decimals of one of the company's currencies."""
    return EXPONENTS.get(currency, 2)


def money(units: int, currency: str) -> Decimal:
    """Return an amount from its smallest units (cents, yen, fils)."""
    return Decimal(units).scaleb(-exponent(currency))


def units(amount: Decimal, currency: str) -> int:
    """Return an amount in smallest units."""
    return int(amount.scaleb(exponent(currency)))


class Pool:
    """A set of ids with a constant-time random choice that does not depend on hash order."""

    def __init__(self) -> None:
        self._items: list[str] = []
        self._places: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, item: str) -> bool:
        return item in self._places

    def add(self, item: str) -> None:
        """Add an id; a second time does nothing."""
        if item not in self._places:
            self._places[item] = len(self._items)
            self._items.append(item)

    def discard(self, item: str) -> None:
        """Remove an id if it is there."""
        place = self._places.pop(item, None)
        if place is not None:
            last = self._items.pop()
            if last != item:
                self._items[place] = last
                self._places[last] = place

    def pick(self, rng: random.Random) -> str:
        """Return one id at random."""
        return self._items[rng.randrange(len(self._items))]


@dataclass
class OpenBatch:
    """A batch that is being filled; its columns may still grow."""

    number: int
    name_time: datetime
    arrives_on: date
    columns: dict[TableName, list[str]]

    def require(self, table: TableName, column: str) -> None:
        """Make sure that the table's file of this batch has the column."""
        if column not in self.columns[table]:
            self.columns[table].append(column)

    def close(self) -> Batch:
        """Return the finished batch."""
        return Batch(self.number, self.name_time, self.arrives_on, {t: tuple(c) for t, c in self.columns.items()})


@dataclass
class Desk:
    """What the simulation knows: the books, who belongs to whom, what is open, what must be left alone."""

    rng: random.Random
    books: Books = field(default_factory=lambda: Books({}))
    events: list[Event] = field(default_factory=list)
    customers: list[str] = field(default_factory=list)
    currency_of: dict[str, str] = field(default_factory=dict)
    group_of: dict[str, str] = field(default_factory=dict)
    open_invoices: Pool = field(default_factory=Pool)
    open_in_group: dict[tuple[str, str], Pool] = field(default_factory=dict)
    credit_left: Pool = field(default_factory=Pool)
    frozen: set[DocumentKey] = field(default_factory=set)  # no later balance move may follow
    disturbed: set[DocumentKey] = field(default_factory=set)  # an allocation of it ended once
    settled_once: set[DocumentKey] = field(default_factory=set)  # may carry a stated date_paid
    pairs: list[PairKey] = field(default_factory=list)
    issued: dict[DocumentKind, list[str]] = field(
        default_factory=lambda: {"invoice": [], "credit_note": [], "payment": []}
    )
    contacts: int = 0
    expressible: bool = False  # only what every ERP and the files can state (Plan)

    def record(self, event: Event) -> None:
        """Write an event and bring the books and the open items up to date."""
        touched = Touched()
        self.books.apply(event, touched)
        self.events.append(event)
        for key in touched.documents:
            self.refresh(self.books.documents[key])
        # A payment with a blank balance is not stated again, yet it changed.
        if isinstance(event, AllocationStated):
            self.refresh(self.books.documents[DocumentKey(event.from_kind, event.from_id)])
        if isinstance(event, DocumentVoided):
            for pair in self.books.documents[DocumentKey(event.kind, event.source_id)].pairs:
                self.refresh(self.books.documents[DocumentKey(pair.from_kind, pair.from_id)])

    def refresh(self, document: Document) -> None:
        """Put a document into the pools it belongs to now."""
        balance = self.books.balance(document)
        usable = balance > 0 and not document.voided and document.key not in self.frozen
        source_id = document.key.source_id
        if document.key.kind == INVOICE:
            place = (self.group_of[document.customer], document.currency)
            pool = self.open_in_group.setdefault(place, Pool())
            for each in (self.open_invoices, pool):
                (each.add if usable else each.discard)(source_id)
            if balance == 0:
                self.settled_once.add(document.key)
        else:
            marked = f"{document.key.kind}:{source_id}"
            (self.credit_left.add if usable else self.credit_left.discard)(marked)

    def invoice(self, source_id: str) -> Document:
        """Return an invoice by its id."""
        return self.books.documents[DocumentKey(INVOICE, source_id)]

    def older(self, batch: OpenBatch, kind: DocumentKind, suits: Callable[[Document], bool]) -> Document | None:
        """Pick a document that an earlier batch told and that suits; recent ones are likelier."""
        issued = self.issued[kind]
        for _ in range(40 if issued else 0):
            place = max(self.rng.randrange(len(issued)), self.rng.randrange(len(issued)))
            document = self.books.documents[DocumentKey(kind, issued[place])]
            if document.batch < batch.number and not document.voided and suits(document):
                return document
        return None

    def next_id(self, kind: DocumentKind) -> str:
        """Return a new id; leading zeros are part of it."""
        number = len(self.issued[kind]) + 1
        source_id = {"invoice": f"{number:07d}", "credit_note": f"CN{number:05d}", "payment": f"00P-{number:06d}"}[kind]
        self.issued[kind].append(source_id)
        return source_id

    def amount(self, currency: str) -> Decimal:
        """Return a random document amount; one in a hundred is zero, one in four is round."""
        rng, chance = self.rng, self.rng.random()
        largest = _LARGEST_UNITS.get(currency, 500_000)
        if chance < 0.01 and not self.expressible:
            return money(0, currency)
        if chance < 0.25:
            return money(rng.randint(1, 50) * 100 * 10 ** exponent(currency), currency)
        return money(rng.randint(largest // 100, largest), currency)

    def part(self, amount: Decimal, currency: str) -> Decimal:
        """Return a random part of an amount, at least one smallest unit and less than the whole where possible."""
        whole = units(amount, currency)
        return money(self.rng.randint(1, whole - 1) if whole > 1 else whole, currency)
