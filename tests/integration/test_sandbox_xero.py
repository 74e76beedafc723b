"""The sandbox Xero over HTTP: tokens, tenants, scopes, limits, faults."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import requests

from kolleno_pipelines.sandbox.vendor_server import VendorFault
from kolleno_pipelines.sandbox.xero.access import GRANULAR_SCOPES, READ_SCOPES, published_limits
from kolleno_pipelines.sandbox.xero.cases import Case
from kolleno_pipelines.sandbox.xero.server import SandboxXero
from tests.xero_client import Client, served_cases

APP_SECRET = "sandbox-secret"


@pytest.fixture
def served() -> Iterator[tuple[Client, dict[str, Case]]]:
    with served_cases() as client_and_cases:
        yield client_and_cases


@pytest.fixture
def client(served: tuple[Client, dict[str, Case]]) -> Client:
    return served[0]


@pytest.fixture
def xero(client: Client) -> SandboxXero:
    return client.xero


def test_a_tenant_is_found_by_the_connections_of_a_token(client: Client, xero: SandboxXero) -> None:
    headers = {"xero-tenant-id": None}
    answer = client.session.get(f"{xero.url}/connections", headers=headers, timeout=10)  # type: ignore[arg-type]
    assert [each["tenantId"] for each in answer.json()] == [xero.tenant_id]
    assert requests.get(f"{xero.url}/connections", timeout=10).status_code == 401
    for tenant in (None, "another"):
        refused = client.ask("Organisation", headers={"xero-tenant-id": tenant})
        assert (refused.status_code, refused.json()["Title"]) == (403, "Forbidden")
    assert client.records("Organisation")[0]["BaseCurrency"] == "USD"


def test_without_accept_json_the_vendor_would_answer_xml(client: Client) -> None:
    for wanted in ("*/*", "application/xml"):
        answer = client.ask("Organisation", headers={"Accept": wanted})
        assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (406, "text/plain")


def test_scopes_are_granular(xero: SandboxXero) -> None:
    reader = Client(xero, "accounting.invoices.read accounting.contacts.read")
    old = Client(xero, "accounting.transactions.read")
    answers = {path: reader.ask(path).status_code for path in ("Invoices", "CreditNotes", "Contacts", "ContactGroups")}
    assert set(answers.values()) == {200}
    for path in ("Payments", "Overpayments", "Prepayments", "BatchPayments", "Accounts", "Organisation"):
        assert reader.ask(path).status_code == 403, path
    assert reader.ask("Payments", "PUT", body={}).status_code == 403
    assert {old.ask(path).status_code for path in ("Invoices", "Payments")} == {200}
    assert {old.ask(path).status_code for path in ("Contacts", "Accounts")} == {403}
    looker = Client(xero, READ_SCOPES.replace("accounting.attachments.read", ""))
    invoice = looker.records("Invoices")[0]["InvoiceID"]
    assert looker.ask(f"Invoices/{invoice}/History").status_code == 200
    assert looker.ask(f"Invoices/{invoice}/Attachments").status_code == 403
    assert looker.ask("Payments").status_code == 200
    assert looker.ask("Payments", "PUT", body={}).status_code == 403, "reading is not writing"
    for each in (reader, old, looker):
        each.session.close()


def test_refused_access_comes_in_three_forms(client: Client, xero: SandboxXero) -> None:
    xero.tokens.expire_access()
    told = client.ask("Invoices").json()
    assert (told["Title"], told["Detail"]) == ("Unauthorized", "AuthenticationUnsuccessful")
    xero.api.error_form = "text"
    assert "access token" in client.ask("Invoices").text
    xero.api.error_form = "query"
    assert client.ask("Invoices").text.startswith("oauth_problem=token_expired")
    assert client.ask("Invoices").status_code == 401


def _refreshed(xero: SandboxXero, token: object, secret: str = APP_SECRET) -> requests.Response:
    form = {"grant_type": "refresh_token", "refresh_token": str(token)}
    return requests.post(xero.token_url, data=form, auth=("sandbox-xero", secret), timeout=10)


def test_tokens_live_and_rotate_as_published(xero: SandboxXero) -> None:
    first = xero.sign_in()
    assert first["expires_in"] == 1800
    second = _refreshed(xero, first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert second["scope"] == READ_SCOPES
    xero.clock.advance(timedelta(minutes=29))
    assert _refreshed(xero, first["refresh_token"]).status_code == 200, "the reply may have been lost"
    bearer = {"Authorization": f"Bearer {second['access_token']}"}
    assert requests.get(f"{xero.url}/connections", headers=bearer, timeout=10).status_code == 200
    xero.clock.advance(timedelta(minutes=2))
    assert requests.get(f"{xero.url}/connections", headers=bearer, timeout=10).status_code == 401
    late = _refreshed(xero, first["refresh_token"])
    assert (late.status_code, late.json()) == (400, {"error": "invalid_grant"})
    assert _refreshed(xero, second["refresh_token"], "wrong").status_code == 400
    xero.clock.advance(timedelta(days=61))
    assert _refreshed(xero, second["refresh_token"]).json() == {"error": "invalid_grant"}


def test_an_app_of_today_cannot_ask_for_the_broad_scope() -> None:
    with served_cases(allowed_scopes=GRANULAR_SCOPES) as (client, _):
        xero = client.xero
        asked = {"client_id": "sandbox-xero", "response_type": "code", "redirect_uri": "http://127.0.0.1:9/back"}
        for scope, part in ((READ_SCOPES, "code="), ("accounting.transactions", "error=invalid_scope")):
            query = asked | {"scope": scope, "state": "s"}
            answer = requests.get(xero.authorize_url, params=query, allow_redirects=False, timeout=10)
            assert part in answer.headers["location"]


# Limits and faults


def test_what_is_left_of_the_limits_is_told_on_every_reply(client: Client) -> None:
    ask = [client.ask("Organisation"), client.ask("Nothing"), client.ask("Invoices", page=0)]
    names = ("X-DayLimit-Remaining", "X-MinLimit-Remaining", "X-AppMinLimit-Remaining")
    assert [tuple(int(each.headers[name]) for name in names) for each in ask] == [
        (4999, 59, 9999),
        (4998, 58, 9998),
        (4997, 57, 9997),
    ]


def test_the_limits_are_told_apart(client: Client, xero: SandboxXero) -> None:
    for window in ("minute", "day", "appminute"):
        xero.limits.use_up(xero.tenant_id, window, left=1)
        assert client.ask("Organisation").status_code == 200
        refused = client.ask("Organisation")
        assert (refused.status_code, refused.headers["X-Rate-Limit-Problem"]) == (429, window)
        most = {"day": 86_400}.get(window, 60)
        assert most - 30 < int(refused.headers["Retry-After"]) <= most
        xero.limits.use_up(xero.tenant_id, window, left=50)
    xero.api.work_seconds = 0.5
    answers: list[requests.Response] = []
    threads = [threading.Thread(target=lambda: answers.append(_alone(xero))) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    refused_at_once = [each for each in answers if each.status_code == 429]
    assert {each.headers["X-Rate-Limit-Problem"] for each in refused_at_once} == {"concurrent"}
    assert xero.limits.most_at_once == 5
    assert len(answers) == 8


def _alone(xero: SandboxXero) -> requests.Response:
    client = Client(xero, READ_SCOPES)
    try:
        return client.ask("Organisation")
    finally:
        client.session.close()


def test_a_factor_runs_the_published_minute_faster() -> None:
    limits = published_limits(600)
    with served_cases(limits=limits) as (client, _):
        limits.use_up(client.xero.tenant_id, "minute")
        assert client.ask("Organisation").status_code == 429
        give_up = datetime.now(UTC) + timedelta(seconds=5)
        while client.ask("Organisation").status_code == 429 and datetime.now(UTC) < give_up:
            pass
        assert client.ask("Organisation").status_code == 200


def test_faults_have_the_vendors_bodies(client: Client, xero: SandboxXero) -> None:
    for status, part in ((503, "oauth_problem="), (500, "An error occurred"), (401, "Unauthorized"), (429, "")):
        xero.server.fail_next("/api.xro", status)
        answer = client.ask("Organisation")
        assert answer.status_code == status
        assert part in answer.text
    xero.server.fail_next("/api.xro", VendorFault.NOT_JSON)
    assert client.ask("Organisation").headers["content-type"].startswith("text/html")
    assert client.ask("Organisation").status_code == 200


def test_requests_are_counted_and_secrets_are_not_kept(client: Client, xero: SandboxXero) -> None:
    client.ask("Invoices", page=1)
    assert xero.server.count("/api.xro/2.0/Invoices") == 1
    assert "page=1" in xero.server.requests[0].query
