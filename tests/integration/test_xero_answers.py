"""What Xero answers beside pages: limits, refusals, faults that pass, bodies that make no sense, lists in disorder."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.responses import HTMLResponse, JSONResponse, Response

from kolleno_pipelines.connectors.contract import Pass, Window
from kolleno_pipelines.connectors.errors import NeedsHuman, Permanent, Retryable
from kolleno_pipelines.connectors.xero import access
from kolleno_pipelines.connectors.xero.lists import modified_since
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.vendor_server import VendorFault
from kolleno_pipelines.sandbox.xero.access import (
    AT_ONCE_LIMIT,
    GRANULAR_SCOPES,
    LIMITS,
    REMAINING_HEADERS,
    TOKEN_RULES,
    published_limits,
)
from kolleno_pipelines.sandbox.xero.cases import Case, book_of_cases
from kolleno_pipelines.sandbox.xero.server import SandboxXero
from tests.xero_client import AT, NOW
from tests.xero_reading import API, INVOICES, cases, changes, read
from tests.xero_site import source_of

__all__ = ["cases"]


def test_the_limits_are_told_apart() -> None:
    book, _ = book_of_cases(AT)
    with SandboxXero(book, clock=VendorClock(NOW), limits=published_limits()) as xero:
        for window, words, longest in (
            ("minute", "the minute's requests to this organisation", 60),
            ("day", "the day's requests to this organisation", 86_400),
            ("appminute", "of the whole app", 60),
        ):
            xero.limits.use_up(xero.tenant_id, window)
            with pytest.raises(Retryable, match=words) as stopped:
                read(xero, "invoices", changes())
            assert stopped.value.retry_after is not None
            assert longest - 30 < stopped.value.retry_after <= longest
            xero.limits.use_up(xero.tenant_id, window, left=50)


def test_a_full_minute_is_tried_again_and_a_full_day_is_not(cases: tuple[SandboxXero, dict[str, Case]]) -> None:
    xero, _ = cases

    def limited(problem: str, wait: str | None) -> Callable[[], Response]:
        headers = {"X-Rate-Limit-Problem": problem} | ({"Retry-After": wait} if wait else {})
        return lambda: Response(status_code=429, headers=headers)

    for problem in ("minute", "concurrent"):
        xero.server.fail_next(API, limited(problem, "2"))
        assert read(xero, "invoices", changes()), problem
    before = len(xero.server.requests)
    xero.server.fail_next(API, limited("day", "66975"))
    with pytest.raises(Retryable) as stopped:
        read(xero, "invoices", changes())
    assert stopped.value.retry_after == 66_975
    assert len(xero.server.requests) == before + 1
    xero.server.fail_next(API, limited("day", None))
    with pytest.raises(Retryable) as stopped:
        read(xero, "invoices", changes())
    assert stopped.value.retry_after == 3_600
    xero.server.fail_next(API, limited("concurrent", None), 2)
    with pytest.raises(Retryable, match="at once") as stopped:
        read(xero, "invoices", changes())
    assert stopped.value.retry_after == 1


@pytest.mark.parametrize("form", ["json", "text", "query"])
def test_refused_access_asks_for_a_person_in_every_form(cases: tuple[SandboxXero, dict[str, Case]], form: Any) -> None:
    xero, _ = cases
    xero.api.error_form = form
    stranger = source_of(xero, tenant_id="another")
    with pytest.raises(NeedsHuman, match="tenant id") as refused:
        list(stranger.records(INVOICES, changes()))
    assert "kolleno connections login xero" in str(refused.value)
    with pytest.raises(NeedsHuman, match="lacks a scope"):
        list(source_of(xero, scope="accounting.contacts.read").records(INVOICES, changes()))
    xero.server.fail_next(API, 401, 2)
    with pytest.raises(NeedsHuman, match="does not hold any more"):
        read(xero, "invoices", changes())
    xero.tokens.expire_access()
    assert read(xero, "invoices", changes()), "another token is tried first"


def test_refusals_are_told_with_the_vendors_sentence(cases: tuple[SandboxXero, dict[str, Case]]) -> None:
    xero, _ = cases
    with pytest.raises(Permanent, match=r"IDs must be identifiers.*error 10"):
        read(xero, "invoices", Window(Pass.LOOKUP, None, NOW, ("no-guid",)))
    odd = {"ErrorNumber": 16, "Type": "QueryParseException", "Message": "No property or field 'X' exists"}
    xero.server.fail_next(API, lambda: JSONResponse(odd, 400))
    with pytest.raises(Permanent, match=r"No property or field 'X' exists \(error 16\)"):
        read(xero, "invoices", changes())
    xero.server.fail_next(API, lambda: HTMLResponse("A plain sentence", 400))
    with pytest.raises(Permanent, match="A plain sentence"):
        read(xero, "invoices", changes())


def test_passing_faults_are_tried_again(cases: tuple[SandboxXero, dict[str, Case]]) -> None:
    xero, _ = cases
    for fault in (500, 503, VendorFault.CUT):
        xero.server.fail_next(API, fault)
        assert read(xero, "invoices", changes()), fault
    xero.server.fail_next(API, 503, 5)
    with pytest.raises(Retryable, match="used up") as stopped:
        read(xero, "invoices", changes())
    assert stopped.value.retry_after == 60
    xero.server.clear_faults()
    xero.server.fail_next(API, 500, 5)
    with pytest.raises(Retryable):
        read(xero, "invoices", changes())
    xero.server.clear_faults()


@pytest.mark.parametrize(
    "body",
    [
        b"<html>maintenance</html>",
        b'{"Invoices":[{"InvoiceID":"1","UpdatedDateUTC":"yesterday"}]}',
        b'{"Invoices":[{"InvoiceID":"1"',
        b'"Invoices"',
    ],
)
def test_a_body_that_makes_no_sense_may_work_later(cases: tuple[SandboxXero, dict[str, Case]], body: bytes) -> None:
    xero, _ = cases
    xero.server.fail_next(API, lambda: Response(body, media_type="application/json"), 2)
    with pytest.raises(Retryable, match=r"cannot be read|not JSON"):
        read(xero, "invoices", changes())


def test_pages_that_lead_round_or_come_in_another_order_are_refused(cases: tuple[SandboxXero, dict[str, Case]]) -> None:
    xero, _ = cases

    def page(*stamps: int) -> Response:
        invoices = [{"InvoiceID": str(n), "UpdatedDateUTC": f"/Date({ms}+0000)/"} for n, ms in enumerate(stamps)]
        pagination = {"page": 1, "pageSize": 1000, "pageCount": 9, "itemCount": 9}
        return JSONResponse({"pagination": pagination, "Invoices": invoices})

    xero.server.fail_next(API, lambda: page(1_000, 1_000), 9)
    with pytest.raises(Permanent, match="lead round"):
        read(xero, "invoices", changes())
    xero.server.clear_faults()
    xero.server.fail_next(API, lambda: page(5_000, 1_000))
    with pytest.raises(Permanent, match="not in the order"):
        read(xero, "invoices", changes())


def test_an_answer_without_changes_is_empty(cases: tuple[SandboxXero, dict[str, Case]]) -> None:
    xero, _ = cases
    xero.server.fail_next(API, lambda: Response(status_code=304))
    assert read(xero, "invoices", changes(AT)) == []
    xero.server.fail_next(API, lambda: JSONResponse({"Invoices": []}))
    assert read(xero, "invoices", changes(AT)) == []


def test_the_header_is_in_utc_to_the_second() -> None:
    east = datetime.fromisoformat("2026-02-02T11:30:00.999+02:00")
    assert modified_since(east) == {"If-Modified-Since": "2026-02-02T09:29:59"}
    assert modified_since(datetime(2026, 1, 1, tzinfo=UTC)) == {"If-Modified-Since": "2025-12-31T23:59:59"}


def test_what_opens_the_source_is_what_the_vendor_publishes() -> None:
    assert set(access.SCOPES) | set(access.ALSO_SCOPES.values()) <= GRANULAR_SCOPES
    assert (TOKEN_RULES.grace, TOKEN_RULES.refresh_life) == (access.GRACE, access.REFRESH_LIFETIME)
    windows = {window.name: (window.requests, window.seconds) for window in LIMITS}
    (rate,), day = access.LIMITS.rates, access.LIMITS.day
    assert day is not None
    assert {"minute": (rate.limit, rate.period), "day": (day.limit, day.period)}.items() <= windows.items()
    assert access.LIMITS.slots == AT_ONCE_LIMIT
    periods = {REMAINING_HEADERS[name]: windows[name][1] for name in ("minute", "day")}
    assert dict(access.LIMIT_HEADERS.remaining) == periods
