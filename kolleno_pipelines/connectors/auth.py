"""OAuth 2 with a vendor: the authorisation-code flow and access tokens that are renewed in time (Authlib).

Where tokens are kept does not belong here (a TokenStore comes in), nor what a person sees when signing in.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from kolleno_pipelines.connectors.answers import shown
from kolleno_pipelines.connectors.errors import NeedsHuman, Retryable
from kolleno_pipelines.connectors.exchange import Timeouts, place_of, require_private, silence_queries
from kolleno_pipelines.schemas.tokens import GrantRefusedError, Tokens

__all__ = ["Authoriser", "Consent", "GrantRefusedError", "OAuthApp", "TokenStore", "Tokens", "exchange_code"]

#: An access token is renewed so long before its end: a request that is under way should not outlive it.
MARGIN = timedelta(minutes=2)
_ATTEMPTS = 3
_PAUSE = 1.0
#: All attempts together take less than storage keeps the lock of a refresh.
_TIMEOUTS = Timeouts(connect=10.0, read=20.0, whole=100.0)
_REFRESH_ENDS = ("x_refresh_token_expires_in", "refresh_token_expires_in")


@dataclass(frozen=True)
class OAuthApp:
    """What a vendor's OAuth needs to know of us and we of it; a connector makes it from its connection.

    client_secret: gives the secret when it is needed, so that it lies nowhere.
    redirect_ports: the ports of `http://localhost:PORT/callback` registered with the vendor (0: any free one).
    redirect_uri: what is registered instead where the vendor takes no address of this machine; a person pastes it back.
    kept_from_redirect: parameters of the redirect beside the code that say which account it is (`realmId`).
    grace: how long a used refresh token still works (None: not at all, or not said): with it, a lost answer is asked
    for again.
    refresh_lifetime: how long an unused refresh token works, where the answers do not say.
    sign_in_lifetime: after how long a person must sign in again, however much the tokens are used (None: never).
    """

    authorise_url: str
    token_url: str
    client_id: str
    client_secret: Callable[[], str] = field(repr=False)
    scopes: tuple[str, ...]
    redirect_ports: tuple[int, ...] = (8765,)
    redirect_uri: str | None = None
    kept_from_redirect: tuple[str, ...] = ()
    grace: timedelta | None = None
    refresh_lifetime: timedelta | None = None
    sign_in_lifetime: timedelta | None = None
    uses_pkce: bool = True


class TokenStore(Protocol):
    """The tokens of one connection, shared by all processes."""

    def read(self) -> Tokens:
        """The tokens as they are. Raises NeedsHuman when nobody signed in, or somebody must do so again."""
        ...

    def renew(self, is_stale: Callable[[Tokens], bool], refresh: Callable[[Tokens], Tokens]) -> Tokens:
        """Under the connection's lock: the stored tokens if they are no longer stale, else what `refresh` gives, saved.

        `refresh` may raise GrantRefusedError: the connection then needs a person, and NeedsHuman says so.
        """
        ...


class Authoriser:
    """Gives the Authorization header of one connection (`http.Authorise`): renews tokens before they end or on a 401.

    Threads may share it.
    """

    def __init__(
        self,
        connection: str,
        app: OAuthApp,
        store: TokenStore,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._connection = connection
        self._app = app
        self._store = store
        self._now = now
        self._sleep = sleep
        self._timeouts = timeouts or _TIMEOUTS
        self._lock = threading.Lock()
        self._tokens: Tokens | None = None

    def __call__(self, rejected: str | None = None) -> str:
        """Return `Bearer ...`, another one than was `rejected`. Raises NeedsHuman, Retryable."""
        with self._lock:
            tokens = self._tokens or self._store.read()
            if self._is_stale(tokens, rejected):
                tokens = self._store.renew(lambda stored: self._is_stale(stored, rejected), self._refresh)
            self._tokens = tokens
            return _bearer(tokens)

    def _is_stale(self, tokens: Tokens, rejected: str | None) -> bool:
        return tokens.expires_at - self._now() < MARGIN or _bearer(tokens) == rejected

    def _refresh(self, tokens: Tokens) -> Tokens:
        """Ask for new tokens, again where the vendor gives grace and the answer was lost. Raises GrantRefusedError."""
        if tokens.refresh_token is None:
            raise GrantRefusedError("the vendor gave no refresh token")
        attempt = 1
        while True:
            try:
                return _ask(
                    self._connection,
                    self._app,
                    lambda session, **sent: session.refresh_token(refresh_token=tokens.refresh_token, **sent),
                    now=self._now,
                    timeouts=self._timeouts,
                    before=tokens,
                )
            except Retryable:
                if self._app.grace is None or attempt == _ATTEMPTS:
                    raise
            self._sleep(random.uniform(0, _PAUSE * 2.0 ** (attempt - 1)))  # noqa: S311 - spreads the attempts
            attempt += 1


@dataclass(frozen=True)
class Consent:
    """One run of the authorisation-code flow: the page that a person opens, and what its redirect must bring back."""

    redirect_uri: str
    url: str = field(repr=False)
    state: str = field(repr=False)
    code_verifier: str | None = field(repr=False)

    @classmethod
    def ask(cls, app: OAuthApp, redirect_uri: str) -> Consent:
        """Make a state and, where the vendor takes PKCE, a verifier, and the page's URL with them."""
        from secrets import token_urlsafe

        verifier = token_urlsafe(64) if app.uses_pkce else None
        with _session(app, redirect_uri, "") as session:
            url, state = session.create_authorization_url(
                app.authorise_url, state=token_urlsafe(32), code_verifier=verifier
            )
        return cls(redirect_uri, url, state, verifier)


def exchange_code(
    connection: str,
    app: OAuthApp,
    consent: Consent,
    code: str,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    timeouts: Timeouts | None = None,
) -> Tokens:
    """The tokens that a redirect's code stands for. Raises NeedsHuman, Retryable."""
    more = {} if consent.code_verifier is None else {"code_verifier": consent.code_verifier}
    try:
        return _ask(
            connection,
            app,
            lambda session, **sent: session.fetch_token(
                grant_type="authorization_code", code=code, redirect_uri=consent.redirect_uri, **more, **sent
            ),
            now=now,
            timeouts=timeouts or _TIMEOUTS,
        )
    except GrantRefusedError as refused:
        said = f"{place_of(app.token_url)} did not take the code of this sign-in ({refused}); begin again."
    raise NeedsHuman(said, connection)


def _session(app: OAuthApp, redirect_uri: str | None, secret: str) -> Any:
    from authlib.integrations.requests_client import OAuth2Session  # type: ignore[import-untyped]

    return OAuth2Session(
        app.client_id,
        secret or None,
        scope=" ".join(app.scopes) if redirect_uri is not None else None,
        redirect_uri=redirect_uri,
        code_challenge_method="S256",
        token_endpoint=app.token_url,
    )


def _ask(
    connection: str,
    app: OAuthApp,
    send: Callable[..., Mapping[str, Any]],
    *,
    now: Callable[[], datetime],
    timeouts: Timeouts,
    before: Tokens | None = None,
) -> Tokens:
    """One request to the token endpoint. What goes wrong is told in our words: the libraries' texts may hold tokens."""
    from authlib.integrations.requests_client import OAuthError

    silence_queries()
    require_private(app.token_url, connection)
    asked, place = now(), place_of(app.token_url)
    with _session(app, None, app.client_secret()) as session:
        session.max_redirects = 0
        code: str | None = None
        kind = ""
        try:
            sent = {"timeout": (timeouts.connect, timeouts.read), "allow_redirects": False}
            given = send(session, **sent)
        except OAuthError as error:
            code = shown(str(error.error), (), 40)
        except Exception as error:  # noqa: BLE001 - requests, JSON, Authlib's own checks: none of their texts is safe
            kind = type(error).__name__
        if code == "invalid_grant":
            raise GrantRefusedError(code)
        if code is not None and code not in {"server_error", "temporarily_unavailable"}:
            raise NeedsHuman(
                f"{place} refused to give tokens ({code}); check the client id and secret of this connection.",
                connection,
            )
        if code or kind:
            raise Retryable(f"{place} gave no tokens ({code or kind}); try again.", connection)
    return _tokens(connection, place, given, app, asked, before)


def _tokens(
    connection: str, place: str, given: Mapping[str, Any], app: OAuthApp, asked: datetime, before: Tokens | None
) -> Tokens:
    """The answer as tokens; times are counted from when it was asked for, so that they end early rather than late."""
    access, refresh = given.get("access_token"), given.get("refresh_token")
    if not isinstance(access, str) or not access or str(given.get("token_type", "bearer")).lower() != "bearer":
        raise NeedsHuman(f"{place} answered without a bearer token; check the token URL.", connection)
    refresh_ends = next((asked + _seconds(given[key]) for key in _REFRESH_ENDS if given.get(key)), None)
    if refresh_ends is None and app.refresh_lifetime is not None:
        refresh_ends = asked + app.refresh_lifetime
    sign_in_ends = before.sign_in_ends_at if before else None
    if before is None and app.sign_in_lifetime is not None:
        sign_in_ends = asked + app.sign_in_lifetime
    scope = given.get("scope")
    return Tokens(
        access_token=access,
        refresh_token=refresh if isinstance(refresh, str) and refresh else before.refresh_token if before else None,
        expires_at=asked + _seconds(given.get("expires_in") or 3600),
        scopes=tuple(scope.split()) if isinstance(scope, str) else before.scopes if before else app.scopes,
        refresh_expires_at=refresh_ends,
        sign_in_ends_at=sign_in_ends,
    )


def _seconds(value: object) -> timedelta:
    try:
        return timedelta(seconds=float(str(value)))
    except (ValueError, OverflowError):
        return timedelta(seconds=300)


def _bearer(tokens: Tokens) -> str:
    return f"Bearer {tokens.access_token}"
