"""What was open at the end of a day, by days past due (model 6), for many days at once.

Where documents come from and where the rows go do not belong here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

import numpy as np

from kolleno_pipelines.rules.columns import NO_DAY, Days, Places, codes, days
from kolleno_pipelines.rules.effective_days import Movements, day_number
from kolleno_pipelines.rules.scaled import Amounts, decimal, sums
from kolleno_pipelines.schemas.results import NOT_DUE, UNAPPLIED, AgeingRow, DocumentKind

_FAR = int(np.iinfo(np.int32).max)


@dataclass(frozen=True)
class Buckets:
    """Buckets of days late: not_due, 1-30, 31-60, ... and the open last one, from rising upper bounds."""

    bounds: tuple[int, ...] = (30, 60, 90)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order; `unapplied` is not among them."""
        lows = [1, *(bound + 1 for bound in self.bounds)]
        closed = [f"{low}-{high}" for low, high in zip(lows, self.bounds, strict=False)]
        return (NOT_DUE, *closed, f"{lows[-1]}+")

    @property
    def age_names(self) -> tuple[str, ...]:
        """Names for days since a date, where nothing is due: 0-30, 31-60, ... and the open last one."""
        return (f"0-{self.bounds[0]}", *self.names[2:])

    @property
    def edges(self) -> list[tuple[int, int]]:
        """Per bucket the days late [low, high) that fall into it; 0 days late is not due."""
        lows = [-_FAR, 1, *(bound + 1 for bound in self.bounds)]
        return list(zip(lows, [*lows[1:], _FAR], strict=True))


class _Key(NamedTuple):
    customer: str | None
    currency: str
    bucket: str


@dataclass
class Ageing:
    """Ageing of one connection over the days first..last, summed from any number of parts of its ledger.

    By customer it keeps every customer's days, so it is meant for a single day then.
    """

    connection: str
    first: date
    last: date
    buckets: Buckets = field(default_factory=Buckets)
    by_customer: bool = False
    _changes: dict[_Key, tuple[Amounts, Places]] = field(default_factory=dict)

    def add(self, moved: Movements) -> None:
        """Take one part of the ledger: its spans of open amounts, cut by bucket, as changes by day."""
        spans = _spans(moved).within(day_number(self.first), day_number(self.last) + 1)
        documents = moved.linked.part.documents
        if moved.linked.part.kind is not DocumentKind.INVOICE:
            self._add_cut(moved, spans.negated(), UNAPPLIED, counts=False)
            return
        due = days(documents["date_due"])
        due_days = np.where(due == NO_DAY, moved.linked.issued, due)[spans.document].astype(np.int64)
        for name, (low, high) in zip(self.buckets.names, self.buckets.edges, strict=True):
            self._add_cut(moved, spans.cut(due_days + np.int64(low), due_days + np.int64(high)), name, counts=True)

    def rows(self, on: Iterable[date]) -> Iterator[AgeingRow]:
        """Return the rows of the days asked for, by currency, customer, day and bucket.

        Where anything is open, totals hold every bucket, also those at 0; by customer only the buckets in use.
        """
        wanted = [(day, (day - self.first).days) for day in sorted(set(on))]
        nothing = (np.zeros((self.last - self.first).days + 2, dtype=np.int64),) * 2
        owners = sorted({(key.currency, key.customer or "") for key in self._changes})
        for currency, customer in owners:
            owner = customer if self.by_customer else None
            known = {bucket: self._changes.get(_Key(owner, currency, bucket)) for bucket in self.order}
            sums = {bucket: [np.cumsum(change) for change in known[bucket] or nothing] for bucket in self.order}
            for day, place in wanted:
                figures = {bucket: (int(sums[bucket][0][place]), int(sums[bucket][1][place])) for bucket in self.order}
                in_use = any(any(figure) for figure in figures.values())
                for bucket, (amount, documents) in figures.items():
                    if amount or documents or (in_use and not self.by_customer):
                        yield AgeingRow(day, self.connection, owner, currency, bucket, documents, decimal(amount))

    @property
    def order(self) -> tuple[str, ...]:
        """Every bucket as reports show them: by days late, then what is unapplied."""
        return (*self.buckets.names, UNAPPLIED)

    def _add_cut(self, moved: Movements, spans: _Spans, bucket: str, *, counts: bool) -> None:
        if len(spans.document) == 0:
            return
        width = (self.last - self.first).days + 2
        group, keys = self._groups(moved, spans.document, bucket)
        origin = day_number(self.first)
        starts, ends = group * width + spans.start - origin, group * width + spans.end - origin
        size = len(keys) * width
        amounts = sums(starts, spans.amount, size) - sums(ends, spans.amount, size)
        ones = np.full(len(starts), int(counts), dtype=np.int64)
        documents = sums(starts, ones, size) - sums(ends, ones, size)
        for place, key in enumerate(keys):
            part = slice(place * width, (place + 1) * width)
            # Python integers: a total over all parts may be larger than any part's.
            more, many = amounts[part].astype(object), documents[part]
            known = self._changes.get(key)
            self._changes[key] = (more, many) if known is None else (known[0] + more, known[1] + many)

    def _groups(self, moved: Movements, document: Places, bucket: str) -> tuple[Places, Sequence[_Key]]:
        """Return each span's group and the groups' keys."""
        table = moved.linked.part.documents
        currency, names = codes(table["currency_iso"])
        code = currency[document]
        customers: list[str | None] = [None]
        if self.by_customer:
            customer, ids = codes(table["customer_source_id"])
            customers = [*ids]
            code = code + customer[document] * len(names)
        present, group = np.unique(code, return_inverse=True)
        keys = [_Key(customers[one // len(names)], names[one % len(names)], bucket) for one in present.tolist()]
        return group.astype(np.int64), keys


@dataclass(frozen=True)
class _Spans:
    """Stretches of days [start, end) in which a document had one open amount, other than 0."""

    document: Places
    start: Places
    end: Places
    amount: Amounts

    def within(self, first: int, after: int) -> _Spans:
        return self.cut(np.full(len(self.start), first, np.int64), np.full(len(self.start), after, np.int64))

    def cut(self, low: Places, high: Places) -> _Spans:
        start, end = np.maximum(self.start, low), np.minimum(self.end, high)
        kept = start < end
        return _Spans(self.document[kept], start[kept], end[kept], self.amount[kept])

    def negated(self) -> _Spans:
        return _Spans(self.document, self.start, self.end, -self.amount)


def _spans(moved: Movements) -> _Spans:
    order = np.lexsort((moved.day, moved.document))
    document, day = moved.document[order], moved.day[order].astype(np.int64)
    total = np.cumsum(moved.amount[order])
    last_of_document = np.append(document[1:] != document[:-1], np.ones(min(len(document), 1), dtype=bool))
    last_of_day = last_of_document | np.append(day[1:] != day[:-1], np.ones(min(len(document), 1), dtype=bool))
    document, start, total = document[last_of_day], day[last_of_day], total[last_of_day]
    ends_document = last_of_document[last_of_day]
    # The running total goes on over all documents: what had accumulated before a document is taken off again.
    before = np.zeros(len(moved.linked) + 1, dtype=total.dtype)
    before[document[ends_document] + 1] = total[ends_document]
    open_amount = total - before[document]
    end = np.append(start[1:], np.full(min(len(start), 1), _FAR, dtype=np.int64))
    end[ends_document] = _FAR
    kept = open_amount != 0
    return _Spans(document[kept], start[kept], end[kept], open_amount[kept])


def bucket_of(days_old: Days, buckets: Buckets) -> list[str]:
    """Return the age bucket (0-30, 31-60, ...) of each number of days; below 0 counts as 0."""
    places = np.searchsorted(np.array(buckets.bounds), days_old, side="left")
    return [buckets.age_names[place] for place in places.tolist()]
