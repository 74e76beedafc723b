"""The sandbox company in QuickBooks: its events, batch by batch, as the vendor's objects. No API, no cases."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

from kolleno_pipelines.sandbox.books import Books, Document, DocumentKey, PairKey, Touched
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.events import CREDIT_NOTE, INVOICE, PAYMENT, ZERO
from kolleno_pipelines.sandbox.quickbooks import objects
from kolleno_pipelines.sandbox.quickbooks.book import QuickBooksBook
from kolleno_pipelines.sandbox.quickbooks.company_file import CompanyFile
from kolleno_pipelines.sandbox.quickbooks.ledger import Place
from kolleno_pipelines.sandbox.quickbooks.wire import Json

_KINDS = {INVOICE: "Invoice", CREDIT_NOTE: "CreditMemo", PAYMENT: "Payment"}


class Filling:
    """A company on its way into a book; `advance` writes further batches.

    ids: the vendor's id of each customer ("customer", id) and document (kind, id) of the company.
    applications: the Payment of 0 by which a credit memo pays an invoice, by (credit note, invoice) of the company.
    payment_fields: fields that Payments have as they are, by the company's id of the payment (a provider's reference).
    """

    def __init__(
        self,
        company: Company,
        book: QuickBooksBook | None = None,
        *,
        payment_fields: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        if not company.plan.expressible:
            message = "QuickBooks can only state a company that was built with expressible=True."
            raise ValueError(message)
        self.company = company
        self.book = book or QuickBooksBook()
        self.file = CompanyFile(self.book, company.batches[0].name_time)
        self.ids: dict[tuple[str, str], str] = {}
        self.applications: dict[tuple[str, str], str] = {}
        self._books = Books(company.version_days)
        self._payment_fields = payment_fields or {}
        self._next = 0

    def advance(self, until: datetime | None = None) -> None:
        """Write the batches whose name time is not after `until`, the rest of them when it is None."""
        batches = self.company.batches
        while self._next < len(batches):
            batch = batches[self._next]
            if until is not None and batch.name_time > until:
                return
            touched = Touched()
            for event in self.company.events_of(batch):
                self._books.apply(event, touched)
            self._write(touched, batch.name_time)
            self._next += 1

    def _write(self, touched: Touched, at: datetime) -> None:
        for contact in touched.contacts:
            touched.customers[self._books.contacts[contact]["customer_id"]] = None
        # A parent is known before its children: the company opens it first.
        for customer in sorted(touched.customers):
            self._write_customer(customer, at)
        documents = dict(touched.documents)
        for pair in touched.pairs:
            documents[DocumentKey(pair.from_kind, pair.from_id)] = None
            documents[DocumentKey(INVOICE, pair.to_id)] = None
        for key in documents:
            if (key.kind, key.source_id) not in self.ids:
                self.ids[key.kind, key.source_id] = self.book.next_id()
        pairs = {pair: None for key in documents for pair in self._books.documents[key].pairs}
        changes = [(_KINDS[key.kind], self._document(self._books.documents[key], at)) for key in documents]
        applied, gone = self._applications([each for each in pairs if each.from_kind == CREDIT_NOTE], at)
        self.file.ledger.write(at, *changes, *applied, gone=gone)

    def _write_customer(self, customer: str, at: datetime) -> None:
        cells = self._books.customers[customer]
        more = {**_address(cells), **self._person(customer)}
        known = self.ids.get(("customer", customer))
        if known is None:
            parent = self.ids["customer", cells["parent_id"]] if cells["parent_id"] else ""
            currency = cells["currency_iso"]
            self.ids["customer", customer] = self.file.add_customer(
                at, cells["name"], currency, parent=parent, more={"CompanyName": cells["name"], **more}
            )
        else:
            ledger = self.file.ledger
            ledger.write(at, ("Customer", {**ledger.get("Customer", known), **more}))

    def _person(self, customer: str) -> Json:
        """The first contact of a customer, a primary one before others: QuickBooks has room for one."""
        people = [each for each in self._books.contacts.values() if each["customer_id"] == customer]
        people.sort(key=lambda each: (each["is_primary"] != "true", each["id"]))
        if not people:
            return {}
        person = people[0]
        found: Json = {"GivenName": person["first_name"], "FamilyName": person["last_name"]}
        for name, field, key in (
            ("PrimaryEmailAddr", "Address", "email"),
            ("PrimaryPhone", "FreeFormNumber", "phone"),
            ("Mobile", "FreeFormNumber", "mobile"),
        ):
            if person[key]:
                found[name] = {field: person[key]}
        return found

    def _document(self, document: Document, at: datetime) -> Json:
        source_id = self.ids[document.key]
        customer = self.ids["customer", document.customer]
        day = document.date_issued
        # Only the rate of the first day counts; a document that is restated keeps it.
        rate = self._rate_of(document, day)
        if document.key.kind == PAYMENT:
            pairs = [each for each in document.pairs if self._books.is_live(each)]
            lines = [("Invoice", self.ids[INVOICE, each.to_id], self._books.allocations[each].amount) for each in pairs]
            amount = ZERO if document.voided else document.amount
            content = self.file.payment(source_id, at, customer, amount, day, lines, document.ref, rate)
            content |= self._payment_fields.get(document.key.source_id, {})
        else:
            amount = ZERO if document.voided else document.amount
            currency = self.file.currency_of(customer)
            content = objects.sale(
                source_id,
                document.ref,
                self.file.customer_ref(customer),
                amount,
                day,
                self.file.money(currency, day, rate),
                account_id=self.file.receivable(currency, at),
                note=document.cells.get("description", ""),
            )
            if document.date_due is not None:
                content["DueDate"] = document.date_due.isoformat()
        return {**content, "PrivateNote": self._void_note(document)} if document.voided else content

    def _void_note(self, document: Document) -> str:
        """The note of a voided transaction; a payment keeps the one that it was given."""
        given = self._payment_fields.get(document.key.source_id, {}).get("PrivateNote", "")
        return f"Voided - {given}" if given and document.key.kind == PAYMENT else "Voided"

    def _rate_of(self, document: Document, day: date) -> Decimal:
        known = self.file.ledger.current.get(_KINDS[document.key.kind], {}).get(self.ids[document.key], {})
        rate: Decimal | None = known.get("ExchangeRate")
        return rate or objects.exchange_rate(document.currency, self.book.home, day)

    def _applications(self, pairs: list[PairKey], at: datetime) -> tuple[list[tuple[str, Json]], list[Place]]:
        """Payments of 0 that apply credit memos: those to write, and those to delete because the allocation ended."""
        changes: list[tuple[str, Json]] = []
        gone: list[Place] = []
        for pair in pairs:
            place = (pair.from_id, pair.to_id)
            if not self._books.is_live(pair):
                known = self.applications.pop(place, None)
                gone.extend([("Payment", known)] if known else [])
                continue
            source_id = self.applications.get(place) or self.book.next_id()
            self.applications[place] = source_id
            note = self._books.documents[DocumentKey(CREDIT_NOTE, pair.from_id)]
            allocation = self._books.allocations[pair]
            lines = [
                ("Invoice", self.ids[INVOICE, pair.to_id], allocation.amount),
                ("CreditMemo", self.ids[CREDIT_NOTE, pair.from_id], allocation.amount),
            ]
            day = allocation.date_applied or note.date_issued
            customer = self.ids["customer", note.customer]
            changes.append(("Payment", self.file.payment(source_id, at, customer, ZERO, day, lines)))
        return changes, gone


def filled_from(
    company: Company,
    until: datetime | None = None,
    book: QuickBooksBook | None = None,
    *,
    payment_fields: Mapping[str, Mapping[str, str]] | None = None,
) -> Filling:
    """Return the company in a book, with its batches up to `until`; reads see it at the clock of the server."""
    filling = Filling(company, book, payment_fields=payment_fields)
    filling.advance(until)
    return filling


def _address(cells: Mapping[str, str]) -> Json:
    """The billing address of a customer's cells."""
    names = {
        "Line1": "address_line_1",
        "Line2": "address_line_2",
        "City": "city",
        "CountrySubDivisionCode": "state",
        "PostalCode": "postal_code",
        "Country": "country_iso",
    }
    address = {field: cells[name] for field, name in names.items() if cells.get(name)}
    return {"BillAddr": address} if address else {}
