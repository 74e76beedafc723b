"""A connection that a key opens: read, counted, and how it stands when the key works and when it does not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kolleno_pipelines.assets.checks.api import reading_facts
from kolleno_pipelines.connections import ApiConnection
from kolleno_pipelines.connectors.contract import RecordSource
from kolleno_pipelines.connectors.errors import NeedsHuman
from kolleno_pipelines.connectors.keys import KeyAuthoriser
from kolleno_pipelines.connectors.quickbooks.client import QuickBooksSource, classify
from kolleno_pipelines.connectors.rate_limits import AccountLimits, LimitHeaders
from kolleno_pipelines.pipeline.api_delivery import deliver_from_vendor
from kolleno_pipelines.pipeline.api_facts import standing
from kolleno_pipelines.pipeline.connecting import describe_connections
from kolleno_pipelines.pipeline.connection_states import ConnectionState, connection_states
from kolleno_pipelines.pipeline.deployment import NotConfiguredError
from kolleno_pipelines.pipeline.opening import Opening
from kolleno_pipelines.pipeline.sign_in import Person, sign_in_connection
from kolleno_pipelines.pipeline.sources import APPS, SOURCES
from kolleno_pipelines.sandbox.quickbooks.app import SCOPE
from kolleno_pipelines.settings import Settings
from tests.api_sites import NAME, SECRET_VARIABLE, ApiSite, one_invoice, quickbooks_site

AT = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)


@pytest.fixture
def site(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiSite]:
    """The simulated vendor, opened with one token that lasts, as if it were a key; nobody has signed in."""
    with quickbooks_site(one_invoice(AT), settings, tmp_path / "site") as site:
        monkeypatch.setenv(SECRET_VARIABLE, str(site.vendor.tokens.issue(SCOPE)["access_token"]))

        def opens(opening: Opening) -> RecordSource:
            http = opening.http(
                site.vendor.book.realm_id,
                site.vendor.url,
                limits=AccountLimits(slots=2),
                limit_headers=LimitHeaders(),
                classify=classify,
                authorise=KeyAuthoriser(NAME, lambda: f"Bearer {opening.secret('client_secret')}"),
            )
            return QuickBooksSource(http, site.vendor.book.realm_id)

        monkeypatch.delitem(APPS, "quickbooks")
        monkeypatch.setitem(SOURCES, "quickbooks", opens)
        with site.deployment.transaction() as conn:
            conn.execute("DELETE FROM raw.oauth_tokens")
        site.settings = site.settings.model_copy(update={"secret_key": None})
        yield site


def connection_of(site: ApiSite) -> ApiConnection:
    connection = site.connections[NAME]
    assert isinstance(connection, ApiConnection)
    return connection


def state_of(site: ApiSite) -> ConnectionState:
    (state,) = connection_states(site.settings)
    return state


def test_it_is_read_and_counted_without_a_sign_in_or_a_secret_key(site: ApiSite) -> None:
    before = state_of(site)
    assert (before.state, before.sign_in) == ("not_looked_at", "opens with a key; nobody signs in")
    assert not before.is_asking
    done = deliver_from_vendor(site.deployment, connection_of(site))
    assert done.read is not None
    assert not done.read.failed
    assert len(site.receivables()["invoices"]) == 1
    state = state_of(site)
    assert (state.state, state.reason, state.signed_in_at, state.is_asking) == ("connected", None, None, False)
    assert state.last_success is not None
    assert state.usage is not None
    assert state.usage.requests == site.vendor.api_requests
    (tried,) = describe_connections(settings=site.settings)
    assert tried.error is None
    assert tried.facts[0] == "opens with a key; nobody signs in."
    assert tried.facts[1].startswith("answered: ")


def test_nobody_is_asked_to_sign_in(site: ApiSite) -> None:
    stands = standing(site.deployment, connection_of(site))
    assert (stands.sign_in, stands.opens, stands.ending) == (None, "opens with a key; nobody signs in", [])
    facts = {fact.name: fact for fact in reading_facts(site.deployment, connection_of(site))}
    assert (facts["signed_in"].holds, facts["signed_in"].words) == (True, "It opens with a key; nobody signs in.")
    assert facts["sign_in_lasts"].holds
    with pytest.raises(NotConfiguredError, match=f"{NAME} of quickbooks opens with a key; nobody signs in"):
        sign_in_connection(NAME, Person(lambda _: None), settings=site.settings)


def test_a_key_that_is_not_taken_needs_a_person(site: ApiSite) -> None:
    deliver_from_vendor(site.deployment, connection_of(site))
    site.vendor.tokens.expire_access()
    with pytest.raises(NeedsHuman, match="does not take the key"):
        deliver_from_vendor(site.deployment, connection_of(site))
    state = state_of(site)
    assert (state.state, state.is_asking) == ("cannot_read", True)
    assert "does not take the key" in str(state.reason)
    assert state.last_success is not None
    (tried,) = describe_connections(settings=site.settings)
    assert "does not take the key" in str(tried.error)


def test_a_secret_that_is_not_named_is_told(site: ApiSite) -> None:
    text = site.file.read_text(encoding="utf-8").splitlines(keepends=True)
    site.file.write_text("".join(line for line in text if "client_secret" not in line), encoding="utf-8")
    (tried,) = describe_connections(settings=site.settings)
    assert "client_secret is missing: write it in connections.yaml" in str(tried.error)
