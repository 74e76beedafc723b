"""The vendor's own SDK on our HTTP client: it makes the requests, ours sends them within the account's turns.

The SDK repeats nothing (it would not repeat a 429), keeps no statistics, and sees no body that it could log.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import stripe

from kolleno_pipelines.connectors.answers import Answer
from kolleno_pipelines.connectors.errors import NeedsHuman
from kolleno_pipelines.connectors.http import HttpClient
from kolleno_pipelines.connectors.stripe.account import VERSION

#: The key is set by our client, which keeps it out of every message.
_NO_KEY = "set-by-the-http-client"
_DROPPED = frozenset({"authorization", "user-agent", "x-stripe-client-user-agent", "x-stripe-client-telemetry"})
_NOTHING = "{}"
#: What each object says of its mode, however deep it lies; inside a text the quotes would be escaped.
_MODE = {True: re.compile(rb'"livemode"\s*:\s*true'), False: re.compile(rb'"livemode"\s*:\s*false')}


class _Sender(stripe.HTTPClient):
    """Sends what the SDK asks for, and keeps the last answer, of which the SDK sees the status alone.

    It would read the body a second time, and log it whole at its level of debugging.
    """

    name = "kolleno"

    def __init__(self, http: HttpClient) -> None:
        super().__init__()
        self._http = http
        self.answer: Answer | None = None

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        kept = {name: value for name, value in (headers or {}).items() if name.lower() not in _DROPPED}
        body = post_data.encode() if isinstance(post_data, str) else post_data
        self.answer = self._http.request(method, url, headers=kept, body=body)
        return _NOTHING, self.answer.status, self.answer.headers

    def close(self) -> None:
        """The HTTP client is closed by who opened it."""


class Api:
    """Reads of one account. Not for several threads at once.

    is_live: says of which mode the key is, where that is known; an answer of the other one is refused.
    """

    def __init__(
        self, http: HttpClient, account_id: str | None = None, is_live: Callable[[], bool | None] = lambda: None
    ) -> None:
        stripe.enable_telemetry = False
        self._is_live = is_live
        self.connection = http.connection
        self._sender = _Sender(http)
        self._client = stripe.StripeClient(
            _NO_KEY,
            stripe_account=account_id,
            stripe_version=VERSION,
            base_addresses={"api": http.base_url},
            http_client=self._sender,
            max_network_retries=0,
        )

    def get(self, path: str, **parameters: Any) -> Answer:
        """Return the answer of a GET, its body as it came. Raises ConnectorError."""
        self._client.raw_request("get", path, **parameters)
        answer = self._sender.answer
        assert answer is not None  # noqa: S101 - raw_request sends or raises
        self._require_mode(answer)
        return answer

    def _require_mode(self, answer: Answer) -> None:
        is_live = self._is_live()
        if is_live is not None and _MODE[not is_live].search(answer.body):
            own, other = ("live", "test") if is_live else ("test", "live")
            raise NeedsHuman(
                f"{answer.told()} with objects of {other} mode, and the key is of {own} mode: what is between here and"
                " Stripe answers for another account. Look at api_url and at the proxy.",
                self.connection,
            )
