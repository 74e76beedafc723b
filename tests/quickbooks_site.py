"""A simulated QuickBooks company that is read into a database, for tests of what is made of it. No assertions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from kolleno_pipelines.connectors.contract import Extract
from kolleno_pipelines.connectors.http import HttpClient, Retries, Timing
from kolleno_pipelines.connectors.quickbooks.client import QuickBooksSource, classify
from kolleno_pipelines.connectors.quickbooks.connector import QUICKBOOKS
from kolleno_pipelines.pipeline.deployment import Deployment, open_deployment
from kolleno_pipelines.pipeline.extract import Reading, extract_changes
from kolleno_pipelines.pipeline.normalise import fold, normalise_pending
from kolleno_pipelines.pipeline.sweep import sweep
from kolleno_pipelines.sandbox.quickbooks.app import SCOPE, SandboxQuickBooks
from kolleno_pipelines.sandbox.quickbooks.company_file import CompanyFile
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.vendor_limits import VendorLimits
from kolleno_pipelines.settings import Settings
from tests.receivables_rows import rows


def served(file: CompanyFile, at: datetime) -> SandboxQuickBooks:
    """The vendor, with the clock at a moment."""
    return SandboxQuickBooks(file, clock=VendorClock(at), limits=VendorLimits())


@dataclass
class QuickBooksSite:
    """A vendor and a deployment that reads it as connection `qb`."""

    vendor: SandboxQuickBooks
    database: str
    home: Path

    @property
    def deployment(self) -> Deployment:
        return open_deployment(Settings(home=self.home, database_url=self.database), {})

    def read(self, *extracts: str) -> None:
        """Read what changed (of some extracts, else of all), normalise and fold it."""
        source = self.source
        for extract in QUICKBOOKS.extracts:
            if not extracts or extract.name in extracts:
                stopped = extract_changes(self._reading(source, extract)).stopped
                if stopped is not None:
                    raise RuntimeError(stopped)
        self._fold()

    def sweep(self, *extracts: str) -> None:
        """Sweep some extracts, normalise and fold what differs."""
        source = self.source
        for name in extracts:
            sweep(self._reading(source, QUICKBOOKS.extract(name)), QUICKBOOKS, close_share=Decimal("0.1"))
        self._fold()

    @property
    def source(self) -> QuickBooksSource:
        """A client of the vendor that is signed in."""
        token = self.vendor.tokens.issue(SCOPE)["access_token"]
        http = HttpClient(
            "qb",
            self.vendor.url,
            classify=classify,
            authorise=lambda _: f"Bearer {token}",
            retries=Retries(attempts=2),
            timing=Timing(sleep=lambda _: None),
        )
        return QuickBooksSource(http, self.vendor.book.realm_id)

    def _reading(self, source: QuickBooksSource, extract: Extract) -> Reading:
        return Reading(self.deployment, "qb", source, extract, clock=lambda: self.vendor.clock.now)

    def _fold(self) -> None:
        normalise_pending(self.deployment, "qb", QUICKBOOKS)
        fold(self.deployment, "qb")

    def wait(self, minutes: int = 60) -> datetime:
        """Let time go by at the vendor; returns a moment of that time."""
        before = self.vendor.clock.now
        self.vendor.clock.set(before + timedelta(minutes=minutes))
        return before + timedelta(minutes=minutes / 2)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return rows(self.database, query)
