"""What may be written into a Xero organisation, and what else changes with it. No HTTP, no arithmetic of documents.

What the vendor refuses raises `WriteRefusedError` with the vendor's sentences, where those are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from kolleno_pipelines.sandbox.xero.book import Book
from kolleno_pipelines.sandbox.xero.objects import (
    CREDIT_KINDS,
    ZERO,
    Kind,
    Record,
    contact_summary,
    object_id,
)
from kolleno_pipelines.sandbox.xero.settling import (
    is_settled_in_part,
    kind_of_payment,
    open_amount,
    payment_of,
    settle,
)

#: Fields that can be edited on a settled document, too; no journal comes of it, so the vendor does not announce it.
SILENT_FIELDS = frozenset({"DueDate", "SentToContact", "ExpectedPaymentDate", "PlannedPaymentDate"})

NOT_AUTHORISED = "Payments can only be made against Authorised documents"
TOO_MUCH = "Payment amount exceeds the amount outstanding on this document"
NOT_MODIFIABLE = "Invoice not of valid status for modification"
HAS_ALLOCATIONS = "This document cannot be edited as it has a payment or credit note allocated to it."
LOCKED = "The document date cannot be before the period lock date"
OTHER_CONTACT = "The contact of the credit and of the invoice must be the same"


class WriteRefusedError(Exception):
    """The vendor refuses a write; `messages` are its sentences."""

    def __init__(self, *messages: str) -> None:
        super().__init__("; ".join(messages))
        self.messages = messages


class Ledger:
    """Writes documents, payments and allocations into a book; every method takes the moment of the write."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self._payments_made = 0

    def state(self, kind: Kind, identity: str, at: datetime) -> Record:
        """Return an object as it stands. Raises WriteRefusedError when there is none."""
        record = self.book.get(kind, identity, at)
        if record is None:
            raise WriteRefusedError(f"{kind.id_field.removesuffix('ID')} could not be found")
        return record

    def enter(self, kind: Kind, record: Record, at: datetime, *, announced: bool = True) -> Record:
        """Write a document with the amounts that follow from its payments and allocations."""
        return self.book.put(kind, settle(kind, record), at, announced=announced)

    def edit(self, kind: Kind, identity: str, changes: Mapping[str, Any], at: datetime) -> Record:
        """Change fields of a document. What brings no journal on a settled one does not move its moment."""
        record = self.state(kind, identity, at)
        if record["Status"] in {"VOIDED", "DELETED"}:
            raise WriteRefusedError(NOT_MODIFIABLE)
        silent = set(changes) <= SILENT_FIELDS and is_settled_in_part(record)
        return self.enter(kind, record | dict(changes), at, announced=not silent)

    def remove(self, kind: Kind, identity: str, at: datetime) -> Record:
        """Delete a draft, void anything else. Payments and allocations must be gone before."""
        record = self.state(kind, identity, at)
        if is_settled_in_part(record):
            raise WriteRefusedError(HAS_ALLOCATIONS)
        self._check_lock(record["Date"], at)
        word = "DELETED" if record["Status"] in {"DRAFT", "SUBMITTED"} else "VOIDED"
        return self.enter(kind, record | {"Status": word}, at)

    def pay(
        self,
        kind: Kind,
        identity: str,
        amount: Decimal,
        day: date,
        account: Mapping[str, Any],
        at: datetime,
        *,
        reference: str = "",
        rate: Decimal | None = None,
        key: str = "",
        batch: Record | None = None,
    ) -> Record:
        """Pay an invoice, or pay a credit out: a refund. `rate` is the day's where the currency moved."""
        document = self.state(kind, identity, at)
        if document["Status"] != "AUTHORISED" and not (document["Status"] == "PAID" and amount > 0):
            raise WriteRefusedError(NOT_AUTHORISED)
        if amount <= 0:
            raise WriteRefusedError("Payment amount must be greater than zero")
        if amount > open_amount(kind, document):
            raise WriteRefusedError(TOO_MUCH)
        self._check_lock(day, at)
        self._payments_made += 1
        payment = payment_of(kind, document, amount, day, rate or document["CurrencyRate"])
        payment |= {
            "PaymentID": object_id(Kind.PAYMENTS, key or f"number {self._payments_made}"),
            "Reference": reference,
            "Account": {"AccountID": account["AccountID"], "Code": account["Code"]},
        }
        if batch is not None:
            payment |= {"BatchPaymentID": batch["BatchPaymentID"], "BatchPayment": batch}
        nested = ("PaymentID", "Date", "Amount", "Reference", "CurrencyRate")
        entry = {each: payment[each] for each in nested} | {"HasAccount": False, "HasValidationErrors": False}
        self.enter(kind, document | {"Payments": [*document["Payments"], entry]}, at)
        return self.book.put(Kind.PAYMENTS, payment, at)

    def pay_batch(
        self,
        shares: Mapping[str, Decimal],
        day: date,
        account: Mapping[str, Any],
        at: datetime,
        *,
        reference: str = "",
        key: str,
    ) -> Record:
        """Enter one receipt of many invoices: a batch, and a payment for each invoice."""
        identity = object_id(Kind.BATCH_PAYMENTS, key)
        head: Record = {
            "BatchPaymentID": identity,
            "Account": {"AccountID": account["AccountID"]},
            "Date": day,
            "Type": "RECBATCH",
            "Status": "AUTHORISED",
            "TotalAmount": sum(shares.values(), ZERO),
            "UpdatedDateUTC": at,
            "IsReconciled": False,
        }
        parts = []
        for invoice_id, amount in shares.items():
            part = f"{key}:{invoice_id}"
            payment = self.pay(
                Kind.INVOICES, invoice_id, amount, day, account, at, reference=reference, key=part, batch=head
            )
            invoice = {"InvoiceID": invoice_id, "CurrencyCode": payment["Invoice"]["CurrencyCode"], "LineItems": []}
            parts.append(
                {"Invoice": invoice, **{each: payment[each] for each in ("PaymentID", "Amount", "BankAmount")}}
            )
        return self.book.put(Kind.BATCH_PAYMENTS, head | {"Reference": reference, "Payments": parts}, at)

    def delete_payment(self, identity: str, at: datetime) -> Record:
        """Take a payment back: the document is open again. One of a batch goes only with its batch."""
        payment = self.state(Kind.PAYMENTS, identity, at)
        if "BatchPaymentID" in payment:
            raise WriteRefusedError("Payment is part of a batch payment and cannot be deleted on its own")
        return self._take_back(payment, at)

    def delete_batch(self, identity: str, at: datetime) -> Record:
        """Take a whole batch back, with every payment of it; the vendor lists none in a deleted batch."""
        batch = self.state(Kind.BATCH_PAYMENTS, identity, at)
        if batch["Status"] == "DELETED":
            raise WriteRefusedError("Batch payment has already been deleted")
        for part in batch["Payments"]:
            payment = self.state(Kind.PAYMENTS, part["PaymentID"], at)
            nested = payment["BatchPayment"] | {"Status": "DELETED", "UpdatedDateUTC": at}
            self._take_back(payment | {"BatchPayment": nested}, at)
        return self.book.put(Kind.BATCH_PAYMENTS, batch | {"Status": "DELETED", "Payments": []}, at)

    def allocate(
        self, kind: Kind, identity: str, invoice_id: str, amount: Decimal, day: date, at: datetime, *, key: str = ""
    ) -> Record:
        """Apply a credit to an invoice of the same contact; returns the allocation."""
        credit, invoice = self.state(kind, identity, at), self.state(Kind.INVOICES, invoice_id, at)
        _check_allocation(kind, credit, invoice, amount)
        self._check_lock(day, at)
        place = f"{identity}:{invoice_id}:{at.isoformat()}:{len(credit['Allocations'])}"
        allocation_id = object_id("Allocation", key or place)
        short = {"InvoiceID": invoice_id, "InvoiceNumber": invoice["InvoiceNumber"]}
        allocation = {
            "AllocationID": allocation_id,
            "Amount": amount,
            "Date": day,
            "Invoice": short,
            "IsDeleted": False,
        }
        self.enter(kind, credit | {"Allocations": [*credit["Allocations"], allocation]}, at)
        entry = {
            kind.id_field: identity,
            "ID": identity,
            "AppliedAmount": amount,
            "Date": day,
            "Total": credit["Total"],
        }
        if kind is Kind.CREDIT_NOTES:
            entry["CreditNoteNumber"] = credit["CreditNoteNumber"]
        entry |= {"LineItems": [], "AllocationID": allocation_id}
        self.enter(Kind.INVOICES, invoice | {kind.value: [*invoice[kind.value], entry]}, at)
        return allocation

    def take_off(self, kind: Kind, identity: str, allocation_id: str, at: datetime) -> Record:
        """End an allocation; returns it, marked as deleted."""
        credit = self.state(kind, identity, at)
        allocations: list[Record] = credit["Allocations"]
        found = next((each for each in allocations if each["AllocationID"] == allocation_id), None)
        if found is None:
            raise WriteRefusedError("Allocation could not be found")
        kept = [each for each in allocations if each is not found]
        self.enter(kind, credit | {"Allocations": kept}, at)
        invoice = self.state(Kind.INVOICES, found["Invoice"]["InvoiceID"], at)
        entries = [each for each in invoice[kind.value] if each["AllocationID"] != allocation_id]
        self.enter(Kind.INVOICES, invoice | {kind.value: entries}, at)
        return found | {"IsDeleted": True}

    def merge_contacts(self, gone: str, into: str, at: datetime) -> None:
        """Merge a contact into another: it is archived, and its documents change hands without a word."""
        old, new = self.state(Kind.CONTACTS, gone, at), self.state(Kind.CONTACTS, into, at)
        changes = {"ContactStatus": "ARCHIVED", "MergedToContactID": into}
        self.book.put(Kind.CONTACTS, old | changes, at)
        summary = contact_summary(into, new["Name"])
        for kind in (Kind.INVOICES, *CREDIT_KINDS):
            for record in self.book.records(kind, at):
                if record["Contact"]["ContactID"] == gone:
                    self.book.put(kind, record | {"Contact": summary}, at, announced=False)
        for payment in self.book.records(Kind.PAYMENTS, at):
            if payment["Invoice"]["Contact"]["ContactID"] == gone:
                moved = payment | {"Invoice": payment["Invoice"] | {"Contact": summary}}
                self.book.put(Kind.PAYMENTS, moved, at, announced=False)

    def _take_back(self, payment: Record, at: datetime) -> Record:
        if payment["Status"] == "DELETED":
            raise WriteRefusedError("Payment has already been deleted")
        self._check_lock(payment["Date"], at)
        kind = kind_of_payment(payment)
        document = self.state(kind, payment["Invoice"]["InvoiceID"], at)
        kept = [each for each in document["Payments"] if each["PaymentID"] != payment["PaymentID"]]
        self.enter(kind, document | {"Payments": kept}, at)
        return self.book.put(Kind.PAYMENTS, payment | {"Status": "DELETED"}, at)

    def _check_lock(self, day: date, at: datetime) -> None:
        for each in self.book.records(Kind.ORGANISATION, at):
            if "PeriodLockDate" in each and day <= each["PeriodLockDate"]:
                raise WriteRefusedError(LOCKED)


def _check_allocation(kind: Kind, credit: Record, invoice: Record, amount: Decimal) -> None:
    if credit["Status"] != "AUTHORISED" and credit["Status"] != "PAID":
        raise WriteRefusedError("Credit must be Authorised to be allocated")
    if invoice["Status"] not in {"AUTHORISED", "PAID"}:
        raise WriteRefusedError(NOT_AUTHORISED)
    if credit["Contact"]["ContactID"] != invoice["Contact"]["ContactID"]:
        raise WriteRefusedError(OTHER_CONTACT)
    if amount <= 0:
        raise WriteRefusedError("Allocation amount must be greater than zero")
    if amount > open_amount(kind, credit):
        raise WriteRefusedError("Allocation amount exceeds the remaining credit")
    if amount > open_amount(Kind.INVOICES, invoice):
        raise WriteRefusedError("Allocation amount exceeds the amount outstanding on this document")
    if credit["CurrencyCode"] != invoice["CurrencyCode"]:
        raise WriteRefusedError("The currencies of the credit and of the invoice must be the same")
