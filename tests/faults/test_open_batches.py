"""Batches that wait or failed: what decisions, successors, later contents and re-reading make of them."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from kolleno_pipelines.pipeline import load as loading
from kolleno_pipelines.pipeline.batches import decide
from kolleno_pipelines.pipeline.clock import utc_now
from kolleno_pipelines.pipeline.days import DaysError
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.ingest import ingest
from kolleno_pipelines.pipeline.take import take
from kolleno_pipelines.sandbox.drops import file_name
from kolleno_pipelines.schemas.sftp_tables import TableName
from kolleno_pipelines.storage.batches import busy_days
from tests.faults.worlds import DAY, FIRST, LAST, World, csv_of, customer, invoice, link, payment

CUSTOMERS, CONTACTS, INVOICES = TableName.CUSTOMERS, TableName.CONTACTS, TableName.INVOICES
LINKS = TableName.PAYMENTS_INVOICES
NEXT = DAY + timedelta(days=1)
BROKEN = b"id;name\n1;semicolons\n"


def _without(world: World, names: dict[TableName, str], *tables: TableName) -> None:
    for table in tables:
        (world.drop / names[table]).unlink()


@pytest.mark.parametrize("decision", ["skip", "release"])
def test_a_decision_concerns_the_batch_alone_and_not_its_successors(world: World, decision: str) -> None:
    first = world.put_batch(customers=BROKEN)
    _without(world, first, CONTACTS)
    world.ingest()
    second = world.put_batch(NEXT, customers=[customer("C1")], invoices=[invoice("I1")])
    world.ingest()
    decide(world.deployment, world.sftp, "20260302T060000", decision, by="tester", why=None)
    assert world.batches()["20260303T060000"] == "processed"
    world.put(second[INVOICES], csv_of(INVOICES, [invoice("I1", ref="corrected")]))
    world.ingest()
    assert world.column("invoices", "ref") == {"I1": "corrected"}
    after = {"skip": "skipped", "release": "processed"}[decision]
    assert world.batches() == {"20260302T060000": after, "20260303T060000": "processed"}


def test_a_lone_successor_of_a_batch_that_stays_open_gets_its_verdict(world: World) -> None:
    first = world.put_batch(customers=[customer("C1")], invoices=BROKEN)
    _without(world, first, CONTACTS)
    world.ingest()
    later = file_name(INVOICES, DAY + timedelta(hours=2))
    world.put(later, csv_of(INVOICES, [invoice("I1"), invoice("I2", amount="x")]))
    done = world.ingest()
    assert [(f.name, f.rows_rejected) for f in done.ingested.loaded.waiting] == [(later, 1)]
    assert world.statuses()[later, 1] == "waiting"
    assert len(world.batches()) == 1
    decide(world.deployment, world.sftp, "20260302T060000", "skip", by="tester", why=None)
    world.ingest()
    assert world.batches() == {"20260302T060000": "skipped", "20260302T080000": "waiting"}, "it shows by itself"
    assert world.statuses()[later, 1] == "waiting"


def test_a_skipped_file_completes_no_other_batch(world: World) -> None:
    world.put_batch(customers=[customer("C1")], invoices=BROKEN)
    second = world.put_batch(NEXT, customers=[customer("C2")], invoices=[invoice("I2", "C2")])
    _without(world, second, CONTACTS)
    # The second is skipped before the first is read.
    for name in [p.name for p in world.drop.iterdir() if "2026-03-02" in p.name]:
        (world.drop / name).rename(world.folder / name)
    world.ingest()
    decide(world.deployment, world.sftp, "20260303T060000", "skip", by="tester", why="wrong company")
    for path in world.folder.glob("*.csv"):
        path.rename(world.drop / path.name)
    world.ingest()
    assert world.column("invoices", "ref") == {}
    assert world.batches() == {"20260302T060000": "failed", "20260303T060000": "skipped"}


def test_a_fix_of_another_file_completes_no_failed_one_and_waits_for_nobody(world: World) -> None:
    first = world.put_batch(customers=[customer("C1")], invoices=BROKEN)
    _without(world, first, CONTACTS)
    world.put(file_name(INVOICES, NEXT, fix=1), csv_of(INVOICES, [invoice("I1")]))
    world.put(file_name(CUSTOMERS, NEXT, fix=1), csv_of(CUSTOMERS, [customer("C1")]))
    world.ingest()
    assert world.column("invoices", "ref") == {"I1": "R-I1"}
    assert world.batches()["20260302T060000"] == "failed"


@pytest.mark.parametrize("is_loaded_between", [True, False])
def test_a_failing_content_is_no_input_whenever_it_comes(world: World, is_loaded_between: bool) -> None:
    names = world.put_batch(customers=[customer("C1")])
    contacts = (world.drop / names[CONTACTS]).read_bytes()
    if not is_loaded_between:
        _without(world, names, CONTACTS)
    world.ingest()
    world.put(names[CUSTOMERS], BROKEN)
    world.ingest()
    world.put(names[CONTACTS], contacts)
    world.ingest()
    assert world.column("customers", "name") == {"C1": "Customer C1"}
    assert world.batches() == {"20260302T060000": "failed"}, "that the newest content failed is shown"
    assert world.query("SELECT failed FROM raw.batches") == [(["customers"],)]
    assert (world.statuses()[names[CUSTOMERS], 1], world.statuses()[names[CUSTOMERS], 2]) == ("processed", "failed")
    world.put_batch(NEXT, customers=[customer("C2")])
    world.ingest()
    assert set(world.batches().values()) == {"processed"}, "a later good file settles it"


@pytest.fixture
def healed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipeline that has learnt to read what it failed: files with semicolons."""
    from kolleno_pipelines.storage.archive import Archive

    opened = Archive.open

    def read(self: Archive, sha256: str) -> object:
        with opened(self, sha256) as stream:
            content = stream.read()
        return io.BytesIO(csv_of(INVOICES, [invoice("I1")]) if content == BROKEN else content)

    monkeypatch.setattr(Archive, "open", read)


def _failed_with_successor(world: World) -> dict[TableName, str]:
    names = world.put_batch(customers=[customer("C1")], invoices=BROKEN)
    world.ingest()
    world.put_batch(NEXT, invoices=[invoice("I2")])
    world.ingest()
    return names


def _failed_and_released(world: World) -> dict[TableName, str]:
    names = world.put_batch(customers=[customer("C1")], invoices=BROKEN)
    world.ingest()
    decide(world.deployment, world.sftp, "20260302T060000", "release", by="tester", why=None)
    world.ingest()
    return names


def _failed_over_a_good_one(world: World) -> dict[TableName, str]:
    names = world.put_batch(customers=[customer("C1")], invoices=[invoice("I0")])
    world.ingest()
    world.put(names[INVOICES], BROKEN)
    world.ingest()
    return names


def _failed_in_a_batch_that_waits(world: World) -> dict[TableName, str]:
    names = world.put_batch(customers=[customer("C1")], invoices=BROKEN)
    world.ingest()
    return names


@pytest.mark.parametrize("only_failed", [True, False])
@pytest.mark.parametrize(
    "prepare",
    [_failed_with_successor, _failed_and_released, _failed_over_a_good_one, _failed_in_a_batch_that_waits],
)
def test_reprocessing_reads_failed_files_again_and_loads_what_is_good(
    world: World, prepare: Callable[[World], dict[TableName, str]], only_failed: bool, request: pytest.FixtureRequest
) -> None:
    names = prepare(world)
    again = world.reprocess(DAY.date(), DAY.date(), only_failed=only_failed)
    assert names[INVOICES] in {f.name for f in again.failed}, "still bad"
    request.getfixturevalue("healed")
    planned = world.reprocess(DAY.date(), DAY.date(), only_failed=only_failed, dry_run=True)
    done = world.reprocess(DAY.date(), DAY.date(), only_failed=only_failed)
    replaced = {row[0] for row in world.query("SELECT id FROM raw.files WHERE status = 'replaced'")}
    assert {f.id for f in planned.files} - replaced == {f.id for f in (*done.files, *done.failed)}
    assert len({f.id for f in done.files}) == len(done.files)
    assert world.column("invoices", "ref")["I1"] == "R-I1"
    assert "I0" not in world.column("invoices", "ref")
    assert set(world.batches().values()) == {"processed"}
    assert world.reprocess(DAY.date(), DAY.date(), only_failed=only_failed).changed == 0


def _links(keyed_by: str, paying: str, amount: str) -> bytes:
    row = dict(link(paying, "I1", amount))
    return csv_of(LINKS, [row | {"id": f"L-{paying}"} if keyed_by == "id" else row])


@pytest.mark.parametrize("late_first", [True, False])
def test_the_key_of_links_is_that_of_the_earliest_file_in_any_order(world: World, late_first: bool) -> None:
    rows = {"customers": [customer("C1")], "invoices": [invoice("I1")], "payments": [payment("P1"), payment("P2")]}
    third = DAY + timedelta(days=2)
    steps = [
        lambda: world.put_batch(DAY, **rows, payments_invoices=_links("pair", "P1", "10.00")),
        lambda: world.put_batch(NEXT, payments_invoices=_links("id", "P1", "20.00")),
        lambda: world.put_batch(third, payments_invoices=_links("pair", "P2", "30.00")),
    ]
    for step in reversed(steps) if late_first else steps:
        step()
        world.ingest()
    assert world.column("allocations", "amount") == {"P1|I1": Decimal(10), "P2|I1": Decimal(30)}
    assert world.statuses()[file_name(LINKS, NEXT), 1] == "failed"
    assert world.ingest().ingested.folded.is_empty
    world.put(file_name(LINKS, DAY), _links("id", "P1", "40.00"))
    world.ingest()
    assert world.column("allocations", "amount") == {"L-P1": Decimal(20)}, "the key follows the earliest file"
    assert world.statuses()[file_name(LINKS, third), 1] == "failed"


def test_both_kinds_of_links_have_one_key(world: World) -> None:
    credit = TableName.CREDIT_NOTES_INVOICES
    names = world.put_batch(
        customers=[customer("C1")],
        payments_invoices=_links("id", "P1", "1.00"),
        credit_notes_invoices=[{"credit_note_id": "N1", "invoice_id": "I1", "amount": "1.00"}],
    )
    done = world.ingest()
    assert [f.name for f in done.ingested.loaded.failed] == [names[credit]]


def test_days_that_cannot_be_reprocessed_are_refused_with_a_sentence(world: World) -> None:
    far, old = date(9999, 12, 31), date(2019, 12, 31)
    for first, last in ((far, far), (date(1900, 1, 1), old), (LAST, FIRST)):
        with pytest.raises(DaysError, match=r"choose other days|lies before"):
            world.reprocess(first, last)
    _, said = world.run("reprocess", "--from", "9999-01-01", "--to", "9999-12-31", code=2)
    assert "choose other days" in said
    done = world.reprocess(old, far)
    assert (done.first, done.last) == (world.settings.first_day, utc_now().date()), "what there is of a longer range"


def test_the_public_function_reconciles_too(world: World) -> None:
    world.put_batch(customers=[customer("C1")], invoices=[invoice("I1", balance="30.00")])
    ingest(world.deployment, world.sftp)
    assert world.value("SELECT count(*) FROM reconciliation.balances") == 0
    assert world.reprocess(DAY.date(), DAY.date()).results
    assert world.value("SELECT count(*) FROM reconciliation.balances") != 0


def test_a_skipped_batch_is_no_longer_spoken_of(world: World) -> None:
    world.put_batch(customers=[customer("C1")], invoices=BROKEN)
    assert world.ingest().has_findings
    decide(world.deployment, world.sftp, "20260302T060000", "skip", by="tester", why=None)
    before = world.query("SELECT xmin::text FROM raw.files ORDER BY id")
    again = world.ingest()
    assert (again.has_findings, again.ingested.open_batches) == (False, [])
    assert world.query("SELECT xmin::text FROM raw.files ORDER BY id") == before, "no row is written for nothing"


def test_ingest_holds_every_day_that_it_loads(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also days that no batch stands for yet: files taken by somebody else, who then died."""
    world.put_batch(customers=[customer("C1")])
    world.put_batch(NEXT, customers=[customer("C2")])
    take(world.deployment, world.sftp)
    held: list[set[date]] = []
    really = loading.load_file

    def watched(conn: psycopg.Connection[object], deployment: Deployment, *rest: Any) -> None:
        with deployment.session() as session:
            held.append(busy_days(session, world.name, [DAY.date(), NEXT.date()]))
        really(conn, deployment, *rest)

    monkeypatch.setattr(loading, "load_file", watched)
    world.ingest()
    assert held == [{DAY.date(), NEXT.date()}] * 14
