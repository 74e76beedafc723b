"""The OAuth 2 server of a simulated vendor: an authorise page and a token endpoint. No API, no accounts' data."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from kolleno_pipelines.sandbox.vendor_clock import VendorClock

_CODE_LIFE = timedelta(minutes=5)


@dataclass(frozen=True)
class TokenRules:
    """How a vendor's tokens live.

    rotate_after: age from which a refresh replaces the refresh token; 0 replaces it at each use.
    grace: how long a replaced refresh token still works after the answer that replaced it.
    expiry_field: a field of the answer that tells the refresh token's life in seconds; empty where there is none.
    """

    access_life: timedelta
    refresh_life: timedelta
    rotate_after: timedelta = timedelta(0)
    grace: timedelta = timedelta(0)
    expiry_field: str = ""
    client_error_status: int = 401


@dataclass
class Grant:
    """What a user allowed: the scopes, and the vendor's own fields (for QuickBooks the company's realmId)."""

    scope: str
    extra: Mapping[str, str] = field(default_factory=dict)
    revoked: bool = False


@dataclass
class _Access:
    grant: Grant
    until: datetime


@dataclass
class _Refresh:
    grant: Grant
    issued: datetime
    until: datetime
    replaced_at: datetime | None = None


@dataclass
class _Code:
    grant: Grant
    until: datetime
    redirect_uri: str
    challenge: str


class VendorTokens:
    """Issues tokens to one app (`client_id`, `client_secret`) and knows which are good.

    mark: a text that every token and code contains, so that tests can search for them.
    allowed_scopes: what the app may ask for; None allows everything.
    extra: the vendor's own fields of a new grant, added to the redirect (`realmId`).
    """

    def __init__(
        self,
        clock: VendorClock,
        rules: TokenRules,
        *,
        client_id: str,
        client_secret: str,
        mark: str = "",
        allowed_scopes: frozenset[str] | None = None,
        extra: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self.clock = clock
        self.rules = rules
        self.client_id = client_id
        self.client_secret = client_secret
        self.allowed_scopes = allowed_scopes
        self.refreshes = 0
        self._mark = mark
        self._extra = extra
        self._lock = threading.RLock()
        self._codes: dict[str, _Code] = {}
        self._access: dict[str, _Access] = {}
        self._refresh: dict[str, _Refresh] = {}

    def issue(self, scope: str = "", extra: Mapping[str, str] | None = None) -> dict[str, str | int]:
        """Return the token answer of a new grant, as if a user had just signed in."""
        return self._answer(Grant(scope, self._extra() if extra is None else extra))

    def check(self, access_token: str) -> Grant | None:
        """Return the grant of an access token that is good now, else None."""
        with self._lock:
            access = self._access.get(access_token)
            good = access is not None and access.until > self.clock.now and not access.grant.revoked
            return access.grant if access is not None and good else None

    def bearer(self, request: Request) -> Grant | None:
        """Return the grant of a request's Authorization header, None where it is missing or no longer good."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        return self.check(token.strip()) if kind.lower() == "bearer" else None

    def expire_access(self) -> None:
        """End every access token now; refresh tokens go on."""
        with self._lock:
            self._access.clear()

    def revoke(self) -> None:
        """Take back everything that users allowed: nothing works until somebody signs in again."""
        with self._lock:
            for access in self._access.values():
                access.grant.revoked = True
            for refresh in self._refresh.values():
                refresh.grant.revoked = True

    def routes(self, authorize_path: str, token_path: str) -> list[Route]:
        """Return the two pages for the vendor's app."""
        return [
            Route(authorize_path, self._authorize_page, methods=["GET"]),
            Route(token_path, self._token_page, methods=["POST"]),
        ]

    async def _authorize_page(self, request: Request) -> Response:
        """Redirect to the callback at once: the user of the sandbox always agrees."""
        asked = request.query_params
        target = asked.get("redirect_uri", "")
        if asked.get("client_id") != self.client_id or asked.get("response_type") != "code" or not target:
            return PlainTextResponse("unauthorized_client", status_code=400)
        told = {"state": asked["state"]} if "state" in asked else {}
        scope = asked.get("scope", "")
        if self.allowed_scopes is not None and not set(scope.split()) <= self.allowed_scopes:
            return _redirect(target, {"error": "invalid_scope", **told})
        code = self._secret("code")
        grant = Grant(scope, self._extra())
        with self._lock:
            challenge = asked.get("code_challenge", "")
            self._codes[code] = _Code(grant, self.clock.now + _CODE_LIFE, target, challenge)
        return _redirect(target, {"code": code, **told, **grant.extra})

    async def _token_page(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        if not self._is_the_app(request, form):
            return JSONResponse({"error": "invalid_client"}, status_code=self.rules.client_error_status)
        kind = form.get("grant_type", "")
        if kind not in {"authorization_code", "refresh_token"}:
            return JSONResponse({"error": "unsupported_grant_type"}, status_code=400)
        with self._lock:
            answer = self._from_code(form) if kind == "authorization_code" else self._from_refresh(form)
        if answer is None:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    def _is_the_app(self, request: Request, form: Mapping[str, str]) -> bool:
        kind, _, packed = request.headers.get("authorization", "").partition(" ")
        name, secret = form.get("client_id", ""), form.get("client_secret", "")
        if kind.lower() == "basic":
            try:
                name, _, secret = base64.b64decode(packed, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return False
        return secrets.compare_digest(f"{name}:{secret}".encode(), f"{self.client_id}:{self.client_secret}".encode())

    def _from_code(self, form: Mapping[str, str]) -> dict[str, str | int] | None:
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or code.until <= self.clock.now or code.redirect_uri != form.get("redirect_uri"):
            return None
        if code.challenge and code.challenge != _challenge(form.get("code_verifier", "")):
            return None
        return self._answer(code.grant)

    def _from_refresh(self, form: Mapping[str, str]) -> dict[str, str | int] | None:
        token, now = form.get("refresh_token", ""), self.clock.now
        refresh = self._refresh.get(token)
        if refresh is None or refresh.until <= now or refresh.grant.revoked:
            return None
        if refresh.replaced_at is not None and now >= refresh.replaced_at + self.rules.grace:
            return None
        self.refreshes += 1
        if refresh.replaced_at is None and now - refresh.issued < self.rules.rotate_after:
            refresh.until = now + self.rules.refresh_life
            return self._answer(refresh.grant, token)
        refresh.replaced_at = refresh.replaced_at or now
        return self._answer(refresh.grant)

    def _answer(self, grant: Grant, kept: str | None = None) -> dict[str, str | int]:
        now, rules = self.clock.now, self.rules
        access, token = self._secret("access"), kept or self._secret("refresh")
        with self._lock:
            self._access[access] = _Access(grant, now + rules.access_life)
            if kept is None:
                self._refresh[token] = _Refresh(grant, now, now + rules.refresh_life)
        answer: dict[str, str | int] = {
            "token_type": "bearer",
            "access_token": access,
            "expires_in": int(rules.access_life.total_seconds()),
            "refresh_token": token,
        }
        if grant.scope:
            answer["scope"] = grant.scope
        if rules.expiry_field:
            answer[rules.expiry_field] = int(rules.refresh_life.total_seconds())
        return answer

    def _secret(self, kind: str) -> str:
        return f"{kind}-{self._mark}-{secrets.token_hex(16)}"


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _redirect(target: str, told: Mapping[str, str]) -> RedirectResponse:
    return RedirectResponse(f"{target}{'&' if '?' in target else '?'}{urlencode(told)}", status_code=302)
