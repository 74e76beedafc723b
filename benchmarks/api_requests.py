"""5,000 requests to a simulated vendor with its published limits: how many of those that it grants are used.

The clock of vendor and limiter runs faster by the factor that the line states; 50 ms are added to each answer in real
time. Turning payloads into rows is payload_rows.py's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from benchmarks.lines import Line
from benchmarks.site import Site
from kolleno_pipelines.connectors.http import HttpClient, Retries, Timing
from kolleno_pipelines.connectors.quickbooks import account
from kolleno_pipelines.connectors.quickbooks.client import MINOR_VERSION
from kolleno_pipelines.connectors.quickbooks.client import classify as classify_quickbooks
from kolleno_pipelines.connectors.rate_limits import AccountLimits, DayLimit
from kolleno_pipelines.connectors.xero import access
from kolleno_pipelines.connectors.xero.client import classify as classify_xero
from kolleno_pipelines.sandbox.quickbooks import app as quickbooks_app
from kolleno_pipelines.sandbox.quickbooks.book import QuickBooksBook
from kolleno_pipelines.sandbox.quickbooks.company_file import CompanyFile
from kolleno_pipelines.sandbox.vendor_limits import LimitWindow, VendorLimits
from kolleno_pipelines.sandbox.xero.book import Book
from kolleno_pipelines.sandbox.xero.chart import set_up
from kolleno_pipelines.sandbox.xero.contacts import contact
from kolleno_pipelines.sandbox.xero.ledger import Ledger
from kolleno_pipelines.sandbox.xero.objects import Kind, invoice
from kolleno_pipelines.sandbox.xero.server import SandboxXero
from kolleno_pipelines.storage.rate_limits import SharedLimits

REQUESTS = 5_000
LATENCY = 0.05
_ROWS = 100
_AT = datetime(2026, 2, 2, 9, 30, tzinfo=UTC)
_DAY = date(2026, 2, 1)


@dataclass(frozen=True)
class _Vendor:
    """A running vendor: how one page of 100 rows is asked for, what it allows in a minute, what it counted."""

    name: str
    ask: Callable[[], object]
    per_minute: int
    at_once: int
    factor: float
    limits: VendorLimits


def measure_quickbooks(site: Site, repeats: int) -> list[Line]:
    """10 a second and 500 a minute, 10 at once; the clock runs 10 times faster."""
    del repeats  # one run has its 5,000 requests, and takes a minute
    with _quickbooks(site) as vendor:
        return _measured(vendor)


def measure_xero(site: Site, repeats: int) -> list[Line]:
    """60 a minute, 5 at once, the day limit raised; the clock runs 20 times faster."""
    del repeats
    with _xero(site) as vendor:
        return _measured(vendor)


def _measured(vendor: _Vendor) -> list[Line]:
    began = time.monotonic()
    with ThreadPoolExecutor(vendor.at_once) as threads:
        list(threads.map(lambda _: vendor.ask(), range(REQUESTS)))
    minutes = (time.monotonic() - began) * vendor.factor / 60
    granted = vendor.per_minute * minutes
    note = f"{REQUESTS:,} requests in {minutes * 60 / vendor.factor:.0f} s, clock x{vendor.factor:g}"
    refused = vendor.limits.refused
    unused = 100 * (1 - REQUESTS / granted)
    return [
        Line(f"{vendor.name}_turns_unused", unused, "%", 10.0, note),
        Line(f"{vendor.name}_refused", 100 * refused / (REQUESTS + refused), "%", 1.0, "answered 429"),
    ]


@contextmanager
def _quickbooks(site: Site) -> Iterator[_Vendor]:
    factor = 10.0
    file = _file()
    allowed = quickbooks_app.published_limits(factor)
    with quickbooks_app.SandboxQuickBooks(file, limits=allowed, seconds_per_answer=LATENCY) as served:
        token = str(served.tokens.issue(quickbooks_app.SCOPE)["access_token"])
        with _client(site, "quickbooks", served.url, token, account.LIMITS, factor) as http:
            query = {"query": f"SELECT * FROM Customer MAXRESULTS {_ROWS}", "minorversion": MINOR_VERSION}
            path = f"/v3/company/{file.book.realm_id}/query"
            yield _Vendor("quickbooks", lambda: http.get(path, query), 500, 10, factor, allowed)


def _file() -> CompanyFile:
    file = CompanyFile(QuickBooksBook(), _AT)
    for number in range(_ROWS):
        file.add_customer(_AT, f"Customer {number}")
    return file


@contextmanager
def _xero(site: Site) -> Iterator[_Vendor]:
    factor = 20.0
    book = Book()
    ledger = Ledger(book)
    set_up(ledger, _AT - timedelta(days=1))
    who = book.put(Kind.CONTACTS, contact("shop", "Shop"), _AT - timedelta(days=1))
    for number in range(_ROWS):
        ledger.enter(Kind.INVOICES, invoice(f"I{number}", who, Decimal(10), _DAY, due=_DAY), _AT)
    allowed = VendorLimits((LimitWindow("minute", 60, 60),), at_once=5, factor=factor)
    limits = AccountLimits(access.LIMITS.rates, slots=access.LIMITS.slots, day=DayLimit(100_000))
    with SandboxXero(book, limits=allowed, seconds_per_answer=LATENCY) as served:
        token = served.sign_in(" ".join(access.SCOPES))["access_token"]
        with _client(site, "xero", served.url, token, limits, factor) as http:
            headers = access.headers_of(served.tenant_id)
            page = {"page": "1", "pageSize": str(_ROWS)}
            path = "/api.xro/2.0/Invoices"
            yield _Vendor("xero", lambda: http.get(path, page, headers=headers), 60, 5, factor, allowed)


@contextmanager
def _client(site: Site, name: str, url: str, token: str, limits: AccountLimits, factor: float) -> Iterator[HttpClient]:
    classify = {"quickbooks": classify_quickbooks, "xero": classify_xero}[name]
    deployment = site.begin_afresh()
    with (
        SharedLimits(deployment.database_url, f"bench {name}", limits, clock_factor=factor, counted_for=name) as shared,
        HttpClient(
            name,
            url,
            classify=classify,
            authorise=lambda _: f"Bearer {token}",
            limits=shared,
            retries=Retries(attempts=5),
            timing=Timing(sleep=lambda seconds: time.sleep(seconds / factor)),
        ) as http,
    ):
        yield http
