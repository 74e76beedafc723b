"""The demo's company by the time of day, what is planted in it, and how figures and breaks are judged."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from kolleno_pipelines.cli.demo_bank import bank_answers, left_out
from kolleno_pipelines.cli.demo_company import CONNECTIONS, PLANTED, XERO, Dropped, make_company
from kolleno_pipelines.cli.demo_figures import Figure, _conclude
from kolleno_pipelines.cli.demo_payouts import KINDS, conclude_payouts, not_as_answered
from kolleno_pipelines.cli.demo_stripe import account_of, planted_error
from kolleno_pipelines.sandbox.answers import Answers
from kolleno_pipelines.sandbox.stripe.payout_answers import payout_answers

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def planted() -> Dropped:
    return make_company(NOON, with_faults=False, with_break=True)


@pytest.mark.parametrize(
    ("hour", "minute", "last"), [(6, 4, date(2026, 3, 3)), (6, 5, date(2026, 3, 4)), (23, 59, date(2026, 3, 4))]
)
def test_no_batch_lies_in_the_future(hour: int, minute: int, last: date) -> None:
    now = NOON.replace(hour=hour, minute=minute)
    dropped = make_company(now, with_faults=True, with_break=False)
    assert dropped.today == dropped.company.last_day == last
    assert max(batch.name_time for batch in dropped.company.batches) < now


def test_the_planted_break_is_told_to_one_mirror_alone(planted: Dropped) -> None:
    assert planted.planted is not None
    nets = {
        name: {each.currency_iso: each.net for each in Answers.of(planted.told(name)).control_totals()}
        for name in CONNECTIONS
    }
    books = {each.currency_iso: each.net for each in Answers.of(planted.company).control_totals()}
    assert nets.pop(XERO) == {**books, "USD": books["USD"] + PLANTED}
    assert list(nets.values()) == [books, books]


def test_each_option_is_a_demo_of_its_own(planted: Dropped) -> None:
    others = [make_company(NOON, with_faults=faults, with_break=False) for faults in (False, True)]
    tomorrow = make_company(NOON.replace(day=5), with_faults=False, with_break=False)
    digests = {each.digest for each in (planted, tomorrow, *others)}
    assert len(digests) == 4
    assert make_company(NOON, with_faults=False, with_break=True).digest == planted.digest


def test_a_figure_agrees_only_with_what_its_system_was_told() -> None:
    told = {"quickbooks": "5", "sftp": "5", "xero": "6"}
    assert Figure("x", "5", told, told).verdict == "planted in xero"
    assert Figure("x", "5", dict.fromkeys(told, "5"), dict.fromkeys(told, "5")).verdict == "agrees"
    assert Figure("x", "5", told, {**told, "xero": "5"}).verdict == "DISAGREES"
    assert Figure("x", "5", told, {**told, "sftp": "6"}).verdict == "DISAGREES"


def test_only_the_planted_break_is_expected(planted: Dropped, capsys: pytest.CaptureFixture[str]) -> None:
    plan = planted.planted
    assert plan is not None
    row = {"mirror": plan.mirror, "currency_iso": plan.currency_iso}
    found: dict[str, Any] = {
        "kind": "invoice",
        "ref": plan.ref,
        "differs": "amount, balance",
        "amount": str(plan.amount),
        "mirror_amount": str(plan.mirror_amount),
    }
    assert _conclude([(row, found)], plan)
    assert plan.ref in capsys.readouterr().out
    assert _conclude([], None)
    for breaks, what in (
        ([], plan),
        ([(row, found)], None),
        ([(row, found), ({**row, "mirror": "sftp"}, found)], plan),
        ([(row, {**found, "ref": "another"})], plan),
        ([(row, {**found, "mirror_amount": str(plan.mirror_amount + Decimal(1))})], plan),
        ([(row, {**found, "amount": None})], plan),
    ):
        assert not _conclude(breaks, what)


@pytest.mark.parametrize("days", range(7))
def test_the_account_has_payouts_of_every_kind_on_every_day_of_the_week(days: int) -> None:
    dropped = make_company(NOON + timedelta(days=days), with_faults=False, with_break=True)
    account = account_of(dropped)
    planted = planted_error(dropped, account)
    answers = payout_answers(account.ledger, account.taken, account.ledger.now)
    assert {kind for one in answers for kind in one.kinds} >= set(KINDS) - {"a debit that failed"}
    assert planted is not None
    assert {one.source_id: one.outcome for one in answers}[planted.payout].startswith("reconciled")


def test_only_the_planted_error_is_expected(planted: Dropped, capsys: pytest.CaptureFixture[str]) -> None:
    plan = planted_error(planted, account_of(planted))
    assert plan is not None
    exception = {"code": "fee_differs", "balance_transaction_source_id": plan.item}
    row: dict[str, Any] = {"source_id": plan.payout, "exceptions": [exception]}
    missing = left_out(planted, account_of(planted))
    absent = {"code": "no_bank_line", "balance_transaction_source_id": ""}
    at_bank: dict[str, Any] = {"source_id": missing, "exceptions": [absent]}
    assert conclude_payouts([row, at_bank], plan, missing)
    told = capsys.readouterr().out
    assert plan.item in told
    assert f"{missing} is not at the bank" in told
    assert conclude_payouts([{**row, "exceptions": []}], None, "")
    other = {**exception, "code": "dropped"}
    for rows, what in (
        ([], plan),
        ([row], plan),
        ([at_bank], plan),
        ([row, at_bank], None),
        ([{**row, "exceptions": [exception, other]}, at_bank], plan),
        ([{**row, "exceptions": [other]}, at_bank], plan),
        ([{**row, "source_id": "po_another"}, at_bank], plan),
    ):
        assert not conclude_payouts(rows, what, missing if what else "")


def test_a_payout_that_is_not_as_answered_is_named(planted: Dropped) -> None:
    account = account_of(planted)
    plan = planted_error(planted, account)
    assert plan is not None
    now, missing = account.ledger.now, left_out(planted, account)
    answers, at_bank = payout_answers(account.ledger, account.taken, now), bank_answers(account, missing, now, now)
    rows = [
        {
            "source_id": one.source_id,
            "outcome": "fee_mismatch"
            if one.source_id == plan.payout
            else arrived.outcome
            if arrived.outcome in {"not_at_bank", "awaiting_bank"} and one.outcome.startswith("reconciled")
            else one.outcome,
            "amount": str(one.amount),
            "currency_iso": one.currency_iso,
            "bank_outcome": arrived.outcome,
            "bank_resolver": arrived.found_by or None,
        }
        for one in answers
        for arrived in [at_bank[one.source_id]]
    ]
    assert {row["outcome"] for row in rows} >= {"reconciled", "not_at_bank", "fee_mismatch"}
    assert list(not_as_answered(rows, answers, plan, at_bank)) == []
    assert len(list(not_as_answered(rows, answers, None, at_bank))) == 1
    assert len(list(not_as_answered(rows[1:], answers, plan, at_bank))) == 1
    for changed in ({"amount": "0.01"}, {"bank_outcome": "not_compared"}, {"bank_resolver": "descriptor"}):
        (told,) = not_as_answered([{**rows[0], **changed}, *rows[1:]], answers, plan, at_bank)
        assert rows[0]["source_id"] in told
