"""What Xero's objects mean in our model, block by block: the rules that cases of the sandbox do not reach."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from kolleno_pipelines.connectors.payload_blocks import normalise_block, payload_blocks
from kolleno_pipelines.connectors.xero.connector import XERO
from kolleno_pipelines.connectors.xero.statuses import PAYMENT_TYPES
from kolleno_pipelines.schemas.records import Quarantined

Payload = dict[str, Any]
Rows = list[dict[str, Any]]
DAY = "/Date(1767225600000+0000)/"  # 1 January 2026
STAMP = "/Date(1767312000123+0000)/"


class Said:
    """What a block says: rows by entity, payloads, and what was kept aside."""

    def __init__(self, extract: str, *payloads: Mapping[str, Any]) -> None:
        body = b"".join(json.dumps(payload).encode() + b"\n" for payload in payloads)
        self.payloads: Rows = []
        self.quarantined: list[Quarantined] = []
        self.entities: dict[str, Rows] = {}
        for table, unreadable in payload_blocks(io.BytesIO(body), XERO.extract(extract).schema):
            found = normalise_block(XERO.normalise, extract, table)
            self.payloads += found.payloads.to_pylist()
            self.quarantined += [*unreadable, *found.quarantined]
            for entity, rows in found.rows.items():
                self.entities.setdefault(entity, []).extend(rows.to_pylist())

    def __getitem__(self, entity: str) -> Rows:
        return self.entities.get(entity, [])

    def one(self, entity: str) -> dict[str, Any]:
        (row,) = self[entity]
        return row

    @property
    def reasons(self) -> list[tuple[int, str]]:
        return [(payload.line, payload.reason) for payload in self.quarantined]


def document(kind: str, **fields: Any) -> Payload:
    made: Payload = {"UpdatedDateUTC": STAMP, "Status": "AUTHORISED", "Contact": {"ContactID": "c"}, "Date": DAY}
    return made | {"Total": 100, "CurrencyCode": "NZD", "CurrencyRate": 1, "Type": kind} | fields


def invoice(**fields: Any) -> Payload:
    return document("ACCREC") | {"InvoiceID": "i", "AmountDue": 40} | fields


def note(*allocations: Payload, **fields: Any) -> Payload:
    made: Payload = {"CreditNoteID": "n", "RemainingCredit": 40, "Allocations": list(allocations)}
    return document("ACCRECCREDIT") | made | fields


def allocation(invoice_id: str, amount: float, **fields: Any) -> Payload:
    return {"Amount": amount, "Date": DAY, "Invoice": {"InvoiceID": invoice_id}, **fields}


def payment(kind: str = "ACCRECPAYMENT", **fields: Any) -> Payload:
    party = {"InvoiceID": "i", "Contact": {"ContactID": "c"}, "CurrencyCode": "NZD"}
    made: Payload = {"PaymentID": "p", "PaymentType": kind, "Status": "AUTHORISED", "UpdatedDateUTC": STAMP}
    return made | {"Date": DAY, "Amount": 60, "CurrencyRate": 1, "Invoice": party} | fields


def contact(**fields: Any) -> Payload:
    return {"ContactID": "c", "Name": "Ada Ltd", "ContactStatus": "ACTIVE", "UpdatedDateUTC": STAMP} | fields


def phone(kind: str, number: str, area: str = "", country: str = "") -> Payload:
    return {"PhoneType": kind, "PhoneNumber": number, "PhoneAreaCode": area, "PhoneCountryCode": country}


def test_an_invoice_and_what_its_payload_is() -> None:
    said = Said("invoices", invoice(InvoiceNumber="INV-1", Reference="PO 7", DueDate=DAY, SubTotal=80, TotalTax=20))
    row = said.one("invoices")
    assert (row["source_id"], row["ref"], row["po_number"], row["customer_source_id"]) == ("i", "INV-1", "PO 7", "c")
    assert (row["amount"], row["balance"], row["amount_net"], row["amount_tax"]) == (100, 40, 80, 20)
    assert (row["date_issued"], row["date_due"], row["date_paid"]) == (date(2026, 1, 1), date(2026, 1, 1), None)
    owner = said.payloads[0]
    assert (owner["kind"], owner["source_id"], owner["is_deleted"]) == ("invoices", "i", False)
    assert owner["modified_at"] == datetime(2026, 1, 2, 0, 0, 0, 123000, UTC)


def test_empty_texts_are_absent() -> None:
    row = Said("invoices", invoice(InvoiceNumber="", Reference="")).one("invoices")
    assert (row["ref"], row["po_number"]) == (None, None)


def test_a_voided_document_without_a_date_is_still_told_as_voided() -> None:
    nothing = "/Date(0+0000)/"
    said = Said("invoices", invoice(Status="VOIDED", Date=nothing), invoice(InvoiceID="j", Date=nothing))
    row = said.one("invoices")
    assert (row["posting_status"], row["date_issued"]) == ("voided", date(2026, 1, 2))
    assert said.reasons == [(2, "the payload lacks Date")], "a document that counts must state its day"


def test_what_makes_no_sense_is_kept_aside_and_the_others_go_on() -> None:
    said = Said(
        "invoices",
        invoice(InvoiceID="early", Date="soon"),
        invoice(InvoiceID="word", Status="BILLED"),
        invoice(InvoiceID="side", Type="ACCWHAT"),
        invoice(InvoiceID="", Contact={}),
        invoice(InvoiceID="amount", Total="ten"),
        {"InvoiceID": "bill", "Type": "ACCPAY", "UpdatedDateUTC": STAMP},
        invoice(),
    )
    assert [row["source_id"] for row in said["invoices"]] == ["i"]
    assert [row["source_id"] for row in said.payloads] == ["bill", "i"], "a bill is counted, and nothing is made of it"
    reasons = dict(said.reasons)
    assert set(reasons) == {1, 2, 3, 4, 5}
    assert "no date as Xero writes it" in reasons[1]
    assert reasons[2] == "Status is 'BILLED', a word that is not known"
    assert reasons[3] == "Type is 'ACCWHAT', a word that is not known"
    assert reasons[4] == "the payload lacks InvoiceID, Contact.ContactID"


def test_only_what_is_converted_at_1_may_lack_its_currency() -> None:
    without = {"CurrencyCode": None}
    said = Said("invoices", invoice(**without), invoice(InvoiceID="j", CurrencyRate=0.7, **without))
    assert said.one("invoices")["currency_iso"] is None
    assert said.reasons == [(2, "the payload lacks CurrencyCode")]


def test_a_credit_note_lists_what_it_pays_and_what_ended_is_not_listed() -> None:
    """100 = 25 + 35 paid + 40 left; 15 more were taken off again."""
    parts = (
        allocation("a", 25, AllocationID="A"),
        allocation("b", 15, AllocationID="B", IsDeleted=True),
        allocation("a", 35, AllocationID="C", IsDeleted=False),
    )
    said = Said("credit_notes", note(*parts))
    paid = {row["source_id"]: row for row in said["allocations"]}
    assert {name: (row["to_source_id"], row["amount"], row["ordinal"]) for name, row in paid.items()} == {
        "A": ("a", 25, 1),
        "C": ("a", 35, 3),
    }
    assert {(row["owner_kind"], row["owner_source_id"], row["from_kind"]) for row in paid.values()} == {
        ("credit_note", "n", "credit_note")
    }
    row = said.one("credit_notes")
    assert row["amount"] - sum(part["amount"] for part in paid.values()) == row["balance"]


def test_allocations_without_ids_are_told_apart_and_those_of_a_voided_credit_ended() -> None:
    unnamed = (allocation("a", 25), allocation("a", 35))
    said = Said(
        "credit_notes",
        note(*unnamed),
        note(*unnamed, CreditNoteID="m"),
        note(*unnamed, CreditNoteID="v", Status="VOIDED"),
    )
    names = [row["source_id"] for row in said["allocations"]]
    assert len(set(names)) == 4
    assert {row["owner_source_id"]: row["ordinal"] for row in said["allocations"]} == {"n": 2, "m": 2}


def test_money_on_account_is_ours_by_either_word_of_its_type() -> None:
    left: Payload = {"RemainingCredit": 20, "Allocations": [allocation("i", 80, AllocationID="A")]}
    for extract, id_field, ours, theirs in (
        (
            "overpayments",
            "OverpaymentID",
            ("RECEIVE-OVERPAYMENT", "AROVERPAYMENT"),
            ("SPEND-OVERPAYMENT", "APOVERPAYMENT"),
        ),
        ("prepayments", "PrepaymentID", ("RECEIVE-PREPAYMENT", "ARPREPAYMENT"), ("SPEND-PREPAYMENT", "APPREPAYMENT")),
    ):
        said = Said(extract, *(document(word, **{id_field: word}, **left) for word in (*ours, *theirs)))
        assert [row["source_id"] for row in said["payments"]] == list(ours)
        kind = extract.removesuffix("s")
        assert {row["kind"] for row in said["payments"]} == {kind}
        assert {(row["from_kind"], row["amount"]) for row in said["allocations"]} == {(kind, Decimal(80))}
        assert (len(said.payloads), said.quarantined) == (4, [])


def test_payments_by_their_type() -> None:
    said = Said("payments", *(payment(word, PaymentID=word) for word in PAYMENT_TYPES), payment("GIFT", PaymentID="x"))
    assert [row["source_id"] for row in said["payments"]] == ["ACCRECPAYMENT"]
    assert {row["source_id"] for row in said["refunds_erp"]} == {
        "ARCREDITPAYMENT",
        "AROVERPAYMENTPAYMENT",
        "ARPREPAYMENTPAYMENT",
    }
    joined = {(row["from_kind"], row["from_source_id"], row["to_kind"]) for row in said["allocations"]}
    assert joined == {
        ("payment", "ACCRECPAYMENT", "invoice"),
        ("credit_note", "i", "refund"),
        ("overpayment", "i", "refund"),
        ("prepayment", "i", "refund"),
    }
    assert said.reasons == [(9, "PaymentType is 'GIFT', a word that is not known")]


def test_a_deleted_payment_pays_nothing() -> None:
    said = Said("payments", payment(Status="DELETED"), payment("ARCREDITPAYMENT", PaymentID="r", Status="DELETED"))
    assert said.one("payments")["posting_status"] == "deleted"
    assert said.one("refunds_erp")["posting_status"] == "deleted"
    assert said["allocations"] == []


@pytest.mark.parametrize(
    "named", [{"BatchPaymentID": "b"}, {"BatchPayment": {"BatchPaymentID": "b"}}], ids=["by id", "nested"]
)
def test_payments_of_one_batch_name_it(named: Payload) -> None:
    said = Said("payments", payment(**named), payment(PaymentID="q"))
    assert [row["batch_source_id"] for row in said["payments"]] == ["b", None]


def test_an_amount_stays_in_the_documents_currency_and_is_told_at_home() -> None:
    row = Said("payments", payment(Amount=36, CurrencyRate=0.72)).one("payments")
    assert (row["amount"], row["amount_home"], row["balance"]) == (36, 50, 0)
    row = Said("invoices", invoice(CurrencyRate=0.7)).one("invoices")
    assert (row["amount_home"], row["balance_home"]) == (Decimal("142.86"), Decimal("57.14"))


def test_a_contact_its_numbers_and_its_labels() -> None:
    groups = [{"ContactGroupID": "g", "Name": 'Key "A" accounts'}, {"ContactGroupID": "h", "Name": "Élite"}]
    numbers = [
        phone("DEFAULT", "7946 1234", "20", "44"),
        phone("DDI", "555"),
        phone("MOBILE", "700 900", "", "+44"),
        phone("FAX", "999"),
        phone("OFFICE", "", "20", "44"),
    ]
    owed = {"AccountsReceivable": {"Outstanding": -12.5, "Overdue": 0}}
    said = Said(
        "contacts",
        contact(AccountNumber="C-1", ContactNumber="77", ContactGroups=groups, Phones=numbers, Balances=owed),
    )
    row = said.one("customers")
    assert (row["ref"], row["name"], row["is_active"], row["parent_source_id"]) == ("C-1", "Ada Ltd", True, None)
    assert json.loads(row["extra"]) == {"contact_groups": ['Key "A" accounts', "Élite"], "contact_number": "77"}
    assert (row["balance_stated"], row["balance_currency_iso"]) == (Decimal("-12.5"), None)
    assert row["phone"] == "+44 20 7946 1234"
    assert {(p["source_id"], p["type"], p["number"]) for p in said["phones"]} == {
        ("c:DEFAULT", "phone", "+44 20 7946 1234"),
        ("c:DDI", "phone", "555"),
        ("c:MOBILE", "mobile", "+44 700 900"),
    }
    assert said.one("contacts")["source_id"] == "c", "numbers hang on the contact, though it has no name"


def test_a_contact_without_people_has_none_and_addresses_that_are_empty_count_not() -> None:
    empty = {"AddressType": "POBOX", "AddressLine1": "", "City": "", "PostalCode": ""}
    street = {"AddressType": "STREET", "AddressLine1": "1 High St", "City": "Bath", "Region": "", "Country": "GB"}
    said = Said(
        "contacts",
        contact(Addresses=[street, empty], Phones=[phone("DEFAULT", "")]),
        contact(ContactID="d", ContactStatus="ARCHIVED", Addresses=[street | {"Country": "United Kingdom"}]),
        contact(ContactID="e", Addresses=[street, empty | {"City": "York"}]),
    )
    assert (said["contacts"], said["contact_links"], said["phones"]) == ([], [], [])
    rows = said["customers"]
    assert [(row["address_line_1"], row["city"], row["country_iso"]) for row in rows] == [
        ("1 High St", "Bath", "GB"),
        ("1 High St", "Bath", None),
        (None, "York", None),
    ]
    assert [row["is_active"] for row in rows] == [True, False, True]


def test_people_of_a_contact_are_known_by_their_address_or_name() -> None:
    people = [
        {"FirstName": "Ada", "LastName": "Byron", "EmailAddress": "Ada@Example.com", "IncludeInEmails": True},
        {"FirstName": "", "LastName": "Babbage", "EmailAddress": "", "IncludeInEmails": False},
        {"FirstName": "A.", "LastName": "B.", "EmailAddress": "ada@example.com", "IncludeInEmails": False},
        {"FirstName": "", "LastName": "", "EmailAddress": "", "IncludeInEmails": False},
    ]
    own = {"FirstName": "Mary", "LastName": "Somerville", "EmailAddress": "mary@example.com"}
    said = Said("contacts", contact(ContactPersons=people, **own), contact(ContactID="d", ContactPersons=people[1:2]))
    assert [(row["source_id"], row["first_name"], row["email"]) for row in said["contacts"]] == [
        ("c", "Mary", "mary@example.com"),
        ("c:ada@example.com", "Ada", "Ada@Example.com"),
        ("c:babbage", None, None),
        ("d:babbage", None, None),
    ]
    assert json.loads(said["contacts"][1]["extra"]) == {"include_in_emails": True}
    links = {row["source_id"]: (row["customer_source_id"], row["is_primary"]) for row in said["contact_links"]}
    assert links == {
        "c": ("c", True),
        "c:ada@example.com": ("c", False),
        "c:babbage": ("c", False),
        "d:babbage": ("d", False),
    }


def test_two_versions_of_a_contact_in_one_block_do_not_mix() -> None:
    old = contact(FirstName="Ada", Phones=[phone("DEFAULT", "1")])
    new = contact(FirstName="Ada", Phones=[phone("DEFAULT", "2")], ContactStatus="ARCHIVED")
    said = Said("contacts", old, new)
    assert [(row["line"], row["phone"], row["is_active"]) for row in said["customers"]] == [
        (1, "1", True),
        (2, "2", False),
    ]
    assert [(row["line"], row["is_active"]) for row in said["contact_links"]] == [(1, True), (2, False)]
    assert [(row["line"], row["number"]) for row in said["phones"]] == [(1, "1"), (2, "2")]


def test_a_merged_contact_is_an_alias() -> None:
    said = Said("contacts", contact(), contact(ContactID="d", ContactStatus="ARCHIVED", MergedToContactID="c"))
    alias = said.one("customer_aliases")
    assert (alias["source_id"], alias["customer_source_id"], alias["line"]) == ("d", "c", 2)


def test_the_organisation_and_its_accounts() -> None:
    unit = {"OrganisationID": "o", "Name": "Ltd", "BaseCurrency": "NZD", "CountryCode": "NZ", "Timezone": "NZT"}
    row = Said("organisation", unit).one("ledger_units")
    assert (row["source_id"], row["home_currency_iso"], row["country_iso"]) == ("o", "NZD", "NZ")
    debtors = {
        "AccountID": "a",
        "Name": "Receivable",
        "Type": "CURRENT",
        "Status": "ACTIVE",
        "SystemAccount": "DEBTORS",
    }
    bank = {"AccountID": "b", "Name": "Bank", "Type": "BANK", "Status": "ARCHIVED", "UpdatedDateUTC": STAMP}
    rows = Said("accounts", debtors, bank)["accounts"]
    assert [(row["is_receivable"], row["is_active"]) for row in rows] == [(True, True), (False, False)]


def test_what_hangs_on_invoices_is_kept_and_nothing_is_made_of_it() -> None:
    said = Said("invoice_history", {"InvoiceID": "i", "HistoryRecords": [{"Changes": "Note", "Details": "rang"}]})
    assert (said.entities, said.payloads[0]["source_id"]) == ({}, "i")


def test_nothing_comes_of_an_empty_block() -> None:
    for extract in XERO.extracts:
        found = XERO.normalise(extract.name, next(_empty(extract.name)))
        assert found.payloads.num_rows == 0
        assert all(rows.num_rows == 0 for rows in found.rows.values())


def _empty(extract: str) -> Any:
    for table, _ in payload_blocks(io.BytesIO(b"\n"), XERO.extract(extract).schema):
        yield table
