"""`kolleno connections` and what it says of drop folders, sign-ins and keys. No vendor is asked here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from cryptography.fernet import Fernet

from kolleno_pipelines.schemas.tokens import Tokens
from kolleno_pipelines.storage.tokens import StoredTokens
from tests.canaries import CANARIES, CANARY
from tests.command_line import Site, make_site

KEYS = [Fernet.generate_key().decode() for _ in range(2)]


@pytest.fixture
def site(database: str, tmp_path: Path) -> Site:
    CANARIES.watch(*KEYS)
    return make_site(tmp_path / "site", database)


def test_each_connection_is_listed_with_its_state(site: Site, database: str) -> None:
    (state,) = site.data("connections")["connections"]
    assert (state["name"], state["system"], state["role"], state["state"]) == (
        "sftp",
        "sftp",
        "ledger",
        "not_looked_at",
    )
    site.run("ingest")
    assert site.data("connections")["connections"][0]["state"] == "connected"
    site.drop.parent.rename(site.folder / "elsewhere")
    site.run("ingest", code=2)
    shown = site.run("connections", code=1)
    assert "cannot_list" in shown.stdout
    assert shown.stderr.startswith("sftp: ")
    with psycopg.connect(database) as conn:
        conn.execute("UPDATE raw.looks SET error = NULL")
    _sign_in(database, "sftp")
    (state,) = site.data("connections")["connections"]
    assert (state["state"], state["account"], state["reason"]) == ("connected", {}, None)
    assert datetime.now(UTC) - datetime.fromisoformat(state["last_success"]) < timedelta(minutes=1)
    with psycopg.connect(database) as conn:
        conn.execute("UPDATE raw.oauth_tokens SET state = 'needs_reauth', state_reason = 'gone'")
    assert site.run("connections", code=1).stderr == "sftp: gone.\n"


def _sign_in(database: str, name: str) -> None:
    tokens = Tokens(f"{CANARY}-access", f"{CANARY}-refresh", datetime.now(UTC))
    StoredTokens(database, name, KEYS[:1]).save(tokens, {})


def test_sign_in_says_what_is_missing(site: Site) -> None:
    assert "There is no connection bank in" in site.refusal("connections", "login", "bank")
    assert "sftp of sftp needs no sign-in" in site.refusal("connections", "login", "sftp", "--no-browser")


def test_keys_are_changed_by_a_command(site: Site, database: str) -> None:
    assert "openssl rand" in site.refusal("connections", "rotate-key")
    _sign_in(database, "books_us")
    told = site.refusal("connections", "rotate-key", KOLLENO_SECRET_KEY=KEYS[1])
    assert "books_us: None of the keys in KOLLENO_SECRET_KEY opens its tokens" in told
    done = site.run("connections", "rotate-key", KOLLENO_SECRET_KEY=f"{KEYS[1]},{KEYS[0]}")
    assert "sign-ins of 1 connections" in done.stderr
    assert StoredTokens(database, "books_us", KEYS[1:]).read().access_token.startswith(CANARY)
