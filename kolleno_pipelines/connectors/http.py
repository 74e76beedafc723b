"""HTTP with one vendor account: turns, tokens, what an answer means, repeating what may be repeated.

What a vendor's codes mean does not belong here (its connector's classify function says so), nor where tokens are kept.
"""

from __future__ import annotations

import json as json_text
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

from kolleno_pipelines.connectors.answers import Answer
from kolleno_pipelines.connectors.errors import Changed, ConnectorError, NeedsHuman, Permanent, Retryable
from kolleno_pipelines.connectors.exchange import NoAnswer, Sending, Timeouts, Wire, place_of, require_private
from kolleno_pipelines.connectors.rate_limits import UNLIMITED, LimitHeaders, LimitNotice, RateLimits, retry_after

__all__ = ["Answer", "Authorise", "Classify", "HttpClient", "IdempotencyKey", "Retries", "Sign", "Timeouts", "Timing"]

_log = logging.getLogger(__name__)
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_NOT_MODIFIED = 304

Classify = Callable[[Answer], ConnectorError | None]
#: Gives the Authorization header's whole value of this very request, which it signs (OAuth 1).
Sign = Callable[[Sending], str]


class Authorise(Protocol):
    """Gives the Authorization header's whole value."""

    def __call__(self, rejected: str | None) -> str:
        """`rejected` is the value that a 401 just refused; another one is wanted then. Raises NeedsHuman, Retryable."""
        ...


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """What lets a vendor see that a write came twice: the name and value of a header, or of a query parameter."""

    name: str
    value: str
    in_query: bool = False


@dataclass(frozen=True, slots=True)
class Retries:
    """Attempts in all; the pause before the next is drawn from 0 to `first` * 2^n seconds, `most` at most.

    A vendor that asks for more than `longest_wait` seconds is not waited for: the error says so at once.
    """

    attempts: int = 5
    first: float = 0.5
    most: float = 30.0
    longest_wait: float = 120.0


@dataclass(frozen=True)
class Timing:
    """Where the client takes time and chance from; tests give their own."""

    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep
    draw: Callable[[], float] = random.random


@dataclass(frozen=True)
class _Call:
    """A request as it was asked for."""

    sending: Sending
    is_repeatable: bool


@dataclass
class _Course:
    """How far a call has come."""

    deadline: float
    attempt: int = 0
    rejected: str | None = field(default=None, repr=False)


class HttpClient:
    """One vendor account. Threads may share it; `close` it, or use it in a `with` block.

    classify sees every answer, 200 ones too (but not a 401 for which another token is tried), and returns what is wrong
    with it, or None: then the status decides (2xx and 304 are fine, 429 and 5xx Retryable, 401 and 403 NeedsHuman, the
    others Permanent). A Retryable with `retry_after` pauses everybody who shares the account.
    """

    def __init__(
        self,
        connection: str,
        base_url: str,
        *,
        classify: Classify = lambda _: None,
        authorise: Authorise | None = None,
        sign: Sign | None = None,
        headers: Mapping[str, str] | None = None,
        limits: RateLimits = UNLIMITED,
        limit_headers: LimitHeaders | None = None,
        request_id_headers: tuple[str, ...] = ("X-Request-Id",),
        timeouts: Timeouts | None = None,
        retries: Retries | None = None,
        timing: Timing | None = None,
        pool: int = 10,
        most_bytes: int = 256 << 20,
    ) -> None:
        require_private(base_url, connection)
        self.connection = connection
        self.base_url = base_url.rstrip("/")
        self._classify = classify
        self._authorise = authorise
        self._sign = sign
        self._headers = {"Accept": "application/json", "User-Agent": "kolleno-pipelines", **(headers or {})}
        self._limits = limits
        self._limit_headers = limit_headers or LimitHeaders()
        self._retries = retries or Retries()
        self._timing = timing or Timing()
        self._wire = Wire(
            connection,
            timeouts=timeouts or Timeouts(),
            pool=pool,
            most_bytes=most_bytes,
            request_id_headers=request_id_headers,
            clock=self._timing.clock,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"HttpClient({self.connection!r}, {place_of(self.base_url)!r})"

    def close(self) -> None:
        """Close the kept connections."""
        self._wire.close()

    def get(
        self, path: str, params: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Read `path` below the base URL, or a whole URL of the same host (as in the links to a next page)."""
        return self.request("GET", path, params=params, headers=headers)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        body: bytes | None = None,
        idempotency_key: IdempotencyKey | None = None,
        is_read: bool | None = None,
    ) -> Answer:
        """Send one request and return its good answer; `json` goes as JSON, `body` as it is.

        Only reads (GET, HEAD, OPTIONS, or `is_read`) and requests with an idempotency key are repeated after they may
        have reached the vendor. Raises Retryable (bounds used up, or a wait beyond them: `retry_after` says how long),
        NeedsHuman, Permanent.
        """
        given, query = {**self._headers, **(headers or {})}, dict(params or {})
        if json is not None:
            body = json_text.dumps(json, ensure_ascii=False).encode()
            given.setdefault("Content-Type", "application/json")
        if idempotency_key is not None:
            (query if idempotency_key.in_query else given)[idempotency_key.name] = idempotency_key.value
        sending = Sending(method.upper(), self._url(path), query, given, body)
        reads = sending.method in _READS if is_read is None else is_read
        return self._complete(_Call(sending, is_repeatable=reads or idempotency_key is not None))

    def _url(self, path: str) -> str:
        if "://" not in path:
            return f"{self.base_url}/{path.lstrip('/')}"
        if urlsplit(path)[:2] != urlsplit(self.base_url)[:2]:
            raise Permanent(
                f"{place_of(path)} is not on {place_of(self.base_url)}: tokens go to no other host.", self.connection
            )
        return path

    def _complete(self, call: _Call) -> Answer:
        course = _Course(self._timing.clock() + self._wire.timeouts.whole)
        while True:
            course.attempt += 1
            sending = replace(call.sending, authorisation=self._header(call.sending, course))
            try:
                answer = self._exchange(sending, course)
            except NoAnswer as lost:
                error, may_repeat = lost.error, call.is_repeatable or lost.is_unsent
            else:
                if answer.status == 401 and sending.authorisation is not None and course.rejected is None:
                    course.rejected, course.attempt = sending.authorisation, course.attempt - 1
                    continue
                fault = self._judged(answer)
                self._note(answer, fault)
                if fault is None:
                    return answer
                error = fault
                may_repeat = call.is_repeatable or answer.status in self._limit_headers.throttled
            self._pause_or_raise(error, course, call, may_repeat=may_repeat)

    def _header(self, sending: Sending, course: _Course) -> str | None:
        if self._sign is not None:
            return self._sign(sending)
        return None if self._authorise is None else self._authorise(course.rejected)

    def _exchange(self, sending: Sending, course: _Course) -> Answer:
        with self._limits.acquire():
            if self._timing.clock() > course.deadline:
                said = f"No turn at {sending.place} came within {self._wire.timeouts.whole:g} s; try again later."
                raise Retryable(said, self.connection)
            try:
                answer = self._wire.exchange(sending, course.deadline)
            except NoAnswer as lost:
                if not lost.is_unsent:
                    self._limits.count(lost.received)
                raise
            self._limits.count(answer.received)
            return answer

    def _note(self, answer: Answer, fault: ConnectorError | None) -> None:
        """Pause everybody who shares the account, where the headers or the connector's reading of the answer say so."""
        notice = self._limit_headers.read(answer, self._timing.now())
        if notice is None and isinstance(fault, Retryable) and fault.retry_after is not None:
            notice = LimitNotice(fault.retry_after, f"the vendor answered {answer.status} and asked for a pause")
        if notice is not None:
            self._limits.note(notice)

    def _judged(self, answer: Answer) -> ConnectorError | None:
        """What is wrong with an answer, with the wait that the vendor asks for."""
        try:
            fault = self._classify(answer) or _by_status(answer)
        except ConnectorError as error:
            fault = error
        if isinstance(fault, Retryable) and fault.retry_after is None:
            fault.retry_after = retry_after(answer, self._timing.now())
            if fault.retry_after is None and answer.status in self._limit_headers.throttled:
                fault.retry_after = self._limit_headers.pause
        return fault

    def _pause_or_raise(self, error: ConnectorError, course: _Course, call: _Call, *, may_repeat: bool) -> None:
        """Wait until the next attempt, or raise where there is none."""
        if not isinstance(error, Retryable) or isinstance(error, Changed):
            raise error from None
        if not may_repeat:
            raise Permanent(
                f"{error.message} Whether this {call.sending.method} was carried out is not known: look there "
                "before it is sent again.",
                self.connection,
            ) from None
        wait = self._wait(error, course.attempt)
        if wait is None or self._timing.clock() + wait > course.deadline:
            raise error from None
        _log.info("%s Attempt %d of %d; the next in %.1f s.", error, course.attempt, self._retries.attempts, wait)
        self._timing.sleep(wait)

    def _wait(self, error: Retryable, attempt: int) -> float | None:
        """Seconds until the next attempt; None when there is none."""
        if attempt >= self._retries.attempts:
            return None
        said, draw = error.retry_after, self._timing.draw()
        if said is None:
            return draw * min(self._retries.most, self._retries.first * 2.0 ** (attempt - 1))
        return None if said > self._retries.longest_wait else said + draw * min(1.0, said / 10)


def _by_status(answer: Answer) -> ConnectorError | None:
    """What a status means where the connector has nothing to say."""
    status, connection = answer.status, answer.connection
    if 200 <= status < 300 or status == _NOT_MODIFIED:
        return None
    said = f"{answer.told()}: {answer.excerpt() or 'nothing more'}"
    if status in {408, 425, 429} or status >= 500:
        return Retryable(said, connection)
    if status in {401, 403}:
        return NeedsHuman(f"{said} Check what this account may do, or sign in again.", connection)
    if 300 <= status < 400:
        return Permanent(f"{answer.told()}, a redirect, which is not followed.", connection)
    return Permanent(said, connection)
