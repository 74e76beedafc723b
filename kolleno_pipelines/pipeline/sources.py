"""Which systems are read by extracts, and how a connection of each is opened: vendors' accounts, banks' files.

What all openings have in common lies in opening.py; the vendors' addresses and limits are their connectors' data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeAlias

from kolleno_pipelines.connections import (
    ApiConnection,
    AppConnection,
    BankFilesConnection,
    Connection,
    QuickBooksConnection,
    StripeConnection,
    XeroConnection,
)
from kolleno_pipelines.connectors.auth import Authoriser, OAuthApp
from kolleno_pipelines.connectors.errors import NeedsHuman
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.opening import AppOf, Opening, Resolve, of_kind

if TYPE_CHECKING:
    from kolleno_pipelines.connectors.contract import RecordSource

#: What is said of a connection whose system has no entry in APPS, unless it is a folder of this machine.
OPENS_WITH_A_KEY = "opens with a key; nobody signs in"
_OPENS_HERE = "is a folder of this machine; nobody signs in"
#: Under which name the organisation is kept beside its tokens.
_TENANT = "tenantId"

Opens: TypeAlias = "Callable[[Opening], RecordSource]"


def _credentials(connection: AppConnection, resolve: Resolve) -> tuple[str, Callable[[], str]]:
    """The app's id, and what gives its secret when it is needed. Raises NeedsHuman naming the key that is missing."""
    secret = connection.client_secret
    if connection.client_id is None or secret is None:
        key = "client_id" if connection.client_id is None else "client_secret"
        raise NeedsHuman(
            f"{key} of the app registered with the vendor is missing: write it in connections.yaml.", connection.name
        )
    return connection.client_id, lambda: resolve(secret)


def _quickbooks_app(connection: Connection, resolve: Resolve) -> OAuthApp:
    from kolleno_pipelines.connectors.quickbooks import account

    company = of_kind(connection, QuickBooksConnection)
    client_id, client_secret = _credentials(company, resolve)
    return OAuthApp(
        authorise_url=company.authorise_url or account.AUTHORISE_URL,
        token_url=company.token_url or account.TOKEN_URL,
        client_id=client_id,
        client_secret=client_secret,
        scopes=account.SCOPES,
        redirect_uri=company.redirect_uri,
        kept_from_redirect=(account.REALM,),
        refresh_lifetime=account.REFRESH_LIFETIME,
        sign_in_lifetime=account.SIGN_IN_LIFETIME,
    )


def _quickbooks(opening: Opening) -> RecordSource:
    from kolleno_pipelines.connectors.quickbooks import account
    from kolleno_pipelines.connectors.quickbooks.client import QuickBooksSource, classify

    company = of_kind(opening.connection, QuickBooksConnection)
    authoriser = opening.authoriser()
    realm = _account(company, "realm_id", company.realm_id, opening.tokens.account().get(account.REALM))
    http = opening.http(
        realm,
        company.api_url or account.API_URLS[company.environment],
        limits=account.LIMITS,
        limit_headers=account.LIMIT_HEADERS,
        request_id_headers=account.REQUEST_ID_HEADERS,
        classify=classify,
        authorise=authoriser,
    )
    return QuickBooksSource(http, realm)


def _xero_app(connection: Connection, resolve: Resolve) -> OAuthApp:
    from kolleno_pipelines.connectors.xero import access

    organisation = of_kind(connection, XeroConnection)
    client_id, client_secret = _credentials(organisation, resolve)
    return OAuthApp(
        authorise_url=organisation.authorise_url or access.AUTHORISE_URL,
        token_url=organisation.token_url or access.TOKEN_URL,
        client_id=client_id,
        client_secret=client_secret,
        scopes=(
            *access.SCOPES,
            *(scope for name, scope in access.ALSO_SCOPES.items() if name in organisation.also_read),
        ),
        redirect_uri=organisation.redirect_uri,
        grace=access.GRACE,
        refresh_lifetime=access.REFRESH_LIFETIME,
    )


def _xero(opening: Opening) -> RecordSource:
    from kolleno_pipelines.connectors.xero import access
    from kolleno_pipelines.connectors.xero.client import XeroSource, classify

    organisation = of_kind(opening.connection, XeroConnection)
    authoriser, tokens = opening.authoriser(), opening.tokens
    base_url = organisation.api_url or access.BASE_URL
    known = tokens.account().get(_TENANT)
    if known is None and organisation.tenant_id is None:
        known = _only_tenant(organisation, base_url, authoriser)
        tokens.note_account({_TENANT: known})
    tenant = _account(organisation, "tenant_id", organisation.tenant_id, known)
    http = opening.http(
        tenant,
        base_url,
        limits=access.LIMITS,
        limit_headers=access.LIMIT_HEADERS,
        request_id_headers=access.REQUEST_ID_HEADERS,
        classify=classify,
        authorise=authoriser,
    )
    return XeroSource(http, tenant)


def _only_tenant(connection: XeroConnection, base_url: str, authoriser: Authoriser) -> str:
    """Ask which organisations the sign-in reaches. Raises NeedsHuman unless it is one."""
    from kolleno_pipelines.connectors.http import HttpClient
    from kolleno_pipelines.connectors.xero import access
    from kolleno_pipelines.connectors.xero.client import classify

    with HttpClient(connection.name, base_url, classify=classify, authorise=authoriser) as http:
        said = http.get(access.CONNECTIONS_PATH).json()
    tenants = [str(one["tenantId"]) for one in said if isinstance(one, dict) and one.get("tenantId")]
    if len(tenants) != 1:
        raise NeedsHuman(
            f"The sign-in reaches {len(tenants)} organisations ({', '.join(tenants[:5]) or 'none'}): write tenant_id in"
            " connections.yaml.",
            connection.name,
        )
    return tenants[0]


def _stripe(opening: Opening) -> RecordSource:
    from kolleno_pipelines.connectors.keys import KeyAuthoriser
    from kolleno_pipelines.connectors.stripe import account
    from kolleno_pipelines.connectors.stripe.client import StripeSource, classify

    provider = of_kind(opening.connection, StripeConnection)
    http = opening.http(
        provider.account_id or provider.name,
        provider.api_url or account.API_URL,
        limits=account.LIMITS,
        limit_headers=account.LIMIT_HEADERS,
        request_id_headers=account.REQUEST_ID_HEADERS,
        classify=classify,
        authorise=KeyAuthoriser(provider.name, lambda: f"Bearer {opening.secret('api_key')}"),
    )
    return StripeSource(http, provider.account_id, lambda: account.is_live(opening.secret("api_key")))


def _bank_files(opening: Opening) -> RecordSource:
    from kolleno_pipelines.connectors.bank_files.client import BankFilesSource
    from kolleno_pipelines.connectors.bank_files.documents import read_document
    from kolleno_pipelines.connectors.folders.client import open_folder

    bank = of_kind(opening.connection, BankFilesConnection)
    drop = opening.opened.enter_context(open_folder(bank, opening.deployment.resolve))
    kept_in = opening.opened.enter_context(TemporaryDirectory(prefix="kolleno-bank-"))
    return BankFilesSource(drop, bank, read_document, kept_in=Path(kept_in))


def _account(connection: ApiConnection, key: str, written: str | None, signed_in: str | None) -> str:
    """Which of the vendor's accounts is read. Raises NeedsHuman where the file and the sign-in name two."""
    if written and signed_in and written != signed_in:
        raise NeedsHuman(
            f"{key} is {written} in connections.yaml, and the sign-in was for {signed_in}: correct the one, or sign in"
            f" with `kolleno connections login {connection.name}` to the other.",
            connection.name,
        )
    found = written or signed_in
    if found is None:
        raise NeedsHuman(
            f"Which account is read is not known: sign in with `kolleno connections login {connection.name}`, or write"
            f" {key} in connections.yaml.",
            connection.name,
        )
    return found


#: System -> how its OAuth app is made of a connection and of what resolves `${VAR}`; absent where nobody signs in.
APPS: dict[str, AppOf] = {"quickbooks": _quickbooks_app, "xero": _xero_app}

#: System -> how its client is made, whether somebody signs in or not.
SOURCES: dict[str, Opens] = {
    "quickbooks": _quickbooks,
    "xero": _xero,
    "stripe": _stripe,
    "bank_files": _bank_files,
}


def opens_without_sign_in(connection: Connection) -> str:
    """Return what opens a connection whose system has no entry in APPS."""
    is_here = isinstance(connection, BankFilesConnection) and connection.is_local
    return _OPENS_HERE if is_here else OPENS_WITH_A_KEY


@contextmanager
def open_source(deployment: Deployment, connection: ApiConnection) -> Iterator[RecordSource]:
    """Give the client of a connection. Raises NeedsHuman (no sign-in, no account), SettingsError, ConnectionsError."""
    opens = SOURCES.get(connection.system)
    if opens is None:
        raise NeedsHuman(
            f"{connection.system} cannot be read over the network yet: recorded payloads can be imported with"
            f" `kolleno import-extracts {connection.name} FOLDER`.",
            connection.name,
        )
    with ExitStack() as opened:
        yield opens(Opening(deployment, connection, opened, APPS.get(connection.system)))
