"""Recorded payloads of Xero, taken in any order, and what a start date leaves out."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from kolleno_pipelines.connections import XeroConnection
from kolleno_pipelines.connectors.xero.connector import XERO
from kolleno_pipelines.pipeline.import_extracts import import_extracts
from kolleno_pipelines.pipeline.passes import Reader
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.vendor_limits import VendorLimits
from kolleno_pipelines.sandbox.xero.cases import book_of_cases
from kolleno_pipelines.sandbox.xero.server import SandboxXero
from tests.xero_client import AT, NOW
from tests.xero_site import Books, Site


def _payload(name: str, source_id: str, minute: int, **fields: Any) -> dict[str, Any]:
    stamp = f"/Date({1_767_225_600_000 + minute * 60_000}+0000)/"
    return {
        name: source_id,
        "UpdatedDateUTC": stamp,
        "Status": "AUTHORISED",
        "Date": "/Date(1767225600000+0000)/",
    } | fields


def _recorded() -> dict[str, list[dict[str, Any]]]:
    """A credit note of 80 in euros at 0.8: 30 to an invoice of 100 paid with 45, 20 paid back; 25 and 30 are left."""
    money = {"CurrencyCode": "EUR", "CurrencyRate": 0.8}
    party = {"Contact": {"ContactID": "c"}, **money}
    named = {"Contact": {"ContactID": "c"}, "CurrencyCode": "EUR"}
    part = {"AllocationID": "A", "Amount": 30, "Date": "/Date(1767312000000+0000)/", "Invoice": {"InvoiceID": "i"}}
    note = {"Type": "ACCRECCREDIT", "Total": 80, "RemainingCredit": 30, "Allocations": [part], **party}
    bill = {"Type": "ACCREC", "Total": 100, "AmountDue": 25, **party}
    receipt = {
        "PaymentType": "ACCRECPAYMENT",
        "Amount": 45,
        "CurrencyRate": 0.75,
        "Invoice": {"InvoiceID": "i", **named},
    }
    refund = {
        "PaymentType": "ARCREDITPAYMENT",
        "Amount": 20,
        "CurrencyRate": 0.8,
        "Invoice": {"InvoiceID": "n", **named},
    }
    owed = {"AccountsReceivable": {"Outstanding": -5}}
    return {
        "organisation": [{"OrganisationID": "o", "Name": "Ltd", "BaseCurrency": "USD"}],
        "contacts": [_payload("ContactID", "c", 1, Name="Ada", ContactStatus="ACTIVE", Balances=owed)],
        "invoices": [
            _payload("InvoiceID", "bad", 1, Type="ACCREC", **party, Total=1, AmountDue=1) | {"Date": "soon"},
            _payload("InvoiceID", "i", 2, **bill),
        ],
        "credit_notes": [_payload("CreditNoteID", "n", 2, **note)],
        "payments": [_payload("PaymentID", "p", 2, **receipt), _payload("PaymentID", "r", 2, **refund)],
    }


def _take(books: Books, folder: Path, extracts: dict[str, list[dict[str, Any]]]) -> None:
    folder.mkdir(parents=True)
    for name, payloads in extracts.items():
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(payload)}\n" for payload in payloads))
    import_extracts(books.deployment, "xero", XERO, folder, observed_at=NOW)


def test_a_credit_its_refund_and_a_payment_in_another_currency(database: str, tmp_path: Path) -> None:
    books = Books(database, tmp_path)
    _take(books, tmp_path / "1", _recorded())
    invoice_row, note = books.rows("invoices")["i"], books.rows("credit_notes")["n"]
    assert set(books.rows("invoices")) == {"i"}, "the first payload of the block makes no sense, the second does"
    assert (invoice_row["amount_home"], invoice_row["balance_home"]) == (125, Decimal("31.25"))
    assert (note["balance"], note["amount_home"], note["exchange_rate"]) == (30, 100, Decimal("1.25"))
    assert (books.rows("payments")["p"]["amount"], books.rows("payments")["p"]["amount_home"]) == (45, 60)
    assert books.rows("refunds_erp")["r"]["amount"] == 20
    amounts = {(row["from_source_id"], row["to_source_id"]): row["amount"] for row in books.live_allocations()}
    assert amounts == {("n", "i"): 30, ("p", "i"): 45, ("n", "r"): 20}
    assert books.unexplained() == []
    assert books.net_by_customer() == {"c": -5}
    assert books.rows("customers")["c"]["balance_stated"] == -5


def test_any_order_of_extracts_ends_in_the_same_records(database: str, tmp_path: Path) -> None:
    """Payments before their invoices, credits before contacts: what waits for its parent folds when it comes."""
    books = Books(database, tmp_path)
    recorded = _recorded()
    for number, name in enumerate(reversed(list(recorded))):
        _take(books, tmp_path / f"back {number}", {name: recorded[name]})
    assert books.net_by_customer() == {"c": -5}
    assert books.unexplained() == []
    later = _payload("PaymentID", "p", 9, **recorded["payments"][0]) | {"Status": "DELETED"}
    opened = recorded["invoices"][1] | {"AmountDue": 70, "UpdatedDateUTC": "/Date(1767226140000+0000)/"}
    later["UpdatedDateUTC"] = opened["UpdatedDateUTC"]
    _take(books, tmp_path / "later", {"payments": [later], "invoices": [opened]})
    _take(books, tmp_path / "again", recorded)
    assert books.rows("payments")["p"]["posting_status"] == "deleted", "what is older does not bring it back"
    assert books.rows("invoices")["i"]["balance_open"] == 70
    assert books.net_by_customer() == {"c": 40}
    assert books.unexplained() == []


def test_a_start_date_leaves_out_closed_documents_and_payments_alone(database: str, tmp_path: Path) -> None:
    book, _ = book_of_cases(AT)
    now = NOW + timedelta(days=30)
    with SandboxXero(book, clock=VendorClock(now), limits=VendorLimits()) as xero:
        site = Site(xero, database, tmp_path)
        connection = XeroConnection(name="xero", start_date=(NOW + timedelta(days=20)).date())
        reader = Reader(site.deployment, connection, XERO, site.source, clock=lambda: now)
        read = reader.read()
        assert read.failed == []
        assert sum(done.records for done in read.of("payments")) == 0
        site.normalise_and_fold()
        for _ in range(3):
            reader.read_by_id()
            site.normalise_and_fold()
    invoices = site.rows("invoices")
    posted = {name: row for name, row in invoices.items() if row["posting_status"] == "posted"}
    closed = {name for name, row in posted.items() if not row["balance_open"]}
    assert closed <= {row["to_source_id"] for row in site.live_allocations()}, "an open credit paid them: its parents"
    assert len(closed) < len(posted) - len(closed)
    stated = {name: row["balance_stated"] for name, row in site.rows("customers").items() if row["balance_stated"]}
    net = site.net_by_customer()
    assert {name: net[name] for name in stated} == stated, "what is open is here in full"
