"""The results about a QuickBooks company: every case ties with the vendor's word, a planted change is one break."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kolleno_pipelines.connectors.quickbooks.connector import QUICKBOOKS
from kolleno_pipelines.pipeline.reconcile import reconcile_present
from kolleno_pipelines.pipeline.reconcile_days import reconcile_days
from kolleno_pipelines.sandbox.answers import Answers
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.quickbooks.book import QuickBooksBook
from kolleno_pipelines.sandbox.quickbooks.cases import Case, write_all
from kolleno_pipelines.sandbox.quickbooks.company_file import CompanyFile
from kolleno_pipelines.sandbox.quickbooks.filling import filled_from
from tests.quickbooks_site import QuickBooksSite, served
from tests.receivables_rows import Connection

AT = datetime(2026, 3, 6, 18, tzinfo=UTC)
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
        account = site.vendor.file.accounts.receivable["USD"]
        told = site.vendor.book.latest("Account", account)
        assert told is not None
        balance = told["CurrentBalance"] + Decimal("0.5")
        site.vendor.book.put("Account", {**told, "CurrentBalance": balance}, AT + timedelta(hours=1))
        site.read()
        assert self.broken(site) == [("account_total", account, Decimal("-0.5"), None)]

    def test_money_that_was_not_read(self, site: QuickBooksSite) -> None:
        """10 of an invoice are paid, and everything but the payment is read: its invoice misses a document."""
        case = self.cases["inactive_customer"]
        site.read()
        assert self.broken(site) == []
        at, file = site.wait(), site.vendor.file
        line = [("Invoice", case.ids["invoice"], Decimal(10))]
        file.add_payment(at, case.ids["customer"], Decimal(10), date(2026, 3, 7), line)
        site.read(*(one.name for one in QUICKBOOKS.extracts if one.name != "payments"))
        assert self.broken(site) == [
            ("balance_allocation_mismatch", case.ids["invoice"], 10, "missing_document"),
        ]
        site.read()
        assert self.broken(site) == []

    def test_what_moves_while_it_is_read_is_not_red(self, site: QuickBooksSite) -> None:
        customer = self.cases["overpayment"].ids["customer"]
        site.read()
        site.vendor.file.add_invoice(site.wait(), customer, "LATE-1", Decimal(7), date(2026, 3, 7))
        site.read("invoices")
        assert reconciled(site)["differences"]["red"] == 0
        assert {row[0]: row[2:] for row in self.broken(site)} == {
            "control_total": (7, "moved_during_read"),
            "account_total": (7, "moved_during_read"),
        }
        site.read()
        assert self.broken(site) == []

    def test_what_does_not_move_together_is_red_once_it_was_swept(self, site: QuickBooksSite) -> None:
        """An invoice grows by 5 and nothing else does: that the sweep finds the others as they were tells."""
        ids = self.cases["overpayment"].ids
        site.read()
        told = site.vendor.book.latest("Invoice", ids["invoice"])
        assert told is not None
        more = {name: told[name] + 5 for name in ("TotalAmt", "Balance")}
        site.vendor.book.put("Invoice", {**told, **more}, site.wait())
        site.read("invoices")
        totals = {"control_total", "account_total"}
        assert {row[0]: row[3] for row in self.broken(site)} == dict.fromkeys(totals, "moved_during_read")
        landed = site.rows("SELECT count(*) FROM raw.extracts WHERE extract IN ('customers', 'accounts')")
        site.wait()
        site.sweep("customers", "accounts")
        assert site.rows("SELECT count(*) FROM raw.extracts WHERE extract IN ('customers', 'accounts')") == landed
        assert {row[0]: row[3] for row in self.broken(site)} == dict.fromkeys(totals)
        assert reconciled(site)["differences"]["red"] == 2

    def test_a_payment_of_what_is_not_read(self, site: QuickBooksSite) -> None:
        case = self.cases["refund_receipt"]
        told = site.vendor.book.latest("Payment", case.ids["payment"])
        assert told is not None
        line = {"Amount": Decimal(4), "LinkedTxn": [{"TxnId": "999", "TxnType": "TransferOut"}]}
        charged = {**told, "TotalAmt": Decimal(37), "Line": [*told["Line"], line]}
        site.vendor.book.put("Payment", charged, AT + timedelta(hours=1))
        site.read()
        assert self.broken(site) == [("balance_allocation_mismatch", case.ids["payment"], 4, "unread_kind")]

    def test_links_past_the_cap_are_left_out_where_that_is_set(self, site: QuickBooksSite) -> None:
        ids = self.cases["sixteen_links"].ids
        site.read()
        reconciled(site, link_cap=15)
        query = "SELECT left_kind, left_source_id, amount, cause FROM reconciliation.differences ORDER BY 1"
        assert site.rows(query) == [
            ("invoice", ids["invoice_16"], 10, "link_cap"),
            ("payment", ids["payment"], 10, "link_cap"),
        ]
        reconciled(site)
        assert self.broken(site) == []


def test_a_company_ties_on_every_day(database: str, tmp_path: Path) -> None:
    company = Company.build(5, customers=12, days=6, invoices_per_day=4, history_days=40, expressible=True)
    last = company.batches[-1].name_time
    with served(filled_from(company).file, last + timedelta(hours=1)) as vendor:
        site = QuickBooksSite(vendor, database, tmp_path)
        site.read()
        counts = reconciled(site, company.last_day)
        assert counts["balances"]["documents"] > 50
        assert site.rows("SELECT * FROM reconciliation.differences") == []
        for line in Answers.of(company).control_totals():
            query = f"SELECT net, stated FROM reconciliation.control_totals WHERE currency_iso = '{line.currency_iso}'"
            assert site.rows(query) == [(line.net, line.net)]
        accounts = site.rows("SELECT difference, reason FROM reconciliation.account_totals")
        assert accounts == [(0, None)] * len(vendor.file.ledger.receivable_accounts)
