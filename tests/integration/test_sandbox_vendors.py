"""What the simulated vendors share: the server and its faults, the clock, the limits, the token endpoint."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.vendor_limits import LimitWindow, VendorLimits
from kolleno_pipelines.sandbox.vendor_server import VendorFault, VendorServer
from kolleno_pipelines.sandbox.vendor_tokens import TokenRules, VendorTokens
from tests.canaries import CANARY

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = f"{CANARY}-app"
CALLBACK = "http://127.0.0.1:9/callback"


@pytest.fixture
def done() -> list[str]:
    return []


@pytest.fixture
def server(done: list[str]) -> Iterator[VendorServer]:
    async def answer(request: Request) -> Response:
        done.append(request.url.path)
        return JSONResponse({"path": request.url.path})

    with VendorServer(Starlette(routes=[Route("/{rest:path}", answer, methods=["GET", "POST"])])) as running:
        yield running


def test_requests_are_counted_and_a_stopped_server_leaves_no_thread(server: VendorServer) -> None:
    with requests.Session() as session:
        session.get(f"{server.url}/a/1?x=2", timeout=5)
        session.get(f"{server.url}/a/2", timeout=5)
        session.post(f"{server.url}/b", timeout=5)
        assert (server.count(), server.count("/a"), server.count("/", "POST")) == (3, 2, 1)
        assert (server.requests[0].path, server.requests[0].query) == ("/a/1", "x=2")
        port = server.port
        server.stop()
    assert not [each for each in threading.enumerate() if each.name == "sandbox-vendor"]
    server.start()
    assert server.port == port
    assert requests.get(server.url + "/c", timeout=5).json() == {"path": "/c"}


def test_faults_happen_as_often_as_told(server: VendorServer, done: list[str]) -> None:
    server.fail_next("/a", 503, 2, skip=1, headers={"Retry-After": "7"})
    answers = [requests.get(f"{server.url}{path}", timeout=5) for path in ("/a", "/a", "/b", "/a", "/a")]
    assert [each.status_code for each in answers] == [200, 503, 200, 503, 200]
    assert answers[1].headers["Retry-After"] == "7"
    server.fail_next("/a", VendorFault.NOT_JSON)
    page = requests.get(f"{server.url}/a", timeout=5)
    assert page.status_code == 200
    assert page.text.startswith("<html>")
    server.fail_next("/a", lambda: JSONResponse({"mine": True}, status_code=418))
    assert requests.get(f"{server.url}/a", timeout=5).status_code == 418
    done.clear()
    server.fail_next("/a", VendorFault.TIMEOUT)
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(f"{server.url}/a", timeout=0.2)
    assert done == []


@pytest.mark.parametrize(("fault", "happened"), [(VendorFault.CUT, []), (VendorFault.LOST, ["/a"])])
def test_a_connection_is_cut_in_the_answer(
    server: VendorServer, done: list[str], fault: VendorFault, happened: list[str]
) -> None:
    server.fail_next("/a", fault)
    with pytest.raises(requests.exceptions.RequestException):
        requests.post(f"{server.url}/a", timeout=5)
    assert done == happened
    assert requests.get(f"{server.url}/a", timeout=5).ok


def test_a_server_stops_while_a_client_still_waits(server: VendorServer) -> None:
    server.fail_next("/a", VendorFault.TIMEOUT)
    failed: list[Exception] = []

    def ask() -> None:
        try:
            requests.get(f"{server.url}/a", timeout=20)
        except requests.exceptions.RequestException as error:
            failed.append(error)

    client = threading.Thread(target=ask)
    client.start()
    while not server.count("/a") and client.is_alive():
        client.join(0.01)
    server.stop()
    client.join(5)
    assert len(failed) == 1


def test_the_clock_stands_moves_and_runs() -> None:
    clock = VendorClock(NOON)
    assert clock.now == clock.now == NOON
    assert clock.advance(timedelta(hours=1)) == NOON + timedelta(hours=1)
    clock.run()
    assert timedelta(0) <= clock.now - NOON - timedelta(hours=1) < timedelta(minutes=1)
    assert abs(VendorClock().now - datetime.now(UTC)) < timedelta(minutes=1)
    with pytest.raises(ValueError, match="offset"):
        clock.set(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point


def test_limits_are_fixed_windows_that_run_faster_with_a_factor() -> None:
    real = [100.0]
    windows = (LimitWindow("second", 1, 2), LimitWindow("minute", 60, 5), LimitWindow("all", 60, 8, per_account=False))
    limits = VendorLimits(windows, at_once=2, factor=8, seconds=lambda: real[0])

    def ask(account: str = "a") -> str:
        refusal = limits.enter(account)
        if refusal is None:
            limits.leave(account)
        return "" if refusal is None else f"{refusal.limit} {refusal.retry_after:.0f}"

    assert [ask(), ask(), ask()] == ["", "", "second 1"]
    real[0] += 0.125
    assert [ask(), ask()] == ["", ""]
    real[0] += 0.125
    assert [ask(), ask()] == ["", "minute 58"]
    assert limits.remaining("a") == {"second": 1, "minute": 0, "all": 3}
    assert [ask("b"), ask("b")] == ["", ""]
    real[0] += 0.125
    assert [ask("b"), ask("b")] == ["", "all 57"]
    real[0] += 7.2
    assert ask() == ""
    assert (limits.granted, limits.refused) == (9, 3)
    limits.use_up("a", "minute", left=1)
    real[0] += 0.125
    assert [ask(), ask()] == ["", "minute 59"]


def test_too_many_at_once_are_refused() -> None:
    limits = VendorLimits(at_once=2)
    assert limits.enter("a") is limits.enter("a") is limits.enter("b") is None
    refusal = limits.enter("a")
    assert refusal is not None
    assert refusal.limit == "at_once"
    limits.leave("a")
    assert limits.enter("a") is None
    assert limits.most_at_once == 2


@pytest.fixture
def clock() -> VendorClock:
    return VendorClock(NOON)


RULES = TokenRules(
    access_life=timedelta(minutes=30),
    refresh_life=timedelta(days=60),
    grace=timedelta(minutes=30),
    expiry_field="x_refresh_token_expires_in",
)


@pytest.fixture
def tokens(clock: VendorClock) -> VendorTokens:
    return VendorTokens(
        clock,
        RULES,
        client_id="app",
        client_secret=SECRET,
        mark=CANARY,
        allowed_scopes=frozenset({"read", "offline_access"}),
        extra=lambda: {"realmId": "123"},
    )


Ask = Callable[..., requests.Response]


@pytest.fixture
def ask(tokens: VendorTokens) -> Iterator[Ask]:
    with VendorServer(Starlette(routes=list(tokens.routes("/authorize", "/token")))) as server:

        def ask(secret: str = SECRET, **form: str) -> requests.Response:
            if form.get("grant_type"):
                return requests.post(f"{server.url}/token", data=form, auth=("app", secret), timeout=5)
            asked = {"client_id": "app", "response_type": "code", "redirect_uri": CALLBACK, "state": "s1", **form}
            return requests.get(f"{server.url}/authorize", params=asked, timeout=5, allow_redirects=False)

        yield ask


def _code(answer: requests.Response) -> str:
    return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]


def test_a_code_is_good_once_for_its_own_address_and_verifier(ask: Ask, clock: VendorClock) -> None:
    def spend(code: str, address: str = CALLBACK, verifier: str = "") -> int:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": address, "code_verifier": verifier}
        return ask(**form).status_code

    answer = ask(scope="read offline_access")
    assert answer.status_code == 302
    told = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert (told["state"], told["realmId"]) == (["s1"], ["123"])
    assert [spend(_code(answer)), spend(_code(answer))] == [200, 400]
    assert spend(_code(ask()), "http://elsewhere") == 400
    late = _code(ask())
    clock.advance(timedelta(minutes=6))
    assert spend(late) == 400
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"v" * 43).digest()).rstrip(b"=").decode()
    assert spend(_code(ask(code_challenge=challenge)), verifier="w" * 43) == 400
    assert spend(_code(ask(code_challenge=challenge)), verifier="v" * 43) == 200
    refused = ask(scope="read everything").headers["Location"]
    assert parse_qs(urlsplit(refused).query)["error"] == ["invalid_scope"]
    assert ask(client_id="other").status_code == 400


def test_a_refresh_replaces_the_token_and_the_old_one_has_its_grace(
    ask: Ask, clock: VendorClock, tokens: VendorTokens
) -> None:
    def refresh(token: object) -> requests.Response:
        return ask(grant_type="refresh_token", refresh_token=str(token))

    first = tokens.issue("read")
    answer = refresh(first["refresh_token"])
    second = answer.json()
    assert second["refresh_token"] != first["refresh_token"]
    assert (second["expires_in"], second["x_refresh_token_expires_in"]) == (1800, 60 * 86400)
    assert CANARY in second["access_token"]
    assert refresh(first["refresh_token"]).ok, "the answer may have been lost"
    clock.advance(timedelta(minutes=30))
    refused = refresh(first["refresh_token"])
    assert (refused.status_code, refused.json()) == (400, {"error": "invalid_grant"})
    assert tokens.check(str(second["access_token"])) is None, "access tokens end"
    assert tokens.check(refresh(second["refresh_token"]).json()["access_token"]) is not None
    clock.advance(timedelta(days=61))
    assert refresh(second["refresh_token"]).status_code == 400
    assert tokens.refreshes == 3


def test_a_wrong_secret_and_what_was_revoked_are_refused(ask: Ask, tokens: VendorTokens) -> None:
    issued = tokens.issue()
    form = {"grant_type": "refresh_token", "refresh_token": str(issued["refresh_token"])}
    wrong = ask(f"{CANARY}-wrong", **form)
    assert (wrong.status_code, wrong.json()) == (401, {"error": "invalid_client"})
    assert ask(grant_type="password").json() == {"error": "unsupported_grant_type"}
    tokens.revoke()
    assert tokens.check(str(issued["access_token"])) is None
    assert ask(**form).json() == {"error": "invalid_grant"}


def test_a_vendor_may_keep_a_refresh_token_for_a_day(clock: VendorClock) -> None:
    rules = TokenRules(timedelta(hours=1), timedelta(days=100), rotate_after=timedelta(days=1))
    tokens = VendorTokens(clock, rules, client_id="app", client_secret=SECRET)
    token = str(tokens.issue()["refresh_token"])
    with VendorServer(Starlette(routes=list(tokens.routes("/authorize", "/token")))) as server:

        def refresh() -> str:
            form = {"grant_type": "refresh_token", "refresh_token": token}
            answer = requests.post(f"{server.url}/token", data=form, auth=("app", SECRET), timeout=5).json()
            return str(answer["refresh_token"])

        assert refresh() == token
        clock.advance(timedelta(days=1))
        assert refresh() != token
