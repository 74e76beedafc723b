"""From the bytes of one CSV file to typed rows, rejected rows with reasons, and counts: streaming, in bounded memory.

Where the bytes come from, the database, the clock and other files do not belong here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, Literal

import numpy as np
import pyarrow as pa

from kolleno_pipelines.connectors.sftp.header import MAX_HEADER_BYTES, Header, read_header
from kolleno_pipelines.connectors.sftp.lanes import Lane, Tokens, read_rows
from kolleno_pipelines.connectors.sftp.raw_blocks import RawBlocks
from kolleno_pipelines.connectors.sftp.repeats import (
    Hashes,
    Lines,
    RepeatCandidates,
    RepeatVerdict,
    SeenKeys,
    hashes_of,
)
from kolleno_pipelines.connectors.sftp.row_findings import data_cells, rejected_rows, warnings
from kolleno_pipelines.connectors.sftp.rows import Mask, RowParser, TypedRows
from kolleno_pipelines.connectors.sftp.tally import Summary, Tally
from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.findings import Finding, RejectedRow, file_fault, shown
from kolleno_pipelines.schemas.sftp_tables import CsvTable

_REJECTED_PER_BLOCK = 4_096
_NAMED_LINES = 5


@dataclass(frozen=True, slots=True)
class LandingOptions:
    """Bounds of one landing, in bytes; `lane` is for tests (`strict`: everything through csv.reader).

    unread: fields that this connection does not read; their columns count as extra ones.
    """

    max_file_bytes: int = 2 << 30
    max_findings: int = 1_000
    block_bytes: int = 4 << 20
    max_record_bytes: int = 8 << 20
    lane: Lane = "auto"
    unread: frozenset[str] = frozenset()


DEFAULT_OPTIONS = LandingOptions()


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of the file.

    `rows` has `line` (int32, physical, the header is 1), the fields of the spec in its order (absent columns null), for
    link tables `source_id`, then `extra` (a JSON object as text) and `absent` (a Postgres array literal of the fields
    whose bad descriptive cell counts as absent). `warnings` are cut at `max_findings` over the whole file.
    """

    rows: pa.RecordBatch
    rejected: list[RejectedRow]
    warnings: list[Finding]


def land(open_stream: Callable[[], BinaryIO], table: CsvTable, options: LandingOptions = DEFAULT_OPTIONS) -> Landing:
    """Open a file of the table and read its header; raise FileFailed with every fault that the header shows.

    `open_stream` must give the same bytes each time: the file is read again when rows share a key.
    """
    return Landing(open_stream, table, options)


class Landing:
    """One file on its way: `header`, then `blocks()` once to the end, then `duplicates()` and `summary`."""

    def __init__(self, open_stream: Callable[[], BinaryIO], table: CsvTable, options: LandingOptions) -> None:
        self._open = open_stream
        self._options = options
        self.table = table
        with closing(open_stream()) as stream:
            self.header: Header = read_header(self._raw_blocks(stream), table, options.unread)
        self.link_keyed_by: Literal["id", "pair"] | None = None
        self._parser = RowParser(table, self.header)
        self._tally = Tally(table.money_fields)
        self._verdict: RepeatVerdict | None = None
        self._withdrawn_taken_off = False

    def blocks(self) -> Iterator[Block]:
        """Yield all rows of the file; raise FileFailed where a fault of the whole file shows, whatever was yielded."""
        seen, suspects = SeenKeys(), list[Hashes]()
        for tokens in self._tokens():
            rows = self._parser.parse(tokens)
            self._judge_link_key(rows)
            hashes, has_key = hashes_of(rows.keys)
            held = np.zeros(tokens.row_count, np.bool_)
            held[has_key] = seen.add(hashes[has_key])
            if held.any():
                suspects.append(np.unique(hashes[held]))
            self._tally.add_rows(rows)
            yield from self._emit(rows, ~(rows.rejected | held))
        self._verdict = self._judge_repeats(suspects)
        self._tally.add_duplicates(len(self._verdict.lines))
        for rows, found in self._rows_at(self._verdict.released):
            batch, warned = self._keep(rows, found)
            yield Block(batch, [], warned)

    def duplicates(self) -> Iterator[RejectedRow]:
        """Yield the rows to withdraw, given out before or not: different rows of the file have their key."""
        for rows, found in self._rows_at(self._settled().lines):
            chosen = np.flatnonzero(found)
            for row, cells in zip(chosen.tolist(), data_cells(rows, self.header, chosen), strict=True):
                yield self._duplicate(rows, row, cells)

    @property
    def withdrawn_lines(self) -> Lines:
        """Lines of the rows that `duplicates()` yields, ascending; after `blocks()`."""
        return self._settled().lines

    @property
    def summary(self) -> Summary:
        """Counts and sums of the whole file; after `blocks()`."""
        verdict = self._settled()
        if not self._withdrawn_taken_off:
            self._withdrawn_taken_off = True
            for rows, found in self._rows_at(verdict.lines[~verdict.held]):
                self._tally.add_totals(self._parser.batch(rows, found), sign=-1)
        return self._tally.summary()

    @property
    def rows_read(self) -> int:
        """Rows read so far; a file that fails has read this many."""
        return self._tally.read

    def _raw_blocks(self, stream: BinaryIO) -> RawBlocks:
        options = self._options
        return RawBlocks(stream, max_file_bytes=options.max_file_bytes, max_record_bytes=options.max_record_bytes)

    def _tokens(self) -> Iterator[Tokens]:
        options = self._options
        with closing(self._open()) as stream:
            blocks = self._raw_blocks(stream)
            blocks.take_line(MAX_HEADER_BYTES)
            yield from read_rows(
                blocks,
                len(self.header.physical),
                block_bytes=options.block_bytes,
                max_record_bytes=options.max_record_bytes,
                lane=options.lane,
            )

    def _settled(self) -> RepeatVerdict:
        if self._verdict is None:
            msg = "blocks() has not been read to its end"
            raise RuntimeError(msg)
        return self._verdict

    def _emit(self, rows: TypedRows, kept: Mask) -> Iterator[Block]:
        """Yield the rows as one block, and more of them when very many are rejected."""
        batch, warned = self._keep(rows, kept)
        rejected = rejected_rows(rows, self.header)
        while (some := list(islice(rejected, _REJECTED_PER_BLOCK))) or batch.num_rows:
            yield Block(batch, some, warned)
            batch, warned = batch.slice(0, 0), []

    def _keep(self, rows: TypedRows, kept: Mask) -> tuple[pa.RecordBatch, list[Finding]]:
        """Return the typed rows marked in `kept`, proven by the model of their table, and their warnings."""
        from kolleno_pipelines.schemas.frames import validate  # loads pandera: a second, and only here

        self._parser.add_row_rules(rows)
        batch = self._parser.batch(rows, kept)
        if batch.num_rows:
            validate(self.table.name, batch)
        self._tally.add_totals(batch)
        found, codes = warnings(rows, self.header, kept, max(0, self._options.max_findings - self._tally.warned))
        self._tally.add_warnings(codes)
        return batch, found

    def _judge_link_key(self, rows: TypedRows) -> None:
        """Refuse a link file in which some rows have an id of their own and others not (model 2)."""
        has_id = self._parser.link_ids(rows)
        if has_id is None or not has_id.size:
            return
        if self.link_keyed_by is None:
            self.link_keyed_by = "id" if has_id[0] else "pair"
        other = np.flatnonzero(has_id != (self.link_keyed_by == "id"))
        if other.size:
            line = int(rows.tokens.lines[other[0]])
            first_other = "has none" if self.link_keyed_by == "id" else "has one"
            mixed = f"some rows have an id and some have not (line {line:,} {first_other}, unlike those before it)"
            raise file_fault(
                Code.MISSING_COLUMNS, f"{mixed}, expected an id in all rows or in none", line=line, column="id"
            )

    def _judge_repeats(self, suspects: list[Hashes]) -> RepeatVerdict:
        """Read the file again when hashes were seen twice, and judge the rows concerned by key and content."""
        candidates = RepeatCandidates(suspects)
        for tokens in self._tokens() if suspects else ():
            hashes, has_key = hashes_of(self._parser.keys(tokens))
            among = candidates.among(hashes, has_key)
            if among.any():
                rows = self._parser.parse(tokens)
                found = np.flatnonzero(among)
                keys = rows.keys_of(found)
                contents = ["\0".join(cells) for cells in data_cells(rows, self.header, found)]
                candidates.add(hashes[among], keys, contents, tokens.lines[among], rows.rejected[among])
        return candidates.verdict()

    def _rows_at(self, lines: Lines) -> Iterator[tuple[TypedRows, Mask]]:
        """Yield the blocks that hold rows of these lines, and which rows those are; reads the file if there are any."""
        for tokens in self._tokens() if lines.size else ():
            first, last = (
                np.searchsorted(lines, [tokens.lines[0], tokens.lines[-1] + 1]) if tokens.row_count else (0, 0)
            )
            found = np.isin(tokens.lines, lines[first:last], assume_unique=True)
            if found.any():
                yield self._parser.parse(tokens), found

    def _duplicate(self, rows: TypedRows, row: int, cells: tuple[str, ...]) -> RejectedRow:
        line = int(rows.tokens.lines[row])
        key = shown(str(rows.keys[row].as_py()))
        fields = ["source_id"]
        if self.table.link_fields is not None:
            fields = ["link_id"] if self.link_keyed_by == "id" else list(self.table.link_fields)
        names = [self.header.name_of(field) for field in fields]
        count, lines = self._settled().lines_of_key(line, _NAMED_LINES)
        named = ", ".join(f"{number:,}" for number in lines) + (", ..." if count > len(lines) else "")
        wrong = f"'{key}' stands on {count:,} rows that differ (lines {named})"
        message = f"{' and '.join(names)} {wrong}, expected one row"
        finding = Finding(line, ", ".join(names), key, Code.DUPLICATE_ID, message)
        return RejectedRow(line, rows.tokens.raw_text(row), cells, (finding,))
