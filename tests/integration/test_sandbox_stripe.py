"""The sandbox Stripe over HTTP: keys, accounts, versions, refusals, limits, faults."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from kolleno_pipelines.sandbox.stripe.access import READ_ALL, published_limits
from kolleno_pipelines.sandbox.stripe.ledger import Terms
from kolleno_pipelines.sandbox.stripe.objects import API_VERSION
from kolleno_pipelines.sandbox.stripe.scenes import NOW, Case
from kolleno_pipelines.sandbox.stripe.server import SandboxStripe
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.vendor_server import VendorFault
from tests.stripe_book import ledger
from tests.stripe_client import Client, error_of, served_cases

PATHS = (
    *("account", "balance", "balance_transactions", "charges", "payment_intents", "refunds", "disputes"),
    *("payouts", "customers", "events"),
)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Client, dict[str, Case]]]:
    with served_cases() as client_and_cases:
        yield client_and_cases


@pytest.fixture
def client(served: tuple[Client, dict[str, Case]]) -> Client:
    return served[0]


@pytest.mark.parametrize("path", PATHS)
def test_every_address_answers_with_its_headers(client: Client, path: str) -> None:
    answer = client.ask(path)
    assert answer.status_code == 200
    assert answer.headers["Request-Id"].startswith("req_")
    assert answer.headers["Stripe-Version"] == API_VERSION
    assert answer.json()["object"] == (path if path in {"account", "balance"} else "list")
    assert client.ask(path).headers["Request-Id"] != answer.headers["Request-Id"]


def test_keys_as_bearer_and_as_basic_user(client: Client) -> None:
    url = f"{client.stripe.url}/v1/balance"
    assert requests.get(url, auth=(client.stripe.key, ""), timeout=10).status_code == 200
    missing = requests.get(url, timeout=10)
    assert error_of(missing, 401)["type"] == "invalid_request_error"
    assert missing.headers["WWW-Authenticate"].startswith("Basic")
    for garbled in ("Basic !", "Bearer", "Token abc", "Basic /w=="):
        error_of(requests.get(url, headers={"Authorization": garbled}, timeout=10), 401)
    wrong = error_of(requests.get(url, auth=("sk_test_0123456789abcdefghij", ""), timeout=10), 401)
    assert "ghij" in wrong["message"]
    assert "0123456789" not in wrong["message"], "a key is never shown whole"
    assert client.stripe.key.startswith("sk_test_")


def test_a_revoked_key_opens_nothing(client: Client) -> None:
    key = client.stripe.new_key().secret
    other = Client(client.stripe, key)
    assert other.ask("balance").status_code == 200
    client.stripe.revoke(key)
    error_of(other.ask("balance"), 401)
    other.session.close()


def test_a_restricted_key_may_do_what_it_names(client: Client) -> None:
    key = client.stripe.new_key(permissions={"charges": "read", "refunds": "write"})
    assert key.secret.startswith("rk_test_")
    assert key.secret not in repr(key)
    limited = Client(client.stripe, key.secret)
    assert limited.ask("charges").status_code == 200
    assert limited.ask("refunds").status_code == 200
    error = error_of(limited.ask("payouts"), 403)
    assert "rak_payout_read" in error["message"]
    assert limited.post("refunds", {"charge": "ch_none"}).status_code == 404
    error_of(limited.post("charges/ch_none", {"metadata[a]": "b"}), 403)
    limited.session.close()
    reader = Client(client.stripe, client.stripe.new_key(permissions=READ_ALL).secret)
    assert {reader.ask(path).status_code for path in PATHS} == {200}
    error_of(reader.post("refunds", {"charge": "ch_none"}), 403)
    reader.session.close()


def test_another_account_is_reached_by_its_header(served: tuple[Client, dict[str, Case]]) -> None:
    client, cases = served
    case = cases["manual"]
    headers = {"Stripe-Account": case.ledger.account_id}
    answer = client.ask("account", headers=headers)
    assert answer.json()["id"] == case.ledger.account_id
    assert answer.headers["Stripe-Account"] == case.ledger.account_id
    charge = case.ids["charge"]
    assert client.ask(f"charges/{charge}", headers=headers).status_code == 200
    assert error_of(client.ask(f"charges/{charge}"), 404)["code"] == "resource_missing"
    own = Client(client.stripe, client.stripe.new_key(case.ledger.account_id).secret)
    assert own.got("account")["id"] == case.ledger.account_id
    others = {"Stripe-Account": client.stripe.account_id}
    assert error_of(own.ask("account", headers=others), 403)["code"] == "account_invalid"
    own.session.close()


def test_one_version_is_spoken(client: Client) -> None:
    assert client.ask("balance", headers={"Stripe-Version": API_VERSION}).status_code == 200
    error_of(client.ask("balance", headers={"Stripe-Version": "2020-08-27"}))


@pytest.mark.parametrize(
    ("path", "params", "code", "param"),
    [
        ("charges", {"colour": "red"}, "parameter_unknown", "colour"),
        ("charges", {"created[after]": "1"}, "parameter_unknown", "created[after]"),
        ("balance_transactions", {"status": "available"}, "parameter_unknown", "status"),
        ("charges", {"limit": "many"}, "parameter_invalid_integer", "limit"),
        ("charges", {"limit": "0"}, "parameter_invalid_integer", "limit"),
        ("charges", {"limit": "101"}, "parameter_invalid_integer", "limit"),
        ("charges", {"created[gte]": "2026-02-02"}, "parameter_invalid_integer", "created[gte]"),
        ("charges", {"created": "99999999999999"}, "parameter_invalid_integer", "created"),
        ("charges", {"created": "9" * 5000}, "parameter_invalid_integer", "created"),
        ("charges", {"created[gte][lt]": "1"}, "parameter_invalid_integer", "created[gte]"),
        ("charges", {"limit[a]": "1"}, "parameter_invalid_integer", "limit"),
        ("events", {"types": "payout.paid"}, None, "types"),
        ("events", {"types[]": ["payout.paid"] * 21}, None, "types"),
        ("events", {"delivery_success": "perhaps"}, None, "delivery_success"),
        ("charges", {"customer": "x", "customer[id]": "y"}, None, "customer"),
        ("charges", {"customer": ""}, "parameter_invalid_empty", "customer"),
        ("charges", {"starting_after": "ch_none"}, "resource_missing", "starting_after"),
        ("charges", {"starting_after": "po_none"}, "resource_missing", "starting_after"),
        ("balance_transactions", {"payout": "po_none"}, "resource_missing", "payout"),
        ("payouts", {"status": "sent"}, None, "status"),
        ("charges", {"expand": "data.customer"}, None, "expand"),
    ],
)
def test_wrong_parameters(client: Client, path: str, params: dict[str, object], code: str | None, param: str) -> None:
    error = error_of(client.ask(path, params=params))
    assert (error["type"], error.get("code"), error["param"]) == ("invalid_request_error", code, param)


def test_nothing_is_there(client: Client) -> None:
    for path in ("charges/ch_none", "payouts/ch_none", "events/evt_none", "customers/cus_none"):
        error = error_of(client.ask(path), 404)
        assert (error["code"], error["param"]) == ("resource_missing", "id")
    for path in ("invoices", "charges/ch_none/capture", "balance/history"):
        assert "Unrecognized request URL" in error_of(client.ask(path), 404)["message"]
    assert requests.delete(f"{client.stripe.url}/v1/customers/x", auth=(client.stripe.key, ""), timeout=10).ok is False


def test_the_limits_of_an_endpoint_and_of_an_account() -> None:
    with served_cases(limits=published_limits(factor=0.001)) as (client, _):
        answers = [client.ask("charges") for _ in range(26)]
        assert [each.status_code for each in answers] == [200] * 25 + [429]
        error = error_of(answers[-1], 429)
        assert (error["code"], error["type"]) == ("rate_limit", "invalid_request_error")
        assert answers[-1].headers["Stripe-Rate-Limited-Reason"] == "endpoint-rate"
        assert client.ask("balance").headers["Stripe-Rate-Limited-Reason"] == "global-rate"
    with served_cases(limits=published_limits(livemode=True, factor=0.001)) as (client, cases):
        ids = [case.ids["charge"] for case in cases.values() if "charge" in case.ids]
        statuses = [client.ask(f"charges/{ids[number % len(ids)]}").status_code for number in range(26)]
        assert statuses[-1] == 429, "whatever the id"
        assert client.ask("balance").status_code == 200
        assert client.ask("charges").status_code == 200, "a list is another endpoint"


def test_a_live_account_has_live_keys_and_more_requests() -> None:
    with SandboxStripe(ledger(Terms(livemode=True)), mark="canary", clock=VendorClock(NOW)) as stripe:
        assert stripe.key.startswith("sk_live_canary")
        assert stripe.new_key(permissions=READ_ALL).secret.startswith("rk_live_canary")
        client = Client(stripe)
        assert {client.got(path)["livemode"] for path in ["balance"] * 20} == {True}
        assert stripe.limits.account.windows[0].requests == 100
        client.session.close()


def test_faults_come_in_stripes_own_words(client: Client) -> None:
    server = client.stripe.server
    for status, told in ((429, "rate_limit"), (409, "lock_timeout"), (500, None), (401, None), (403, None)):
        server.fail_next("/v1/balance", status)
        assert error_of(client.ask("balance"), status).get("code") == told
    server.fail_next("/v1/balance", VendorFault.CUT)
    with pytest.raises(requests.RequestException):
        client.ask("balance")
    assert client.ask("balance").status_code == 200
