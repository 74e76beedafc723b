"""The synthetic company's bank accounts: every payout of its Stripe account is there, told rightly unless left out."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from itertools import pairwise

import pytest

from kolleno_pipelines.sandbox.bank.account import stated_until
from kolleno_pipelines.sandbox.bank.filling import FORMS, accounts_of, filled_from, messages_from, one_to_leave_out
from kolleno_pipelines.sandbox.bank.outcomes import AWAITING, MISSING, RECONCILED, told_rightly
from kolleno_pipelines.sandbox.bank.tampers import tampers
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.stripe import treasury
from kolleno_pipelines.sandbox.stripe.book import Kind
from kolleno_pipelines.sandbox.stripe.filling import Filling
from kolleno_pipelines.sandbox.stripe.money import major
from tests.bank_messages import days, judged, payments


@pytest.fixture(scope="module")
def filling() -> Filling:
    company = Company.build(5, customers=40, days=30, history_days=60, expressible=True)
    filling = Filling(company, terms=treasury.HELD)
    treasury.plan(filling.ledger, filling.taken, company.last_day)
    filling.advance()
    return filling


def _expected(filling: Filling, left_out: str = "") -> dict[str, tuple[str, str]]:
    until = filling.ledger.now
    return dict(told_rightly(filling.ledger, until, stated_until(until), currencies=FORMS, left_out=left_out))


def test_everything_is_right_by_default(filling: Filling) -> None:
    files = filled_from(filling)
    found = judged(filling.ledger, files, filling.ledger.now)
    assert found == _expected(filling)
    counts = Counter(found.values())
    assert set(counts) == {RECONCILED, AWAITING}
    assert counts[RECONCILED] > 5 * counts[AWAITING], "only the newest are awaited"


def test_every_kind_of_payout_and_of_noise_is_at_the_bank(filling: Filling) -> None:
    told = payments(filled_from(filling))
    own = [each for each in told if "STRIPE PAYOUT" in each.texts or "RETURN STRIPE PAYOUT" in each.texts]
    payouts = {each["id"]: each for each in filling.ledger.book.records(Kind.PAYOUTS, filling.ledger.now)}
    assert {each.currency for each in own} == {"USD", "EUR", "GBP"}
    assert {each["method"] for each in payouts.values()} == {"standard", "instant"}
    assert any(each["status"] == "failed" for each in payouts.values())
    assert any(each.amount < 0 and not each.is_return for each in own), "one was taken from the bank"
    assert [each.amount for each in own if each.is_return], "one was sent back"
    by_trace = {each["trace_id"]["value"]: each for each in payouts.values() if each["trace_id"]["value"]}
    for each in own:
        (trace,) = each.references - {"", "NOTPROVIDED"}
        amount = major(by_trace[trace]["amount"], by_trace[trace]["currency"])
        assert each.amount == (-amount if each.is_return else amount)
    amounts = {(each.account, each.day, each.amount) for each in own}
    assert [each for each in told if each not in own and (each.account, each.day, each.amount) in amounts]
    assert Decimal("-12.50") in {each.amount for each in told}


def test_balances_chain_and_references_are_unique(filling: Filling) -> None:
    files = filled_from(filling)
    told = days(files)
    assert {each.account for each in told} == {each.account.id for each in accounts_of(filling).values()}
    assert all(each.opening + each.moved == each.closing for each in told)
    assert all(one.closing == other.opening for one, other in pairwise(told) if one.account == other.account)
    refs = [(each.ref, each.number) for each in payments(files)]
    assert len(set(refs)) == len(refs)
    assert len({each.name for each in files}) == len(files) == len(told)


def test_the_same_company_has_the_same_bytes_and_an_earlier_moment_fewer_files(filling: Filling) -> None:
    files = filled_from(filling)
    assert filled_from(filling) == files
    earlier = filled_from(filling, files[-40].modified)
    assert earlier == files[: len(earlier)]
    assert len(files) - 40 < len(earlier) < len(files)


def test_one_payout_may_be_left_out_and_nothing_else_changes(filling: Filling) -> None:
    paid = [payout for payout, outcome in _expected(filling).items() if outcome == RECONCILED]
    for left_out in (paid[0], one_to_leave_out(filling)):
        files = filled_from(filling, leave_out=left_out)
        found = judged(filling.ledger, files, filling.ledger.now)
        assert found == _expected(filling, left_out) == _expected(filling) | {left_out: MISSING}
        whole, rest = set(payments(filled_from(filling))), set(payments(files))
        assert rest < whole
        assert len(whole - rest) == 1
        assert all(each.opening + each.moved == each.closing for each in days(files))


def test_nothing_is_left_out_before_its_days_to_arrive_are_over(filling: Filling) -> None:
    payouts = filling.ledger.book.records(Kind.PAYOUTS, filling.ledger.now)
    place = [each["id"] for each in payouts].index(one_to_leave_out(filling))
    newer = [each["id"] for each in payouts[:place] if each["status"] == "paid" and each["amount"] > 0]
    assert newer
    assert all(_expected(filling, each)[each] == AWAITING for each in newer)
    with pytest.raises(ValueError, match="more days"):
        one_to_leave_out(filling, filling.ledger.opened)


def test_every_tamper_of_the_company_names_its_payout_and_leaves_the_others(filling: Filling) -> None:
    payout = one_to_leave_out(filling)
    for tamper in tampers(messages_from(filling), payout):
        found = judged(filling.ledger, tamper.files, filling.ledger.now)
        assert found == _expected(filling) | {payout: tamper.outcome}, tamper.story
