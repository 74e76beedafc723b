"""The accounting API of a simulated Xero over HTTP: access, limits, lists, single objects, writes. No tokens' lives."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from math import ceil
from uuid import uuid4

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.vendor_limits import AT_ONCE, VendorLimits
from kolleno_pipelines.sandbox.vendor_tokens import Grant, VendorTokens
from kolleno_pipelines.sandbox.xero.access import REMAINING_HEADERS, may
from kolleno_pipelines.sandbox.xero.book import Book
from kolleno_pipelines.sandbox.xero.contacts import Balances
from kolleno_pipelines.sandbox.xero.ledger import Ledger
from kolleno_pipelines.sandbox.xero.listing import Listing, check_parameters
from kolleno_pipelines.sandbox.xero.objects import CREDIT_KINDS, Kind, Record, object_id
from kolleno_pipelines.sandbox.xero.papers import LONGEST_NOTE, NOTED, Papers
from kolleno_pipelines.sandbox.xero.refusals import (
    JSON,
    ApiRefusalError,
    ErrorForm,
    json_response,
    limited,
    no_access,
    no_json_wanted,
    not_found,
    not_implemented,
    validation,
)
from kolleno_pipelines.sandbox.xero.rendering import full, json_text, lightweight, milliseconds, summary
from kolleno_pipelines.sandbox.xero.writes import Writes, items_of, read_body

API = "/api.xro/2.0"
_LONGEST_KEY = 128
_WRITE_METHODS = {"PUT", "POST", "DELETE"}
Show = Callable[[Kind, Record], Record]


class XeroApi:
    """One organisation's API. `error_form`: how 401 and 403 are worded; `work_seconds`: how long each answer takes.

    index_limit: how many records a list may make the vendor look through before it refuses.
    """

    def __init__(
        self, book: Book, clock: VendorClock, tokens: VendorTokens, limits: VendorLimits, *, index_limit: int
    ) -> None:
        self.clock = clock
        self.book = book
        self.tokens = tokens
        self.limits = limits
        self.ledger = Ledger(book)
        self.papers = Papers(book)
        self.tenant_id = object_id("Tenant", "1")
        self.error_form: ErrorForm = "json"
        self.work_seconds = 0.0
        self._listing = Listing(book, index_limit=index_limit)
        self._balances = Balances(book)
        self._writes = Writes(self.ledger)
        self._answered: dict[str, tuple[str, Response]] = {}
        self._texts: dict[tuple[int, str], tuple[Record, str]] = {}

    def asgi(self) -> Starlette:
        """Return the app with every address."""
        routes = [
            Route("/connections", self._connections, methods=["GET"]),
            Route(API + "/{kind}", self._answer, methods=["GET", "PUT", "POST"]),
            Route(API + "/{kind}/{identity}", self._answer, methods=["GET", "PUT", "POST"]),
            Route(API + "/{kind}/{identity}/{part}", self._answer, methods=["GET", "PUT", "POST"]),
            Route(API + "/{kind}/{identity}/{part}/{part_id}", self._answer, methods=["DELETE"]),
            *self.tokens.routes("/identity/connect/authorize", "/connect/token"),
        ]
        return Starlette(routes=routes, middleware=[Middleware(GZipMiddleware, compresslevel=1)])

    async def _connections(self, request: Request) -> Response:
        """Which organisations the token reaches. Needs no tenant."""
        if self.tokens.bearer(request) is None:
            return no_access(401, self.error_form).response
        organisation = self.book.records(Kind.ORGANISATION, self.clock.now)
        tenant = {
            "id": object_id("Connection", "1"),
            "authEventId": object_id("AuthEvent", "1"),
            "tenantId": self.tenant_id,
            "tenantType": "ORGANISATION",
            "tenantName": organisation[0]["Name"] if organisation else None,
            "createdDateUtc": "2026-01-01T00:00:00.0000000",
            "updatedDateUtc": "2026-01-01T00:00:00.0000000",
        }
        return json_response([tenant])

    async def _answer(self, request: Request) -> Response:
        """Let a request in or say why not; every answer tells what is left of the limits."""
        refusal = None
        try:
            grant = self._admitted(request)
            refusal = self.limits.enter(self.tenant_id)
            if refusal is not None:
                problem = "concurrent" if refusal.limit == AT_ONCE else refusal.limit
                response = limited(problem, max(1, ceil(refusal.retry_after)))
            else:
                try:
                    body = await request.body()
                    if self.work_seconds:
                        await asyncio.sleep(self.work_seconds)
                    response = self._dispatched(request, grant, body)
                finally:
                    self.limits.leave(self.tenant_id)
        except ApiRefusalError as error:
            response = error.response
        left = self.limits.remaining(self.tenant_id)
        response.headers.update(
            {name: str(left[window]) for window, name in REMAINING_HEADERS.items() if window in left}
        )
        return response

    def _admitted(self, request: Request) -> Grant:
        grant = self.tokens.bearer(request)
        if grant is None:
            raise no_access(401, self.error_form)
        if request.headers.get("xero-tenant-id") != self.tenant_id:
            raise no_access(403, self.error_form)
        if "application/json" not in request.headers.get("accept", ""):
            raise no_json_wanted()
        return grant

    def _dispatched(self, request: Request, grant: Grant, body: bytes) -> Response:
        kind = next((each for each in Kind if each.value == request.path_params["kind"]), None)
        if kind is None:
            raise not_found()
        part = request.path_params.get("part", "")
        writes = request.method in _WRITE_METHODS
        if not may(grant.scope, kind, write=writes, attachments=part == "Attachments"):
            raise no_access(403, self.error_form)
        if not writes:
            return self._read(kind, request, part)
        return self._once(request, body, lambda: self._written(kind, request, part, body))

    def _read(self, kind: Kind, request: Request, part: str) -> Response:
        query, now = dict(request.query_params), self.clock.now
        if len(query) != len(request.query_params.multi_items()):
            raise validation("A query parameter is given twice")
        identity = request.path_params.get("identity")
        if identity is None:
            page = self._listing.page(kind, query, request.headers.get("if-modified-since", ""), now)
            light = query.get("summaryOnly", "").lower() == "true"
            show = lightweight if light else summary if page.number is None else full
            texts = [self._text(kind, each, show, now) for each in page.records]
            return self._envelope(kind.list_name, texts, page.pagination if page.number else None)
        check_parameters(query, frozenset({"unitdp"}) if kind in {Kind.INVOICES, Kind.CREDIT_NOTES} else frozenset())
        record = self._found(kind, identity, now)
        if part == "History":
            history = self.papers.history(kind, record[kind.id_field], now)
            return self._envelope("HistoryRecords", map(json_text, history))
        if part == "Attachments":
            return self._envelope("Attachments", map(json_text, self.papers.attachments(kind, record[kind.id_field])))
        if part:
            raise not_found()
        return self._envelope(kind.list_name, [self._text(kind, record, full, now)])

    def _written(self, kind: Kind, request: Request, part: str, raw: bytes) -> Response:
        query, at = dict(request.query_params), self.clock.now
        check_parameters(query, frozenset({"summarizeErrors"}))
        summarize = query.get("summarizeErrors", "true").lower() != "false"
        identity, part_id = request.path_params.get("identity"), request.path_params.get("part_id")
        if request.method == "DELETE":
            if kind not in CREDIT_KINDS or part != "Allocations":
                raise not_implemented("DELETE is not there for this address")
            record = self._found(kind, identity or "", at)
            gone = self._writes.delete_allocation(kind, record[kind.id_field], part_id or "", at)
            return json_response(self._head() | gone)
        body = read_body(raw)
        if kind is Kind.PAYMENTS and identity is None:
            return self._answered_with(kind, self._writes.payments(body, at, summarize=summarize))
        if kind is Kind.PAYMENTS and identity and not part and request.method == "POST":
            self._found(kind, identity, at)
            return self._answered_with(kind, self._writes.delete_payment(identity, body, at))
        if kind is Kind.BATCH_PAYMENTS and not part and request.method == "POST":
            batch = self._found(kind, identity or str(body.get("BatchPaymentID")), at)
            return self._answered_with(kind, self._writes.delete_batch(batch[kind.id_field], body, at))
        if kind in CREDIT_KINDS and part == "Allocations" and request.method == "PUT":
            record = self._found(kind, identity or "", at)
            made = self._writes.allocations(kind, record[kind.id_field], body, at, summarize=summarize)
            return self._envelope("Allocations", map(json_text, made))
        if part == "History" and request.method == "PUT":
            return self._noted(kind, identity or "", body, at)
        raise not_implemented(f"{request.method} is not there for this address in the sandbox")

    def _noted(self, kind: Kind, identity: str, body: Record, at: datetime) -> Response:
        record = self.book.get(kind, identity, at)
        if record is None or kind not in NOTED:
            raise validation("The document with the supplied id was not found for this endpoint.")
        notes = [str(each.get("Details") or "") for each in items_of(body, "HistoryRecords")]
        if not all(0 < len(each) <= LONGEST_NOTE for each in notes):
            raise validation(f"Details must have 1 to {LONGEST_NOTE} characters")
        made = [self.papers.note(kind, identity, each, at) for each in notes]
        return self._envelope("HistoryRecords", map(json_text, made))

    def _once(self, request: Request, body: bytes, write: Callable[[], Response]) -> Response:
        """Write, or repeat the answer that the same Idempotency-Key had."""
        key = request.headers.get("idempotency-key")
        if key is None:
            return write()
        if not 0 < len(key) <= _LONGEST_KEY:
            raise validation(f"Idempotency-Key must have 1 to {_LONGEST_KEY} characters")
        asked = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode() + body).hexdigest()
        before = self._answered.get(key)
        if before is None:
            response = write()
            self._answered[key] = (asked, response)
            return response
        if before[0] != asked:
            raise validation("The Idempotency-Key was used before with another request")
        return Response(before[1].body, status_code=before[1].status_code, media_type=JSON)

    def _found(self, kind: Kind, identity: str, now: datetime) -> Record:
        """An object by its id, an invoice by its number and a contact by its too."""
        record = self.book.get(kind, identity, now)
        number = {Kind.INVOICES: "InvoiceNumber", Kind.CONTACTS: "ContactNumber"}.get(kind)
        if record is None and number:
            record = next((each for each in self.book.records(kind, now) if each[number] == identity), None)
        if record is None:
            raise not_found()
        return record

    def _text(self, kind: Kind, record: Record, show: Show, now: datetime) -> str:
        """An object as text; versions never change, so theirs is kept."""
        if kind is Kind.CONTACTS:
            return json_text(show(kind, self._balances.shown(record, now)))
        place = (id(record), show.__name__)
        kept = self._texts.get(place)
        if kept is None or kept[0] is not record:
            kept = self._texts[place] = (record, json_text(show(kind, record)))
        return kept[1]

    def _answered_with(self, kind: Kind, records: list[Record]) -> Response:
        """What was written; an item that was refused is sent back as it came, with its errors."""
        shown = [full(kind, each) if "UpdatedDateUTC" in each else each for each in records]
        return self._envelope(kind.list_name, map(json_text, shown))

    def _head(self) -> Record:
        stamp = f"/Date({milliseconds(self.clock.now.astimezone(UTC))})/"
        return {"Id": str(uuid4()), "Status": "OK", "ProviderName": "Sandbox", "DateTimeUTC": stamp}

    def _envelope(self, name: str, texts: Iterable[str], pagination: dict[str, int] | None = None) -> Response:
        head = self._head() | ({"pagination": pagination} if pagination else {})
        return Response(f'{json_text(head)[:-1]},"{name}":[{",".join(texts)}]}}', media_type=JSON)
