"""The sandbox company's Stripe account over HTTP: its days, its payouts, its report, and tampered answers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.stripe.filling import Filling, filled_from
from kolleno_pipelines.sandbox.stripe.money import minor
from kolleno_pipelines.sandbox.stripe.report import payout_reconciliation
from kolleno_pipelines.sandbox.stripe.tampers import tampers
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from tests.stripe_client import Client, Json, served

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def company() -> Company:
    return Company.build(3, customers=20, days=20, history_days=30, expressible=True)


@pytest.fixture(scope="module")
def client(company: Company) -> Iterator[Client]:
    ledger = filled_from(company).ledger
    with served(ledger, clock=VendorClock(ledger.now)) as client:
        yield client


def _figures(client: Client) -> dict[str, tuple[int, int]]:
    """Each completed payout: its amount, and the sum of what it is said to consist of."""
    found = {}
    for payout in client.data("payouts"):
        if payout["reconciliation_status"] == "completed":
            rows = client.data("balance_transactions", payout=payout["id"])
            net = sum(each["net"] for each in rows if each["id"] != payout["balance_transaction"])
            found[payout["id"]] = (payout["amount"], net)
    return found


def test_every_payout_is_the_sum_of_its_rows(client: Client) -> None:
    figures = _figures(client)
    assert len(figures) > 20
    assert all(amount == net for amount, net in figures.values())


def test_every_charge_leads_to_its_row_and_payout(client: Client) -> None:
    rows = client.data("balance_transactions", params={"expand[]": "data.source"})
    by_charge = {each["source"]["id"]: each for each in rows if each["reporting_category"] == "charge"}
    charges = client.data("charges")
    assert {each["id"] for each in charges} == set(by_charge)
    for charge in charges:
        row = by_charge[charge["id"]]
        assert row["id"] == charge["balance_transaction"]
        if row["exchange_rate"] is None:
            assert (row["amount"], row["currency"]) == (charge["amount"], charge["currency"])
    assert any(each["metadata"] for each in charges)
    assert not all(each["metadata"] for each in charges)


def test_the_report_and_the_api_say_the_same(client: Client) -> None:
    ledger = next(iter(client.stripe.ledgers.values()))
    text = payout_reconciliation(ledger, ledger.now, ledger.opened, ledger.now + 7 * DAY)
    sums: dict[str, int] = {}
    for row in csv.DictReader(io.StringIO(text)):
        net = minor(Decimal(row["net"]), row["currency"])
        sums[row["automatic_payout_id"]] = sums.get(row["automatic_payout_id"], 0) + net
    assert sums == {each: amount for each, (amount, _) in _figures(client).items()}


def test_the_clock_brings_what_happens(company: Company) -> None:
    filling = Filling(company)
    clock = VendorClock(company.batches[0].name_time)
    at_once = filled_from(company)
    counts = []
    with served(filling.ledger, clock=clock) as client:
        for batch in company.batches:
            clock.set(batch.name_time)
            counts.append(len(client.data("charges")))
        assert counts == sorted(counts)
        assert counts[0] < counts[-1] == len(filling.taken)
        now = at_once.ledger.now
        assert client.got("balance")["available"] == [
            {"amount": each.available, "currency": currency, "source_types": {"card": each.available}}
            for currency, each in at_once.ledger.balance(now).items()
        ]


def _told(client: Client) -> dict[str, list[Json]]:
    """Everything that a reader may ask for, as it is answered."""
    told = {kind: client.data(kind) for kind in ("balance_transactions", "charges", "payouts")}
    for payout in told["payouts"]:
        if payout["automatic"]:
            told[payout["id"]] = client.data("balance_transactions", payout=payout["id"])
    return told


def test_a_tamper_changes_answers_about_its_item_alone(client: Client) -> None:
    ledger = next(iter(client.stripe.ledgers.values()))
    right = _told(client)
    for tamper in tampers(ledger, ledger.now):
        client.stripe.tamper(tamper)
        wrong = _told(client)
        changed = set()
        for kind in right:
            before, after = ({each["id"]: each for each in told[kind]} for told in (right, wrong))
            changed |= {each for each in before.keys() | after.keys() if before.get(each) != after.get(each)}
        assert tamper.item in changed
        assert len(changed) <= 2, tamper.story
        kind = {"txn": "balance_transactions", "po": "payouts"}.get(tamper.item.split("_")[0], "charges")
        single = client.ask(f"{kind}/{tamper.item}")
        listed = [each for each in wrong[kind] if each["id"] == tamper.item]
        assert [single.json()] == listed if listed else single.status_code == 404
    client.stripe.tamper(None)
    assert _told(client) == right
