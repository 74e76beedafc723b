"""A person signs a connection in at its vendor, and the tokens are kept; keys that encrypt them are changed.

How a vendor's OAuth works does not belong here (connectors/auth.py), nor what the terminal looks like.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from kolleno_pipelines.connections import ApiConnection, Connection, load_connections, resolve
from kolleno_pipelines.connectors.answers import shown
from kolleno_pipelines.connectors.auth import Consent, OAuthApp, Tokens, exchange_code
from kolleno_pipelines.connectors.errors import NeedsHuman
from kolleno_pipelines.pipeline.deployment import NotConfiguredError
from kolleno_pipelines.pipeline.redirects import NoPortError, carries, local_redirects, parameters_of
from kolleno_pipelines.pipeline.sources import APPS, opens_without_sign_in
from kolleno_pipelines.settings import Settings, environment, load_settings
from kolleno_pipelines.storage import database
from kolleno_pipelines.storage.tokens import StoredTokens, rotate_keys

Tell = Callable[[str], None]
PATIENCE = 300.0


class Keeper(Protocol):
    """Keeps what a sign-in gives; `storage.tokens.StoredTokens` is one."""

    def save(self, tokens: Tokens, account: Mapping[str, str]) -> None:
        """Keep them. Raises NeedsHuman when they are of another account than before."""
        ...


@dataclass(frozen=True)
class Person:
    """How the person is reached: told something, shown a page (None: opens it by hand), asked for the last address.

    asks: where it is given, the redirect does not come to this machine; the person pastes where the browser ended.
    """

    tell: Tell
    opens: Callable[[str], bool] | None = None
    asks: Callable[[str], str] | None = None


@dataclass(frozen=True)
class SignedIn:
    """What a sign-in gave, without its tokens."""

    connection: str
    account: Mapping[str, str]
    scopes: tuple[str, ...]
    refresh_expires_at: datetime | None
    sign_in_ends_at: datetime | None


def sign_in_connection(
    name: str,
    person: Person,
    *,
    timeout: float = PATIENCE,
    settings: Settings | None = None,
    ports: tuple[int, ...] | None = None,
) -> SignedIn:
    """Sign a connection of connections.yaml in. Raises NotConfiguredError, SettingsError, NeedsHuman, Retryable.

    ports: where the redirect is awaited, in place of the ports registered with the vendor (0: any free one).
    """
    settings = settings or load_settings()
    connections = load_connections(settings.connections)
    connection: Connection | None = connections.get(name)
    if connection is None:
        known = ", ".join(connections)
        raise NotConfiguredError(f"There is no connection {name} in {settings.connections}; there is {known}.")
    system = str(getattr(connection, "system", ""))
    if system not in APPS:
        opens = opens_without_sign_in(connection) if isinstance(connection, ApiConnection) else "needs no sign-in"
        raise NotConfiguredError(f"Connection {name} of {system} {opens}: connections.yaml names all it takes.")
    app = APPS[system](connection, lambda reference: resolve(reference, environment()))
    app = replace(app, redirect_ports=ports or app.redirect_ports)
    app.client_secret()  # a variable that is not set is told before the person goes to the vendor
    keys = settings.secret_keys()
    return sign_in(name, app, StoredTokens(database.prepare(settings), name, keys), person, timeout=timeout)


def sign_in(connection: str, app: OAuthApp, keeper: Keeper, person: Person, *, timeout: float = PATIENCE) -> SignedIn:
    """Run the authorisation-code flow and keep the tokens. Raises NeedsHuman (no consent, no port), Retryable."""
    if app.redirect_uri is not None and person.asks is None:
        raise NeedsHuman("The vendor sends nobody back to this machine: sign in with --paste.", connection)
    consent, came = _pasted(app, person) if person.asks is not None else _redirected(connection, app, person, timeout)
    if came is None:
        raise NeedsHuman(f"Nobody came back from the vendor's page within {timeout:g} s; begin again.", connection)
    if not carries(came, consent.state):
        raise NeedsHuman("That is not the address of this sign-in (its state differs); begin again.", connection)
    if "error" in came or "code" not in came:
        why = shown(came.get("error", "no code"), (), 60)
        raise NeedsHuman(f"The vendor gave no consent ({why}); sign in again and allow it.", connection)
    tokens = exchange_code(connection, app, consent, came["code"])
    account = {name: shown(came[name], (), 200) for name in app.kept_from_redirect if came.get(name)}
    keeper.save(tokens, account)
    return SignedIn(connection, account, tokens.scopes, tokens.refresh_expires_at, tokens.sign_in_ends_at)


def _redirected(
    connection: str, app: OAuthApp, person: Person, timeout: float
) -> tuple[Consent, Mapping[str, str] | None]:
    try:
        with local_redirects(app.redirect_ports) as redirects:
            consent = Consent.ask(app, redirects.uri)
            redirects.expect(consent.state)
            opened = person.opens is not None and person.opens(consent.url)
            person.tell(f"{'A browser shows' if opened else 'Open'} this page and sign in:\n{consent.url}")
            return consent, redirects.wait(timeout)
    except NoPortError as error:
        said = f"{error}, and no other is registered with the vendor: end what listens there, or use --paste."
    raise NeedsHuman(said, connection)


def _pasted(app: OAuthApp, person: Person) -> tuple[Consent, Mapping[str, str]]:
    consent = Consent.ask(app, app.redirect_uri or f"http://localhost:{app.redirect_ports[0]}/callback")
    person.tell(f"Open this page in any browser and sign in:\n{consent.url}")
    assert person.asks is not None  # noqa: S101 - for the type checker
    return consent, parameters_of(person.asks("Paste the address of the page on which the browser ended"))


def encrypt_anew(settings: Settings | None = None) -> int:
    """Encrypt all kept tokens with the newest key of KOLLENO_SECRET_KEY; returns how many connections there are."""
    settings = settings or load_settings()
    keys = settings.secret_keys()
    with database.connect(database.prepare(settings)) as conn:
        return rotate_keys(conn, keys)
