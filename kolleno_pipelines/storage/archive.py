"""The archive: raw bytes kept for ever, each under the SHA-256 of its content, written once and never changed.

Which file or extract had which content does not belong here; the ledger in the database says that.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

if TYPE_CHECKING:
    from upath import UPath

CHUNK = 1024 * 1024
#: Folder of files that are being written; a part left by a killed process is removed after a day.
INCOMING = ".incoming"
ABANDONED_AFTER = 24 * 3600
_SHA256 = re.compile(r"[0-9a-f]{64}")


class ArchiveError(RuntimeError):
    """The archive cannot do what was asked; the text says why and what to do."""


@dataclass(frozen=True)
class Digest:
    """What content is: its SHA-256 (64 hex digits, lower case) and its size in bytes."""

    sha256: str
    size: int


class ArchiveWriter:
    """Takes bytes as they come and hashes them on the way; they are in the archive once `close` returns.

    It outlives a dropped connection: `size` is where a download resumes, `restart` forgets what came so far.
    """

    def __init__(self, archive: Archive, part: Path) -> None:
        self._archive = archive
        self._part = part
        self._file = os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._hash = hashlib.sha256()
        self._digest: Digest | None = None
        self.size = 0

    def write(self, data: bytes) -> int:
        """Append `data`; returns its length."""
        with _telling(self._archive.root):
            written = self._file.write(data)
        self._hash.update(data)
        self.size += len(data)
        return written

    def restart(self) -> None:
        """Begin again with nothing, for a source that changed while it was read."""
        self._file.seek(0)
        self._file.truncate()
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """Of the bytes written so far."""
        return self._hash.hexdigest()

    def close(self) -> Digest:
        """Make the content durable and give it its name. Raises ArchiveError when the archive cannot be written."""
        if self._digest is None:
            digest = Digest(self.sha256, self.size)
            try:
                with _telling(self._archive.root):
                    self._file.flush()
                    os.fsync(self._file.fileno())
                    self._file.close()
                    self._archive.keep(self._part, digest)
            except BaseException:
                self.discard()
                raise
            self._digest = digest
        return self._digest

    def discard(self) -> None:
        """Drop what was written. A full disk is no error here: closing tries once more to write what is buffered."""
        with suppress(OSError):
            self._file.close()
        self._part.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.discard()
        else:
            self.close()


class Archive:
    """Content-addressed storage in a folder of this machine, or at any URL that fsspec knows (s3://, memory://).

    Layout `<aa>/<sha256>`. In a folder: files 0600, folders 0700, appearing whole by an atomic rename. Elsewhere the
    content is gathered in the temp folder first and uploaded; what a cut upload leaves is told by its size.
    """

    def __init__(self, root: str | Path | UPath) -> None:
        self.root: Path | UPath
        self._folder: Path | None
        if isinstance(root, Path) or (isinstance(root, str) and root.startswith("/")):
            self.root = self._folder = Path(root)  # fsspec takes longer to load than most commands take
        else:
            self.root, self._folder = _opened(root)

    def writer(self) -> ArchiveWriter:
        """A writer, to be used in a `with`: its content is kept at the end, or dropped when the block raised."""
        with _telling(self.root):
            return ArchiveWriter(self, self._incoming() / f"{secrets.token_hex(16)}.part")

    def put_file(self, local_path: str | Path) -> Digest:
        """Copy a local file into the archive in bounded memory; content that is there already is left alone."""
        with Path(local_path).open("rb") as source, self.writer() as writer:
            while chunk := source.read(CHUNK):
                writer.write(chunk)
        return writer.close()

    def path(self, sha256: str) -> Path | UPath:
        """Where content is, or would be. Raises ArchiveError for what is no SHA-256 in hex."""
        if _SHA256.fullmatch(sha256) is None:
            raise ArchiveError(f"{sha256[:80]!r} is not a SHA-256 in 64 lower-case hex digits.")
        return self.root / sha256[:2] / sha256

    def has(self, sha256: str, size: int | None = None) -> bool:
        """Whether the content is there; with `size`, whether it is whole."""
        path = self.path(sha256)
        try:
            found = path.stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return False
        return size is None or found == size

    def open(self, sha256: str) -> BinaryIO:
        """The content as a stream of bytes. Raises ArchiveError when it is not there."""
        try:
            return self.path(sha256).open("rb")
        except FileNotFoundError:
            raise self._missing(sha256) from None

    @contextmanager
    def local(self, sha256: str) -> Iterator[Path]:
        """The content as a file of this machine, for readers that need one; a remote archive's is a passing copy."""
        if self._folder is not None:
            path = self._folder / sha256[:2] / sha256
            if not self.has(sha256):
                raise self._missing(sha256)
            yield path
            return
        with tempfile.TemporaryDirectory(prefix="kolleno-") as folder:
            copy = Path(folder) / sha256
            with self.open(sha256) as source, copy.open("wb") as target:
                shutil.copyfileobj(source, target, CHUNK)
            yield copy

    def keep(self, part: Path, digest: Digest) -> None:
        """Move a finished part to its name, unless whole content is there already; `part` is gone afterwards."""
        if self.has(digest.sha256, digest.size):
            part.unlink()
        elif self._folder is None:
            _upload(part, self.path(digest.sha256))
            part.unlink()
        else:
            target_folder = _own_folder(self._folder / digest.sha256[:2])
            part.replace(target_folder / digest.sha256)
            _sync(target_folder)

    def _incoming(self) -> Path:
        if self._folder is None:
            return Path(tempfile.gettempdir())
        incoming = _own_folder(_own_folder(self._folder) / INCOMING)
        oldest = time.time() - ABANDONED_AFTER
        for part in incoming.glob("*.part"):
            try:
                if part.stat().st_mtime < oldest:
                    part.unlink()
            except FileNotFoundError:  # its writer has just finished
                continue
        return incoming

    def _missing(self, sha256: str) -> ArchiveError:
        return ArchiveError(f"The archive {self.root} has no content {sha256}: restore it from the archive's backup.")


def _opened(root: str | UPath) -> tuple[UPath, Path | None]:
    """The place of a URL, and its folder where that is one of this machine. Raises ArchiveError."""
    from upath import UPath

    try:
        place = UPath(root)
        place.fs  # noqa: B018 - loads the file system's package now, not at the first write
    except (ImportError, ValueError) as error:
        raise ArchiveError(f"The archive's place cannot be used: {error}.") from None
    return place, Path(place.path) if place.protocol in {"", "file", "local"} else None


def _upload(part: Path, target: Any) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.fs.put_file(str(part), target.path)


def _own_folder(folder: Path) -> Path:
    """Create a 0700 folder (and what is missing above it); one that exists is left as it is."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync(folder.parent)
    return folder


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _telling(root: Path | UPath) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = f"{error.strerror} ({error.filename})" if error.filename else error.strerror or str(error)
        raise ArchiveError(f"The archive {root} cannot be written: {reason}.") from error
