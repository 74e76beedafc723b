"""Servers that go away in mid-run: PostgreSQL restarted, every process killed at once, the SFTP server cut off."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from kolleno_pipelines.sandbox import drops
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.sftp_server import SandboxSftpServer
from kolleno_pipelines.storage import embedded, server_cluster
from tests.faults.conftest import MakeWorld
from tests.faults.worlds import Digest, World, finish, wait_until

KILLS = 10
_OURS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'kolleno' AND pid <> pg_backend_pid()"


@pytest.fixture
def own_server() -> Iterator[World]:
    """A world whose database is the embedded server of its own home, as `kolleno ingest` starts it."""
    folder = Path(tempfile.mkdtemp(prefix="kolleno-test-faults-"))
    folder.chmod(0o755)
    world = World(folder, None)
    embedded.start(world.settings.home)
    yield world
    embedded.stop(world.settings.home)
    shutil.rmtree(folder, ignore_errors=True)


def _start_stuck_in_the_fold(world: World, lock: psycopg.Connection[tuple[object, ...]]) -> subprocess.Popen[str]:
    """Start `kolleno ingest` and wait until it stands in the middle of its fold, where `lock` holds it."""
    lock.execute("LOCK TABLE receivables.payments IN SHARE MODE")
    process = world.start("ingest")
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ILIKE '%%receivables%%'"
    wait_until(lambda: world.value(waiting), "the fold")
    return process


def test_database_restarted_in_mid_run(own_server: World, company: Company, undisturbed: Digest) -> None:
    own_server.put_all(drops.arrivals(company))
    home = own_server.settings.home
    lock = psycopg.connect(own_server.deployment.database_url)
    process = _start_stuck_in_the_fold(own_server, lock)
    embedded.stop(home)
    embedded.start(home)
    lock.close()
    _, err = finish(process, 2)
    assert "database" in err.lower()
    assert len(err.strip().splitlines()) <= 2, "one sentence is enough"
    own_server.run("ingest")
    assert own_server.digest() == undisturbed
    own_server.rows_kept()


def test_all_our_processes_killed_at_once_postgres_too(
    own_server: World, company: Company, undisturbed: Digest
) -> None:
    own_server.put_all(drops.arrivals(company))
    status = embedded.status(own_server.settings.home)
    lock = psycopg.connect(own_server.deployment.database_url)
    process = _start_stuck_in_the_fold(own_server, lock)
    _kill_everything(process, status.folder / "data")
    lock.close()
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    out, _ = own_server.run("ingest")
    assert "Reconciled" in out
    assert own_server.digest() == undisturbed
    own_server.rows_kept()


def _kill_everything(process: subprocess.Popen[str], data: Path) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    for pid in server_cluster.processes(data):
        with suppress(ProcessLookupError):  # it ended with the one that was killed before
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not server_cluster.processes(data), "the end of PostgreSQL")


def _wait_for_work(world: World, process: subprocess.Popen[str]) -> None:
    """Wait until the process works on the database, which it may have to start first, or has ended."""

    def works() -> bool:
        try:
            return process.poll() is not None or bool(world.value(_OURS))
        except psycopg.OperationalError:
            return False

    wait_until(works, "the run")


@pytest.mark.nightly
@pytest.mark.parametrize("seed", [20260301])
def test_ten_kills_at_random_times(own_server: World, make_world: MakeWorld, seed: int) -> None:
    company = Company.build(9, customers=8, days=15, invoices_per_day=2, history_days=5)
    arriving = list(drops.arrivals(company))
    rng, kills, everything, work = random.Random(seed), 0, seed % KILLS, 1.0
    for position in range(4 * KILLS):
        own_server.put_all(arriving[position : position + 1])
        process = own_server.start("ingest")
        _wait_for_work(own_server, process)
        time.sleep(rng.uniform(0, work))
        if process.poll() is not None:
            work *= 0.7
        elif kills == everything:
            _kill_everything(process, embedded.status(own_server.settings.home).folder / "data")
            kills += 1
        else:
            os.killpg(process.pid, signal.SIGKILL)
            kills, work = kills + 1, work * 1.1
        process.communicate(timeout=60)
        if kills == KILLS:
            break
    assert kills == KILLS
    own_server.put_all(arriving)
    own_server.run("ingest")
    other = make_world()
    other.put_all(arriving)
    other.ingest()
    assert own_server.digest() == other.digest()
    own_server.rows_kept()


@pytest.fixture
def sftp(world: World) -> Iterator[SandboxSftpServer]:
    """The world's drop folder behind an SFTP server."""
    with SandboxSftpServer(world.root, world.folder / "keys") as server:
        world.location = server.location
        world.configure(
            key_file=str(server.key_file), known_hosts=str(server.known_hosts), retries="1", read_timeout="10"
        )
        yield server


def test_sftp_server_cut_off_in_mid_download_goes_on_in_the_same_run(
    world: World, sftp: SandboxSftpServer, company: Company, undisturbed: Digest
) -> None:
    world.put_all(drops.arrivals(company))
    world.configure(retries="4")
    sftp.faults.drop_after, sftp.faults.drops = 4_000, 3
    world.run("ingest")
    assert sftp.faults.drops == 0
    assert world.digest() == undisturbed


def test_sftp_server_gone_in_mid_download_and_back(
    world: World, sftp: SandboxSftpServer, company: Company, undisturbed: Digest
) -> None:
    world.put_all(drops.arrivals(company))
    reading = threading.Event()
    opened: list[str] = []

    def on_open(path: Path) -> None:
        opened.append(path.name)
        if len(opened) == 25:
            reading.set()
            time.sleep(0.2)

    sftp.faults.on_open = on_open
    process = world.start("ingest")
    assert reading.wait(60)
    sftp.stop()
    _, err = finish(process, 2)
    assert f"127.0.0.1:{sftp.port}" in err
    assert "tried again" in err
    assert len(err.strip().splitlines()) == 1
    taken = world.statuses()
    assert 20 <= len(taken) <= 25, "what was whole before is taken, nothing of the rest"
    first_batches = {name for drop in list(drops.arrivals(company))[:2] for name in drop.files}
    loaded = {name for (name, _), status in taken.items() if status.startswith("processed")}
    assert loaded >= first_batches, "a server that is away delays nothing that was taken"

    sftp.faults.on_open = None
    sftp.start()
    world.run("ingest")
    assert world.digest() == undisturbed


def test_sftp_server_away_is_an_error_and_never_an_empty_folder(world: World, sftp: SandboxSftpServer) -> None:
    names = world.put_batch(customers=[{"id": "C1", "name": "One"}])
    world.run("ingest")
    sftp.stop()
    _, err = world.run("ingest", code=2)
    assert "127.0.0.1" in err
    assert set(world.statuses().values()) == {"processed"}
    assert world.value("SELECT error IS NOT NULL FROM raw.looks") is True
    sftp.start()
    sftp.faults.refuse_listing = True
    world.run("ingest", code=2)
    assert world.column("customers", "name") == {"C1": "One"}
    sftp.faults.refuse_listing = False
    out, _ = world.run("ingest")
    assert "nothing new" in out
    assert set(world.statuses()) == {(name, 1) for name in names.values()}
