"""OAuth tokens: signed in, kept encrypted, renewed by one process at a time, not lost by a kill or a lost answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from cryptography.fernet import Fernet

from kolleno_pipelines.connectors.auth import Authoriser
from kolleno_pipelines.connectors.errors import NeedsHuman, Retryable
from kolleno_pipelines.connectors.exchange import Timeouts
from kolleno_pipelines.storage.tokens import StoredTokens, rotate_keys, token_states
from tests.canaries import CANARIES, CANARY
from tests.small_vendor import SmallVendor
from tests.token_site import KEY, NAME, OTHER_KEY, app_of, store, tokens_of, vendor, watched_keys

__all__ = ["store", "vendor", "watched_keys"]


ROOT = Path(__file__).parents[2]


# A process that asks for the header, as a connector's client does.
_ASKER = """
import sys
from tests.integration.test_tokens import app_of, NAME
from kolleno_pipelines.connectors.auth import Authoriser
from kolleno_pipelines.storage.tokens import StoredTokens
database, url, key = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
header = Authoriser(NAME, app_of(url), StoredTokens(database, NAME, [key]))(None)
print(len(header), end="")
"""


def _state(database: str) -> tuple[str, str | None]:
    with psycopg.connect(database) as conn:
        state = token_states(conn)[NAME]
    return state.state, state.reason


def test_a_token_is_used_until_shortly_before_its_end(database: str, vendor: SmallVendor, store: StoredTokens) -> None:
    now = datetime.now(UTC)
    store.save(tokens_of(vendor, timedelta(minutes=30)), {})
    header = Authoriser(NAME, app_of(vendor.url), store, now=lambda: now)
    first = header(None)
    assert first == f"Bearer {vendor.access}"
    now += timedelta(minutes=27)
    assert header(None) == first
    assert vendor.token_requests == []
    now += timedelta(minutes=2)
    assert header(None) == f"Bearer {vendor.access}" != first
    assert len(vendor.token_requests) == 1
    kept = StoredTokens(database, NAME, [KEY]).read()
    assert (kept.access_token, kept.refresh_token) == (vendor.access, vendor.refresh)
    assert kept.expires_at - now == pytest.approx(timedelta(hours=1), abs=timedelta(seconds=5))
    assert kept.refresh_expires_at is not None
    assert kept.refresh_expires_at - now == pytest.approx(timedelta(days=101), abs=timedelta(seconds=5))


def test_the_end_of_a_sign_in_stays_when_tokens_are_renewed(database: str, vendor: SmallVendor) -> None:
    ends, store = datetime(2031, 3, 1, tzinfo=UTC), StoredTokens(database, NAME, [KEY])
    app = replace(app_of(vendor.url), sign_in_lifetime=timedelta(days=1))
    store.save(replace(tokens_of(vendor), sign_in_ends_at=ends), {})
    Authoriser(NAME, app, store)(None)
    assert len(vendor.token_requests) == 1
    assert store.read().sign_in_ends_at == ends
    with psycopg.connect(database) as conn:
        assert token_states(conn)[NAME].sign_in_ends_at == ends


def test_a_rejected_token_is_renewed_once_for_all_who_used_it(vendor: SmallVendor, store: StoredTokens) -> None:
    store.save(tokens_of(vendor, timedelta(minutes=30)), {})
    headers = [Authoriser(NAME, app_of(vendor.url), store) for _ in range(4)]
    rejected = {header(None) for header in headers}
    assert len(rejected) == 1
    with ThreadPoolExecutor(4) as threads:
        anew = set(threads.map(lambda header: header(next(iter(rejected))), headers))
    assert anew == {f"Bearer {vendor.access}"}
    assert len(vendor.token_requests) == 1


def test_two_processes_at_once_refresh_once(database: str, vendor: SmallVendor, store: StoredTokens) -> None:
    vendor.token_delays = [0.5]
    askers = [_ask(database, vendor.url) for _ in range(3)]
    for asker in askers:
        assert asker.stdout is not None
        assert asker.stdout.readline() == "ready\n"
    for asker in askers:
        assert asker.stdin is not None
        asker.stdin.write("go\n")
        asker.stdin.flush()
    _wait_for(lambda: _waiting_for_the_row(database) == 2)
    ends = [asker.communicate(timeout=60)[0] for asker in askers]
    assert [asker.returncode for asker in askers] == [0, 0, 0]
    assert set(ends) == {str(len(f"Bearer {vendor.access}"))}
    assert len(vendor.token_requests) == 1
    assert store.read().refresh_token == vendor.refresh


def _waiting_for_the_row(database: str) -> int:
    with psycopg.connect(database) as conn:
        row = conn.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'kolleno tokens'"
            " AND wait_event_type = 'Lock' AND datname = current_database()"
        ).fetchone()
    return row[0] if row else 0


def _ask(database: str, url: str, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _ASKER, database, url, KEY],
        cwd=ROOT,
        env={**os.environ, **more},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_kill_between_answer_and_save_keeps_the_connection(
    database: str, vendor: SmallVendor, store: StoredTokens, tmp_path: Path
) -> None:
    vendor.grace = 1800.0
    mark = tmp_path / "mark"
    killed = _ask(database, vendor.url, KOLLENO_FAILPOINT="tokens_answered", KOLLENO_FAILPOINT_MARK=str(mark))
    killed.communicate("go\n", timeout=60)
    assert (killed.returncode, mark.read_text()) == (-signal.SIGKILL, "tokens_answered")
    lost = vendor.refresh
    assert store.read().refresh_token != lost
    assert Authoriser(NAME, app_of(vendor.url), store)(None) == f"Bearer {vendor.access}"
    assert len(vendor.token_requests) == 2
    assert {asked["refresh_token"] == lost for asked in vendor.token_requests} == {False}
    assert store.read().refresh_token == vendor.refresh != lost
    assert _state(database) == ("connected", None)


def test_a_killed_refresher_lets_its_lock_go(database: str, vendor: SmallVendor, store: StoredTokens) -> None:
    vendor.grace, vendor.token_delays = 1800.0, [3.0]
    killed = _ask(database, vendor.url)
    assert killed.stdin is not None
    killed.stdin.write("go\n")
    killed.stdin.flush()
    _wait_for(lambda: len(vendor.token_requests) == 1)
    second = threading.Thread(target=lambda: Authoriser(NAME, app_of(vendor.url), store)(None))
    second.start()
    time.sleep(0.2)
    assert len(vendor.token_requests) == 1  # it waits for the lock
    killed.kill()
    began = time.monotonic()
    second.join(20)
    killed.communicate(timeout=20)
    assert time.monotonic() - began < 2
    assert len(vendor.token_requests) == 2
    assert store.read().refresh_token == vendor.refresh


def _wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_lost_answer_is_asked_for_again_where_the_vendor_gives_grace(
    database: str, vendor: SmallVendor, store: StoredTokens
) -> None:
    vendor.grace, vendor.token_delays = 1800.0, [0.6]
    slept: list[float] = []
    header = Authoriser(NAME, app_of(vendor.url), store, sleep=slept.append, timeouts=Timeouts(read=0.2))
    assert header(None) == f"Bearer {vendor.access}"
    assert len(vendor.token_requests) == 2
    assert len({asked["refresh_token"] for asked in vendor.token_requests}) == 1
    assert len(slept) == 1
    assert store.read().refresh_token == vendor.refresh


def test_without_grace_a_lost_answer_is_told_and_the_old_token_kept(
    database: str, vendor: SmallVendor, store: StoredTokens
) -> None:
    vendor.token_delays = [0.6]
    before = store.read()
    app = app_of(vendor.url, grace=None)
    with pytest.raises(Retryable, match=r"/token gave no tokens \(ReadTimeout\)") as refusal:
        Authoriser(NAME, app, store, timeouts=Timeouts(read=0.2))(None)
    assert refusal.value.__context__ is None
    assert store.read() == before
    assert len(vendor.token_requests) == 1


def test_a_dead_refresh_token_asks_for_a_person(database: str, vendor: SmallVendor, store: StoredTokens) -> None:
    vendor.rotate()  # somebody else used it
    header = Authoriser(NAME, app_of(vendor.url), store)
    for _ in range(2):
        with pytest.raises(NeedsHuman, match=rf"run kolleno connections login {NAME}") as refusal:
            header(None)
        assert CANARY not in repr(refusal.value)
    assert len(vendor.token_requests) == 1  # a state, not asked again each time
    assert _state(database) == ("needs_reauth", "the vendor takes the refresh token no more (invalid_grant)")
    store.save(tokens_of(vendor, timedelta(hours=1)), {})
    assert _state(database) == ("connected", None)
    assert header(None) == f"Bearer {vendor.access}"


def test_a_wrong_app_secret_is_no_reason_to_sign_in_again(
    database: str, vendor: SmallVendor, store: StoredTokens
) -> None:
    app = replace(app_of(vendor.url), client_secret=lambda: f"{CANARY}-wrong")
    with pytest.raises(NeedsHuman, match=r"refused to give tokens \(invalid_client\); check the client id") as refusal:
        Authoriser(NAME, app, store)(None)
    assert CANARY not in repr(refusal.value)
    assert _state(database) == ("connected", None)


def test_nobody_signed_in(database: str, vendor: SmallVendor) -> None:
    with pytest.raises(NeedsHuman, match="Nobody has signed in yet: run kolleno connections login fresh"):
        Authoriser("fresh", app_of(vendor.url), StoredTokens(database, "fresh", [KEY]))(None)


def test_keys_are_changed_without_a_sign_in(database: str, vendor: SmallVendor, store: StoredTokens) -> None:
    before = store.read()
    both, new = (StoredTokens(database, NAME, keys) for keys in ([OTHER_KEY, KEY], [OTHER_KEY]))
    assert both.read() == before
    with pytest.raises(NeedsHuman, match="cannot be decrypted with KOLLENO_SECRET_KEY"):
        new.read()
    with psycopg.connect(database) as conn:
        with pytest.raises(NeedsHuman, match=f"{NAME}: None of the keys"):
            rotate_keys(conn, [OTHER_KEY])
        assert rotate_keys(conn, [OTHER_KEY, KEY]) == 1
    assert new.read() == before
    with pytest.raises(NeedsHuman, match="cannot be decrypted"):
        store.read()


def test_a_row_of_another_connection_opens_nothing(database: str, store: StoredTokens) -> None:
    with psycopg.connect(database) as conn:
        conn.execute("UPDATE raw.oauth_tokens SET connection = 'stolen'")
    with pytest.raises(NeedsHuman, match="cannot be decrypted"):
        StoredTokens(database, "stolen", [KEY]).read()


def test_tokens_lie_encrypted_and_show_themselves_nowhere(
    database: str, vendor: SmallVendor, store: StoredTokens
) -> None:
    assert list(CANARIES.in_database(database)) == []
    app = app_of(vendor.url)
    shown = [store, store.read(), app, Authoriser(NAME, app, store)]
    assert CANARY not in repr(shown)
    with psycopg.connect(database) as conn:
        row = conn.execute("SELECT sealed FROM raw.oauth_tokens").fetchone()
    assert row is not None
    assert CANARY in Fernet(KEY).decrypt(row[0]).decode()  # the test can tell the difference
