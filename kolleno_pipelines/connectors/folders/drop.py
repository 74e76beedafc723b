"""What a drop folder is, wherever it lives: its entries, its listing, the interface `Drop` and the rules for names.

How an SFTP server (client.py) or a local folder (local_folder.py) is talked to does not belong here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol, TypeAlias

from kolleno_pipelines.connectors.errors import Changed, Permanent

# How far a server's clock may be behind ours, where it could not be measured: the widest time zone, for servers
# that state local time as if it were UTC, and an hour of drift.
CLOCK_MARGIN = timedelta(hours=15)

Clock = Literal["measured", "local", "assumed"]

#: Tells of the exact name of a file beside the folder whether it was meant for it.
BelongsInside: TypeAlias = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a folder.

    name: safe to print and unique in its folder; equal to the real name unless `name_fault` is set.
    exact: the name as the server sent it, byte for byte.
    size: bytes, None where the server does not say. modified_at: UTC, whole seconds from SFTP servers.
    is_file: a regular file; folders, links (never followed), pipes and devices are not.
    name_fault: why this name is never joined to a path, None for a name that may be read.
    """

    name: str
    exact: bytes
    size: int | None
    modified_at: datetime | None
    is_file: bool
    name_fault: str | None

    @property
    def readable(self) -> bool:
        """Whether `Drop.download` will take this entry."""
        return self.is_file and self.name_fault is None


@dataclass(frozen=True, slots=True)
class Listing:
    """What one look at the folder saw, sorted by exact name.

    misplaced: files one level up, in the root, whose names say that they belong into the folder.
    looked_at: our clock, UTC. server_now: a moment, in the terms of `modified_at`, that the server's clock had
    reached when it listed; `entry.modified_at <= server_now - 60 s` is therefore safe to conclude from.
    clock: `measured` (to the second), `local` (same machine), or `assumed` (our clock less CLOCK_MARGIN: files
    younger than that need a second look).
    """

    entries: tuple[Entry, ...]
    misplaced: tuple[Entry, ...]
    looked_at: datetime
    server_now: datetime
    clock: Clock


class Sink(Protocol):
    """Takes bytes in order: an open binary file, or anything that hashes or counts on the way."""

    def write(self, data: bytes, /) -> object:
        """Take all of it, or raise."""
        ...


class Drop(Protocol):
    """One drop folder. Not for use by several threads at once. Folders in arguments are relative to the root."""

    def listing(self, *, with_root: bool = True) -> Listing:
        """Look once. Raises Retryable or NeedsHuman when the folder cannot be listed; empty means empty."""
        ...

    def download(self, entry: Entry, into: Sink, offset: int = 0) -> int:
        """Write the bytes from `offset` to the end into `into`; returns how many.

        Raises Changed when the file is no longer as listed, Permanent when it can never be read.
        """
        ...

    def move(self, entry: Entry, folder: str) -> str:
        """Move a file, still as listed, into `folder` (made when absent); returns its new path. Never overwrites."""
        ...

    def put_atomically(self, folder: str, name: str, data: bytes) -> str:
        """Write `data` as `name` into `folder` (made when absent), replacing; readers see all of it or nothing."""
        ...

    def describe(self) -> tuple[str, ...]:
        """Sentences for `kolleno connections check`: what was reached, how, and what is there. No secret."""
        ...


def printable_name(exact: bytes) -> str:
    """The name with every character that could disturb a terminal, a log or a table written as an escape.

    Two different names never give the same text: a backslash of the name itself is doubled.
    """
    shown: list[str] = []
    for character in exact.decode("utf-8", "surrogateescape"):
        code = ord(character)
        if character == "\\":
            shown.append("\\\\")
        elif character.isprintable():
            shown.append(character)
        elif 0xDC80 <= code <= 0xDCFF:
            shown.append(f"\\x{code - 0xDC00:02x}")
        else:
            shown.append(f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}")
    return "".join(shown)


def name_fault(exact: bytes) -> str | None:
    """Why a name must never be joined to a path, as the end of a sentence; None when it is safe."""
    if exact in (b"", b".", b".."):
        return "it is not the name of a file"
    if b"\x00" in exact:
        return "it holds a NUL character"
    if b"/" in exact or b"\\" in exact:
        return "it holds a path separator"
    try:
        text = exact.decode("utf-8")
    except UnicodeDecodeError:
        return "it is not UTF-8"
    if not text.isprintable():
        return "it holds a control or invisible character"
    if len(exact) > 255:
        return "it is longer than 255 bytes"
    return None


def make_entry(exact: bytes, size: int | None, modified: float | None, is_file: bool) -> Entry:
    """An entry from what a server or a file system says; `modified` in seconds since 1970 UTC."""
    return Entry(printable_name(exact), exact, size, to_moment(modified), is_file, name_fault(exact))


def to_moment(seconds: float | None) -> datetime | None:
    """Seconds since 1970 as a moment in UTC; None where absent or beyond what a date can hold."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def require_readable(entry: Entry, connection: str) -> None:
    """Raises Permanent for an entry that must not, or cannot, be joined to a path and read."""
    if entry.name_fault is not None:
        raise Permanent(
            f"The file named {entry.name} is not read: {entry.name_fault}. The sender must rename it.", connection
        )
    if not entry.is_file or entry.size is None:
        raise Permanent(f"{entry.name} is not read: it is not a regular file (links are not followed).", connection)


def require_name(name: str, connection: str) -> None:
    """Raises Permanent for a name that no file of ours may get."""
    fault = name_fault(name.encode("utf-8", "surrogatepass"))
    if fault is not None:
        raise Permanent(f"No file is written under the name {name!r}: {fault}.", connection)


def changed(entry: Entry, how: str, connection: str) -> Changed:
    """The error for a file that is not, or no longer, what the listing said."""
    return Changed(
        f"{entry.name} changed after it was listed with {entry.size} bytes, modified at {entry.modified_at}: {how}. "
        "Nothing of it is used; the next look takes it as it is then.",
        connection,
    )


def describe_listing(listing: Listing, folder: str) -> tuple[str, ...]:
    """What is in the folder, as sentences."""
    files = [entry for entry in listing.entries if entry.readable]
    faulty = [entry for entry in listing.entries if entry.name_fault is not None]
    dates = [entry.modified_at for entry in files if entry.modified_at is not None]
    newest = f", the newest modified at {max(dates):%Y-%m-%d %H:%M:%S} UTC" if dates else ""
    sentences = [f"Folder {folder}: {len(files)} files, {sum(entry.size or 0 for entry in files)} bytes{newest}."]
    if faulty:
        sentences.append(f"{len(faulty)} names there are never read, such as {faulty[0].name}: {faulty[0].name_fault}.")
    if listing.misplaced:
        first = listing.misplaced[0].name
        sentences.append(f"{len(listing.misplaced)} files lie beside the folder instead of in it, such as {first}.")
    if listing.clock == "measured":
        ahead = round((listing.server_now - listing.looked_at).total_seconds())
        words = (
            f"is {abs(ahead)} s {'ahead of' if ahead > 0 else 'behind'} ours" if abs(ahead) > 2 else "agrees with ours"
        )
        sentences.append(f"The server's clock {words}.")
    elif listing.clock == "assumed":
        sentences.append("The server does not show its clock: files of the last 15 hours are looked at twice.")
    return tuple(sentences)
