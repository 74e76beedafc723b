"""Writing to the sandbox QuickBooks: SyncToken, sums, deposits, names used once, a lost answer found again."""

from __future__ import annotations

import pytest
import requests

from kolleno_pipelines.sandbox.quickbooks.cases import Case
from kolleno_pipelines.sandbox.vendor_server import VendorFault
from tests.quickbooks_client import AT, Client, cases, client, code_of

__all__ = ["cases", "client"]


def test_a_payment_is_written_changed_voided_and_deleted(client: Client, cases: dict[str, Case]) -> None:
    ids = cases["deleted_invoice"].ids
    invoice = {"TxnId": ids["kept"], "TxnType": "Invoice"}
    body = {"CustomerRef": {"value": ids["customer"]}, "TotalAmt": 10, "Line": [{"Amount": 10, "LinkedTxn": [invoice]}]}
    first = client.post("payment", body, requestid="r-1").json()["Payment"]
    assert client.post("payment", body, requestid="r-1").json()["Payment"] == first, "the same request once more"
    assert client.query("SELECT count(*) FROM Payment WHERE TotalAmt = '10'")["totalCount"] == 1
    named = {"Id": first["Id"], "SyncToken": first["SyncToken"], "sparse": True}
    second = client.post("payment", {**named, "PrivateNote": "late"}, operation="update").json()["Payment"]
    assert (second["SyncToken"], second["PrivateNote"], len(second["Line"])) == ("1", "late", 1)
    assert code_of(client.post("payment", {**named, "PrivateNote": "later"})) == (400, "5010")
    named["SyncToken"] = "1"
    voided = client.post("payment", named, operation="update", include="void").json()["Payment"]
    assert (voided["TotalAmt"], voided["UnappliedAmt"], voided["PrivateNote"]) == (0, 0, "Voided")
    assert client.get(f"invoice/{ids['kept']}").json()["Invoice"]["Balance"] == 10
    deleted = client.post("payment", {**named, "SyncToken": "2"}, operation="delete").json()["Payment"]
    assert (deleted["status"], deleted["Id"]) == ("Deleted", first["Id"])
    assert code_of(client.post("payment", {**named, "SyncToken": "3"}, operation="delete")) == (400, "610")
    assert first["Id"] in [each["Id"] for each in client.changes("Payment", AT)[0]["Payment"] if "status" in each]


def test_a_full_update_clears_what_it_leaves_out(client: Client, cases: dict[str, Case]) -> None:
    ids = cases["overpayment"].ids
    before = client.get(f"payment/{ids['payment']}").json()["Payment"]
    assert before["PaymentRefNum"] == "OVER-P"
    body = {name: before[name] for name in ("Id", "SyncToken", "CustomerRef", "TotalAmt")}
    after = client.post("payment", body).json()["Payment"]
    assert (after["UnappliedAmt"], after["Line"], "PaymentRefNum" in after) == (120, [], False)
    assert client.get(f"invoice/{ids['invoice']}").json()["Invoice"]["Balance"] == 100


def test_payments_that_do_not_add_up_are_refused(client: Client, cases: dict[str, Case]) -> None:
    ids, other = cases["voided_payment"].ids, cases["overpayment"].ids

    def code(amount: object, paid: object = 1, invoice: str = ids["invoice"], customer: str = ids["customer"]) -> str:
        line = {"Amount": paid, "LinkedTxn": [{"TxnId": invoice, "TxnType": "Invoice"}]}
        body = {"CustomerRef": {"value": customer}, "TotalAmt": amount, "Line": [line]}
        return code_of(client.post("payment", body))[1]

    before = client.query("SELECT count(*) FROM Payment")
    assert code(100, 80.01) == "6000"
    assert code(50, 60) == "6000"
    assert code("ten") == "2080"
    assert code(None) == "2020"
    assert code(1, invoice="99999") == "610"
    assert code(1, customer="99999") == "2500"
    assert code(1, customer=cases["inactive_customer"].ids["customer"]) == "610"
    assert code(1, customer=other["customer"]) == "6000"
    assert code_of(client.post("payment", {"CustomerRef": {"value": "1"}, "Colour": "red"})) == (400, "2010")
    assert client.query("SELECT count(*) FROM Payment") == before


def test_a_deposit_takes_each_payment_once_and_then_guards_it(client: Client, cases: dict[str, Case]) -> None:
    payment = cases["mixed_payment"].ids["payment"]
    accounts = client.vendor.file.accounts
    moved = {"Amount": 60, "LinkedTxn": [{"TxnId": payment, "TxnType": "Payment", "TxnLineId": "0"}]}
    detail = {"AccountRef": {"value": accounts.fees}}
    fee = {"Amount": -1.75, "DetailType": "DepositLineDetail", "DepositLineDetail": detail}
    body = {"DepositToAccountRef": {"value": accounts.bank}, "DocNumber": "po_1", "Line": [moved, fee]}
    deposit = client.post("deposit", body, requestid="po_1").json()["Deposit"]
    assert deposit["TotalAmt"] == 58.25
    stated = client.get(f"payment/{payment}").json()["Payment"]
    assert stated["LinkedTxn"] == [{"TxnId": deposit["Id"], "TxnType": "Deposit"}]
    again = client.post("deposit", {**body, "DocNumber": "po_2"})
    assert code_of(again) == (400, "6000")
    assert "already been applied to another Deposit" in again.json()["Fault"]["Error"][0]["Detail"]
    assert code_of(client.post("deposit", {**body, "Line": []})) == (400, "6140")
    receivable = {"AccountRef": {"value": accounts.receivable["USD"]}}
    nameless = {"Amount": 5, "DetailType": "DepositLineDetail", "DepositLineDetail": receivable}
    assert code_of(client.post("deposit", {**body, "DocNumber": "po_3", "Line": [nameless]})) == (400, "2020")
    minus = {**body, "DocNumber": "po_4", "Line": [fee]}
    assert code_of(client.post("deposit", minus)) == (400, "6000")
    named = {"Id": payment, "SyncToken": stated["SyncToken"], "sparse": True}
    assert code_of(client.post("payment", named, operation="update", include="void")) == (400, "6540")
    fixed = {"Id": deposit["Id"], "SyncToken": deposit["SyncToken"], "sparse": True, "Line": []}
    assert client.post("deposit", fixed).ok
    stated = client.get(f"payment/{payment}").json()["Payment"]
    assert stated["LinkedTxn"] == []
    named["SyncToken"] = stated["SyncToken"]
    assert client.post("payment", named, operation="update", include="void").json()["Payment"]["TotalAmt"] == 0


def test_names_and_numbers_are_used_once(client: Client, cases: dict[str, Case]) -> None:
    assert client.post("customer", {"DisplayName": "New one"}).json()["Customer"]["Balance"] == 0
    assert code_of(client.post("customer", {"DisplayName": "New one"})) == (400, "6240")
    assert code_of(client.post("customer", {"CompanyName": "Nameless"})) == (400, "2020")
    customer = {"value": cases["overpayment"].ids["customer"]}
    body = {
        "CustomerRef": customer,
        "DocNumber": "OVER-1",
        "Line": [{"Amount": 5, "DetailType": "SalesItemLineDetail"}],
    }
    assert code_of(client.post("invoice", body)) == (400, "6140")
    assert client.post("invoice", {**body, "DocNumber": "OVER-2"}).json()["Invoice"]["Balance"] == 5


def test_a_lost_answer_is_found_by_the_same_requestid(client: Client, cases: dict[str, Case]) -> None:
    body = {"CustomerRef": {"value": cases["overpayment"].ids["customer"]}, "TotalAmt": 77}
    client.vendor.server.fail_next("/v3/", VendorFault.LOST)
    with pytest.raises(requests.exceptions.RequestException):
        client.post("payment", body, requestid="lost")
    assert client.post("payment", body, requestid="lost").json()["Payment"]["TotalAmt"] == 77
    assert client.query("SELECT count(*) FROM Payment WHERE TotalAmt = '77'")["totalCount"] == 1
