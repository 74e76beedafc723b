"""A person signs a connection in: the redirect, another state, a sign-in that does not come about, a pasted address."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import requests
from pydantic import SecretStr

from kolleno_pipelines.connections import Connection, ConnectionsError
from kolleno_pipelines.connectors.auth import Authoriser, OAuthApp
from kolleno_pipelines.connectors.errors import NeedsHuman
from kolleno_pipelines.pipeline.connection_states import connection_states
from kolleno_pipelines.pipeline.redirects import local_redirects
from kolleno_pipelines.pipeline.sign_in import APPS, Person, sign_in, sign_in_connection
from kolleno_pipelines.settings import Settings, SettingsError
from kolleno_pipelines.storage.tokens import StoredTokens
from tests.small_vendor import CLIENT_SECRET, SmallVendor
from tests.token_site import KEY, NAME, app_of, store, tokens_of, vendor, watched_keys

__all__ = ["store", "vendor", "watched_keys"]


def test_a_connection_stays_with_its_company(store: StoredTokens, vendor: SmallVendor) -> None:
    store.note_account({"tenantId": "t-1"})
    assert store.account() == {"realmId": "4620816365", "tenantId": "t-1"}
    with pytest.raises(NeedsHuman, match="belongs to realmId 4620816365, and the sign-in was for 99"):
        store.save(tokens_of(vendor), {"realmId": "99"})
    with pytest.raises(NeedsHuman, match="belongs to tenantId t-1"):
        store.note_account({"tenantId": "t-2"})
    store.save(tokens_of(vendor), {"realmId": "4620816365"})
    assert store.account() == {"realmId": "4620816365", "tenantId": "t-1"}


class Visitor:
    """A person whose browser follows the page that is shown, or does what a test says with its address."""

    def __init__(self, visit: Callable[[str], object] | None = None) -> None:
        self.told: list[str] = []
        self._visit = visit or (lambda url: requests.get(url, timeout=10))
        self._threads: list[threading.Thread] = []

    def open(self, url: str) -> bool:
        self._threads.append(threading.Thread(target=self._visit, args=(url,)))
        self._threads[-1].start()
        return True

    def person(self) -> Person:
        return Person(self.told.append, self.open)

    def gone(self) -> None:
        for thread in self._threads:
            thread.join(10)


def test_a_connection_of_the_file_is_signed_in(
    database: str, settings: Settings, vendor: SmallVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.connections.write_text("connections:\n  drop: {system: sftp, location: 'file:///nowhere'}\n")
    visitor = Visitor()

    def app(connection: Connection, resolve: Callable[[str], str]) -> OAuthApp:
        assert connection.name == "drop"
        return replace(app_of(vendor.url), client_secret=lambda: resolve("${THE_APP_SECRET}"))

    monkeypatch.setitem(APPS, "sftp", app)
    with pytest.raises(ConnectionsError, match="THE_APP_SECRET"):
        sign_in_connection("drop", visitor.person(), settings=settings)
    monkeypatch.setenv("THE_APP_SECRET", CLIENT_SECRET)
    with pytest.raises(SettingsError, match="KOLLENO_SECRET_KEY is not set"):
        sign_in_connection("drop", visitor.person(), settings=settings)
    assert visitor.told == []  # nobody is sent to the vendor in vain
    assert [state.state for state in connection_states(settings)] == ["needs_reauth"]
    keyed = settings.model_copy(update={"secret_key": SecretStr(KEY)})
    sign_in_connection("drop", visitor.person(), timeout=20, settings=keyed)
    visitor.gone()
    (state,) = connection_states(settings)
    assert (state.state, state.account) == ("connected", {"realmId": "4620816365"})
    assert state.signed_in_at is not None
    assert state.refresh_expires_at is not None
    assert state.sign_in_ends_at is None, "this vendor has no such end"


@pytest.mark.parametrize("pkce", [True, False])
def test_a_person_signs_in(database: str, vendor: SmallVendor, pkce: bool) -> None:
    kept, visitor = StoredTokens(database, NAME, [KEY]), Visitor()
    app = replace(app_of(vendor.url), uses_pkce=pkce, sign_in_lifetime=timedelta(days=1825))
    signed_in = sign_in(NAME, app, kept, visitor.person(), timeout=20)
    visitor.gone()
    assert signed_in.sign_in_ends_at == kept.read().sign_in_ends_at
    assert signed_in.sign_in_ends_at is not None
    assert signed_in.sign_in_ends_at - datetime.now(UTC) == pytest.approx(
        timedelta(days=1825), abs=timedelta(minutes=1)
    )
    assert signed_in.account == {"realmId": "4620816365"} == kept.account()
    assert Authoriser(NAME, app_of(vendor.url), kept)(None) == f"Bearer {vendor.access}"
    assert vendor.token_requests[0]["grant_type"] == "authorization_code"
    assert ("code_verifier" in vendor.token_requests[0]) == pkce
    assert "scope=accounting+offline_access" in visitor.told[0]
    assert "redirect_uri=http%3A%2F%2Flocalhost%3A" in visitor.told[0]


def test_a_redirect_with_another_state_is_turned_away(database: str, vendor: SmallVendor) -> None:
    answers: list[int] = []

    def visit(url: str) -> None:
        at_vendor = requests.get(url, timeout=10, allow_redirects=False)
        back = at_vendor.headers["Location"]
        answers.append(requests.get(back.replace("state=", "state=x"), timeout=10).status_code)
        answers.append(requests.get(back.split("?")[0].replace("/callback", "/"), timeout=10).status_code)
        answers.append(requests.get(back, timeout=10, headers={"Host": "evil.example:80"}).status_code)
        answers.append(requests.get(back, timeout=10).status_code)

    kept, visitor = StoredTokens(database, NAME, [KEY]), Visitor(visit)
    sign_in(NAME, app_of(vendor.url), kept, visitor.person(), timeout=20)
    visitor.gone()
    assert answers == [400, 404, 400, 200]


def test_a_sign_in_that_does_not_come_about_keeps_nothing(database: str, vendor: SmallVendor) -> None:
    kept = StoredTokens(database, NAME, [KEY])

    def deny(url: str) -> None:
        back = requests.get(url, timeout=10, allow_redirects=False).headers["Location"]
        requests.get(back.replace("code=", "error=access_denied&c="), timeout=10)

    visitor = Visitor(deny)
    with pytest.raises(NeedsHuman, match=r"gave no consent \(access_denied\)"):
        sign_in(NAME, app_of(vendor.url), kept, visitor.person(), timeout=20)
    visitor.gone()
    with pytest.raises(NeedsHuman, match=r"Nobody came back from the vendor's page within 0\.2 s"):
        sign_in(NAME, app_of(vendor.url), kept, Person(visitor.told.append), timeout=0.2)
    with local_redirects((0,)) as taken:
        port = int(taken.uri.split(":")[2].split("/")[0])
        app = replace(app_of(vendor.url), redirect_ports=(port,))
        with pytest.raises(NeedsHuman, match=f"None of the ports {port} of this machine is free"):
            sign_in(NAME, app, kept, Person(visitor.told.append), timeout=0.2)
    assert kept.account() == {}
    with pytest.raises(NeedsHuman, match="Nobody has signed in yet"):
        kept.read()


def test_a_person_elsewhere_pastes_the_address(database: str, vendor: SmallVendor) -> None:
    kept, told = StoredTokens(database, NAME, [KEY]), list[str]()
    app = replace(app_of(vendor.url), redirect_uri="https://acme.example/back")

    def asks(_: str) -> str:
        url = told[-1].splitlines()[-1]
        return requests.get(url, timeout=10, allow_redirects=False).headers["Location"]

    with pytest.raises(NeedsHuman, match="sign in with --paste"):
        sign_in(NAME, app, kept, Person(told.append))
    with pytest.raises(NeedsHuman, match="its state differs"):
        sign_in(NAME, app, kept, Person(told.append, asks=lambda _: "https://acme.example/back?code=1&state=2"))
    assert sign_in(NAME, app, kept, Person(told.append, asks=asks)).account == {"realmId": "4620816365"}
