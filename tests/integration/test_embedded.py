"""The embedded PostgreSQL: quick, private, one per home, back after any death, and no folder of others changed."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from kolleno_pipelines.storage import embedded, server_binaries, server_cluster

ROOT = Path(__file__).parents[2]
IS_ROOT = os.geteuid() == 0


@pytest.fixture
def homes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Makes homes in a folder that every account may pass; afterwards servers are stopped and folders removed."""
    top = Path(tempfile.mkdtemp(prefix="kolleno-test-"))
    top.chmod(0o755)
    monkeypatch.setattr(server_binaries, "SHARED", top / "shared")
    made: list[Path] = []

    def make(*parts: str) -> Path:
        made.append(top.joinpath(*parts) if parts else top / "home")
        return made[-1]

    yield make
    for home in made:
        if (home / "postgres").exists():
            status = embedded.status(home)
            embedded.stop(home)
            for folder in (status.folder, status.socket_folder):
                shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(top)


def _ask(url: str, question: str) -> object:
    with psycopg.connect(make_conninfo(url, dbname="postgres")) as connection:
        row = connection.execute(question).fetchone()  # type: ignore[call-overload]
        assert row is not None
        return row[0]


def _wait_until_gone(data: Path, pid: int | None = None) -> None:
    deadline = time.monotonic() + 30
    while server_cluster.processes(data, pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_start_use_stop_start(homes: Callable[..., Path], postgres_programs: Path | None) -> None:
    home = homes()
    began = time.monotonic()
    url = embedded.start(home, bin_dir=postgres_programs)
    assert time.monotonic() - began < 10
    assert _ask(url, "SELECT current_setting('listen_addresses')") == ""
    assert _ask(url, "SELECT current_setting('server_encoding')") == "UTF8"
    assert _ask(url, "SELECT current_setting('TimeZone')") == "UTC"
    assert _ask(url, "SELECT lower('ÀÉ') || (ARRAY(SELECT unnest(ARRAY['a', 'B']) ORDER BY 1))[1]") == "àéB"
    assert _ask(url, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'") == 0
    assert embedded.url(home) == url
    with psycopg.connect(make_conninfo(url, dbname="postgres"), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    assert embedded.stop(home)
    assert not embedded.status(home).is_running
    assert not embedded.stop(home)
    assert _ask(embedded.start(home, bin_dir=postgres_programs), "SELECT one FROM kept") == 1


def test_everything_is_private_and_the_url_is_no_secret(
    homes: Callable[..., Path], postgres_programs: Path | None
) -> None:
    home = homes()
    url = embedded.start(home, bin_dir=postgres_programs)
    status = embedded.status(home)
    for folder in (status.folder, status.folder / "data", status.socket_folder, status.log_folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for file in (status.folder / "pgpass", status.folder / "data" / "kolleno.conf", status.log_folder / "server.log"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    password = (status.folder / "pgpass").read_text().strip().rsplit(":", 1)[1]
    assert len(password) >= 32
    assert password not in url + repr(status)
    assert not (status.folder / "initdb.password").exists()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(make_conninfo(url, dbname="postgres", passfile=os.devnull, password="s3cr3t-canary"))


def test_a_leaving_process_does_not_stop_it(homes: Callable[..., Path], postgres_programs: Path | None) -> None:
    home = homes()
    program = (
        "import sys; from pathlib import Path; from kolleno_pipelines.storage import embedded; "
        "embedded.start(Path(sys.argv[1]), bin_dir=Path(sys.argv[2]) if sys.argv[2] else None)"
    )
    subprocess.run(
        [sys.executable, "-c", program, str(home), str(postgres_programs or "")], check=True, cwd=ROOT, timeout=60
    )
    status = embedded.status(home)
    assert status.is_ready
    assert status.pid is not None
    assert os.getpgid(status.pid) != os.getpgid(0)


@pytest.mark.parametrize("leftover", ["as killed", "pid of another process", "pid of nobody", "empty pid file"])
def test_comes_back_after_sigkill(homes: Callable[..., Path], postgres_programs: Path | None, leftover: str) -> None:
    home = homes()
    url = embedded.start(home, bin_dir=postgres_programs)
    with psycopg.connect(make_conninfo(url, dbname="postgres"), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    status = embedded.status(home)
    assert status.pid is not None
    os.kill(status.pid, signal.SIGKILL)
    data = status.folder / "data"
    pid_file = data / "postmaster.pid"
    _wait_until_gone(data, status.pid)  # its children may still hold the shared memory
    if leftover != "as killed":
        _wait_until_gone(data)
        lines = pid_file.read_text().splitlines()
        first = {"pid of another process": str(os.getpid()), "pid of nobody": "4194304"}.get(leftover)
        pid_file.write_text("\n".join([first, *lines[1:]]) + "\n" if first else "")
        assert not embedded.status(home).is_running
    assert _ask(embedded.start(home, bin_dir=postgres_programs), "SELECT one FROM kept") == 1


def test_starters_at_once(homes: Callable[..., Path], postgres_programs: Path | None) -> None:
    home = homes()
    program = (
        "import sys; from pathlib import Path; from kolleno_pipelines.storage import embedded; "
        "print(embedded.start(Path(sys.argv[1]), bin_dir=Path(sys.argv[2]) if sys.argv[2] else None))"
    )
    command = [sys.executable, "-c", program, str(home), str(postgres_programs or "")]
    starters = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(3)]
    answers = {starter.communicate(timeout=60)[0] for starter in starters}
    assert [starter.returncode for starter in starters] == [0, 0, 0]
    assert answers == {embedded.url(home) + "\n"}
    assert len(server_cluster.processes(embedded.status(home).folder / "data")) >= 1


def test_a_start_that_was_cut_off_begins_afresh(homes: Callable[..., Path], postgres_programs: Path | None) -> None:
    home = homes()
    embedded.start(home, bin_dir=postgres_programs)
    embedded.stop(home)
    folder = embedded.status(home).folder
    (folder / "data").rename(folder / "data.new")
    (folder / "data.new" / "PG_VERSION").unlink()
    with pytest.raises(embedded.EmbeddedError, match="has no server yet"):
        embedded.url(home.parent / "other")
    assert _ask(embedded.start(home, bin_dir=postgres_programs), "SELECT 1") == 1


def test_parents_keep_their_modes(homes: Callable[..., Path], postgres_programs: Path | None) -> None:
    home = homes("outer", "inner", "home")
    home.parent.mkdir(parents=True)
    home.parent.chmod(0o700)
    home.parent.parent.chmod(0o750)
    watched = [home.parent, *home.parent.parents]
    before = [folder.stat().st_mode for folder in watched]
    url = embedded.start(home, bin_dir=postgres_programs)
    assert _ask(url, "SELECT 1") == 1
    assert [folder.stat().st_mode for folder in watched] == before
    if IS_ROOT:  # the server's account cannot pass 0700, so its folder is elsewhere, and only linked
        assert (home / "postgres").is_symlink()
        assert embedded.status(home).folder.is_relative_to(server_binaries.SHARED)


def test_a_deep_home_has_its_socket_in_a_private_folder(
    homes: Callable[..., Path], postgres_programs: Path | None
) -> None:
    home = homes(*["deep-enough-to-be-too-long"] * 4, "it's a % home? #1")
    url = embedded.start(home, bin_dir=postgres_programs)
    status = embedded.status(home)
    assert not status.socket_folder.is_relative_to(home)
    assert stat.S_IMODE(status.socket_folder.stat().st_mode) == 0o700
    assert status.socket_folder.owner() == status.account
    assert _ask(url, "SELECT 1") == 1


def test_a_socket_folder_that_is_not_ours_is_refused(
    homes: Callable[..., Path], postgres_programs: Path | None
) -> None:
    home = homes(*["deep-enough-to-be-too-long"] * 4, "home")
    embedded.start(home, bin_dir=postgres_programs)
    embedded.stop(home)
    socket_folder = embedded.status(home).socket_folder
    socket_folder.chmod(0o755)
    with pytest.raises(embedded.EmbeddedError, match="is not a private folder of"):
        embedded.start(home, bin_dir=postgres_programs)


def test_trouble_that_does_not_pass_is_told_at_once(homes: Callable[..., Path], postgres_programs: Path | None) -> None:
    home = homes()
    embedded.start(home, bin_dir=postgres_programs)
    embedded.stop(home)
    data = embedded.status(home).folder / "data"
    with (data / "postgresql.conf").open("a") as configuration:
        configuration.write("no_such_setting = 1\n")
    began = time.monotonic()
    with pytest.raises(embedded.EmbeddedError, match=r"did not start: .*no_such_setting"):
        embedded.start(home, bin_dir=postgres_programs)
    assert time.monotonic() - began < 10
    (data / "PG_VERSION").write_text("14\n")
    with pytest.raises(embedded.EmbeddedError, match="were made by PostgreSQL 14"):
        embedded.start(home, bin_dir=postgres_programs)


def test_an_ordinary_user_runs_it_under_its_own_name(
    homes: Callable[..., Path], postgres_programs: Path | None
) -> None:
    """The program loads all it needs as whoever runs the tests, then becomes `nobody`, who may not read a venv."""
    rehearsal, home = homes("rehearsal"), homes("own", "home")
    home.parent.mkdir()
    nobody = pwd.getpwnam("nobody") if IS_ROOT else pwd.getpwuid(os.geteuid())
    programs = postgres_programs or server_binaries.bundled()
    if IS_ROOT:
        os.chown(home.parent, nobody.pw_uid, nobody.pw_gid)
        account = server_binaries.Account("nobody", nobody.pw_uid, nobody.pw_gid)
        programs = server_binaries.runnable(programs, account)
    program = (
        "import os, sys, psycopg; from pathlib import Path; from psycopg.conninfo import make_conninfo\n"
        "from kolleno_pipelines.storage import embedded\n"
        "rehearsal, home, programs = map(Path, sys.argv[1:4]); uid, gid = map(int, sys.argv[4:])\n"
        "def run(home):\n"
        "    url = make_conninfo(embedded.start(home, bin_dir=programs), dbname='postgres')\n"
        "    psycopg.connect(url).close(); return embedded.status(home)\n"
        "run(rehearsal); embedded.stop(rehearsal)\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setresgid(gid, gid, gid); os.setresuid(uid, uid, uid)\n"
        "print(run(home).account)"
    )
    arguments = [rehearsal, home, programs, nobody.pw_uid, nobody.pw_gid]
    ended = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], check=False, capture_output=True, text=True, cwd=ROOT
    )
    assert ended.returncode == 0, ended.stderr
    status = embedded.status(home)
    assert ended.stdout.strip() == status.account == home.owner() == nobody.pw_name
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert status.pid is not None
    assert Path(f"/proc/{status.pid}").stat().st_uid == nobody.pw_uid


@pytest.mark.skipif(not IS_ROOT, reason="needs root, to run the server under another account")
def test_as_root_another_account_runs_it_from_programs_that_it_cannot_reach(
    homes: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    home = homes()
    closed = home.parent / "closed"
    closed.mkdir(mode=0o700)
    package = server_binaries.bundled().parents[1]
    shutil.copytree(package, closed / package.name, ignore=shutil.ignore_patterns("pginstall"))
    shutil.copytree(package.with_name(f"{package.name}.libs"), closed / f"{package.name}.libs")
    source = closed.joinpath(package.name, *server_binaries.BUNDLED)
    assert _ask(embedded.start(home, bin_dir=source), "SELECT 1") == 1
    status = embedded.status(home)
    assert status.account in server_binaries.ACCOUNTS
    assert Path(f"/proc/{status.pid}").stat().st_uid != 0
    assert "In production run kolleno as an ordinary user." in caplog.text
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def test_a_home_without_a_server_says_so(tmp_path: Path) -> None:
    with pytest.raises(embedded.EmbeddedError, match="has no server yet: kolleno db start"):
        embedded.status(tmp_path)
    assert not embedded.stop(tmp_path)
    (tmp_path / "postgres").symlink_to(tmp_path / "gone")
    with pytest.raises(embedded.EmbeddedError, match="gone, which is gone: restore"):
        embedded.start(tmp_path)


def test_little_shared_memory_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's /dev/shm of 64 MB would fail a large fold; parallel passes then share files in the data folder."""
    assert server_cluster.shared_memory_type(tmp_path / "absent") == "posix"
    assert server_cluster.shared_memory_type(tmp_path) == "posix"
    monkeypatch.setattr(server_cluster, "SHARED_MEMORY_BYTES", 1 << 60)
    assert server_cluster.shared_memory_type(tmp_path) == "mmap"


@pytest.mark.skipif(not IS_ROOT, reason="needs root, to give folders to another account")
def test_the_shared_folder_is_made_by_us_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Path("/var/lib/kolleno") != server_binaries.SHARED  # the home of production, 0700 (docs/operating.md)
    shared = tmp_path / "shared"
    monkeypatch.setattr(server_binaries, "SHARED", shared)
    before = os.umask(0o077)
    try:
        server_binaries.shared_folder()
    finally:
        os.umask(before)
    assert stat.S_IMODE(shared.stat().st_mode) == 0o711
    shared.chmod(0o700)
    server_binaries.shared_folder()
    assert stat.S_IMODE(shared.stat().st_mode) == 0o700
    for spoil in (
        lambda: os.chown(shared, pwd.getpwnam("nobody").pw_uid, -1),
        lambda: (os.chown(shared, 0, -1), shared.chmod(0o777)),
        lambda: (shared.rename(tmp_path / "other"), shared.symlink_to(tmp_path / "other")),
    ):
        spoil()
        with pytest.raises(embedded.EmbeddedError, match="root alone may write"):
            server_binaries.shared_folder()
