"""The passes over a configured Xero connection: sweeps of what nobody announces, parents by their kind, day limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from kolleno_pipelines.connectors.rate_limits import AccountLimits
from kolleno_pipelines.connectors.xero.connector import XERO
from kolleno_pipelines.pipeline.api_delivery import ApiDelivered
from kolleno_pipelines.pipeline.normalise import fold, normalise_pending
from kolleno_pipelines.pipeline.passes import Reader
from kolleno_pipelines.pipeline.sources import open_source
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.vendor_limits import LimitWindow, VendorLimits
from kolleno_pipelines.sandbox.xero.book import Book
from kolleno_pipelines.sandbox.xero.cases import LATER, Case, book_of_cases
from kolleno_pipelines.sandbox.xero.chart import BANK
from kolleno_pipelines.sandbox.xero.contacts import contact
from kolleno_pipelines.sandbox.xero.filling import filled_from
from kolleno_pipelines.sandbox.xero.ledger import Ledger
from kolleno_pipelines.sandbox.xero.objects import Kind
from kolleno_pipelines.settings import Settings
from tests.databases import fresh_database
from tests.xero_deployment import NAME, SECRET_VARIABLE, XeroDeployment, xero_deployment

AT = datetime.now(UTC).replace(microsecond=0) - timedelta(days=20)


@pytest.fixture
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own limits are wide, so that the vendor's are met."""
    monkeypatch.setattr("kolleno_pipelines.connectors.xero.access.LIMITS", AccountLimits(slots=4))


@dataclass
class World:
    """A deployment that reads every case."""

    site: XeroDeployment
    cases: dict[str, Case]


@pytest.fixture
def world(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unlimited: None) -> Iterator[World]:
    book, cases = book_of_cases(AT)
    with xero_deployment(book, settings, tmp_path / "site", clock=VendorClock(AT + timedelta(hours=1))) as site:
        monkeypatch.setenv(SECRET_VARIABLE, site.vendor.tokens.client_secret)
        yield World(site, cases)


def _passes(done: ApiDelivered, pass_: str) -> set[str]:
    assert done.read is not None
    assert not done.read.failed
    return {one.extract for one in done.read.passes if one.pass_ == pass_ and one.records}


def test_a_balance_that_moves_in_silence_comes_with_the_sweep(world: World) -> None:
    site, book = world.site, world.site.vendor.book
    book.put(Kind.CONTACTS, contact("later", "Later"), AT + timedelta(minutes=30))  # what is older is in no overlap
    site.read()
    case, paying = world.cases["silent_change"], world.cases["several_currencies"]
    statement = f"SELECT balance_stated FROM receivables.customers WHERE source_id = '{paying.contact_id}'"
    due = f"SELECT date_due FROM receivables.invoices WHERE source_id = '{case.ids['invoice']}'"
    assert site.rows(statement) == [(Decimal(150),)]
    before = site.rows(due)
    site.later(timedelta(hours=22))
    account = next(one for one in book.records(Kind.ACCOUNTS, site.vendor.clock.now) if one["Code"] == BANK)
    moment = site.vendor.clock.now
    ledger = Ledger(book)
    ledger.pay(
        Kind.INVOICES,
        paying.ids["invoice_usd"],
        Decimal("15.00"),
        moment.date(),
        account,
        moment,
        reference="",
        key="x",
    )
    site.later(timedelta(minutes=1))
    assert "contacts" not in _passes(site.read(), "changes")
    assert site.rows(statement) == [(Decimal(150),)], "nobody announced that it moved"
    assert site.rows(due) == before
    site.later(LATER)
    assert {"contacts", "invoices"} <= _passes(site.read(), "sweep")
    assert site.rows(statement) == [(Decimal(135),)]
    assert site.rows(due) == [(before[0][0] + timedelta(days=30),)]


def test_money_on_account_is_looked_up_by_its_kind(world: World) -> None:
    site = world.site
    wanted = ("organisation", "accounts", "contacts", "payments")
    with open_source(site.deployment, site.connection) as source:
        reader = Reader(site.deployment, site.connection, XERO, source, clock=lambda: site.vendor.clock.now)
        reader.read(wanted)
        normalise_pending(site.deployment, NAME, XERO)
        assert fold(site.deployment, NAME).parked
        found = {one.extract: one.records for one in reader.read_by_id().passes}
        assert set(found) == {"invoices", "credit_notes", "overpayments", "prepayments"}
        normalise_pending(site.deployment, NAME, XERO)
        if fold(site.deployment, NAME).parked:  # a parent that came names another one
            reader.read_by_id()
            normalise_pending(site.deployment, NAME, XERO)
            assert fold(site.deployment, NAME).parked == 0
    held = dict(site.rows("SELECT source_id, balance FROM receivables.payments WHERE kind <> 'payment'"))
    over, pre = world.cases["refunded_overpayment"], world.cases["refunded_prepayment"]
    assert held[over.ids["overpayment"]] == Decimal(50)
    assert held[pre.ids["prepayment"]] == 0


@dataclass
class Limited:
    """An organisation that grants few requests a day, and the same without a limit for another database."""

    site: XeroDeployment
    calm: XeroDeployment
    clock: VendorClock


@pytest.fixture
def limited(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    postgres_url: str,
    migrated_template: str,
    unlimited: None,
) -> Iterator[Limited]:
    monkeypatch.setattr("kolleno_pipelines.connectors.xero.client.PAGE", 25)
    book = _company()
    clock = VendorClock(AT + timedelta(days=8))
    day = VendorLimits([LimitWindow("day", 86_400, 14)], seconds=lambda: clock.now.timestamp())
    with (
        fresh_database(postgres_url, migrated_template, "test_xero_calm") as url,
        xero_deployment(
            book, settings, tmp_path / "site", clock=clock, limits=day, more="    sweep_every: 7d\n"
        ) as site,
    ):
        other = settings.model_copy(
            update={"home": tmp_path / "calm-home", "database_url": type(settings.database_url)(url)}
        )
        with xero_deployment(book, other, tmp_path / "calm", clock=clock) as calm:
            monkeypatch.setenv(SECRET_VARIABLE, site.vendor.tokens.client_secret)
            yield Limited(site, calm, clock)


def _company() -> Book:
    company = Company.build(
        3, customers=8, days=6, first_day=AT.date(), invoices_per_day=6, history_days=20, expressible=True
    )
    return filled_from(company).book


def _read_on(limited: Limited) -> list[ApiDelivered]:
    """Read, and a day later again, until nothing is stopped."""
    done = [limited.site.read()]
    while done[-1].read is not None and done[-1].read.failed:
        assert len(done) < 20, [vars(one) for one in done[-1].read.failed]
        limited.site.later(timedelta(days=1, seconds=1))
        done.append(limited.site.read())
    return done


def test_a_day_limit_stops_a_reading_and_the_next_ones_end_it(limited: Limited) -> None:
    done = _read_on(limited)
    assert len(done) > 1
    first = done[0].read
    assert first is not None
    assert "X-DayLimit-Remaining is 0); it opens again at" in str(first.failed[0].error)
    assert "It goes on where it stopped, in" in str(first.failed[0].error)
    limited.calm.sign_in()
    undisturbed = limited.calm.read()
    assert undisturbed.read is not None
    assert not undisturbed.read.failed
    assert limited.site.receivables() == limited.calm.receivables()
    assert limited.site.receivables()["invoices"]


def test_a_sweep_that_takes_more_than_a_day_grants_comes_to_its_end(limited: Limited) -> None:
    _read_on(limited)
    swept = "SELECT extract, reached FROM raw.watermarks WHERE pass = 'sweep'"
    before, book = dict(limited.site.rows(swept)), limited.site.vendor.book
    limited.site.later(timedelta(days=8))
    now = limited.clock.now
    owed = [one for one in book.records(Kind.INVOICES, now) if one["Status"] == "AUTHORISED"]
    for each in (owed[0], owed[-1]):
        moved = each | {"DueDate": each["DueDate"] + timedelta(days=100)}
        book.put(Kind.INVOICES, moved, now, announced=False)
    done = _read_on(limited)
    stopped = [one for each in done if each.read for one in each.read.failed if one.pass_ == "sweep"]
    assert stopped, "a day did not grant all of it"
    after = dict(limited.site.rows(swept))
    assert set(after) >= {"contacts", "invoices"}
    assert all(after[extract] > reached for extract, reached in before.items())
    assert limited.site.rows("SELECT * FROM raw.sweeps") == []
    limited.calm.sign_in()
    limited.calm.read()
    assert limited.site.receivables() == limited.calm.receivables()
