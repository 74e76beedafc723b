"""A sandbox Xero, a client of it and a deployment that reads the one by the other."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from psycopg.rows import dict_row

from kolleno_pipelines.connectors.contract import Pass, Window
from kolleno_pipelines.connectors.http import HttpClient, Retries, Timing
from kolleno_pipelines.connectors.xero.client import XeroSource, classify
from kolleno_pipelines.connectors.xero.connector import XERO
from kolleno_pipelines.pipeline.deployment import Deployment, open_deployment
from kolleno_pipelines.pipeline.extract import Reading, extract_changes
from kolleno_pipelines.pipeline.import_extracts import import_extracts
from kolleno_pipelines.pipeline.normalise import fold, normalise_pending
from kolleno_pipelines.sandbox.xero.access import READ_SCOPES
from kolleno_pipelines.sandbox.xero.server import SandboxXero
from kolleno_pipelines.settings import Settings

Row = dict[str, Any]


def source_of(xero: SandboxXero, *, scope: str = READ_SCOPES, tenant_id: str | None = None) -> XeroSource:
    """A client of the sandbox that signs in anew after a 401 and never sleeps between its two attempts."""
    tokens = [xero.sign_in(scope)["access_token"]]

    def authorise(rejected: str | None) -> str:
        if rejected is not None:
            tokens.append(xero.sign_in(scope)["access_token"])
        return f"Bearer {tokens[-1]}"

    http = HttpClient(
        "xero",
        xero.url,
        classify=classify,
        authorise=authorise,
        retries=Retries(attempts=2),
        timing=Timing(sleep=lambda _: None),
    )
    return XeroSource(http, tenant_id or xero.tenant_id)


class Books:
    """Receivables of one connection, read back."""

    def __init__(self, database: str, home: Path) -> None:
        self.deployment: Deployment = open_deployment(Settings(home=home, database_url=database), {})

    def rows(self, entity: str) -> dict[str, Row]:
        """Rows of an entity by their ids."""
        with self.deployment.transaction() as conn, conn.cursor(row_factory=dict_row) as cursor:
            found = cursor.execute(f"SELECT * FROM receivables.{entity} WHERE connection = 'xero'").fetchall()
        return {row["source_id"]: row for row in found}

    def live_allocations(self) -> list[Row]:
        """Allocations that have not ended."""
        return [row for row in self.rows("allocations").values() if row["removed_at"] is None]

    def net_by_customer(self) -> dict[str, Decimal]:
        """What every customer owes by its own documents, aliases resolved, currencies added up as the vendor does."""
        aliases: dict[str, str] = {
            name: row["customer_source_id"] for name, row in self.rows("customer_aliases").items()
        }
        net: dict[str, Decimal] = defaultdict(Decimal)
        for entity, sign in (("invoices", 1), ("credit_notes", -1), ("payments", -1)):
            for row in self.rows(entity).values():
                customer: str = row["customer_source_id"]
                net[aliases.get(customer, customer)] += sign * row["balance_open"]
        return net

    def unexplained(self) -> list[tuple[str, str, Decimal]]:
        """Posted documents of which amount - allocations is not the balance (docs/model.md)."""
        moved: dict[str, Decimal] = defaultdict(Decimal)
        for row in self.live_allocations():
            moved[row["to_source_id"]] += row["amount"]
            moved[row["from_source_id"]] += row["amount"]
        found = []
        for entity in ("invoices", "credit_notes", "payments"):
            for name, row in self.rows(entity).items():
                left = row["amount"] - moved[name] - row["balance"]
                if row["posting_status"] == "posted" and left:
                    found.append((entity, name, left))
        return found

    def normalise_and_fold(self) -> None:
        """Bring receivables in line with what has landed."""
        normalise_pending(self.deployment, "xero", XERO)
        fold(self.deployment, "xero")


class Site(Books):
    """A sandbox and the receivables read from it."""

    def __init__(self, xero: SandboxXero, database: str, home: Path) -> None:
        super().__init__(database, home)
        self.xero = xero
        self.source = source_of(xero)

    def read(self) -> None:
        """Read what changed of every extract, normalise and fold it."""
        for extract in XERO.extracts:
            reading = Reading(self.deployment, "xero", self.source, extract, clock=lambda: self.xero.clock.now)
            assert extract_changes(reading).stopped is None
        self.normalise_and_fold()

    def sweep(self, folder: Path) -> None:
        """Read everything that is open and take it in, observed at the vendor's moment."""
        now = self.xero.clock.now
        folder.mkdir(parents=True)
        for extract in XERO.extracts:
            if Pass.SWEEP in extract.passes:
                records = self.source.records(extract, Window(Pass.SWEEP, None, now))
                lines = b"".join(record.payload + b"\n" for record in records)
                (folder / f"{extract.name}.jsonl").write_bytes(lines)
        import_extracts(self.deployment, "xero", XERO, folder, observed_at=now)
