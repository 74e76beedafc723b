"""The sandbox Xero's book: its totals against the company's own answers, its cases against their figures."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from kolleno_pipelines.sandbox.answers import Answers
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.events import CREDIT_NOTE, INVOICE, PAYMENT
from kolleno_pipelines.sandbox.xero.book import Book
from kolleno_pipelines.sandbox.xero.cases import CASES, LATER, Case, book_of_cases
from kolleno_pipelines.sandbox.xero.chart import BANK, account_of
from kolleno_pipelines.sandbox.xero.contacts import Balances, phone
from kolleno_pipelines.sandbox.xero.filling import Filling, filled_from
from kolleno_pipelines.sandbox.xero.ledger import Ledger, WriteRefusedError
from kolleno_pipelines.sandbox.xero.objects import (
    CREDIT_KINDS,
    RECEIVABLE_TYPES,
    Kind,
    cents,
    invoice,
    object_id,
    organisation,
)
from kolleno_pipelines.sandbox.xero.rendering import date_text, json_text
from kolleno_pipelines.sandbox.xero.settling import open_amount

AT = datetime(2026, 2, 2, 9, 30, tzinfo=UTC)
Figures = dict[str, tuple[int, Decimal, Decimal, Decimal]]


def _totals(book: Book, now: datetime) -> Figures:
    """Open invoices, their balance, credit notes and money on account by currency, from the vendor's own fields."""
    sums: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 4)
    for kind in (Kind.INVOICES, *CREDIT_KINDS):
        for record in book.records(kind, now):
            amount = open_amount(kind, record)
            if record["Type"] in RECEIVABLE_TYPES and amount:
                line = sums[record["CurrencyCode"]]
                line[0] += kind is Kind.INVOICES
                line[{Kind.INVOICES: 1, Kind.CREDIT_NOTES: 2}.get(kind, 3)] += amount
    return {currency: (int(line[0]), line[1], line[2], line[3]) for currency, line in sums.items()}


@pytest.fixture(scope="module")
def company() -> Company:
    return Company.build(3, customers=30, days=25, history_days=60, expressible=True)


@pytest.fixture(scope="module")
def book(company: Company) -> Book:
    return filled_from(company).book


@pytest.mark.parametrize("seed", range(1, 9))
def test_totals_are_those_of_the_company(seed: int) -> None:
    company = Company.build(seed, customers=20, days=25, history_days=40, expressible=True)
    expected = {
        line.currency_iso: (line.invoices_open, line.invoices_balance, line.credit_notes_balance, line.payments_balance)
        for line in Answers.of(company).control_totals()
        if line.customers
    }
    assert expected
    assert _totals(filled_from(company).book, company.batches[-1].name_time) == expected


def test_every_document_is_that_of_the_company(company: Company, book: Book) -> None:
    now, answers = company.batches[-1].name_time, Answers.of(company)
    for kind, name in ((Kind.INVOICES, INVOICE), (Kind.CREDIT_NOTES, CREDIT_NOTE)):
        for source_id, state in answers.records(name).items():
            record = book.get(kind, object_id(kind, source_id), now)
            assert record is not None
            assert record["Contact"]["ContactID"] == object_id(Kind.CONTACTS, state.customer)
            assert open_amount(kind, record) == state.balance_open
            assert (record["Status"] == "VOIDED") == (state.posting_status == "voided")
            assert (record["Total"], record["Date"], record.get("DueDate")) == (
                state.amount,
                state.date_issued,
                state.date_due,
            )
    received = sum(each.amount for each in answers.records(PAYMENT).values() if each.posting_status == "posted")
    payments = [each for each in book.records(Kind.PAYMENTS, now) if each["PaymentType"] == "ACCRECPAYMENT"]
    money = sum(each["Amount"] for each in payments if each["Status"] == "AUTHORISED")
    for kind in (Kind.OVERPAYMENTS, Kind.PREPAYMENTS):
        money += sum(each["Total"] for each in book.records(kind, now) if each["Status"] != "VOIDED")
    assert money == received


def test_every_invoice_adds_up_at_every_batch(company: Company, book: Book) -> None:
    kinds_seen = set()
    for batch in company.batches:
        for record in book.records(Kind.INVOICES, batch.name_time):
            kinds_seen.add((record["Type"], record["Status"]))
            parts = record["AmountDue"] + record["AmountPaid"] + record["AmountCredited"]
            assert parts == (0 if record["Status"] == "VOIDED" else record["Total"])
            assert record["AmountDue"] >= 0
            assert (record["Status"] == "PAID") == (record["AmountDue"] == 0 and record["Status"] != "VOIDED")
        for kind in CREDIT_KINDS:
            for record in book.records(kind, batch.name_time):
                assert record["RemainingCredit"] >= 0
                if record["Status"] != "VOIDED":
                    applied = sum(each["Amount"] for each in (*record["Allocations"], *record["Payments"]))
                    assert record["Total"] - applied == record["RemainingCredit"]
    assert {("ACCREC", "VOIDED"), ("ACCREC", "PAID"), ("ACCPAY", "PAID"), ("ACCREC", "AUTHORISED")} <= kinds_seen


def test_contacts_state_the_net_of_their_documents(company: Company, book: Book) -> None:
    now, answers = company.batches[-1].name_time, Answers.of(company)
    owed: dict[str, Decimal] = defaultdict(Decimal)
    for line in answers.ageing(by_customer=True):
        owed[line.customer] += line.amount
    balances = Balances(book)
    for customer in answers.books.customers:
        record = book.get(Kind.CONTACTS, object_id(Kind.CONTACTS, customer), now)
        assert record is not None
        shown = balances.shown(record, now)
        assert shown.get("Balances", {}).get("AccountsReceivable", {}).get("Outstanding", 0) == owed[customer]
        assert shown["ContactNumber"] == customer
    assert any(owed.values())


def test_until_leaves_later_batches_out(company: Company, book: Book) -> None:
    half = company.batches[len(company.batches) // 2].name_time
    now = company.batches[-1].name_time
    early = filled_from(company, half).book
    for kind in Kind:
        assert early.records(kind, now) == book.records(kind, half)
    assert early.records(Kind.INVOICES, now) != book.records(Kind.INVOICES, now)


def test_what_a_payment_of_the_company_became(company: Company) -> None:
    filling, kinds = Filling(company), set()
    for batch in company.batches:
        filling.advance(batch.name_time)
        for number in range(1, 200):
            receipt = filling.receipt_of(f"00P-{number:06d}")
            if receipt is not None:
                record = filling.book.get(*receipt, batch.name_time)
                assert record is not None
                assert record["Status"] in {"AUTHORISED", "PAID"}
                kinds.add(receipt[0])
    assert kinds == {Kind.PAYMENTS, Kind.BATCH_PAYMENTS, Kind.OVERPAYMENTS, Kind.PREPAYMENTS}


def test_a_company_that_no_system_can_state_is_refused() -> None:
    with pytest.raises(ValueError, match="expressible=True"):
        filled_from(Company.build(1, customers=10, days=3))


def test_cases_end_with_their_figures() -> None:
    book, cases = book_of_cases(AT)
    now, balances = AT + 2 * LATER, Balances(book)
    for name, case in cases.items():
        contact = book.get(Kind.CONTACTS, case.contact_id, now)
        assert contact is not None
        shown = balances.shown(contact, now)
        stated = shown.get("Balances", {}).get("AccountsReceivable", {}).get("Outstanding", Decimal(0))
        assert stated == case.outstanding, name


def _open_of(book: Book, identity: str, now: datetime) -> Decimal | None:
    """What is open of a receivable document, 0 for payments and the supplier's side, None for what is no document."""
    for kind in (Kind.INVOICES, *CREDIT_KINDS):
        record = book.get(kind, identity, now)
        if record is not None:
            return open_amount(kind, record) if record["Type"] in RECEIVABLE_TYPES else Decimal(0)
    moved = (book.get(kind, identity, now) for kind in (Kind.PAYMENTS, Kind.BATCH_PAYMENTS))
    return Decimal(0) if any(moved) else None


def _applied(book: Book, case: Case, now: datetime) -> dict[tuple[str, str], Decimal]:
    """What the invoices of a case say was applied to them, by whom, in the case's own names."""
    names = {identity: name for name, identity in case.ids.items()}
    found: dict[tuple[str, str], Decimal] = {}
    for role, identity in case.ids.items():
        invoice = book.get(Kind.INVOICES, identity, now)
        if invoice is None or invoice["Type"] != "ACCREC":
            continue
        for entry in invoice["Payments"]:
            payment = book.get(Kind.PAYMENTS, entry["PaymentID"], now)
            assert payment is not None
            source = names.get(payment.get("BatchPaymentID", entry["PaymentID"]), "?")
            found[source, role] = entry["Amount"]
        for kind in CREDIT_KINDS:
            for entry in invoice[kind.value]:
                found[names[entry[kind.id_field]], role] = entry["AppliedAmount"]
    return found


@pytest.mark.parametrize("name", CASES)
def test_documents_of_cases_end_as_told(name: str) -> None:
    book, cases = book_of_cases(AT)
    now, case = AT + 2 * LATER, cases[name]
    documents = {role: _open_of(book, identity, now) for role, identity in case.ids.items()}
    told = {role: case.open.get(role, Decimal(0)) for role, amount in documents.items() if amount is not None}
    assert {role: amount for role, amount in documents.items() if amount is not None} == told
    assert _applied(book, case, now) == dict(case.allocated)


def _cases() -> tuple[Ledger, dict[str, Case], datetime]:
    book, cases = book_of_cases(AT)
    return Ledger(book), cases, AT + 2 * LATER


def test_refunds_name_their_credit_and_are_no_receipts() -> None:
    ledger, cases, now = _cases()
    for name, kind, role, word in (
        ("refunded_credit_note", Kind.CREDIT_NOTES, "credit_note", "ARCREDITPAYMENT"),
        ("refunded_overpayment", Kind.OVERPAYMENTS, "overpayment", "AROVERPAYMENTPAYMENT"),
        ("refunded_prepayment", Kind.PREPAYMENTS, "prepayment", "ARPREPAYMENTPAYMENT"),
    ):
        case = cases[name]
        refund = ledger.state(Kind.PAYMENTS, case.ids["refund"], now)
        credit = ledger.state(kind, case.ids[role], now)
        assert (refund["PaymentType"], refund["Amount"]) == (word, case.figures["refunded"])
        assert refund["Invoice"]["InvoiceID"] == credit[kind.id_field]
        assert credit["RemainingCredit"] == case.open[role]


def test_rates_are_foreign_units_for_one_of_the_base() -> None:
    ledger, cases, now = _cases()
    case = cases["foreign_currency"]
    record = ledger.state(Kind.INVOICES, case.ids["invoice"], now)
    assert (record["Total"] / record["CurrencyRate"]).quantize(Decimal("0.01")) == case.figures["total_home"]
    assert ledger.state(Kind.PAYMENTS, case.ids["payment"], now)["BankAmount"] == case.figures["paid_home"]


def test_silent_changes_do_not_move_the_moment() -> None:
    ledger, cases, now = _cases()
    record = ledger.state(Kind.INVOICES, cases["silent_change"].ids["invoice"], now)
    assert (record["UpdatedDateUTC"], record["DueDate"]) == (AT, AT.date() + timedelta(days=30))
    moved = ledger.state(Kind.INVOICES, cases["merged_contacts"].ids["invoice_moved"], now)
    assert (moved["UpdatedDateUTC"], moved["Contact"]["ContactID"]) == (AT, cases["merged_contacts"].ids["kept"])
    loud = ledger.state(Kind.INVOICES, cases["archived_contact"].ids["invoice"], now)
    ledger.edit(Kind.INVOICES, loud["InvoiceID"], {"DueDate": AT.date() + timedelta(days=9)}, now)
    assert ledger.state(Kind.INVOICES, loud["InvoiceID"], now)["UpdatedDateUTC"] == now


def test_what_the_ledger_refuses() -> None:
    ledger, cases, now = _cases()
    bank, day = account_of(ledger, BANK, now), now.date()
    open_one, draft = cases["archived_contact"].ids["invoice"], cases["statuses"].ids["DRAFT"]
    note, over = cases["ended_allocation"].ids["credit_note"], cases["overpayment_in_part"].ids["overpayment"]
    part = ledger.state(Kind.BATCH_PAYMENTS, cases["batch_payment"].ids["batch"], now)["Payments"][0]["PaymentID"]
    before = ledger.book.written()
    for write, message in (
        (lambda: ledger.pay(Kind.INVOICES, draft, Decimal(1), day, bank, now), "Authorised documents"),
        (lambda: ledger.pay(Kind.INVOICES, open_one, Decimal(26), day, bank, now), "exceeds the amount outstanding"),
        (lambda: ledger.pay(Kind.INVOICES, open_one, Decimal(0), day, bank, now), "greater than zero"),
        (lambda: ledger.pay(Kind.INVOICES, note, Decimal(1), day, bank, now), "could not be found"),
        (lambda: ledger.delete_payment(part, now), "part of a batch"),
        (lambda: ledger.delete_payment(cases["deleted_payment"].ids["payment"], now), "already"),
        (lambda: ledger.remove(Kind.OVERPAYMENTS, over, now), "cannot be edited"),
        (lambda: ledger.edit(Kind.INVOICES, cases["statuses"].ids["VOIDED"], {"Reference": "x"}, now), "not of valid"),
        (lambda: ledger.allocate(Kind.CREDIT_NOTES, note, open_one, Decimal(1), day, now), "must be the same"),
        (lambda: ledger.take_off(Kind.CREDIT_NOTES, note, "nothing", now), "could not be found"),
    ):
        with pytest.raises(WriteRefusedError, match=message):
            write()
    assert ledger.book.written() == before
    ledger.book.put(Kind.ORGANISATION, organisation(lock_date=day), now)
    with pytest.raises(WriteRefusedError, match="lock date"):
        ledger.pay(Kind.INVOICES, open_one, Decimal(1), day, bank, now)


def test_a_book_keeps_what_was() -> None:
    book = Book()
    who = {"ContactID": "c", "Name": "Alder"}
    book.put(Kind.INVOICES, invoice("1", who, 5, AT.date()), AT)
    identity = object_id(Kind.INVOICES, "1")
    mark = book.written()
    book.put(Kind.INVOICES, invoice("1", who, 6, AT.date()), AT + LATER)
    assert [each["Total"] for each in book.records(Kind.INVOICES, AT)] == [cents(5)]
    assert [each["Total"] for each in book.records(Kind.INVOICES, AT + LATER)] == [cents(6)]
    assert book.records(Kind.INVOICES, AT - LATER) == []
    with pytest.raises(ValueError, match="after"):
        book.put(Kind.INVOICES, invoice("1", who, 7, AT.date()), AT)
    book.undo(mark)
    assert [each["Total"] for each in book.records(Kind.INVOICES, AT + LATER)] == [cents(5)]
    book.delete(Kind.INVOICES, identity, AT + LATER)
    assert book.get(Kind.INVOICES, identity, AT + LATER) is None
    assert book.get(Kind.INVOICES, identity, AT) is not None


def test_amounts_and_dates_as_text() -> None:
    assert json_text({"a": Decimal("1200.00"), "b": Decimal("0.700000"), "c": [None, True, 'é"']}) == (
        '{"a":1200.00,"b":0.700000,"c":[null,true,"é\\""]}'
    )
    assert date_text(date(1970, 1, 1)) == "/Date(0+0000)/"
    assert date_text(date(1969, 12, 31)) == "/Date(-86400000+0000)/"
    assert date_text(datetime(2014, 12, 31, tzinfo=timezone(timedelta(hours=13)))) == "/Date(1419937200000+1300)/"
    assert date_text(datetime(1970, 1, 1, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))) == "/Date(12600000-0330)/"
    with pytest.raises(ValueError, match="two decimals"):
        cents(Decimal("1.005"))


def test_phones_are_kept_in_parts() -> None:
    parts = phone("DEFAULT", "+44 20 7946 1234")
    assert (parts["PhoneCountryCode"], parts["PhoneAreaCode"], parts["PhoneNumber"]) == ("44", "20", "7946 1234")
    assert phone("FAX")["PhoneNumber"] == ""
