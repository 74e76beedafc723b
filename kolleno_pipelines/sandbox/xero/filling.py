"""The synthetic company as a Xero organisation: its batches, one after the other, in the vendor's terms. No HTTP.

How the company's money is entered, by what is true at the end of the batch that tells it:

- wholly applied to one invoice: a Payment; to several: a BatchPayment with a Payment for each;
- applied to nothing: a Prepayment of the whole; applied in part: an Overpayment of the whole, with allocations;
- what changes later: credits are allocated and taken off; a Payment that comes off its invoice is deleted, with its
  whole batch, and the money is entered anew as an Overpayment. So one receipt of the company is always one object.

A dispute has no counterpart. A correction of an amount goes through even where Xero would first want payments removed.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from kolleno_pipelines.sandbox.books import Books, Document, DocumentKey, Touched
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.events import (
    CREDIT_NOTE,
    INVOICE,
    Batch,
    DocumentVoided,
)
from kolleno_pipelines.sandbox.xero.book import Book
from kolleno_pipelines.sandbox.xero.chart import BANK, RATES, account_of, set_up
from kolleno_pipelines.sandbox.xero.contacts import company_contact, contact, contact_group
from kolleno_pipelines.sandbox.xero.ledger import Ledger
from kolleno_pipelines.sandbox.xero.money import MoneyDesk
from kolleno_pipelines.sandbox.xero.objects import (
    Kind,
    Record,
    credit_note,
    invoice,
    object_id,
)


class Filling:
    """A company on its way into a book; `advance` enters further batches, and the server's clock shows them in time.

    The vendor's id of a customer, invoice or credit note of the company is `objects.object_id(kind, source_id)`.
    """

    def __init__(self, company: Company, book: Book | None = None) -> None:
        if not company.plan.expressible:
            message = "Xero can only state a company that was built with expressible=True."
            raise ValueError(message)
        self.company = company
        self.book = book or Book()
        self.ledger = Ledger(self.book)
        self._books = Books(company.version_days)
        self._money = MoneyDesk(self.ledger, self._books)
        self._next = 0
        self._bills = 0

    def advance(self, until: datetime | None = None) -> None:
        """Enter the batches whose name time is not after `until`, the rest of them when it is None."""
        batches = self.company.batches
        while self._next < len(batches) and (until is None or batches[self._next].name_time <= until):
            self._tell(batches[self._next])
            self._next += 1

    def receipt_of(self, payment: str) -> tuple[Kind, str] | None:
        """Return what a payment of the company is here now: a payment, batch, overpayment or prepayment, and its id."""
        return self._money.receipt_of(payment)

    def _tell(self, batch: Batch) -> None:
        """Enter what a batch tells, at the time in its name."""
        at, touched = batch.name_time, Touched()
        if batch.number == 0:
            set_up(self.ledger, at)
        payers: dict[DocumentKey, None] = {}
        for event in self.company.events_of(batch):
            self._books.apply(event, touched)
            if isinstance(event, DocumentVoided):
                pairs = self._books.documents[DocumentKey(event.kind, event.source_id)].pairs
                payers.update({DocumentKey(pair.from_kind, pair.from_id): None for pair in pairs})
        payers.update({DocumentKey(pair.from_kind, pair.from_id): None for pair in touched.pairs})
        payers.update({key: None for key in touched.documents if key.kind != INVOICE})
        self._contacts(touched, at)
        for key in touched.documents:
            self._document(self._books.documents[key], at)
        entered = [self._books.documents[key] for key in payers]
        for payer in entered:
            self._money.take_off(payer, at)
        for key in touched.documents:
            self._void(self._books.documents[key], at)
        for payer in entered:
            self._money.apply(payer, at)
        self._bill(at)

    def _contacts(self, touched: Touched, at: datetime) -> None:
        owners = {self._books.contacts[each]["customer_id"]: None for each in touched.contacts}
        changed = {**touched.customers, **owners}
        for customer in changed:
            cells = self._books.customers[customer]
            people = [each for each in self._books.contacts.values() if each["customer_id"] == customer]
            record = company_contact(cells, people)
            if cells["segment"]:
                group = contact_group(cells["segment"])
                record["ContactGroups"] = [{each: group[each] for each in ("ContactGroupID", "Name", "Status")}]
            self.ledger.book.put(Kind.CONTACTS, record, at)
        if changed:
            for segment in ("large", "small"):
                members = [each for each in self._books.customers.values() if each["segment"] == segment]
                named = [{"ContactID": object_id(Kind.CONTACTS, each["id"]), "Name": each["name"]} for each in members]
                self.ledger.book.put(Kind.CONTACT_GROUPS, contact_group(segment, named), at)

    def _document(self, document: Document, at: datetime) -> None:
        kind = {INVOICE: Kind.INVOICES, CREDIT_NOTE: Kind.CREDIT_NOTES}.get(document.key.kind)
        if kind is None:
            return
        made = self._invoice(document) if kind is Kind.INVOICES else self._credit_note(document)
        before = self.ledger.book.get(kind, made[kind.id_field], at)
        if before is None:
            self.ledger.enter(kind, made, at)
            return
        watched = (
            "InvoiceNumber",
            "CreditNoteNumber",
            "Date",
            "DueDate",
            "Total",
            "Reference",
            "LineItems",
            "SubTotal",
        )
        changes = {name: made[name] for name in watched if made.get(name) != before.get(name)}
        if "Total" in changes:
            changes["TotalTax"] = made["TotalTax"]
        if changes:
            self.ledger.edit(kind, made[kind.id_field], changes, at)

    def _invoice(self, document: Document) -> Record:
        owner = self._books.customers[document.customer]
        record = invoice(
            document.key.source_id,
            {"ContactID": object_id(Kind.CONTACTS, document.customer), "Name": owner["name"]},
            document.amount,
            document.date_issued,
            number=document.ref,
            due=document.date_due,
            currency=document.currency,
            rate=RATES[document.currency],
            reference=document.cells.get("po_number", ""),
        )
        record["LineItems"][0]["Description"] = document.cells.get("description") or "Goods as ordered"
        return record

    def _credit_note(self, document: Document) -> Record:
        owner = self._books.customers[document.customer]
        return credit_note(
            document.key.source_id,
            {"ContactID": object_id(Kind.CONTACTS, document.customer), "Name": owner["name"]},
            document.amount,
            document.date_issued,
            number=document.ref,
            currency=document.currency,
            rate=RATES[document.currency],
        )

    def _void(self, document: Document, at: datetime) -> None:
        kind = {INVOICE: Kind.INVOICES, CREDIT_NOTE: Kind.CREDIT_NOTES}.get(document.key.kind)
        if kind is None or not document.voided:
            return
        identity = object_id(kind, document.key.source_id)
        if self.ledger.state(kind, identity, at)["Status"] != "VOIDED":
            self.ledger.remove(kind, identity, at)

    def _bill(self, at: datetime) -> None:
        """A bill of a supplier, every second one paid: nothing of it is the receivables' business."""
        supplier = contact("SUP-1", "Paper & Ink Supplies")
        if self._bills == 0:
            self.ledger.book.put(Kind.CONTACTS, supplier, at)
        self._bills += 1
        key, day = f"BILL-{self._bills:04d}", at.date()
        bill = invoice(key, supplier, 100 + self._bills, day, due=day + timedelta(days=30), document_type="ACCPAY")
        self.ledger.enter(Kind.INVOICES, bill, at)
        if self._bills % 2 == 0:
            bank = account_of(self.ledger, BANK, at)
            self.ledger.pay(Kind.INVOICES, bill["InvoiceID"], bill["Total"], day, bank, at, key=key)


def filled_from(company: Company, until: datetime | None = None, book: Book | None = None) -> Filling:
    """Return the company in a book, with its batches up to `until`."""
    filling = Filling(company, book)
    filling.advance(until)
    return filling
