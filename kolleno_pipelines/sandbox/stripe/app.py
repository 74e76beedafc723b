"""The API of a simulated Stripe over HTTP: keys, accounts, limits, lists, objects, writes once. No sums."""

from __future__ import annotations

import base64
import binascii
import hashlib
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kolleno_pipelines.sandbox.stripe import account, expansion, listing, parameters
from kolleno_pipelines.sandbox.stripe.access import AREAS, Key, Permission, StripeLimits
from kolleno_pipelines.sandbox.stripe.book import Json, Kind, kind_of
from kolleno_pipelines.sandbox.stripe.identities import object_id
from kolleno_pipelines.sandbox.stripe.ledger import Ledger
from kolleno_pipelines.sandbox.stripe.objects import API_VERSION, listed
from kolleno_pipelines.sandbox.stripe.reading import Reader
from kolleno_pipelines.sandbox.stripe.refusals import (
    ApiRefusalError,
    bad_key,
    json_response,
    limited,
    no_account,
    no_key,
    no_permission,
    no_such,
    refusal,
    unknown_address,
)
from kolleno_pipelines.sandbox.stripe.writes import can_write, write
from kolleno_pipelines.sandbox.vendor_clock import VendorClock

_KEY_LIFE, _LONGEST_KEY = timedelta(hours=24), 255
_SERVED = {each.value: each for each in listing.PARAMETERS}


@dataclass(frozen=True)
class _Asked:
    """One request that was let in."""

    request: Request
    key: Key
    reader: Reader
    request_id: str
    area: str
    identity: str | None


class StripeApi:
    """The accounts of one platform. `keys` may be added to; the first account is the platform's own."""

    def __init__(self, ledgers: Iterable[Ledger], clock: VendorClock, limits: StripeLimits) -> None:
        self.clock = clock
        self.limits = limits
        self.readers = {each.account_id: Reader(each) for each in ledgers}
        self.keys: dict[str, Key] = {}
        self._count = itertools.count(1)
        self._answered: dict[tuple[str, str], tuple[datetime, str, int, bytes]] = {}

    def asgi(self) -> Starlette:
        """Return the app with every address."""
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST", "DELETE"])])

    async def _answer(self, request: Request) -> Response:
        request_id = object_id("req", str(next(self._count)))
        try:
            asked = self._admitted(request, request_id)
            place = f"{request.method} {asked.area}{'' if asked.identity is None else '/id'}"
            reason = self.limits.refused(asked.reader.ledger.account_id, place)
            response = limited(reason) if reason else self._dispatched(asked, await request.body())
        except ApiRefusalError as error:
            response = error.response(request_id)
        response.headers["Request-Id"] = request_id
        response.headers["Stripe-Version"] = API_VERSION
        for name in ("Stripe-Account", "Idempotency-Key"):
            if request.headers.get(name):
                response.headers[name] = request.headers[name]
        return response

    def _admitted(self, request: Request, request_id: str) -> _Asked:
        """Find out who asks for what of which account."""
        secret = _secret(request)
        key = self.keys.get(secret)
        if key is None:
            raise bad_key(secret)
        account_id = request.headers.get("Stripe-Account", key.account_id)
        if account_id not in {key.account_id, *key.reaches}:
            raise no_account(secret, account_id)
        version = request.headers.get("Stripe-Version", API_VERSION)
        if version != API_VERSION:
            raise refusal(f"This sandbox speaks {API_VERSION} alone, not {version}.")
        parts = request.url.path.strip("/").split("/")
        single = {"account", "balance"}
        if parts[0] != "v1" or len(parts) not in {2, 3} or parts[1] not in AREAS or (parts[1] in single and parts[2:]):
            raise unknown_address(request.method, request.url.path)
        needed: Permission = "write" if request.method == "POST" else "read"
        if not key.may(parts[1], needed):
            raise no_permission(secret, account_id, f"rak_{AREAS[parts[1]]}_{needed}")
        reader = self.readers[account_id]
        return _Asked(request, key, reader, request_id, parts[1], parts[2] if len(parts) == 3 else None)

    def _dispatched(self, asked: _Asked, body: bytes) -> Response:
        ledger, now = asked.reader.ledger, self.clock.now
        if now > ledger.now:
            ledger.advance(now)
        if asked.request.method == "POST":
            return self._once(asked, body)
        if asked.request.method != "GET":
            raise unknown_address(asked.request.method, asked.request.url.path)
        query = parameters.nested(asked.request.query_params.multi_items())
        if asked.area in {"account", "balance"}:
            told = parameters.read(query, {"expand": parameters.texts})
            expansion.check(told.get("expand", []), asked.area, listed=False)
            return json_response(account.balance(ledger, now) if asked.area == "balance" else account.account(ledger))
        kind = _SERVED[asked.area]
        if asked.identity is None:
            return json_response(self._list(asked, kind, query, now))
        told = parameters.read(query, {"expand": parameters.texts})
        found = asked.reader.get(asked.identity, now) if kind_of(asked.identity) is kind else None
        if found is None or (kind is Kind.EVENTS and found["created"] < (now - listing.EVENT_DAYS).timestamp()):
            raise no_such(kind.word, asked.identity)
        return json_response(self._expanded(asked.reader, found, told.get("expand", []), kind, now))

    def _list(self, asked: _Asked, kind: Kind, query: Json, now: datetime) -> Json:
        told = parameters.read(query, listing.PARAMETERS[kind])
        page = listing.page(asked.reader, kind, told, now)
        found = listed(page.records, f"/v1/{kind.value}", has_more=page.has_more)
        return self._expanded(asked.reader, found, told.get("expand", []), kind, now, many=True)

    def _expanded(
        self, reader: Reader, found: Json, paths: list[str], kind: Kind, now: datetime, *, many: bool = False
    ) -> Json:
        def refunds(charge_id: str) -> Json:
            made = [each for each in reader.records(Kind.REFUNDS, now) if each["charge"] == charge_id]
            return listed(made[:10], f"/v1/charges/{charge_id}/refunds", has_more=len(made) > 10)

        for parts in expansion.check(paths, kind.word, listed=many):
            found = expansion.expanded(found, parts, lambda identity: reader.get(identity, now), refunds)
        return found

    def _once(self, asked: _Asked, body: bytes) -> Response:
        """Write, or repeat the answer that the same Idempotency-Key had within a day."""
        key, now = asked.request.headers.get("Idempotency-Key"), self.clock.now
        if key is None:
            return self._written(asked, body)
        if not 0 < len(key) <= _LONGEST_KEY:
            raise refusal(f"Idempotency keys have 1 to {_LONGEST_KEY} characters.", kind="idempotency_error")
        place = (asked.reader.ledger.account_id, key)
        pairs = sorted(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        mark = hashlib.sha256(f"{asked.request.url.path} {pairs}".encode()).hexdigest()
        before = self._answered.get(place)
        if before is None or before[0] + _KEY_LIFE <= now:
            try:
                response = self._written(asked, body)
            except ApiRefusalError as error:
                response = error.response(asked.request_id)
                if not error.executed:
                    return response
            self._answered[place] = (now, mark, response.status_code, bytes(response.body))
            return response
        if before[1] != mark:
            message = f"Keys for idempotent requests can only be used with the same parameters; '{key}' was used."
            raise refusal(message, kind="idempotency_error")
        headers = {"Idempotent-Replayed": "true"}
        return Response(before[3], status_code=before[2], media_type="application/json", headers=headers)

    def _written(self, asked: _Asked, body: bytes) -> Response:
        ledger, now = asked.reader.ledger, self.clock.now
        kind = _SERVED.get(asked.area)
        if kind is None or not can_write(kind, asked.identity):
            raise unknown_address("POST", asked.request.url.path)
        if ledger.now > now.replace(microsecond=0):
            message = "The sandbox's clock was set back: nothing can be written before what was written."
            raise refusal(message, status=409, code="lock_timeout")
        given = parameters.nested(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        paths = parameters.texts("expand", given["expand"]) if "expand" in given else []
        expansion.check(paths, kind.word, listed=False)
        with ledger.lock:
            made = write(ledger, kind, asked.identity, given, ledger.now)
        return json_response(self._expanded(asked.reader, made, paths, kind, now))


def _secret(request: Request) -> str:
    """The key of a request: as bearer, or as the user of a basic sign-in."""
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and rest.strip():
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest, validate=True).decode().split(":", 1)[0]
        except (binascii.Error, UnicodeDecodeError):
            raise no_key() from None
    raise no_key()
