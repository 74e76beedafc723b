"""A folder on this machine, for those who host the SFTP server themselves (`location: file:///folder`).

Everything about SSH, and who wrote the files, does not belong here.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from kolleno_pipelines.connectors.errors import NeedsHuman, Permanent, Retryable
from kolleno_pipelines.connectors.folders.drop import (
    BelongsInside,
    Entry,
    Listing,
    Sink,
    changed,
    describe_listing,
    make_entry,
    printable_name,
    require_name,
    require_readable,
    to_moment,
)
from kolleno_pipelines.connectors.folders.location import join

_BLOCK = 1024 * 1024
_SAME_NAMES = 1_000
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# A link put there by the sender is never followed, a pipe never waited for.
_OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class FolderDrop:
    """`Drop` in a local folder: `root` is what `location` names, `folder` the drop folder, both as paths in bytes."""

    def __init__(
        self, connection: str, root: bytes, folder: bytes, belongs_inside: BelongsInside | None = None
    ) -> None:
        self._connection = connection
        self._root = root
        self._folder = folder
        self._belongs_inside = belongs_inside

    def listing(self, *, with_root: bool = True) -> Listing:
        """See Drop.listing. The clock is this machine's, which also dates the files."""
        looked_at = datetime.now(UTC)
        with self._faults("listing the folder"):
            entries = _entries(self._folder)
        misplaced: tuple[Entry, ...] = ()
        belongs_inside = self._belongs_inside
        if with_root and belongs_inside is not None and self._folder != self._root:
            with suppress(OSError):
                found = _entries(self._root)
                misplaced = tuple(entry for entry in found if entry.is_file and belongs_inside(entry.exact))
        return Listing(entries, misplaced, looked_at, looked_at, "local")

    def download(self, entry: Entry, into: Sink, offset: int = 0) -> int:
        """See Drop.download."""
        require_readable(entry, self._connection)
        with self._faults(f"reading {entry.name}", entry):
            handle = self._open(entry)
        written = 0
        try:
            self._compare(entry, os.fstat(handle))
            while block := os.pread(handle, min(_BLOCK, (entry.size or 0) - offset - written), offset + written):
                into.write(block)
                written += len(block)
            self._compare(entry, os.fstat(handle))
        finally:
            os.close(handle)
        if offset + written != entry.size:
            raise changed(entry, f"it ended after {offset + written} bytes", self._connection)
        return written

    def move(self, entry: Entry, folder: str) -> str:
        """See Drop.move. A name that is taken in `folder` gets `.1`, `.2`, ... appended."""
        require_readable(entry, self._connection)
        target = join(self._root, folder.encode())
        with self._faults(f"moving {entry.name} to {folder}", entry):
            _path(target).mkdir(parents=True, exist_ok=True)
            for number in range(_SAME_NAMES):
                path = join(target, entry.exact + (b".%d" % number if number else b""))
                if not os.path.lexists(path):
                    source = join(self._folder, entry.exact)
                    self._compare(entry, _path(source).lstat())
                    _path(source).rename(_path(path))
                    return printable_name(path)
        raise Permanent(f"{entry.name} is in the archive folder {_SAME_NAMES} times.", self._connection)

    def put_atomically(self, folder: str, name: str, data: bytes) -> str:
        """See Drop.put_atomically. Written as `.<name>.part` first."""
        require_name(name, self._connection)
        target = join(self._root, folder.encode())
        path, part = join(target, name.encode()), join(target, b"." + name.encode() + b".part")
        with self._faults(f"writing {name} to {folder}"):
            _path(target).mkdir(parents=True, exist_ok=True)
            _path(part).unlink(missing_ok=True)
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            with os.fdopen(handle, "wb") as file:
                os.fchmod(handle, 0o644)  # whatever our umask: the folder's own mode says who reads there
                file.write(data)
            _path(part).replace(_path(path))
        return printable_name(path)

    def describe(self) -> tuple[str, ...]:
        """See Drop.describe."""
        return describe_listing(self.listing(), printable_name(os.fsencode(_path(self._folder).resolve())))

    def _open(self, entry: Entry) -> int:
        folder = os.open(self._folder, _OPEN_FOLDER)
        try:
            return os.open(entry.exact, _OPEN_FILE, dir_fd=folder)
        except PermissionError as error:
            raise Permanent(
                f"{entry.name} is not read: this user may not. Give the right to it (chmod, or the folder's group).",
                self._connection,
            ) from error
        finally:
            os.close(folder)

    def _compare(self, entry: Entry, now: os.stat_result) -> None:
        if not stat.S_ISREG(now.st_mode):
            raise changed(entry, "it is no longer a regular file", self._connection)
        if now.st_size != entry.size:
            raise changed(entry, f"it has {now.st_size} bytes now", self._connection)
        if to_moment(now.st_mtime) != entry.modified_at:
            raise changed(entry, f"it was modified at {to_moment(now.st_mtime)}", self._connection)

    @contextmanager
    def _faults(self, what: str, entry: Entry | None = None) -> Iterator[None]:
        """What the operating system refuses, as the error of who must act."""
        shown = printable_name(self._folder)
        try:
            yield
        except (FileNotFoundError, NotADirectoryError) as error:
            if entry is not None and _path(self._folder).is_dir():
                raise changed(entry, "it is gone", self._connection) from error
            raise NeedsHuman(
                f"There is no folder {shown}. Make it, or correct location and folder in connections.yaml.",
                self._connection,
            ) from error
        except PermissionError as error:
            raise NeedsHuman(
                f"This user may not do this in {shown}: {what}. Give the right to it, or correct connections.yaml.",
                self._connection,
            ) from error
        except OSError as error:
            if error.errno == errno.ELOOP and entry is not None:
                raise changed(entry, "it is a link now", self._connection) from error
            if error.errno == errno.EXDEV:
                raise NeedsHuman(
                    "archive_folder is on another file system than the drop folder; name one on the same.",
                    self._connection,
                ) from error
            raise Retryable(f"{what} in {shown} failed: {error.strerror}.", self._connection) from error


def _entries(folder: bytes) -> tuple[Entry, ...]:
    entries = []
    with os.scandir(folder) as found:
        for item in found:
            try:
                stated = item.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # gone since
            entries.append(make_entry(item.name, stated.st_size, stated.st_mtime, stat.S_ISREG(stated.st_mode)))
    return tuple(sorted(entries, key=lambda entry: entry.exact))


def _path(path: bytes) -> Path:
    """A path of bytes, which need not be UTF-8, for pathlib."""
    return Path(os.fsdecode(path))
