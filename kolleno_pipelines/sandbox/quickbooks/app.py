"""The QuickBooks API over HTTP: who may ask, which page answers, how bodies look. What they say is in the others."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kolleno_pipelines.sandbox.quickbooks import cdc, queries, writes
from kolleno_pipelines.sandbox.quickbooks.book import KINDS, SINGLE_KINDS
from kolleno_pipelines.sandbox.quickbooks.company_file import CompanyFile
from kolleno_pipelines.sandbox.quickbooks.refusals import QuickBooksRefusal, throttled
from kolleno_pipelines.sandbox.quickbooks.wire import Json, answer_time, read_text, to_text
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.vendor_limits import LimitWindow, VendorLimits
from kolleno_pipelines.sandbox.vendor_server import ServedVendor, VendorServer
from kolleno_pipelines.sandbox.vendor_tokens import TokenRules, VendorTokens

AUTHORIZE_PATH = "/connect/oauth2"
TOKEN_PATH = "/oauth2/v1/tokens/bearer"  # noqa: S105 - a path
SCOPE = "com.intuit.quickbooks.accounting"
_PATHS = {kind.lower(): kind for kind in KINDS}
_EVERYWHERE = frozenset({"minorversion", "requestid"})
_OPERATIONS = {"": "create", "update": "update", "delete": "delete", "void": "void"}


def published_limits(factor: float = 1.0) -> VendorLimits:
    """Return the limits of one company and app: 10 a second, 500 a minute, 10 at once; `factor` runs them faster."""
    return VendorLimits((LimitWindow("second", 1, 10), LimitWindow("minute", 60, 500)), at_once=10, factor=factor)


def token_rules() -> TokenRules:
    """Return how tokens live: an hour; a refresh token changes after a day and dies after 100 days without use."""
    day = timedelta(days=1)
    return TokenRules(
        timedelta(hours=1), 100 * day, rotate_after=day, grace=day, expiry_field="x_refresh_token_expires_in"
    )


class SandboxQuickBooks(ServedVendor):
    """Serves the books of one company: the API below /v3/company/{realm_id}, the token endpoint at TOKEN_PATH.

    limits: None is what the vendor publishes; `VendorLimits()` has none. throttle_status: 429, or 403 as in older days.
    mark: a text in every token. The app's credentials are `client_id` and `client_secret`.
    """

    def __init__(
        self,
        file: CompanyFile,
        *,
        clock: VendorClock | None = None,
        limits: VendorLimits | None = None,
        client_id: str = "sandbox-app",
        client_secret: str = "sandbox-secret",  # noqa: S107 - of the sandbox alone
        mark: str = "",
        port: int = 0,
        seconds_per_answer: float = 0.0,
    ) -> None:
        self.file = file
        self.book = file.book
        self.clock = clock or VendorClock()
        self.limits = published_limits() if limits is None else limits
        self.throttle_status = 429
        self.tokens = VendorTokens(
            self.clock,
            token_rules(),
            client_id=client_id,
            client_secret=client_secret,
            mark=mark,
            allowed_scopes=frozenset({SCOPE, "openid", "email", "profile"}),
            extra=lambda: {"realmId": self.book.realm_id},
        )
        self._done: dict[str, Json] = {}
        self._calls = itertools.count(1)
        pages = Route("/v3/company/{realm}/{rest:path}", self._page, methods=["GET", "POST"])
        app = Starlette(routes=[pages, *self.tokens.routes(AUTHORIZE_PATH, TOKEN_PATH)])
        super().__init__(VendorServer(app, port=port, seconds_per_answer=seconds_per_answer, refusal=self._refused))

    @property
    def api_requests(self) -> int:
        """How many requests came to the API, tokens apart."""
        return self.server.count("/v3/")

    def fault(
        self, code: int, detail: str = "The sandbox was told to.", *, status: int = 200
    ) -> Callable[[], Response]:
        """Return an answer for `server.fail_next`: a Fault inside a 200, or with another status."""
        return lambda: self._said(QuickBooksRefusal(code, detail, status=status))

    async def _page(self, request: Request) -> Response:
        realm = request.path_params["realm"]
        try:
            self._admit(request, realm)
            refusal = self.limits.enter(realm)
            if refusal is not None:
                raise throttled(self.throttle_status)
            try:
                return self._answer(request, await self._result(request))
            finally:
                self.limits.leave(realm)
        except QuickBooksRefusal as refused:
            return self._said(refused)

    def _admit(self, request: Request, realm: str) -> None:
        grant = self.tokens.bearer(request)
        if grant is None:
            raise QuickBooksRefusal(3200, "Token expired, revoked or missing")
        if grant.extra.get("realmId") != realm or realm != self.book.realm_id:
            raise QuickBooksRefusal(3201, "The user has not authorised the app for this company")

    async def _result(self, request: Request) -> Json:
        parts = request.path_params["rest"].split("/")
        asked = request.query_params
        if asked.get("minorversion") and not asked["minorversion"].isdigit():
            raise QuickBooksRefusal(2080, "minorversion is not a number", element="minorversion")
        if parts == ["query"]:
            return self._query(await _query_text(request))
        if parts == ["cdc"] and request.method == "GET":
            _only(asked, {"entities", "changedSince"})
            for name in ("entities", "changedSince"):
                if not asked.get(name):
                    raise QuickBooksRefusal(2020, f"Required parameter {name} is missing in the request", element=name)
            return cdc.changes(self.book, asked["entities"], asked["changedSince"], self.clock.now)
        kind = _PATHS.get(parts[0])
        if kind is None or len(parts) > 2:
            raise QuickBooksRefusal(500, f"Operation on {parts[0]} is not supported")
        if request.method == "GET":
            _only(asked, set())
            return self._one(kind, parts[1:])
        _only(asked, {"operation", "include"})
        return self._write(kind, await request.body(), asked)

    def _query(self, text: str) -> Json:
        query = queries.parse(text)
        objects = self.book.objects(query.kind, self.clock.now)
        return {"QueryResponse": queries.answer(query, objects, self.book.zone)}

    def _one(self, kind: str, ids: list[str]) -> Json:
        if kind in SINGLE_KINDS and (ids in ([], [self.book.realm_id])):
            ids = ["1"]
        found = self.book.one(kind, ids[0], self.clock.now) if ids else None
        if found is None:
            raise QuickBooksRefusal(610, f"Object Not Found : {kind} was not found. It may have been deleted.")
        return {kind: found}

    def _write(self, kind: str, raw: bytes, asked: Mapping[str, str]) -> Json:
        request_id = asked.get("requestid", "")
        if request_id in self._done:
            return self._done[request_id]
        try:
            body = read_text(raw)
        except ValueError:
            raise QuickBooksRefusal(500, "The body is no JSON in UTF-8") from None
        if not isinstance(body, dict):
            raise QuickBooksRefusal(2010, "The body is not an object")
        operation = _OPERATIONS.get(asked.get("operation", ""))
        if operation is None:
            raise QuickBooksRefusal(500, "The operation is not supported")
        if operation == "create" and "Id" in body:
            operation = "update"
        if asked.get("include") == "void" and operation == "update" and body.get("sparse") is True:
            operation = "void"
        now = self.clock.now.replace(microsecond=0)
        if self.book.last_at is not None and now < self.book.last_at:
            raise QuickBooksRefusal(10000, "The sandbox's clock stands before the last entry of its books.")
        answer = {kind: writes.post(self.file, kind, body, operation, now)}
        if request_id:
            self._done[request_id] = answer
        return answer

    def _answer(self, request: Request, result: Json) -> Response:
        accept = request.headers.get("accept", "*/*")
        if "json" not in accept:
            return self._response('<?xml version="1.0" encoding="UTF-8"?><IntuitResponse/>', 200, "application/xml")
        time = answer_time(self.clock.now, self.book.zone)
        return self._response(to_text({**result, "time": time}), 200)

    def _said(self, refused: QuickBooksRefusal) -> Response:
        return self._response(to_text(refused.body(answer_time(self.clock.now, self.book.zone))), refused.status)

    def _refused(self, status: int) -> Response:
        """The answer to a status that a test demanded."""
        if status in {403, 429}:
            return self._said(throttled(status))
        code = {401: 3200}.get(status, 10000)
        return self._said(QuickBooksRefusal(code, "The sandbox was told to.", status=status))

    def _response(self, text: str, status: int, media_type: str = "application/json") -> Response:
        headers = {"intuit_tid": f"1-{next(self._calls):08x}-{secrets.token_hex(12)}"}
        return Response(text, status, headers, media_type)


async def _query_text(request: Request) -> str:
    if request.method == "GET":
        _only(request.query_params, {"query"})
        text = request.query_params.get("query", "")
    else:
        _only(request.query_params, set())
        if request.headers.get("content-type", "").split(";")[0].strip() != "application/text":
            raise QuickBooksRefusal(500, "A query is posted as application/text")
        text = (await request.body()).decode()
    if not text.strip():
        raise QuickBooksRefusal(2020, "Required parameter query is missing in the request", element="query")
    return text


def _only(asked: Mapping[str, str], allowed: set[str]) -> None:
    for name in asked:
        if name not in _EVERYWHERE | allowed:
            raise QuickBooksRefusal(2010, f"Query parameter {name} is unsupported", element=name)
