"""Answers that break off, drip, never end or make no sense on the wire: told, bounded, asked for again."""

from __future__ import annotations

import socket
import time

import pytest

from kolleno_pipelines.connectors.errors import Permanent, Retryable
from kolleno_pipelines.connectors.http import HttpClient, Retries, Timeouts
from tests.canaries import CANARY
from tests.http_waits import Waits
from tests.small_vendor import blunt_server


def _send(wire: socket.socket, head: str, body: bytes = b"") -> None:
    wire.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{head}\r\n\r\n".encode() + body)


def _whole(wire: socket.socket) -> None:
    _send(wire, "Content-Length: 2\r\nConnection: close", b"{}")


def _cut(wire: socket.socket) -> None:
    _send(wire, "Content-Length: 99\r\nConnection: close", b'{"a":')


def _cut_chunks(wire: socket.socket) -> None:
    _send(wire, "Transfer-Encoding: chunked\r\nConnection: close", b'5\r\n{"a":\r\n')


def _broken_gzip(wire: socket.socket) -> None:
    _send(wire, "Content-Encoding: gzip\r\nContent-Length: 9\r\nConnection: close", b"not gzip!")


def _nothing(wire: socket.socket) -> None:
    wire.close()


def _silent(wire: socket.socket) -> None:
    wire.settimeout(5)
    wire.recv(1)


def _dripping(wire: socket.socket) -> None:
    _send(wire, "Content-Length: 1000000\r\nConnection: close")
    while True:
        wire.sendall(b" ")
        time.sleep(0.05)


def _endless(wire: socket.socket) -> None:
    _send(wire, "Connection: close")
    while True:
        wire.sendall(b" " * 65536)


@pytest.mark.parametrize("fault", [_cut, _cut_chunks, _broken_gzip, _nothing, _silent])
def test_a_broken_answer_is_asked_for_again(fault: object) -> None:
    with blunt_server(fault, _whole) as url:  # type: ignore[arg-type]
        waits = Waits()
        with HttpClient("acme", url, timing=waits.timing, timeouts=Timeouts(read=0.3)) as client:
            assert client.get("x", {"q": CANARY}).json() == {}
    assert waits.slept == [0.5]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (_cut, "broke the connection off"),
        (_broken_gzip, "sent an answer whose compression is broken"),
        (_nothing, "broke the connection off"),
        (_silent, r"sent nothing for 0.3 s"),
    ],
)
def test_what_stays_broken_is_told_without_the_query(fault: object, words: str) -> None:
    with blunt_server(fault) as url:  # type: ignore[arg-type]
        client = HttpClient("acme", url, timeouts=Timeouts(read=0.3), retries=Retries(attempts=1))
        with client, pytest.raises(Retryable, match=rf"acme: {url}/x {words}") as refusal:
            client.get("x", {"q": CANARY})
    assert refusal.value.__cause__ is None
    assert refusal.value.__context__ is None


def test_a_call_has_an_end_though_bytes_keep_coming() -> None:
    with blunt_server(_dripping) as url:
        began = time.monotonic()
        client = HttpClient("acme", url, timeouts=Timeouts(read=0.5, whole=0.4))
        with client, pytest.raises(Retryable, match=r"was still sending after 0.4 s"):
            client.get("x")
    assert time.monotonic() - began < 3


def test_an_answer_has_a_largest_size() -> None:
    with blunt_server(_endless) as url:
        client = HttpClient("acme", url, most_bytes=1 << 20)
        with client, pytest.raises(Permanent, match="more than 1,048,576 bytes"):
            client.get("x")
