"""The simulated QuickBooks Online for contract tests: every case in one company, one customer for what tests write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from kolleno_pipelines.connectors.contract import RecordSource
from kolleno_pipelines.connectors.http import Classify, HttpClient
from kolleno_pipelines.connectors.quickbooks.account import LIMIT_HEADERS
from kolleno_pipelines.connectors.quickbooks.client import QuickBooksSource, classify
from kolleno_pipelines.connectors.rate_limits import LimitHeaders
from kolleno_pipelines.sandbox.quickbooks.app import SCOPE, SandboxQuickBooks
from kolleno_pipelines.sandbox.quickbooks.book import QuickBooksBook
from kolleno_pipelines.sandbox.quickbooks.cases import write_all
from kolleno_pipelines.sandbox.quickbooks.company_file import CompanyFile
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.vendor_limits import VendorLimits
from tests.contract.vendors import OfDocuments, Payloads

AT = datetime(2026, 3, 6, 18, tzinfo=UTC)
_SIDES = {"Debit": 1, "Credit": -1}


class QuickBooks(OfDocuments):
    """A company that is served; see tests/contract/vendors.py."""

    api: ClassVar[str] = "/v3/"
    page_size: ClassVar[str] = "kolleno_pipelines.connectors.quickbooks.client.PAGE"
    id_field: ClassVar[str] = "Id"
    limit_headers: ClassVar[LimitHeaders] = LIMIT_HEADERS

    def __init__(self, vendor: SandboxQuickBooks, customer: str) -> None:
        self.server, self.clock = vendor.server, vendor.clock
        self._vendor, self._file, self._customer = vendor, vendor.file, customer

    def classify(self) -> Classify:
        return classify

    def sign_in(self) -> str:
        return f"Bearer {self._vendor.tokens.issue(SCOPE)['access_token']}"

    def expire(self) -> None:
        self._vendor.tokens.expire_access()

    def source(self, http: HttpClient) -> RecordSource:
        return QuickBooksSource(http, self._vendor.book.realm_id)

    def write(self, at: datetime) -> str:
        return self._file.add_invoice(at, self._customer, f"C-{at:%d%H%M%S}", Decimal("12.34"), at.date())

    def change(self, source_id: str, at: datetime) -> None:
        invoice = self._file.ledger.get("Invoice", source_id)
        self._file.ledger.write(at, ("Invoice", {**invoice, "CustomerMemo": {"value": f"changed {at}"}}))

    def delete(self, source_id: str, at: datetime) -> None:
        self._file.ledger.remove(at, "Invoice", source_id)

    def totals(self, payloads: Payloads) -> dict[str, Decimal]:
        receivable = {one["Id"] for one in payloads["accounts"] if one["AccountType"] == "Accounts Receivable"}
        journals = sum(_on(receivable, payloads), Decimal(0))
        return {
            "invoices.amount": _sum(payloads["invoices"], "TotalAmt"),
            "invoices.balance_open": _sum(payloads["invoices"], "Balance"),
            "credit_notes.amount": _sum(payloads["credit_memos"], "TotalAmt"),
            "credit_notes.balance_open": _sum(payloads["credit_memos"], "RemainingCredit"),
            "payments.amount": _sum(payloads["payments"], "TotalAmt"),
            "payments.balance_open": _sum(payloads["payments"], "UnappliedAmt"),
            "journals.amount": journals,
        }


def _sum(objects: list[dict[str, Any]], field: str) -> Decimal:
    return sum((Decimal(one[field]) for one in objects), Decimal(0))


def _on(receivable: set[str], payloads: Payloads) -> Iterator[Decimal]:
    """What lines with a customer move on receivables accounts, a debit positive."""
    for entry in payloads["journal_entries"]:
        for line in entry["Line"]:
            detail = line.get("JournalEntryLineDetail", {})
            if detail.get("AccountRef", {}).get("value") in receivable and "Entity" in detail:
                yield _SIDES[detail["PostingType"]] * Decimal(line["Amount"])
    for extract, name, sign in (
        ("deposits", "DepositLineDetail", -1),
        ("purchases", "AccountBasedExpenseLineDetail", 1),
    ):
        for entry in payloads[extract]:
            for line in entry["Line"]:
                detail = line.get(name, {})
                if detail.get("AccountRef", {}).get("value") in receivable:
                    yield sign * Decimal(line["Amount"])


@contextmanager
def serve() -> Iterator[QuickBooks]:
    """A company of every case, a day later."""
    file = CompanyFile(QuickBooksBook(), AT - timedelta(days=30))
    write_all(file, AT, AT.date())
    customer = file.add_customer(AT + timedelta(hours=1), "Contract tests")
    clock = VendorClock(AT + timedelta(days=1))
    with SandboxQuickBooks(file, clock=clock, limits=VendorLimits()) as vendor:
        yield QuickBooks(vendor, customer)
