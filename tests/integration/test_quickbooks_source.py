"""QuickBooks from the simulated vendor over HTTP to receivables: a whole company, every case with its figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from psycopg.rows import dict_row

from kolleno_pipelines.connectors.contract import Pass, Window
from kolleno_pipelines.connectors.errors import NeedsHuman, Permanent, Retryable
from kolleno_pipelines.connectors.http import HttpClient, Retries, Timing
from kolleno_pipelines.connectors.quickbooks.client import QuickBooksSource, classify
from kolleno_pipelines.connectors.quickbooks.connector import QUICKBOOKS
from kolleno_pipelines.pipeline.deployment import open_deployment
from kolleno_pipelines.pipeline.extract import Reading, extract_changes
from kolleno_pipelines.pipeline.normalise import fold, normalise_pending
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.quickbooks.app import SCOPE, SandboxQuickBooks
from kolleno_pipelines.sandbox.quickbooks.book import QuickBooksBook
from kolleno_pipelines.sandbox.quickbooks.cases import Case, write_all
from kolleno_pipelines.sandbox.quickbooks.company_file import CompanyFile
from kolleno_pipelines.sandbox.quickbooks.filling import filled_from
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.vendor_limits import VendorLimits
from kolleno_pipelines.settings import Settings

AT = datetime(2026, 3, 6, 18, tzinfo=UTC)
Row = dict[str, Any]


class Site:
    """A vendor, a client of it and a deployment that reads the one by the other."""

    def __init__(self, vendor: SandboxQuickBooks, database: str, home: Path) -> None:
        self.vendor = vendor
        token = vendor.tokens.issue(SCOPE)["access_token"]
        self.http = HttpClient(
            "qb",
            vendor.url,
            classify=classify,
            authorise=lambda _: f"Bearer {token}",
            retries=Retries(attempts=2),
            timing=Timing(sleep=lambda _: None),
        )
        self.source = QuickBooksSource(self.http, vendor.book.realm_id)
        self.deployment = open_deployment(Settings(home=home, database_url=database), {})

    def read(self) -> None:
        """Read what changed of every extract, normalise and fold it."""
        for extract in QUICKBOOKS.extracts:
            reading = Reading(self.deployment, "qb", self.source, extract, clock=lambda: self.vendor.clock.now)
            assert extract_changes(reading).stopped is None
        normalise_pending(self.deployment, "qb", QUICKBOOKS)
        fold(self.deployment, "qb")

    def rows(self, entity: str) -> list[Row]:
        with self.deployment.transaction() as conn, conn.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(f"SELECT * FROM receivables.{entity} WHERE connection = 'qb'").fetchall()

    def open_by_customer(self) -> dict[str, Decimal]:
        """What every customer owes by its own documents: invoices less credits less money, and journals."""
        owed: dict[str, Decimal] = defaultdict(Decimal)
        for entity, sign in (("invoices", 1), ("credit_notes", -1), ("payments", -1), ("journals", 1)):
            for row in self.rows(entity):
                owed[row["customer_source_id"]] += sign * (row["balance_open"] or 0)
        return owed


def serve(file: CompanyFile, at: datetime) -> SandboxQuickBooks:
    return SandboxQuickBooks(file, clock=VendorClock(at), limits=VendorLimits())


@pytest.fixture
def cases(database: str, tmp_path: Path) -> Iterator[tuple[Site, dict[str, Case]]]:
    file = CompanyFile(QuickBooksBook(), AT - timedelta(days=30))
    made = write_all(file, AT, date(2026, 3, 6))
    with serve(file, AT + timedelta(days=1)) as vendor:
        site = Site(vendor, database, tmp_path)
        site.read()
        yield site, made


def test_a_company_arrives_whole_and_follows_its_changes(database: str, tmp_path: Path) -> None:
    company = Company.build(5, customers=12, days=6, invoices_per_day=4, history_days=40, expressible=True)
    middle = company.batches[2].name_time
    filling = filled_from(company, until=middle)
    with serve(filling.file, middle + timedelta(hours=1)) as vendor:
        site = Site(vendor, database, tmp_path)
        site.read()
        filling.advance()
        vendor.clock.set(company.batches[-1].name_time + timedelta(hours=1))
        site = Site(vendor, database, tmp_path)
        site.read()
        stated = {row["source_id"]: row["balance_stated"] for row in site.rows("customers")}
        owed = site.open_by_customer()
        assert len(stated) >= 12
        assert {name: owed[name] for name in stated} == stated, "each balance is what the vendor itself says"
        books = company.books()
        invoices = {(row["ref"], row["balance_open"]) for row in site.rows("invoices")}
        expected = {(d.ref, books.balance(d)) for d in books.documents.values() if d.key.kind == "invoice"}
        assert invoices == expected
        before = vendor.api_requests
        fold(site.deployment, "qb")
        normalise_pending(site.deployment, "qb", QUICKBOOKS)
        assert vendor.api_requests == before, "what is in the archive is not asked for"


def test_every_case_comes_out_with_its_figures(cases: tuple[Site, dict[str, Case]]) -> None:
    site, made = cases
    assert len(made) >= 19
    found = {_entry(row["source_id"]): row["balance_open"] for row in site.rows("journals")}
    # A deposit line takes off what is owed; the case states it in the deposit's own sense.
    found |= {_entry(row["source_id"]): -row["balance_open"] for row in site.rows("journals") if _is_deposit(row)}
    for entity in ("invoices", "credit_notes", "payments"):
        found |= {row["source_id"]: row["balance_open"] for row in site.rows(entity)}
    live = [row for row in site.rows("allocations") if row["removed_at"] is None]
    owed = site.open_by_customer()
    faults = []
    for name, case in made.items():
        if "customer" in case.ids and owed[case.ids["customer"]] != case.balance:
            faults.append((name, "balance", case.balance, owed[case.ids["customer"]]))
        for document, figure in case.open.items():
            if found.get(case.ids[document]) != figure:
                faults.append((name, document, figure, found.get(case.ids[document])))
        names = {source_id: key for key, source_id in case.ids.items() if key != "customer"}
        allocated = {
            (names.get(_entry(row["from_source_id"])), names.get(_entry(row["to_source_id"]))): row["amount"]
            for row in live
            if _entry(row["owner_source_id"]) in names and row["from_kind"] != "invoice_deposit"
        }
        wanted = {pair: amount for pair, amount in case.allocated.items() if "invoice_deposit" not in pair}
        if allocated != wanted:
            faults.append((name, "allocated", wanted, allocated))
    assert not faults, "\n".join(map(str, faults))


def _entry(source_id: str) -> str:
    """The vendor's id in one of ours: `JournalEntry:12:0` is line 0 of 12."""
    parts = source_id.split(":")
    return parts[1] if len(parts) > 1 else parts[0]


def _is_deposit(row: Row) -> bool:
    return bool(row["source_id"].startswith("Deposit:"))


def test_deletions_come_by_change_data_capture(cases: tuple[Site, dict[str, Case]]) -> None:
    site, _ = cases
    now = site.vendor.clock.now
    invoices = QUICKBOOKS.extract("invoices")
    found = list(site.source.records(invoices, Window(Pass.DELETIONS, now - timedelta(days=20), now)))
    assert found
    assert all(b'"Deleted"' in record.payload for record in found)
    with pytest.raises(Permanent, match="a sweep finds them"):
        list(site.source.records(invoices, Window(Pass.DELETIONS, now - timedelta(days=31), now)))


def test_faults_say_who_must_act(cases: tuple[Site, dict[str, Case]]) -> None:
    site, _ = cases
    vendor, customers = site.vendor, QUICKBOOKS.extract("customers")
    window = Window(Pass.CHANGES, None, vendor.clock.now)
    company = f"/v3/company/{vendor.book.realm_id}"
    vendor.server.fail_next(company, vendor.fault(6000, "A business validation error"))
    with pytest.raises(Permanent, match="code 6000"):
        list(site.source.records(customers, window))
    vendor.server.fail_next(company, 503, 1)
    assert len(list(site.source.records(customers, window))) > 10, "a passing fault is tried again"
    vendor.server.fail_next(company, 503, 5)
    with pytest.raises(Retryable):
        list(site.source.records(customers, window))
    vendor.server.clear_faults()
    vendor.tokens.expire_access()
    with pytest.raises(NeedsHuman, match="kolleno connections login qb"):
        list(site.source.records(customers, window))


def test_objects_are_found_by_id_and_paged_among_one_moment(
    cases: tuple[Site, dict[str, Case]], monkeypatch: pytest.MonkeyPatch
) -> None:
    site, _ = cases
    customers = QUICKBOOKS.extract("customers")
    everything = Window(Pass.CHANGES, None, site.vendor.clock.now)
    whole = [record.source_id for record in site.source.records(customers, everything)]
    monkeypatch.setattr("kolleno_pipelines.connectors.quickbooks.client.PAGE", 3)
    paged = [record.source_id for record in site.source.records(customers, everything)]
    assert sorted(paged) == sorted(whole)
    named = Window(Pass.LOOKUP, None, site.vendor.clock.now, tuple(whole[:2]))
    assert sorted(record.source_id for record in site.source.records(customers, named)) == sorted(whole[:2])
