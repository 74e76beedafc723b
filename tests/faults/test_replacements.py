"""Contents that replace, correct or contradict each other: what the model says of versions, through the real ingest."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from kolleno_pipelines.pipeline import load as loading
from kolleno_pipelines.pipeline.batches import decide
from kolleno_pipelines.pipeline.clock import utc_now
from kolleno_pipelines.pipeline.days import DaysError
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.ingest import ingest
from kolleno_pipelines.pipeline.rejects import write_rejects
from kolleno_pipelines.pipeline.take import take
from kolleno_pipelines.sandbox.drops import file_name
from kolleno_pipelines.schemas.sftp_tables import TableName
from kolleno_pipelines.storage.batches import busy_days
from tests.faults.worlds import DAY, FIRST, LAST, World, csv_of, customer, invoice, link, payment

CUSTOMERS, CONTACTS, INVOICES = TableName.CUSTOMERS, TableName.CONTACTS, TableName.INVOICES
PAYMENTS, LINKS = TableName.PAYMENTS, TableName.PAYMENTS_INVOICES
NEXT = DAY + timedelta(days=1)
BROKEN = b"id;name\n1;semicolons\n"


def test_new_content_withdraws_what_only_the_old_had(world: World) -> None:
    world.put_batch(
        customers=[customer("C1", name="First"), customer("C2", name="First")], invoices=[invoice("I1", "C2")]
    )
    names = world.put_batch(NEXT, customers=[customer("C1", name="Second"), customer("C3", name="Second")])
    world.ingest()
    world.put(names[CUSTOMERS], csv_of(CUSTOMERS, [customer("C2", name="Corrected")]))
    done = world.ingest()
    assert world.column("customers", "name") == {"C1": "First", "C2": "Corrected"}, "C1 falls back, C3 is withdrawn"
    assert done.ingested.folded.entities["customers"].gone == 1
    assert world.statuses()[names[CUSTOMERS], 1] == "replaced"
    assert world.statuses()[names[CUSTOMERS], 2] == "processed"
    assert world.query("SELECT field FROM receivables.audit WHERE source_id = 'C3'") == [("withdrawn",)]

    world.put(names[CUSTOMERS], csv_of(CUSTOMERS, [customer("C1", name="Second"), customer("C3", name="Second")]))
    world.ingest()
    assert world.column("customers", "name") == {"C1": "Second", "C2": "First", "C3": "Second"}
    assert world.statuses()[names[CUSTOMERS], 3] == "processed", "the first content once more is a third one"


def test_a_customer_withdrawn_under_its_documents_and_back(world: World) -> None:
    rows = {
        "customers": [customer("C1")],
        "contacts": [{"id": "K1", "customer_id": "C1", "last_name": "Null"}],
        "invoices": [invoice("I1", balance="40.00")],
        "payments": [payment("P1", amount="60.00", balance="0.00")],
        "payments_invoices": [link("P1", "I1", "60.00")],
    }
    names = world.put_batch(**rows)
    world.ingest()
    whole = world.digest()
    world.put(names[CUSTOMERS], csv_of(CUSTOMERS, []))
    world.ingest()
    assert world.column("invoices", "ref") == {}
    assert world.column("allocations", "amount") == {}
    waiting = world.query("SELECT table_name, code FROM sftp_csv.parked_rows ORDER BY 1, 2")
    assert waiting == [
        ("contacts", "unknown_customer"),
        ("invoices", "unknown_customer"),
        ("payments", "unknown_customer"),
        ("payments_invoices", "unknown_invoice"),
        ("payments_invoices", "unknown_payment"),
    ]
    world.put(names[CUSTOMERS], csv_of(CUSTOMERS, rows["customers"]))
    world.ingest()
    assert world.digest() == whole


def test_a_customer_withdrawn_whose_documents_are_past_retention(world: World) -> None:
    """Rows that were pruned come back from the archive when the fold of their parents needs them."""
    names = world.put_batch(customers=[customer("C1"), customer("C2")], invoices=[invoice("I1"), invoice("I2", "C2")])
    world.ingest()
    world.configure(retention_days="1")
    world.ingest()
    assert world.rows_kept()["invoices"] == 0
    world.put(names[CUSTOMERS], csv_of(CUSTOMERS, [customer("C2", name="Stays")]))
    world.ingest()
    assert world.column("customers", "name") == {"C2": "Stays"}, "the pruned row of C1 is withdrawn"
    assert world.column("invoices", "customer_source_id") == {"I2": "C2"}
    assert world.query("SELECT source_id FROM sftp_csv.parked_rows") == [("I1",)]
    world.put(names[CUSTOMERS], csv_of(CUSTOMERS, [customer("C1"), customer("C2")]))
    world.ingest()
    assert world.column("invoices", "customer_source_id") == {"I1": "C1", "I2": "C2"}
    world.rows_kept()


def test_failed_then_corrected_under_the_same_name(world: World) -> None:
    names = world.put_batch(customers=[customer("C1")], invoices=BROKEN)
    done = world.ingest()
    assert [file.name for file in done.ingested.loaded.failed] == [names[INVOICES]]
    assert any(names[INVOICES] in line and "failed" in line and "comma" in line for line in done.sentences())
    assert world.column("customers", "name") == {}, "nothing of a failed batch loads"
    assert world.batches() == {"20260302T060000": "failed"}
    world.put(names[INVOICES], csv_of(INVOICES, [invoice("I1")]))
    world.ingest()
    assert world.column("invoices", "ref") == {"I1": "R-I1"}
    assert world.batches() == {"20260302T060000": "processed"}


def test_good_then_failed_content_keeps_the_good_one(world: World) -> None:
    names = world.put_batch(customers=[customer("C1")])
    world.ingest()
    before = world.digest()
    world.put(names[CUSTOMERS], BROKEN)
    done = world.ingest()
    assert done.has_findings
    assert world.digest() == before
    assert world.batches() == {"20260302T060000": "failed"}
    world.put(names[CUSTOMERS], csv_of(CUSTOMERS, [customer("C2")]))
    world.ingest()
    assert world.column("customers", "name") == {"C2": "Customer C2"}
    assert world.statuses()[names[CUSTOMERS], 1] == world.statuses()[names[CUSTOMERS], 2] == "replaced"
    assert world.batches() == {"20260302T060000": "processed"}


def test_a_failed_file_whose_successor_comes_in_the_next_days_batch(world: World) -> None:
    first = world.put_batch(customers=[customer("C1")], invoices=BROKEN)
    world.ingest()
    second = world.put_batch(NEXT, customers=[customer("C2")], invoices=[invoice("I1"), invoice("I2", "C2")])
    world.ingest()
    assert world.column("customers", "name") == {"C1": "Customer C1", "C2": "Customer C2"}
    assert world.column("invoices", "customer_source_id") == {"I1": "C1", "I2": "C2"}
    assert world.batches() == {"20260302T060000": "processed", "20260303T060000": "processed"}
    assert world.statuses()[first[INVOICES], 1] == "failed", "that it failed stays visible"
    assert world.statuses()[second[INVOICES], 1] == "processed"
    assert world.rows_kept()["invoices"] == 2
    world.put(first[INVOICES], csv_of(INVOICES, [invoice("I1", ref="older"), invoice("I3", ref="older")]))
    world.ingest()
    assert world.column("invoices", "ref") == {"I1": "R-I1", "I2": "R-I2", "I3": "older"}


def test_successors_that_fail_too_are_passed_over_in_one_go(world: World) -> None:
    """Day 1 fails; day 2's file is its successor and fails as well; day 3's completes both, in the same run."""
    world.put_batch(customers=[customer("C1")], invoices=BROKEN)
    world.put_batch(NEXT, customers=[customer("C2")], invoices=BROKEN + b"again")
    world.put_batch(NEXT + timedelta(days=1), customers=[customer("C3")], invoices=[invoice("I1")])
    done = world.ingest()
    assert len(done.ingested.loaded.failed) == 2
    assert sorted(world.column("customers", "name")) == ["C1", "C2", "C3"]
    assert set(world.batches().values()) == {"processed"}
    again = world.ingest()
    assert again.ingested.loaded.loaded == []
    assert again.ingested.folded.is_empty


def _invoices_with_rejects(world: World) -> str:
    bad = [invoice("BAD", amount="1,00"), invoice("WORSE", date_issued="tomorrow")]
    names = world.put_batch(customers=[customer("C1")], invoices=[invoice("I1"), *bad])
    world.ingest()
    assert sorted(world.column("invoices", "ref")) == ["I1"]
    return names[INVOICES]


def test_exported_rejects_corrected_and_uploaded_are_fixes_of_fixes(world: World, tmp_path: Path) -> None:
    name = _invoices_with_rejects(world)
    exported = write_rejects(world.deployment, world.sftp, name, tmp_path)
    assert (exported.rows, exported.upload_as) == (2, name.replace(".csv", ".fix1.csv"))
    text = exported.path.read_text()
    assert "bad_decimal" in text
    assert "bad_date" in text
    world.put(exported.upload_as, text.replace('"1,00"', "1.00").encode())
    world.ingest()
    assert sorted(world.column("invoices", "ref")) == ["BAD", "I1"]

    second = write_rejects(world.deployment, world.sftp, exported.upload_as, tmp_path)
    assert (second.rows, second.upload_as) == (1, name.replace(".csv", ".fix2.csv"))
    world.put(second.upload_as, second.path.read_text().replace("tomorrow", "2026-03-02").encode())
    world.ingest()
    assert sorted(world.column("invoices", "ref")) == ["BAD", "I1", "WORSE"]
    assert len(world.batches()) == 3
    world.put(second.upload_as, csv_of(INVOICES, []))
    world.ingest()
    assert sorted(world.column("invoices", "ref")) == ["BAD", "I1"], "a replaced fix withdraws its own rows alone"


def test_a_fix_speaks_later_than_its_origin_and_earlier_than_the_next_file(world: World) -> None:
    fix = file_name(CUSTOMERS, DAY, fix=1)
    world.put(fix, csv_of(CUSTOMERS, [customer("C1", name="Fixed"), customer("C2", name="Fixed")]))
    world.ingest()
    names = world.put_batch(customers=[customer("C1", name="Origin"), customer("C3", name="Origin")])
    world.put_batch(NEXT, customers=[customer("C2", name="Next")])
    world.ingest()
    assert world.column("customers", "name") == {"C1": "Fixed", "C2": "Next", "C3": "Origin"}
    world.put(names[CUSTOMERS], csv_of(CUSTOMERS, [customer("C1", name="Origin again")]))
    world.ingest()
    assert world.column("customers", "name") == {"C1": "Fixed", "C2": "Next"}


def test_a_failed_fix_holds_nothing_up(world: World) -> None:
    name = _invoices_with_rejects(world)
    fix = name.replace(".csv", ".fix1.csv")
    world.put(fix, BROKEN)
    world.put_batch(NEXT, invoices=[invoice("I2")])
    done = world.ingest()
    assert [file.name for file in done.ingested.loaded.failed] == [fix]
    assert sorted(world.column("invoices", "ref")) == ["I1", "I2"]
    world.put(fix, csv_of(INVOICES, [invoice("BAD")]))
    world.ingest()
    assert sorted(world.column("invoices", "ref")) == ["BAD", "I1", "I2"]


@pytest.mark.parametrize("first", [":", "-"])
def test_two_spellings_of_a_moment_are_one_file(world: World, first: str) -> None:
    """`-` stands for `:` where a sender's system forbids it: what comes later replaces, under either spelling."""
    other = "-" if first == ":" else ":"
    for name in world.put_batch(customers=[customer("C1"), customer("C2")]).values():
        (world.drop / name).rename(world.drop / name.replace(":", first))
    world.ingest()
    assert sorted(world.column("customers", "name")) == ["C1", "C2"]
    twin = file_name(CUSTOMERS, DAY, separator=other)
    world.put(twin, csv_of(CUSTOMERS, [customer("C1", name="Corrected")]))
    world.ingest()
    assert world.column("customers", "name") == {"C1": "Corrected"}
    assert world.batches() == {"20260302T060000": "processed"}, "the twin is no batch of its own"
    assert world.statuses()[twin, 2] == "processed"
    again = world.ingest()
    assert again.ingested.taken.file_ids == []
    assert again.ingested.folded.is_empty
    assert world.reprocess().changed == 0
    assert world.column("customers", "name") == {"C1": "Corrected"}


def test_empty_and_header_only_files(world: World) -> None:
    names = world.put_batch()
    done = world.ingest()
    assert not done.has_findings
    assert world.batches() == {"20260302T060000": "processed"}
    assert set(world.rows_kept().values()) == {0}
    world.put(names[CUSTOMERS], b"")
    done = world.ingest()
    assert "header" in str(world.query("SELECT message FROM raw.files WHERE status = 'failed'")[0][0])
    world.put(names[CUSTOMERS], csv_of(CUSTOMERS, []).rstrip(b"\n"))
    assert not world.ingest().ingested.loaded.failed
    assert world.batches() == {"20260302T060000": "processed"}


def test_a_batch_released_and_then_completed(world: World) -> None:
    names = world.put_batch(customers=[customer("C1")], contacts=[{"id": "K1", "customer_id": "C1"}])
    held_back = (world.drop / names[CONTACTS]).read_bytes()
    (world.drop / names[CONTACTS]).unlink()
    world.ingest()
    (batch,) = world.batches()
    decide(world.deployment, world.sftp, batch, "release", by="tester", why="contacts come later")
    world.ingest()
    assert world.column("customers", "name") == {"C1": "Customer C1"}
    assert world.batches() == {batch: "processed"}
    world.put(names[CONTACTS], held_back)
    world.ingest()
    assert list(world.column("contacts", "last_name")) == ["K1"]
    assert world.batches() == {batch: "processed"}


def test_a_failed_batch_released_loads_the_rest_and_the_corrected_file_later(world: World) -> None:
    names = world.put_batch(customers=[customer("C1")], invoices=BROKEN)
    world.ingest()
    (batch,) = world.batches()
    decide(world.deployment, world.sftp, batch, "release", by="tester", why=None)
    world.ingest()
    assert list(world.column("customers", "name")) == ["C1"]
    world.put(names[INVOICES], csv_of(INVOICES, [invoice("I1")]))
    world.ingest()
    assert list(world.column("invoices", "ref")) == ["I1"]


def test_a_skipped_batch_never_loads_until_it_is_released(world: World) -> None:
    names = world.put_batch(customers=[customer("C1")], invoices=BROKEN)
    world.ingest()
    (batch,) = world.batches()
    decide(world.deployment, world.sftp, batch, "skip", by="tester", why="sent by mistake")
    world.put_batch(NEXT, customers=[customer("C2")])
    world.ingest()
    assert list(world.column("customers", "name")) == ["C2"]
    assert world.batches()[batch] == "skipped"
    assert {world.statuses()[name, 1] for name in names.values()} == {"skipped"}
    world.reprocess()
    assert list(world.column("customers", "name")) == ["C2"], "re-processing does not undo what was decided"

    decide(world.deployment, world.sftp, batch, "release", by="tester", why="it was right after all")
    world.ingest()
    assert sorted(world.column("customers", "name")) == ["C1", "C2"]


def test_a_vanishing_level_three_column_leaves_its_values_and_an_empty_one_clears_them(world: World) -> None:
    world.put_batch(
        customers=[customer("C1", credit_limit_amount="500.00", segment="large")],
        invoices=[invoice("I1", status="disputed", po_number="PO-7")],
    )
    world.put_batch(NEXT, customers=[customer("C1", name="Moved")], invoices=[invoice("I1", balance="50.00")])
    later = world.put_batch(NEXT + timedelta(days=1), invoices=[invoice("I1", po_number="", status="open")])
    world.ingest()
    assert world.column("customers", "credit_limit_amount") == {"C1": Decimal(500)}
    assert world.column("customers", "extra") == {"C1": {"segment": "large"}}
    assert world.column("invoices", "po_number") == {"I1": None}
    assert world.column("invoices", "collection_status") == {"I1": "none"}
    world.put(later[INVOICES], csv_of(INVOICES, []))
    world.ingest()
    assert world.column("invoices", "po_number") == {"I1": "PO-7"}
    assert world.column("invoices", "collection_status") == {"I1": "disputed"}
    assert world.column("invoices", "balance") == {"I1": Decimal(50)}


def test_what_arrival_found_outlives_reprocessing(world: World) -> None:
    """`superseded` is told when an older file comes after a newer one; reading both again changes neither count."""
    world.put_batch(NEXT, customers=[customer("C1", name="New")])
    world.ingest()
    old = world.put_batch(customers=[customer("C1", name="Old"), customer("C2")])
    world.ingest()

    def found() -> list[tuple[object, ...]]:
        return world.query(
            "SELECT f.name, f.warnings, f.code_counts, g.line, g.code FROM raw.files f"
            " JOIN raw.findings g ON g.file_id = f.id"
        )

    before = found()
    assert before == [(old[CUSTOMERS], 1, {"superseded": 1}, 2, "superseded")]
    for _ in range(2):
        world.reprocess()
        assert found() == before


def test_a_link_file_of_another_key_fails_and_says_which(world: World) -> None:
    rows = {
        "customers": [customer("C1")],
        "invoices": [invoice("I1", balance="0.00")],
        "payments": [payment("P1", balance="0.00")],
    }
    world.put_batch(**rows, payments_invoices=[link("P1", "I1", "100.00")])
    world.ingest()
    names = world.put_batch(NEXT, payments_invoices=[{"id": "L1"} | dict(link("P1", "I1", "100.00"))])
    done = world.ingest()
    assert [file.name for file in done.ingested.loaded.failed] == [names[LINKS]]
    assert "keyed" in str(done.ingested.loaded.failed[0].message)
    assert world.column("allocations", "amount") == {"P1|I1": Decimal(100)}


@pytest.mark.parametrize("is_pruned", [False, True])
def test_a_loaded_file_that_no_longer_passes_is_withdrawn_when_it_is_read_again(world: World, is_pruned: bool) -> None:
    rows = {
        "customers": [customer("C1")],
        "invoices": [invoice("I1", balance="0.00")],
        "payments": [payment("P1", balance="0.00")],
    }
    world.put_batch(**rows, payments_invoices=[link("P1", "I1", "100.00")])
    world.ingest()
    assert world.value("SELECT count(*) FROM reconciliation.balances") == 0
    if is_pruned:
        world.configure(retention_days="1")
        world.ingest()
        assert set(world.rows_kept().values()) == {0}
    world.configure(allocation_key="id")
    assert world.reprocess().has_findings
    assert world.column("allocations", "amount") == {}, "failed means that nothing of it is loaded"
    assert world.rows_kept()["payments_invoices"] == 0
    assert world.value("SELECT count(*) FROM reconciliation.balances") == 2, "the results know of it"
    world.configure(allocation_key="pair")
    assert not world.reprocess(only_failed=True).has_findings
    assert world.column("allocations", "amount") == {"P1|I1": Decimal(100)}
    assert world.value("SELECT count(*) FROM reconciliation.balances") == 0


def test_an_amount_that_comes_and_goes_counts_once(world: World) -> None:
    """An allocation ended by amount 0 and sent again; the payment's blank balance follows each time."""
    blank = {"id": "P1", "customer_id": "C1", "amount": "100.00", "currency_iso": "USD", "date_paid": "2026-03-02"}
    world.put_batch(
        customers=[customer("C1")],
        invoices=[invoice("I1", balance="40.00")],
        payments=[blank],
        payments_invoices=[link("P1", "I1", "60.00")],
    )
    ended = world.put_batch(NEXT, payments_invoices=[link("P1", "I1", "0")])
    world.ingest()
    assert world.column("payments", "balance") == {"P1": Decimal(100)}
    world.put(ended[LINKS], csv_of(LINKS, []))
    world.ingest()
    assert world.column("payments", "balance") == {"P1": Decimal(40)}
    world.put_batch(NEXT + timedelta(days=1), invoices=[invoice("I1", balance="40.00", status="void")])
    world.ingest()
    assert world.column("payments", "balance") == {"P1": Decimal(100)}
    assert world.column("payments", "settlement") == {"P1": "open"}


def test_a_sender_that_cannot_be_answered_does_not_hold_the_results_up(world: World) -> None:
    world.configure(feedback_folder="results")
    (world.root / "results").write_text("a file where the folder should be")
    world.put_batch(customers=[customer("C1")])
    done = world.ingest()
    assert done.ingested.unanswered
    assert done.has_findings
    assert {result.result for result in done.results} >= {"balances", "ageing"}
    (world.root / "results").unlink()
    assert len(world.ingest().ingested.answered) == 7
    assert subprocess.run(["ls", world.root / "results"], capture_output=True, check=True).stdout.count(b".csv\n") == 7


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
