"""What happens to the sandbox company's balance beside its charges, and what must become of each payout."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.stripe import treasury
from kolleno_pipelines.sandbox.stripe.book import Kind
from kolleno_pipelines.sandbox.stripe.filling import Filling
from kolleno_pipelines.sandbox.stripe.payout_answers import payout_answers
from tests.stripe_book import check_laws, payouts_of


@pytest.fixture(scope="module")
def filled() -> Filling:
    company = Company.build(11, customers=60, days=21, invoices_per_day=12, history_days=90, expressible=True)
    filling = Filling(company, terms=treasury.HELD)
    treasury.plan(filling.ledger, filling.taken, company.last_day)
    filling.advance()
    return filling


def test_the_laws_hold_on_every_day(filled: Filling) -> None:
    moment = filled.ledger.opened
    while moment < filled.ledger.now:
        check_laws(filled.ledger, moment)
        moment += timedelta(days=1)
    check_laws(filled.ledger, filled.ledger.now)


def test_each_thing_happens_once(filled: Filling) -> None:
    payouts = payouts_of(filled.ledger)
    by_hand = [each for each in payouts if not each["automatic"]]
    assert sorted(each["method"] for each in by_hand) == ["instant", "standard"]
    assert [each["currency"] for each in payouts if each["status"] == "failed"] == ["eur"]
    refunds = filled.ledger.book.records(Kind.REFUNDS, filled.ledger.now)
    assert [each["currency"] for each in refunds if each["status"] == "failed"] == ["gbp"]
    assert any(each["amount"] < 0 for each in payouts if each["currency"] == "gbp")


def test_every_payout_has_an_answer(filled: Filling) -> None:
    answers = payout_answers(filled.ledger, filled.taken, filled.ledger.now)
    payouts = {each["id"]: each for each in payouts_of(filled.ledger)}
    assert {one.source_id for one in answers} == set(payouts)
    outcomes = Counter(one.outcome for one in answers)
    assert outcomes["not_itemisable"] == 2
    assert outcomes["reversed"] == 1
    assert outcomes["reconciled"] > 0
    assert outcomes["reconciled_with_fallback"] > 0
    assert outcomes["pending"] == sum(
        each["automatic"] and each["reconciliation_status"] == "in_progress" and each["status"] != "failed"
        for each in payouts.values()
    )


def test_every_kind_of_payout_is_there(filled: Filling) -> None:
    kinds = {kind for one in payout_answers(filled.ledger, filled.taken, filled.ledger.now) for kind in one.kinds}
    assert kinds >= {
        *("a charge of two payments", "a surcharge", "a charge taken elsewhere", "a refund", "a refund that failed"),
        *("a dispute", "a dispute that was won", "a fee of its own", "a minimum that is held back"),
        *("a minimum that is free again", "taken from the bank", "paid out by hand", "paid out at once"),
        *("a payout by hand before it", "sent back by the bank", "a payout that came back"),
    }
