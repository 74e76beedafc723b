"""A QuickBooks sandbox and a deployment that is signed in to it, for tests through the whole path. No assertions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from psycopg.rows import dict_row
from pydantic import SecretStr

from kolleno_pipelines.connections import Connections, load_connections
from kolleno_pipelines.connectors.auth import Tokens
from kolleno_pipelines.pipeline.deployment import Deployment, open_deployment
from kolleno_pipelines.sandbox.quickbooks.app import SCOPE, TOKEN_PATH, SandboxQuickBooks
from kolleno_pipelines.sandbox.quickbooks.book import QuickBooksBook
from kolleno_pipelines.sandbox.quickbooks.company_file import CompanyFile
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.vendor_limits import VendorLimits
from kolleno_pipelines.settings import Settings
from kolleno_pipelines.storage.tokens import StoredTokens
from tests.canaries import CANARIES, CANARY

NAME = "books"
KEY = Fernet.generate_key().decode()
SECRET_VARIABLE = "BOOKS_CLIENT_SECRET"
ENTITIES = (
    *("ledger_units", "accounts", "customers", "contacts", "contact_links", "phones"),
    *("invoices", "credit_notes", "payments", "journals", "allocations"),
)
_PASSING = {"loaded_at", "origin", "observed_at"}


class ApiSite:
    """The vendor, the settings of a deployment, and connections.yaml that names the one in the other."""

    def __init__(self, vendor: SandboxQuickBooks, settings: Settings, folder: Path, more: str = "") -> None:
        self.vendor = vendor
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "connections.yaml"
        self.write(more)
        self.settings = settings.model_copy(update={"connections": self.file, "secret_key": SecretStr(KEY)})

    def write(self, more: str = "") -> None:
        """Write connections.yaml: one connection to the sandbox, with more settings (`  key: value` lines)."""
        self.file.write_text(
            f"connections:\n  {NAME}:\n    system: quickbooks\n    client_id: sandbox-app\n"
            f"    client_secret: ${{{SECRET_VARIABLE}}}\n    api_url: {self.vendor.url}\n"
            f"    token_url: {self.vendor.url}{TOKEN_PATH}\n{more}"
        )

    @property
    def connections(self) -> Connections:
        return load_connections(self.file)

    @property
    def deployment(self) -> Deployment:
        return open_deployment(self.settings, self.connections)

    def sign_in(self, lasts: timedelta = timedelta(hours=1)) -> None:
        """Keep tokens as a person's sign-in would."""
        given = self.vendor.tokens.issue(SCOPE)
        tokens = Tokens(
            str(given["access_token"]), str(given["refresh_token"]), datetime.now(UTC) + lasts, (SCOPE,), None
        )
        database = self.deployment.database_url
        StoredTokens(database, NAME, [KEY]).save(tokens, {"realmId": self.vendor.book.realm_id})

    def variables(self) -> dict[str, str]:
        """What a process of its own needs in its environment."""
        return {
            "KOLLENO_HOME": str(self.settings.home),
            "KOLLENO_DATABASE_URL": self.deployment.database_url,
            "KOLLENO_CONNECTIONS": str(self.file),
            "KOLLENO_SECRET_KEY": KEY,
            SECRET_VARIABLE: self.vendor.tokens.client_secret,
        }

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with self.deployment.transaction() as conn:
            return conn.execute(statement.encode()).fetchall()

    def receivables(self, connection: str = NAME) -> dict[str, list[str]]:
        """Everything that must not depend on when and how often something was read."""
        return receivables_of(self.deployment, connection)


def receivables_of(deployment: Deployment, connection: str) -> dict[str, list[str]]:
    """Return the rows of each entity as sorted texts, without what tells of the way they came."""
    found = {}
    with deployment.transaction() as conn, conn.cursor(row_factory=dict_row) as cursor:
        for entity in ENTITIES:
            rows = cursor.execute(
                f"SELECT * FROM receivables.{entity} WHERE connection = %s".encode(), [connection]
            ).fetchall()
            found[entity] = sorted(
                str({name: value for name, value in row.items() if name not in _PASSING}) for row in rows
            )
    return found


def one_invoice(at: datetime) -> CompanyFile:
    """Return the books of a company that wrote one invoice."""
    file = CompanyFile(QuickBooksBook(), at - timedelta(days=60))
    customer = file.add_customer(at - timedelta(days=1), "Few papers")
    file.add_invoice(at, customer, "F-1", Decimal(10), at.date())
    return file


@contextmanager
def quickbooks_site(
    file: CompanyFile, settings: Settings, folder: Path, *, at: datetime | None = None, more: str = ""
) -> Iterator[ApiSite]:
    """Serve a company file whose tokens and secret are canaries, and give a site that is signed in to it."""
    secret = f"secret-{CANARY}"
    CANARIES.watch(secret, KEY)
    with SandboxQuickBooks(
        file, clock=VendorClock(at), limits=VendorLimits(), client_secret=secret, mark=CANARY
    ) as vendor:
        site = ApiSite(vendor, settings, folder, more)
        site.sign_in()
        yield site
