"""The simulated Xero for contract tests: every case in one organisation, one contact for what tests write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar

from kolleno_pipelines.connectors.contract import RecordSource
from kolleno_pipelines.connectors.http import Classify, HttpClient
from kolleno_pipelines.connectors.rate_limits import LimitHeaders
from kolleno_pipelines.connectors.xero.access import LIMIT_HEADERS
from kolleno_pipelines.connectors.xero.client import XeroSource, classify
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.vendor_limits import VendorLimits
from kolleno_pipelines.sandbox.xero.access import READ_SCOPES
from kolleno_pipelines.sandbox.xero.book import Book
from kolleno_pipelines.sandbox.xero.cases import LATER, book_of_cases
from kolleno_pipelines.sandbox.xero.contacts import contact, contact_group
from kolleno_pipelines.sandbox.xero.ledger import Ledger
from kolleno_pipelines.sandbox.xero.objects import Kind, Record, invoice
from kolleno_pipelines.sandbox.xero.server import SandboxXero
from tests.contract.vendors import OfDocuments, Payloads

AT = datetime(2026, 2, 2, 9, 30, tzinfo=UTC)
_POSTED = {"AUTHORISED", "PAID"}
_ON_ACCOUNT = {"RECEIVE-OVERPAYMENT", "AROVERPAYMENT", "RECEIVE-PREPAYMENT", "ARPREPAYMENT"}
_REFUNDS = {"ARCREDITPAYMENT", "AROVERPAYMENTPAYMENT", "ARPREPAYMENTPAYMENT"}


class Xero(OfDocuments):
    """An organisation that is served; see tests/contract/vendors.py."""

    api: ClassVar[str] = "/api.xro/"
    page_size: ClassVar[str] = "kolleno_pipelines.connectors.xero.client.PAGE"
    id_field: ClassVar[str] = "InvoiceID"
    limit_headers: ClassVar[LimitHeaders] = LIMIT_HEADERS

    def __init__(self, xero: SandboxXero, book: Book, who: Record) -> None:
        self.server, self.clock = xero.server, xero.clock
        self._xero, self._ledger, self._who = xero, Ledger(book), who

    def classify(self) -> Classify:
        return classify

    def sign_in(self) -> str:
        return f"Bearer {self._xero.sign_in(READ_SCOPES)['access_token']}"

    def expire(self) -> None:
        self._xero.tokens.expire_access()

    def source(self, http: HttpClient) -> RecordSource:
        return XeroSource(http, self._xero.tenant_id)

    def write(self, at: datetime) -> str:
        self._written = getattr(self, "_written", 0) + 1
        made = invoice(f"contract-{self._written}", self._who, Decimal("12.34"), at.date(), due=at.date())
        self._ledger.enter(Kind.INVOICES, made, at)
        return str(made["InvoiceID"])

    def change(self, source_id: str, at: datetime) -> None:
        self._ledger.edit(Kind.INVOICES, source_id, {"Reference": f"changed {at}"}, at)

    def delete(self, source_id: str, at: datetime) -> None:
        self._ledger.remove(Kind.INVOICES, source_id, at)

    def totals(self, payloads: Payloads) -> dict[str, Decimal]:
        invoices = _posted(payloads["invoices"], "Type", {"ACCREC"})
        notes = _posted(payloads["credit_notes"], "Type", {"ACCRECCREDIT"})
        on_account = _posted([*payloads["overpayments"], *payloads["prepayments"]], "Type", _ON_ACCOUNT)
        receipts = _posted(payloads["payments"], "PaymentType", {"ACCRECPAYMENT"})
        return {
            "invoices.amount": _sum(invoices, "Total"),
            "invoices.balance_open": _sum(invoices, "AmountDue"),
            "credit_notes.amount": _sum(notes, "Total"),
            "credit_notes.balance_open": _sum(notes, "RemainingCredit"),
            "payments.amount": _sum(receipts, "Amount") + _sum(on_account, "Total"),
            "payments.balance_open": _sum(on_account, "RemainingCredit"),
            "refunds_erp.amount": _sum(_posted(payloads["payments"], "PaymentType", _REFUNDS), "Amount"),
        }


def _posted(objects: list[dict[str, Any]], field: str, words: set[str]) -> list[dict[str, Any]]:
    return [one for one in objects if one["Status"] in _POSTED and one[field] in words]


def _sum(objects: list[dict[str, Any]], field: str) -> Decimal:
    return sum((Decimal(one[field]) for one in objects), Decimal(0))


@contextmanager
def serve() -> Iterator[Xero]:
    """An organisation of every case, after all that happens later in them."""
    book, _ = book_of_cases(AT)
    who = book.put(Kind.CONTACTS, contact("contract", "Contract tests"), AT)
    book.put(Kind.CONTACT_GROUPS, contact_group("Contract tests", [who]), AT)
    with SandboxXero(book, clock=VendorClock(AT + 2 * LATER), limits=VendorLimits()) as xero:
        yield Xero(xero, book, who)
