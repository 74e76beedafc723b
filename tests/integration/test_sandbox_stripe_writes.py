"""What may be written to the sandbox Stripe over HTTP, once for each Idempotency-Key."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from kolleno_pipelines.sandbox.stripe import charging
from kolleno_pipelines.sandbox.stripe.book import Json
from kolleno_pipelines.sandbox.stripe.ledger import Ledger
from kolleno_pipelines.sandbox.stripe.scenes import BY_HAND
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.vendor_server import VendorFault
from tests.stripe_book import AT, DAY, FX, check_laws, ledger
from tests.stripe_client import Client, error_of, served

CHARGE: Json = {"amount": 5_000, "currency": "usd", "confirm": "true", "payment_method": "pm_card_visa"}


@pytest.fixture
def account() -> Ledger:
    return ledger(FX)


@pytest.fixture
def client(account: Ledger) -> Iterator[Client]:
    with served(account, clock=VendorClock(AT)) as client:
        yield client
        client.stripe.clock.advance(10 * DAY)
        client.got("balance")
        check_laws(account, account.now)


def test_a_payment_is_confirmed_at_once_and_paid_out(client: Client) -> None:
    customer = charging.add_customer(next(iter(client.stripe.ledgers.values())), AT, name="Acme")["id"]
    told = {**CHARGE, "customer": customer, "metadata[created_by]": "Kolleno", "expand[]": "latest_charge"}
    intent = client.post("payment_intents", told).json()
    assert (intent["status"], intent["amount_received"], intent["metadata"]) == (
        "succeeded",
        5_000,
        {"created_by": "Kolleno"},
    )
    charge = intent["latest_charge"]
    assert (charge["customer"], charge["metadata"], charge["paid"]) == (customer, {"created_by": "Kolleno"}, True)
    assert client.got("balance")["pending"][0]["amount"] == 4_825, "50.00 less 1.75"
    client.stripe.clock.advance(3 * DAY)
    assert [each["amount"] for each in client.data("payouts")] == [4_825]


def test_a_declined_card_leaves_its_charge(client: Client) -> None:
    error = error_of(client.post("payment_intents", {**CHARGE, "payment_method": "pm_card_chargeDeclined"}), 402)
    assert (error["type"], error["code"]) == ("card_error", "card_declined")
    charge = client.got(f"charges/{error['charge']}")
    assert (charge["status"], charge["paid"], charge["balance_transaction"]) == ("failed", False, None)
    assert client.got(f"payment_intents/{error['payment_intent']['id']}")["status"] == "requires_payment_method"
    assert client.data("balance_transactions") == []


def test_refunds_in_parts_until_nothing_is_left(client: Client) -> None:
    intent = client.post("payment_intents", CHARGE).json()
    first = client.post("refunds", {"charge": intent["latest_charge"], "amount": 2_000, "metadata[why]": "late"}).json()
    assert (first["amount"], first["status"], first["metadata"]) == (2_000, "succeeded", {"why": "late"})
    too_much = client.post("refunds", {"payment_intent": intent["id"], "amount": 3_001})
    assert error_of(too_much)["param"] == "amount"
    rest = client.post("refunds", {"payment_intent": intent["id"], "reason": "requested_by_customer"}).json()
    assert rest["amount"] == 3_000
    error_of(client.post("refunds", {"payment_intent": "pi_none"}), 404)
    again = error_of(client.post("refunds", {"charge": intent["latest_charge"]}))
    assert again["code"] == "charge_already_refunded"
    charge = client.got(f"charges/{intent['latest_charge']}")
    assert (charge["refunded"], charge["amount_refunded"]) == (True, 5_000)


def test_payouts_by_hand_need_what_is_available() -> None:
    account = ledger(BY_HAND)
    with served(account, clock=VendorClock(AT)) as client:
        client.post("payment_intents", {**CHARGE, "amount": 100_000})
        told = {"amount": 50_000, "currency": "usd", "description": "rent"}
        assert error_of(client.post("payouts", told))["code"] == "balance_insufficient"
        client.stripe.clock.advance(3 * DAY)
        made = client.post("payouts", told).json()
        assert (made["automatic"], made["reconciliation_status"], made["description"]) == (
            False,
            "not_applicable",
            "rent",
        )
        quick = client.post("payouts", {**told, "amount": 10_000, "method": "instant"}).json()
        assert quick["method"] == "instant"
        fee = client.data("balance_transactions", type="stripe_fee")
        assert [each["net"] for each in fee] == [-150]
        assert client.got("balance")["available"][0]["amount"] == 97_070 - 50_000 - 10_150
        client.stripe.clock.advance(timedelta(hours=1))
        assert client.got(f"payouts/{quick['id']}")["status"] == "paid"


def test_metadata_is_merged_and_bounded(client: Client) -> None:
    intent = client.post("payment_intents", {**CHARGE, "metadata[a]": "1", "metadata[b]": "2"}).json()
    path = f"payment_intents/{intent['id']}"
    assert client.post(path, {"metadata[b]": "", "metadata[c]": "3"}).json()["metadata"] == {"a": "1", "c": "3"}
    assert client.post(path, {"metadata": ""}).json()["metadata"] == {}
    assert client.post(path, {}).json()["id"] == intent["id"]
    charge = client.post(f"charges/{intent['latest_charge']}", {"metadata[x]": "y" * 500, "description": "d"}).json()
    assert (len(charge["metadata"]["x"]), charge["description"], charge["metadata"]["a"]) == (500, "d", "1")
    many = {f"metadata[k{number}]": "v" for number in range(51)}
    for wrong in (
        {"metadata[x]": "y" * 501},
        {f"metadata[{'k' * 41}]": "v"},
        {"metadata": "text"},
        {"amount": "1"},
        many,
    ):
        error_of(client.post(path, wrong))
    updated = client.data("events", type="charge.updated")[0]
    assert updated["data"]["previous_attributes"]["metadata"] == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("payment_intents", {"currency": "usd"}, "parameter_missing"),
        ("payment_intents", {**CHARGE, "amount": "5.00"}, "parameter_invalid_integer"),
        ("payment_intents", {**CHARGE, "amount": "0"}, "invalid_charge_amount"),
        ("payment_intents", {**CHARGE, "amount": "100000000"}, "amount_too_large"),
        ("payment_intents", {**CHARGE, "currency": "xyz"}, None),
        ("payment_intents", {**CHARGE, "confirm": "no"}, None),
        ("payment_intents", {**CHARGE, "payment_method": "pm_none"}, "resource_missing"),
        ("payment_intents", {**CHARGE, "colour": "red"}, "parameter_unknown"),
        ("payment_intents", {**CHARGE, "expand[]": "nonsense"}, None),
        ("refunds", {}, "parameter_missing"),
        ("payouts", {"amount": "1", "currency": "usd", "method": "slow"}, None),
    ],
)
def test_what_is_refused_writes_nothing(client: Client, path: str, body: Json, code: str | None) -> None:
    assert error_of(client.post(path, body)).get("code") == code
    assert client.data("charges") == []


def test_addresses_that_take_no_writes(client: Client) -> None:
    for path in ("balance_transactions", "payouts/po_none", "account", "events", "charges"):
        error_of(client.post(path, {"metadata[a]": "b"}), 404)


def test_the_same_key_gives_the_same_answer(client: Client) -> None:
    first = client.post("payment_intents", CHARGE, key="order-1")
    again = client.post("payment_intents", dict(reversed(CHARGE.items())), key="order-1")
    assert again.json() == first.json()
    assert (first.headers.get("Idempotent-Replayed"), again.headers["Idempotent-Replayed"]) == (None, "true")
    assert len(client.data("charges")) == 1
    other = error_of(client.post("payment_intents", {**CHARGE, "amount": 1}, key="order-1"))
    assert other["type"] == "idempotency_error"
    error_of(client.post("payment_intents", CHARGE, key="k" * 256))
    client.stripe.clock.advance(DAY)
    assert client.post("payment_intents", CHARGE, key="order-1").json()["id"] != first.json()["id"], "a day later"


def test_a_refusal_is_kept_only_when_it_was_tried(client: Client) -> None:
    declined = {**CHARGE, "payment_method": "pm_card_chargeDeclined"}
    first = error_of(client.post("payment_intents", declined, key="declined"), 402)
    assert error_of(client.post("payment_intents", declined, key="declined"), 402)["charge"] == first["charge"]
    error_of(client.post("payment_intents", {"amount": 1}, key="wrong"))
    assert client.post("payment_intents", CHARGE, key="wrong").status_code == 200


def test_a_lost_answer_is_told_again(client: Client) -> None:
    client.stripe.server.fail_next("/v1/payment_intents", VendorFault.LOST, method="POST")
    with pytest.raises(OSError, match=r"broken|Incomplete|closed|aborted"):
        client.post("payment_intents", CHARGE, key="lost")
    answer = client.post("payment_intents", CHARGE, key="lost")
    assert answer.headers["Idempotent-Replayed"] == "true"
    assert len(client.data("charges")) == 1


def test_nothing_is_written_before_what_was_written(client: Client) -> None:
    client.got("balance")
    client.stripe.clock.set(AT - DAY)
    error_of(client.post("payment_intents", CHARGE), 409)
    client.stripe.clock.set(AT)
