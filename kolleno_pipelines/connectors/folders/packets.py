"""Packets of SFTP version 3 (draft-ietf-secsh-filexfer-02): how fields are written and read, what a status means.

Which packets are sent, and what answers which, is conversation.py.
"""

from __future__ import annotations

import stat
import struct
from dataclasses import dataclass

STATUS = 101  # the type of a packet that answers with a status
OK, EOF, NO_SUCH_FILE, PERMISSION_DENIED, FAILURE, UNSUPPORTED = 0, 1, 2, 3, 4, 8


class Lost(Exception):  # noqa: N818 - a state of the conversation
    """The channel is gone, silent for too long, or speaks nonsense: only a new connection helps."""


class Refused(Exception):  # noqa: N818 - an answer of the server
    """The server answered a request with an error status (`code`) and its own words."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(f"{words or 'no reason given'} (status {code})")
        self.code = code


@dataclass(frozen=True, slots=True)
class Attributes:
    """What the server says about a file; every field is optional in the protocol. Times in whole seconds."""

    size: int | None
    mode: int | None
    atime: int | None
    mtime: int | None

    @property
    def is_file(self) -> bool:
        """A regular file, not a link to one; a server that states no mode is not believed."""
        return self.mode is not None and stat.S_ISREG(self.mode)

    @property
    def is_folder(self) -> bool:
        """A folder; also where the server states no mode, since the next request will tell."""
        return self.mode is None or stat.S_ISDIR(self.mode)


class Cursor:
    """Reads the fields of one packet in order; raises Lost where it ends too early."""

    def __init__(self, packet: bytes) -> None:
        self._packet = packet
        self._at = 0

    def number(self, size: int = 4) -> int:
        """Take a whole number of so many bytes."""
        self._at += size
        if self._at > len(self._packet):
            raise Lost("the server sent a packet that ends too early")
        return int.from_bytes(self._packet[self._at - size : self._at], "big")

    def text(self) -> bytes:
        """Take a text."""
        size = self.number()
        self._at += size
        if self._at > len(self._packet):
            raise Lost("the server sent a packet that ends too early")
        return self._packet[self._at - size : self._at]

    def attributes(self) -> Attributes:
        """Take what is said about a file."""
        flags = self.number()
        size = self.number(8) if flags & 1 else None
        if flags & 2:
            self.number(8)
        mode = self.number() if flags & 4 else None
        atime, mtime = (self.number(), self.number()) if flags & 8 else (None, None)
        for _ in range(self.number() if flags & 0x80000000 else 0):
            self.text(), self.text()
        return Attributes(size, mode, atime, mtime)


def text_field(value: bytes) -> bytes:
    """Return a text as it is written into a packet."""
    return struct.pack(">I", len(value)) + value


def packet(kind: int, payload: bytes) -> bytes:
    """Return a packet of a type."""
    return struct.pack(">IB", len(payload) + 1, kind) + payload


def refusal_in(kind: int, cursor: Cursor) -> Refused | None:
    """The status in a packet, None where it is of another type. The words are the server's: printed with care."""
    if kind != STATUS:
        return None
    code = cursor.number()
    words = cursor.text().decode("utf-8", "replace") if code != OK else ""
    return Refused(code, "".join(c if c.isprintable() else " " for c in words)[:200])
