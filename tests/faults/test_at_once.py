"""Two runs of the same day at once, held where they would hurt each other most: nothing is doubled, nothing lost."""

from __future__ import annotations

import os
import random
import signal
import time
from datetime import timedelta

import psycopg
import pytest

from kolleno_pipelines.pipeline.refresh import refresh
from kolleno_pipelines.sandbox import drops
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.schemas.sftp_tables import CUSTOMERS, INVOICES
from kolleno_pipelines.storage import csv_rows, ledger, turns
from kolleno_pipelines.storage.fold import fold
from kolleno_pipelines.storage.results import result_transaction
from tests.faults.worlds import DAY, Digest, World, csv_of, customer, finish, invoice, link, payment, wait_until

#: Where the first run is held until the second one has come as far as it can.
HELD = ("raw.files", "sftp_csv.customers", "receivables.customers", "reconciliation.balances")
_WAITING = (
    "SELECT count(DISTINCT pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


@pytest.mark.parametrize("table", HELD)
def test_two_runs_at_once(world: World, company: Company, undisturbed: Digest, table: str) -> None:
    world.put_all(drops.arrivals(company))
    with psycopg.connect(world.deployment.database_url) as lock:
        lock.execute(f"LOCK TABLE {table} IN SHARE MODE")
        runs = [world.start("ingest") for _ in range(2)]
        wait_until(lambda: int(str(world.value(_WAITING))) >= 2 or any(run.poll() is not None for run in runs), "both")
        lock.rollback()
    for run in runs:
        _, err = finish(run, None)
        assert run.returncode in {0, 1}, err
    assert world.digest() == undisturbed
    world.rows_kept()
    assert world.ingest().results == [], "the results hold what both runs folded"


def test_an_ingestion_beside_a_reprocessing(world: World, company: Company, undisturbed: Digest) -> None:
    arriving = list(drops.arrivals(company))
    world.put_all(arriving[:3])
    world.ingest()
    world.put_all(arriving[3:])
    first, last = str(company.plan.first_day), str(company.last_day)
    with psycopg.connect(world.deployment.database_url) as lock:
        lock.execute("LOCK TABLE sftp_csv.invoices IN SHARE MODE")
        runs = [world.start("ingest"), world.start("reprocess", "--from", first, "--to", last)]
        wait_until(lambda: int(str(world.value(_WAITING))) >= 2 or any(run.poll() is not None for run in runs), "both")
        lock.rollback()
    for run in runs:
        _, err = finish(run, None)
        assert run.returncode in {0, 1}, err
    assert world.receivables() == {name: rows for name, rows in undisturbed.items() if not name.startswith("recon")}
    world.rows_kept()


def test_a_fold_waits_for_a_load_that_withdraws(world: World) -> None:
    """A replaced file committed while a fold runs: its withdrawn records are folded by that fold or the next."""
    names = world.put_batch(customers=[customer("C1"), customer("C2")])
    world.ingest()
    url, name = world.deployment.database_url, names[CUSTOMERS.name]
    with psycopg.connect(url) as loading:
        turns.hold_off_folds(loading, world.name)
        file = next(f for f in ledger.newest_files(loading, world.name) if f.name == name)
        csv_rows.clear_file(loading, world.name, CUSTOMERS, file.id)
        with psycopg.connect(url) as folding:
            folding.execute("SET lock_timeout = '200ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                fold(folding, world.name)
    with psycopg.connect(url) as folding:
        fold(folding, world.name)
    assert world.column("customers", "name") == {}


def test_results_wait_for_a_fold_that_is_about_to_end(world: World) -> None:
    """Else they would be dated after a fold that they have not seen, and never be computed again."""
    world.put_batch(customers=[customer("C1")])
    world.ingest()
    url = world.deployment.database_url
    impatient = f"{url}&options=-c%20lock_timeout%3D200ms"
    with psycopg.connect(url) as folding:
        fold(folding, world.name)
        with pytest.raises(psycopg.errors.LockNotAvailable), result_transaction(impatient, ("balances",)):
            pass
    with result_transaction(impatient, ("balances",)) as reading:
        assert reading.execute("SELECT count(*) FROM receivables.customers").fetchone() == (1,)


def test_stored_days_notice_a_fold_that_waited_while_they_were_computed(world: World) -> None:
    """The fold begins before the results and writes after them: what it writes is younger than they are."""
    world.put_batch(customers=[customer("C1")], invoices=[invoice("I1")])
    world.ingest()
    stored = "SELECT COALESCE(sum(amount), 0) FROM reconciliation.ageing WHERE day = %s"
    assert world.value(stored, DAY.date()) == 100
    paid = {"payments": [payment("P1", balance="0.00")], "payments_invoices": [link("P1", "I1", "100.00")]}
    world.put_batch(DAY + timedelta(days=3), invoices=[invoice("I1", balance="0.00")], **paid)
    with psycopg.connect(world.deployment.database_url) as loading:
        turns.hold_off_folds(loading, world.name)
        waiting = world.start("ingest")
        wait_until(lambda: world.value(_WAITING), "the fold")
        refresh(world.deployment, days=[DAY.date()])
        loading.rollback()
    finish(waiting, None)
    assert world.value(stored, DAY.date()) == 0, "the payment of that day reached what was stored"


@pytest.mark.nightly
def test_a_storm_of_runs_while_files_arrive(world: World, company: Company, undisturbed: Digest) -> None:
    """Ingestions and re-processings on top of each other, one of them killed each time, files dropping in between."""
    rng = random.Random(5)
    first, last = str(company.plan.first_day), str(company.last_day)
    runs = []
    for drop in drops.arrivals(company):
        world.put_all([drop])
        runs += [world.start("ingest"), world.start("reprocess", "--from", first, "--to", last), world.start("ingest")]
        time.sleep(rng.uniform(0.5, 2.5))
        os.killpg(rng.choice(runs[-3:]).pid, signal.SIGKILL)
    for run in runs:
        run.communicate(timeout=240)
        assert run.returncode in {0, 1, -signal.SIGKILL}
    world.ingest()
    assert world.digest() == undisturbed
    world.rows_kept()


def test_a_file_replaced_while_its_old_content_loads(world: World) -> None:
    """Two runs hold two contents of one name: the newer one stands, whoever commits last."""
    names = world.put_batch(customers=[customer("C1"), customer("C2")], invoices=[invoice("I1", "C2")])
    with psycopg.connect(world.deployment.database_url) as lock:
        lock.execute("LOCK TABLE sftp_csv.contacts IN SHARE MODE")
        first = world.start("ingest")
        wait_until(lambda: world.value(_WAITING), "the first run")
        world.put(names[CUSTOMERS.name], csv_of(CUSTOMERS.name, [customer("C1", name="New")]))
        world.put(names[INVOICES.name], csv_of(INVOICES.name, [invoice("I1", "C1")]))
        second = world.start("ingest")
        wait_until(lambda: int(str(world.value("SELECT count(*) FROM raw.files WHERE receipt = 2"))) == 2, "the second")
        lock.rollback()
    finish(first, None)
    finish(second, None)
    world.ingest()
    assert world.column("customers", "name") == {"C1": "New"}
    assert world.column("invoices", "customer_source_id") == {"I1": "C1"}
    world.rows_kept()


def test_two_batches_that_share_a_day_border(world: World) -> None:
    """A batch from before to after midnight belongs to two days: runs of both days load it once."""
    late = DAY.replace(hour=23, minute=59, second=55)
    for seconds, (table, name) in enumerate(world.put_batch(late, customers=[customer("C1")]).items()):
        moved = drops.file_name(table, late + timedelta(seconds=seconds))
        (world.drop / name).rename(world.drop / moved)
    world.ingest()
    assert world.batches() == {"20260302T235955": "processed"}
    assert world.value("SELECT count(DISTINCT partition_day) FROM raw.files") == 2
    for day in (late.date() + timedelta(days=1), late.date()):
        assert world.reprocess(day, day).changed == 0
    assert world.rows_kept()["customers"] == 1
