"""SFTP version 3 requests over one SSH channel, names as bytes, reads in a window. Packets are packets.py.

paramiko's own SFTPClient is not used: its listing fails on a name that is not UTF-8, and its read-ahead leaves a
waiting thread behind when the connection drops. Which folder is read, and what a fault means, does not belong here.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from typing import Protocol

from kolleno_pipelines.connectors.folders.packets import (
    EOF,
    OK,
    STATUS,
    Attributes,
    Cursor,
    Lost,
    Refused,
    packet,
    refusal_in,
    text_field,
)

_INIT, _VERSION, _OPEN, _CLOSE, _READ, _WRITE, _LSTAT, _FSTAT = 1, 2, 3, 4, 5, 6, 7, 8
_OPENDIR, _READDIR, _REMOVE, _MKDIR, _REALPATH, _STAT, _RENAME, _EXTENDED = 11, 12, 13, 14, 16, 17, 18, 200
_HANDLE, _DATA, _NAME, _ATTRS = 102, 103, 104, 105
_FOR_READING, _FOR_NEW_CONTENT = 0x01, 0x02 | 0x08 | 0x10

# 32 KiB is what every server must accept; 64 of them in flight fill paramiko's receive window of 2 MiB.
_BLOCK = 32 * 1024
_IN_FLIGHT = 64
_LARGEST_PACKET = 1024 * 1024


class Channel(Protocol):
    """The part of a paramiko channel that is needed; `recv` and `sendall` raise OSError, b"" means the end."""

    def sendall(self, s: bytes) -> None:
        """Send all of it."""
        ...

    def recv(self, nbytes: int) -> bytes:
        """Take at most so many bytes, as soon as there are some."""
        ...


class Conversation:
    """One SFTP conversation. Every method raises Lost, or Refused with the server's status."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._received = bytearray()
        self._last_id = 0
        self._send(packet(_INIT, struct.pack(">I", 3)))
        kind, cursor = self._receive()
        if kind != _VERSION or cursor.number() < 3:
            raise Lost("the server does not speak SFTP version 3")

    def folder_entries(self, path: bytes, most: int | None = None) -> list[tuple[bytes, Attributes]]:
        """The names in a folder with what the server says about each (links not followed), `.` and `..` left out.

        most: how many names are enough; a few more may come.
        """
        found: list[tuple[bytes, Attributes]] = []
        handle = self._ask(_HANDLE, _OPENDIR, text_field(path)).text()
        while most is None or len(found) < most:
            try:
                cursor = self._ask(_NAME, _READDIR, text_field(handle))
            except Refused as refusal:
                if refusal.code != EOF:
                    raise
                break
            for _ in range(cursor.number()):
                name, _longname, attributes = cursor.text(), cursor.text(), cursor.attributes()
                if name not in (b".", b".."):
                    found.append((name, attributes))
        self.close(handle)
        return found

    def real_path(self, path: bytes) -> bytes:
        """The absolute form of a path, as the server sees it."""
        cursor = self._ask(_NAME, _REALPATH, text_field(path))
        return cursor.text() if cursor.number() else path

    def stat(self, path: bytes) -> Attributes:
        """What is behind a path, links followed."""
        return self._ask(_ATTRS, _STAT, text_field(path)).attributes()

    def lstat(self, path: bytes) -> Attributes:
        """What a path is, links not followed."""
        return self._ask(_ATTRS, _LSTAT, text_field(path)).attributes()

    def fstat(self, handle: bytes) -> Attributes:
        """What an open file is now."""
        return self._ask(_ATTRS, _FSTAT, text_field(handle)).attributes()

    def open_to_read(self, path: bytes) -> bytes:
        """A handle for reading."""
        return self._ask(_HANDLE, _OPEN, text_field(path) + struct.pack(">II", _FOR_READING, 0)).text()

    def open_new(self, path: bytes) -> bytes:
        """A handle for writing a file from its beginning, made or emptied."""
        return self._ask(_HANDLE, _OPEN, text_field(path) + struct.pack(">II", _FOR_NEW_CONTENT, 0)).text()

    def write(self, handle: bytes, data: bytes) -> None:
        """Write all of `data` from the beginning of an open file, a block at a time."""
        for offset in range(0, len(data), _BLOCK):
            block = data[offset : offset + _BLOCK]
            self._ask(STATUS, _WRITE, text_field(handle) + struct.pack(">Q", offset) + text_field(block))

    def close(self, handle: bytes) -> None:
        """Give a handle back."""
        self._ask(STATUS, _CLOSE, text_field(handle))

    def make_folder(self, path: bytes) -> None:
        """Make one folder with the server's default mode."""
        self._ask(STATUS, _MKDIR, text_field(path) + struct.pack(">I", 0))

    def remove(self, path: bytes) -> None:
        """Remove a file."""
        self._ask(STATUS, _REMOVE, text_field(path))

    def rename(self, old: bytes, new: bytes) -> None:
        """Rename; refused when the new name exists."""
        self._ask(STATUS, _RENAME, text_field(old) + text_field(new))

    def replace(self, old: bytes, new: bytes) -> None:
        """Rename over whatever has the new name, in one step; Refused with UNSUPPORTED where the server cannot."""
        self._ask(STATUS, _EXTENDED, text_field(b"posix-rename@openssh.com") + text_field(old) + text_field(new))

    def blocks(self, handle: bytes, offset: int, end: int) -> Iterator[bytes]:
        """The bytes of an open file from `offset` to `end` in order; stops early where the file does.

        At most 2 MiB are asked for and not yet yielded. When not run to its end, answers stay under way and the
        conversation must be given up.
        """
        wanted: deque[tuple[int, int]] = deque()  # (request id, length) in file order
        arrived: dict[int, bytes | None] = {}
        asked = offset
        while wanted or asked < end:
            # Asking for many at once costs one SSH packet; one by one, a third of the speed is lost (measured).
            if asked < end and len(wanted) <= _IN_FLIGHT // 2:
                upto = min(end, asked + (_IN_FLIGHT - len(wanted)) * _BLOCK)
                wanted.extend(self._ask_blocks(handle, asked, upto))
                asked = upto
            first, length = wanted.popleft()
            while first not in arrived:
                self._take_block(arrived)
            block = arrived.pop(first)
            if block:
                yield block[:length]
                offset += len(block)
            if block and len(block) < length:
                # A short answer is no end: ask for the rest before what follows it.
                wanted.extendleft(self._ask_blocks(handle, offset, offset + length - len(block)))
            elif not block:
                self._take_rest(wanted, arrived)
                return

    def _ask_blocks(self, handle: bytes, start: int, end: int) -> list[tuple[int, int]]:
        """Ask for every block of a stretch in one go; returns (request id, length) of each."""
        asked: list[tuple[int, int]] = []
        packets = bytearray()
        for offset in range(start, end, _BLOCK):
            self._last_id += 1
            asked.append((self._last_id, min(_BLOCK, end - offset)))
            payload = struct.pack(">I", self._last_id) + text_field(handle) + struct.pack(">QI", offset, asked[-1][1])
            packets += packet(_READ, payload)
        self._send(bytes(packets))
        return asked

    def _take_block(self, arrived: dict[int, bytes | None]) -> None:
        kind, cursor = self._receive()
        request = cursor.number()
        if kind == _DATA:
            arrived[request] = cursor.text()
            return
        refusal = refusal_in(kind, cursor)
        if refusal is None or refusal.code != EOF:
            raise refusal or Lost(f"the server answered a read with a packet of type {kind}")
        arrived[request] = None

    def _take_rest(self, wanted: deque[tuple[int, int]], arrived: dict[int, bytes | None]) -> None:
        for request, _length in wanted:
            while request not in arrived:
                self._take_block(arrived)
            del arrived[request]

    def _ask(self, expected: int, kind: int, payload: bytes) -> Cursor:
        self._last_id += 1
        self._send(packet(kind, struct.pack(">I", self._last_id) + payload))
        answer, cursor = self._receive()
        if cursor.number() != self._last_id:
            raise Lost("the server answered a request that was not made")
        if answer == expected and answer != STATUS:
            return cursor
        refusal = refusal_in(answer, cursor)
        if refusal is None:
            raise Lost(f"the server answered with a packet of type {answer} where {expected} was due")
        if refusal.code != OK or expected != STATUS:
            raise refusal
        return cursor

    def _send(self, packets: bytes) -> None:
        try:
            self._channel.sendall(packets)
        except TimeoutError as error:
            raise Lost("the server took nothing within the read time-out") from error
        except (OSError, EOFError) as error:
            raise Lost(str(error) or "the connection was closed") from error

    def _receive(self) -> tuple[int, Cursor]:
        size = int.from_bytes(self._bytes(4), "big")
        if not 1 <= size <= _LARGEST_PACKET:
            raise Lost("the server sent something that is not SFTP (does the login print text?)")
        received = self._bytes(size)
        return received[0], Cursor(received[1:])

    def _bytes(self, count: int) -> bytes:
        while len(self._received) < count:
            try:
                piece = self._channel.recv(4 * _BLOCK)
            except TimeoutError as error:
                raise Lost("the server was silent for longer than the read time-out") from error
            except (OSError, EOFError) as error:
                raise Lost(str(error) or "the connection was closed") from error
            if not piece:
                raise Lost("the server closed the connection")
            self._received += piece
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken
