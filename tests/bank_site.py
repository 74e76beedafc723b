"""A ledger and a Stripe account that were read, and a bank's folder, in one deployment, for tests. No assertions."""

from __future__ import annotations

import os
import time
from pathlib import Path

from kolleno_pipelines.connections import BankFilesConnection, bank_connections, load_connections
from kolleno_pipelines.pipeline.api_delivery import ApiDelivered, deliver_from_vendor
from kolleno_pipelines.pipeline.deployment import Deployment, open_deployment
from kolleno_pipelines.sandbox.bank.files import File
from kolleno_pipelines.sandbox.bank.scenes import BankCase
from kolleno_pipelines.settings import Settings
from tests.receivables_rows import rows
from tests.stripe_cases import fold_case


class BankSite:
    """A ledger and a Stripe account that were read, and the bank's folder."""

    def __init__(self, settings: Settings, folder: Path, case: BankCase) -> None:
        self.folder, self.case, self.settings = folder, case, settings
        settings.connections.write_text(
            "connections:\n  stripe_qb: {system: quickbooks, role: ledger}\n  stripe: {system: stripe}\n"
            f"  bank: {{system: bank_files, location: '{folder.as_uri()}', files: '*.xml', sweep_every: 1m}}\n",
            encoding="utf-8",
        )
        fold_case(self.deployment.database_url, "stripe", case.stripe, now=case.until)

    @property
    def deployment(self) -> Deployment:
        return open_deployment(self.settings, load_connections(self.settings.connections))

    @property
    def url(self) -> str:
        return self.deployment.database_url

    @property
    def banks(self) -> dict[str, BankFilesConnection]:
        return bank_connections(self.deployment.connections)

    def put(self, *files: File) -> None:
        for file in files:
            (self.folder / file.name).write_bytes(file.data)
            os.utime(self.folder / file.name, (time.time(), file.modified.timestamp()))

    def read(self) -> ApiDelivered:
        return deliver_from_vendor(self.deployment, self.banks["bank"])

    def state(self) -> list[tuple[object, ...]]:
        """Every row of the bank's, but for when it was written and from where."""
        tables = ("bank_accounts", "bank_statements", "bank_lines")
        told = "to_jsonb(t) - 'loaded_at' - 'origin'"
        return [
            row for table in tables for row in rows(self.url, f"SELECT {told} FROM receivables.{table} t ORDER BY 1")
        ]
