"""The cases of the sandbox Xero as clients see them, and what clients write."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from kolleno_pipelines.sandbox.vendor_server import VendorFault
from kolleno_pipelines.sandbox.xero.cases import LATER, Case
from kolleno_pipelines.sandbox.xero.server import SandboxXero
from tests.xero_client import AT, Client, message_of, served_cases


@pytest.fixture
def served() -> Iterator[tuple[Client, dict[str, Case]]]:
    with served_cases() as client_and_cases:
        yield client_and_cases


@pytest.fixture
def client(served: tuple[Client, dict[str, Case]]) -> Client:
    return served[0]


@pytest.fixture
def cases(served: tuple[Client, dict[str, Case]]) -> dict[str, Case]:
    return served[1]


@pytest.fixture
def xero(client: Client) -> SandboxXero:
    return client.xero


def test_archived_contacts_are_listed_when_asked_for(client: Client, cases: dict[str, Case]) -> None:
    gone = {cases["archived_contact"].contact_id, cases["merged_contacts"].ids["gone"]}
    shown = {each["ContactID"]: each for each in client.records("Contacts", includeArchived="true")}
    assert gone <= set(shown)
    assert not gone & {each["ContactID"] for each in client.records("Contacts")}
    merged = shown[cases["merged_contacts"].ids["gone"]]
    assert merged["MergedToContactID"] == cases["merged_contacts"].ids["kept"]
    assert shown[cases["archived_contact"].contact_id]["Balances"]["AccountsReceivable"]["Outstanding"] == 25


def test_unannounced_changes_are_missed_by_if_modified_since(client: Client, cases: dict[str, Case]) -> None:
    since = {"If-Modified-Since": (AT + LATER).isoformat()}
    silent = {cases["silent_change"].ids["invoice"], cases["merged_contacts"].ids["invoice_moved"]}
    announced = {each["InvoiceID"] for each in client.records("Invoices", since)}
    assert cases["deleted_payment"].ids["invoice"] in announced
    assert not silent & announced
    assert silent <= {each["InvoiceID"] for each in client.records("Invoices")}
    owing = cases["prepayment"].contact_id
    assert owing not in {each["ContactID"] for each in client.records("Contacts", since)}
    assert client.records(f"Contacts/{owing}")[0]["Balances"]["AccountsReceivable"]["Outstanding"] == -120


def test_dates_come_in_every_form(client: Client, cases: dict[str, Case]) -> None:
    case = cases["odd_dates"]
    assert client.records(f"Invoices/{case.ids['zero']}")[0]["DueDate"] == "/Date(0+0000)/"
    assert client.records(f"Invoices/{case.ids['negative']}")[0]["Date"] == "/Date(-86400000+0000)/"
    far = client.records(f"Invoices/{case.ids['offset']}")[0]
    assert (far["Date"], far["DateString"]) == ("/Date(1419937200000+1300)/", "2014-12-31T00:00:00")


def test_a_batch_is_one_receipt_of_many(client: Client, cases: dict[str, Case]) -> None:
    batch = client.records(f"BatchPayments/{cases['batch_payment'].ids['batch']}")[0]
    assert (batch["Type"], batch["TotalAmount"], len(batch["Payments"])) == ("RECBATCH", 320, 3)
    where = f'BatchPaymentID==guid("{batch["BatchPaymentID"]}")'
    parts = client.records("Payments", where=where)
    assert sorted(each["Amount"] for each in parts) == [20, 100, 200]
    assert {each["BatchPayment"]["BatchPaymentID"] for each in parts} == {batch["BatchPaymentID"]}


def _payment(invoice: str, amount: object, **more: object) -> dict[str, object]:
    return {
        "Invoice": {"InvoiceID": invoice},
        "Account": {"Code": "090"},
        "Date": "2026-02-04",
        "Amount": amount,
        **more,
    }


def test_a_payment_is_made_and_deleted(client: Client, cases: dict[str, Case]) -> None:
    owed = cases["archived_contact"].ids["invoice"]
    made = client.ask("Payments", "PUT", body={"Payments": [_payment(owed, 25, Reference="po_1")]})
    payment = made.json()["Payments"][0]
    assert (payment["PaymentType"], payment["Reference"], payment["Status"]) == ("ACCRECPAYMENT", "po_1", "AUTHORISED")
    assert client.records(f"Invoices/{owed}")[0]["Status"] == "PAID"
    gone = client.ask(f"Payments/{payment['PaymentID']}", "POST", body={"Status": "DELETED"}).json()["Payments"][0]
    assert gone["Status"] == "DELETED"
    invoice = client.records(f"Invoices/{owed}")[0]
    assert (invoice["Status"], invoice["AmountDue"], invoice["Payments"]) == ("AUTHORISED", 25, [])
    again = client.ask(f"Payments/{payment['PaymentID']}", "POST", body={"Payments": [{"Status": "DELETED"}]})
    assert "already" in message_of(again)
    assert "DELETED" in message_of(client.ask(f"Payments/{payment['PaymentID']}", "POST", body={"Status": "PAID"}))


def test_a_batch_is_deleted_as_a_whole(client: Client, cases: dict[str, Case]) -> None:
    ids = cases["batch_payment"].ids
    parts = client.records(f"BatchPayments/{ids['batch']}")[0]["Payments"]
    assert "DELETED" in message_of(client.ask(f"BatchPayments/{ids['batch']}", "POST", body={"Status": "PAID"}))
    body = {"BatchPaymentID": ids["batch"], "Status": "DELETED"}
    gone = client.ask("BatchPayments", "POST", body=body).json()["BatchPayments"][0]
    assert (gone["Status"], gone["Payments"], gone["TotalAmount"]) == ("DELETED", [], 320)
    assert {client.records(f"Payments/{each['PaymentID']}")[0]["Status"] for each in parts} == {"DELETED"}
    for owed in (100, 200, 50):
        assert client.records(f"Invoices/{ids[f'invoice_{owed}']}")[0]["AmountDue"] == owed
    assert "already" in message_of(client.ask("BatchPayments", "POST", body=body))


def test_a_key_writes_once(client: Client, cases: dict[str, Case], xero: SandboxXero) -> None:
    owed = cases["archived_contact"].ids["invoice"]
    body = {"Payments": [_payment(owed, 5)]}
    key = {"Idempotency-Key": "command-1"}
    xero.server.fail_next("/api.xro/2.0/Payments", VendorFault.LOST)
    with pytest.raises(requests.RequestException):
        client.ask("Payments", "PUT", body=body, headers=key)
    first = client.ask("Payments", "PUT", body=body, headers=key)
    second = client.ask("Payments", "PUT", body=body, headers=key)
    assert first.json() == second.json()
    assert client.records(f"Invoices/{owed}")[0]["AmountPaid"] == 5
    other = client.ask("Payments", "PUT", body={"Payments": [_payment(owed, 6)]}, headers=key)
    assert "Idempotency-Key" in message_of(other)
    assert "128" in message_of(client.ask("Payments", "PUT", body=body, headers={"Idempotency-Key": "x" * 129}))
    assert client.records(f"Invoices/{owed}")[0]["AmountPaid"] == 5
    assert client.ask("Payments", "PUT", body=body).status_code == 200, "without a key it is written again"
    assert client.records(f"Invoices/{owed}")[0]["AmountPaid"] == 10


def test_one_wrong_payment_refuses_all_unless_asked_otherwise(client: Client, cases: dict[str, Case]) -> None:
    owed = cases["archived_contact"].ids["invoice"]
    body = {"Payments": [_payment(owed, 5), _payment(owed, 500)]}
    assert message_of(client.ask("Payments", "PUT", body=body)).startswith("Payment amount exceeds")
    assert client.records(f"Invoices/{owed}")[0]["AmountPaid"] == 0
    mixed = client.ask("Payments", "PUT", body=body, summarizeErrors="false").json()["Payments"]
    assert [each["StatusAttributeString"] for each in mixed] == ["OK", "ERROR"]
    assert mixed[1]["ValidationErrors"][0]["Message"].startswith("Payment amount exceeds")
    assert client.records(f"Invoices/{owed}")[0]["AmountPaid"] == 5


def test_credits_are_allocated_and_taken_off(client: Client, cases: dict[str, Case]) -> None:
    case = cases["ended_allocation"]
    path = f"CreditNotes/{case.ids['credit_note']}"
    body = {"Allocations": [{"Invoice": {"InvoiceID": case.ids["invoice"]}, "Amount": 30, "Date": "2026-02-04"}]}
    made = client.ask(f"{path}/Allocations", "PUT", body=body).json()["Allocations"][0]
    assert client.records(path)[0]["RemainingCredit"] == 0
    assert client.records(f"Invoices/{case.ids['invoice']}")[0]["AmountCredited"] == 30
    assert "remaining credit" in message_of(client.ask(f"{path}/Allocations", "PUT", body=body))
    gone = client.ask(f"{path}/Allocations/{made['AllocationID']}", "DELETE")
    assert gone.json()["IsDeleted"] is True
    assert (client.records(path)[0]["RemainingCredit"], client.records(path)[0]["Allocations"]) == (30, [])
    over = cases["overpayment_in_part"].ids
    body = {"Invoice": {"InvoiceID": over["invoice_b"]}, "Amount": 20, "Date": "2026-02-04"}
    assert client.ask(f"Overpayments/{over['overpayment']}/Allocations", "PUT", body=body).status_code == 200
    assert client.records(f"Overpayments/{over['overpayment']}")[0]["Status"] == "PAID"
    assert client.records(f"Invoices/{over['invoice_b']}")[0]["AmountDue"] == 30


def test_what_writes_refuse(client: Client, cases: dict[str, Case]) -> None:
    owed, draft = cases["archived_contact"].ids["invoice"], cases["statuses"].ids["DRAFT"]
    for payment, part in (
        (_payment(draft, 1), "Payments can only be made against Authorised documents"),
        (_payment(owed, "1.00"), "must be a number"),
        (_payment(owed, 1.005), "two decimals"),
        (_payment(owed, -1), "greater than zero"),
        (_payment(owed, 1) | {"Account": {"Code": "200"}}, "not enabled for payments"),
        (_payment(owed, 1) | {"Account": {"Code": "999"}}, "could not be found"),
        (_payment(owed, 1) | {"Date": "tomorrow"}, "not a valid date"),
        ({"Amount": 1}, "exactly one document"),
    ):
        assert part in message_of(client.ask("Payments", "PUT", body={"Payments": [payment]})), payment
    assert "not JSON" in message_of(client.session.put(f"{client.xero.api_url}/Payments", data="<x/>", timeout=10))
    part_of_batch = client.records(f"BatchPayments/{cases['batch_payment'].ids['batch']}")[0]["Payments"][0][
        "PaymentID"
    ]
    refused = client.ask(f"Payments/{part_of_batch}", "POST", body={"Status": "DELETED"})
    assert "batch" in message_of(refused)
    no_date = {"Invoice": {"InvoiceID": owed}, "Amount": 1}
    path = f"CreditNotes/{cases['ended_allocation'].ids['credit_note']}/Allocations"
    assert "Date" in message_of(client.ask(path, "PUT", body=no_date))
    assert client.ask("Invoices", "PUT", body={"Invoices": []}).json()["ErrorNumber"] == 20


def test_notes_are_written_where_the_vendor_takes_them(client: Client, cases: dict[str, Case]) -> None:
    owed = cases["archived_contact"].ids["invoice"]
    body = {"HistoryRecords": [{"Details": "Called, will pay on Friday"}]}
    assert client.ask(f"Invoices/{owed}/History", "PUT", body=body).status_code == 200
    history = client.ask(f"Invoices/{owed}/History").json()["HistoryRecords"]
    told = [(each["Changes"], each["Details"]) for each in history]
    assert told == [("Note", body["HistoryRecords"][0]["Details"]), ("Created", "")]
    paid = cases["deleted_payment"].ids["payment"]
    refused = client.ask(f"Payments/{paid}/History", "PUT", body=body)
    assert message_of(refused) == "The document with the supplied id was not found for this endpoint."
    changes = [each["Changes"] for each in client.ask(f"Payments/{paid}/History").json()["HistoryRecords"]]
    assert changes == ["Deleted", "Created"]
