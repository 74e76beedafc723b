"""An HTTP server for a simulated vendor: any ASGI app under uvicorn in a thread, on a free port of 127.0.0.1.

It counts requests and misbehaves on demand. What the vendor answers does not belong here.
"""

from __future__ import annotations

import asyncio
import enum
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import uvicorn
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kolleno_pipelines.sandbox.startable import Startable

_START_SECONDS = 10.0


class VendorFault(enum.Enum):
    """What a server can do wrong beside answering with a status of its choice."""

    TIMEOUT = "timeout"  # takes the request and never answers
    CUT = "cut"  # cuts the connection in the middle of an answer, without doing what was asked
    LOST = "lost"  # does what was asked and cuts the connection in the middle of the answer
    NOT_JSON = "not_json"  # answers 200 with a page of HTML


FaultKind = VendorFault | int | Callable[[], Response]


@dataclass(frozen=True)
class VendorRequest:
    """One request as it was taken in: no headers and no body, for they hold secrets."""

    method: str
    path: str
    query: str


@dataclass
class _Planned:
    path: str
    kind: FaultKind
    times: int
    skip: int
    headers: Mapping[str, str]
    method: str | None


class VendorServer(Startable):
    """Serves `app`. A stopped one starts again on the same port.

    port: 0 takes a free one. seconds_per_answer: added to each answer, and changeable at any time.
    refusal: the vendor's own body for a status that a test demanded; else a plain sentence.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        port: int = 0,
        seconds_per_answer: float = 0.0,
        refusal: Callable[[int], Response] | None = None,
    ) -> None:
        self.app = app
        self.port = port
        self.seconds_per_answer = seconds_per_answer
        self._refusal = refusal or _plain_refusal
        self._lock = threading.Lock()
        self._requests: list[VendorRequest] = []
        self._planned: list[_Planned] = []
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def requests(self) -> list[VendorRequest]:
        """Every request so far, in order, the refused ones too."""
        with self._lock:
            return list(self._requests)

    def count(self, path: str = "/", method: str | None = None) -> int:
        """Return how many requests came to paths that begin with `path`."""
        return sum(each.path.startswith(path) and method in {None, each.method} for each in self.requests)

    def fail_next(
        self,
        path: str,
        fault: FaultKind,
        times: int = 1,
        *,
        skip: int = 0,
        headers: Mapping[str, str] | None = None,
        method: str | None = None,
    ) -> None:
        """Answer the next `times` requests to paths that begin with `path` wrongly, after `skip` right ones.

        fault: a VendorFault, an HTTP status with the vendor's own body, or a function that makes the answer.
        """
        with self._lock:
            self._planned.append(_Planned(path, fault, times, skip, headers or {}, method))

    def clear_faults(self) -> None:
        """Forget the faults that have not happened yet."""
        with self._lock:
            self._planned.clear()

    def start(self) -> None:
        """Listen, and return when requests are answered. Raises OSError when the port is taken."""
        listener = socket.socket(proto=socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", self.port))
        except OSError:
            listener.close()
            raise
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._answer,
            interface="asgi3",
            http="h11",
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            timeout_keep_alive=60,
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="sandbox-vendor", daemon=True
        )
        self._thread.start()
        give_up = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > give_up:
                self.stop()
                message = "The sandbox vendor did not start."
                raise OSError(message)
            time.sleep(0.005)

    def stop(self) -> None:
        """Finish, cut off what still waits, and free the port. Does nothing when it is not running."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(15)
        self._server = self._thread = None

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        asked = VendorRequest(scope["method"], scope["path"], scope["query_string"].decode("latin-1"))
        with self._lock:
            self._requests.append(asked)
            planned = self._due(asked)
        if self.seconds_per_answer:
            await asyncio.sleep(self.seconds_per_answer)
        if planned is None:
            await self.app(scope, receive, send)
        elif planned.kind is VendorFault.TIMEOUT:
            await self._wait_for_hang_up(receive)
            await _cut(send)
        elif planned.kind is VendorFault.CUT:
            await _cut(send)
        elif planned.kind is VendorFault.LOST:
            await self.app(scope, receive, _nothing)
            await _cut(send)
        else:
            response = self._wrong_answer(planned.kind)
            response.headers.update(planned.headers)
            await response(scope, receive, send)

    def _due(self, asked: VendorRequest) -> _Planned | None:
        """The fault that this request meets."""
        for planned in self._planned:
            if not asked.path.startswith(planned.path) or planned.method not in {None, asked.method}:
                continue
            if planned.skip:
                planned.skip -= 1
                continue
            planned.times -= 1
            if planned.times < 1:
                self._planned.remove(planned)
            return planned
        return None

    def _wrong_answer(self, kind: FaultKind) -> Response:
        if isinstance(kind, int):
            return self._refusal(kind)
        if isinstance(kind, VendorFault):
            return HTMLResponse("<html><body><h1>We are improving our service.</h1></body></html>")
        return kind()

    async def _wait_for_hang_up(self, receive: Receive) -> None:
        """Wait until the client or the server gives up."""
        while self._server is not None and not self._server.should_exit:
            try:
                message = await asyncio.wait_for(receive(), 0.05)
            except TimeoutError:
                continue
            if message["type"] == "http.disconnect":
                return


class ServedVendor(Startable):
    """A simulated vendor with the server before it, which it is made with."""

    def __init__(self, server: VendorServer) -> None:
        self.server = server

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return self.server.url

    def start(self) -> None:
        """Listen, and return when requests are answered. Raises OSError when the port is taken."""
        self.server.start()

    def stop(self) -> None:
        """Stop listening; started again it has the same port."""
        self.server.stop()


def _plain_refusal(status: int) -> Response:
    return PlainTextResponse("The sandbox was told to answer so.", status_code=status)


async def _cut(send: Send) -> None:
    """Promise more bytes than are sent; uvicorn closes the connection when the app returns."""
    length = (b"content-length", b"4096")
    await send({"type": "http.response.start", "status": 200, "headers": [length, (b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b'{"', "more_body": True})


async def _nothing(message: Message) -> None:
    del message
