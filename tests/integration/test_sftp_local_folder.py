"""The drop in a local folder behaves as the one on a server does."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.connectors.errors import Changed, NeedsHuman, Permanent
from kolleno_pipelines.connectors.folders.drop import Drop
from kolleno_pipelines.connectors.sftp.client import open_drop

NAME = "invoices_2026-01-01T00:00:00.csv"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    drop = tmp_path / "a folder" / "csv_data_uploads"
    drop.mkdir(parents=True)
    return drop


def opened(drop_folder: Path, **changes: object) -> AbstractContextManager[Drop]:
    settings = SftpConnection(location=drop_folder.parent.as_uri()).model_copy(update=changes)
    return open_drop(settings, str)


def test_a_file_is_listed_by_this_machines_clock_and_read(folder: Path) -> None:
    content = os.urandom(3_000_001)
    (folder / NAME).write_bytes(content)
    into, rest = BytesIO(), BytesIO()
    with opened(folder) as drop:
        listing = drop.listing()
        (entry,) = listing.entries
        assert drop.download(entry, into) == len(content)
        assert drop.download(entry, rest, 3_000_000) == 1
    assert (into.getvalue(), rest.getvalue()) == (content, content[-1:])
    assert (entry.name, entry.size, entry.readable) == (NAME, len(content), True)
    assert listing.clock == "local"
    assert entry.modified_at is not None
    assert abs(listing.server_now - entry.modified_at) < timedelta(seconds=10)


def test_an_empty_folder_and_an_absent_one_differ(folder: Path) -> None:
    with opened(folder) as drop:
        assert drop.listing().entries == ()
    with opened(folder, folder="incoming") as drop, pytest.raises(NeedsHuman, match=r"There is no folder .*incoming"):
        drop.listing()
    (folder / NAME).write_bytes(b"x")
    with opened(folder, folder=f"csv_data_uploads/{NAME}") as drop, pytest.raises(NeedsHuman, match="no folder"):
        drop.listing()


def test_the_location_itself_can_be_the_folder(folder: Path) -> None:
    (folder / NAME).write_bytes(b"x")
    settings = SftpConnection(location=folder.as_uri(), folder=".")
    with open_drop(settings, str) as drop:
        listing = drop.listing()
    assert [entry.name for entry in listing.entries] == [NAME]
    assert listing.misplaced == ()


def test_a_local_folder_without_the_customary_sub_folder_is_the_drop_folder(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"x")
    with open_drop(SftpConnection(location=tmp_path.as_uri()), str) as drop:
        assert [entry.name for entry in drop.listing().entries] == [NAME]


def test_files_beside_the_folder_are_told(folder: Path) -> None:
    (folder.parent / NAME).write_bytes(b"x")
    (folder.parent / "INV-1.pdf").write_bytes(b"x")
    with opened(folder) as drop:
        assert [entry.name for entry in drop.listing().misplaced] == [NAME]
        assert drop.listing(with_root=False).misplaced == ()


def test_links_pipes_and_strange_names_are_listed_and_never_read(folder: Path) -> None:
    (folder / "link.csv").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe.csv")
    (folder / "sub.csv").mkdir()
    (folder / "a\nb.csv").write_bytes(b"x")
    Path(os.fsdecode(bytes(folder) + b"/f\xe9vrier.csv")).write_bytes(b"x")
    (folder / "Überweisung.csv").write_bytes(b"fine")
    with opened(folder) as drop:
        entries = drop.listing().entries
        assert len(entries) == 6
        assert [entry.name for entry in entries if entry.readable] == ["Überweisung.csv"]
        for entry in entries:
            assert entry.name.isprintable()
            if not entry.readable:
                with pytest.raises(Permanent):
                    drop.download(entry, BytesIO())


def test_a_file_that_became_a_link_or_a_pipe_after_the_listing_is_not_followed(folder: Path) -> None:
    (folder.parent / "target").write_bytes(b"x")
    (folder / NAME).write_bytes(b"x")
    with opened(folder) as drop:
        (entry,) = drop.listing().entries
        (folder / NAME).unlink()
        with pytest.raises(Changed, match="it is gone"):
            drop.download(entry, BytesIO())
        (folder / NAME).symlink_to(folder.parent / "target")
        with pytest.raises(Changed, match="it is a link now"):
            drop.download(entry, BytesIO())
        (folder / NAME).unlink()
        os.mkfifo(folder / NAME)
        with pytest.raises(Changed, match="no longer a regular file"):
            drop.download(entry, BytesIO())


def test_a_file_that_changes_is_looked_at_again(folder: Path) -> None:
    path = folder / NAME
    path.write_bytes(bytes(3_000_000))

    class Grows:
        def write(self, _data: bytes) -> None:
            with path.open("ab") as file:
                file.write(b"more")

    with opened(folder) as drop:
        (entry,) = drop.listing().entries
        with pytest.raises(Changed, match="bytes now"):
            drop.download(entry, Grows())
        path.write_bytes(bytes(3_000_000))
        os.utime(path, (1, 1))
        with pytest.raises(Changed, match="it was modified at 1970"):
            drop.download(entry, BytesIO())
        with pytest.raises(Changed, match="it was modified at 1970"):
            drop.move(entry, "archive")
    assert list((folder.parent / "archive").iterdir()) == []


def test_moving_never_overwrites(folder: Path) -> None:
    with opened(folder) as drop:
        for content in (b"first", b"second"):
            (folder / NAME).write_bytes(content)
            drop.move(drop.listing().entries[0], "archive/2026")
    kept = {path.name: path.read_bytes() for path in (folder.parent / "archive" / "2026").iterdir()}
    assert kept == {NAME: b"first", f"{NAME}.1": b"second"}


def test_feedback_is_never_seen_half(folder: Path) -> None:
    seen: set[int] = set()
    stop = threading.Event()
    target = folder.parent / "feedback" / "x.result.csv"

    def watch() -> None:
        while not stop.is_set():
            if target.exists():
                seen.add(len(target.read_bytes()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with opened(folder) as drop:
            for _ in range(50):
                drop.put_atomically("feedback", "x.result.csv", b"x" * 300_000)
            with pytest.raises(Permanent):
                drop.put_atomically("feedback", "../x", b"")
    finally:
        stop.set()
        watcher.join()
    assert seen == {300_000}
    assert [path.name for path in target.parent.iterdir()] == ["x.result.csv"]


def test_a_part_file_that_someone_made_a_link_is_replaced_and_not_followed(folder: Path) -> None:
    (folder.parent / "feedback").mkdir()
    (folder.parent / "victim").write_bytes(b"untouched")
    (folder.parent / "feedback" / ".x.csv.part").symlink_to(folder.parent / "victim")
    with opened(folder) as drop:
        drop.put_atomically("feedback", "x.csv", b"data")
    assert (folder.parent / "victim").read_bytes() == b"untouched"
    assert (folder.parent / "feedback" / "x.csv").read_bytes() == b"data"


def test_a_description_tells_what_is_there(folder: Path) -> None:
    (folder / NAME).write_bytes(b"12345")
    os.utime(folder / NAME, (86_400, datetime(2026, 1, 1, tzinfo=UTC).timestamp()))
    with opened(folder) as drop:
        assert drop.describe() == (
            f"Folder {folder}: 1 files, 5 bytes, the newest modified at 2026-01-01 00:00:00 UTC.",
        )


def test_a_folder_that_may_not_be_read_needs_a_person(folder: Path) -> None:
    """Run by an ordinary user; root, who may read everything, becomes one in a child process."""
    program = (
        "import os, sys\n"
        "from kolleno_pipelines.connections import SftpConnection\n"
        "from kolleno_pipelines.connectors.sftp.client import open_drop\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        f"with open_drop(SftpConnection(location={folder.parent.as_uri()!r}), str) as drop:\n"
        "    drop.listing()\n"
    )
    folder.chmod(0)
    try:
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    finally:
        folder.chmod(0o755)
    assert run.returncode == 1
    assert "NeedsHuman: sftp: This user may not do this" in run.stderr
