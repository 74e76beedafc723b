"""A company that every vendor can state: what it leaves out and keeps; other companies stay as they were."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from kolleno_pipelines.sandbox import drops
from kolleno_pipelines.sandbox.answers import Answers
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.events import (
    CREDIT_NOTE,
    PAYMENT,
    ZERO,
    AllocationStated,
    BalanceMoved,
    DisputeStated,
    DocumentCorrected,
    DocumentIssued,
    DocumentVoided,
)


@pytest.fixture(scope="module")
def company() -> Company:
    return Company.build(6, customers=40, days=40, invoices_per_day=8, expressible=True)


def test_what_not_every_format_states_is_left_out(company: Company) -> None:
    assert not [each for each in company.events if isinstance(each, BalanceMoved | DisputeStated)]
    issued = [each for each in company.events if isinstance(each, DocumentIssued)]
    customers = company.books().customers
    for each in issued:
        assert each.settled_before == ZERO
        assert not each.balance_is_blank
        assert each.currency == customers[each.customer]["currency_iso"]
        assert each.date_due is not None or each.kind != "invoice"
        assert each.amount > 0
    assert not [each for each in company.events if isinstance(each, DocumentVoided) and each.balance]
    owner = {(each.kind, each.source_id): each.customer for each in issued}
    for each in company.events:
        if isinstance(each, AllocationStated):
            assert owner[each.from_kind, each.from_id] == owner["invoice", each.to_id]
    assert Answers.of(company).differences() == []
    assert not any("\n" in cell for cells in customers.values() for cell in cells.values())


def test_everything_else_is_kept(company: Company) -> None:
    kinds = Counter(type(each) for each in company.events)
    assert min(kinds[DocumentVoided], kinds[DocumentCorrected]) > 2
    stated = [each for each in company.events if isinstance(each, AllocationStated)]
    assert any(each.amount == 0 for each in stated)
    assert {each.from_kind for each in stated} == {PAYMENT, CREDIT_NOTE}
    assert max(Counter(each.from_id for each in stated).values()) > 2
    books, answers = company.books(), Answers.of(company)
    assert {each["currency_iso"] for each in books.customers.values()} == {"USD", "EUR", "GBP", "JPY"}
    assert any(each["parent_id"] for each in books.customers.values())
    assert books.contacts
    assert any(each.payments for each in answers.unapplied_cash())
    assert any(each.credit_notes for each in answers.unapplied_cash())
    assert any(each.settlement == "partially_paid" for each in answers.records("invoice").values())


def test_other_companies_stay_what_they_were() -> None:
    digest = hashlib.sha256()
    for drop in drops.arrivals(Company.build(5, customers=20, days=20)):
        for name, content in drop.files.items():
            digest.update(name.encode() + b"\0" + content)
    assert digest.hexdigest() == "cc7e0559acba0da821bde42836f3a147c48ac662ecdc6547041c79bdf8d71fe4"
