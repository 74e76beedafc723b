"""What an HTTP client counts of its requests; keys and signatures that open an account where nobody signs in."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator

import pytest

from kolleno_pipelines.connectors.errors import NeedsHuman, Retryable
from kolleno_pipelines.connectors.exchange import Sending
from kolleno_pipelines.connectors.http import HttpClient, Retries
from kolleno_pipelines.connectors.keys import KeyAuthoriser
from tests.canaries import CANARY
from tests.http_waits import Noted, Waits
from tests.small_vendor import SmallVendor, blunt_server, reply, small_vendor


@pytest.fixture
def vendor() -> Iterator[SmallVendor]:
    with small_vendor() as served:
        yield served


def test_every_request_is_counted_with_the_bytes_that_came_over_the_line(vendor: SmallVendor) -> None:
    packed = gzip.compress(json.dumps(["much of one kind"] * 1_000).encode())
    vendor.replies = [
        reply(503, "not now"),
        reply(429, "too many", Retry_After="1"),
        reply(200, packed, Content_Encoding="gzip", Content_Type="application/json"),
    ]
    noted, waits = Noted(), Waits()
    with HttpClient("acme", vendor.url, limits=noted, timing=waits.timing) as client:
        assert len(client.get("x").body) > len(packed)
    assert noted.received == [len("not now"), len("too many"), len(packed)]


def test_what_was_asked_without_an_answer_counts_and_what_never_left_does_not() -> None:
    def cut(wire: socket.socket) -> None:
        wire.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"half"')

    def silent(_: socket.socket) -> None:
        """Closed without a word."""

    noted, waits, retries = Noted(), Waits(), Retries(attempts=2)
    with blunt_server(cut, silent) as url:
        client = HttpClient("acme", url, limits=noted, timing=waits.timing, retries=retries)
        with client, pytest.raises(Retryable):
            client.get("x")
    assert noted.received == [len('{"half"'), 0]
    client = HttpClient("acme", url, limits=noted, timing=waits.timing, retries=retries)
    with client, pytest.raises(Retryable):
        client.get("x")
    assert len(noted.received) == 2, "nobody listens there any more"


@pytest.mark.parametrize("word", ["Bearer", "Basic"])
def test_a_key_opens_and_one_that_is_not_taken_asks_for_a_person(vendor: SmallVendor, word: str) -> None:
    authorise = KeyAuthoriser("acme", lambda: f"{word} {CANARY}-key")
    vendor.replies = [reply(200, {}), reply(401, {"error": f"{CANARY}-key"})]
    with HttpClient("acme", vendor.url, authorise=authorise) as client:
        client.get("x")
        with pytest.raises(NeedsHuman, match="does not take the key") as refusal:
            client.get("x")
    assert [asked.headers["authorization"] for asked in vendor.asked] == [f"{word} {CANARY}-key"] * 2
    assert CANARY not in f"{refusal.value} {authorise!r}"


def test_each_request_may_be_signed_by_itself(vendor: SmallVendor) -> None:
    def sign(sending: Sending) -> str:
        parts = [sending.method, sending.url, *(f"{name}={value}" for name, value in sending.params.items())]
        return f"OAuth {len(vendor.asked)} {' '.join(parts)}"

    vendor.replies = [reply(200, {}), reply(401, {}), reply(401, {})]
    with HttpClient("acme", vendor.url, sign=sign) as client:
        client.get("x", {"page": "2"})
        with pytest.raises(NeedsHuman):
            client.request("POST", "y", json={})
    headers = [asked.headers["authorization"] for asked in vendor.asked]
    assert headers[0] == f"OAuth 0 GET {vendor.url}/x page=2"
    assert headers[1:] == [f"OAuth {number} POST {vendor.url}/y" for number in (1, 2)], "signed anew"
