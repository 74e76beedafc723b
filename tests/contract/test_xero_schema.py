"""Every answer of the sandbox Xero, and every body that is sent to it, against Xero's own schema."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.vendor_limits import VendorLimits
from kolleno_pipelines.sandbox.xero.access import READ_SCOPES, WRITE_SCOPES
from kolleno_pipelines.sandbox.xero.book import Book
from kolleno_pipelines.sandbox.xero.cases import LATER, Case, book_of_cases
from kolleno_pipelines.sandbox.xero.filling import filled_from
from kolleno_pipelines.sandbox.xero.objects import Kind
from kolleno_pipelines.sandbox.xero.server import SandboxXero
from tests.contract.xero_schema import XeroSchema

AT = datetime(2026, 2, 2, 9, 30, tzinfo=UTC)
KINDS = [pytest.param(kind, id=kind.value) for kind in Kind]
PAGED = {*(Kind.CONTACTS, Kind.INVOICES, Kind.CREDIT_NOTES, Kind.PAYMENTS), Kind.OVERPAYMENTS, Kind.PREPAYMENTS}


class _Asked:
    """A client of the sandbox whose every answer is judged."""

    def __init__(self, xero: SandboxXero, schema: XeroSchema) -> None:
        self.xero, self.schema = xero, schema
        token = xero.sign_in(f"{READ_SCOPES} {WRITE_SCOPES}")["access_token"]
        self.session = requests.Session()
        self.session.headers.update(
            {"Authorization": f"Bearer {token}", "xero-tenant-id": xero.tenant_id, "Accept": "application/json"}
        )

    def ask(self, method: str, path: str, address: str, body: object = None, **query: str) -> dict[str, Any]:
        """The answer, which must be 200 and as the schema of `address` says; so must the body sent."""
        if body is not None:
            assert self.schema.faults(self.schema.schema_of(method, address, sent=True), body) == []
        answer = self.session.request(method, f"{self.xero.api_url}{path}", params=query, json=body, timeout=10)
        assert answer.status_code == 200, answer.text
        parsed: dict[str, Any] = answer.json()
        assert "\n".join(self.schema.faults(self.schema.schema_of(method, address), parsed)[:5]) == ""
        return parsed

    def refused(self, method: str, path: str, body: object = None, **query: str) -> dict[str, Any]:
        answer = self.session.request(method, f"{self.xero.api_url}{path}", params=query, json=body, timeout=10)
        assert answer.status_code == 400, answer.text
        parsed: dict[str, Any] = answer.json()
        assert self.schema.faults(self.schema.named("Error"), {**parsed, "Elements": []}) == []
        return parsed


def _served(book: Book, now: datetime) -> SandboxXero:
    return SandboxXero(book, clock=VendorClock(now), limits=VendorLimits())


@pytest.fixture(scope="module")
def company_client(xero_schema: XeroSchema) -> Iterator[_Asked]:
    company = Company.build(4, customers=12, days=12, history_days=20, expressible=True)
    with _served(filled_from(company).book, company.batches[-1].name_time) as xero:
        client = _Asked(xero, xero_schema)
        yield client
        client.session.close()


@pytest.fixture
def cases_client(xero_schema: XeroSchema) -> Iterator[tuple[_Asked, dict[str, Case]]]:
    book, cases = book_of_cases(AT)
    with _served(book, AT + 2 * LATER) as xero:
        client = _Asked(xero, xero_schema)
        yield client, cases
        client.session.close()


def _single(kind: Kind) -> str:
    return f"/{kind}/{{{kind.id_field}}}"


@pytest.mark.parametrize("kind", KINDS)
def test_lists_and_objects_of_the_company(company_client: _Asked, kind: Kind) -> None:
    asked = company_client
    records = asked.ask("GET", f"/{kind}", f"/{kind}")[kind.list_name]
    assert records
    if kind in PAGED:
        paged = asked.ask("GET", f"/{kind}", f"/{kind}", page="1", pageSize="1000")
        assert len(paged[kind.list_name]) == len(records)
    if kind in {Kind.INVOICES, Kind.CONTACTS}:
        asked.ask("GET", f"/{kind}", f"/{kind}", page="1", summaryOnly="true")
    for record in records[:5] if kind is not Kind.ORGANISATION else []:
        identity = record[kind.id_field]
        asked.ask("GET", f"/{kind}/{identity}", _single(kind))
        if kind not in {Kind.ACCOUNTS, Kind.CONTACT_GROUPS}:
            history = asked.ask("GET", f"/{kind}/{identity}/History", f"{_single(kind)}/History")
            assert history["HistoryRecords"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_case_as_it_comes_and_as_it_ends(cases_client: tuple[_Asked, dict[str, Case]], kind: Kind) -> None:
    asked, _ = cases_client
    for moment in (AT, AT + LATER):
        asked.xero.clock.set(moment)
        for record in asked.ask("GET", f"/{kind}", f"/{kind}")[kind.list_name]:
            if kind is not Kind.ORGANISATION:
                asked.ask("GET", f"/{kind}/{record[kind.id_field]}", _single(kind))


def test_attachments(cases_client: tuple[_Asked, dict[str, Case]]) -> None:
    asked, cases = cases_client
    for kind, case, role in (
        (Kind.INVOICES, "batch_payment", "invoice_50"),
        (Kind.CREDIT_NOTES, "ended_allocation", "credit_note"),
    ):
        identity = cases[case].ids[role]
        asked.xero.api.papers.attach(kind, identity, "delivery note.pdf", asked.xero.clock.now)
        listed = asked.ask("GET", f"/{kind}/{identity}/Attachments", f"{_single(kind)}/Attachments")["Attachments"]
        assert [each["FileName"] for each in listed] == ["delivery note.pdf"]
        assert asked.ask("GET", f"/{kind}/{identity}", _single(kind))[kind.list_name][0]["HasAttachments"] is True


def test_what_is_written(cases_client: tuple[_Asked, dict[str, Case]]) -> None:
    asked, cases = cases_client
    owed, credit = cases["ended_allocation"].ids["invoice"], cases["ended_allocation"].ids["credit_note"]
    payment = {"Invoice": {"InvoiceID": owed}, "Account": {"Code": "090"}, "Date": "2026-02-04", "Amount": 10.5}
    made = asked.ask("PUT", "/Payments", "/Payments", {"Payments": [payment]})["Payments"][0]
    asked.ask("POST", f"/Payments/{made['PaymentID']}", _single(Kind.PAYMENTS), {"Status": "DELETED"})
    body = {"Allocations": [{"Invoice": {"InvoiceID": owed}, "Amount": 12, "Date": "2026-02-04"}]}
    allocations = f"{_single(Kind.CREDIT_NOTES)}/Allocations"
    applied = asked.ask("PUT", f"/CreditNotes/{credit}/Allocations", allocations, body)["Allocations"][0]
    path = f"/CreditNotes/{credit}/Allocations/{applied['AllocationID']}"
    assert asked.ask("DELETE", path, f"{allocations}/{{AllocationID}}")["IsDeleted"] is True
    note = {"HistoryRecords": [{"Details": "Called, will pay on Friday"}]}
    asked.ask("PUT", f"/Invoices/{owed}/History", f"{_single(Kind.INVOICES)}/History", note)
    batch = cases["batch_payment"].ids["batch"]
    deletion = {"BatchPaymentID": batch, "Status": "DELETED"}
    asked.ask("POST", "/BatchPayments", "/BatchPayments", deletion)
    mixed = {"Payments": [payment, payment | {"Amount": 1000}]}
    answers = asked.ask("PUT", "/Payments", "/Payments", mixed, summarizeErrors="false")["Payments"]
    assert [each["StatusAttributeString"] for each in answers] == ["OK", "ERROR"]


@pytest.mark.parametrize("query", [{"page": "0"}, {"colour": "red"}, {"where": 'Nonsense=="x"'}, {"order": "Nonsense"}])
def test_refusals(cases_client: tuple[_Asked, dict[str, Case]], query: dict[str, str]) -> None:
    asked, _ = cases_client
    assert asked.refused("GET", "/Invoices", **query)["Message"]


def test_a_refused_payment(cases_client: tuple[_Asked, dict[str, Case]]) -> None:
    asked, cases = cases_client
    wrong = {"Invoice": {"InvoiceID": cases["statuses"].ids["DRAFT"]}, "Account": {"Code": "090"}, "Amount": 1}
    told = asked.refused("PUT", "/Payments", {"Payments": [wrong]})
    assert told["Elements"][0]["ValidationErrors"] == [
        {"Message": "Payments can only be made against Authorised documents"}
    ]


def test_the_judge_finds_what_is_wrong(xero_schema: XeroSchema) -> None:
    schema = xero_schema.named("Invoices")
    assert xero_schema.faults(schema, {"Invoices": [{"Total": 1.5, "Status": "PAID"}]}) == []
    for wrong in ({"Total": "1.50"}, {"Status": "OPEN"}, {"InvoiceID": "1"}, {"Totl": 1}, {"Contact": {"Name": 5}}):
        assert xero_schema.faults(schema, {"Invoices": [wrong]}), wrong


def test_a_moment_later_is_another_answer(company_client: _Asked) -> None:
    """The judged company is not empty of changes: a day earlier fewer invoices are there."""
    asked = company_client
    now = asked.xero.clock.now
    after = len(asked.ask("GET", "/Invoices", "/Invoices")["Invoices"])
    asked.xero.clock.set(now - timedelta(days=1))
    try:
        assert len(asked.ask("GET", "/Invoices", "/Invoices")["Invoices"]) < after
    finally:
        asked.xero.clock.set(now)
