"""Whatever the ledger: the past against a plain reading of model 6, the proof of the roll-forward, sums of parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_rows import INVOICE, allocation, document, move, net_by_day, part, rolled

from kolleno_pipelines.pipeline.days import days_of
from kolleno_pipelines.rules.allocated import link
from kolleno_pipelines.rules.residuals import parts_by_input, settle
from kolleno_pipelines.rules.scaled import decimal, decimals, scaled
from kolleno_pipelines.schemas.ledger_parts import AMOUNT, DocumentKind, LedgerPart

FIRST, LAST = date(2026, 1, 1), date(2026, 2, 10)
_DAYS = st.integers(0, 30).map(lambda number: FIRST + timedelta(days=number))
_CENTS = st.integers(0, 20_000).map(lambda number: Decimal(number) / 100)
_CURRENCIES = st.sampled_from(["USD", "USD", "EUR"])


JOURNAL = DocumentKind.JOURNAL
Place = tuple[DocumentKind, int]


@dataclass
class Link:
    """An allocation; without a target it leaves as a refund."""

    source: Place
    target: Place | None
    amount: Decimal
    applied: date | None
    seen: date


@dataclass
class Book:
    """A drawn ledger as rows and as the frames of the rules."""

    documents: dict[DocumentKind, list[dict[str, object]]] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    moves: dict[DocumentKind, list[dict[str, object]]] = field(default_factory=dict)

    def parts(self) -> tuple[LedgerPart, ...]:
        return tuple(
            part(kind, self.documents[kind], self.allocations(kind), self.moves[kind]) for kind in DocumentKind
        )

    def at(self, place: Place) -> dict[str, object]:
        return self.documents[place[0]][place[1]]

    def allocations(self, kind: DocumentKind) -> list[dict[str, object]]:
        rows = []
        for one in self.links:
            paying = self.at(one.source)
            ends = [(one.source, paying, one.target, -one.amount if one.source[0] is JOURNAL else one.amount)]
            if one.target is not None:
                ends.append((one.target, self.at(one.target), one.source, one.amount))
            for own, row, other, amount in ends:
                if own[0] is kind:
                    rows.append(self.row(row, other, amount, one))
        return rows

    def row(self, own: dict[str, object], other: Place | None, amount: Decimal, one: Link) -> dict[str, object]:
        there = self.at(other) if other else own | {"source_id": "R", "date_issued": one.seen}
        return allocation(
            str(own["source_id"]),
            (other[0].value if other else "refund", str(there["source_id"])),
            str(amount),
            there["date_issued"],  # type: ignore[arg-type]
            other_currency_iso=there["currency_iso"],
            date_applied=one.applied,
            seen=one.seen,
        )


@st.composite
def books(draw: st.DrawFn) -> Book:
    book = Book()
    for kind in DocumentKind:
        sign = draw(st.sampled_from([1, -1])) if kind is JOURNAL else 1
        book.documents[kind] = [
            document(
                f"{kind.value}{number}",
                str(draw(_CENTS) * sign),
                str(draw(_CENTS) * sign),
                draw(_DAYS),
                seen=draw(_DAYS),
                currency_iso=draw(_CURRENCIES),
                date_due=draw(st.none() | _DAYS),
                date_paid=draw(st.none() | _DAYS) if kind is INVOICE else None,
            )
            for number in range(draw(st.integers(1, 3)))
        ]
        places = st.integers(0, len(book.documents[kind]) - 1)
        drawn = draw(st.lists(st.tuples(places, _DAYS, _CENTS), max_size=4, unique_by=lambda one: one[:2]))
        book.moves[kind] = [move(f"{kind.value}{place}", day, str(delta)) for place, day, delta in drawn]
    settled = [INVOICE, JOURNAL]
    for _ in range(draw(st.integers(0, 5))):
        source = _place(draw, book, [kind for kind in DocumentKind if kind is not INVOICE])
        target = _place(draw, book, settled) if draw(st.integers(0, 4)) else None
        if source != target:
            book.links.append(Link(source, target, draw(_CENTS), draw(st.none() | _DAYS), draw(_DAYS)))
    return book


def _place(draw: st.DrawFn, book: Book, kinds: list[DocumentKind]) -> Place:
    kind = draw(st.sampled_from(kinds))
    return kind, draw(st.integers(0, len(book.documents[kind]) - 1))


def open_on(book: Book, kind: DocumentKind, row: dict[str, object], day: date) -> Decimal | None:
    """Plain reading of model 6 for a document without an unexplained part (None: it has one)."""
    reductions = []
    for mine in book.allocations(kind):
        same = mine["other_currency_iso"] == row["currency_iso"]
        if mine["source_id"] == row["source_id"] and (kind in {INVOICE, JOURNAL} or same):
            when = max(mine["date_applied"] or mine["other_date"], mine["other_date"], row["date_issued"])  # type: ignore[type-var]
            reductions.append((when, mine["amount"]))
    if row["amount"] - row["balance"] != sum(amount for _, amount in reductions):  # type: ignore[operator]
        return None
    if row["date_issued"] > day:  # type: ignore[operator]
        return Decimal(0)
    return row["balance"] + sum(amount for when, amount in reductions if when > day)  # type: ignore[operator,return-value]


@given(books())
@settings(max_examples=150, deadline=None)
def test_closing_is_the_ageing_and_the_chain_holds(book: Book) -> None:
    parts, days = book.parts(), days_of(FIRST, LAST)
    roll, net = rolled(FIRST, LAST, *parts, today=LAST), net_by_day(FIRST, LAST, *parts, today=LAST)
    rows = {(row.day, row.currency_iso): row for row in roll.rows(days, LAST)}
    assert {key: row.closing for key, row in rows.items() if row.closing} == net
    for (day, currency), row in rows.items():
        assert row.closing == (
            row.opening + row.invoices - row.credit_notes - row.receipts + row.refunds + row.journals
            - row.write_offs - row.unexplained
        )  # fmt: skip
        before = rows.get((day - timedelta(days=1), currency))
        assert row.opening == (before.closing if before else 0)
    unexplained: dict[tuple[date, str], Decimal] = {}
    for one in roll.listed(days).to_pylist():
        key = (one["day"], one["currency_iso"])
        unexplained[key] = unexplained.get(key, Decimal(0)) + one["amount"]
    assert {key: amount for key, amount in unexplained.items() if amount} == {
        key: row.unexplained for key, row in rows.items() if row.unexplained
    }


@given(books())
@settings(max_examples=100, deadline=None)
def test_today_is_the_sum_of_the_stated_balances(book: Book) -> None:
    """Also where documents are dated after today: their balance is in the source's word already."""
    for today in (FIRST, LAST):
        stated: dict[tuple[date, str], Decimal] = {}
        for kind, rows in book.documents.items():
            for row in rows:
                key = (today, str(row["currency_iso"]))
                stated[key] = stated.get(key, Decimal(0)) + kind.sign * row["balance"]  # type: ignore[operator]
        net = net_by_day(today, today, *book.parts(), today=today)
        assert net == {key: amount for key, amount in stated.items() if amount}


@given(books())
@settings(max_examples=150, deadline=None)
def test_parts_sum_to_the_residual_and_have_its_sign(book: Book) -> None:
    for one in book.parts():
        linked = link(one)
        parts = settle(parts_by_input(linked))
        sums = np.zeros(len(linked), dtype=np.int64)
        np.add.at(sums, parts.document, parts.amount)
        assert sums.tolist() == linked.residual.tolist()
        assert (np.sign(parts.amount) == np.sign(linked.residual[parts.document])).all()


@given(books(), _DAYS)
@settings(max_examples=150, deadline=None)
def test_documents_that_tie_are_open_as_the_model_reads(book: Book, day: date) -> None:
    for kind in DocumentKind:
        for row in book.documents[kind]:
            expected = open_on(book, kind, row, day)
            if expected is None:
                continue
            mine = [one for one in book.allocations(kind) if one["source_id"] == row["source_id"]]
            net = net_by_day(day, day, part(kind, [row], mine), today=LAST)
            assert sum(net.values(), Decimal(0)) == kind.sign * expected


_AMOUNTS = st.lists(st.decimals(min_value=-(10**13), max_value=10**13, places=6), max_size=20)


@given(_AMOUNTS, st.booleans())
def test_millionths_go_there_and_back(values: list[Decimal], wide: bool) -> None:
    column = pa.chunked_array([pa.array(values + ([Decimal(10) ** 13] * 3 if wide else []), AMOUNT)])
    (amounts,) = scaled(column)
    assert [decimal(value) for value in amounts.tolist()] == column.to_pylist()
    assert decimals(amounts).to_pylist() == column.to_pylist()


def cut(book: Book) -> Iterator[LedgerPart]:
    """The same ledger in parts of one document."""
    for kind in DocumentKind:
        for row in book.documents[kind]:
            mine = [one for one in book.allocations(kind) if one["source_id"] == row["source_id"]]
            moves = [one for one in book.moves[kind] if one["source_id"] == row["source_id"]]
            yield part(kind, [row], mine, moves)


@given(books())
@settings(max_examples=50, deadline=None)
def test_parts_of_a_ledger_come_to_the_same(book: Book) -> None:
    days = days_of(FIRST, LAST)
    whole, pieces = (rolled(FIRST, LAST, *some, today=LAST) for some in (book.parts(), tuple(cut(book))))
    assert list(whole.rows(days, LAST)) == list(pieces.rows(days, LAST))
    assert net_by_day(FIRST, LAST, *book.parts(), today=LAST) == net_by_day(FIRST, LAST, *cut(book), today=LAST)
