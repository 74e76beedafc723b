"""A small vendor on a free port of this machine (starlette, uvicorn): answers that a test writes down, and OAuth.

A vendor's own protocol does not belong here; the sandbox has those.
"""

from __future__ import annotations

import logging
import secrets
import socket
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.canaries import CANARY

CLIENT_ID = "the-app"
CLIENT_SECRET = f"{CANARY}-of-the-app"


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    client_port: int


Reply = Callable[[Asked], Response]


def reply(status: int = 200, body: object = None, **headers: str) -> Reply:
    """A reply with these headers (`_` stands for `-`); `body` is text, bytes, or anything that JSON holds."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if isinstance(body, str | bytes):
        return lambda _: Response(body, status, named)
    return lambda _: JSONResponse(body if body is not None else {}, status, named)


@dataclass(repr=False)
class SmallVendor:
    """What the server was asked, and what it answers next; the token endpoint rotates refresh tokens."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    access: str = ""
    refresh: str = ""
    used: dict[str, float] = field(default_factory=dict)
    #: Seconds that a used refresh token still works.
    grace: float = 0.0
    #: Seconds that the answers of the token endpoint take, after it did its work.
    token_delays: list[float] = field(default_factory=list)
    token_requests: list[Mapping[str, str]] = field(default_factory=list)
    codes: dict[str, Mapping[str, str]] = field(default_factory=dict)
    expires_in: int = 3600
    lock: threading.Lock = field(default_factory=threading.Lock)

    def rotate(self) -> None:
        """Give out new tokens; the old refresh token counts as used."""
        if self.refresh:
            self.used[self.refresh] = time.monotonic()
        self.access, self.refresh = (f"{CANARY}-{kind}-{secrets.token_hex(4)}" for kind in ("access", "refresh"))

    def answer(self, asked: Asked) -> Response:
        """The next reply that the test wrote down; `{}` when there is none."""
        with self.lock:
            self.asked.append(asked)
            chosen = self.replies.pop(0) if self.replies else reply()
        return chosen(asked)

    def token(self, asked: Asked) -> Response:
        """The token endpoint."""
        given = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        with self.lock:
            self.token_requests.append(given)
            delay = self.token_delays.pop(0) if self.token_delays else 0.0
            response = self._token(asked, given)
        time.sleep(delay)
        return response

    def _token(self, asked: Asked, given: Mapping[str, str]) -> Response:
        basic = b64decode(asked.headers.get("authorization", "").removeprefix("Basic ")).decode()
        if basic != f"{CLIENT_ID}:{CLIENT_SECRET}":
            return JSONResponse({"error": "invalid_client", "error_description": basic}, 401)
        if not self._is_granted(given):
            echoed = f"{given.get('refresh_token', given.get('code'))} is not known"
            return JSONResponse({"error": "invalid_grant", "error_description": echoed}, 400)
        self.rotate()
        answer = {
            "access_token": self.access,
            "refresh_token": self.refresh,
            "token_type": "bearer",
            "expires_in": self.expires_in,
            "x_refresh_token_expires_in": 8_726_400,
        }
        return JSONResponse(answer)

    def _is_granted(self, given: Mapping[str, str]) -> bool:
        if given.get("grant_type") == "refresh_token":
            token = given.get("refresh_token", "")
            used_at = self.used.get(token)
            return token == self.refresh or (used_at is not None and time.monotonic() - used_at < self.grace)
        wanted = self.codes.pop(given.get("code", ""), None)
        return wanted is not None and _fits(wanted, given)

    def authorise(self, asked: Asked) -> Response:
        """The consent page of somebody who consents at once: back to the redirect with a code and a company."""
        from urllib.parse import urlencode

        code = f"{CANARY}-code-{secrets.token_hex(4)}"
        self.codes[code] = asked.query
        back = urlencode({"code": code, "state": asked.query["state"], "realmId": "4620816365"})
        return RedirectResponse(f"{asked.query['redirect_uri']}?{back}", 302)


def _fits(wanted: Mapping[str, str], given: Mapping[str, str]) -> bool:
    """Whether a code comes back with what it was given out for (RFC 7636)."""
    import hashlib
    from base64 import urlsafe_b64encode

    if wanted["redirect_uri"] != given.get("redirect_uri"):
        return False
    digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
    return wanted.get("code_challenge") in {None, urlsafe_b64encode(digest).decode().rstrip("=")}


@contextmanager
def small_vendor() -> Iterator[SmallVendor]:
    """Serve for the time of the block."""
    vendor = SmallVendor()

    def endpoint(work: Callable[[Asked], Response]) -> Callable[[Request], object]:
        async def serve(request: Request) -> Response:
            from starlette.concurrency import run_in_threadpool

            port = request.client.port if request.client else 0
            headers = {name.lower(): value for name, value in request.headers.items()}
            asked = Asked(
                request.method, request.url.path, dict(request.query_params), headers, await request.body(), port
            )
            return await run_in_threadpool(work, asked)

        return serve

    routes = [
        Route("/token", endpoint(vendor.token), methods=["POST"]),
        Route("/authorize", endpoint(vendor.authorise)),
        Route("/{path:path}", endpoint(vendor.answer), methods=["GET", "POST", "PUT", "DELETE"]),
    ]
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        vendor.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        config = uvicorn.Config(Starlette(routes=routes), log_config=None, lifespan="off", ws="none", date_header=False)
        logging.getLogger("uvicorn.access").disabled = True  # it logs queries, as the test wrote them
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield vendor
        finally:
            server.should_exit = True
            thread.join(30)


@contextmanager
def blunt_server(*conversations: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve each connection with the next of these functions, which write bytes as no good server would; yields a URL.

    The last serves all that follow.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        left = list(conversations)

        def serve() -> None:
            while True:
                try:
                    wire, _ = listening.accept()
                except OSError:
                    return
                with wire:
                    wire.recv(65536)
                    try:
                        (left.pop(0) if len(left) > 1 else left[0])(wire)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(30)
