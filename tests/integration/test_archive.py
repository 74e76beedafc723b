"""The archive: named by content, written once, whole or absent, in a folder and at a URL alike."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest

from kolleno_pipelines.storage.archive import Archive, ArchiveError, Digest

CONTENT = b"id,name\n1,Null\n" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(params=["folder", "memory"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Archive:
    place = tmp_path / "kept" / "archive" if request.param == "folder" else f"memory://{uuid.uuid4().hex}/archive"
    return Archive(place)


def _source(folder: Path, content: bytes = CONTENT) -> Path:
    path = folder / "source.csv"
    path.write_bytes(content)
    return path


def _names(archive: Archive) -> list[str]:
    return sorted(path.name for path in archive.root.glob("*/*"))


def test_content_comes_back(archive: Archive, tmp_path: Path) -> None:
    assert not archive.has(SHA256)
    assert archive.put_file(_source(tmp_path)) == Digest(SHA256, len(CONTENT))
    assert archive.has(SHA256)
    assert archive.has(SHA256, len(CONTENT))
    assert not archive.has(SHA256, len(CONTENT) - 1)
    with archive.open(SHA256) as stream:
        assert stream.read() == CONTENT
    with archive.local(SHA256) as path:
        assert path.read_bytes() == CONTENT
    assert archive.path(SHA256).parent.name == SHA256[:2]


def test_empty_content(archive: Archive, tmp_path: Path) -> None:
    digest = archive.put_file(_source(tmp_path, b""))
    assert digest == Digest(hashlib.sha256(b"").hexdigest(), 0)
    with archive.open(digest.sha256) as stream:
        assert stream.read() == b""


def test_same_content_is_not_written_again(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    archive.put_file(_source(tmp_path))
    kept = Path(archive.path(SHA256)).stat()
    archive.put_file(_source(tmp_path))
    assert Path(archive.path(SHA256)).stat().st_ino == kept.st_ino
    assert _names(archive) == [SHA256]


def test_truncated_leftover_is_replaced(archive: Archive, tmp_path: Path) -> None:
    archive.put_file(_source(tmp_path))
    archive.path(SHA256).write_bytes(CONTENT[:10])
    archive.put_file(_source(tmp_path))
    with archive.open(SHA256) as stream:
        assert stream.read() == CONTENT


def test_writer_survives_a_dropped_connection_and_a_changed_source(archive: Archive) -> None:
    with archive.writer() as writer:
        writer.write(b"from a file that was replaced")
        writer.restart()
        writer.write(CONTENT[:5000])
        assert writer.size == 5000
        writer.write(CONTENT[writer.size :])
        assert writer.sha256 == SHA256
    assert writer.close() == Digest(SHA256, len(CONTENT))
    with archive.open(SHA256) as stream:
        assert stream.read() == CONTENT


def test_a_block_that_raises_keeps_nothing(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    with pytest.raises(TypeError), archive.writer() as writer:
        writer.write(CONTENT + "text")  # type: ignore[operator]
    with pytest.raises(KeyError), archive.writer() as writer:
        writer.write({0: CONTENT}[writer.write(CONTENT)])
    assert _names(archive) == []
    assert not archive.has(SHA256)


def test_modes_are_private_whatever_the_umask(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    before = os.umask(0)
    try:
        archive.put_file(_source(tmp_path))
    finally:
        os.umask(before)
    path = tmp_path / "archive" / SHA256[:2] / SHA256
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (path.parent, path.parent.parent)] == [0o700, 0o700]


def test_a_killed_writer_leaves_nothing_under_a_name(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from kolleno_pipelines.storage.archive import Archive\n"
        "writer = Archive(sys.argv[1]).writer(); writer.write(b'x' * 3_000_000); os.kill(os.getpid(), signal.SIGKILL)"
    )
    archive = Archive(tmp_path / "archive")
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path / "archive")], check=False)
    assert ended.returncode == -9
    (part,) = (tmp_path / "archive" / ".incoming").iterdir()
    archive.put_file(_source(tmp_path))
    assert part.exists()
    os.utime(part, (0, 0))
    archive.put_file(_source(tmp_path))
    assert not part.exists()
    with archive.open(SHA256) as stream:
        assert stream.read() == CONTENT


def test_writers_of_one_content_at_once(tmp_path: Path) -> None:
    archive, source = Archive(tmp_path / "archive"), _source(tmp_path)
    threads = [threading.Thread(target=archive.put_file, args=(source,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _names(archive) == [SHA256]
    with archive.open(SHA256) as stream:
        assert stream.read() == CONTENT


@pytest.mark.parametrize("name", ["", "../../etc/passwd", SHA256.upper(), SHA256 + "0", SHA256[:-1] + "/"])
def test_only_digests_are_names(archive: Archive, name: str) -> None:
    for act in (archive.path, archive.has, archive.open):
        with pytest.raises(ArchiveError, match="is not a SHA-256"):
            act(name)


def test_absent_content_says_what_to_do(archive: Archive) -> None:
    with pytest.raises(ArchiveError, match="restore it from the archive's backup"):
        archive.open(SHA256)
    with pytest.raises(ArchiveError, match="restore it"), archive.local(SHA256):
        pass


def test_a_place_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ArchiveError, match=r"cannot be written: File exists \(.*/file\)"):
        Archive(tmp_path / "file" / "archive").writer()
    with pytest.raises(ArchiveError, match="place cannot be used"):
        Archive("nonsense://bucket/")


def test_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    program = (
        "import resource, signal, sys; from kolleno_pipelines.storage.archive import Archive, ArchiveError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"
        "try: Archive(sys.argv[1]).put_file(sys.argv[2])\n"
        "except ArchiveError as error: print(error)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "archive"), str(_source(tmp_path, CONTENT * 100))]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "cannot be written: File too large" in ended.stdout
    assert list((tmp_path / "archive").glob("*/*")) == []


def test_large_file_in_bounded_memory(tmp_path: Path) -> None:
    program = (
        "import resource, sys; from kolleno_pipelines.storage.archive import Archive\n"
        "archive = Archive(sys.argv[1]); before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "archive.put_file(sys.argv[2]); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(200 * 1024 * 1024)
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "archive"), str(large)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert int(ended.stdout) < 20 * 1024
    assert time.monotonic() - began < 30


def test_a_disk_that_is_full_at_the_very_end_is_told_too(tmp_path: Path) -> None:
    """What fits into the buffer is written when the file is closed; closing it again tries once more."""
    program = (
        "import resource, signal, sys; from kolleno_pipelines.storage.archive import Archive, ArchiveError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); writer = Archive(sys.argv[1]).writer()\n"
        "writer.write(b'x' * 100); resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
        "try: writer.close()\n"
        "except ArchiveError as error: print(error)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "archive")]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "cannot be written: File too large" in ended.stdout
    assert [path for path in (tmp_path / "archive").rglob("*") if path.is_file()] == []
