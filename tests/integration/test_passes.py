"""The passes over an API connection against the simulated QuickBooks: what each reads, concludes, and leaves alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from kolleno_pipelines.connections import QuickBooksConnection
from kolleno_pipelines.connectors.contract import Extract, Pass, Record, Window
from kolleno_pipelines.connectors.errors import NeedsHuman
from kolleno_pipelines.connectors.quickbooks.connector import QUICKBOOKS
from kolleno_pipelines.pipeline.api_delivery import ApiDelivered, deliver_from_vendor
from kolleno_pipelines.pipeline.api_runs import fold_days, read_days
from kolleno_pipelines.pipeline.deployment import open_deployment
from kolleno_pipelines.pipeline.extract import Reading, extract_changes, extract_days, extract_window
from kolleno_pipelines.pipeline.normalise import fold, normalise_pending
from kolleno_pipelines.pipeline.passes import Reader
from kolleno_pipelines.pipeline.sources import open_source
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.quickbooks.book import QuickBooksBook
from kolleno_pipelines.sandbox.quickbooks.cases import Case, write_all
from kolleno_pipelines.sandbox.quickbooks.company_file import CompanyFile
from kolleno_pipelines.sandbox.quickbooks.filling import filled_from
from kolleno_pipelines.settings import Settings
from tests.api_sites import NAME, SECRET_VARIABLE, ApiSite, quickbooks_site, receivables_of

AT = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
_numbers = itertools.count(1)


@dataclass
class World:
    """A site with every case in its books, read through the whole path by one clock."""

    site: ApiSite
    cases: dict[str, Case]
    now: datetime = field(default_factory=lambda: AT + timedelta(hours=1))

    def later(self, step: timedelta) -> None:
        self.now += step
        self.site.vendor.clock.set(self.now)

    def read(self) -> ApiDelivered:
        connection = self.connection
        return deliver_from_vendor(self.site.deployment, connection, clock=lambda: self.now)

    @property
    def connection(self) -> QuickBooksConnection:
        connection = self.site.connections[NAME]
        assert isinstance(connection, QuickBooksConnection)
        return connection

    def open_invoices(self) -> set[str]:
        rows = self.site.rows("SELECT source_id FROM receivables.invoices WHERE balance_open <> 0")
        return {row[0] for row in rows}

    def status(self, source_id: str) -> str:
        rows = self.site.rows(f"SELECT posting_status FROM receivables.invoices WHERE source_id = '{source_id}'")
        return str(rows[0][0])

    def passes(self, done: ApiDelivered, pass_: Pass) -> dict[str, int]:
        assert done.read is not None
        return {one.extract: one.records for one in done.read.passes if one.pass_ == pass_.value}


@pytest.fixture
def world(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    file = CompanyFile(QuickBooksBook(), AT - timedelta(days=60))
    made = write_all(file, AT, AT.date())
    with quickbooks_site(file, settings, tmp_path / "site", at=AT + timedelta(hours=1)) as site:
        monkeypatch.setenv(SECRET_VARIABLE, site.vendor.tokens.client_secret)
        monkeypatch.setattr("kolleno_pipelines.connectors.quickbooks.account.LIMITS", _unlimited())
        yield World(site, made)


def _unlimited() -> Any:
    from kolleno_pipelines.connectors.rate_limits import AccountLimits

    return AccountLimits(slots=4)


def test_the_first_reading_takes_everything_and_the_next_little(world: World) -> None:
    first = world.read()
    assert first.read is not None
    assert not first.read.failed
    assert set(world.passes(first, Pass.SWEEP)) >= {"company_info", "preferences"}
    assert "invoices" not in world.passes(first, Pass.SWEEP), "reading all of it is a sweep as well"
    assert world.open_invoices()
    before, asked = world.site.receivables(), world.site.vendor.api_requests
    world.later(timedelta(minutes=15))
    again = world.read()
    assert again.folded.is_empty
    assert world.passes(again, Pass.SWEEP) == {}
    assert set(world.passes(again, Pass.DELETIONS)) == {
        *("invoices", "credit_memos", "payments", "refund_receipts", "deposits", "purchases", "journal_entries")
    }
    assert world.site.vendor.api_requests - asked == 9 + 7
    assert world.site.receivables() == before


def test_a_deletion_is_told_and_later_found_by_a_sweep_of_everything(world: World) -> None:
    world.read()
    gone, late = sorted(world.open_invoices())[:2]
    world.later(timedelta(hours=1))
    world.site.vendor.book.delete("Invoice", gone, world.now)
    world.later(timedelta(minutes=1))
    world.read()
    assert (world.status(gone), world.status(late)) == ("deleted", "posted")
    world.site.vendor.book.delete("Invoice", late, world.now)
    world.later(timedelta(days=40))
    world.site.sign_in()
    done = world.read()
    assert "invoices" not in world.passes(done, Pass.DELETIONS), "it is longer ago than the vendor tells of"
    assert world.passes(done, Pass.SWEEP)["invoices"] == 1
    assert world.status(late) == "deleted"
    world.later(timedelta(minutes=15))
    assert "invoices" in world.passes(world.read(), Pass.DELETIONS)


@pytest.mark.parametrize("waits", [timedelta(minutes=30), timedelta(days=40)], ids=["told", "beyond reach"])
def test_a_deletion_between_a_backfill_and_the_first_reading_is_learned(world: World, waits: timedelta) -> None:
    world.later(timedelta(days=1))
    first = world.now.date() - timedelta(days=63)
    days = [first + timedelta(days=number) for number in range(63)]
    read_days(world.site.deployment, world.connection, days, clock=lambda: world.now)
    fold_days(world.site.deployment, world.connection, days, again=False)
    closed = "SELECT source_id FROM receivables.payments WHERE balance_open = 0 AND amount > 0 ORDER BY 1"
    gone = world.site.rows(closed)[0][0]
    world.site.vendor.book.delete("Payment", gone, world.now + waits / 2)
    world.later(waits)
    world.site.sign_in()
    world.read()
    status = f"SELECT posting_status FROM receivables.payments WHERE source_id = '{gone}'"
    assert world.site.rows(status) == [("deleted",)]


def test_a_sweep_that_would_close_too_much_closes_nothing_and_says_so(world: World) -> None:
    world.read()
    open_ones = world.open_invoices()
    for source_id in sorted(open_ones)[: len(open_ones) // 2]:
        world.site.vendor.book.delete("Invoice", source_id, world.now)
    world.later(timedelta(days=40))
    world.site.sign_in()
    done = world.read()
    assert done.read is not None
    (refused,) = [one for one in done.read.passes if one.finding]
    assert refused.extract == "invoices"
    assert "close_share" in str(refused.finding)
    assert world.open_invoices() == open_ones
    world.site.write("    close_share: 1\n")
    world.later(timedelta(days=1))
    world.site.sign_in()
    assert not [one for one in (world.read().read or done.read).passes if one.finding]
    assert len(world.open_invoices()) == len(open_ones) - len(open_ones) // 2


def test_a_sweep_that_is_stopped_concludes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.read()
    world.later(timedelta(days=2))
    world.site.sign_in()
    open_ones = world.open_invoices()
    with open_source(world.site.deployment, world.connection) as source:
        inner = source.records

        def broken(extract: Extract, window: Window) -> Iterator[Record]:
            if extract.name == "invoices" and window.pass_ is Pass.SWEEP:
                from kolleno_pipelines.connectors.errors import Retryable

                raise Retryable("The day's requests are used up.", NAME, retry_after=3600)
            return inner(extract, window)

        monkeypatch.setattr(source, "records", broken)
        done = Reader(world.site.deployment, world.connection, QUICKBOOKS, source, clock=lambda: world.now).read()
    (failed,) = done.failed
    assert (failed.extract, failed.pass_) == ("invoices", "sweep")
    assert "1:00:00" in str(failed.error)
    assert len(done.of("payments")) == 3, "the others go on"
    assert world.open_invoices() == open_ones
    assert "invoices" in world.passes(world.read(), Pass.SWEEP), "it is due again"


def test_the_start_date_limits_closed_documents_only(world: World) -> None:
    world.read()
    whole = world.site.receivables()
    world.site.write(f"    start_date: {AT.date() + timedelta(days=2)}\n")
    limited = QuickBooksConnection.model_validate({**world.connection.model_dump(), "name": "limited"})
    with open_source(world.site.deployment, world.connection) as source:
        Reader(world.site.deployment, limited, QUICKBOOKS, source, clock=lambda: world.now).read()
    normalise_pending(world.site.deployment, "limited", QUICKBOOKS)
    fold(world.site.deployment, "limited")
    counted = receivables_of(world.site.deployment, "limited")
    assert {name: len(counted[name]) for name in ("customers", "accounts", "journals")} == {
        name: len(whole[name]) for name in ("customers", "accounts", "journals")
    }
    statement = "SELECT source_id, balance_open <> 0 FROM receivables.invoices WHERE connection = '{}'"
    all_of_them = dict(world.site.rows(statement.format(NAME)))
    read = dict(world.site.rows(statement.format("limited")))
    assert {i for i, is_open in all_of_them.items() if is_open} <= set(read)
    assert len(read) < len(all_of_them)


def test_a_missing_parent_is_read_by_its_id_and_not_asked_for_again(world: World) -> None:
    deployment = world.site.deployment
    with open_source(deployment, world.connection) as source:
        for name in ("preferences", "accounts", "invoices"):
            extract_changes(Reading(deployment, NAME, source, QUICKBOOKS.extract(name), clock=lambda: world.now))
        normalise_pending(deployment, NAME, QUICKBOOKS)
        assert fold(deployment, NAME).parked
        reader = Reader(deployment, world.connection, QUICKBOOKS, source, clock=lambda: world.now)
        found = reader.read_by_id()
        assert {one.extract for one in found.passes} >= {"customers"}
        assert found.records
        normalise_pending(deployment, NAME, QUICKBOOKS)
        assert fold(deployment, NAME).parked == 0
        with deployment.transaction() as conn:
            conn.execute(
                "INSERT INTO normalised.parked_rows SELECT connection, extract_id, 1, 'invoices', 'x',"
                " 'unknown_customer', 'customers', '999999', false FROM normalised.payloads LIMIT 1"
            )
        asked = world.site.vendor.api_requests
        assert reader.read_by_id().records == 0
        assert world.site.vendor.api_requests == asked + 1
        assert reader.read_by_id().records == 0
        assert world.site.vendor.api_requests == asked + 1, "the vendor has none: it is not asked again and again"
        world.now += timedelta(days=8)
        world.site.vendor.clock.set(world.now)
        world.site.sign_in()
        reader.read_by_id()


def test_a_sign_in_that_ended_stops_the_connection_and_is_told(world: World) -> None:
    world.read()
    world.site.vendor.tokens.revoke()
    world.later(timedelta(hours=2))
    with pytest.raises(NeedsHuman, match=f"kolleno connections login {NAME}"):
        world.read()
    assert world.site.rows("SELECT state FROM raw.oauth_tokens") == [("needs_reauth",)]


def test_a_permanent_fault_of_one_extract_leaves_the_others(world: World) -> None:
    vendor = world.site.vendor
    for _ in range(3):
        vendor.server.fail_next("/v3/", vendor.fault(6000, "A business validation error"))
    done = world.read()
    assert done.read is not None
    assert len(done.read.failed) == 3
    assert world.open_invoices() or world.site.rows("SELECT count(*) FROM raw.extracts")
    world.later(timedelta(minutes=15))
    again = world.read()
    assert again.read is not None
    assert not again.read.failed
    assert world.open_invoices()


@dataclass
class Recorded:
    """A source of what was received before: whole payloads by extract, in windows both of whose ends count."""

    payloads: dict[str, list[Record]]
    opens_after: bool = False

    def records(self, extract: Extract, window: Window) -> Iterator[Record]:
        for record in self.payloads[extract.name]:
            at = record.modified_at
            if at is None or window.after is None or self._is_in(at, window.after, window.until):
                yield record

    def _is_in(self, at: datetime, after: datetime, until: datetime) -> bool:
        return (after < at if self.opens_after else after <= at) and at <= until


@pytest.fixture(scope="module")
def company_payloads() -> dict[str, list[Record]]:
    """Everything that a company's vendor has at the end, as payloads."""
    from kolleno_pipelines.connectors.http import HttpClient
    from kolleno_pipelines.connectors.quickbooks.client import QuickBooksSource, classify
    from kolleno_pipelines.sandbox.quickbooks.app import SCOPE, SandboxQuickBooks
    from kolleno_pipelines.sandbox.vendor_clock import VendorClock
    from kolleno_pipelines.sandbox.vendor_limits import VendorLimits

    company = Company.build(5, customers=6, days=6, invoices_per_day=3, history_days=30, expressible=True)
    at = company.batches[-1].name_time + timedelta(hours=1)
    filling = filled_from(company)
    with SandboxQuickBooks(filling.file, clock=VendorClock(at), limits=VendorLimits()) as vendor:
        token = vendor.tokens.issue(SCOPE)["access_token"]
        with HttpClient("qb", vendor.url, classify=classify, authorise=lambda _: f"Bearer {token}") as http:
            source = QuickBooksSource(http, vendor.book.realm_id)
            window = Window(Pass.CHANGES, None, at)
            return {extract.name: list(source.records(extract, window)) for extract in QUICKBOOKS.extracts}


@hypothesis_settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_any_split_into_windows_in_any_order_ends_in_the_same_receivables(
    data: st.DataObject, database: str, tmp_path: Path, company_payloads: dict[str, list[Record]]
) -> None:
    deployment = open_deployment(Settings(home=tmp_path, database_url=database), {})
    moments = sorted(
        {r.modified_at.astimezone(UTC) for rows in company_payloads.values() for r in rows if r.modified_at}
    )
    begin, end = moments[0], moments[-1]
    cuts = data.draw(st.lists(st.sampled_from(moments), unique=True, max_size=4).map(sorted))
    edges = [begin, *cuts, end]
    windows = data.draw(st.permutations([(a, b) for a, b in itertools.pairwise(edges) if a <= b]))
    opens_after = data.draw(st.booleans())
    folds_between = data.draw(st.booleans())
    name = f"w{next(_numbers)}"
    source = Recorded(company_payloads, opens_after)
    for after, until in windows:
        for extract in data.draw(st.permutations(QUICKBOOKS.extracts)):
            reading = Reading(deployment, name, source, extract, clock=lambda: end + timedelta(hours=1))
            extract_window(reading, after, until, until.date())
        if folds_between:
            normalise_pending(deployment, name, QUICKBOOKS)
            fold(deployment, name)
    normalise_pending(deployment, name, QUICKBOOKS)
    fold(deployment, name)
    if "whole" not in _kept:
        whole = Recorded(company_payloads)
        for extract in QUICKBOOKS.extracts:
            reading = Reading(deployment, "whole", whole, extract, clock=lambda: end + timedelta(hours=1))
            extract_days(reading, begin.date(), end.date())
        normalise_pending(deployment, "whole", QUICKBOOKS)
        fold(deployment, "whole")
        _kept["whole"] = receivables_of(deployment, "whole")
    found = receivables_of(deployment, name)
    for entity, rows in _kept["whole"].items():
        assert [row.replace("'whole'", f"'{name}'") for row in rows] == found[entity], entity
    assert _kept["whole"]["invoices"]
    assert _kept["whole"]["allocations"]


_kept: dict[str, dict[str, list[str]]] = {}


def test_days_lose_nothing_at_midnight_and_stop_at_the_present(database: str, tmp_path: Path) -> None:
    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    records = [Record(b'{"Id": "1"}', "1", midnight), Record(b'{"Id": "2"}', "2", midnight + timedelta(hours=30))]
    now = midnight + timedelta(hours=40)
    for opens_after in (False, True):
        deployment = open_deployment(Settings(home=tmp_path, database_url=database), {})
        source = Recorded({"invoices": records}, opens_after)
        reading = Reading(deployment, "qb", source, QUICKBOOKS.extract("invoices"), clock=lambda: now)
        done = extract_days(reading, date(2026, 3, 2), date(2026, 3, 9))
        assert [(part.partition_day.day, part.records) for part in done.parts] == [(2, 1), (3, 1)]
        assert {part.observed_at for part in done.parts} == {now}, "when it was asked for, not the end of a day"


def test_links_past_the_cap_are_stored_whatever_the_switch_says(world: World) -> None:
    world.site.write("    link_cap: 15\n")
    world.read()
    past = "SELECT count(*) FROM receivables.allocations WHERE beyond_cap AND removed_at IS NULL"
    assert world.site.rows(past)[0][0] > 0
