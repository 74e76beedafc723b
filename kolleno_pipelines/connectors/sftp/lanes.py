"""Records of a CSV file: raw blocks in, columns of text with the physical line of each row out. No types, no rules.

Two lanes (design 9). Arrow's CSV reader serves blocks without any quote character, where a line is a record and we
count the lines ourselves; Python's strict `csv.reader` serves every other block. Both give the same for the same text.
A blank line is no row, wherever it stands.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any, Literal, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as arrow_csv

from kolleno_pipelines.connectors.sftp.columns import Cells
from kolleno_pipelines.connectors.sftp.raw_blocks import UTF8_MARK, RawBlock, RawBlocks, count_line_ends
from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.findings import FileFailed, Finding

Lines = npt.NDArray[np.int32]
Lane = Literal["auto", "strict"]
#: From so many columns on, two lines of a value with as many commas as a row are taken for rows.
_TELLING = 6


@dataclass(frozen=True, slots=True)
class RaggedRow:
    """A row that has no place in the columns: another number of cells, or quotes that do not pair."""

    line: int
    raw_text: str
    cells: tuple[str, ...]
    wrong: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """The well-shaped rows of one block, one text column per column of the header, and the ragged rows."""

    lines: Lines
    columns: tuple[Cells, ...]
    raw_text: Callable[[int], str]
    ragged: tuple[RaggedRow, ...] = field(default=())

    @property
    def row_count(self) -> int:
        """Number of well-shaped rows."""
        return len(self.lines)


def read_rows(
    blocks: RawBlocks, width: int, *, block_bytes: int, max_record_bytes: int, lane: Lane = "auto"
) -> Iterator[Tokens]:
    """Yield the rows behind the header, which has `width` columns; raise FileFailed with `unclosed_quote`."""
    csv.field_size_limit(max(csv.field_size_limit(), 4 * max_record_bytes))
    size, open_bytes = block_bytes, 0
    while (block := blocks.take(size, beyond=open_bytes)) is not None:
        size, open_bytes = block_bytes, 0
        # Arrow takes a byte order mark at the head of what it is given for the file's; there it is text.
        if lane == "auto" and b'"' not in block.data and not block.data.startswith(UTF8_MARK):
            yield _read_plain(block, width)
            continue
        tokens, rest = _read_quoted(block, width)
        if rest:
            if block.final or len(rest) > max_record_bytes:
                raise _unclosed(rest, block.first_line + _line_count(block.data) - _line_count(rest), block.final)
            blocks.give_back(rest)
            open_bytes = len(rest)
            size = max(block_bytes, min(2 * len(rest), max_record_bytes + block_bytes))
        yield tokens


def _read_plain(block: RawBlock, width: int) -> Tokens:
    """Read a block without quotes: every line is a record."""
    data = block.data
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    invalid = 0

    def count(_row: Any) -> Literal["skip"]:
        nonlocal invalid
        invalid += 1
        return "skip"

    names = [str(position) for position in range(width)]
    table = arrow_csv.read_csv(
        cast("IO[Any]", pa.BufferReader(data)),
        read_options=arrow_csv.ReadOptions(column_names=names, use_threads=False, block_size=len(data) + 1),
        parse_options=arrow_csv.ParseOptions(quote_char=False, double_quote=False, invalid_row_handler=count),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), check_utf8=False, strings_can_be_null=False
        ),
    )
    columns = tuple(_one_chunk(column) for column in table.columns)
    plain = _PlainLines(data, block.first_line)
    if table.num_rows == plain.count:
        lines = np.arange(block.first_line, block.first_line + plain.count, dtype=np.int32)
        return Tokens(lines, columns, plain.row_text(None))
    good, ragged = plain.split(width)
    if len(good) != table.num_rows or len(ragged) != invalid:
        msg = f"lines counted ({len(good)}, {len(ragged)}) are not the rows Arrow read ({table.num_rows}, {invalid})"
        raise AssertionError(msg)
    rows = tuple(_ragged(block.first_line + index, plain.text(index), width) for index in ragged.tolist())
    return Tokens((good + block.first_line).astype(np.int32), columns, plain.row_text(good), rows)


class _PlainLines:
    """Where the lines of a block begin and end; found only when a row must be looked at."""

    def __init__(self, data: bytes, first_line: int) -> None:
        self._data = data
        self._first_line = first_line
        self.count = _line_count(data)
        self._ends: npt.NDArray[np.int64] | None = None

    def _find(self) -> npt.NDArray[np.int64]:
        if self._ends is None:
            ends = np.flatnonzero(np.frombuffer(self._data, np.uint8) == ord("\n"))
            self._ends = np.append(ends, len(self._data)) if len(ends) < self.count else ends
        return self._ends

    def text(self, index: int) -> str:
        ends = self._find()
        start = int(ends[index - 1]) + 1 if index else 0
        return self._data[start : int(ends[index])].decode()

    def row_text(self, good: npt.NDArray[np.int64] | None) -> Callable[[int], str]:
        return self.text if good is None else lambda row: self.text(int(good[row]))

    def split(self, width: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the indices of lines with `width` cells and of those with another number; blank lines are neither."""
        ends = self._find()
        starts = np.concatenate((np.zeros(1, np.int64), ends[:-1] + 1))
        commas = np.flatnonzero(np.frombuffer(self._data, np.uint8) == ord(","))
        cells = np.searchsorted(commas, ends) - np.searchsorted(commas, starts) + 1
        filled = ends > starts
        return np.flatnonzero(filled & (cells == width)), np.flatnonzero(filled & (cells != width))


def _read_quoted(block: RawBlock, width: int) -> tuple[Tokens, bytes]:
    """Read a block with csv.reader; return its rows, and the bytes of a last record that does not end in it."""
    lines = block.data.splitlines(keepends=True)  # of bytes: at LF, CR and CRLF only
    ended = False

    def feed() -> Iterator[str]:
        nonlocal ended
        yield from map(bytes.decode, lines)
        ended = True

    reader = csv.reader(feed(), strict=True)
    cells: list[str] = []  # of all rows in one list: a list per row would keep the garbage collector busy
    firsts: list[int] = []
    ends: list[int] = []
    ragged: list[RaggedRow] = []
    first = 0  # index of the line where the record begins
    while not ended:
        try:
            for row in reader:
                end = reader.line_num
                if end - first > 1:
                    _require_one_row(lines[first:end], block.first_line + first, width)
                if len(row) == width:
                    cells += row
                    firsts.append(first)
                    ends.append(end)
                elif row:
                    ragged.append(_ragged(block.first_line + first, _joined(lines, first, end), width, row))
                first = end
        except csv.Error as error:
            if ended:  # the block ends inside a quoted value
                break
            ragged.append(_spoilt(lines[first : reader.line_num], block.first_line + first, error))
            first = reader.line_num
    columns = tuple(pa.array(cells[position::width], pa.string()) for position in range(width))
    starts = np.array(firsts, np.int32) + np.int32(block.first_line)
    tokens = Tokens(starts, columns, lambda row: _joined(lines, firsts[row], ends[row]), tuple(ragged))
    return tokens, b"".join(lines[first:])


def _require_one_row(lines: list[bytes], line: int, width: int) -> None:
    """Raise where a value holds lines that are rows by themselves: a quote stands alone, another one closes it later.

    What is quoted may have commas and line ends, but hardly in two of its lines as many commas as a wide header.
    """
    if width < _TELLING:
        return
    whole = [place for place, text in enumerate(lines) if text.count(b",") == width - 1]
    if len(whole) > 1:
        before = len(b"".join(lines[: whole[1]]).decode())
        text = b"".join(lines).decode()
        opened = line + _line_ends(text[: max(place for place, _ in _quoted_values(text) if place < before)])
        message = (
            f"the quote that opens on line {opened:,} closes only in a row below, expected a closing quote before a"
            " comma or line end"
        )
        raise FileFailed(Finding(opened, None, None, Code.UNCLOSED_QUOTE, message))


def _spoilt(lines: list[bytes], line: int, error: csv.Error) -> RaggedRow:
    """Return the row that has text behind a closing quote; raise when the quote may have opened too early or too late.

    Quotes that pair within one line cannot reach into the next one: then only this row is spoilt.
    """
    text = _joined(lines, 0, len(lines))
    if len(lines) > 1 or text.count('"') % 2:
        raise _unclosed(text.encode(), line, at_end=False) from error
    wrong = "has text behind a closing quote, expected a quote inside a value to be doubled"
    return RaggedRow(line, text, (text,), wrong)


def _unclosed(record: bytes, line: int, at_end: bool) -> FileFailed:
    """Return the fault of a record whose last quote does not close, naming the line where that quote opens."""
    text = record.decode()
    *_, (opened, _) = _quoted_values(text)
    line += _line_ends(text[:opened])
    wrong = "never closes" if at_end else "does not close where a value ends"
    message = f"the quote that opens on line {line:,} {wrong}, expected a closing quote before a comma or line end"
    return FileFailed(Finding(line, None, None, Code.UNCLOSED_QUOTE, message))


def _quoted_values(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each quote opens and closes (-1: nowhere), up to one that does not close where a value ends."""
    position = 0
    while position < len(text):
        if text[position] == '"':
            closed = _closing(text, position)
            yield position, closed
            position = closed + 1
            if closed < 0 or (position < len(text) and text[position] not in ",\r\n"):  # text behind the closing quote
                return
        separator = text.find(",", position)
        position = len(text) if separator < 0 else separator + 1


def _line_ends(text: str) -> int:
    return count_line_ends(text.encode())


def _closing(text: str, opened: int) -> int:
    """Return the position of the quote that closes the one at `opened`, -1 when none does."""
    position = text.find('"', opened + 1)
    while position >= 0 and text[position + 1 : position + 2] == '"':
        position = text.find('"', position + 2)
    return position


def _ragged(line: int, text: str, width: int, cells: list[str] | None = None) -> RaggedRow:
    cells = text.split(",") if cells is None else cells
    return RaggedRow(line, text, tuple(cells), f"has {len(cells)} cells, expected {width} as in the header")


def _joined(lines: list[bytes], first: int, end: int) -> str:
    return b"".join(lines[first:end]).decode().rstrip("\r\n")


def _one_chunk(column: Any) -> Cells:
    return cast("Cells", column.chunk(0) if column.num_chunks == 1 else column.combine_chunks())


def _line_count(data: bytes) -> int:
    """Return the number of physical lines, one without a line end at the end of the file included."""
    return count_line_ends(data) + (not data.endswith((b"\n", b"\r")) if data else 0)
