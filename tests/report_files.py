"""Reports of the sandbox Stripe as files, edited by tests, and their comparison. No assertions."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kolleno_pipelines.connections import load_connections
from kolleno_pipelines.pipeline.compare_report import Comparison, comparison
from kolleno_pipelines.pipeline.deployment import Deployment, open_deployment
from kolleno_pipelines.sandbox.stripe.ledger import Ledger
from kolleno_pipelines.sandbox.stripe.report import COLUMNS, payout_reconciliation
from kolleno_pipelines.sandbox.stripe.scenes import NOW, OPENED
from kolleno_pipelines.schemas.payout_report import Asked, ReportFinding
from kolleno_pipelines.settings import Settings

Lines = list[dict[str, str]]
Edit = Callable[[Lines], object]
#: The period of every report of a case: what arrived until the day of NOW.
FIRST, LAST = "2026-01-26", "2026-02-11"
END = datetime(2026, 2, 12, tzinfo=NOW.tzinfo)


def name_of(currency: str = "USD", zone: str = "UTC") -> str:
    """The name under which the dashboard hands a report out."""
    return f"Itemized_payout_reconciliation_{currency}_{FIRST}_to_{LAST}_{zone.replace('/', '-')}.csv"


def report_of(
    account: Ledger,
    now: datetime = NOW,
    *,
    zone: str = "UTC",
    columns: Iterable[str] = COLUMNS,
    edit: Edit | None = None,
) -> str:
    """The report of an account as a file's text; `edit` changes its lines before they are written."""
    text = payout_reconciliation(account, now, OPENED, END, timezone=zone, columns=columns)
    if edit is None:
        return text
    lines = list(csv.DictReader(io.StringIO(text)))
    edit(lines)
    written = io.StringIO()
    writer = csv.DictWriter(written, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return written.getvalue()


def deployment_of(settings: Settings, folder: Path, connections: Iterable[str]) -> Deployment:
    """A deployment with a ledger and these connections to Stripe; nothing is asked over the network."""
    file = folder / "connections.yaml"
    named = "".join(f"  {name}:\n    system: stripe\n" for name in connections)
    file.write_text(f"connections:\n  books:\n    system: quickbooks\n    role: ledger\n{named}")
    return open_deployment(settings.model_copy(update={"connections": file}), load_connections(file))


@dataclass(frozen=True)
class Compared:
    """What came of a comparison: its findings, outcomes by payout, notes, and whether somebody is asked for."""

    findings: list[ReportFinding]
    outcomes: dict[str, str]
    notes: list[str]
    asks: bool
    whole: Comparison

    @property
    def told(self) -> list[tuple[str, int | None, str | None, str | None, str | None, str | None]]:
        """Code, line, row, column and both values of each finding."""
        return [
            (f.code, f.line, f.balance_transaction_source_id, f.column, f.report_value, f.api_value)
            for f in self.findings
        ]


def compare(deployment: Deployment, connection: str, path: Path, asked: Asked | None = None) -> Compared:
    """Compare a file to its end."""
    with comparison(deployment, connection, path, asked or Asked()) as compared:
        findings = list(compared.findings())
        outcomes = {one.payout_source_id: one.outcome for one in compared.payouts}
        return Compared(findings, outcomes, compared.notes(), compared.asks_for_somebody, compared)
