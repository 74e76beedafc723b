"""The bytes of a CSV file in blocks cut at line ends, with line numbers, and the faults that bytes alone show.

What a line means (cells, quotes, header) does not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.findings import FileFailed, Finding

# Longest first: the mark of UTF-32 (little endian) begins with that of UTF-16.
_FOREIGN_MARKS = (
    (b"\xff\xfe\x00\x00", "UTF-32 (little endian)"),
    (b"\x00\x00\xfe\xff", "UTF-32 (big endian)"),
    (b"\xff\xfe", "UTF-16 (little endian)"),
    (b"\xfe\xff", "UTF-16 (big endian)"),
    (b"\x84\x31\x95\x33", "GB 18030"),
)
UTF8_MARK = b"\xef\xbb\xbf"


class Readable(Protocol):
    """The one method that is needed of an open binary file."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none at the end."""


@dataclass(frozen=True, slots=True)
class RawBlock:
    """Whole lines of the file as they stand; `final` says that nothing follows."""

    data: bytes
    first_line: int
    offset: int
    final: bool


def count_line_ends(data: bytes) -> int:
    """Return the number of line ends; LF, CR and CRLF are one each."""
    if b"\r" not in data:
        return data.count(b"\n")
    return data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n")


class RawBlocks:
    """Reads a stream block by block; a block can be given back in part, to come again with more behind it.

    Memory is bounded by the size asked for and `max_record_bytes`. Faults raised: `too_large`, `undecodable`,
    `null_byte`.
    """

    def __init__(self, stream: Readable, *, max_file_bytes: int, max_record_bytes: int) -> None:
        self._stream = stream
        self._max_file_bytes = max_file_bytes
        self._max_record_bytes = max_record_bytes
        self._rest = b""
        self._read = 0
        self._ended = False
        self._line = 1
        self._offset = 0
        self._strip_mark()

    def take_line(self, limit: int) -> RawBlock | None:
        """Return the first line alone with its line end, None at the end; at most `limit` bytes are looked at."""
        self._fill(limit)
        data = self._rest[:limit]
        ends = [position for position in (data.find(b"\n"), data.find(b"\r")) if position >= 0]
        if not data:
            return None
        if ends:
            cut = min(ends) + 1
            if self._rest[cut - 1 : cut + 1] == b"\r\n":
                cut += 1
            return self._cut(cut)
        return self._cut(len(data))

    def take(self, size: int, *, beyond: int = 0) -> RawBlock | None:
        """Return at most `size` bytes that end at a line end, None at the end of the file.

        They are more where a line is longer, and always more than `beyond`: what was given back must come longer.
        """
        while True:
            self._fill(size)
            data, end = self._rest, min(size, len(self._rest))
            if not data:
                return None
            if self._ended and end == len(data):
                return self._cut(end)
            # A CR that is the last byte looked at may be half of a CRLF.
            cut = max(data.rfind(b"\n", 0, end), data.rfind(b"\r", 0, end - 1)) + 1
            if cut > beyond:
                return self._cut(cut)
            if end > self._max_record_bytes + beyond:
                message = f"the row is longer than {self._max_record_bytes:,} bytes, expected line ends between rows"
                raise FileFailed(Finding(self._line, None, None, Code.TOO_LARGE, message))
            size = 2 * end

    def give_back(self, data: bytes) -> None:
        """Put the end of the last block back; it comes again at the head of the next."""
        self._rest = data + self._rest
        self._offset -= len(data)
        self._line -= count_line_ends(data)

    def _cut(self, length: int) -> RawBlock:
        data, self._rest = self._rest[:length], self._rest[length:]
        block = RawBlock(data, self._line, self._offset, final=self._ended and not self._rest)
        self._offset += length
        self._line += count_line_ends(data)
        _refuse_bad_bytes(block)
        return block

    def _fill(self, size: int) -> None:
        parts, length = [self._rest], len(self._rest)
        # One byte more than asked for tells whether the file ends here.
        while length <= size and not self._ended:
            part = self._stream.read(size + 1 - length)
            self._ended = not part
            self._read += len(part)
            if self._read > self._max_file_bytes:
                message = f"the file is larger than {self._max_file_bytes:,} bytes, expected at most that"
                raise FileFailed(Finding(None, None, None, Code.TOO_LARGE, message))
            parts.append(part)
            length += len(part)
        self._rest = b"".join(parts)

    def _strip_mark(self) -> None:
        self._fill(256)
        for mark, encoding in _FOREIGN_MARKS:
            if self._rest.startswith(mark):
                raise _not_utf8(f"the file begins with the mark of {encoding}")
        if self._rest.startswith(UTF8_MARK):
            self._rest = self._rest[len(UTF8_MARK) :]
            self._offset = len(UTF8_MARK)
        head = self._rest[:64]
        for first in (0, 1):
            if len(head) >= 8 and not any(head[first::2]) and all(head[1 - first :: 2]):
                raise _not_utf8("every other byte is NUL, as in UTF-16 without its mark")


def _not_utf8(wrong: str) -> FileFailed:
    return FileFailed(Finding(1, None, None, Code.UNDECODABLE, f"{wrong}, expected UTF-8"))


def _refuse_bad_bytes(block: RawBlock) -> None:
    """Raise `null_byte` and `undecodable` for the first such byte of a block, both when it has both."""
    findings = []
    position = block.data.find(b"\0")
    if position >= 0:
        line = block.first_line + count_line_ends(block.data[:position])
        message = f"NUL at byte {block.offset + position:,} (line {line:,}), expected text without NUL bytes"
        findings.append(Finding(line, None, None, Code.NULL_BYTE, message))
    if not block.data.isascii():
        try:
            block.data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = block.first_line + count_line_ends(block.data[: error.start])
            where = f"byte {block.offset + error.start:,} (line {line:,})"
            message = f"0x{block.data[error.start]:02X} at {where} is not UTF-8, expected the file exported as UTF-8"
            findings.append(Finding(line, None, None, Code.UNDECODABLE, message))
    if findings:
        raise FileFailed(findings)
