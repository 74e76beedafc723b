"""Xero from the simulated vendor over HTTP to receivables: a whole company, every case with its figures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kolleno_pipelines.connectors.xero import client
from kolleno_pipelines.connectors.xero.connector import XERO
from kolleno_pipelines.pipeline import parts
from kolleno_pipelines.pipeline.extract import Reading, extract_changes
from kolleno_pipelines.pipeline.normalise import fold, normalise_again, normalise_pending
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.vendor_limits import VendorLimits
from kolleno_pipelines.sandbox.xero.access import published_limits
from kolleno_pipelines.sandbox.xero.book import Book
from kolleno_pipelines.sandbox.xero.cases import LATER, Case, book_of_cases
from kolleno_pipelines.sandbox.xero.chart import set_up
from kolleno_pipelines.sandbox.xero.contacts import contact
from kolleno_pipelines.sandbox.xero.filling import filled_from
from kolleno_pipelines.sandbox.xero.ledger import Ledger
from kolleno_pipelines.sandbox.xero.objects import Kind, invoice
from kolleno_pipelines.sandbox.xero.server import SandboxXero
from tests.xero_client import AT, NOW
from tests.xero_site import Row, Site

#: Names of a case's ids that are no documents of ours.
_NO_DOCUMENT = {"batch", "refund", "allocation", "gone", "kept"}

_SUPPLIERS = {"bill", "payment", "credit", "credit_payment", "overpayment", "prepayment"}


@pytest.fixture
def cases(database: str, tmp_path: Path) -> Iterator[tuple[Site, dict[str, Case]]]:
    book, made = book_of_cases(AT)
    with SandboxXero(book, clock=VendorClock(NOW), limits=VendorLimits()) as xero:
        site = Site(xero, database, tmp_path)
        site.read()
        yield site, made


def _documents(site: Site) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for entity in ("invoices", "credit_notes", "payments"):
        rows = site.rows(entity)
        assert not found.keys() & rows.keys(), "ids of one table are not those of another"
        found |= rows
    return found


def test_every_case_comes_out_with_its_figures(cases: tuple[Site, dict[str, Case]]) -> None:
    site, made = cases
    assert len(made) >= 18
    documents, allocations = _documents(site), site.live_allocations()
    stated = {name: row["balance_stated"] for name, row in site.rows("customers").items()}
    net = site.net_by_customer()
    faults: list[Any] = []
    for name, case in made.items():
        if net[case.contact_id] != case.outstanding:
            faults.append((name, "net", case.outstanding, net[case.contact_id]))
        if stated[case.contact_id] != case.outstanding:
            faults.append((name, "stated", case.outstanding, stated[case.contact_id]))
        ours = case.ids.keys() - _NO_DOCUMENT - (_SUPPLIERS if name == "supplier_side" else set())
        for document in ours:
            row = documents[case.ids[document]]
            if row["balance_open"] != case.open[document]:
                faults.append((name, document, case.open[document], row["balance_open"]))
        if (found := _allocated(case, documents, allocations)) != case.allocated:
            faults.append((name, "allocated", case.allocated, found))
    assert not faults, "\n".join(map(str, faults))
    assert site.unexplained() == []


def _allocated(case: Case, documents: dict[str, Row], allocations: list[Row]) -> dict[tuple[str, str], Decimal]:
    """What pays which invoice of a case, by its names: payments of a batch are the batch."""
    names = {source_id: role for role, source_id in case.ids.items()}
    found = {}
    for row in allocations:
        paying = documents[row["from_source_id"]].get("batch_source_id") or row["from_source_id"]
        if row["to_kind"] == "invoice" and row["to_source_id"] in names and paying in names:
            found[names[paying], names[row["to_source_id"]]] = row["amount"]
    # Cases name an allocation only where it is their subject: the other payments are those of their own documents.
    return {pair: amount for pair, amount in found.items() if pair in case.allocated or not case.allocated}


def test_suppliers_are_left_out_and_not_quarantined(cases: tuple[Site, dict[str, Case]]) -> None:
    site, made = cases
    theirs = set(made["supplier_side"].ids.values())
    assert not theirs & (_documents(site).keys() | site.rows("refunds_erp").keys())
    with site.deployment.transaction() as conn:
        told = conn.execute("SELECT source_id FROM normalised.payloads WHERE connection = 'xero'").fetchall()
        kept = conn.execute("SELECT count(*) FROM raw.quarantined_payloads").fetchone()
        waiting = conn.execute("SELECT count(*) FROM normalised.parked_rows").fetchone()
    ids = made["supplier_side"].ids
    paid = {ids[role] for role in ("payment", "credit_payment", "overpayment", "prepayment")}
    assert paid <= {row[0] for row in told}, "what is left out is counted"
    assert (kept, waiting) == ((0,), (0,))


def test_refunds_leave_their_credits_and_are_no_receipts(cases: tuple[Site, dict[str, Case]]) -> None:
    site, made = cases
    refunds, payments = site.rows("refunds_erp"), site.rows("payments")
    sources = {row["to_source_id"]: row for row in site.live_allocations() if row["to_kind"] == "refund"}
    for name, role in (
        ("refunded_credit_note", "credit_note"),
        ("refunded_overpayment", "overpayment"),
        ("refunded_prepayment", "prepayment"),
    ):
        case = made[name]
        refund = case.ids["refund"]
        assert (refunds[refund]["amount"], refunds[refund]["posting_status"]) == (case.figures["refunded"], "posted")
        assert refunds[refund]["customer_source_id"] == case.contact_id
        assert refund not in payments
        left = sources[refund]
        assert (left["from_kind"], left["from_source_id"], left["amount"]) == (
            role,
            case.ids[role],
            case.figures["refunded"],
        )
    assert len(refunds) == 3


def test_statuses_are_kept_as_stated_and_read(cases: tuple[Site, dict[str, Case]]) -> None:
    site, made = cases
    invoices, notes = site.rows("invoices"), site.rows("credit_notes")
    read = {word: invoices[made["statuses"].ids[word]] for word in made["statuses"].ids}
    assert {word: row["posting_status"] for word, row in read.items()} == {
        "DRAFT": "draft",
        "SUBMITTED": "pending_approval",
        "AUTHORISED": "posted",
        "VOIDED": "voided",
        "DELETED": "deleted",
    }
    assert all(row["status_stated"] == word for word, row in read.items())
    ids = made["voided_credits"].ids
    assert notes[ids["credit_note"]]["posting_status"] == "voided"
    assert notes[ids["draft"]]["posting_status"] == "draft"
    money = site.rows("payments")
    assert {money[ids[role]]["posting_status"] for role in ("overpayment", "prepayment")} == {"voided"}
    assert money[made["deleted_payment"].ids["payment"]]["posting_status"] == "deleted"
    assert invoices[made["foreign_currency"].ids["invoice"]]["settlement"] == "partially_paid"


def test_a_batch_is_one_receipt_of_many(cases: tuple[Site, dict[str, Case]]) -> None:
    site, made = cases
    case = made["batch_payment"]
    parts = [row for row in site.rows("payments").values() if row["batch_source_id"] == case.ids["batch"]]
    assert sorted(row["amount"] for row in parts) == [20, 100, 200]
    assert sum(row["amount"] for row in parts) == case.figures["received"]
    assert {row["balance"] for row in parts} == {0}


def test_rates_are_turned_round_and_amounts_stay_in_the_documents_currency(
    cases: tuple[Site, dict[str, Case]],
) -> None:
    site, made = cases
    case = made["foreign_currency"]
    invoice, payment = site.rows("invoices")[case.ids["invoice"]], site.rows("payments")[case.ids["payment"]]
    assert (invoice["currency_iso"], invoice["amount"], invoice["balance"]) == ("EUR", 100, 64)
    assert invoice["exchange_rate"] == Decimal("1.428571428571428571")
    assert (invoice["amount_home"], invoice["balance_home"]) == (case.figures["total_home"], Decimal("91.43"))
    assert (payment["currency_iso"], payment["amount"], payment["amount_home"]) == (
        "EUR",
        36,
        case.figures["paid_home"],
    )
    assert {row["currency_iso"] for row in site.rows("refunds_erp").values()} == {"USD"}
    mixed = site.rows("customers")[made["several_currencies"].contact_id]
    assert (mixed["balance_stated"], mixed["balance_currency_iso"]) == (150, None)


def test_dates_of_every_form(cases: tuple[Site, dict[str, Case]]) -> None:
    site, made = cases
    ids = made["odd_dates"].ids
    rows = site.rows("invoices")
    zero, negative, offset = (rows[ids[name]] for name in ("zero", "negative", "offset"))
    assert (zero["date_issued"], zero["date_due"], zero["posting_status"]) == (AT.date(), None, "voided")
    assert (negative["date_issued"], negative["date_due"]) == (date(1969, 12, 31), date(1969, 12, 31))
    assert (offset["date_issued"], offset["date_due"]) == (date(2014, 12, 31), date(2015, 1, 31))


def test_merged_contacts_are_aliases_and_archived_ones_inactive(cases: tuple[Site, dict[str, Case]]) -> None:
    site, made = cases
    ids = made["merged_contacts"].ids
    assert {name: row["customer_source_id"] for name, row in site.rows("customer_aliases").items()} == {
        ids["gone"]: ids["kept"]
    }
    customers = site.rows("customers")
    assert not customers[ids["gone"]]["is_active"]
    assert customers[ids["kept"]]["is_active"]
    archived = customers[made["archived_contact"].contact_id]
    assert (archived["is_active"], archived["balance_stated"]) == (False, 25)
    assert (archived["ref"], archived["extra"]) == ("case-archived", {"contact_number": "case-archived"})


def _write_later(book: Book) -> None:
    """A contact and an invoice half an hour later, so that the watermarks leave the moment of the cases."""
    ledger, at = Ledger(book), AT + timedelta(minutes=30)
    who = book.put(Kind.CONTACTS, contact("later", "Later"), at)
    ledger.enter(Kind.INVOICES, invoice("later", who, 1, at.date()), at)


def test_what_is_not_announced_comes_with_a_sweep(database: str, tmp_path: Path) -> None:
    book, made = book_of_cases(AT)
    with SandboxXero(book, clock=VendorClock(AT + timedelta(hours=1)), limits=VendorLimits()) as xero:
        site = Site(xero, database, tmp_path)
        _write_later(book)
        site.read()
        ended = made["ended_allocation"].ids
        assert {row["amount"] for row in site.live_allocations() if row["from_source_id"] == ended["credit_note"]} == {
            30
        }
        xero.clock.set(NOW)
        site.read()
        silent, moved = made["silent_change"].ids["invoice"], made["merged_contacts"].ids["invoice_moved"]
        before = site.rows("invoices")
        assert before[silent]["date_due"] == AT.date()
        assert before[moved]["customer_source_id"] == made["merged_contacts"].ids["gone"]
        stale = site.rows("customers")[made["prepayment"].contact_id]["balance_stated"]
        assert stale == -300, "a contact's balance moves without its moment"
        site.sweep(tmp_path / "sweep")
        after = site.rows("invoices")
        assert after[silent]["date_due"] == AT.date() + timedelta(days=30)
        assert after[moved]["customer_source_id"] == made["merged_contacts"].ids["kept"]
        net = site.net_by_customer()
        stated = {name: row["balance_stated"] for name, row in site.rows("customers").items()}
        assert {name: net[case.contact_id] for name, case in made.items()} == {
            name: case.outstanding for name, case in made.items()
        }
        assert {case.contact_id: stated[case.contact_id] for case in made.values()} == {
            case.contact_id: case.outstanding for case in made.values()
        }
        gone = site.rows("allocations")[ended["allocation"]]
        assert (gone["amount"], gone["removed_at"]) == (0, AT + LATER)
        assert site.unexplained() == []


def test_a_company_arrives_whole_and_follows_its_changes(database: str, tmp_path: Path) -> None:
    company = Company.build(5, customers=12, days=6, invoices_per_day=4, history_days=40, expressible=True)
    middle = company.batches[2].name_time
    filling = filled_from(company, until=middle)
    with SandboxXero(filling.book, clock=VendorClock(middle + timedelta(hours=1)), limits=VendorLimits()) as xero:
        site = Site(xero, database, tmp_path)
        site.read()
        filling.advance()
        xero.clock.set(company.batches[-1].name_time + timedelta(hours=1))
        site.read()
        site.sweep(tmp_path / "sweep")
        stated = {name: row["balance_stated"] for name, row in site.rows("customers").items()}
        owing = {name: amount for name, amount in stated.items() if amount is not None}
        net = site.net_by_customer()
        assert len(owing) >= 12
        assert {name: net[name] for name in owing} == owing, "each balance is what the vendor itself says"
        assert site.unexplained() == []
        books = company.books()
        found = {(row["ref"], row["balance_open"]) for row in site.rows("invoices").values()}
        assert found == {(d.ref, books.balance(d)) for d in books.documents.values() if d.key.kind == "invoice"}
        labels = {tuple(row["extra"].get("contact_groups", ())) for row in site.rows("customers").values()}
        assert {("large",), ("small",)} <= labels
        assert all(row["currency_iso"] for row in site.rows("payments").values())
        before = len(xero.server.requests)
        days = company.batches[0].name_time.date(), xero.clock.now.date()
        assert normalise_again(site.deployment, "xero", XERO, *days) > 0
        assert fold(site.deployment, "xero").is_empty, "the archive says the same again"
        assert normalise_pending(site.deployment, "xero", XERO) == 0
        assert len(xero.server.requests) == before, "what is in the archive is not asked for"


def test_a_day_limit_ends_a_reading_which_goes_on_where_it_stopped(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PAGE", 4)
    monkeypatch.setattr(parts, "_PART_RECORDS", 4)
    book = Book()
    ledger = Ledger(book)
    set_up(ledger, AT)
    who = book.put(Kind.CONTACTS, contact("shop", "Shop"), AT)
    for number in range(20):
        at = AT + timedelta(minutes=20 * number)
        ledger.enter(Kind.INVOICES, invoice(f"i-{number}", who, 1, at.date()), at)
    limits = published_limits()
    with SandboxXero(book, clock=VendorClock(NOW), limits=limits) as xero:
        site = Site(xero, database, tmp_path)
        reading = Reading(site.deployment, "xero", site.source, XERO.extract("invoices"), clock=lambda: NOW)
        limits.use_up(xero.tenant_id, "day", left=3)
        stopped = extract_changes(reading)
        assert stopped.stopped is not None
        assert (stopped.stopped.retry_after or 0) > 80_000
        assert 4 <= stopped.records < 20
        limits.use_up(xero.tenant_id, "day", left=100)
        went_on = extract_changes(reading)
        assert went_on.stopped is None
        assert went_on.records < 20, "what has landed is not read again"
        for name in ("organisation", "contacts"):
            extract_changes(Reading(site.deployment, "xero", site.source, XERO.extract(name), clock=lambda: NOW))
        site.normalise_and_fold()
        assert len(site.rows("invoices")) == 20
