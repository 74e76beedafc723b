"""OAuth tokens: signed in, kept encrypted, renewed by one process at a time, not lost by a kill or a lost answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import requests
from cryptography.fernet import Fernet
from pydantic import SecretStr

from kolleno_pipelines.connections import Connection, ConnectionsError
from kolleno_pipelines.connectors.auth import Authoriser, OAuthApp, Tokens
from kolleno_pipelines.connectors.errors import NeedsHuman, Retryable
from kolleno_pipelines.connectors.exchange import Timeouts
from kolleno_pipelines.pipeline.connection_states import connection_states
from kolleno_pipelines.pipeline.redirects import local_redirects
from kolleno_pipelines.pipeline.sign_in import APPS, Person, sign_in, sign_in_connection
from kolleno_pipelines.settings import Settings, SettingsError
from kolleno_pipelines.storage.tokens import StoredTokens, rotate_keys, token_states
from tests.canaries import CANARIES, CANARY
from tests.small_vendor import CLIENT_ID, CLIENT_SECRET, SmallVendor, small_vendor

ROOT = Path(__file__).parents[2]
KEY, OTHER_KEY = (Fernet.generate_key().decode() for _ in range(2))
NAME = "books_us"

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
    kept.save(_tokens(vendor), {"realmId": "4620816365"})
    return kept


def _tokens(vendor: SmallVendor, lasts: timedelta = timedelta(0)) -> Tokens:
    return Tokens(vendor.access, vendor.refresh, datetime.now(UTC) + lasts, ("accounting",))


def _state(database: str) -> tuple[str, str | None]:
    with psycopg.connect(database) as conn:
        state = token_states(conn)[NAME]
    return state.state, state.reason


def test_a_token_is_used_until_shortly_before_its_end(database: str, vendor: SmallVendor, store: StoredTokens) -> None:
    now = datetime.now(UTC)
    store.save(_tokens(vendor, timedelta(minutes=30)), {})
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


def test_a_rejected_token_is_renewed_once_for_all_who_used_it(vendor: SmallVendor, store: StoredTokens) -> None:
    store.save(_tokens(vendor, timedelta(minutes=30)), {})
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
    store.save(_tokens(vendor, timedelta(hours=1)), {})
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


def test_a_connection_stays_with_its_company(store: StoredTokens, vendor: SmallVendor) -> None:
    store.note_account({"tenantId": "t-1"})
    assert store.account() == {"realmId": "4620816365", "tenantId": "t-1"}
    with pytest.raises(NeedsHuman, match="belongs to realmId 4620816365, and the sign-in was for 99"):
        store.save(_tokens(vendor), {"realmId": "99"})
    with pytest.raises(NeedsHuman, match="belongs to tenantId t-1"):
        store.note_account({"tenantId": "t-2"})
    store.save(_tokens(vendor), {"realmId": "4620816365"})
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
    assert state.sign_in_ends_at is not None


@pytest.mark.parametrize("pkce", [True, False])
def test_a_person_signs_in(database: str, vendor: SmallVendor, pkce: bool) -> None:
    kept, visitor = StoredTokens(database, NAME, [KEY]), Visitor()
    signed_in = sign_in(NAME, replace(app_of(vendor.url), uses_pkce=pkce), kept, visitor.person(), timeout=20)
    visitor.gone()
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
