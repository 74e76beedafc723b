"""The connector's client of a sandbox Stripe that never sleeps, and a look at what it sends. No assertions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from kolleno_pipelines.connectors.contract import Pass, Record, Window
from kolleno_pipelines.connectors.http import HttpClient, Retries, Timing
from kolleno_pipelines.connectors.keys import KeyAuthoriser
from kolleno_pipelines.connectors.stripe import account
from kolleno_pipelines.connectors.stripe.client import StripeSource, classify
from kolleno_pipelines.connectors.stripe.connector import STRIPE
from kolleno_pipelines.sandbox.stripe.scenes import NOW
from kolleno_pipelines.sandbox.stripe.server import SandboxStripe

ATTEMPTS = 3


class Source:
    """The connector's client of one account, which never sleeps; waits: the seconds that it would have."""

    def __init__(self, vendor: SandboxStripe, key: str = "", account_id: str | None = None) -> None:
        self.key = key or vendor.key
        self.waits: list[float] = []
        self.http = HttpClient(
            "stripe",
            vendor.url,
            classify=classify,
            authorise=KeyAuthoriser("stripe", lambda: f"Bearer {self.key}"),
            limit_headers=account.LIMIT_HEADERS,
            request_id_headers=account.REQUEST_ID_HEADERS,
            retries=Retries(attempts=ATTEMPTS),
            timing=Timing(sleep=self.waits.append, draw=lambda: 0.0),
        )
        self.source = StripeSource(self.http, account_id, lambda: account.is_live(self.key))

    def read(
        self, extract: str, after: datetime | None = None, until: datetime = NOW, ids: tuple[str, ...] = ()
    ) -> list[Record]:
        window = Window(Pass.LOOKUP if ids else Pass.CHANGES, after, until, ids)
        return list(self.source.records(STRIPE.extract(extract), window))

    def ids(self, extract: str, *window: Any) -> list[str]:
        return [record.source_id for record in self.read(extract, *window)]


class Watching:
    """Keeps the headers of each request, and does something before some are answered."""

    def __init__(self, app: ASGIApp, path: str = "", before: Callable[[], object] = lambda: None) -> None:
        self._app, self._path, self._before = app, path, before
        self.headers: list[dict[str, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.headers.append({name.decode().lower(): value.decode() for name, value in scope["headers"]})
        if scope["path"] == self._path:
            self._before()
        await self._app(scope, receive, send)
