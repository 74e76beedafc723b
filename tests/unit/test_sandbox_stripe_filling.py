"""The sandbox company's Stripe account: its charges against the payments of the company and of its QuickBooks."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from kolleno_pipelines.sandbox.books import DocumentKey
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.quickbooks import filling as quickbooks
from kolleno_pipelines.sandbox.stripe import filling as stripe
from kolleno_pipelines.sandbox.stripe.book import Kind
from kolleno_pipelines.sandbox.stripe.money import major
from kolleno_pipelines.sandbox.stripe.taken import (
    Taken,
    payment_fields,
    taken_by_stripe,
    with_shared_references,
)
from tests.stripe_book import check_laws, rows

Json = dict[str, Any]


@pytest.fixture(scope="module")
def company() -> Company:
    return Company.build(3, customers=30, days=25, history_days=60, expressible=True)


@pytest.fixture(scope="module")
def books(company: Company) -> quickbooks.Filling:
    return quickbooks.filled_from(company, payment_fields=payment_fields(taken_by_stripe(company)))


@pytest.fixture(scope="module")
def filled(company: Company, books: quickbooks.Filling) -> stripe.Filling:
    return stripe.filled_from(company, ledger_ids=books.ids)


def _charge(filled: stripe.Filling, taken: Taken) -> Json:
    return filled.ledger.book.latest(taken.charge_id)


def _payments(books: quickbooks.Filling) -> list[Json]:
    """The payments that QuickBooks serves, without those that only apply credit memos."""
    now = books.company.batches[-1].name_time
    applied = set(books.applications.values())
    return [each for each in books.book.objects("Payment", now) if each["Id"] not in applied]


def test_every_kind_of_charge_is_there(filled: stripe.Filling) -> None:
    taken = filled.taken
    assert {each.method for each in taken} == {"card", "us_bank_account", "sepa_debit"}
    for kind in (
        [each for each in taken if each.is_elsewhere],
        [each for each in taken if each.surcharge],
        [each for each in taken if len(each.parts) > 1],
        [each for each in taken if each.is_disputed],
        [each for each in taken if any(part.voided_at for part in each.parts)],
    ):
        assert 0 < len(kind) < len(taken)
    assert len(filled.ledger.book.records(Kind.CHARGES, filled.ledger.now)) == len(taken)


def test_charges_are_the_payments_of_the_company(company: Company, filled: stripe.Filling) -> None:
    documents = company.books().documents
    for taken in filled.taken:
        charge = _charge(filled, taken)
        parts = [documents[DocumentKey("payment", part.payment)] for part in taken.parts]
        assert sum((part.amount for part in parts), taken.surcharge) == major(charge["amount"], charge["currency"])
        assert {part.currency.lower() for part in parts} == {charge["currency"]}
        assert {part.cells["method"] for part in parts} == {"card" if taken.method == "card" else "direct_debit"}
        if taken.surcharge:
            paid = sum(part.amount for part in parts)
            assert abs(taken.surcharge - paid * Decimal("0.0275")) < Decimal("0.01") * 100


def test_metadata_names_what_quickbooks_serves(filled: stripe.Filling, books: quickbooks.Filling) -> None:
    by_ref: dict[str, list[Json]] = defaultdict(list)
    for payment in _payments(books):
        by_ref[payment.get("PaymentRefNum", "")].append(payment)
    served = {
        kind: {each["Id"] for each in books.book.objects(kind, filled.ledger.now)} for kind in ("Customer", "Invoice")
    }
    for taken in filled.taken:
        metadata = _charge(filled, taken)["metadata"]
        if taken.is_elsewhere:
            assert metadata == {}
            continue
        assert metadata["created_by"] == "Kolleno"
        assert metadata["customer_source_id"] in served["Customer"]
        assert metadata["customer"] != metadata["customer_source_id"]
        invoices = metadata.get("invoices_source_id", "").split(",")
        assert set(invoices) - {""} <= served["Invoice"]
        assert len(metadata.get("invoices_refs", "").split(",")) == len(invoices)
        if not any(part.voided_at for part in taken.parts):
            paid = by_ref[metadata["payment_charge"]]
            assert sum(each["TotalAmt"] for each in paid) + taken.surcharge == taken.amount
            assert len({each["CustomerRef"]["value"] for each in paid}) == len(taken.parts)


def test_payments_of_one_charge_carry_one_reference_everywhere(company: Company, filled: stripe.Filling) -> None:
    shared = with_shared_references(company, filled.taken)
    documents, before = (each.books().documents for each in (shared, company))
    for taken in filled.taken:
        refs = {documents[DocumentKey("payment", part.payment)].ref for part in taken.parts}
        assert refs == {taken.ref}
    changed = {key for key, document in documents.items() if document.ref != before[key].ref}
    assert changed == {DocumentKey("payment", part.payment) for taken in filled.taken for part in taken.parts[1:]}
    assert changed
    assert {each.charge_id: each.amount for each in taken_by_stripe(shared)} == {
        each.charge_id: each.amount for each in filled.taken
    }


def test_the_ledger_names_charges_that_were_made_elsewhere(filled: stripe.Filling, books: quickbooks.Filling) -> None:
    notes = {each["PrivateNote"]: each for each in _payments(books) if "PrivateNote" in each}
    for taken in (each for each in filled.taken if each.is_elsewhere):
        is_voided = taken.parts[0].voided_at is not None
        payment = notes[f"Voided - {taken.charge_id}" if is_voided else taken.charge_id]
        assert payment["TotalAmt"] == (0 if is_voided else taken.amount)


def test_what_the_ledger_voids_went_back_before(filled: stripe.Filling) -> None:
    voided = [each for each in filled.taken if any(part.voided_at for part in each.parts)]
    assert voided
    for taken in voided:
        charge = _charge(filled, taken)
        if taken.method == "card" or len(taken.parts) > 1:
            assert charge["amount_refunded"] > 0
        else:
            assert charge["status"] == "failed"


def test_the_laws_hold_on_every_day(filled: stripe.Filling) -> None:
    ledger = filled.ledger
    moment = ledger.opened
    while moment < ledger.now:
        check_laws(ledger, moment)
        moment += timedelta(days=1)
    check_laws(ledger, ledger.now)


@pytest.mark.parametrize("seed", range(1, 6))
def test_the_account_is_the_same_however_it_is_filled(seed: int) -> None:
    company = Company.build(seed, customers=15, days=12, history_days=20, expressible=True)
    at_once, by_day = stripe.filled_from(company), stripe.Filling(company)
    for batch in company.batches:
        by_day.ledger.advance(batch.name_time)
    assert rows(by_day.ledger) == rows(at_once.ledger)
    events = [each.ledger.book.records(Kind.EVENTS, each.ledger.now) for each in (at_once, by_day)]
    assert events[0] == events[1]
    assert at_once.ledger.balance(at_once.ledger.now) == by_day.ledger.balance(by_day.ledger.now)


def test_without_fields_quickbooks_is_as_before(company: Company) -> None:
    plain = quickbooks.filled_from(company)
    assert not any("PrivateNote" in each for each in _payments(plain) if each["TotalAmt"])
    refs = {each.ref for key, each in company.books().documents.items() if key.kind == "payment"}
    assert {each.get("PaymentRefNum", "") for each in _payments(plain)} == refs
