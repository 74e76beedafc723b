"""How each API connection is opened: its OAuth app, and the client that reads it within limits shared by all processes.

What the vendors' addresses and limits are does not belong here; each connector has them as data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from kolleno_pipelines.connections import ApiConnection, Connection, QuickBooksConnection, XeroConnection
from kolleno_pipelines.connectors.auth import Authoriser, OAuthApp
from kolleno_pipelines.connectors.contract import RecordSource
from kolleno_pipelines.connectors.errors import NeedsHuman
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.storage.rate_limits import SharedLimits
from kolleno_pipelines.storage.tokens import StoredTokens

Resolve = Callable[[str], str]
AppOf = Callable[[Connection, Resolve], OAuthApp]
#: Under which name the organisation is kept beside its tokens.
_TENANT = "tenantId"

Opens = Callable[[Deployment, ApiConnection, Authoriser, StoredTokens, ExitStack], RecordSource]


def _credentials(connection: ApiConnection, resolve: Resolve) -> tuple[str, Callable[[], str]]:
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

    if not isinstance(connection, QuickBooksConnection):
        raise TypeError(f"{connection.name} is no connection to QuickBooks")
    client_id, client_secret = _credentials(connection, resolve)
    return OAuthApp(
        authorise_url=connection.authorise_url or account.AUTHORISE_URL,
        token_url=connection.token_url or account.TOKEN_URL,
        client_id=client_id,
        client_secret=client_secret,
        scopes=account.SCOPES,
        redirect_uri=connection.redirect_uri,
        kept_from_redirect=(account.REALM,),
        refresh_lifetime=account.REFRESH_LIFETIME,
    )


def _quickbooks(
    deployment: Deployment,
    connection: ApiConnection,
    authoriser: Authoriser,
    tokens: StoredTokens,
    opened: ExitStack,
) -> RecordSource:
    from kolleno_pipelines.connectors.http import HttpClient
    from kolleno_pipelines.connectors.quickbooks import account
    from kolleno_pipelines.connectors.quickbooks.client import QuickBooksSource, classify

    if not isinstance(connection, QuickBooksConnection):
        raise TypeError(f"{connection.name} is no connection to QuickBooks")
    realm = _account(connection, "realm_id", connection.realm_id, tokens.account().get(account.REALM))
    limits = opened.enter_context(SharedLimits(deployment.database_url, f"quickbooks {realm}", account.LIMITS))
    http = opened.enter_context(
        HttpClient(
            connection.name,
            connection.api_url or account.API_URLS[connection.environment],
            classify=classify,
            authorise=authoriser,
            limits=limits,
            limit_headers=account.LIMIT_HEADERS,
            request_id_headers=account.REQUEST_ID_HEADERS,
        )
    )
    return QuickBooksSource(http, realm)


def _xero_app(connection: Connection, resolve: Resolve) -> OAuthApp:
    from kolleno_pipelines.connectors.xero import access

    if not isinstance(connection, XeroConnection):
        raise TypeError(f"{connection.name} is no connection to Xero")
    client_id, client_secret = _credentials(connection, resolve)
    return OAuthApp(
        authorise_url=connection.authorise_url or access.AUTHORISE_URL,
        token_url=connection.token_url or access.TOKEN_URL,
        client_id=client_id,
        client_secret=client_secret,
        scopes=(*access.SCOPES, *(scope for name, scope in access.ALSO_SCOPES.items() if name in connection.also_read)),
        redirect_uri=connection.redirect_uri,
        grace=access.GRACE,
        refresh_lifetime=access.REFRESH_LIFETIME,
    )


def _xero(
    deployment: Deployment,
    connection: ApiConnection,
    authoriser: Authoriser,
    tokens: StoredTokens,
    opened: ExitStack,
) -> RecordSource:
    from kolleno_pipelines.connectors.http import HttpClient
    from kolleno_pipelines.connectors.xero import access
    from kolleno_pipelines.connectors.xero.client import XeroSource, classify

    if not isinstance(connection, XeroConnection):
        raise TypeError(f"{connection.name} is no connection to Xero")
    base_url = connection.api_url or access.BASE_URL
    known = tokens.account().get(_TENANT)
    if known is None and connection.tenant_id is None:
        known = _only_tenant(connection, base_url, authoriser)
        tokens.note_account({_TENANT: known})
    tenant = _account(connection, "tenant_id", connection.tenant_id, known)
    limits = opened.enter_context(SharedLimits(deployment.database_url, f"xero {tenant}", access.LIMITS))
    http = opened.enter_context(
        HttpClient(
            connection.name,
            base_url,
            classify=classify,
            authorise=authoriser,
            limits=limits,
            limit_headers=access.LIMIT_HEADERS,
            request_id_headers=access.REQUEST_ID_HEADERS,
        )
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

#: System -> how its client is made; what it opens is closed with the stack.
SOURCES: dict[str, Opens] = {"quickbooks": _quickbooks, "xero": _xero}


@contextmanager
def open_source(deployment: Deployment, connection: ApiConnection) -> Iterator[RecordSource]:
    """Give the client of a connection. Raises NeedsHuman (no sign-in, no account), SettingsError, ConnectionsError."""
    opens, app_of = SOURCES.get(connection.system), APPS.get(connection.system)
    if opens is None or app_of is None:
        raise NeedsHuman(
            f"{connection.system} cannot be read over the network yet: recorded payloads can be imported with"
            f" `kolleno import-extracts {connection.name} FOLDER`.",
            connection.name,
        )
    app = app_of(connection, deployment.resolve)
    tokens = StoredTokens(deployment.database_url, connection.name, deployment.settings.secret_keys())
    with ExitStack() as opened:
        yield opens(deployment, connection, Authoriser(connection.name, app, tokens), tokens, opened)
