"""The vendor's own SDK on our HTTP client: it makes the requests, ours sends them within the account's turns.

The SDK repeats nothing (it would not repeat a 429), keeps no statistics, and its log of bodies is shut.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import stripe

from kolleno_pipelines.connectors.answers import Answer
from kolleno_pipelines.connectors.http import HttpClient
from kolleno_pipelines.connectors.stripe.account import VERSION

#: The key is set by our client, which keeps it out of every message.
_NO_KEY = "set-by-the-http-client"
_DROPPED = frozenset({"authorization", "user-agent", "x-stripe-client-user-agent"})


class _Sender(stripe.HTTPClient):
    """Sends what the SDK asks for; keeps the last answer, of which the SDK passes on the text alone."""

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
        return self.answer.body.decode("utf-8", "replace"), self.answer.status, self.answer.headers

    def close(self) -> None:
        """The HTTP client is closed by who opened it."""


class Api:
    """Reads of one account. Not for several threads at once."""

    def __init__(self, http: HttpClient, account_id: str | None = None) -> None:
        logging.getLogger("stripe").setLevel(logging.WARNING)  # below it, the SDK logs whole bodies
        stripe.enable_telemetry = False
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
        return answer
