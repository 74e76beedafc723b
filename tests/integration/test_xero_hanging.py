"""What hangs on invoices of a configured Xero connection: asked for where wanted, once for each change, last of all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from kolleno_pipelines.connectors.http import HttpClient, Retries
from kolleno_pipelines.connectors.rate_limits import AccountLimits
from kolleno_pipelines.connectors.xero import access
from kolleno_pipelines.connectors.xero.connector import XERO
from kolleno_pipelines.pipeline import hanging
from kolleno_pipelines.pipeline.api_delivery import UnknownObjectError, deliver_again, deliver_objects
from kolleno_pipelines.pipeline.api_facts import standing
from kolleno_pipelines.pipeline.api_runs import fold_days, read_days
from kolleno_pipelines.pipeline.passes import PassDone, Reader
from kolleno_pipelines.pipeline.sources import APPS, open_source
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.vendor_limits import LimitWindow, VendorLimits
from kolleno_pipelines.sandbox.xero.book import Book
from kolleno_pipelines.sandbox.xero.chart import set_up
from kolleno_pipelines.sandbox.xero.contacts import contact
from kolleno_pipelines.sandbox.xero.ledger import Ledger
from kolleno_pipelines.sandbox.xero.objects import Kind, invoice, object_id
from kolleno_pipelines.settings import Settings
from kolleno_pipelines.storage import readings
from tests.killing import kolleno
from tests.xero_deployment import NAME, SECRET_VARIABLE, XeroDeployment, xero_deployment
from tests.xero_reading import API

AT = datetime.now(UTC).replace(hour=10, minute=0, second=0, microsecond=0) - timedelta(days=20)
HOUR = timedelta(hours=1)
NUMBER = 6
HISTORY, ATTACHMENTS = "invoice_history", "invoice_attachments"
BOTH = "    also_read: [invoice_attachments, invoice_history]\n"


class World:
    """An organisation of a few invoices, an hour apart, and a deployment that reads it."""

    def __init__(self, site: XeroDeployment, ledger: Ledger) -> None:
        self.site, self.ledger = site, ledger
        self.ids = [object_id(Kind.INVOICES, f"i-{number}") for number in range(NUMBER)]

    def asked(self, part: str) -> list[str]:
        """The invoices whose part was asked for, in order, refused requests too."""
        paths = [request.path for request in self.site.vendor.server.requests]
        return [path.split("/")[-2] for path in paths if path.endswith(f"/{part}")]

    def news(self, part: str, run: Callable[[], object]) -> list[str]:
        """What is asked for while something runs."""
        before = len(self.asked(part))
        run()
        return self.asked(part)[before:]

    def passes(self) -> dict[str, PassDone]:
        """Read, and return how the passes over what hangs on invoices ended."""
        done = self.site.read().read
        assert done is not None
        assert not [one for one in done.failed if one.extract not in {HISTORY, ATTACHMENTS}]
        return {one.extract: one for one in done.passes if one.extract in {HISTORY, ATTACHMENTS}}

    def touch(self, number: int) -> None:
        """Change an invoice now."""
        at = self.site.vendor.clock.now
        self.ledger.edit(Kind.INVOICES, self.ids[number], {"Reference": f"touched {at}"}, at)

    def attach(self, number: int) -> None:
        """Attach a file to an invoice now, which changes it."""
        self.site.vendor.api.papers.attach(Kind.INVOICES, self.ids[number], "po.pdf", self.site.vendor.clock.now)

    def payloads(self, extract: str) -> list[dict[str, object]]:
        """Everything that landed of an extract, from the archive."""
        found: list[dict[str, object]] = []
        for (sha256,) in self.site.rows(f"SELECT sha256 FROM raw.extracts WHERE extract = '{extract}' ORDER BY id"):
            with self.site.deployment.archive.open(sha256) as stream:
                found += [json.loads(line) for line in stream]
        return found


Worlds = Callable[..., World]


@pytest.fixture
def worlds(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worlds]:
    """Make a world with more settings of its connection, and limits of the vendor's."""
    monkeypatch.setattr("kolleno_pipelines.connectors.xero.access.LIMITS", AccountLimits(slots=4))
    with ExitStack() as opened:

        def make(more: str = BOTH) -> World:
            ledger, clock = Ledger(Book()), VendorClock(AT + NUMBER * HOUR)
            set_up(ledger, AT)
            who = ledger.book.put(Kind.CONTACTS, contact("shop", "Shop"), AT)
            for number in range(NUMBER):
                at = AT + number * HOUR
                ledger.enter(Kind.INVOICES, invoice(f"i-{number}", who, 10, at.date(), due=at.date()), at)
            limits = VendorLimits(seconds=lambda: clock.now.timestamp())
            site = opened.enter_context(
                xero_deployment(ledger.book, settings, tmp_path / "site", clock=clock, limits=limits, more=more)
            )
            monkeypatch.setenv(SECRET_VARIABLE, site.vendor.tokens.client_secret)
            return World(site, ledger)

        yield make


def test_nobody_asks_unless_it_is_wanted(worlds: Worlds) -> None:
    world = worlds("")
    world.attach(0)
    assert world.passes() == {}
    world.site.later(HOUR)
    world.touch(1)
    assert world.passes() == {}
    assert world.asked("History") + world.asked("Attachments") == []
    assert world.site.rows("SELECT * FROM raw.lookups") == []


def test_each_invoice_is_asked_for_once_and_attachments_only_where_there_are_any(worlds: Worlds) -> None:
    world = worlds()
    world.attach(2)
    world.site.later(timedelta(minutes=1))
    done = world.passes()
    assert (done[HISTORY].records, done[ATTACHMENTS].records) == (NUMBER, 1)
    newest_first = [world.ids[2], *(each for each in reversed(world.ids) if each != world.ids[2])]
    assert world.asked("History") == newest_first
    assert world.asked("Attachments") == [world.ids[2]]
    paths = [request.path for request in world.site.vendor.server.requests]
    first = next(place for place, path in enumerate(paths) if path.endswith("/History"))
    assert len(paths) - first == NUMBER + 1, "nothing else is asked for after them"
    assert [one["InvoiceID"] for one in world.payloads(HISTORY)] == newest_first
    assert "po.pdf" in str(world.payloads(ATTACHMENTS))
    marks = {row[0] for row in world.site.rows("SELECT extract FROM raw.watermarks")}
    assert "invoices" in marks
    assert not marks & {HISTORY, ATTACHMENTS}
    folded = "SELECT DISTINCT status FROM raw.extracts WHERE extract LIKE 'invoice\\_%'"
    assert world.site.rows(folded) == [("folded",)]
    world.site.later(HOUR)
    again = world.passes()
    assert (again[HISTORY].records, again[ATTACHMENTS].records) == (0, 0)
    assert (len(world.asked("History")), len(world.asked("Attachments"))) == (NUMBER, 1)


def test_what_changes_is_asked_for_again(worlds: Worlds) -> None:
    world = worlds()
    world.passes()
    world.site.later(2 * HOUR)
    world.touch(4)
    world.site.later(timedelta(minutes=1))
    assert world.news("History", world.passes) == [world.ids[4]]
    assert world.asked("Attachments") == []
    world.site.later(2 * HOUR)
    world.attach(4)
    world.site.later(timedelta(minutes=1))
    assert world.news("History", world.passes) == [world.ids[4]]
    assert world.asked("Attachments") == [world.ids[4]]
    assert len(world.payloads(HISTORY)) == NUMBER + 2


def test_attachments_that_went_are_asked_for_once_more(worlds: Worlds) -> None:
    world = worlds()
    world.attach(3)
    world.site.later(timedelta(minutes=1))
    world.passes()
    world.site.later(2 * HOUR)
    papers, now = world.site.vendor.api.papers, world.site.vendor.clock.now
    papers.attachments(Kind.INVOICES, world.ids[3]).clear()
    world.ledger.edit(Kind.INVOICES, world.ids[3], {"HasAttachments": False}, now)
    world.site.later(timedelta(minutes=1))
    assert world.news("Attachments", world.passes) == [world.ids[3]]
    assert [one["Attachments"] for one in world.payloads(ATTACHMENTS)][1:] == [[]]


def test_what_comes_as_it_was_does_not_land_again(worlds: Worlds) -> None:
    world = worlds()
    world.attach(3)
    world.site.later(timedelta(minutes=1))
    world.passes()
    world.site.later(2 * HOUR)
    world.touch(3)
    world.site.later(timedelta(minutes=1))
    assert world.news("Attachments", world.passes) == [world.ids[3]]
    assert len(world.payloads(ATTACHMENTS)) == 1


def test_a_day_limit_stops_it_in_the_middle_and_the_next_reading_goes_on(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hanging, "_TOGETHER", 2)
    world = worlds("")
    limits, calls = world.site.vendor.limits, [0, 0]
    for place in range(2):
        before = limits.granted
        world.passes()
        calls[place] = limits.granted - before
        world.site.later(HOUR)
    world.site.write("    also_read: [invoice_history]\n")
    limits.windows = (LimitWindow("day", 86_400, calls[1] + 3),)
    stopped = world.passes()[HISTORY]
    assert stopped.error is not None
    assert "It goes on where it stopped, in" in stopped.error
    assert [one["InvoiceID"] for one in world.payloads(HISTORY)] == world.ids[:2:-1], "three were granted, the newest"
    (told,) = standing(world.site.deployment, world.site.connection).failed
    assert (told.extract, told.pass_, told.error) == (HISTORY, "lookup", stopped.error)
    limits.windows = ()
    world.site.later(HOUR)
    assert world.news("History", lambda: world.passes()[HISTORY].error) == world.ids[2::-1]
    assert [one["InvoiceID"] for one in world.payloads(HISTORY)] == world.ids[::-1]
    assert standing(world.site.deployment, world.site.connection).failed == []


def test_so_many_are_asked_for_in_a_day(worlds: Worlds) -> None:
    world = worlds("    also_read: [invoice_history]\n    also_read_a_day: 2\n")
    news = []
    for wait in (HOUR, timedelta(hours=23), HOUR, timedelta(days=1)):
        news.append(world.news("History", world.passes))
        world.site.later(wait)
    newest = world.ids[::-1]
    assert news == [newest[:2], [], newest[2:4], []], "24 hours after the first two come the next"


def test_reading_days_again_is_no_change(worlds: Worlds) -> None:
    world = worlds()
    world.passes()
    world.site.later(timedelta(days=2))
    site = world.site
    with open_source(site.deployment, site.connection) as source:
        reader = Reader(site.deployment, site.connection, XERO, source, clock=lambda: site.vendor.clock.now)
        assert sum(one.records for one in reader.read_days(AT.date(), AT.date()).of("invoices")) == NUMBER
    assert world.news("History", world.passes) == []


def test_a_replay_asks_for_nothing(worlds: Worlds) -> None:
    world = worlds()
    world.passes()
    requests, before = len(world.site.vendor.server.requests), world.site.receivables()
    today = world.site.vendor.clock.now.date()
    deliver_again(world.site.deployment, world.site.connection, AT.date(), today, clock=lambda: AT)
    assert len(world.site.vendor.server.requests) == requests
    assert world.site.receivables() == before


def test_a_sign_in_without_the_scope_is_told_and_keeps_nothing_else_back(worlds: Worlds) -> None:
    world = worlds()
    world.attach(1)
    world.site.vendor.clock.advance(timedelta(minutes=1))
    world.site.sign_in(scope=" ".join(access.SCOPES))
    done = world.site.read()
    assert done.read is not None
    (failed,) = done.read.failed
    assert failed.extract == ATTACHMENTS
    assert "lacks a scope" in str(failed.error)
    assert "kolleno connections login xero" in str(failed.error)
    assert len(world.asked("History")) == NUMBER
    assert done.results, "it is reconciled all the same"
    world.site.later(HOUR)
    assert world.passes()[ATTACHMENTS].error is None
    assert world.asked("Attachments") == [world.ids[1]] * 2


def test_the_scope_is_asked_for_where_attachments_are(worlds: Worlds) -> None:
    def scopes(more: str) -> set[str]:
        world.site.write(more)
        return set(APPS["xero"](world.site.connection, lambda _: "secret").scopes)

    world = worlds("")
    assert scopes("") == scopes("    also_read: [invoice_history]\n") == set(access.SCOPES)
    assert scopes(BOTH) == {*access.SCOPES, "accounting.attachments.read"}


def test_one_that_is_refused_keeps_the_others_from_nothing(worlds: Worlds) -> None:
    world = worlds("    also_read: [invoice_history]\n")
    world.site.vendor.server.fail_next(f"{API}/Invoices/{world.ids[4]}/History", 400)
    assert world.passes()[HISTORY].error is not None
    assert world.asked("History") == [world.ids[5], world.ids[4]]
    world.site.later(HOUR)
    assert world.news("History", world.passes) == world.ids[3::-1]
    world.touch(4)
    world.site.later(timedelta(minutes=1))
    assert world.news("History", world.passes) == [world.ids[4]], "a change makes it be asked for again"


def test_a_server_that_is_away_for_one_of_them_is_tried_again(worlds: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(HttpClient.__init__.__kwdefaults__, "retries", Retries(attempts=1))
    world = worlds("    also_read: [invoice_history]\n")
    world.site.vendor.server.fail_next(f"{API}/Invoices/{world.ids[3]}/History", 500, times=50)
    assert world.passes()[HISTORY].error is not None
    assert [one["InvoiceID"] for one in world.payloads(HISTORY)] == world.ids[:3:-1], "what had come is here"
    world.site.vendor.server.clear_faults()
    world.site.later(HOUR)
    assert world.news("History", world.passes) == world.ids[3::-1]


def test_a_run_of_today_asks_for_what_the_run_before_folded(worlds: Worlds) -> None:
    world = worlds()
    site, clock = world.site, world.site.vendor.clock

    def run(*wanted: str) -> None:
        days = [clock.now.date() - timedelta(days=1), clock.now.date()]
        names = wanted or None
        done = read_days(site.deployment, site.connection, days, wanted=names, clock=lambda: clock.now)
        assert not done.failed
        fold_days(site.deployment, site.connection, days, again=False)
        site.later(HOUR)

    assert world.news("History", run) == [], "only the fold knows what there is"
    assert world.news("History", lambda: run("invoices", ATTACHMENTS)) == []
    assert sorted(world.news("History", run)) == sorted(world.ids)
    assert world.news("History", run) == []


def test_nobody_complains_of_what_is_not_asked_for_any_more(worlds: Worlds) -> None:
    world = worlds("    also_read: [invoice_history]\n")
    world.site.vendor.server.fail_next(f"{API}/Invoices/{world.ids[4]}/History", 400)
    world.passes()
    assert standing(world.site.deployment, world.site.connection).failed
    world.site.write()
    assert standing(world.site.deployment, world.site.connection).failed == []


def test_a_person_asks_for_single_objects(worlds: Worlds) -> None:
    world = worlds("")
    site = world.site
    world.passes()
    site.later(HOUR)

    def ask(extract: str, *ids: str) -> list[PassDone]:
        done = deliver_objects(site.deployment, site.connection, extract, ids, clock=lambda: site.vendor.clock.now)
        assert done.read is not None
        return done.read.passes

    (one,) = ask(HISTORY, world.ids[1], world.ids[1])
    assert (one.records, one.error, one.finding) == (1, None, None)
    assert world.asked("History") == [world.ids[1]]
    nobody = object_id(Kind.INVOICES, "nobody's")
    (one,) = ask("invoices", world.ids[0], nobody)
    assert (one.records, one.finding) == (1, f"The vendor has no invoices with the id {nobody}.")
    noted = site.rows("SELECT extract FROM raw.readings WHERE pass = 'lookup'")
    assert noted == [("missing parents",)], "what a person asked for is no reading"
    requests = len(site.vendor.server.requests)
    with pytest.raises(UnknownObjectError, match=f"id {nobody} was received among the invoices of xero"):
        ask(HISTORY, nobody)
    with pytest.raises(UnknownObjectError, match="xero has no organisation to be asked for by id; it has accounts, "):
        ask("organisation", "x")
    assert len(site.vendor.server.requests) == requests


def test_what_changed_is_found_fast_before_there_are_statistics(database: str) -> None:
    with psycopg.connect(database) as conn:
        conn.execute("SET statement_timeout = '15s'")
        conn.execute(
            "INSERT INTO raw.extracts (connection, extract, pass, partition_day, observed_at, sha256, size, records)"
            " SELECT 'x', 'invoices', 'changes', %(at)s, %(at)s, 'a', 1, 40000",
            {"at": AT},
        )
        conn.execute(
            "INSERT INTO normalised.payloads (extract_id, line, connection, kind, source_id, modified_at, observed_at,"
            " is_deleted, digest) SELECT e.id, g, 'x', 'invoices', 'i' || g, e.observed_at - g * interval '1 second',"
            " e.observed_at, false, 'd' || g FROM generate_series(1, 40000) g, raw.extracts e"
        )
        found = readings.changed_since_asked(conn, "x", HISTORY, "invoices", 3)
        assert [each.source_id for each in found] == ["i1", "i2", "i3"]
        readings.note_lookups(conn, "x", HISTORY, AT, [f"i{number}" for number in range(2, 30_000)], set())
        found = readings.changed_since_asked(conn, "x", HISTORY, "invoices", 2)
        assert [each.source_id for each in found] == ["i1", "i30000"]


def test_the_command_takes_an_extract_and_ids(worlds: Worlds) -> None:
    world = worlds("")
    world.passes()
    variables, named = world.site.variables(), ["--id", world.ids[1], "--id", world.ids[3]]
    done = kolleno(variables, "extract", NAME, "--extract", HISTORY, *named)
    assert (done.returncode, done.stderr) == (0, "")
    assert "xero: 2 payloads received." in done.stdout
    assert world.asked("History") == [world.ids[1], world.ids[3]]
    refused = kolleno(variables, "extract", NAME, *named)
    assert refused.returncode == 2
    assert "--extract and --id go together, for one connection" in refused.stderr
    assert len(world.asked("History")) == 2
