"""A connection that is being opened: its secrets, its sign-in where there is one, a client within counted limits.

Which systems there are, and what each opens, does not belong here (sources.py).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar

from kolleno_pipelines.connections import ApiConnection, Connection
from kolleno_pipelines.connectors.auth import Authoriser, OAuthApp
from kolleno_pipelines.connectors.errors import NeedsHuman
from kolleno_pipelines.connectors.http import Authorise, Classify, HttpClient, Sign
from kolleno_pipelines.connectors.rate_limits import AccountLimits, LimitHeaders
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.storage.rate_limits import SharedLimits
from kolleno_pipelines.storage.tokens import StoredTokens

Resolve = Callable[[str], str]
AppOf = Callable[[Connection, Resolve], OAuthApp]
Kind = TypeVar("Kind", bound=Connection)


@dataclass(frozen=True)
class Opening:
    """What a system's opening is made of; what it opens is closed with `opened`.

    app_of: how the OAuth app of the system is made; None where nobody signs in.
    """

    deployment: Deployment
    connection: ApiConnection
    opened: ExitStack
    app_of: AppOf | None = None

    @property
    def tokens(self) -> StoredTokens:
        """The kept tokens of the connection, and which account they are of. Raises SettingsError without a key."""
        return StoredTokens(self.deployment.database_url, self.connection.name, self.deployment.settings.secret_keys())

    def authoriser(self) -> Authoriser:
        """Return what authorises requests by a person's sign-in. Raises NeedsHuman where the app is not configured."""
        if self.app_of is None:
            raise TypeError(f"{self.connection.system} has no entry in APPS, so nobody signs in to it")
        app = self.app_of(self.connection, self.deployment.resolve)
        return Authoriser(self.connection.name, app, self.tokens)

    def secret(self, key: str) -> str:
        """Return the secret that a key of connections.yaml names. Raises NeedsHuman, ConnectionsError."""
        reference = getattr(self.connection, key)
        if reference is None:
            raise NeedsHuman(f"{key} is missing: write it in connections.yaml.", self.connection.name)
        return self.deployment.resolve(reference)

    def http(
        self,
        account: str,
        base_url: str,
        *,
        limits: AccountLimits,
        limit_headers: LimitHeaders,
        classify: Classify,
        authorise: Authorise | None = None,
        sign: Sign | None = None,
        request_id_headers: tuple[str, ...] = ("X-Request-Id",),
    ) -> HttpClient:
        """Return the client of one of the vendor's accounts: all processes share its limits, its requests are counted.

        account: the vendor's id of it, or another name that everybody who shares its limits gives. authorise, sign: one
        of the two, a header that holds for every request or one for each.
        """
        shared = SharedLimits(
            self.deployment.database_url,
            f"{self.connection.system} {account}",
            limits,
            counted_for=self.connection.name,
        )
        client = HttpClient(
            self.connection.name,
            base_url,
            classify=classify,
            authorise=authorise,
            sign=sign,
            limits=self.opened.enter_context(shared),
            limit_headers=limit_headers,
            request_id_headers=request_id_headers,
        )
        return self.opened.enter_context(client)


def of_kind(connection: Connection, kind: type[Kind]) -> Kind:
    """Return the connection as one of a kind; TypeError when it is another."""
    if not isinstance(connection, kind):
        raise TypeError(f"{connection.name} is no {kind.__name__}")
    return connection
