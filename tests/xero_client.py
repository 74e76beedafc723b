"""A plain client of the sandbox Xero for tests, and the sandbox with every case in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import requests

from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.xero.access import WRITE_SCOPES, published_limits
from kolleno_pipelines.sandbox.xero.cases import LATER, Case, book_of_cases
from kolleno_pipelines.sandbox.xero.server import SandboxXero

#: When the cases were written, and a moment after all that happened later.
AT = datetime(2026, 2, 2, 9, 30, tzinfo=UTC)
NOW = AT + 2 * LATER


class Client:
    """Plain requests with the headers that the vendor wants."""

    def __init__(self, xero: SandboxXero, scope: str) -> None:
        self.xero = xero
        self.session = requests.Session()
        token = xero.sign_in(scope)["access_token"]
        self.session.headers.update(
            {"Authorization": f"Bearer {token}", "xero-tenant-id": xero.tenant_id, "Accept": "application/json"}
        )

    def ask(
        self,
        path: str,
        method: str = "GET",
        *,
        body: object = None,
        headers: Mapping[str, str | None] | None = None,
        **query: object,
    ) -> requests.Response:
        url = f"{self.xero.api_url}/{path}"
        return self.session.request(method, url, params=query, json=body, headers=headers, timeout=10)

    def records(self, path: str, headers: Mapping[str, str] | None = None, **query: object) -> list[dict[str, Any]]:
        answer = self.ask(path, headers=headers, **query)
        assert answer.status_code == 200, answer.text
        kind = path.split("/")[0]
        found: list[dict[str, Any]] = answer.json()["Organisations" if kind == "Organisation" else kind]
        return found


def message_of(answer: requests.Response) -> str:
    """The sentence of a refusal, which must be the vendor's validation error."""
    assert answer.status_code == 400, answer.text
    body = answer.json()
    assert (body["ErrorNumber"], body["Type"]) == (10, "ValidationException")
    message: str = body["Elements"][0]["ValidationErrors"][0]["Message"]
    return message


@contextmanager
def served_cases(**options: Any) -> Iterator[tuple[Client, dict[str, Case]]]:
    """A client of a sandbox that holds every case, with the published limits unless others are given."""
    book, cases = book_of_cases(AT)
    options = {"limits": published_limits()} | options
    with SandboxXero(book, clock=VendorClock(NOW), **options) as xero:
        client = Client(xero, WRITE_SCOPES)
        try:
            yield client, cases
        finally:
            client.session.close()
