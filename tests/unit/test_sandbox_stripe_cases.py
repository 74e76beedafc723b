"""The cases of the sandbox Stripe: their figures, and what their objects say."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from kolleno_pipelines.sandbox.stripe.book import Kind
from kolleno_pipelines.sandbox.stripe.cases import CASES, all_cases
from kolleno_pipelines.sandbox.stripe.reading import Reader
from kolleno_pipelines.sandbox.stripe.scenes import NOW, OUTCOMES, Case, Row
from tests.stripe_book import check_laws, event_types, payouts_of, rows

NAMES = list(CASES)


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    return all_cases()


@pytest.mark.parametrize("name", NAMES)
def test_payouts_and_their_rows_are_as_worked_out(cases: dict[str, Case], name: str) -> None:
    case = cases[name]
    reader = Reader(case.ledger)
    reader.tamper = case.tamper
    for payout_id, figures in case.payouts.items():
        payout = reader.get(payout_id, NOW)
        assert payout is not None
        assert payout["amount"] == figures.amount
        if figures.outcome not in {"pending", "not_itemisable"} and payout["automatic"]:
            members = reader.members(payout_id, NOW)[1:]
            told = tuple(Row(each["reporting_category"], each["amount"], each["fee"], each["net"]) for each in members)
            assert told == figures.rows
            assert sum(each.net for each in figures.rows) == figures.amount


@pytest.mark.parametrize("name", NAMES)
def test_the_laws_hold_on_every_day_of_a_case(cases: dict[str, Case], name: str) -> None:
    ledger = cases[name].ledger
    moment = ledger.opened
    while moment < NOW:
        check_laws(ledger, moment)
        moment += timedelta(hours=12)
    check_laws(ledger, NOW)


def test_every_outcome_has_a_case(cases: dict[str, Case]) -> None:
    assert {each.outcome for case in cases.values() for each in case.payouts.values()} == set(OUTCOMES)


def test_a_case_is_the_same_each_time(cases: dict[str, Case]) -> None:
    again = CASES["dispute_won"]()
    assert again.ids == cases["dispute_won"].ids
    assert rows(again.ledger) == rows(cases["dispute_won"].ledger)
    assert len({case.ledger.account_id for case in cases.values()}) == len(cases)


def test_foreign_currency_keeps_both_amounts(cases: dict[str, Case]) -> None:
    case = cases["foreign_currency"]
    charge = case.ledger.book.latest(case.ids["charge"])
    row = rows(case.ledger)[0]
    assert (charge["amount"], charge["currency"]) == (1_000, "eur")
    assert (row["amount"], row["currency"], row["exchange_rate"]) == (1_234, "usd", 1.234)
    assert [(each.amount, each.currency_iso) for each in case.erp] == [(Decimal("10.00"), "EUR")]


def test_a_hold_is_released_outside_its_payout(cases: dict[str, Case]) -> None:
    case = cases["hold_and_release"]
    release = rows(case.ledger)[-1]
    assert (release["type"], release["net"]) == ("payout_minimum_balance_release", 100)
    assert case.ledger.balance(NOW)["usd"].available == 100


def test_an_instant_payout_costs_a_row(cases: dict[str, Case]) -> None:
    case = cases["instant"]
    assert [(each["type"], each["net"]) for each in rows(case.ledger)[1:]] == [
        ("payout", -40_000),
        ("stripe_fee", -600),
    ]
    payout = payouts_of(case.ledger)[0]
    assert (payout["method"], payout["reconciliation_status"], payout["status"]) == (
        "instant",
        "not_applicable",
        "paid",
    )
    assert case.ledger.balance(NOW)["usd"].available == 7_920


def test_a_payout_that_was_paid_fails(cases: dict[str, Case]) -> None:
    case = cases["reversed_after_paid"]
    first = case.ids["payout"]
    states = [each["status"] for _, each in case.ledger.book.versions(first, NOW)]
    assert states == ["pending", "in_transit", "in_transit", "paid", "failed"]
    failed = case.ledger.book.latest(first)
    assert failed["failure_code"] == "account_closed"
    back = case.ledger.book.latest(failed["failure_balance_transaction"])
    assert (back["type"], back["reporting_category"], back["net"]) == ("payout_failure", "payout_reversal", 9_680)
    told = [each for each in event_types(case.ledger) if each.startswith("payout.")]
    assert told[:6] == [
        *("payout.created", "payout.updated", "payout.updated"),
        *("payout.reconciliation_completed", "payout.paid", "payout.failed"),
    ]


def test_a_payout_is_itemised_in_part_before_it_is_completed() -> None:
    case = CASES["other_lines"]()
    payout_id = next(iter(case.payouts))
    created = payouts_of(case.ledger)[0]["created"]
    reader = Reader(case.ledger)
    moment = NOW.fromtimestamp(created + 3600, NOW.tzinfo)
    early = reader.get(payout_id, moment)
    assert early is not None
    assert (early["status"], early["reconciliation_status"]) == ("pending", "in_progress")
    assert len(reader.members(payout_id, moment)) == 4, "its own row and three of seven"
    assert len(reader.members(payout_id, NOW)) == 8


def test_a_debit_fails_after_its_payout(cases: dict[str, Case]) -> None:
    case = cases["late_failure"]
    states = [each["status"] for _, each in case.ledger.book.versions(case.ids["charge"], NOW)]
    assert states == ["pending", "succeeded", "failed"]
    failed = case.ledger.book.latest(case.ids["charge"])
    assert (failed["paid"], failed["failure_code"]) == (False, "insufficient_funds")
    back = case.ledger.book.latest(failed["failure_balance_transaction"])
    assert (back["type"], back["reporting_category"]) == ("payment_failure_refund", "charge_failure")
    assert failed["id"].startswith("py_")
    dispute = cases["late_failure_as_dispute"]
    told = dispute.ledger.book.latest(dispute.ids["dispute"])
    assert (told["status"], told["reason"], len(told["balance_transactions"])) == ("lost", "insufficient_funds", 1)


@pytest.mark.parametrize(
    ("name", "status", "count"),
    [("dispute_won", "won", 2), ("dispute_lost", "lost", 1), ("inquiry", "warning_closed", 0)],
)
def test_disputes_tell_their_rows(cases: dict[str, Case], name: str, status: str, count: int) -> None:
    case = cases[name]
    told = case.ledger.book.latest(case.ids["dispute"])
    assert (told["status"], len(told["balance_transactions"])) == (status, count)
    assert {each["type"] for each in told["balance_transactions"]} <= {"adjustment"}
    charge = case.ledger.book.latest(case.ids["charge"])
    assert charge["disputed"] is (name != "inquiry")


def test_refunds_change_their_charge_and_never_its_row(cases: dict[str, Case]) -> None:
    case = cases["partial_refunds"]
    charge = case.ledger.book.latest(case.ids["charge"])
    assert (charge["amount_refunded"], charge["refunded"], charge["status"]) == (5_000, False, "succeeded")
    assert rows(case.ledger)[0]["amount"] == 10_000
    failed = cases["refund_failed"]
    refund = failed.ledger.book.latest(failed.ids["refund"])
    assert (refund["status"], refund["failure_reason"]) == ("failed", "lost_or_stolen_card")
    assert failed.ledger.book.latest(refund["failure_balance_transaction"])["type"] == "refund_failure"
    assert failed.ledger.book.latest(failed.ids["charge"])["amount_refunded"] == 0


def test_metadata_is_the_platforms_own_and_overflows(cases: dict[str, Case]) -> None:
    case = cases["many_invoices"]
    told = case.ledger.book.latest(case.ids["charge"])["metadata"]
    assert (told["created_by"], told["payment_charge"]) == ("Kolleno", case.erp[0].ref)
    assert len(told["invoices_source_id"]) == len(told["invoices_refs"]) == 500
    assert not told["invoices_source_id"].endswith("000060"), "the list is not complete"
    elsewhere = cases["reconciled_by_charge_id"]
    assert elsewhere.ledger.book.latest(elsewhere.ids["charge"])["metadata"] == {}
    assert elsewhere.erp[0].charge_id == elsewhere.ids["charge"]
    shared = cases["reconciled"]
    assert sum(each.amount for each in shared.erp if each.ref.endswith("shared")) == 1_000
    assert {each["object"] for each in shared.ledger.book.records(Kind.PAYMENT_INTENTS, NOW)} == {"payment_intent"}
