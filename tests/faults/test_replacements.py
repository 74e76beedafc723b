"""Contents that replace, correct or contradict each other: what the model says of versions, through the real ingest."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from kolleno_pipelines.pipeline.batches import decide
from kolleno_pipelines.pipeline.rejects import write_rejects
from kolleno_pipelines.sandbox.drops import file_name
from kolleno_pipelines.schemas.sftp_tables import TableName
from tests.faults.worlds import DAY, World, csv_of, customer, invoice, link, payment

CUSTOMERS, CONTACTS, INVOICES = TableName.CUSTOMERS, TableName.CONTACTS, TableName.INVOICES
LINKS = TableName.PAYMENTS_INVOICES
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
