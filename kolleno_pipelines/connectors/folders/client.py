"""The folder on an SFTP server, and `open_folder`, which opens whatever a connection's `location` names.

SSH (session.py), the protocol (conversation.py) and local folders (local_folder.py) do not belong here.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from kolleno_pipelines.connectors.errors import Changed, NeedsHuman, Permanent, Retryable
from kolleno_pipelines.connectors.folders import packets as status
from kolleno_pipelines.connectors.folders.conversation import Conversation
from kolleno_pipelines.connectors.folders.drop import (
    CLOCK_MARGIN,
    BelongsInside,
    Drop,
    Entry,
    Listing,
    Sink,
    changed,
    describe_listing,
    printable_name,
    require_name,
    require_readable,
    to_moment,
)
from kolleno_pipelines.connectors.folders.local_folder import FolderDrop
from kolleno_pipelines.connectors.folders.location import DropSettings, Resolve, is_local, join, read_account, read_root
from kolleno_pipelines.connectors.folders.packets import Attributes, Lost, Refused
from kolleno_pipelines.connectors.folders.server_folder import (
    is_as_listed,
    lstat_or_none,
    make_folder,
    put_file,
    read_entries,
    read_misplaced,
)
from kolleno_pipelines.connectors.folders.session import Account, Session, open_session

T = TypeVar("T")

_LONGEST_PAUSE = 20.0
_SAME_NAMES = 1_000


@contextmanager
def open_folder(
    connection: DropSettings,
    resolve: Resolve,
    *,
    first_pause: float = 0.5,
    belongs_inside: BelongsInside | None = None,
    may_be_root: bool = False,
) -> Iterator[Drop]:
    """The folder of a connection; what it holds open is closed at the end. Connects at the first call.

    resolve: replaces `${VAR}` in key_passphrase by its value, raising where the variable is missing.
    first_pause: seconds before the first retry, about doubled for each next one.
    belongs_inside: which names, where they lie beside the folder, are told as misplaced; None: nobody looks there.
    may_be_root: where a folder of this machine is not there, what `location` names stands for it.
    Raises NeedsHuman for a location that cannot be used.
    """
    root = read_root(connection)
    folder = join(root, connection.folder.encode())
    if is_local(connection):
        plain = may_be_root and _is_absent(folder) and not _is_absent(root)
        yield FolderDrop(connection.name, root, root if plain else folder, belongs_inside)
        return
    drop = SftpDrop(read_account(connection, resolve), root, folder, connection.retries, first_pause, belongs_inside)
    try:
        yield drop
    finally:
        drop.close()


def _is_absent(folder: bytes) -> bool:
    try:
        Path(os.fsdecode(folder)).stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


class SftpDrop:
    """`Drop` on an SFTP server. A lost connection is opened again, `retries` times without progress, then raised."""

    def __init__(
        self,
        account: Account,
        root: bytes,
        folder: bytes,
        retries: int,
        first_pause: float,
        belongs_inside: BelongsInside | None = None,
    ) -> None:
        self._account = account
        self._root = root
        self._folder = folder
        self._retries = retries
        self._first_pause = first_pause
        self._belongs_inside = belongs_inside
        self._session: Session | None = None
        self._clock_offset: timedelta | None = None

    def close(self) -> None:
        """End the session, if there is one."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def listing(self, *, with_root: bool = True) -> Listing:
        """See Drop.listing."""
        return self._insist("listing the folder", lambda sftp: self._look(sftp, with_root))

    def download(self, entry: Entry, into: Sink, offset: int = 0) -> int:
        """See Drop.download. Goes on at the byte reached after a lost connection; takes a few MiB of memory."""
        require_readable(entry, self._account.connection)
        counted = _Counted(into)
        self._insist(f"reading {entry.name}", lambda sftp: self._read(sftp, entry, offset, counted), counted)
        return counted.written

    def move(self, entry: Entry, folder: str) -> str:
        """See Drop.move. A name that is taken in `folder` gets `.1`, `.2`, ... appended."""
        require_readable(entry, self._account.connection)
        target = join(self._root, folder.encode())
        moved = self._insist(f"moving {entry.name} to {folder}", lambda sftp: self._move(sftp, entry, target))
        return printable_name(moved)

    def put_atomically(self, folder: str, name: str, data: bytes) -> str:
        """See Drop.put_atomically. Written as `.<name>.part` first."""
        require_name(name, self._account.connection)
        target = join(self._root, folder.encode())
        put = self._insist(f"writing {name} to {folder}", lambda sftp: put_file(sftp, target, name.encode(), data))
        return printable_name(put)

    def describe(self) -> tuple[str, ...]:
        """See Drop.describe."""
        listing = self.listing()
        where = self._insist("looking at the folder", lambda sftp: sftp.real_path(self._folder))
        account, session = self._account, self._session
        assert session is not None  # noqa: S101 - a listing leaves its session open
        return (
            f"Connected to {account.address} as {account.user}.",
            f"The host key is {session.host_key.kind} {session.host_key.fingerprint}, as in {account.known_hosts}.",
            f"Logged in with the {session.key_kind} key {session.key_fingerprint} ({account.key_file}).",
            *describe_listing(listing, printable_name(where)),
        )

    def _insist(self, what: str, action: Callable[[Conversation], T], progress: _Counted | None = None) -> T:
        """Do it, again after a Retryable, until `retries` attempts in a row have brought nothing."""
        failures = 0
        while True:
            before = progress.written if progress else 0
            try:
                return self._once(what, action)
            except Changed:
                raise
            except Retryable:
                failures = 1 if progress and progress.written > before else failures + 1
                if failures > self._retries:
                    raise
            pause = min(self._first_pause * 2 ** (failures - 1), _LONGEST_PAUSE)
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads retries, no secret

    def _once(self, what: str, action: Callable[[Conversation], T]) -> T:
        """Do it in the open session or a new one. After any error the session is given up: answers may be under way."""
        address, connection = self._account.address, self._account.connection
        try:
            if self._session is None:
                self._session = open_session(self._account)
            return action(self._session.sftp)
        except BaseException as error:
            self.close()
            if isinstance(error, Lost):
                raise Retryable(
                    f"The connection to {address} was lost while {what}: {error}. It is tried again by itself.",
                    connection,
                ) from error
            if isinstance(error, Refused) and error.code == status.PERMISSION_DENIED:
                raise NeedsHuman(
                    f"{address} does not permit {what} to the user {self._account.user}: {error}. Ask its operator for "
                    "the right, or correct the folder in connections.yaml.",
                    connection,
                ) from error
            if isinstance(error, Refused):
                raise Retryable(
                    f"{address} refused {what}: {error}. It is tried again by itself; if this stays, ask its operator.",
                    connection,
                ) from error
            raise

    def _look(self, sftp: Conversation, with_root: bool) -> Listing:
        looked_at = datetime.now(UTC)
        before = self._stat_folder(sftp)
        entries = read_entries(sftp, self._folder)
        after = self._stat_folder(sftp)
        misplaced: tuple[Entry, ...] = ()
        if with_root and self._belongs_inside is not None and self._folder != (self._root or b"."):
            misplaced = read_misplaced(sftp, self._root or b".", self._belongs_inside)
        # Reading a folder sets its access time by the server's clock where the file system keeps one (relatime: when
        # the folder changed since). That is the only clock SFTP shows without writing. Whole seconds, rounded down.
        if before.atime is not None and after.atime is not None and before.atime < after.atime:
            moment = to_moment(after.atime)
            self._clock_offset = None if moment is None else moment - datetime.now(UTC)
        if self._clock_offset is None:
            return Listing(entries, misplaced, looked_at, looked_at - CLOCK_MARGIN, "assumed")
        return Listing(entries, misplaced, looked_at, looked_at + self._clock_offset, "measured")

    def _stat_folder(self, sftp: Conversation) -> Attributes:
        shown = printable_name(self._folder)
        try:
            attributes = sftp.stat(self._folder)
        except Refused as refusal:
            if refusal.code != status.NO_SUCH_FILE:
                raise
            raise NeedsHuman(
                f"There is no folder {shown} on {self._account.address} for the user {self._account.user}. Make it on "
                "the server, or correct location and folder in connections.yaml.",
                self._account.connection,
            ) from refusal
        if not attributes.is_folder:
            raise NeedsHuman(
                f"{shown} on {self._account.address} is not a folder; correct folder in connections.yaml.",
                self._account.connection,
            )
        return attributes

    def _read(self, sftp: Conversation, entry: Entry, offset: int, into: _Counted) -> None:
        path = join(self._folder, entry.exact)
        self._require_unchanged(sftp, path, entry)
        try:
            handle = sftp.open_to_read(path)
        except Refused as refusal:
            if refusal.code == status.PERMISSION_DENIED:
                raise Permanent(
                    f"The user {self._account.user} may not read {entry.name} on {self._account.address}; the sender "
                    "must upload it so that it can be read.",
                    self._account.connection,
                ) from refusal
            raise
        self._compare(entry, sftp.fstat(handle))
        for block in sftp.blocks(handle, offset + into.written, entry.size or 0):
            into.write(block)
        self._compare(entry, sftp.fstat(handle))
        if offset + into.written != entry.size:
            raise changed(entry, f"it ended after {offset + into.written} bytes", self._account.connection)
        sftp.close(handle)

    def _require_unchanged(self, sftp: Conversation, path: bytes, entry: Entry) -> None:
        try:
            attributes = sftp.lstat(path)
        except Refused as refusal:
            if refusal.code != status.NO_SUCH_FILE:
                raise
            raise changed(entry, "it is gone", self._account.connection) from refusal
        if not attributes.is_file:
            raise changed(entry, "it is no longer a regular file", self._account.connection)
        self._compare(entry, attributes)

    def _compare(self, entry: Entry, now: Attributes) -> None:
        if now.size != entry.size:
            raise changed(entry, f"it has {now.size} bytes now", self._account.connection)
        if to_moment(now.mtime) != entry.modified_at:
            raise changed(entry, f"it was modified at {to_moment(now.mtime)}", self._account.connection)

    def _move(self, sftp: Conversation, entry: Entry, target: bytes) -> bytes:
        make_folder(sftp, target)
        source = join(self._folder, entry.exact)
        for number in range(_SAME_NAMES):
            path = join(target, entry.exact + (b".%d" % number if number else b""))
            there = lstat_or_none(sftp, path)
            if there is None:
                self._require_unchanged(sftp, source, entry)
                sftp.rename(source, path)
                return path
            if is_as_listed(there, entry) and lstat_or_none(sftp, source) is None:
                return path  # moved before, and the answer was lost with the connection
        raise Permanent(f"{entry.name} is in the archive folder {_SAME_NAMES} times.", self._account.connection)


class _Counted:
    """A sink that counts what it passed on."""

    def __init__(self, into: Sink) -> None:
        self._into = into
        self.written = 0

    def write(self, data: bytes) -> None:
        self._into.write(data)
        self.written += len(data)
