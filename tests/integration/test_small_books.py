"""A company file of few documents, read as an operator would: what is told of it, what a sweep may close."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest

from kolleno_pipelines.assets.checks.api import reading_facts
from kolleno_pipelines.automation.launch import launch
from kolleno_pipelines.connections import QuickBooksConnection
from kolleno_pipelines.connectors.contract import Extract, Record, Window
from kolleno_pipelines.connectors.quickbooks.connector import QUICKBOOKS
from kolleno_pipelines.connectors.rate_limits import AccountLimits
from kolleno_pipelines.definitions import build_definitions
from kolleno_pipelines.pipeline.api_delivery import (
    ApiDelivered,
    deliver_again,
    deliver_from_folder,
    deliver_from_vendor,
)
from kolleno_pipelines.pipeline.connection_states import connection_states
from kolleno_pipelines.pipeline.extract import Reading, extract_changes
from kolleno_pipelines.pipeline.normalise import fold, normalise_pending
from kolleno_pipelines.pipeline.passes import Reader
from kolleno_pipelines.pipeline.runs import in_flight
from kolleno_pipelines.pipeline.sources import open_source
from kolleno_pipelines.sandbox.quickbooks.book import QuickBooksBook
from kolleno_pipelines.sandbox.quickbooks.company_file import CompanyFile
from kolleno_pipelines.settings import Settings
from tests.api_sites import NAME, SECRET_VARIABLE, ApiSite, quickbooks_site
from tests.killing import kolleno

AT = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)


@dataclass
class World:
    """A site whose books hold three invoices, read by one clock."""

    site: ApiSite
    file: CompanyFile
    customer: str
    invoices: list[str]
    now: datetime = field(default_factory=lambda: AT + timedelta(hours=1))

    def later(self, step: timedelta) -> None:
        self.now += step
        self.site.vendor.clock.set(self.now)
        self.site.sign_in()

    @property
    def connection(self) -> QuickBooksConnection:
        connection = self.site.connections[NAME]
        assert isinstance(connection, QuickBooksConnection)
        return connection

    def read(self) -> ApiDelivered:
        return deliver_from_vendor(self.site.deployment, self.connection, clock=lambda: self.now)

    def again(self, *, only_failed: bool = False, dry_run: bool = False) -> ApiDelivered:
        day, deployment = self.now.date(), self.site.deployment
        return deliver_again(
            deployment, self.connection, day, day, only_failed=only_failed, dry_run=dry_run, clock=lambda: self.now
        )

    def statuses(self) -> dict[str, str]:
        rows = self.site.rows("SELECT source_id, posting_status FROM receivables.invoices")
        return {row[0]: row[1] for row in rows}

    def quarantine(self) -> tuple[bool, str]:
        facts = reading_facts(self.site.deployment, self.connection)
        (fact,) = [fact for fact in facts if fact.name == "none_quarantined"]
        return fact.holds, fact.words


@pytest.fixture
def world(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    file = CompanyFile(QuickBooksBook(), AT - timedelta(days=60))
    customer = file.add_customer(AT - timedelta(days=1), "Few papers")
    invoices = [file.add_invoice(AT, customer, f"F-{n}", Decimal(10 + n), AT.date()) for n in range(3)]
    with quickbooks_site(file, settings, tmp_path / "site", at=AT + timedelta(hours=1)) as site:
        monkeypatch.setenv(SECRET_VARIABLE, site.vendor.tokens.client_secret)
        monkeypatch.setattr("kolleno_pipelines.connectors.quickbooks.account.LIMITS", AccountLimits(slots=4))
        yield World(site, file, customer, invoices)


def test_a_part_that_fails_as_a_whole_is_told_wherever_somebody_looks(world: World) -> None:
    world.read()
    assert world.quarantine() == (True, "No payload is kept aside.")
    ((sha256,),) = world.site.rows("SELECT sha256 FROM raw.extracts WHERE extract = 'invoices'")
    kept = Path(str(world.site.deployment.archive.path(sha256)))
    kept.rename(kept.with_suffix(".away"))
    done = world.again()
    (failed,) = done.failed_parts
    assert (failed["extract"], failed["records"]) == ("invoices", 3)
    assert sha256[:12] in failed["message"]
    assert done.has_findings
    assert done.to_json()["failed_parts"] == [failed]
    assert any(line.startswith("Failed: a part of invoices") and sha256[:12] in line for line in done.sentences())
    assert world.quarantine() == (False, "Parts of extracts that failed as a whole: 1.")
    assert [part["extract"] for part in world.again(dry_run=True, only_failed=True).planned or ()] == ["invoices"]
    (state,) = connection_states(world.site.settings)
    assert (state.state, state.failed_parts, state.is_asking) == ("connected", 1, True)
    assert set(world.statuses()) == set(world.invoices), "what it said before stays"
    kept.with_suffix(".away").rename(kept)
    only = world.again(only_failed=True)
    assert (only.parts, only.failed_parts) == (1, [])
    assert world.quarantine()[0]


def test_one_object_may_always_be_closed_and_several_only_up_to_the_share(world: World) -> None:
    world.read()
    world.site.vendor.book.delete("Invoice", world.invoices[0], world.now)
    world.later(timedelta(days=40))
    done = world.read()
    assert done.read is not None
    assert not done.read.has_findings, "it was asked for by its id, and is not there"
    assert world.statuses()[world.invoices[0]] == "deleted"
    for invoice in world.invoices[1:]:
        world.site.vendor.book.delete("Invoice", invoice, world.now)
    world.later(timedelta(days=40))
    done = world.read()
    assert done.read is not None
    (refused,) = [one for one in done.read.passes if one.finding]
    assert "misses 2 of 2" in str(refused.finding)
    assert set(world.statuses().values()) == {"deleted", "posted"}


def test_a_dry_run_says_which_parts_and_changes_nothing(world: World) -> None:
    world.read()
    ledger = "SELECT id, status, normalised_at FROM raw.extracts ORDER BY id"
    before = world.site.rows(ledger)
    planned = world.again(dry_run=True)
    assert {part["extract"] for part in planned.planned or ()} >= {"customers", "invoices", "accounts"}
    assert len(planned.planned or ()) == len(before)
    assert any("would be normalised again; nothing was changed" in line for line in planned.sentences())
    assert world.again(dry_run=True, only_failed=True).planned == []
    assert world.site.rows(ledger) == before
    day = world.now.date().isoformat()
    told = kolleno(world.site.variables(), "reprocess", "--from", day, "--to", day, "--dry-run", "--json")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["connections"][0]["planned"][0]["status"] == "folded"
    assert world.site.rows(ledger) == before


def test_an_import_waits_while_somebody_works_on_its_day(world: World, tmp_path: Path) -> None:
    (tmp_path / "customers.jsonl").write_text('{"Id": "77", "DisplayName": "Imported"}\n')
    deployment, at = world.site.deployment, world.now - timedelta(days=5)

    def work() -> ApiDelivered:
        return deliver_from_folder(deployment, world.connection, tmp_path, observed_at=at, clock=lambda: world.now)

    with ThreadPoolExecutor(1) as other:
        with in_flight(deployment, world.connection, [at.date()]):
            importing = other.submit(work)
            with pytest.raises(TimeoutError):
                importing.result(timeout=1.5)
            assert world.site.rows("SELECT count(*) FROM raw.extracts") == [(0,)]
        assert importing.result(timeout=60).imported == {"customers": 1}


def test_a_range_is_launched_for_an_api_connection(world: World) -> None:
    definitions = build_definitions(world.site.settings, world.site.connections)
    last = datetime.now(UTC).date() - timedelta(days=1)
    ledger = "SELECT id, normalised_at FROM raw.extracts ORDER BY id"
    with dg.DagsterInstance.ephemeral() as instance:

        def rows(*, reload: bool) -> list[tuple[object, ...]]:
            first = last - timedelta(days=3)
            launched = launch(instance, definitions, f"read_{NAME}", first, last, reload=reload)
            assert launched.success, launched.runs
            return world.site.rows(ledger)

        before = rows(reload=False)
        assert set(world.statuses()) == set(world.invoices)
        again = rows(reload=False)
        assert again[: len(before)] == before, "what is normalised already stays as it is"
        assert not set(rows(reload=True)) & set(again)


def test_an_hour_without_changes_lands_and_normalises_nothing(world: World) -> None:
    world.site.vendor.book.put(
        "Customer", {"Id": "900", "Balance": 0, "Active": True}, AT
    )  # without a name: it is kept aside
    world.now = AT + timedelta(minutes=1)
    world.site.vendor.clock.set(world.now)
    world.read()
    world.later(timedelta(minutes=1))
    world.site.vendor.book.delete("Invoice", world.invoices[2], world.now)
    world.read()
    sizes = [
        "SELECT count(*), sum(records) FROM raw.extracts",
        "SELECT count(*) FROM normalised.payloads",
        "SELECT count(*) FROM normalised.invoices",
        "SELECT count(*) FROM raw.quarantined_payloads",
    ]
    before, rows = [world.site.rows(size) for size in sizes], world.site.receivables()
    assert before[3] == [(1,)]
    deployment = world.site.deployment
    with open_source(deployment, world.connection) as source:
        for _ in range(60):
            world.now += timedelta(minutes=1)
            world.site.vendor.clock.set(world.now)
            reader = Reader(deployment, world.connection, QUICKBOOKS, source, clock=lambda: world.now)
            done = reader.read(("customers", "invoices"))
            assert {one.pass_ for one in done.passes} == {"changes", "deletions"}
            assert not done.failed
            assert done.records == 0
            assert normalise_pending(deployment, NAME, QUICKBOOKS) == 0
    assert [world.site.rows(size) for size in sizes] == before
    assert world.site.receivables() == rows


def test_a_payload_that_comes_back_after_another_one_is_news(world: World) -> None:
    world.read()
    extract = QUICKBOOKS.extract("invoices")
    ((kept,),) = world.site.rows("SELECT reached FROM raw.watermarks WHERE extract = 'invoices' AND pass = 'changes'")

    def invoice(total: int) -> Record:
        stated = {
            "Id": world.invoices[0],
            "CustomerRef": {"value": world.customer},
            "TotalAmt": total,
            "Balance": total,
            "TxnDate": AT.date().isoformat(),
            "MetaData": {"LastUpdatedTime": kept.isoformat()},
        }
        return Record(json.dumps(stated).encode(), world.invoices[0], kept)

    a, b = invoice(500), invoice(700)
    landed = []
    for record in (a, a, b, b, a, a):
        world.now += timedelta(minutes=1)
        reading = Reading(world.site.deployment, NAME, Answers([record]), extract, clock=lambda: world.now)
        landed.append(extract_changes(reading).records)
        normalise_pending(world.site.deployment, NAME, QUICKBOOKS)
        fold(world.site.deployment, NAME)
    assert landed == [1, 0, 1, 0, 1, 0]
    statement = f"SELECT amount FROM receivables.invoices WHERE source_id = '{world.invoices[0]}'"
    assert world.site.rows(statement) == [(Decimal(500),)]
    world.now += timedelta(minutes=1)
    for record in (b, a):  # what has landed and is not normalised yet is not known: nothing is left out
        world.now += timedelta(minutes=1)
        reading = Reading(world.site.deployment, NAME, Answers([record]), extract, clock=lambda: world.now)
        assert extract_changes(reading).records == 1
    normalise_pending(world.site.deployment, NAME, QUICKBOOKS)
    fold(world.site.deployment, NAME)
    assert world.site.rows(statement) == [(Decimal(500),)]


@dataclass
class Answers:
    """A source that has these records."""

    found: list[Record]

    def records(self, _extract: Extract, _window: Window) -> Iterator[Record]:
        return iter(self.found)
