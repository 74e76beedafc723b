"""What happens in the drop folder itself: files still growing, swapped, misplaced, too early, too large, ill named."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kolleno_pipelines.connectors.sftp.client import open_drop
from kolleno_pipelines.pipeline.look import days_due, look
from kolleno_pipelines.sandbox.drops import file_name
from kolleno_pipelines.sandbox.sftp_server import SandboxSftpServer
from kolleno_pipelines.schemas.sftp_tables import TableName
from tests.faults.worlds import DAY, World, csv_of, customer, invoice

CUSTOMERS, INVOICES = TableName.CUSTOMERS, TableName.INVOICES


def _noticed(world: World) -> dict[str, tuple[str, str]]:
    """Status and message of each name that was not taken."""
    rows = world.query("SELECT name, status, message FROM raw.files WHERE status IN ('held', 'ignored')")
    return {str(name): (str(status), str(message)) for name, status, message in rows}


def test_a_file_that_still_grows_waits_and_is_then_taken_whole(world: World) -> None:
    world.configure(settle="1s")
    names = world.put_batch(customers=[customer("C1")])
    path = world.drop / names[INVOICES]
    enough = threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        with path.open("wb") as file:
            file.write(csv_of(INVOICES, []))
            while not enough.wait(0.05):
                file.write(csv_of(INVOICES, [invoice(f"I{written}")]).splitlines(keepends=True)[1])
                file.flush()
                written += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        first = world.ingest()
    finally:
        enough.set()
        writer.join()
    assert first.ingested.taken.settling == [names[INVOICES]]
    assert any("still being written" in line for line in first.sentences())
    assert world.batches() == {"20260302T060000": "waiting"}
    assert world.column("customers", "name") == {}

    world.ingest()
    assert len(world.column("invoices", "ref")) == written
    assert world.statuses()[names[INVOICES], 1] == "processed"
    assert len(world.statuses()) == 7


@pytest.fixture
def sftp(world: World) -> Iterator[SandboxSftpServer]:
    with SandboxSftpServer(world.root, world.folder / "keys") as server:
        world.location = server.location
        world.configure(key_file=str(server.key_file), known_hosts=str(server.known_hosts), settle="0s")
        yield server


@pytest.mark.parametrize("moment", ["on_open", "on_read"])
def test_a_file_replaced_between_listing_and_reading(world: World, sftp: SandboxSftpServer, moment: str) -> None:
    """Before it is opened: nothing of it is used yet. Afterwards: the old file is read whole, the new one next."""
    names = world.put_batch(customers=[customer("C1", name="Old")])
    once: list[str] = []

    def replace(path: Path, _offset: int = 0) -> None:
        if path.name == names[CUSTOMERS] and not once:
            once.append(path.name)
            world.put(names[CUSTOMERS], csv_of(CUSTOMERS, [customer("C1", name="New"), customer("C2")]), age=1800)

    setattr(sftp.faults, moment, replace)
    first = world.ingest()
    assert once
    if moment == "on_open":
        assert first.ingested.taken.settling == [names[CUSTOMERS]]
        assert (names[CUSTOMERS], 1) not in world.statuses()
    else:
        assert world.column("customers", "name") == {"C1": "Old"}
    world.ingest()
    assert world.column("customers", "name") == {"C1": "New", "C2": "Customer C2"}
    assert set(world.statuses().values()) <= {"processed", "replaced"}
    world.rows_kept()


def test_a_file_that_grows_while_it_is_read(world: World, sftp: SandboxSftpServer) -> None:
    names = world.put_batch(customers=[customer(f"C{number}") for number in range(3_000)])
    once: list[str] = []

    def grow(path: Path, offset: int) -> None:
        if path.name == names[CUSTOMERS] and offset > 0 and not once:
            once.append(path.name)
            path.write_bytes(path.read_bytes() + csv_of(CUSTOMERS, [customer("LAST")]).splitlines(keepends=True)[1])
            os.utime(path, (time.time() - 1800, time.time() - 1800))

    sftp.faults.on_read = grow
    first = world.ingest()
    assert once
    assert first.ingested.taken.settling == [names[CUSTOMERS]]
    world.ingest()
    assert len(world.column("customers", "name")) == 3_001


def test_a_thousand_files_of_noise_names(world: World) -> None:
    rng = random.Random(8)
    letters = "abcXYZ019 _-:.,;'\"&%$#@!()[]{}~^+=äß漢字🙂\u200b\u202e\x07\x1b\t"
    types = [table.value for table in TableName]
    noise: set[str] = set()
    while len(noise) < 1_000:
        stem = "".join(rng.choices(letters, k=rng.randrange(1, 30)))
        shape = rng.randrange(6)
        noise.add(
            (
                stem,
                f"{stem}.csv",
                f"{rng.choice(types)}{stem}.csv",
                f"{rng.choice(types)}_2026-13-{rng.randrange(99):02d}T06:00:00.csv",
                f"{rng.choice(types).upper()}_2026-03-02T06:{rng.randrange(60):02d}:{rng.randrange(60):02d}.csv",
                f"{rng.choice(types)}_2026-03-02T06:00:{rng.randrange(60):02d}.fix0{stem}.csv",
            )[shape]
        )
    noise = {name for name in noise if not name.startswith(".") and not name.lower().endswith((".part", ".tmp"))}
    for name in noise:
        (world.drop / name).write_text("id,name\n")  # as of now: what is no file of ours is noticed at once
    world.put_batch(customers=[customer("C1")])
    began = time.process_time()
    first = world.ingest()
    assert time.process_time() - began < 20
    assert world.column("customers", "name") == {"C1": "Customer C1"}
    noticed = _noticed(world)
    assert len(noticed) == len(noise)
    assert len(first.ingested.taken.notices) == len(noise)
    for name, (status, message) in noticed.items():
        assert status == "ignored"
        assert len(message) > 20
        assert name.isprintable()
        assert message.isprintable()
    assert all(line.isprintable() for line in first.sentences())

    again = world.ingest()
    assert again.ingested.taken.notices == []
    assert not again.has_findings
    for name in list(noise)[:50]:
        (world.drop / name).write_text("id,name\nchanged\n")
    assert not world.ingest().has_findings, "a name that is none of ours is told once, whatever becomes of it"


def test_names_that_lead_out_of_the_folder(world: World, sftp: SandboxSftpServer) -> None:
    names = world.put_batch(customers=[customer("C1")])
    secret = world.folder / "customers_2026-03-02T07:00:00.csv"
    secret.write_bytes(csv_of(CUSTOMERS, [customer("STOLEN")]))
    sftp.faults.extra_names = (
        b"../../customers_2026-03-02T07:00:00.csv",
        b"..\\customers_2026-03-02T07:00:00.csv",
        b"/etc/passwd",
        b"customers_2026-03-02T07:00:00.csv\x00.png",
        b"customers_2026-03-02T07:00:00\x1b[2J.csv",
        b"customers_2026-03-02T07:00:00\n.csv",
        "kunden_f\u00fcr_m\u00e4rz.csv".encode(),
        "invoices_\u202e2026-03-02T07:00:00.csv".encode(),
        b"invoices_\xff\xfe2026.csv",
    )
    out, err = world.run("ingest", code=1)
    assert world.column("customers", "name") == {"C1": "Customer C1"}
    noticed = _noticed(world)
    beside = {name for name in noticed if name.startswith("/") and noticed[name][1].count("drop folder")}
    assert len(noticed) - len(beside) == len(sftp.faults.extra_names)
    assert noticed["..\\\\customers_2026-03-02T07:00:00.csv"][1].count("path separator") == 1
    assert "not UTF-8" in noticed["invoices_\\xff\\xfe2026.csv"][1]
    assert "\x1b" not in out + err
    assert "STOLEN" not in out + err
    assert {name for name, _ in world.statuses()} == {*names.values(), *noticed}
    out, _ = world.run("ingest")
    assert "nothing new" in out


def test_links_pipes_and_folders_are_told_and_never_followed(world: World) -> None:
    secret = world.folder / "secret.csv"
    secret.write_bytes(csv_of(CUSTOMERS, [customer("STOLEN")]))
    names = [file_name(CUSTOMERS, DAY + timedelta(seconds=number)) for number in range(3)]
    (world.drop / names[0]).symlink_to(secret)
    os.mkfifo(world.drop / names[1])
    (world.drop / names[2]).mkdir()
    (world.drop / "old").mkdir()
    done = world.ingest()
    assert {notice.name for notice in done.ingested.taken.notices} == set(names)
    assert all("not a regular file" in message for _, message in _noticed(world).values())
    assert not world.ingest().has_findings


def test_a_misplaced_file_is_told_and_taken_once_it_is_moved(world: World) -> None:
    names = world.put_batch(customers=[customer("C1")])
    inside = world.drop / names[CUSTOMERS]
    outside = world.root / names[CUSTOMERS]
    inside.rename(outside)
    first = world.ingest()
    assert [notice.code.value for notice in first.ingested.taken.notices] == ["wrong_folder"]
    assert "drop folder" in _noticed(world)[names[CUSTOMERS]][1]
    assert world.batches() == {"20260302T060000": "waiting"} or "stalled" in world.batches().values()
    outside.rename(inside)  # keeps size and time of change
    done = world.ingest()
    assert done.ingested.taken.names == [names[CUSTOMERS]]
    assert world.column("customers", "name") == {"C1": "Customer C1"}
    assert set(world.statuses().values()) == {"processed"}


def test_a_second_copy_beside_the_folder_does_not_disturb_the_first(world: World) -> None:
    names = world.put_batch(customers=[customer("C1")])
    world.ingest()
    (world.root / names[CUSTOMERS]).write_bytes(csv_of(CUSTOMERS, [customer("C1", name="Elsewhere")]))
    second = world.ingest()
    assert [notice.name for notice in second.ingested.taken.notices] == [f"/{names[CUSTOMERS]}"]
    for _ in range(2):
        again = world.ingest()
        assert again.ingested.taken.notices == []
        assert again.ingested.taken.file_ids == []
    assert world.batches() == {"20260302T060000": "processed"}
    assert world.column("customers", "name") == {"C1": "Customer C1"}


def test_a_name_far_ahead_is_held_and_taken_on_its_day(world: World) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    ahead = now + timedelta(days=3)
    world.put_batch(ahead, customers=[customer("C1")])
    first = world.ingest()
    assert len(first.ingested.taken.notices) == 7
    assert {status for status, _ in _noticed(world).values()} == {"held"}
    assert all("ahead" in message for _, message in _noticed(world).values())
    assert world.batches() == {}
    assert not world.ingest(lambda: now + timedelta(days=1)).has_findings

    later = now + timedelta(days=2, hours=12)
    done = world.ingest(lambda: later)
    assert len(done.ingested.taken.names) == 7
    assert world.column("customers", "name") == {"C1": "Customer C1"}
    assert world.query("SELECT DISTINCT partition_day, receipt FROM raw.files") == [(later.date(), 1)]
    codes = world.query("SELECT DISTINCT code FROM raw.findings")
    assert codes == [("dated_in_future",)], "a clock that is ahead stays known after the file was read"
    world.ingest()
    assert world.batches().popitem()[1] == "processed"


def test_a_name_before_the_first_day_is_taken_once_the_first_day_is_earlier(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = world.put_batch(datetime(2019, 12, 30, 6, tzinfo=UTC), customers=[customer("C1")])
    done = world.ingest()
    assert {notice.code.value for notice in done.ingested.taken.notices} == {"before_start"}
    assert "KOLLENO_FIRST_DAY" in done.ingested.taken.notices[0].message
    out, _ = world.run("ingest", KOLLENO_FIRST_DAY="2019-01-01")
    assert "7 files taken" in out
    assert set(world.statuses()) == {(name, 1) for name in names.values()}
    assert world.column("customers", "name") == {"C1": "Customer C1"}


def test_a_file_too_large_is_fetched_once_it_is_allowed(world: World) -> None:
    world.configure(max_file_bytes="2000")
    names = world.put_batch(customers=[customer(f"C{number}") for number in range(100)])
    done = world.ingest()
    assert [file.name for file in done.ingested.loaded.failed] == []
    assert world.statuses()[names[CUSTOMERS], 1] == "failed"
    (message,) = world.query("SELECT message FROM raw.files WHERE status = 'failed'")
    assert "max_file_bytes" in str(message[0])
    assert "2,000" in str(message[0])
    assert world.batches() == {"20260302T060000": "failed"}
    world.configure(max_file_bytes="1000000")
    world.ingest()
    assert len(world.column("customers", "name")) == 100
    assert world.batches() == {"20260302T060000": "processed"}


def test_what_the_sensor_sees_is_due_once_and_only_once(world: World) -> None:
    """A run is due while there is work: files complete, taken but not loaded, loaded but not folded; then never."""
    world.put_batch(customers=[customer("C1")])

    def due() -> set[object]:
        with open_drop(world.sftp, world.deployment.resolve) as drop:
            return set(days_due(world.deployment, world.sftp, look(world.deployment, world.sftp, drop)))

    assert due() == {DAY.date()}
    for point in ("ledger_row@7", "mid_copy", "after_commit", "before_fold_commit"):
        world.die_at(point, "ingest")
        assert due() == {DAY.date()}
    world.ingest()
    assert due() == set()
    twin = file_name(CUSTOMERS, DAY, separator="-")
    world.put(twin, csv_of(CUSTOMERS, [customer("C1", name="Twin")]))
    assert due() == {DAY.date()}
    world.ingest()
    assert due() == set()
    (world.root / twin).write_bytes(b"elsewhere")
    world.put("noise.csv", b"x")
    assert due() == set()


def test_a_batch_that_lacks_a_type_waits_stalls_and_loads_when_it_comes(world: World) -> None:
    """Six of seven files: the batch waits, says what is missing, and loads when it comes."""
    names = world.put_batch(customers=[customer("C1")])
    missing = (world.drop / names[INVOICES]).read_bytes()
    (world.drop / names[INVOICES]).unlink()
    done = world.ingest()
    assert any("invoices" in line and "waiting" in line for line in done.sentences())
    assert world.query("SELECT status, missing FROM raw.batches") == [("waiting", ["invoices"])]
    world.execute("UPDATE raw.files SET taken_at = taken_at - interval '2 hours'")
    assert "stalled" in world.ingest().ingested.open_batches[0].status
    world.put(names[INVOICES], missing)
    world.ingest()
    assert world.batches() == {"20260302T060000": "processed"}
