"""The SFTP protocol against a scripted peer: answers out of order, short, late, wrong or never."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

import pytest

from kolleno_pipelines.connectors.folders.conversation import Conversation
from kolleno_pipelines.connectors.folders.packets import Lost, Refused

VERSION = struct.pack(">IBI", 5, 2, 3)


def packet(kind: int, number: int, payload: bytes) -> bytes:
    return struct.pack(">IBI", len(payload) + 5, kind, number) + payload


def text(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


class Peer:
    """A channel whose other end answers each request by a function; answers come in pieces of any size."""

    def __init__(self, answer: Callable[[int, int, bytes], bytes], seed: int = 0, shuffle: bool = False) -> None:
        self._answer = answer
        self._random = random.Random(seed)
        self._shuffle = shuffle
        self._waiting: list[bytes] = [VERSION]
        self._outgoing = b""
        self.largest_backlog = 0

    def sendall(self, s: bytes) -> None:
        while s:
            size = int.from_bytes(s[:4], "big")
            kind, rest = s[4], s[5 : 4 + size]
            s = s[4 + size :]
            if kind != 1:
                self._waiting.append(self._answer(kind, int.from_bytes(rest[:4], "big"), rest[4:]))
        self.largest_backlog = max(self.largest_backlog, len(self._waiting))

    def recv(self, nbytes: int) -> bytes:
        while not self._outgoing:
            if not self._waiting:
                raise TimeoutError
            at = self._random.randrange(len(self._waiting)) if self._shuffle else 0
            self._outgoing = self._waiting.pop(at)
        count = self._random.randint(1, min(nbytes, len(self._outgoing)))
        piece, self._outgoing = self._outgoing[:count], self._outgoing[count:]
        return piece


def file_of(content: bytes, longest: int, seed: int) -> Callable[[int, int, bytes], bytes]:
    """A peer's answers for reads of one file: no more than `longest` bytes each, sometimes fewer."""
    short = random.Random(seed)

    def answer(kind: int, number: int, payload: bytes) -> bytes:
        assert kind == 5
        handle = int.from_bytes(payload[:4], "big")
        offset, length = struct.unpack(">QI", payload[4 + handle :])
        data = content[offset : offset + min(length, short.randint(1, longest))]
        return packet(103, number, text(data)) if data else packet(101, number, struct.pack(">I", 1) + text(b"") * 2)

    return answer


@pytest.mark.parametrize("seed", range(4))
def test_a_file_comes_whole_though_answers_are_short_and_out_of_order(seed: int) -> None:
    content = random.Random(seed).randbytes(300_000)
    peer = Peer(file_of(content, 20_000 + seed * 10_000, seed), seed, shuffle=True)
    sftp = Conversation(peer)
    assert b"".join(sftp.blocks(b"h", 0, len(content))) == content
    assert b"".join(sftp.blocks(b"h", 123_457, len(content))) == content[123_457:]


def test_reads_stay_in_a_window_of_64_blocks() -> None:
    content = bytes(8 * 1024 * 1024)
    peer = Peer(file_of(content, 1 << 20, 0), shuffle=False)
    sftp = Conversation(peer)
    blocks = sftp.blocks(b"h", 0, len(content))
    assert len(next(blocks)) > 0
    assert peer.largest_backlog <= 64


def test_a_file_that_ends_early_ends_the_blocks_and_leaves_the_conversation_in_step() -> None:
    content = bytes(100_000)
    sftp = Conversation(Peer(file_of(content, 1 << 20, 0), 3, shuffle=True))
    assert sum(map(len, sftp.blocks(b"h", 0, 1_000_000))) <= 100_000
    assert b"".join(sftp.blocks(b"h", 0, 100_000)) == content


def test_a_refusal_carries_the_servers_words_made_printable() -> None:
    def refuse(kind: int, number: int, payload: bytes) -> bytes:
        return packet(101, number, struct.pack(">I", 3) + text(b"no\x1b[2J way \xff") + text(b""))

    with pytest.raises(Refused, match="way") as raised:
        Conversation(Peer(refuse)).stat(b"x")
    assert raised.value.code == 3
    assert str(raised.value).isprintable()


NONSENSE = {
    "cut off": packet(105, 1, b"\x00\x00"),
    "another request's": packet(105, 8, struct.pack(">I", 0)),
    "no such type": packet(77, 1, b""),
    "a login that prints": b"Welcome to drop.example!\r\n",
    "names where attributes are due": packet(104, 1, struct.pack(">I", 0)),
}


@pytest.mark.parametrize("what", list(NONSENSE))
def test_nonsense_ends_the_conversation_and_never_the_program(what: str) -> None:
    def answer(kind: int, number: int, payload: bytes) -> bytes:
        return NONSENSE[what]

    with pytest.raises(Lost):
        Conversation(Peer(answer)).stat(b"x")


def test_silence_ends_at_the_read_time_out() -> None:
    def nothing(kind: int, number: int, payload: bytes) -> bytes:
        return b""

    blocks = Conversation(Peer(nothing)).blocks(b"h", 0, 10)
    with pytest.raises(Lost, match="silent for longer than the read time-out"):
        next(blocks)


def test_names_are_bytes_and_attributes_optional() -> None:
    def names(kind: int, number: int, payload: bytes) -> bytes:
        if kind == 11:
            return packet(102, number, text(b"handle"))
        if kind == 12 and number == 2:
            full = struct.pack(">IQIIIII", 1 | 2 | 4 | 8, 10, 1, 1, 0o100644, 7, 8)
            extended = struct.pack(">II", 0x80000000, 1) + text(b"k") + text(b"v")
            three = [(b".", full), (b"caf\xe9", full), (b"b", extended)]
            return packet(104, number, struct.pack(">I", 3) + b"".join(text(n) + text(b"-") + a for n, a in three))
        if kind == 12:
            return packet(101, number, struct.pack(">I", 1) + text(b"") * 2)
        return packet(101, number, struct.pack(">I", 0) + text(b"") * 2)

    found = Conversation(Peer(names)).folder_entries(b"x")
    assert [(name, attributes.size, attributes.mtime, attributes.is_file) for name, attributes in found] == [
        (b"caf\xe9", 10, 8, True),
        (b"b", None, None, False),
    ]
