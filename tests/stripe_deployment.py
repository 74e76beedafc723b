"""A Stripe sandbox and a deployment that reads it with a key beside a ledger, for tests. No assertions."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from kolleno_pipelines.connections import StripeConnection, load_connections
from kolleno_pipelines.pipeline.api_delivery import ApiDelivered, deliver_from_vendor
from kolleno_pipelines.pipeline.deployment import Deployment, open_deployment
from kolleno_pipelines.sandbox.stripe.server import SandboxStripe
from kolleno_pipelines.settings import Settings

NAME, LEDGER = "stripe", "books"
SECRET_VARIABLE = "STRIPE_API_KEY"


class StripeDeployment:
    """The vendor, and a deployment whose connections.yaml names one of its accounts; read by the vendor's clock.

    more: settings of the Stripe connection (`    key: value` lines). The ledger is a QuickBooks company that is only
    imported.
    """

    def __init__(
        self, vendor: SandboxStripe, settings: Settings, folder: Path, account_id: str = "", more: str = ""
    ) -> None:
        self.vendor = vendor
        self.account_id = account_id or vendor.account_id
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "connections.yaml"
        self.write(more)
        self.settings = settings.model_copy(update={"connections": self.file})

    def write(self, more: str = "") -> None:
        """Write connections.yaml."""
        self.file.write_text(
            f"connections:\n  {LEDGER}:\n    system: quickbooks\n    role: ledger\n"
            f"  {NAME}:\n    system: stripe\n    api_key: ${{{SECRET_VARIABLE}}}\n    api_url: {self.vendor.url}\n"
            f"    account_id: {self.account_id}\n{more}"
        )

    @property
    def deployment(self) -> Deployment:
        return open_deployment(self.settings, load_connections(self.file))

    @property
    def connection(self) -> StripeConnection:
        connection = load_connections(self.file)[NAME]
        assert isinstance(connection, StripeConnection)
        return connection

    def later(self, step: timedelta) -> None:
        """Move the vendor's clock and ours."""
        self.vendor.clock.advance(step)

    def read(self) -> ApiDelivered:
        return deliver_from_vendor(self.deployment, self.connection, clock=lambda: self.vendor.clock.now)

    def variables(self) -> dict[str, str]:
        """What a process of its own needs in its environment."""
        return {
            "KOLLENO_HOME": str(self.settings.home),
            "KOLLENO_DATABASE_URL": self.deployment.database_url,
            "KOLLENO_CONNECTIONS": str(self.file),
            SECRET_VARIABLE: self.vendor.key,
        }

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with self.deployment.transaction() as conn:
            return conn.execute(statement.encode()).fetchall()
