"""A plain client of the sandbox QuickBooks for tests, and the sandbox with every case in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import requests

from kolleno_pipelines.sandbox.quickbooks.app import SCOPE, SandboxQuickBooks
from kolleno_pipelines.sandbox.quickbooks.book import QuickBooksBook
from kolleno_pipelines.sandbox.quickbooks.cases import Case, write_all
from kolleno_pipelines.sandbox.quickbooks.company_file import CompanyFile
from kolleno_pipelines.sandbox.quickbooks.wire import read_text
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.vendor_limits import VendorLimits
from tests.canaries import CANARY

AT = datetime(2026, 3, 6, 18, tzinfo=UTC)

DAY = date(2026, 3, 6)

SECRET = f"{CANARY}-app"

Json = dict[str, Any]


class Client:
    """A plain client of one sandbox; refusals are returned like any other answer."""

    def __init__(self, vendor: SandboxQuickBooks) -> None:
        self.vendor = vendor
        self.session = requests.Session()
        self.session.headers["Accept"] = "application/json"
        self.sign_in()

    def sign_in(self) -> None:
        token = self.vendor.tokens.issue(SCOPE)["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, **params: str) -> requests.Response:
        asked = {"minorversion": "75", **params}
        return self.session.get(self._url(path), params=asked, timeout=10)

    def post(self, path: str, body: Json, **params: str) -> requests.Response:
        return self.session.post(self._url(path), json=body, params={"minorversion": "75", **params}, timeout=10)

    def query(self, text: str) -> Json:
        answer = self.get("query", query=text)
        assert answer.status_code == 200, answer.text
        response: Json = read_text(answer.text)["QueryResponse"]
        return response

    def changes(self, entities: str, since: datetime) -> list[Json]:
        answer = self.get("cdc", entities=entities, changedSince=since.isoformat())
        assert answer.status_code == 200, answer.text
        parts: list[Json] = read_text(answer.text)["CDCResponse"][0]["QueryResponse"]
        return parts

    def wait(self, step: timedelta) -> datetime:
        """Move the vendor's clock and sign in again: an access token lives for an hour."""
        now = self.vendor.clock.advance(step)
        self.sign_in()
        return now

    def _url(self, path: str) -> str:
        return f"{self.vendor.url}/v3/company/{self.vendor.book.realm_id}/{path}"


def code_of(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["Fault"]["Error"][0]["code"]


@pytest.fixture
def cases() -> dict[str, Case]:
    return {}


@pytest.fixture
def client(cases: dict[str, Case]) -> Iterator[Client]:
    """A client of a company of its own that holds the cases; tests may write."""
    file = CompanyFile(QuickBooksBook(), AT - timedelta(days=40))
    cases.update(write_all(file, AT, DAY))
    clock = VendorClock(AT + timedelta(hours=1))
    with SandboxQuickBooks(file, clock=clock, limits=VendorLimits(), client_secret=SECRET, mark=CANARY) as vendor:
        made = Client(vendor)
        yield made
        made.session.close()
