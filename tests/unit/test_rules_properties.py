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
from ledger_rows import CREDIT_NOTE, INVOICE, PAYMENT, allocation, document, move, net_by_day, part, rolled

from kolleno_pipelines.rules.allocated import link
from kolleno_pipelines.rules.residuals import parts_by_input, settle
from kolleno_pipelines.rules.roll_forward import days_between
from kolleno_pipelines.rules.scaled import decimal, decimals, scaled
from kolleno_pipelines.schemas.ledger_parts import AMOUNT, DocumentKind, LedgerPart

FIRST, LAST = date(2026, 1, 1), date(2026, 2, 10)
_DAYS = st.integers(0, 30).map(lambda number: FIRST + timedelta(days=number))
_CENTS = st.integers(0, 20_000).map(lambda number: Decimal(number) / 100)
_CURRENCIES = st.sampled_from(["USD", "USD", "EUR"])


@dataclass
class Book:
    """A drawn ledger as rows and as the frames of the rules."""

    documents: dict[DocumentKind, list[dict[str, object]]] = field(default_factory=dict)
    links: list[tuple[DocumentKind, int, int, Decimal, date | None, date]] = field(default_factory=list)
    moves: dict[DocumentKind, list[dict[str, object]]] = field(default_factory=dict)

    def parts(self) -> tuple[LedgerPart, ...]:
        return tuple(
            part(kind, self.documents[kind], self.allocations(kind), self.moves[kind]) for kind in DocumentKind
        )

    def allocations(self, kind: DocumentKind) -> list[dict[str, object]]:
        rows = []
        for from_kind, payer, invoice, amount, applied, seen in self.links:
            paying, paid = self.documents[from_kind][payer], self.documents[INVOICE][invoice]
            own, other, other_kind = (paid, paying, from_kind) if kind is INVOICE else (paying, paid, INVOICE)
            if kind in {INVOICE, from_kind}:
                rows.append(
                    allocation(
                        str(own["source_id"]),
                        (other_kind.value, str(other["source_id"])),
                        str(amount),
                        other["date_issued"],  # type: ignore[arg-type]
                        other_currency_iso=other["currency_iso"],
                        date_applied=applied,
                        seen=seen,
                    )
                )
        return rows


@st.composite
def books(draw: st.DrawFn) -> Book:
    book = Book()
    for kind in DocumentKind:
        book.documents[kind] = [
            document(
                f"{kind.value}{number}",
                str(draw(_CENTS)),
                str(draw(_CENTS)),
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
    for _ in range(draw(st.integers(0, 5))):
        kind = draw(st.sampled_from([CREDIT_NOTE, PAYMENT]))
        payer = draw(st.integers(0, len(book.documents[kind]) - 1))
        invoice = draw(st.integers(0, len(book.documents[INVOICE]) - 1))
        book.links.append((kind, payer, invoice, draw(_CENTS), draw(st.none() | _DAYS), draw(_DAYS)))
    return book


def open_on(book: Book, kind: DocumentKind, row: dict[str, object], day: date) -> Decimal | None:
    """Plain reading of model 6 for a document without an unexplained part (None: it has one)."""
    reductions = []
    for from_kind, payer, invoice, amount, applied, _ in book.links:
        paying, paid = book.documents[from_kind][payer], book.documents[INVOICE][invoice]
        own = paid if kind is INVOICE else paying
        if (
            own is row
            and (kind in {INVOICE, from_kind})
            and (kind is INVOICE or paying["currency_iso"] == paid["currency_iso"])
        ):
            when = max(applied or paying["date_issued"], paying["date_issued"], paid["date_issued"])  # type: ignore[type-var]
            reductions.append((when, amount))
    if row["amount"] - row["balance"] != sum(amount for _, amount in reductions):  # type: ignore[operator]
        return None
    if row["date_issued"] > day:  # type: ignore[operator]
        return Decimal(0)
    return row["balance"] + sum(amount for when, amount in reductions if when > day)  # type: ignore[operator,return-value]


@given(books())
@settings(max_examples=150, deadline=None)
def test_closing_is_the_ageing_and_the_chain_holds(book: Book) -> None:
    parts, days = book.parts(), days_between(FIRST, LAST)
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
    days = days_between(FIRST, LAST)
    whole, pieces = (rolled(FIRST, LAST, *some, today=LAST) for some in (book.parts(), tuple(cut(book))))
    assert list(whole.rows(days, LAST)) == list(pieces.rows(days, LAST))
    assert net_by_day(FIRST, LAST, *book.parts(), today=LAST) == net_by_day(FIRST, LAST, *cut(book), today=LAST)
