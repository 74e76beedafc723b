"""What tests of tokens and of signing in share: a small vendor with a token page, the tokens of one connection."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet

from kolleno_pipelines.connectors.auth import OAuthApp, Tokens
from kolleno_pipelines.storage.tokens import StoredTokens
from tests.canaries import CANARIES
from tests.small_vendor import CLIENT_ID, CLIENT_SECRET, SmallVendor, small_vendor

KEY, OTHER_KEY = (Fernet.generate_key().decode() for _ in range(2))
NAME = "books_us"


def app_of(url: str, *, grace: timedelta | None = timedelta(minutes=30)) -> OAuthApp:
    return OAuthApp(
        authorise_url=f"{url}/authorize",
        token_url=f"{url}/token",
        client_id=CLIENT_ID,
        client_secret=lambda: CLIENT_SECRET,
        scopes=("accounting", "offline_access"),
        redirect_ports=(0,),
        kept_from_redirect=("realmId",),
        grace=grace,
    )


@pytest.fixture(autouse=True)
def watched_keys() -> None:
    CANARIES.watch(KEY, OTHER_KEY)


@pytest.fixture
def vendor() -> Iterator[SmallVendor]:
    with small_vendor() as served:
        served.rotate()
        yield served


@pytest.fixture
def store(database: str, vendor: SmallVendor) -> StoredTokens:
    """A connection that is signed in and whose access token ends now."""
    kept = StoredTokens(database, NAME, [KEY])
    kept.save(tokens_of(vendor), {"realmId": "4620816365"})
    return kept


def tokens_of(vendor: SmallVendor, lasts: timedelta = timedelta(0)) -> Tokens:
    return Tokens(vendor.access, vendor.refresh, datetime.now(UTC) + lasts, ("accounting",))
