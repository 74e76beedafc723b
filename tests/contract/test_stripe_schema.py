"""Every object that the sandbox Stripe answers, against Stripe's own sample of its resource."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.stripe.book import Kind
from kolleno_pipelines.sandbox.stripe.filling import filled_from
from kolleno_pipelines.sandbox.stripe.scenes import NOW, Case
from tests.contract.stripe_samples import StripeSamples
from tests.stripe_client import Client, served_cases

LISTS = [kind for kind in Kind if kind not in {Kind.TOPUPS, Kind.TRANSFERS}]
EXPANDED = {
    Kind.BALANCE_TRANSACTIONS: ["data.source", "data.source.charge"],
    Kind.CHARGES: ["data.refunds", "data.balance_transaction"],
    Kind.PAYOUTS: ["data.balance_transaction", "data.failure_balance_transaction"],
}


@pytest.fixture(scope="module")
def served(stripe_samples: StripeSamples) -> Iterator[tuple[Client, dict[str, Case]]]:
    company = filled_from(Company.build(4, customers=12, days=12, history_days=20, expressible=True), NOW)
    with served_cases(company.ledger) as client_and_cases:
        yield client_and_cases


def _faults(samples: StripeSamples, body: object) -> str:
    return "\n".join(dict.fromkeys(samples.faults(body)))


@pytest.mark.parametrize("kind", [pytest.param(each, id=each.value) for each in LISTS])
def test_every_object_of_every_case(
    served: tuple[Client, dict[str, Case]], stripe_samples: StripeSamples, kind: Kind
) -> None:
    client, _ = served
    found = 0
    for account_id in client.stripe.ledgers:
        headers = {"Stripe-Account": account_id}
        for expand in ([], EXPANDED.get(kind, [])):
            answer = client.ask(kind.value, headers=headers, params={"limit": 100, "expand[]": expand})
            assert answer.status_code == 200, answer.text
            body = answer.json()
            found += len(body["data"])
            assert _faults(stripe_samples, body) == ""
        for record in body["data"][:1]:
            single = client.ask(f"{kind.value}/{record['id']}", headers=headers).json()
            assert _faults(stripe_samples, single) == ""
    assert found


def test_the_account_and_its_balance(served: tuple[Client, dict[str, Case]], stripe_samples: StripeSamples) -> None:
    client, _ = served
    for path in ("account", "balance"):
        assert _faults(stripe_samples, client.got(path)) == ""


def test_what_is_written(served: tuple[Client, dict[str, Case]], stripe_samples: StripeSamples) -> None:
    client, _ = served
    told = {"amount": 5_000, "currency": "usd", "confirm": "true", "payment_method": "pm_card_chargeDeclined"}
    refused = client.post("payment_intents", told).json()["error"]
    assert _faults(stripe_samples, refused["payment_intent"]) == ""
    assert _faults(stripe_samples, client.got(f"charges/{refused['charge']}")) == ""
    made = client.post("payment_intents", {**told, "payment_method": "pm_usBankAccount_success"}).json()
    assert _faults(stripe_samples, made) == ""
    assert _faults(stripe_samples, client.post("refunds", {"payment_intent": made["id"]}).json()) == ""


def test_the_judge_finds_what_is_wrong(served: tuple[Client, dict[str, Case]], stripe_samples: StripeSamples) -> None:
    client, _ = served
    right = client.data("balance_transactions")[-1]
    assert stripe_samples.faults(right) == []
    without = {name: value for name, value in right.items() if name != "net"}
    for wrong in (
        without,
        {**right, "amount": "100"},
        {**right, "amount": None},
        {**right, "nett": 1},
        {**right, "status": 5},
        {**right, "fee": True},
    ):
        assert stripe_samples.faults(wrong), wrong
