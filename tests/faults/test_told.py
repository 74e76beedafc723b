"""What senders and operators are told of what went wrong, and that nothing is written where nothing happened."""

from __future__ import annotations

import csv
import os
import time
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from kolleno_pipelines.connectors.folders import local_folder
from kolleno_pipelines.pipeline.arrivals import see_arrivals
from kolleno_pipelines.pipeline.file_views import file_view
from kolleno_pipelines.pipeline.fold import fold
from kolleno_pipelines.pipeline.load import load
from kolleno_pipelines.pipeline.rejects import write_rejects
from kolleno_pipelines.pipeline.take import take
from kolleno_pipelines.pipeline.tracing import trace
from kolleno_pipelines.sandbox.drops import file_name
from kolleno_pipelines.schemas.sftp_tables import TableName
from tests.faults.worlds import DAY, OLD, World, csv_of, customer, invoice, link, payment

CUSTOMERS, CONTACTS, INVOICES = TableName.CUSTOMERS, TableName.CONTACTS, TableName.INVOICES
PAYMENTS, LINKS = TableName.PAYMENTS, TableName.PAYMENTS_INVOICES
NEXT = DAY + timedelta(days=1)
BROKEN = b"id;name\n1;semicolons\n"
LARGEST = "99999999999999"


def _told(world: World, name: str) -> list[dict[str, str]]:
    with (world.root / "results" / f"{name}.result.csv").open(newline="", encoding="utf-8") as result:
        return list(csv.DictReader(result))


def test_the_sender_is_told_of_waiting_rows_and_of_a_changed_verdict(world: World) -> None:
    world.configure(feedback_folder="results")
    names = world.put_batch(invoices=[invoice("I1", "C9"), invoice("I2", "C9", amount="x")])
    contacts = (world.drop / names[CONTACTS]).read_bytes()
    (world.drop / names[CONTACTS]).unlink()
    world.ingest()
    assert [(row["line"], row["code"]) for row in _told(world, names[INVOICES])] == [("3", "bad_decimal")]
    world.put(names[CONTACTS], contacts)
    world.ingest()
    said = {row["code"]: row for row in _told(world, names[INVOICES])}
    assert set(said) == {"bad_decimal", "unknown_customer"}, "that a row waits is told when it is known"
    assert said["unknown_customer"]["line"] == "2"
    assert "C9" in said["unknown_customer"]["message"]
    world.put_batch(NEXT, customers=[customer("C9")])
    world.ingest()
    assert [row["code"] for row in _told(world, names[INVOICES])] == ["bad_decimal"]
    assert world.ingest().ingested.answered == []


def test_the_sender_is_not_asked_for_what_a_newer_row_made_good(world: World) -> None:
    world.configure(feedback_folder="results")
    names = world.put_batch(customers=[customer("C1")], invoices=[invoice("I1", "C9"), invoice("I2", "C9")])
    assert world.ingest().ingested.folded.parked == 2
    assert [row["line"] for row in _told(world, names[INVOICES])] == ["2", "3"]
    world.put_batch(NEXT, invoices=[invoice("I1", "C1")])
    assert world.ingest().ingested.folded.parked == 1
    assert [row["line"] for row in _told(world, names[INVOICES])] == ["3"]
    late = world.put_batch(DAY + timedelta(hours=1), invoices=[invoice("I1", "C1"), invoice("I2", "C1")])
    world.ingest()
    assert [row["code"] for row in _told(world, late[INVOICES])] == ["superseded"]


def test_an_answer_that_a_fold_outdates_while_it_is_sent_is_given_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.configure(feedback_folder="results")
    names = world.put_batch(invoices=[invoice("I1", "C9")])
    put = local_folder.FolderDrop.put_atomically

    def put_while_a_fold_ends(drop: local_folder.FolderDrop, folder: str, name: str, data: bytes) -> str:
        if name.startswith(names[INVOICES]):
            monkeypatch.undo()
            world.put_batch(NEXT, customers=[customer("C9")])
            take(world.deployment, world.sftp)
            load(world.deployment, world.sftp)
            fold(world.deployment, world.sftp)
        return put(drop, folder, name, data)

    monkeypatch.setattr(local_folder.FolderDrop, "put_atomically", put_while_a_fold_ends)
    world.ingest()
    assert [row["code"] for row in _told(world, names[INVOICES])] == ["unknown_customer"]
    world.ingest()
    assert _told(world, names[INVOICES]) == []


def test_a_header_that_reads_like_a_formula_is_no_formula_in_the_answer(world: World) -> None:
    world.configure(feedback_folder="results")
    names = world.put_batch(customers=b"=CMD,id\n1,2\n")
    world.ingest()
    cells = [cell for row in _told(world, names[CUSTOMERS]) for cell in row.values()]
    assert any("=CMD" in cell or "=cmd" in cell for cell in cells)
    assert not [cell for cell in cells if cell.startswith("=")]


def test_processed_files_are_moved_aside_though_they_were_answered_while_they_waited(world: World) -> None:
    world.configure(feedback_folder="results", archive_folder="done")
    names = world.put_batch(customers=[customer("C1")])
    contacts = (world.drop / names[CONTACTS]).read_bytes()
    (world.drop / names[CONTACTS]).unlink()
    world.ingest()
    assert (world.drop / names[CUSTOMERS]).exists()
    world.put(names[CONTACTS], contacts)
    world.ingest()
    assert not list(world.drop.glob("*.csv"))
    assert len(list((world.root / "done").iterdir())) == 7


def test_the_root_cause_is_named_through_every_generation(world: World) -> None:
    names = world.put_batch(
        customers=[customer("C1", credit_limit_amount="many")],
        invoices=[invoice("I1")],
        payments=[payment("P1", "C1")],
        payments_invoices=[link("P1", "I1", "1.00")],
    )
    world.ingest()
    waiting = file_view(world.deployment, world.sftp, names[LINKS]).waiting
    assert {each.parent_table for each in waiting} == {"invoices", "payments"}
    assert all(str(each.cause).startswith(f"{names[CUSTOMERS]} line 2: ") for each in waiting), waiting


def test_a_pair_of_ids_with_bars_is_found_among_the_rejected(world: World) -> None:
    rows = [link("P|1", "I\\1", "-1.00")]
    names = world.put_batch(payments_invoices=rows)
    world.ingest()
    found = trace(world.deployment, world.sftp, "allocations", "P\\|1|I\\\\1")
    assert [(each.file, each.line) for each in found.rejected] == [(names[LINKS], 2)]


def test_the_same_content_again_is_said_once_for_each_sighting(world: World) -> None:
    names = world.put_batch(customers=[customer("C1")])
    world.ingest()
    moment = time.time() - OLD / 2
    os.utime(world.drop / names[CUSTOMERS], (moment, moment))
    done = world.ingest()
    assert [line for line in done.sentences() if names[CUSTOMERS] in line and "same content" in line]
    world.ingest()
    see_arrivals(world.deployment, world.sftp)
    view = file_view(world.deployment, world.sftp, names[CUSTOMERS])
    assert [each.code for each in view.findings] == ["duplicate_content"]
    assert view.file.code_counts == {"duplicate_content": 1}
    assert view.file.warnings == 0
    world.reprocess(DAY.date(), DAY.date())
    again = file_view(world.deployment, world.sftp, names[CUSTOMERS])
    assert [each.code for each in again.findings] == ["duplicate_content"], "reading it again keeps what was noted"


def test_one_file_that_may_not_be_read_stops_no_other_and_is_taken_when_it_may(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = world.put_batch(customers=[customer("C1")])
    opened = os.open

    def refuse(path: str | bytes, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if dir_fd is not None and path == names[CONTACTS].encode():
            raise PermissionError(13, "Permission denied")
        return opened(path, flags, mode, dir_fd=dir_fd)

    with monkeypatch.context() as patched:
        patched.setattr(local_folder.os, "open", refuse)
        done = world.ingest()
        assert len(done.ingested.taken.names) == 6
        assert [notice.name for notice in done.ingested.taken.notices] == [names[CONTACTS]]
        assert world.ingest().ingested.taken.notices == [], "it is said once"
        assert see_arrivals(world.deployment, world.sftp).due == {}, "no run for it every half minute"
    done = world.ingest()
    assert done.ingested.taken.names == [names[CONTACTS]]
    assert set(world.batches().values()) == {"processed"}


def test_a_file_without_a_time_of_change_is_spoken_of(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    names = world.put_batch()
    listed = local_folder.make_entry

    def undated(exact: bytes, size: int | None, modified: float | None, is_file: bool) -> local_folder.Entry:
        return listed(exact, size, None if exact == names[CUSTOMERS].encode() else modified, is_file)

    monkeypatch.setattr(local_folder, "make_entry", undated)
    done = world.ingest()
    assert [(n.name, "time of change" in n.message) for n in done.ingested.taken.notices] == [(names[CUSTOMERS], True)]


def test_a_second_export_of_rejects_takes_the_next_free_number(world: World, tmp_path: Path) -> None:
    names = world.put_batch(invoices=[invoice("I1", amount="x"), invoice("I2", amount="y")])
    world.ingest()
    first = write_rejects(world.deployment, world.sftp, names[INVOICES], tmp_path)
    world.put(first.upload_as, csv_of(INVOICES, [invoice("I1")]))
    world.ingest()
    second = write_rejects(world.deployment, world.sftp, names[INVOICES], tmp_path)
    assert second.upload_as == names[INVOICES].replace(".csv", ".fix2.csv")


def test_the_largest_numbers_load_and_add_up(world: World) -> None:
    world.put_batch(
        customers=[customer("C1")],
        invoices=[invoice("I1", amount="0.00", balance=LARGEST), invoice("I2", amount=LARGEST, balance="0")],
        payments=[payment("P1", amount="0.00", balance="")],
        payments_invoices=[link("P1", "I1", LARGEST), link("P1", "I2", LARGEST)],
    )
    world.ingest()
    world.put_batch(NEXT, invoices=[invoice("I1", amount=LARGEST, balance="0.00")])
    world.ingest()
    assert world.value("SELECT settled_delta FROM receivables.balance_moves") == 2 * Decimal(LARGEST)
    assert world.column("payments", "balance_open") == {"P1": -2 * Decimal(LARGEST)}
    world.put(file_name(INVOICES, DAY), csv_of(INVOICES, [invoice("I1", amount="0.00", balance=LARGEST)]))
    world.ingest()
    assert world.value("SELECT settled_delta FROM receivables.balance_moves") == 2 * Decimal(LARGEST)


def test_derived_columns_leave_an_audit_trail(world: World) -> None:
    world.put_batch(
        customers=[customer("C1"), customer("C2", parent_id="C1"), customer("C3", parent_id="C2")],
        invoices=[invoice("I1")],
        payments=[payment("P1", balance="")],
        payments_invoices=[link("P1", "I1", "30.00")],
    )
    world.ingest()
    audit = "SELECT source_id, field, old_value, new_value FROM receivables.audit WHERE field IN %s ORDER BY id"
    audit = audit.replace("IN %s", "= ANY(%s)")
    assert world.query(audit, ["balance", "group_source_id"]) == [], "a new record has no history"
    world.put_batch(
        NEXT, customers=[customer("C1", parent_id="C0"), customer("C0")], invoices=[invoice("I1", status="void")]
    )
    world.ingest()
    assert world.query(audit, ["balance"]) == [("P1", "balance", "70.000000", "100.000000")]
    groups = world.query(audit, ["group_source_id"])
    assert ("C3", "group_source_id", "C1", "C0") in groups


def test_groups_of_long_chains_and_of_rings(world: World) -> None:
    chain = [customer(f"N{n:04}", parent_id=f"N{n - 1:04}" if n else "") for n in range(5_000)]
    ring = [customer(f"R{n}", parent_id=f"R{(n + 1) % 7}") for n in range(7)]
    tail = [customer("T1", parent_id="R3"), customer("T2", parent_id="T1"), customer("S", parent_id="S")]
    world.put_batch(customers=[*chain, *ring, *tail, customer("LONE", parent_id="unknown")])
    begun = time.monotonic()
    world.ingest()
    assert time.monotonic() - begun < 60, "12.5 million paths take minutes"
    groups = world.column("customers", "group_source_id")
    assert {groups.pop(f"N{n:04}") for n in range(5_000)} == {"N0000"}
    assert groups == {f"R{n}": "R0" for n in range(7)} | {"T1": "R0", "T2": "R0", "S": "S", "LONE": "LONE"}


def test_a_trace_names_the_content_that_stands(world: World) -> None:
    names = world.put_batch(customers=[customer("C0"), customer("C1")])
    world.ingest()
    world.put(names[CUSTOMERS], csv_of(CUSTOMERS, [customer("C1")]))
    world.ingest()
    (record,) = trace(world.deployment, world.sftp, "customers", "C1").records
    assert record["origin"] == f"{names[CUSTOMERS]} line 2"
    assert world.value("SELECT receipt FROM raw.files f JOIN receivables.customers c ON f.id::text ="
                       " split_part(c.origin, ':', 1)") == 2  # fmt: skip


def test_a_look_at_a_folder_that_rests_writes_no_sighting(world: World) -> None:
    world.put_batch(customers=[customer("C1")])
    see_arrivals(world.deployment, world.sftp)
    before = world.query("SELECT name, xmin::text FROM raw.sightings ORDER BY name")
    young = world.put("customers_2026-03-05T06:00:00.csv", b"id\n", age=1)
    see_arrivals(world.deployment, world.sftp)
    young.write_bytes(b"id,name\n")
    see_arrivals(world.deployment, world.sftp)
    after = world.query("SELECT name, xmin::text FROM raw.sightings WHERE name <> %s ORDER BY name", young.name)
    assert after == before
    assert world.value("SELECT changed_at > first_seen_at FROM raw.sightings WHERE name = %s", young.name) is True


def test_a_file_that_failed_before_its_rows_were_let_go_is_due(world: World) -> None:
    """The verdict is committed, the process killed before the fold: the sensor starts a run that finishes it."""
    world.put_batch(customers=[customer("C1")])
    world.ingest()
    sha = world.value("SELECT sha256 FROM raw.files WHERE type = 'customers'")
    path = Path(str(world.deployment.archive.path(str(sha))))
    good = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(BROKEN)
    load(world.deployment, world.sftp, reload=True)
    path.write_bytes(good)
    assert world.column("customers", "name") == {"C1": "Customer C1"}, "not folded yet"
    assert list(see_arrivals(world.deployment, world.sftp).due) == [DAY.date()]
    world.ingest()
    assert world.column("customers", "name") == {}
    assert see_arrivals(world.deployment, world.sftp).due == {}


@pytest.mark.parametrize("is_asked_for", [True, False])
def test_a_column_that_is_not_asked_for_rejects_nothing(world: World, is_asked_for: bool) -> None:
    world.configure(balance_stated=str(is_asked_for).lower())
    world.put_batch(customers=[customer("C1", balance_stated="about ten")])
    world.ingest()
    assert list(world.column("customers", "name")) == ([] if is_asked_for else ["C1"])
    if not is_asked_for:
        assert world.column("customers", "extra") == {"C1": {"balance_stated": "about ten"}}


def test_the_limit_of_the_connection_holds_when_a_file_is_read(world: World) -> None:
    names = world.put_batch(customers=[customer(f"C{n}") for n in range(100)])
    take(world.deployment, world.sftp)
    world.configure(max_file_bytes="1000")
    assert [file.name for file in load(world.deployment, world.sftp).failed] == [names[CUSTOMERS]]
