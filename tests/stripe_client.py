"""A plain client of the sandbox Stripe for tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests

from kolleno_pipelines.sandbox.stripe.access import no_limits
from kolleno_pipelines.sandbox.stripe.cases import all_cases
from kolleno_pipelines.sandbox.stripe.ledger import Ledger
from kolleno_pipelines.sandbox.stripe.scenes import NOW, Case
from kolleno_pipelines.sandbox.stripe.server import SandboxStripe
from kolleno_pipelines.sandbox.vendor_clock import VendorClock

Json = dict[str, Any]


class Client:
    """Plain requests with a key, about one account."""

    def __init__(self, stripe: SandboxStripe, key: str = "", account_id: str = "") -> None:
        self.stripe = stripe
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {key or stripe.key}"
        if account_id:
            self.session.headers["Stripe-Account"] = account_id

    def ask(self, path: str, *, headers: Mapping[str, str] | None = None, **query: Any) -> requests.Response:
        """GET a path below /v1; parameters with brackets in their names come as one `params`."""
        params = query.pop("params", query)
        return self.session.get(f"{self.stripe.url}/v1/{path}", params=params, headers=headers, timeout=10)

    def got(self, path: str, **query: Any) -> Json:
        answer = self.ask(path, **query)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    def data(self, path: str, **query: Any) -> list[Json]:
        """Return every object of a list, page by page."""
        params = dict(query.pop("params", query))
        found: list[Json] = []
        while True:
            page = self.got(path, params={"limit": 100, **params})
            found.extend(page["data"])
            if not page["has_more"]:
                return found
            params["starting_after"] = page["data"][-1]["id"]

    def post(self, path: str, body: Mapping[str, object], *, key: str | None = None) -> requests.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.session.post(f"{self.stripe.url}/v1/{path}", data=body, headers=headers, timeout=10)


def error_of(answer: requests.Response, status: int = 400) -> Json:
    """The error of a refusal, which must have this status."""
    assert answer.status_code == status, answer.text
    error: Json = answer.json()["error"]
    assert error["message"]
    return error


@contextmanager
def served(*ledgers: Ledger, **options: Any) -> Iterator[Client]:
    """A client of a sandbox with these accounts, without limits unless some are given."""
    given: dict[str, Any] = {"limits": no_limits(), "clock": VendorClock(NOW)} | options
    with SandboxStripe(*ledgers, **given) as stripe:
        client = Client(stripe)
        yield client
        client.session.close()


@contextmanager
def served_cases(*more: Ledger, **options: Any) -> Iterator[tuple[Client, dict[str, Case]]]:
    """A client of a sandbox that has an account for every case, and more; `reconciled` is the platform's."""
    cases = all_cases()
    with served(*(case.ledger for case in cases.values()), *more, **options) as client:
        yield client, cases
