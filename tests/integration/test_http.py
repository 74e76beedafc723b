"""The HTTP client against real servers: time-outs, retries, waits, tokens, odd bodies, and no secret anywhere."""

from __future__ import annotations

import gzip
import json
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path

import pytest

from kolleno_pipelines.connectors.errors import ConnectorError, NeedsHuman, Permanent, Retryable
from kolleno_pipelines.connectors.http import Answer, HttpClient, IdempotencyKey, Retries, Timeouts
from kolleno_pipelines.connectors.rate_limits import LimitHeaders
from kolleno_pipelines.schemas.rates import LimitNotice
from tests.canaries import CANARY
from tests.http_waits import Noted, Waits
from tests.servers import free_port
from tests.small_vendor import SmallVendor, reply, small_vendor

TOKEN = f"{CANARY}-token/+="

BODY = {"QueryResponse": {"Invoice": [{"TotalAmt": 100.10, "Balance": 70}]}}


@pytest.fixture
def vendor() -> Iterator[SmallVendor]:
    with small_vendor() as served:
        yield served


def test_one_connection_is_kept_and_bodies_come_compressed(vendor: SmallVendor) -> None:
    packed = gzip.compress(json.dumps(BODY).encode())
    vendor.replies = [reply(200, packed, Content_Encoding="gzip", Content_Type="application/json", X_Trace="t-1")] * 3
    with HttpClient("acme", f"{vendor.url}/v3", request_id_headers=("intuit_tid", "X-Trace")) as client:
        answers = [client.get("query", {"query": "select * from Invoice"}) for _ in range(3)]
    assert {asked.client_port for asked in vendor.asked} == {vendor.asked[0].client_port}
    assert vendor.asked[0].path == "/v3/query"
    assert vendor.asked[0].query == {"query": "select * from Invoice"}
    assert "gzip" in vendor.asked[0].headers["accept-encoding"]
    assert answers[0].json() == {"QueryResponse": {"Invoice": [{"TotalAmt": Decimal("100.1"), "Balance": 70}]}}
    assert answers[0].headers["content-type"] == "application/json"
    assert answers[0].request_id == "t-1"
    assert answers[0].elapsed > 0


def test_threads_share_a_client(vendor: SmallVendor) -> None:
    vendor.replies = [lambda asked: reply(200, {"path": asked.path})(asked)] * 200
    with HttpClient("acme", vendor.url) as client, ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda n: client.get(f"{n}").json()["path"], range(200)))
    assert found == [f"/{n}" for n in range(200)]
    assert len({asked.client_port for asked in vendor.asked}) <= 10


def test_what_may_pass_is_tried_again_with_growing_pauses(vendor: SmallVendor) -> None:
    vendor.replies = [reply(503), reply(500, "<html>down</html>"), reply(429), reply(200, {"ok": True})]
    waits = Waits()
    client = HttpClient("acme", vendor.url, timing=waits.timing, limit_headers=LimitHeaders(pause=60.0))
    with client:
        assert client.get("x").json() == {"ok": True}
    assert waits.slept == [0.5, 1.0, 61.0]
    assert len(vendor.asked) == 4


@pytest.mark.parametrize("draw", [0.0, 0.25, 1.0])
def test_pauses_are_drawn_from_nothing_to_their_bound(vendor: SmallVendor, draw: float) -> None:
    vendor.replies = [reply(503)] * 7
    waits = Waits(draw=draw)
    retries = Retries(attempts=7, first=1.0, most=8.0)
    client = HttpClient("acme", vendor.url, timing=waits.timing, retries=retries)
    with client, pytest.raises(Retryable, match="answered 503"):
        client.get("x")
    assert waits.slept == [draw * most for most in (1.0, 2.0, 4.0, 8.0, 8.0, 8.0)]


def test_a_wait_is_said_in_seconds_or_as_a_date_of_the_vendors_clock(vendor: SmallVendor) -> None:
    theirs = datetime(2020, 1, 1, tzinfo=UTC)  # far from ours: only the difference counts
    asked_for = format_datetime(theirs + timedelta(seconds=40), usegmt=True)
    vendor.replies = [
        reply(429, Retry_After="7"),
        reply(503, Retry_After=asked_for, Date=format_datetime(theirs, usegmt=True)),
        reply(503, Retry_After="soon"),
        reply(200),
    ]
    waits, noted = Waits(draw=0.0), Noted()
    with HttpClient("acme", vendor.url, timing=waits.timing, limits=noted) as client:
        client.get("x")
    assert waits.slept == [7.0, 40.0, 0.0]
    assert [notice.pause for notice in noted.notices] == [7.0, 40.0]
    assert noted.turns == 4


def test_a_long_wait_is_told_at_once(vendor: SmallVendor) -> None:
    vendor.replies = [reply(429, Retry_After="66975", X_Rate_Limit_Problem="day")]
    waits, noted = Waits(), Noted()
    client = HttpClient("acme", vendor.url, timing=waits.timing, limits=noted)
    with client, pytest.raises(Retryable) as refusal:
        client.get("Invoices")
    assert refusal.value.retry_after == 66_975
    assert waits.slept == []
    assert len(vendor.asked) == 1
    assert noted.notices[0].pause == 66_975


def test_a_count_of_nothing_left_pauses_everybody(vendor: SmallVendor) -> None:
    vendor.replies = [reply(200, X_MinLimit_Remaining="0"), reply(200, X_MinLimit_Remaining="1")]
    noted = Noted()
    headers = LimitHeaders(remaining={"X-MinLimit-Remaining": 60.0})
    with HttpClient("acme", vendor.url, limits=noted, limit_headers=headers) as client:
        client.get("x")
        client.get("x")
    assert noted.notices == [LimitNotice(2.5, "the vendor's X-MinLimit-Remaining is 0")]


def test_a_refused_token_is_exchanged_once(vendor: SmallVendor) -> None:
    vendor.replies = [reply(401), reply(200, {"ok": 1}), reply(401), reply(401, {"said": TOKEN})]
    asked: list[str | None] = []

    def authorise(rejected: str | None) -> str:
        asked.append(rejected)
        return f"Bearer {TOKEN}2" if rejected else f"Bearer {TOKEN}"

    with HttpClient("acme", vendor.url, authorise=authorise) as client:
        assert client.request("POST", "x", json={}).json() == {"ok": 1}  # a refused write was not carried out
        with pytest.raises(NeedsHuman, match="answered 401"):
            client.get("x")
    assert asked == [None, f"Bearer {TOKEN}"] * 2
    assert [one.headers["authorization"] for one in vendor.asked] == [f"Bearer {TOKEN}", f"Bearer {TOKEN}2"] * 2


def _fault_in(answer: Answer) -> ConnectorError | None:
    code = answer.json().get("code")
    if code == "3001":
        return Retryable("throttled", answer.connection, 9.0)
    return Permanent(f"{answer.told()}: {code}", answer.connection) if code else None


def test_errors_inside_good_answers_are_found(vendor: SmallVendor) -> None:
    vendor.replies = [
        reply(200, {"code": "3001"}),
        reply(200, "<html>We'll be back\x1b[31m</html>"),
        reply(200, {}),
        reply(200, {"code": "610"}),
    ]
    waits, noted = Waits(draw=0.0), Noted()
    with HttpClient("acme", vendor.url, classify=_fault_in, timing=waits.timing, limits=noted) as client:
        assert client.get("x").json() == {}
        with pytest.raises(Permanent, match="answered 200: 610"):
            client.get("x")
    assert waits.slept == [9.0, 0.0]
    assert [notice.pause for notice in noted.notices] == [9.0]


def test_a_body_that_is_no_json_is_shown_escaped_cut_and_without_secrets(vendor: SmallVendor) -> None:
    page = f"<html>\x1b[31m Bearer {TOKEN}\n refresh_token={CANARY}-x {'y' * 500}</html>"
    vendor.replies = [reply(200, page), reply(200, b'{"a": NaN}'), reply(200, b"\xff\xfe"), reply(200, "")]
    with HttpClient("acme", vendor.url, authorise=lambda _: f"Bearer {TOKEN}") as client:
        for words in (
            r"not JSON: <html>\\x1b\[31m \(hidden\) refresh_token=\(hidden\) y+…$",
            "NaN",
            "xff",
            "nothing",
        ):
            answer = client.get("x", {"token": TOKEN})
            with pytest.raises(Retryable, match=words) as refusal:
                answer.json()
            assert CANARY not in f"{refusal.value} {answer!r} {client!r}"
            assert len(str(refusal.value)) < 350


@pytest.mark.parametrize(
    "key", [None, IdempotencyKey("Idempotency-Key", "k1"), IdempotencyKey("requestid", "k1", True)]
)
def test_a_write_is_repeated_only_with_its_key(vendor: SmallVendor, key: IdempotencyKey | None) -> None:
    vendor.replies = [reply(503), reply(200, {"ok": 1})]
    with HttpClient("acme", vendor.url, timing=Waits().timing) as client:
        if key is None:
            with pytest.raises(Permanent, match="Whether this PUT was carried out is not known"):
                client.request("put", "Payments", json={"Amount": "1.00"})
            assert len(vendor.asked) == 1
            return
        assert client.request("PUT", "Payments", json={"Amount": "1.00"}, idempotency_key=key).json() == {"ok": 1}
    carried = [{**asked.query, **asked.headers}[key.name.lower()] for asked in vendor.asked]
    assert carried == ["k1", "k1"]
    assert {asked.body for asked in vendor.asked} == {b'{"Amount": "1.00"}'}


def test_a_write_that_certainly_did_nothing_is_repeated(vendor: SmallVendor) -> None:
    vendor.replies = [reply(429), reply(200, {"ok": 1})]
    waits = Waits()
    with HttpClient("acme", vendor.url, timing=waits.timing) as client:
        assert client.request("POST", "x", json={}).json() == {"ok": 1}
    nobody = HttpClient("acme", f"http://127.0.0.1:{free_port()}", timing=waits.timing)
    with nobody, pytest.raises(Retryable, match=r"cannot be reached \(Connection refused\)"):
        nobody.request("POST", "x", json={})
    assert len(waits.slept) == 5


def test_a_query_by_post_is_a_read(vendor: SmallVendor) -> None:
    vendor.replies = [reply(503), reply(200, {"ok": 1})]
    with HttpClient("acme", vendor.url, timing=Waits().timing) as client:
        headers = {"Content-Type": "application/text"}
        answer = client.request("POST", "query", body=b"select 1", headers=headers, is_read=True)
    assert answer.json() == {"ok": 1}
    assert vendor.asked[1].headers["content-type"] == "application/text"


@pytest.mark.parametrize("status", [301, 307, 400, 404])
def test_what_is_wrong_stays_wrong(vendor: SmallVendor, status: int) -> None:
    vendor.replies = [reply(status, {"why": "no"}, Location=f"{vendor.url}/other")]
    with HttpClient("acme", vendor.url) as client, pytest.raises(Permanent, match=f"answered {status}"):
        client.get("x")
    assert len(vendor.asked) == 1


def test_not_modified_is_an_answer(vendor: SmallVendor) -> None:
    vendor.replies = [lambda _: reply(304, b"")(_)]
    with HttpClient("acme", vendor.url) as client:
        assert client.get("x", headers={"If-Modified-Since": "Sat, 01 Jan 2022 00:00:00 GMT"}).status == 304


def test_tokens_go_to_the_vendors_host_only(vendor: SmallVendor) -> None:
    with HttpClient("acme", vendor.url, authorise=lambda _: f"Bearer {TOKEN}") as client:
        client.get(f"{vendor.url}/next?page=2")
        with pytest.raises(Permanent, match=r"http://elsewhere.example/next is not on http://127.0.0.1"):
            client.get(f"http://elsewhere.example/next?token={TOKEN}")
    assert vendor.asked[0].query == {"page": "2"}
    with pytest.raises(NeedsHuman, match=r"http://vendor.example/v3 is no https:// address"):
        HttpClient("acme", f"http://user:{CANARY}@vendor.example/v3")


def test_a_netrc_file_and_cookies_change_nothing(
    vendor: SmallVendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc_key"
    netrc.write_text(f"machine 127.0.0.1 login me password {CANARY}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    vendor.replies = [reply(200, Set_Cookie="a=b"), reply(200)]
    with HttpClient("acme", vendor.url) as client:
        client.get("x")
        client.get("x")
    assert all("authorization" not in asked.headers and "cookie" not in asked.headers for asked in vendor.asked)


def test_secrets_are_in_no_log_and_no_error(vendor: SmallVendor, caplog: pytest.LogCaptureFixture) -> None:
    vendor.replies = [reply(503, f"Bearer {TOKEN}"), reply(400, {"access_token": f"{CANARY}-other", "echo": TOKEN})]
    client = HttpClient("acme", vendor.url, authorise=lambda _: f"Bearer {TOKEN}", timing=Waits().timing)
    with caplog.at_level(logging.DEBUG), client, pytest.raises(Permanent) as refusal:
        client.get("x", {"access_token": TOKEN})
    assert "Attempt 1 of 5" in caplog.text
    assert "/x?…" in caplog.text
    assert CANARY not in caplog.text
    assert "access_token" in str(refusal.value)
    assert CANARY not in str(refusal.value) + repr(refusal.value)


def test_a_header_that_cannot_be_sent_is_not_shown(vendor: SmallVendor) -> None:
    for token in (f"{TOKEN}\n", f"{TOKEN}…"):
        client = HttpClient("acme", vendor.url, authorise=lambda _, said=token: f"Bearer {said}")  # type: ignore[misc]
        with client, pytest.raises(Permanent, match="No request can be made") as refusal:
            client.get("x")
        assert CANARY not in str(refusal.value)
    assert not vendor.asked


def test_turns_that_are_refused_are_not_tried_again(vendor: SmallVendor) -> None:
    class Closed(Noted):
        @contextmanager
        def acquire(self) -> Iterator[None]:
            self.turns += 1
            raise Retryable("The day's 5,000 requests are used up.", "acme", 3600.0)
            yield

    closed, waits = Closed(), Waits()
    with HttpClient("acme", vendor.url, limits=closed, timing=waits.timing) as client, pytest.raises(Retryable):
        client.get("x")
    assert (closed.turns, waits.slept, vendor.asked) == (1, [], [])


def test_a_turn_that_comes_too_late_is_not_used(vendor: SmallVendor) -> None:
    class Slow(Noted):
        @contextmanager
        def acquire(self) -> Iterator[None]:
            time.sleep(0.15)
            yield

    client = HttpClient("acme", vendor.url, limits=Slow(), timeouts=Timeouts(whole=0.1))
    with client, pytest.raises(Retryable, match=r"No turn at .*/x came within 0\.1 s"):
        client.get("x")
    assert not vendor.asked


def test_turns_are_held_while_the_answer_is_on_its_way(vendor: SmallVendor) -> None:
    held = threading.Semaphore(0)

    class Watching(Noted):
        @contextmanager
        def acquire(self) -> Iterator[None]:
            yield
            held.release()

    vendor.replies = [lambda _: reply(200, {"held": not held.acquire(blocking=False)})(_)]
    with HttpClient("acme", vendor.url, limits=Watching()) as client:
        assert client.get("x").json() == {"held": True}
    assert held.acquire(blocking=False)
