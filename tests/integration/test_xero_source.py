"""Reading Xero over HTTP from the simulated vendor: pages that lose nothing, windows, single objects, refusals."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from starlette.responses import Response

from kolleno_pipelines.connectors.contract import Pass, Record, Window
from kolleno_pipelines.connectors.errors import Retryable
from kolleno_pipelines.connectors.xero import access
from kolleno_pipelines.connectors.xero import client as xero_client
from kolleno_pipelines.connectors.xero.connector import XERO
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.vendor_limits import VendorLimits
from kolleno_pipelines.sandbox.xero.book import Book
from kolleno_pipelines.sandbox.xero.cases import LATER, Case
from kolleno_pipelines.sandbox.xero.chart import BANK, account_of, set_up
from kolleno_pipelines.sandbox.xero.contacts import contact, contact_group
from kolleno_pipelines.sandbox.xero.ledger import Ledger
from kolleno_pipelines.sandbox.xero.objects import Kind, invoice, object_id
from kolleno_pipelines.sandbox.xero.server import SandboxXero
from tests.xero_client import AT, NOW
from tests.xero_reading import API, INVOICES, cases, changes, read
from tests.xero_site import source_of

__all__ = ["cases"]


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xero_client, "PAGE", 4)


def ids_of(records: list[Record]) -> list[str]:
    return [record.source_id for record in records]


class Shop:
    """A book of one contact whose invoices a test writes at moments of its choice."""

    def __init__(self) -> None:
        self.book = Book()
        self.ledger = Ledger(self.book)
        set_up(self.ledger, AT - timedelta(days=1))
        self.who = self.book.put(Kind.CONTACTS, contact("shop", "Shop"), AT - timedelta(days=1))

    def issue(self, key: str, at: datetime) -> str:
        self.ledger.enter(Kind.INVOICES, invoice(key, self.who, 10, at.date(), due=at.date()), at)
        return object_id(Kind.INVOICES, key)

    def touch(self, key: str, at: datetime) -> None:
        self.ledger.edit(Kind.INVOICES, object_id(Kind.INVOICES, key), {"Reference": f"touched {at}"}, at)

    def pay(self, key: str, at: datetime) -> None:
        bank = account_of(self.ledger, BANK, at)
        self.ledger.pay(Kind.INVOICES, object_id(Kind.INVOICES, key), Decimal("10.00"), at.date(), bank, at, key=key)

    def change_later(self, act: str, keys: list[str], clock: VendorClock) -> None:
        """Touch or pay invoices a little after NOW, and let the vendor's clock reach it."""
        for key in keys:
            getattr(self, act)(key, NOW + timedelta(seconds=4))
        clock.set(NOW + timedelta(seconds=5))


def while_reading(xero: SandboxXero, window: Window, after: int, change: Callable[[], None]) -> list[str]:
    """Read invoices; after so many of them something changes at the vendor."""
    found = []
    for record in source_of(xero).records(INVOICES, window):
        found.append(record.source_id)
        if len(found) == after:
            change()
    return found


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("spacing", [0, 1, 90], ids=["in one second", "in seconds", "in minutes"])
@pytest.mark.parametrize("number", [1, 3, 4, 5, 8, 23])
def test_pages_are_read_to_their_end_whatever_the_spacing(spacing: int, number: int) -> None:
    shop = Shop()
    made = [shop.issue(f"i-{n:02d}", AT + timedelta(seconds=n * spacing)) for n in range(number)]
    with SandboxXero(shop.book, clock=VendorClock(NOW), limits=VendorLimits()) as xero:
        found = read(xero, "invoices", changes())
        assert sorted(ids_of(found)) == sorted(made), "everything once"
        moments = [record.modified_at for record in found]
        assert moments == sorted(moment for moment in moments if moment)
        since = AT + timedelta(seconds=spacing * (number // 2))
        again = ids_of(read(xero, "invoices", changes(since)))
        assert set(made[number // 2 :]) <= set(again)
        assert len(again) == len(set(again))


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("spacing", [0, 1, 30], ids=["in one second", "in seconds", "in minutes"])
@pytest.mark.parametrize("act", ["touch", "pay"])
@pytest.mark.parametrize("after", [3, 6, 14])
def test_nothing_is_lost_when_objects_change_while_they_are_read(spacing: int, act: str, after: int) -> None:
    """What was read on the first page changes and leaves its place: all behind it move up by as many."""
    for window in (changes(), Window(Pass.SWEEP, None, NOW)):
        shop = Shop()
        keys = [f"i-{n:02d}" for n in range(19)]
        made = [shop.issue(key, AT + timedelta(seconds=n * spacing)) for n, key in enumerate(keys)]
        with SandboxXero(shop.book, clock=VendorClock(NOW), limits=VendorLimits()) as xero:
            found = while_reading(xero, window, after, partial(shop.change_later, act, keys[:3], xero.clock))
            assert set(found) == set(made)
            assert len(found) == len(set(found)), "a version comes once"


@pytest.mark.usefixtures("small_pages")
def test_what_changes_inside_the_window_comes_again_as_it_is_then() -> None:
    shop = Shop()
    keys = [f"i-{n:02d}" for n in range(19)]
    made = [shop.issue(key, AT) for key in keys]
    with SandboxXero(shop.book, clock=VendorClock(NOW), limits=VendorLimits()) as xero:
        window = changes(until=NOW + timedelta(hours=1))
        found = while_reading(xero, window, 6, partial(shop.change_later, "touch", keys[:3], xero.clock))
        assert sorted(found) == sorted([*made, *made[:3]])
        assert set(found[-3:]) == set(made[:3])


@pytest.mark.usefixtures("small_pages")
def test_a_list_that_never_rests_is_left_for_later() -> None:
    shop = Shop()
    for number in range(9):
        shop.issue(f"i-{number}", AT)
    with SandboxXero(shop.book, clock=VendorClock(NOW), limits=VendorLimits()) as xero:
        count = [0]
        dispatched = xero.api._dispatched

        def busy(*given: Any) -> Response:
            count[0] += 1
            xero.clock.set(NOW + timedelta(minutes=count[0]))
            shop.touch(f"i-{count[0] % 9}", NOW + timedelta(minutes=count[0]))
            return dispatched(*given)

        xero.api._dispatched = busy  # type: ignore[method-assign, assignment]
        for number in range(9, 40):
            shop.issue(f"i-{number}", AT)
        with pytest.raises(Retryable, match="kept changing"):
            read(xero, "invoices", changes())


def test_windows_hold_what_changed_in_them_and_no_more(cases: tuple[SandboxXero, dict[str, Case]]) -> None:
    xero, made = cases
    first = {record.source_id for record in read(xero, "invoices", changes(until=AT + timedelta(hours=1)))}
    later = [record for record in read(xero, "invoices", changes(AT + LATER)) if record.modified_at]
    assert later
    assert all(record.modified_at and record.modified_at >= AT + LATER - timedelta(seconds=1) for record in later)
    assert made["prepayment"].ids["invoice"] not in first
    assert made["prepayment"].ids["invoice"] in ids_of(later)
    everything = set(ids_of(read(xero, "invoices", changes())))
    assert first | set(ids_of(later)) == everything
    assert made["supplier_side"].ids["bill"] not in everything, "bills are not asked for"
    assert read(xero, "invoices", changes(AT + LATER + timedelta(minutes=1))) == []
    accounts = read(xero, "accounts", changes())
    assert len(accounts) == 6
    assert read(xero, "accounts", changes(AT + timedelta(hours=1))) == []
    assert read(xero, "accounts", changes(until=AT - timedelta(hours=1))) == []


def test_every_extract_is_read_with_the_scopes_of_the_connector(cases: tuple[SandboxXero, dict[str, Case]]) -> None:
    xero, _ = cases
    xero.book.put(Kind.CONTACT_GROUPS, contact_group("large"), AT + LATER)
    source = source_of(xero, scope=" ".join(access.SCOPES))
    counts = {extract.name: len(list(source.records(extract, changes()))) for extract in XERO.extracts}
    asked = {"invoice_history", "invoice_attachments"}
    assert {name for name, count in counts.items() if count == 0} == asked, "those are read for ids alone"
    assert counts["organisation"] == 1
    paths = {request.path for request in xero.server.requests}
    assert not any("History" in path or "Attachments" in path for path in paths)
    for record in source.records(INVOICES, changes()):
        assert record.payload.startswith(b"{")
        assert b"\n" not in record.payload


def test_archived_contacts_are_read(cases: tuple[SandboxXero, dict[str, Case]]) -> None:
    xero, made = cases
    gone = {made["archived_contact"].contact_id, made["merged_contacts"].ids["gone"]}
    assert gone <= set(ids_of(read(xero, "contacts", changes())))
    assert gone <= set(ids_of(read(xero, "contacts", Window(Pass.SWEEP, None, NOW))))


def test_a_sweep_reads_what_is_open_and_every_contact(cases: tuple[SandboxXero, dict[str, Case]]) -> None:
    xero, made = cases
    sweep = Window(Pass.SWEEP, None, NOW)
    found = {name: set(ids_of(read(xero, name, sweep))) for name in ("invoices", "credit_notes", "overpayments")}
    words = made["statuses"].ids
    assert {words["DRAFT"], words["SUBMITTED"], words["AUTHORISED"]} <= found["invoices"]
    closed = {words["VOIDED"], words["DELETED"], made["refunded_credit_note"].ids["credit_note"]}
    closed |= {made["prepayment"].ids["invoice"], made["voided_credits"].ids["overpayment"]}
    assert not closed & set().union(*found.values())
    assert {made["voided_credits"].ids["draft"], made["ended_allocation"].ids["credit_note"]} <= found["credit_notes"]
    assert made["overpayment_in_part"].ids["overpayment"] in found["overpayments"]
    open_ones = {made["prepayment"].ids["prepayment"], made["supplier_side"].ids["prepayment"]}
    assert set(ids_of(read(xero, "prepayments", sweep))) == open_ones, "whose side it is on is for normalising"
    assert len(read(xero, "contacts", sweep)) == len(read(xero, "contacts", changes()))
    assert read(xero, "invoices", Window(Pass.DELETIONS, AT, NOW)) == []


def test_objects_are_found_by_id(cases: tuple[SandboxXero, dict[str, Case]], monkeypatch: pytest.MonkeyPatch) -> None:
    xero, made = cases
    monkeypatch.setattr(xero_client, "LOOKUPS", 2)
    nobody = object_id(Kind.INVOICES, "nobody's")
    wanted = {
        "invoices": list(made["statuses"].ids.values()),
        "contacts": [
            made["archived_contact"].contact_id,
            made["mixed" if "mixed" in made else "prepayment"].contact_id,
        ],
        "credit_notes": [made["refunded_credit_note"].ids["credit_note"]],
        "payments": [made["deleted_payment"].ids["payment"], made["overpaid_invoice"].ids["payment"]],
        "overpayments": [made["overpaid_invoice"].ids["overpayment"]],
        "prepayments": [made["prepayment"].ids["prepayment"]],
    }
    for name, ids in wanted.items():
        found = ids_of(read(xero, name, Window(Pass.LOOKUP, None, NOW, (*ids, nobody))))
        assert sorted(found) == sorted(ids), name
    asked = [request.query for request in xero.server.requests if request.path == f"{API}/Invoices"]
    assert len(asked) == 3, "two ids to a request"


def test_what_hangs_on_invoices_is_read_where_asked(cases: tuple[SandboxXero, dict[str, Case]]) -> None:
    xero, made = cases
    ids = made["prepayment"].ids["invoice"], made["archived_contact"].ids["invoice"]
    xero.api.papers.attach(Kind.INVOICES, ids[0], "po.pdf", NOW)
    xero.api.papers.note(Kind.INVOICES, ids[1], "rang, pays on Friday", NOW)
    nobody = object_id(Kind.INVOICES, "nobody's")
    looked = Window(Pass.LOOKUP, None, NOW, (*ids, nobody))
    history = read(xero, "invoice_history", looked)
    assert ids_of(history) == list(ids)
    assert b'"rang, pays on Friday"' in history[1].payload
    assert b"po.pdf" in read(xero, "invoice_attachments", looked)[0].payload
    for extract in ("invoice_history", "invoice_attachments"):
        assert read(xero, extract, changes()) == []
