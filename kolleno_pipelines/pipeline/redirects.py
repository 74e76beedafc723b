"""Waiting on this machine for the redirect of a sign-in: one page, one answer. No token is asked for here."""

from __future__ import annotations

import html
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hmac import compare_digest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import parse_qs, urlsplit

PATH = "/callback"
_DONE = "This sign-in has come back to kolleno; its terminal says how it went. You may close this page."
_STRANGER = "This is not the sign-in that kolleno waits for. Begin again with the page that its terminal shows."


class NoPortError(OSError):
    """None of the ports is free; the text names them."""


class Redirects:
    """The page that the vendor sends the browser back to."""

    def __init__(self, server: _Server) -> None:
        self._server = server

    @property
    def uri(self) -> str:
        """Its address as registered with the vendor."""
        return f"http://localhost:{self._server.server_port}{PATH}"

    def expect(self, state: str) -> None:
        """Take the redirect that carries this state; all others are turned away."""
        self._server.state = state

    def wait(self, seconds: float) -> Mapping[str, str] | None:
        """The parameters of the redirect; None when it did not come in time."""
        try:
            return self._server.arrived.get(timeout=seconds)
        except Empty:
            return None


@contextmanager
def local_redirects(ports: tuple[int, ...]) -> Iterator[Redirects]:
    """Listen on 127.0.0.1 at the first free one of the ports. Raises NoPortError."""
    server = _first_free(ports)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    serving.start()
    try:
        yield Redirects(server)
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def parameters_of(url: str) -> dict[str, str]:
    """The query's parameters; of one that comes several times the first."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url.strip()).query).items()}


def carries(parameters: Mapping[str, str], state: str) -> bool:
    """Tell whether a redirect belongs to the sign-in with this state."""
    return compare_digest(parameters.get("state", "").encode(), state.encode())


def _first_free(ports: tuple[int, ...]) -> _Server:
    for port in ports:
        try:
            return _Server(("127.0.0.1", port), _Page)
        except OSError:
            continue
    raise NoPortError(f"None of the ports {', '.join(map(str, ports))} of this machine is free")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    state: str | None = None

    def __init__(self, *arguments: Any) -> None:
        self.arrived: SimpleQueue[Mapping[str, str]] = SimpleQueue()
        super().__init__(*arguments)

    def handle_error(self, *_: object) -> None:
        """A browser that leaves early is no news, and a traceback might show the code."""


class _Page(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10

    def do_GET(self) -> None:
        """Take the redirect, or turn away what is none."""
        found = parameters_of(self.path)
        host = self.headers.get("Host", "").rpartition(":")[0]
        if urlsplit(self.path).path != PATH:
            self._say(404, _STRANGER)
        elif (
            host not in {"localhost", "127.0.0.1"} or self.server.state is None or not carries(found, self.server.state)
        ):
            self._say(400, _STRANGER)
        else:
            self._say(200, _DONE)
            self.server.arrived.put(found)

    def _say(self, status: int, text: str) -> None:
        body = f"<!doctype html><title>kolleno</title><p>{html.escape(text)}</p>".encode()
        self.send_response(status)
        for name, value in (
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "no-referrer"),
            ("Connection", "close"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        """Nobody needs to know what serves this."""
        return "kolleno"

    def log_message(self, *_: object) -> None:
        """Nothing: the request line holds the code."""
