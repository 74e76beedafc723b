"""A Xero sandbox and a deployment that is signed in to it, for tests through the whole path. No assertions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from pydantic import SecretStr

from kolleno_pipelines.connections import XeroConnection, load_connections
from kolleno_pipelines.connectors.auth import Tokens
from kolleno_pipelines.pipeline.api_delivery import ApiDelivered, deliver_from_vendor
from kolleno_pipelines.pipeline.deployment import Deployment, open_deployment
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.vendor_limits import VendorLimits
from kolleno_pipelines.sandbox.xero.access import READ_SCOPES
from kolleno_pipelines.sandbox.xero.book import Book
from kolleno_pipelines.sandbox.xero.server import SandboxXero
from kolleno_pipelines.settings import Settings
from kolleno_pipelines.storage.tokens import StoredTokens
from tests.api_sites import receivables_of
from tests.canaries import CANARIES, CANARY

NAME = "xero"
KEY = Fernet.generate_key().decode()
SECRET_VARIABLE = "XERO_CLIENT_SECRET"


class XeroDeployment:
    """The vendor, and a deployment whose connections.yaml names it; read by the vendor's clock."""

    def __init__(self, vendor: SandboxXero, settings: Settings, folder: Path, more: str = "") -> None:
        self.vendor = vendor
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "connections.yaml"
        self.write(more)
        self.settings = settings.model_copy(update={"connections": self.file, "secret_key": SecretStr(KEY)})

    def write(self, more: str = "") -> None:
        """Write connections.yaml: one connection to the sandbox, with more settings (`  key: value` lines)."""
        self.file.write_text(
            f"connections:\n  {NAME}:\n    system: xero\n    client_id: sandbox-xero\n"
            f"    client_secret: ${{{SECRET_VARIABLE}}}\n    api_url: {self.vendor.url}\n"
            f"    token_url: {self.vendor.token_url}\n{more}"
        )

    @property
    def deployment(self) -> Deployment:
        return open_deployment(self.settings, load_connections(self.file))

    @property
    def connection(self) -> XeroConnection:
        connection = load_connections(self.file)[NAME]
        assert isinstance(connection, XeroConnection)
        return connection

    def sign_in(self, lasts: timedelta = timedelta(hours=1), scope: str = READ_SCOPES) -> None:
        """Keep tokens as a person's sign-in would."""
        given = self.vendor.tokens.issue(scope)
        ends = datetime.now(UTC) + lasts
        tokens = Tokens(str(given["access_token"]), str(given["refresh_token"]), ends)
        StoredTokens(self.deployment.database_url, NAME, [KEY]).save(tokens, {"tenantId": self.vendor.tenant_id})

    def later(self, step: timedelta) -> None:
        """Move the vendor's clock and ours, and forget the pauses that end by the database's."""
        self.vendor.clock.advance(step)
        self.sign_in()
        with self.deployment.transaction() as conn:
            conn.execute("TRUNCATE raw.rate_limits, raw.request_counts")

    def read(self) -> ApiDelivered:
        return deliver_from_vendor(self.deployment, self.connection, clock=lambda: self.vendor.clock.now)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with self.deployment.transaction() as conn:
            return conn.execute(statement.encode()).fetchall()

    def receivables(self) -> dict[str, list[str]]:
        """Everything that must not depend on when and how often something was read."""
        return receivables_of(self.deployment, NAME)

    def variables(self) -> dict[str, str]:
        """What a process of its own needs in its environment."""
        return {
            "KOLLENO_HOME": str(self.settings.home),
            "KOLLENO_DATABASE_URL": self.deployment.database_url,
            "KOLLENO_CONNECTIONS": str(self.file),
            "KOLLENO_SECRET_KEY": KEY,
            SECRET_VARIABLE: self.vendor.tokens.client_secret,
        }


@contextmanager
def xero_deployment(
    book: Book,
    settings: Settings,
    folder: Path,
    *,
    clock: VendorClock | None = None,
    limits: VendorLimits | None = None,
    more: str = "",
) -> Iterator[XeroDeployment]:
    """Serve a book whose tokens and secret are canaries, and give a deployment that is signed in to it."""
    secret = f"secret-{CANARY}"
    CANARIES.watch(secret, KEY)
    with SandboxXero(book, clock=clock, limits=limits or VendorLimits(), client_secret=secret, mark=CANARY) as vendor:
        site = XeroDeployment(vendor, settings, folder, more)
        site.sign_in()
        yield site
