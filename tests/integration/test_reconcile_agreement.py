"""A QuickBooks ledger against an SFTP mirror of the same company: they agree, and what is planted is named."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from kolleno_pipelines.assets.reconciliation.present import result_key
from kolleno_pipelines.connections import ConnectionsError, QuickBooksConnection, XeroConnection, load_connections
from kolleno_pipelines.definitions import build_definitions
from kolleno_pipelines.pipeline.deployment import open_deployment
from kolleno_pipelines.pipeline.ingest import ingest
from kolleno_pipelines.pipeline.reconcile import reconcile_present
from kolleno_pipelines.pipeline.reconcile_agreement import compared_pairs
from kolleno_pipelines.pipeline.report_columns import report_columns
from kolleno_pipelines.pipeline.reports import asks_for_somebody, report
from kolleno_pipelines.sandbox import drops
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.quickbooks.filling import Filling, filled_from
from kolleno_pipelines.schemas.agreement_mapping import AgreementMapping
from kolleno_pipelines.settings import Settings
from tests.quickbooks_site import QuickBooksSite, served
from tests.receivables_rows import Connection

COMPANY = Company.build(5, customers=12, days=6, invoices_per_day=4, history_days=40, expressible=True)
CONNECTIONS = {
    "qb": Connection("qb", system="quickbooks", balance_stated=True),
    "sftp": Connection("sftp", role="mirror"),
}


class Twins:
    """One company by two connections, in one database."""

    def __init__(self, site: QuickBooksSite, filling: Filling, folder: Path) -> None:
        self.site, self.filling, self.folder = site, filling, folder

    def deliver(self) -> None:
        drops.write(self.folder / "csv_data_uploads", drops.arrivals(COMPANY))
        connections = self.folder / "connections.yaml"
        connections.write_text(f"connections:\n  sftp:\n    system: sftp\n    location: file://{self.folder}\n")
        settings = Settings(home=self.site.home, database_url=self.site.database, connections=connections)
        deployment = open_deployment(settings)
        ingest(deployment, deployment.sftp, clock=lambda: datetime.combine(COMPANY.last_day, time(23), UTC))

    def reconcile(self) -> dict[str, dict[str, int]]:
        found = reconcile_present(self.site.database, CONNECTIONS, COMPANY.last_day)
        return {one.result: dict(one.counts) for one in found}

    def breaks(self) -> list[tuple[Any, ...]]:
        self.reconcile()
        return self.site.rows(
            "SELECT b.kind, b.differs, b.ref, d.amount, d.cause FROM reconciliation.agreement_breaks b"
            " JOIN reconciliation.differences d USING (break_id) WHERE d.status <> 'resolved' ORDER BY 1, 2, 3"
        )


@pytest.fixture
def twins(database: str, tmp_path: Path) -> Iterator[Twins]:
    filling = filled_from(COMPANY)
    with served(filling.file, COMPANY.batches[-1].name_time + timedelta(hours=1)) as vendor:
        made = Twins(QuickBooksSite(vendor, database, tmp_path / "home"), filling, tmp_path / "drop")
        made.site.read()
        made.deliver()
        yield made


def test_the_two_agree_but_for_what_csv_cannot_say(twins: Twins) -> None:
    assert twins.breaks() == []
    rows = twins.site.rows("SELECT difference, expected FROM reconciliation.agreement")
    assert len(rows) >= 5
    assert set(rows) == {(0, 0)}
    gaps = twins.site.rows(
        "SELECT connection, mirror, gap, kind, sum(items), sum(balance) FROM reconciliation.agreement_gaps"
        " GROUP BY 1, 2, 3, 4"
    )
    # One of them shares customer and day with a payment without a number: the two together are that payment's match.
    assert gaps == [("qb", "sftp", "zero_payment", "payment", len(twins.filling.applications) - 1, 0)]
    assert twins.reconcile()["agreement"] == {"mirrors": 1, "breaks": 0, "expected_gaps": len(set_of_currencies(twins))}


def set_of_currencies(twins: Twins) -> set[str]:
    return {row[0] for row in twins.site.rows("SELECT currency_iso FROM reconciliation.agreement_gaps")}


class TestPlanted:
    def open_invoice(self, twins: Twins) -> tuple[str, str, Decimal]:
        """(source_id in the mirror, ref, balance) of the largest open invoice."""
        ((source_id, ref, balance),) = twins.site.rows(
            "SELECT source_id, ref, balance FROM receivables.invoices WHERE connection = 'sftp' AND balance_open > 2"
            " AND currency_iso <> 'JPY' ORDER BY balance_open DESC, source_id LIMIT 1"
        )
        return source_id, ref, balance

    def change(self, twins: Twins, sets: str, source_id: str) -> None:
        with psycopg.connect(twins.site.database) as conn:
            conn.execute(
                f"UPDATE receivables.invoices SET {sets} WHERE connection = 'sftp' AND source_id = %s".encode(),
                (source_id,),
            )

    @pytest.mark.parametrize(
        ("sets", "differs", "amount", "cause"),
        [
            ("balance = balance - 1, balance_open = balance_open - 1", "balance", 1, None),
            ("balance = balance + 0.01, balance_open = balance_open + 0.01", "balance", Decimal("-0.01"), "rounding"),
            ("amount = amount + 2", "amount", -2, None),
            ("date_issued = date_issued - 1", "date", 0, None),
            ("posting_status = 'voided', balance_open = 0", "not_in_mirror", "all", "void"),
            ("ref = ref || '-x'", "not_in_mirror", "all", "missing_document"),
        ],
    )
    def test_one_document_is_one_break(
        self, twins: Twins, sets: str, differs: str, amount: Decimal | str, cause: str | None
    ) -> None:
        source_id, ref, balance = self.open_invoice(twins)
        self.change(twins, sets, source_id)
        found = twins.breaks()
        wanted = [("invoice", differs, ref, balance if amount == "all" else amount, cause)]
        if differs == "not_in_mirror" and cause == "missing_document":
            wanted.insert(0, ("invoice", "not_in_ledger", f"{ref}-x", -balance, "missing_document"))
        assert found == wanted
        assert asks_for_somebody("agreement", shown(twins, "agreement"), twins.site.database)
        changed = twins.site.rows("SELECT difference FROM reconciliation.agreement WHERE difference <> 0")
        assert changed == [(one,) for one in {wanted[-1][3]} - {0} if "balance" in sets]

    def test_a_mirror_that_is_behind(self, twins: Twins) -> None:
        """The ledger has an invoice of after the last file: the file will tell of it."""
        at, file = twins.site.wait(), twins.site.vendor.file
        customer = next(iter(file.ledger.current["Customer"]))
        invoice = file.add_invoice(at, customer, "NEW-1", Decimal(9), COMPANY.last_day)
        twins.site.read()
        assert twins.breaks() == [("invoice", "not_in_mirror", "NEW-1", 9, "stale_extract")]
        ((left, right),) = twins.site.rows("SELECT left_source_id, right_kind FROM reconciliation.differences")
        assert (left, right) == (invoice, "sftp")

    def test_a_customer_under_another_name_is_one_break(self, twins: Twins) -> None:
        with psycopg.connect(twins.site.database) as conn:
            ((source_id,),) = conn.execute(
                "UPDATE receivables.customers SET name = 'Another Name' WHERE connection = 'sftp' AND source_id ="
                " (SELECT customer_source_id FROM receivables.invoices WHERE connection = 'sftp'"
                " GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1) RETURNING source_id"
            ).fetchall()
        assert twins.breaks() == [("customer", "customer", None, 0, None)]
        assert twins.site.rows("SELECT right_source_id FROM reconciliation.differences") == [(source_id,)]

    def test_names_differ_in_case_and_blanks_only(self, twins: Twins) -> None:
        with psycopg.connect(twins.site.database) as conn:
            conn.execute(
                "UPDATE receivables.customers SET name = ' ' || upper(replace(name, ' ', '  '))"
                " WHERE connection = 'sftp'"
            )
        assert twins.breaks() == []

    def test_another_parent(self, twins: Twins) -> None:
        with psycopg.connect(twins.site.database) as conn:
            found = conn.execute(
                "UPDATE receivables.customers SET parent_source_id = NULL WHERE connection = 'sftp' AND source_id ="
                " (SELECT min(source_id) FROM receivables.customers WHERE connection = 'sftp'"
                "  AND parent_source_id IS NOT NULL) RETURNING source_id"
            ).fetchall()
        assert len(found) == 1
        assert twins.breaks() == [("customer", "parent", None, 0, None)]


def shown(twins: Twins, name: str) -> list[dict[str, Any]]:
    return report(name, twins.site.database, CONNECTIONS, COMPANY.last_day)


def test_the_setting_says_how_customers_are_found(tmp_path: Path) -> None:
    text = "connections:\n  qb: {system: quickbooks}\n  xero:\n    system: xero\n    role: mirror\n"
    text += "    agreement: {%s: ref}\n"
    file = tmp_path / "connections.yaml"
    file.write_text(text % "customer_in_mirror")
    connections = load_connections(file)
    assert connections["xero"].agreement == AgreementMapping(customer_in_ledger="name", customer_in_mirror="ref")
    assert [(one.name, other.name) for one, other in compared_pairs(connections)] == [("qb", "xero")]
    file.write_text(text % "customers")
    with pytest.raises(ConnectionsError, match=r"line 6: connection xero: agreement\.customers"):
        load_connections(file)


def test_the_graph_compares_mirrors_where_there_are_some(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    alone = {"qb": QuickBooksConnection(name="qb")}
    both = alone | {"xero": XeroConnection(role="mirror")}
    for connections, there in ((alone, False), (both, True)):
        keys = build_definitions(settings, connections).resolve_all_asset_keys()
        assert (result_key("agreement") in keys) is there


def test_journals_are_a_gap_that_csv_implies(twins: Twins) -> None:
    file = twins.site.vendor.file
    customer = next(iter(file.ledger.current["Customer"]))
    file.add_journal(twins.site.wait(), customer, "J-1", Decimal("12.50"), COMPANY.last_day)
    twins.site.read()
    assert twins.breaks() == []
    assert list(shown(twins, "agreement")[0]) == report_columns("agreement")
    found = [row for row in shown(twins, "agreement") if Decimal(row["difference"])]
    assert [(row["mirror"], row["difference"], row["expected"]) for row in found] == [("sftp", "12.50", "12.50")]
    assert not asks_for_somebody("agreement", found, twins.site.database)
    gaps = twins.site.rows("SELECT items, balance FROM reconciliation.agreement_gaps WHERE gap = 'no_journals'")
    assert gaps == [(1, Decimal("12.5"))]


def test_mirrors_are_left_out_of_the_other_reports(twins: Twins) -> None:
    twins.reconcile()
    for name in ("control-totals", "unapplied-cash", "ageing", "roll-forward", "differences", "balances"):
        assert {row["connection"] for row in shown(twins, name)} <= {"qb"}, name
        every = report(name, twins.site.database, CONNECTIONS, COMPANY.last_day, include_mirrors=True)
        if name in {"control-totals", "unapplied-cash", "ageing"}:
            assert {row["connection"] for row in every} == {"qb", "sftp"}, name
