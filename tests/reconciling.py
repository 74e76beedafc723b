"""A small ledger that ties, and reconciling it: for tests of the present results. No assertions."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from kolleno_pipelines.pipeline.reconcile import reconcile_present
from kolleno_pipelines.pipeline.reports import report
from tests.receivables_rows import Books, Connection, rows

TODAY = date(2026, 3, 31)
JAN = date(2026, 1, 10)
LATER = datetime(2026, 2, 5, 6, tzinfo=UTC)


def books_that_tie(url: str) -> Books:
    """A ledger that ties: an invoice of 100 with 60 paid, a payment of 80 with 20 left, a credit note of 5."""
    books = Books(url)
    books.customer("C1")
    books.customer("C2")
    books.invoice("I1", "100", "40", JAN, date_due=date(2026, 2, 1))
    books.payment("P1", "80", "20", JAN)
    books.credit_note("N1", "5", "5", JAN, customer_source_id="C2")
    books.allocation(("payment", "P1"), "I1", "60")
    return books


def run(url: str, today: date = TODAY, **settings: object) -> dict[str, dict[str, int]]:
    """Reconcile the present; counts by result."""
    connection = Connection(**settings)  # type: ignore[arg-type]
    return {one.result: dict(one.counts) for one in reconcile_present(url, {"sftp": connection}, today)}


def breaks(url: str) -> dict[str, tuple[str, str, str | None, Decimal | None]]:
    """Kind, status, cause and amount by break id."""
    found = rows(
        url,
        "SELECT break_id, kind, status, cause, amount FROM reconciliation.differences ORDER BY kind, left_source_id",
    )
    return {row[0]: row[1:] for row in found}


def shown(name: str, url: str, **options: object) -> list[dict[str, object]]:
    """Rows of a report."""
    return report(name, url, {"sftp": Connection()}, TODAY, **options)  # type: ignore[arg-type]
