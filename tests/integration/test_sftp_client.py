"""The SFTP drop against the embedded server and a real OpenSSH: listing, reading, writing, refusals."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest

from kolleno_pipelines.connections import Reference, SftpConnection
from kolleno_pipelines.connectors.errors import Changed, NeedsHuman, Permanent, Retryable
from kolleno_pipelines.connectors.sftp.client import open_drop
from tests.drop_servers import SERVERS, Server, listed, running_server, settings_for
from tests.sshd import RealSshd, find_sshd, serve

NAME = "invoices_2026-01-01T00:00:00.csv"


@pytest.fixture(params=list(SERVERS))
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with running_server(request.param, tmp_path) as running:
        yield running


def test_an_empty_folder_is_an_empty_listing(server: Server) -> None:
    assert listed(server).entries == ()


def test_a_file_is_listed_and_read_as_it_is(server: Server) -> None:
    content = os.urandom(300_001)
    path = server.put(NAME, content)
    os.utime(path, (1_700_000_000, 1_700_000_001))
    into = BytesIO()
    with server.open() as drop:
        (entry,) = drop.listing().entries
        assert drop.download(entry, into) == len(content)
    assert into.getvalue() == content
    assert (entry.name, entry.size, entry.is_file) == (NAME, len(content), True)
    assert entry.modified_at == datetime(2023, 11, 14, 22, 13, 21, tzinfo=UTC)


def test_reading_can_begin_at_an_offset(server: Server) -> None:
    content = os.urandom(100_000)
    server.put(NAME, content)
    into = BytesIO()
    with server.open() as drop:
        (entry,) = drop.listing().entries
        assert drop.download(entry, into, 99_000) == 1_000
    assert into.getvalue() == content[99_000:]


def test_an_empty_file_is_read_as_nothing(server: Server) -> None:
    server.put(NAME, b"")
    into = BytesIO()
    with server.open() as drop:
        assert drop.download(drop.listing().entries[0], into) == 0
    assert into.getvalue() == b""


def test_an_absent_folder_needs_a_person_and_is_not_an_empty_one(server: Server) -> None:
    with pytest.raises(NeedsHuman, match=r"There is no folder .*incoming on 127"):
        listed(server, folder="incoming")
    server.put(NAME)
    with pytest.raises(NeedsHuman, match="is not a folder"):
        listed(server, folder=f"csv_data_uploads/{NAME}")


def test_files_beside_the_folder_are_told(server: Server) -> None:
    beside = server.drop.parent
    (beside / NAME).write_bytes(b"x")
    (beside / "INV-1001.pdf").write_bytes(b"x")
    assert [entry.name for entry in listed(server).misplaced] == [NAME]
    with server.open() as drop:
        assert drop.listing(with_root=False).misplaced == ()
    assert listed(server, folder=".").misplaced == ()


def test_dangerous_names_are_listed_printable_and_never_read(server: Server) -> None:
    for name in (b"..\\..\\evil.csv", b"inv\noices.csv", b"\x1b[2Jpayments.csv", b"f\xe9vrier.csv", "ü.csv".encode()):
        server.put(name)
    (server.drop / "folder.csv").mkdir()
    (server.drop / "link.csv").symlink_to("/etc/passwd")
    (server.drop / "inside.csv").symlink_to("ü.csv")
    with server.open() as drop:
        entries = drop.listing().entries
        assert [entry.name for entry in entries if entry.readable] == ["ü.csv"]
        for entry in entries:
            assert entry.name.isprintable()
            if not entry.readable:
                with pytest.raises(Permanent):
                    drop.download(entry, BytesIO())
                with pytest.raises(Permanent):
                    drop.move(entry, "archive")
        # One that pretends to be a file: what is there now decides.
        pretended = [replace(entry, is_file=True) for entry in entries if entry.name in ("link.csv", "inside.csv")]
        assert len(pretended) == 2
        for entry in pretended:
            with pytest.raises(Changed, match="no longer a regular file"):
                drop.download(entry, BytesIO())


def test_a_thousand_noise_names_are_listed_in_order(server: Server) -> None:
    for number in range(1_000):
        server.put(f"noise {number:04} é.tmp", b"")
    names = [entry.name for entry in listed(server).entries]
    assert names == [f"noise {number:04} é.tmp" for number in range(1_000)]


def test_moving_keeps_what_is_in_the_archive_already(server: Server) -> None:
    archive = "csv_data_uploads/done"
    moved = []
    with server.open() as drop:
        for content in (b"first", b"second"):
            server.put(NAME, content)
            moved.append(drop.move(drop.listing().entries[-1], archive))
        assert [entry.name for entry in drop.listing().entries] == ["done"]
    assert [path.rpartition("/")[2] for path in moved] == [NAME, f"{NAME}.1"]
    assert [(server.drop / "done" / name).read_bytes() for name in (NAME, f"{NAME}.1")] == [b"first", b"second"]


def test_a_file_that_changed_since_the_listing_is_neither_read_nor_moved(server: Server) -> None:
    server.put(NAME, b"short")
    with server.open() as drop:
        (entry,) = drop.listing().entries
        server.put(NAME, b"longer than before")
        with pytest.raises(Changed, match="it has 18 bytes now"):
            drop.download(entry, BytesIO())
        with pytest.raises(Changed, match="it has 18 bytes now"):
            drop.move(entry, "csv_data_uploads/done")
        path = server.put(NAME, b"again")
        os.utime(path, (1, 1))
        with pytest.raises(Changed, match="it was modified at 1970-01-01"):
            drop.download(entry, BytesIO())
        path.unlink()
        with pytest.raises(Changed, match="it is gone"):
            drop.download(entry, BytesIO())
    assert not (server.drop / "done" / NAME).exists()


def test_feedback_is_written_whole_and_replaced(server: Server) -> None:
    folder = "csv_data_uploads/feedback"
    large = os.urandom(200_000)
    with server.open() as drop:
        drop.put_atomically(folder, f"{NAME}.result.csv", b"old")
        drop.put_atomically(folder, f"{NAME}.result.csv", large)
        for bad in ("../x.csv", "a/b.csv", "a\nb", ".."):
            with pytest.raises(Permanent):
                drop.put_atomically(folder, bad, b"x")
    assert {path.name: path.read_bytes() for path in (server.drop / "feedback").iterdir()} == {
        f"{NAME}.result.csv": large
    }


def test_the_servers_clock_is_measured_when_the_folder_has_changed(server: Server) -> None:
    server.put(NAME)
    os.utime(server.drop, (1_000_000_000, time.time()))  # read last long ago, changed since
    listing = listed(server)
    if listing.clock == "assumed":
        pytest.skip("needs a file system that keeps access times")
    assert listing.clock == "measured"
    assert timedelta(0) <= datetime.now(UTC) - listing.server_now < timedelta(seconds=5)


def test_without_access_times_the_clock_is_assumed_far_behind(server: Server) -> None:
    now = time.time()
    os.utime(server.drop, (now + 1_000, now - 5_000))  # an access time that reading does not move
    listing = listed(server)
    assert listing.clock == "assumed"
    assert listing.looked_at - listing.server_now > timedelta(hours=14)


def test_a_description_says_what_was_reached_and_no_secret(server: Server) -> None:
    server.put(NAME, b"12345")
    with server.open(key_passphrase=Reference("${KEY_PASSPHRASE}")) as drop:
        text = "\n".join(drop.describe())
    assert "Connected to 127.0.0.1:" in text
    assert "SHA256:" in text
    assert "/csv_data_uploads: 1 files, 5 bytes" in text
    assert "canary" not in text


def test_two_host_keys_of_which_the_file_knows_only_the_rsa_one(tmp_path: Path) -> None:
    if find_sshd() is None:
        pytest.skip("needs the package openssh-server")
    rsa = tmp_path / "rsa_host_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", str(rsa)], check=True)
    with serve(tmp_path, HostKey=str(rsa)) as sshd:
        known = tmp_path / "known"
        kind, blob = rsa.with_suffix(".pub").read_text().split()[:2]
        known.write_text(f"[127.0.0.1]:{sshd.port} {kind} {blob}\n")
        settings = settings_for(sshd.location, sshd.make_key("k", "ed25519"), known)
        with open_drop(settings, str) as drop:
            assert drop.listing().entries == ()
            assert "The host key is ssh-rsa" in " ".join(drop.describe())


def test_what_sshd_forbids_is_told_to_the_operator(tmp_path: Path) -> None:
    if find_sshd() is None:
        pytest.skip("needs the package openssh-server")
    with serve(tmp_path) as sshd:
        settings = settings_for(sshd.location, sshd.make_key("k", "ed25519"), sshd.known_hosts)
        _check_permissions(sshd, settings)


def _check_permissions(sshd: RealSshd, settings: SftpConnection) -> None:
    if not sshd.chrooted:
        pytest.skip("needs root, whose files another user may not read")
    secret = sshd.put(NAME, b"x")
    secret.chmod(0o600)
    with open_drop(settings, str) as drop:
        (entry,) = drop.listing().entries
        with pytest.raises(Permanent, match=f"The user nobody may not read {NAME}"):
            drop.download(entry, BytesIO())
        with pytest.raises(NeedsHuman, match=r"does not permit writing .* to feedback to the user nobody"):
            drop.put_atomically("feedback", "x.csv", b"x")
    sshd.drop.chmod(0o000)
    with open_drop(settings, str) as drop, pytest.raises(NeedsHuman, match="does not permit listing the folder"):
        drop.listing()


def test_a_server_without_sftp_needs_a_person(tmp_path: Path) -> None:
    if find_sshd() is None:
        pytest.skip("needs the package openssh-server")
    with serve(tmp_path, Subsystem="other /bin/false", ForceCommand="/bin/false") as sshd:
        settings = settings_for(sshd.location, sshd.make_key("k", "ed25519"), sshd.known_hosts)
        with open_drop(settings, str, first_pause=0.01) as drop, pytest.raises((NeedsHuman, Retryable), match="SFTP"):
            drop.listing()


def test_a_closed_port_and_a_name_that_does_not_exist(tmp_path: Path, server: Server) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Retryable, match="cannot be reached: Connection refused"):
            listed(server, location=f"sftp://u@127.0.0.1:{taken.getsockname()[1]}/")
    with pytest.raises((NeedsHuman, Retryable), match=r"no server named|cannot be looked up"):
        listed(server, location="sftp://u@no-such-host.invalid/")


def test_a_peer_that_accepts_and_says_nothing_is_given_up(server: Server) -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        started = time.monotonic()
        with pytest.raises(Retryable, match="did not finish the SSH greeting within the connect time-out"):
            listed(server, location=f"sftp://u@127.0.0.1:{mute.getsockname()[1]}/", connect_timeout=0.5, retries=1)
        assert time.monotonic() - started < 5


def test_a_peer_that_is_no_ssh_server_is_told_in_one_sentence(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    def answer(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.socket() as web:
        web.bind(("127.0.0.1", 0))
        web.listen()
        thread = threading.Thread(target=answer, args=(web,))
        thread.start()
        with pytest.raises(Retryable, match="check that the port is that of an SFTP server"):
            listed(server, location=f"sftp://u@127.0.0.1:{web.getsockname()[1]}/", connect_timeout=1, retries=0)
        thread.join()
    assert not caplog.records, "paramiko logged a traceback of what we say in a sentence"


@pytest.mark.slow
def test_200_mb_are_read_in_bounded_memory(server: Server) -> None:
    block = os.urandom(1 << 20)
    with (server.drop / NAME).open("wb") as file:
        for _ in range(200):
            file.write(block)
    (server.drop / NAME).chmod(0o644)
    digest, peak = hashlib.sha256(), 0

    class Hashed:
        def write(self, data: bytes) -> None:
            nonlocal peak
            digest.update(data)
            peak = max(peak, _resident_bytes())

    with server.open() as drop:
        entry = drop.listing().entries[0]
        before = _resident_bytes()
        started = time.monotonic()
        assert drop.download(entry, Hashed()) == 200 << 20
        seconds = time.monotonic() - started
    expected = hashlib.sha256()
    for _ in range(200):
        expected.update(block)
    assert digest.digest() == expected.digest()
    assert peak - before < 40 << 20
    assert seconds < 30


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
