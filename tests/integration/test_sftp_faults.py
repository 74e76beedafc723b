"""What goes wrong between two machines: lost connections, a server that is away, slow, mute or dishonest."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import paramiko
import pytest

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.connectors.errors import Changed, NeedsHuman, Permanent, Retryable
from kolleno_pipelines.connectors.folders.drop import Drop
from kolleno_pipelines.connectors.sftp.client import open_drop
from kolleno_pipelines.sandbox.sftp_server import SandboxSftpServer

NAME = "invoices_2026-01-01T00:00:00.csv"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SandboxSftpServer]:
    (tmp_path / "root" / "csv_data_uploads").mkdir(parents=True)
    with SandboxSftpServer(tmp_path / "root", tmp_path / "home") as running:
        yield running
    assert not [thread for thread in threading.enumerate() if thread.name == "sandbox-sftp"]


def opened(server: SandboxSftpServer, retries: int = 2, read_timeout: float = 10) -> AbstractContextManager[Drop]:
    settings = SftpConnection(
        location=server.location,
        key_file=server.key_file,
        known_hosts=server.known_hosts,
        retries=retries,
        connect_timeout=5,
        read_timeout=read_timeout,
    )
    return open_drop(settings, str, first_pause=0.01)


def put(server: SandboxSftpServer, content: bytes, name: str = NAME) -> Path:
    path = server.root / "csv_data_uploads" / name
    path.write_bytes(content)
    return path


def test_a_download_cut_off_twice_goes_on_at_the_byte_reached(server: SandboxSftpServer) -> None:
    content = os.urandom(10_000_003)
    put(server, content)
    offsets: list[int] = []
    into = BytesIO()
    with opened(server) as drop:
        (entry,) = drop.listing().entries
        server.faults.drop_after, server.faults.drops = 4_000_000, 2
        server.faults.on_read = lambda _path, offset: offsets.append(offset)
        assert drop.download(entry, into) == len(content)
    assert into.getvalue() == content
    assert server.connections_made == 3
    assert server.faults.drops == 0
    assert offsets.count(0) == 1, "the beginning was read again"


def test_progress_starts_the_count_of_retries_again(server: SandboxSftpServer) -> None:
    content = os.urandom(5_000_000)
    put(server, content)
    into = BytesIO()
    with opened(server, retries=1) as drop:
        (entry,) = drop.listing().entries
        server.faults.drop_after, server.faults.drops = 1_000_000, 3
        drop.download(entry, into)
    assert into.getvalue() == content
    assert server.connections_made == 4


def test_no_thread_of_a_lost_connection_is_left_behind(server: SandboxSftpServer) -> None:
    put(server, bytes(1_000_000))
    with opened(server, retries=0) as drop:
        (entry,) = drop.listing().entries
        server.faults.drop_after = 0
        with pytest.raises(Retryable):
            drop.download(entry, BytesIO())
        assert not [thread for thread in threading.enumerate() if isinstance(thread, paramiko.Transport)]


def test_a_download_that_never_gets_on_ends_after_the_retries(server: SandboxSftpServer) -> None:
    put(server, bytes(100_000))
    into = BytesIO()
    with opened(server, retries=2) as drop:
        (entry,) = drop.listing().entries
        server.faults.drop_after, server.faults.drops = 0, 100
        with pytest.raises(Retryable, match=f"connection to 127.0.0.1:{server.port} was lost while reading {NAME}"):
            drop.download(entry, into)
        assert server.faults.drops == 97
        server.faults.drop_after = None
        assert drop.download(entry, into) == 100_000, "the drop is usable again once the server is"


def test_a_file_replaced_while_the_connection_was_lost_is_not_mixed(server: SandboxSftpServer) -> None:
    path = put(server, b"a" * 3_000_000)
    os.utime(path, (1_000, 1_000))
    into = BytesIO()

    def replace(opened_path: Path) -> None:
        if server.faults.drops == 0:
            opened_path.write_bytes(b"b" * 3_000_000)

    with opened(server) as drop:
        (entry,) = drop.listing().entries
        server.faults.drop_after = 1_000_000
        server.faults.on_open = replace
        with pytest.raises(Changed, match="it was modified at"):
            drop.download(entry, into)
    assert b"b" not in into.getvalue()


def test_a_file_that_grows_while_it_is_read_is_looked_at_again(server: SandboxSftpServer) -> None:
    path = put(server, bytes(3_000_000))
    os.utime(path, (1_000, 1_000))

    def grow(opened_path: Path, offset: int) -> None:
        if offset >= 2_000_000:
            with opened_path.open("ab") as file:
                file.write(b"more")

    with opened(server) as drop:
        (entry,) = drop.listing().entries
        server.faults.on_read = grow
        with pytest.raises(Changed, match="Nothing of it is used; the next look takes it as it is then"):
            drop.download(entry, BytesIO())
        server.faults.on_read = None
        (entry,) = drop.listing().entries
        assert drop.download(entry, BytesIO()) == entry.size


def test_a_file_that_shrinks_while_it_is_read_is_looked_at_again(server: SandboxSftpServer) -> None:
    put(server, bytes(8_000_000))

    def cut(opened_path: Path, offset: int) -> None:
        if offset == 3_276_800:
            os.truncate(opened_path, 1_000)

    with opened(server) as drop:
        (entry,) = drop.listing().entries
        server.faults.on_read = cut
        with pytest.raises(Changed):
            drop.download(entry, BytesIO())


def test_a_file_replaced_between_listing_and_reading_is_looked_at_again(server: SandboxSftpServer) -> None:
    put(server, b"id\n1\n")

    def replace(path: Path) -> None:
        path.write_bytes(b"id\n1\n2\n")

    server.faults.on_open = replace
    into = BytesIO()
    with opened(server) as drop, pytest.raises(Changed, match="it has 7 bytes now"):
        drop.download(drop.listing().entries[0], into)
    assert into.getvalue() == b""


def test_a_server_that_stops_answering_is_given_up_within_the_time_out(server: SandboxSftpServer) -> None:
    put(server, b"x")
    with opened(server, retries=1, read_timeout=0.4) as drop:
        (entry,) = drop.listing().entries
        server.faults.mute = True
        started = time.monotonic()
        with pytest.raises(Retryable, match="silent for longer than the read time-out"):
            drop.download(entry, BytesIO())
        assert time.monotonic() - started < 5
        server.faults.mute = False
        assert drop.download(entry, BytesIO()) == 1


def test_a_slow_server_is_waited_for(server: SandboxSftpServer) -> None:
    content = os.urandom(100_000)
    put(server, content)
    server.faults.read_delay = 0.3
    into = BytesIO()
    with opened(server, retries=0, read_timeout=2) as drop:
        drop.download(drop.listing().entries[0], into)
    assert into.getvalue() == content
    assert server.connections_made == 1


def test_could_not_list_is_an_error_and_not_an_empty_folder(server: SandboxSftpServer) -> None:
    put(server, b"x")
    with opened(server, retries=1) as drop:
        server.faults.refuse_listing = True
        with pytest.raises(Retryable, match="refused listing the folder: the sandbox was told to"):
            drop.listing()
        assert server.connections_made == 2
        server.faults.refuse_listing = False
        assert len(drop.listing().entries) == 1


def test_a_server_that_was_away_is_found_again_in_the_same_drop(server: SandboxSftpServer) -> None:
    put(server, b"x")
    with opened(server, retries=1) as drop:
        assert len(drop.listing().entries) == 1
        port = server.port
        server.stop()
        with pytest.raises(Retryable, match=f"The SFTP server 127.0.0.1:{port} cannot be reached"):
            drop.listing()
        server.start()
        assert server.port == port
        assert len(drop.listing().entries) == 1


def test_a_server_that_comes_back_within_the_retries_is_waited_for(server: SandboxSftpServer) -> None:
    put(server, b"x")
    with opened(server, retries=8) as drop:
        server.stop()
        later = threading.Timer(0.3, server.start)
        later.start()
        try:
            assert len(drop.listing().entries) == 1
        finally:
            later.join()


def test_a_host_key_that_changes_between_two_connections_is_refused(server: SandboxSftpServer) -> None:
    put(server, b"x" * 100_000)
    with opened(server) as drop:
        (entry,) = drop.listing().entries
        server.stop()
        server.change_host_key()
        server.start()
        with pytest.raises(NeedsHuman, match="has changed"):
            drop.download(entry, BytesIO())
    assert server.known_hosts.read_text().count("\n") == 1


def test_a_server_that_lists_paths_cannot_lead_out_of_the_folder(server: SandboxSftpServer, tmp_path: Path) -> None:
    (server.root / "secret.csv").write_bytes(b"s3cr3t-canary")
    server.faults.extra_names = (b"../secret.csv", b"/secret.csv", b"..", b"..\\secret.csv", b"a\x00b", b"")
    reads: list[Path] = []
    server.faults.on_open = reads.append
    with opened(server) as drop:
        listing = drop.listing(with_root=False)
        assert len(listing.entries) == 5, "every name but .. is told"
        for entry in listing.entries:
            assert entry.name_fault is not None
            for refused in (lambda e: drop.download(e, BytesIO()), lambda e: drop.move(e, "archive")):
                with pytest.raises(Permanent, match="is not read"):
                    refused(entry)
    assert reads == []
    assert sorted(path.name for path in server.root.iterdir()) == ["csv_data_uploads", "secret.csv"]


def test_a_name_that_is_listed_and_not_there_is_looked_at_again(server: SandboxSftpServer) -> None:
    server.faults.extra_names = (b"ghost.csv",)
    with opened(server) as drop:
        entry = drop.listing(with_root=False).entries[0]
        assert entry.modified_at == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
        with pytest.raises(Changed, match="it is gone"):
            drop.download(entry, BytesIO())


def test_a_sink_that_fails_is_not_taken_for_the_network(server: SandboxSftpServer) -> None:
    content = os.urandom(3_000_000)
    put(server, content)

    class Full:
        def write(self, _data: bytes) -> None:
            raise OSError(28, "No space left on device")

    into = BytesIO()
    with opened(server) as drop:
        (entry,) = drop.listing().entries
        with pytest.raises(OSError, match="No space left"):
            drop.download(entry, Full())
        drop.download(entry, into)
    assert into.getvalue() == content


def test_a_link_out_of_the_sandbox_is_not_served(server: SandboxSftpServer, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (server.root / "outside").symlink_to(tmp_path / "outside")
    settings = {"folder": "outside"}
    base = SftpConnection(location=server.location, key_file=server.key_file, known_hosts=server.known_hosts)
    with (
        open_drop(base.model_copy(update=settings), str, first_pause=0.01) as drop,
        pytest.raises(NeedsHuman, match="does not permit"),
    ):
        drop.listing()
