"""What was open at the end of a day, by days past due (model 6), for many days at once.

Where documents come from and where the rows go do not belong here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

import numpy as np

from kolleno_pipelines.rules.columns import NO_DAY, Days, Flags, Places, codes, days
from kolleno_pipelines.rules.effective_days import Movements, day_number
from kolleno_pipelines.rules.scaled import Amounts, decimal, sums
from kolleno_pipelines.schemas.ledger_parts import DocumentKind
from kolleno_pipelines.schemas.results import NOT_DUE, UNAPPLIED, AgeingRow

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
    currency: str
    customer: str  # "" where customers are summed
    bucket: str


@dataclass
class Ageing:
    """Ageing of one connection over the days first..last, summed from any number of parts of its ledger."""

    connection: str
    first: date
    last: date
    buckets: Buckets = field(default_factory=Buckets)
    _changes: dict[_Key, tuple[Amounts, Amounts]] = field(default_factory=dict)  # amount and documents, by day

    def add(self, moved: Movements) -> None:
        """Take one part of the ledger: its spans of open amounts, cut by bucket, as changes by day."""
        width, origin = (self.last - self.first).days + 2, day_number(self.first)
        spans = _spans(moved).within(origin, origin + width - 1)
        for bucket, cut, counts in _by_bucket(moved, spans, self.buckets):
            group, keys = _groups(moved, cut.document, bucket, by_customer=False)
            starts, ends, size = group * width + cut.start - origin, group * width + cut.end - origin, len(keys) * width
            ones = np.full(len(starts), int(counts), dtype=np.int64)
            amounts = sums(starts, cut.amount, size) - sums(ends, cut.amount, size)
            documents = sums(starts, ones, size) - sums(ends, ones, size)
            for place, key in enumerate(keys):
                part = slice(place * width, (place + 1) * width)
                # Python integers: a total over all parts may be larger than any part's.
                more, many = amounts[part].astype(object), documents[part]
                known = self._changes.get(key)
                self._changes[key] = (more, many) if known is None else (known[0] + more, known[1] + many)

    def rows(self, on: Iterable[date]) -> Iterator[AgeingRow]:
        """Return the rows of the days asked for, by currency, day and bucket.

        Where anything is open in a currency, every bucket has a row, also those at 0.
        """
        wanted = [(day, (day - self.first).days) for day in sorted(set(on))]
        nothing = (np.zeros((self.last - self.first).days + 2, dtype=np.int64),) * 2
        order = (*self.buckets.names, UNAPPLIED)
        for currency in sorted({key.currency for key in self._changes}):
            changes = [self._changes.get(_Key(currency, "", bucket), nothing) for bucket in order]
            totals = [(np.cumsum(amounts), np.cumsum(documents)) for amounts, documents in changes]
            for day, place in wanted:
                figures = [(int(amounts[place]), int(documents[place])) for amounts, documents in totals]
                if any(any(figure) for figure in figures):
                    for bucket, (amount, count) in zip(order, figures, strict=True):
                        yield AgeingRow(day, self.connection, None, currency, bucket, count, decimal(amount))


@dataclass
class AgeingByCustomer:
    """Ageing of one connection and day by customer, summed from any number of parts of its ledger."""

    connection: str
    day: date
    buckets: Buckets = field(default_factory=Buckets)
    _open: dict[_Key, tuple[int, int]] = field(default_factory=dict)  # amount and documents

    def add(self, moved: Movements) -> None:
        """Take one part of the ledger."""
        spans = _spans(moved).within(day_number(self.day), day_number(self.day) + 1)
        for bucket, cut, counts in _by_bucket(moved, spans, self.buckets):
            group, keys = _groups(moved, cut.document, bucket, by_customer=True)
            amounts = sums(group, cut.amount, len(keys)).tolist()
            documents = np.bincount(group, minlength=len(keys)).tolist()
            for key, amount, count in zip(keys, amounts, documents, strict=True):
                known = self._open.get(key, (0, 0))
                self._open[key] = (known[0] + amount, known[1] + count * counts)

    def rows(self) -> Iterator[AgeingRow]:
        """Return the rows in use, by currency, customer and bucket."""
        order = {bucket: place for place, bucket in enumerate((*self.buckets.names, UNAPPLIED))}
        for key in sorted(self._open, key=lambda key: (key.currency, key.customer, order[key.bucket])):
            amount, count = self._open[key]
            if amount or count:
                yield AgeingRow(
                    self.day, self.connection, key.customer, key.currency, key.bucket, count, decimal(amount)
                )


def _by_bucket(moved: Movements, spans: _Spans, buckets: Buckets) -> Iterator[tuple[str, _Spans, bool]]:
    """Cut spans by bucket; credit notes, money and credit journals are unapplied, negative, and count as no documents.

    A debit journal is due when issued.
    """
    kind = moved.linked.part.kind
    if kind is DocumentKind.JOURNAL:
        is_credit = (moved.linked.amount < 0)[spans.document]
        cuts = [(UNAPPLIED, spans.chosen(is_credit), False), *_by_days_late(moved, spans.chosen(~is_credit), buckets)]
    elif kind is DocumentKind.INVOICE:
        cuts = _by_days_late(moved, spans, buckets)
    else:
        cuts = [(UNAPPLIED, spans.negated(), False)]
    yield from (cut for cut in cuts if len(cut[1].document))


def _by_days_late(moved: Movements, spans: _Spans, buckets: Buckets) -> list[tuple[str, _Spans, bool]]:
    due = days(moved.linked.part.documents["date_due"])
    due_days = np.where(due == NO_DAY, moved.linked.issued, due)[spans.document].astype(np.int64)
    edges = zip(buckets.names, buckets.edges, strict=True)
    return [(name, spans.cut(due_days + low, due_days + high), True) for name, (low, high) in edges]


def _groups(moved: Movements, document: Places, bucket: str, *, by_customer: bool) -> tuple[Places, list[_Key]]:
    """Return each document's group and the groups' keys."""
    table = moved.linked.part.documents
    currency, names = codes(table["currency_iso"])
    code = currency[document]
    customers = [""]
    if by_customer:
        customer, customers = codes(table["customer_source_id"])
        code = code + customer[document] * len(names)
    present, group = np.unique(code, return_inverse=True)
    keys = [_Key(names[one % len(names)], customers[one // len(names)], bucket) for one in present.tolist()]
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

    def chosen(self, which: Flags) -> _Spans:
        return _Spans(self.document[which], self.start[which], self.end[which], self.amount[which])

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
