"""One request and its answer over a kept-alive session (requests), within time-outs. It is repeated in http.py."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kolleno_pipelines.connectors.answers import Answer
from kolleno_pipelines.connectors.errors import ConnectorError, NeedsHuman, Permanent, Retryable

if TYPE_CHECKING:
    import requests

_CHUNK = 1 << 16
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_LOGGERS = ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry", "requests_oauthlib")
_QUERY = re.compile(r"\?[^\s\"'>]*")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, without a byte, and for a call with all its attempts and waits."""

    connect: float = 10.0
    read: float = 60.0
    whole: float = 600.0


@dataclass(frozen=True, slots=True)
class Sending:
    """What is sent; `authorisation` is the header's whole value."""

    method: str
    url: str
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    authorisation: str | None = field(default=None, repr=False)

    @property
    def place(self) -> str:
        """Scheme, host and path: what may be shown of the URL."""
        return place_of(self.url)


class NoAnswer(Exception):  # noqa: N818 - no error for callers: the client turns it into one of the connector's
    """A request without an answer; `is_unsent`: it certainly never reached the vendor. `received`: bytes that came."""

    def __init__(self, error: ConnectorError, *, is_unsent: bool, received: int = 0) -> None:
        super().__init__(str(error))
        self.error = error
        self.is_unsent = is_unsent
        self.received = received


class Wire:
    """The session with one vendor: connections kept alive in a pool, no redirect followed, no cookie, no netrc."""

    def __init__(
        self,
        connection: str,
        *,
        timeouts: Timeouts,
        pool: int,
        most_bytes: int,
        request_id_headers: tuple[str, ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from http.cookiejar import DefaultCookiePolicy

        import requests
        from requests.adapters import HTTPAdapter

        silence_queries()
        self.connection = connection
        self.timeouts = timeouts
        self._most_bytes = most_bytes
        self._request_id_headers = request_id_headers
        self._clock = clock
        self._session = requests.Session()
        self._session.headers["Accept-Encoding"] = "gzip, deflate"
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(pool_connections=1, pool_maxsize=pool, max_retries=0))

    def close(self) -> None:
        """Close the pool's connections."""
        self._session.close()

    def exchange(self, sending: Sending, deadline: float) -> Answer:
        """Send and read the whole answer before `deadline` (the clock's seconds). Raises NoAnswer."""
        import requests
        from urllib3.exceptions import HTTPError

        began = self._clock()
        fault: Exception | None = None
        received = 0
        try:
            response = self._session.request(
                sending.method,
                sending.url,
                params=dict(sending.params) or None,
                headers=dict(sending.headers),
                data=sending.body,
                auth=_Authorisation(sending.authorisation),
                timeout=self._timeout(deadline - began),
                allow_redirects=False,
                stream=True,
            )
            try:
                body = self._read(response, sending, deadline)
            finally:
                received = response.raw.tell()
                response.close()
        except (requests.RequestException, HTTPError, ValueError) as error:
            fault = error
        if fault is not None:
            # Raised here, without a context: requests' own texts hold URLs with their queries, and sometimes headers.
            raise self._lost(fault, sending, received)
        return self._answer(sending, response, body, began)

    def _answer(self, sending: Sending, response: requests.Response, body: bytes, began: float) -> Answer:
        request_id = next((found for name in self._request_id_headers if (found := response.headers.get(name))), None)
        return Answer(
            connection=self.connection,
            place=sending.place,
            status=response.status_code,
            headers=response.headers,
            body=body,
            request_id=request_id,
            elapsed=self._clock() - began,
            received=response.raw.tell(),
            hidden=_secrets_of(sending.authorisation),
        )

    def _timeout(self, left: float) -> tuple[float, float]:
        bound = max(left, 0.001)
        return min(self.timeouts.connect, bound), min(self.timeouts.read, bound)

    def _read(self, response: requests.Response, sending: Sending, deadline: float) -> bytes:
        """The decoded body. A vendor that sends a byte now and then, or without end, is left."""
        chunks: list[bytes] = []
        size = 0
        # read1 returns what one read of the socket gave: iter_content would wait for a whole chunk, however long.
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            chunks.append(chunk)
            size += len(chunk)
            if size > self._most_bytes:
                said = (
                    f"{sending.place} sent more than {self._most_bytes:,} bytes in one answer; ask for smaller pages."
                )
                raise NoAnswer(Permanent(said, self.connection), is_unsent=False, received=response.raw.tell())
            if self._clock() > deadline:
                said = f"{sending.place} was still sending after {self.timeouts.whole:g} s."
                raise NoAnswer(Retryable(said, self.connection), is_unsent=False, received=response.raw.tell())
        return b"".join(chunks)

    def _lost(self, error: Exception, sending: Sending, received: int) -> NoAnswer:
        """What stands in the way, in our own words."""
        import requests

        place = sending.place
        if isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
            said = f"The certificate of {place} is not trusted; check the address, this machine's clock and its proxy."
            return NoAnswer(NeedsHuman(said, self.connection), is_unsent=True)
        if isinstance(error, ValueError):
            said = f"No request can be made of what was to be sent to {place} ({type(error).__name__})."
            return NoAnswer(Permanent(said, self.connection), is_unsent=True)
        said = f"{place} {self._reason(error)}."
        return NoAnswer(Retryable(said, self.connection), is_unsent=_is_unsent(error), received=received)

    def _reason(self, error: Exception) -> str:
        import requests
        from urllib3.exceptions import DecodeError

        if isinstance(error, requests.ConnectTimeout):
            return f"did not take the connection within {self.timeouts.connect:g} s"
        if isinstance(error, requests.ReadTimeout) or "timed out" in str(error).lower():
            return f"sent nothing for {self.timeouts.read:g} s"
        if any(isinstance(cause, DecodeError) for cause in _causes(error)):
            return "sent an answer whose compression is broken"
        words = next(
            (cause.strerror for cause in _causes(error) if isinstance(cause, OSError) and cause.strerror), None
        )
        if _is_unsent(error):
            return f"cannot be reached ({words or 'no connection'})"
        return f"broke the connection off ({words or type(error).__name__})"


class _Authorisation:
    """Sets the header, and keeps requests from looking into a .netrc file for another."""

    def __init__(self, value: str | None) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._value is not None:
            request.headers["Authorization"] = self._value
        return request


class _WithoutQueries(logging.Filter):
    """Takes the queries out of what urllib3 logs: they may hold tokens and business data."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_without_query(value) for value in record.args)
        record.msg = _without_query(record.msg)
        return True


_WITHOUT_QUERIES = _WithoutQueries()


def silence_queries() -> None:
    """Keep what stands behind the `?` of a URL out of urllib3's log, whatever its level."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_WITHOUT_QUERIES)


def require_private(url: str, connection: str) -> None:
    """Raise NeedsHuman for an address that is not https:// (or of this machine): secrets go to no other."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise NeedsHuman(f"{place_of(url)} is no https:// address: secrets go to no other.", connection)


def place_of(url: str) -> str:
    """Scheme, host and path of a URL: no account, no query, no fragment."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{parts.path}"


def _without_query(value: Any) -> Any:
    if isinstance(value, str):
        return _QUERY.sub("?…", value)
    return _QUERY.sub("?…", str(value)) if isinstance(value, BaseException) else value


def _secrets_of(authorisation: str | None) -> tuple[str, ...]:
    return () if not authorisation else (authorisation, authorisation.rpartition(" ")[2])


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and everything that it was made of, outermost first."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]


def _is_unsent(error: BaseException) -> bool:
    """Tell whether no connection came about, so that the vendor knows nothing of the request."""
    import requests
    from urllib3.exceptions import NewConnectionError

    return isinstance(error, requests.ConnectTimeout) or any(isinstance(c, NewConnectionError) for c in _causes(error))
