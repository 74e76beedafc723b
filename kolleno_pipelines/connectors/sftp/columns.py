"""Whole columns of cells to typed Arrow columns, with the faults by row; the reasons come from `cells`.

The clean cells go through Arrow's compute functions; only cells that fail there meet the parsers one by one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kolleno_pipelines.connectors.sftp.cells import (
    DECIMAL_PATTERN,
    DISTINCT_PARSERS,
    EMAIL_LENGTH,
    EMAIL_PATTERN,
    NEGATIVE,
    NULL_TOKENS,
    Fault,
    decimal_fault,
    parse_distinct,
    text_fault,
)
from kolleno_pipelines.schemas.sftp_tables import Column, Kind

Cells: TypeAlias = "pa.StringArray"
Values: TypeAlias = "pa.Array[Any]"
Rows: TypeAlias = npt.NDArray[np.int64]

AMOUNT = pa.decimal128(20, 6)
TYPES: dict[Kind, Any] = {Kind.DECIMAL: AMOUNT, Kind.DATE: pa.date32(), Kind.BOOLEAN: pa.bool_()}
_REMEMBERED_CELLS = 50_000


def type_of(kind: Kind) -> Any:
    """Return the Arrow type of a kind's values."""
    return TYPES.get(kind, pa.string())


@dataclass(frozen=True, slots=True)
class ParsedColumn:
    """A column's values (null where empty or faulty) and, per fault, the rows that have it, ascending."""

    values: Values
    faults: tuple[tuple[Fault, Rows], ...] = ()


@dataclass(slots=True)
class ColumnParser:
    """Parses the columns of one file, block by block; remembers the distinct cells that it has seen."""

    column: Column
    _seen: dict[str, str | date | bool | Fault | None] = field(default_factory=dict)

    def parse(self, cells: Cells) -> ParsedColumn:
        """Return the typed column of one block."""
        if self.column.kind in DISTINCT_PARSERS:
            return self._parse_distinct(cells)
        if self.column.kind is Kind.DECIMAL:
            return _parse_decimal(cells, self.column)
        return _parse_text(cells, self.column)

    def _parse_distinct(self, cells: Cells) -> ParsedColumn:
        encoded: Any = cells.dictionary_encode()
        if len(self._seen) > _REMEMBERED_CELLS:
            self._seen.clear()
        values: list[Any] = []
        faults: dict[Fault, list[int]] = defaultdict(list)
        for code, cell in enumerate(encoded.dictionary.to_pylist()):
            if cell not in self._seen:
                self._seen[cell] = parse_distinct(cell, self.column)
            parsed = self._seen[cell]
            if isinstance(parsed, Fault):
                faults[parsed].append(code)
                parsed = None
            values.append(parsed)
        typed = pa.array(values, type_of(self.column.kind)).take(encoded.indices)
        if not faults:
            return ParsedColumn(typed)
        indices = encoded.indices.to_numpy()
        return ParsedColumn(typed, tuple((fault, np.flatnonzero(np.isin(indices, c))) for fault, c in faults.items()))


def _parse_decimal(cells: Cells, column: Column) -> ParsedColumn:
    good = pc.match_substring_regex(cells, DECIMAL_PATTERN)
    filled = cells if _all(good) else pc.if_else(good, cells, pa.scalar(None, pa.string()))
    values = pc.cast(filled, AMOUNT)
    if filled is cells:
        bad: Rows = np.empty(0, np.int64)
    elif column.required:
        bad = _rows(pc.invert(good))
    else:
        filled_in = pc.binary_length(cells).to_numpy() > 0
        bad = np.flatnonzero(filled_in & ~good.to_numpy(zero_copy_only=False))
    faults = _grouped((row, decimal_fault(cells[row].as_py(), column)) for row in bad.tolist())
    if column.non_negative:
        lowest: Any = pc.min(values).as_py()
        if lowest is not None and lowest < 0:
            negative = pc.fill_null(pc.less(values, pa.scalar(0, pa.int64())), pa.scalar(value=False))
            faults = (*faults, (NEGATIVE, _rows(negative)))
            values = pc.if_else(negative, pa.scalar(None, AMOUNT), values)
    return ParsedColumn(values, faults)


def _parse_text(cells: Cells, column: Column) -> ParsedColumn:
    lengths = pc.binary_length(cells).to_numpy()
    suspect = _suspect_text(cells, lengths, column)
    faults: dict[Fault, list[int]] = defaultdict(list)
    for row in suspect.tolist():
        fault = text_fault(cells[row].as_py(), column)
        if fault is not None:
            faults[fault].append(row)
    missing = lengths == 0
    for rows in faults.values():
        missing[rows] = True
    values = pc.if_else(pa.array(missing), pa.scalar(None, pa.string()), cells) if missing.any() else cells
    return ParsedColumn(values, tuple((fault, np.array(rows, np.int64)) for fault, rows in faults.items()))


def _suspect_text(cells: Cells, lengths: npt.NDArray[np.int32], column: Column) -> Rows:
    """Return the rows whose text may be faulty, found by cheap tests over the whole column."""
    limit = EMAIL_LENGTH if column.kind is Kind.EMAIL else column.max_length
    suspect = lengths > limit
    if column.required:
        suspect |= lengths == 0
        suspect |= pc.utf8_is_space(cells).to_numpy(zero_copy_only=False)
    if column.kind is not Kind.NAME:
        short = np.flatnonzero((lengths >= min(map(len, NULL_TOKENS))) & (lengths <= max(map(len, NULL_TOKENS))))
        if short.size:
            positions: Any = pa.array(short)
            lowered = pc.utf8_lower(cells.take(positions))
            tokens = pc.is_in(lowered, value_set=pa.array(NULL_TOKENS)).to_numpy(zero_copy_only=False)
            suspect[short[tokens]] = True
    if column.kind is Kind.EMAIL:
        bad = pc.invert(pc.match_substring_regex(cells, EMAIL_PATTERN)).to_numpy(zero_copy_only=False)
        suspect |= bad & (lengths > 0)
    return np.flatnonzero(suspect)


def _grouped(found: Iterable[tuple[int, Fault]]) -> tuple[tuple[Fault, Rows], ...]:
    groups: dict[Fault, list[int]] = defaultdict(list)
    for row, fault in found:
        groups[fault].append(row)
    return tuple((fault, np.array(rows, np.int64)) for fault, rows in groups.items())


def _all(flags: Any) -> bool:
    return bool(pc.all(flags).as_py())


def _rows(flags: Any) -> Rows:
    return np.flatnonzero(flags.to_numpy(zero_copy_only=False))
