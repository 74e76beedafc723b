"""The right answers, from the company's own events: totals, ageing, roll-forward, differences. No CSV, no database.

The past is restated with the knowledge of today: what was open on a day is the balance now plus what reduced it after
that day. This module shares no code with the product's rules; that is what makes it a judge of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from kolleno_pipelines.sandbox.answer_lines import (
    AgeingLine,
    ControlTotal,
    Difference,
    RecordState,
    RollForwardLine,
    Unapplied,
)
from kolleno_pipelines.sandbox.books import Books, Document
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.events import CREDIT_NOTE, INVOICE, PAYMENT, ZERO, DocumentKind

BUCKETS = ("not_due", "1-30", "31-60", "61-90", "91+")
UNAPPLIED = "unapplied"


def bucket_of(days_late: int) -> str:
    """Return the default bucket of an open invoice; 0 days late is not due."""
    if days_late <= 0:
        return BUCKETS[0]
    return BUCKETS[min((days_late + 29) // 30, 4)]


class Answers:
    """Answers over the books after all events; `today` is the day they speak of unless another is given.

    What is dated after today counts today: the balances that the source states hold it already.
    """

    def __init__(self, books: Books, today: date) -> None:
        self.books = books
        self.today = today
        self._posted = [each for each in books.documents.values() if not each.voided]
        self._balances = {each.key: books.balance(each) for each in self._posted}
        self._reductions = {
            each.key: [(min(day, today), amount) for day, amount in _reductions(books, each)] for each in self._posted
        }
        self.currencies = sorted({each.currency for each in self._posted})

    @classmethod
    def of(cls, company: Company) -> Answers:
        """Return the answers of a company after all its files."""
        return cls(company.books(), company.last_day)

    def open_on(self, document: Document, day: date) -> Decimal:
        """Return what was open: the balance now and what reduced it after the day; 0 before the document's date."""
        if document.voided or min(document.date_issued, self.today) > day:
            return ZERO
        later = (amount for when, amount in self._reductions[document.key] if when > day)
        return sum(later, self._balances[document.key])

    def control_totals(self, day: date | None = None) -> list[ControlTotal]:
        """Return one line for each currency, of today or of a past day."""
        day = day or self.today
        totals: dict[str, dict[DocumentKind, Decimal]] = {
            currency: {INVOICE: ZERO, CREDIT_NOTE: ZERO, PAYMENT: ZERO} for currency in self.currencies
        }
        customers: dict[str, set[str]] = {currency: set() for currency in self.currencies}
        invoices = dict.fromkeys(self.currencies, 0)
        for document in self._posted:
            amount = self.open_on(document, day)
            if amount:
                totals[document.currency][document.key.kind] += amount
                customers[document.currency].add(document.customer)
                invoices[document.currency] += document.key.kind == INVOICE
        return [
            ControlTotal(currency, len(customers[currency]), invoices[currency], *_in_order(totals[currency]))
            for currency in self.currencies
        ]

    def ageing(self, day: date | None = None, *, by_customer: bool = False) -> list[AgeingLine]:
        """Return the lines that are not empty, by currency (and customer) and bucket."""
        day = day or self.today
        sums: dict[tuple[str, str, str], tuple[int, Decimal]] = {}
        for document in self._posted:
            amount = self.open_on(document, day)
            if not amount:
                continue
            invoice = document.key.kind == INVOICE
            bucket = bucket_of((day - (document.date_due or document.date_issued)).days) if invoice else UNAPPLIED
            place = (document.currency, document.customer if by_customer else "", bucket)
            count, total = sums.get(place, (0, ZERO))
            sums[place] = (count + invoice, total + (amount if invoice else -amount))
        order = (*BUCKETS, UNAPPLIED)
        places = sorted(sums, key=lambda place: (place[0], place[1], order.index(place[2])))
        return [AgeingLine(place[0], place[2], *sums[place], customer=place[1]) for place in places]

    def roll_forward(self, first: date, last: date) -> list[RollForwardLine]:
        """Return a line for each day and currency, from flows alone: document dates and amounts, never balances."""
        flows = self._flows()
        lines: list[RollForwardLine] = []
        for currency in self.currencies:
            mine = {day: flow for (day, each), flow in flows.items() if each == currency}
            opening = sum((flow.net for day, flow in mine.items() if day < first), ZERO)
            for offset in range((last - first).days + 1):
                day = first + timedelta(days=offset)
                flow = mine.get(day, _Flow())
                parts = (flow.invoices, flow.credit_notes, flow.receipts, flow.unexplained)
                lines.append(RollForwardLine(day, currency, opening, *parts))
                opening = lines[-1].closing
        return lines

    def differences(self) -> list[Difference]:
        """Return every document that allocations do not explain; blank balances cannot differ."""
        found = []
        for document in self._posted:
            amount = document.unexplained_amount
            if amount and not document.balance_is_blank:
                opening = amount == document.settled_before and self.books.may_lack_history(document)
                found.append(Difference(*document.key, document.currency, amount, opening))
        return found

    def opening_differences(self) -> list[Difference]:
        """Return the documents first seen with a difference that has not changed since."""
        return [each for each in self.differences() if each.opening]

    def unapplied_cash(self) -> list[Unapplied]:
        """Return what is on account now, by customer and currency."""
        sums: dict[tuple[str, str], dict[DocumentKind, Decimal]] = {}
        for document in self._posted:
            if document.key.kind != INVOICE and self._balances[document.key]:
                place = (document.customer, document.currency)
                entry = sums.setdefault(place, {PAYMENT: ZERO, CREDIT_NOTE: ZERO})
                entry[document.key.kind] += self._balances[document.key]
        return [Unapplied(*place, entry[PAYMENT], entry[CREDIT_NOTE]) for place, entry in sorted(sums.items())]

    def records(self, kind: DocumentKind) -> dict[str, RecordState]:
        """Return the state of every document of a kind, by id."""
        return {
            document.key.source_id: self._state(document)
            for document in self.books.documents.values()
            if document.key.kind == kind
        }

    def _state(self, document: Document) -> RecordState:
        stated = document.void_balance if document.voided else self._balances[document.key]
        return RecordState(
            kind=document.key.kind,
            source_id=document.key.source_id,
            customer=document.customer,
            ref=document.ref,
            amount=document.amount,
            balance=None if document.balance_is_blank else stated,
            balance_open=self.books.balance(document),
            currency_iso=document.currency,
            date_issued=document.date_issued,
            date_due=document.date_due,
            posting_status="voided" if document.voided else "posted",
            settlement=_settlement(document.amount, stated),
            # The word `void` replaces the word `disputed`: the source has one status column.
            collection_status="disputed" if document.disputed and not document.voided else "none",
        )

    def _flows(self) -> dict[tuple[date, str], _Flow]:
        flows: dict[tuple[date, str], _Flow] = {}
        for document in self._posted:
            flow = flows.setdefault((min(document.date_issued, self.today), document.currency), _Flow())
            flow.add(document.key.kind, document.amount)
            for part in document.unexplained:
                sign = 1 if document.key.kind == INVOICE else -1
                day = min(max(part.day, document.date_issued), self.today)
                flows.setdefault((day, document.currency), _Flow()).unexplained += sign * part.amount
        return flows


@dataclass
class _Flow:
    invoices: Decimal = ZERO
    credit_notes: Decimal = ZERO
    receipts: Decimal = ZERO
    unexplained: Decimal = ZERO

    def add(self, kind: DocumentKind, amount: Decimal) -> None:
        self.invoices += amount if kind == INVOICE else ZERO
        self.credit_notes += amount if kind == CREDIT_NOTE else ZERO
        self.receipts += amount if kind == PAYMENT else ZERO

    @property
    def net(self) -> Decimal:
        return self.invoices - self.credit_notes - self.receipts - self.unexplained


def _in_order(totals: Mapping[DocumentKind, Decimal]) -> tuple[Decimal, Decimal, Decimal]:
    return totals[INVOICE], totals[CREDIT_NOTE], totals[PAYMENT]


def _settlement(amount: Decimal, balance: Decimal) -> str:
    """The settlement that amount and balance alone say, also for a document that does not count."""
    if balance == 0:
        return "paid"
    if balance < 0:
        return "overpaid"
    return "partially_paid" if balance < amount else "open"


def _reductions(books: Books, document: Document) -> list[tuple[date, Decimal]]:
    """Everything that reduced a document and the day from which it counts, never before the document's own date."""
    parts = [(max(part.day, document.date_issued), part.amount) for part in document.unexplained]
    live = (pair for pair in document.pairs if books.is_live(pair))
    return parts + [(books.effective_day(pair), books.allocations[pair].amount) for pair in live]
