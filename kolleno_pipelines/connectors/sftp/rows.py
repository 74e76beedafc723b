"""Typed rows of one block: every cell parsed, the key of each row, and the rules that two cells of a row must keep.

Where rows come from, how faults are told to people, and duplicates do not belong here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kolleno_pipelines.connectors.sftp.cells import Fault
from kolleno_pipelines.connectors.sftp.columns import Cells, ColumnParser, Rows, Values, type_of
from kolleno_pipelines.connectors.sftp.extra_columns import extra_objects
from kolleno_pipelines.connectors.sftp.header import Header
from kolleno_pipelines.connectors.sftp.lanes import Tokens
from kolleno_pipelines.connectors.sftp.row_rules import row_faults
from kolleno_pipelines.schemas.codes import Level, level_of
from kolleno_pipelines.schemas.escapes import ESCAPED_PATTERN
from kolleno_pipelines.schemas.sftp_tables import CsvTable

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ColumnFault:
    """One fault of one column and the rows that have it; `column` as the file spells it, `field` as we do."""

    column: str
    field: str
    fault: Fault
    rows: Rows

    @property
    def level(self) -> Level:
        """Whether the rows are rejected or only warned about."""
        return level_of(self.fault.code)


@dataclass(slots=True)
class TypedRows:
    """The rows of one block with their faults; `rejected` says which rows a cell spoils, `keys` is null for no key."""

    tokens: Tokens
    columns: tuple[Cells, ...]
    fields: dict[str, Values]
    keys: Cells
    extra: Cells
    rejected: Mask
    rejections: list[ColumnFault] = field(default_factory=list)
    warnings: list[ColumnFault] = field(default_factory=list)

    def texts(self, chosen: Rows, positions: Sequence[int]) -> list[tuple[str, ...]]:
        """Return the cells of some rows as text, at these positions."""
        where: Any = pa.array(chosen)
        columns: Any = (self.columns[position].take(where).to_pylist() for position in positions)
        return list(zip(*columns, strict=True))

    def keys_of(self, chosen: Rows) -> list[str]:
        """Return the keys of rows that have one."""
        where: Any = pa.array(chosen)
        keys: Any = self.keys.take(where)
        return cast("list[str]", keys.to_pylist())

    def cell(self, row: int, position: int) -> str:
        """Return a cell as text."""
        return str(self.columns[position][row].as_py())


class RowParser:
    """Parses the rows of one file, block by block."""

    def __init__(self, table: CsvTable, header: Header) -> None:
        self.table = table
        self.header = header
        self._parsers = {column.field: ColumnParser(column) for column in table.columns}
        self._descriptive = {column.field for column in table.columns if column.descriptive}

    def parse(self, tokens: Tokens) -> TypedRows:
        """Return the typed rows of one block; a row with any rejecting fault is marked in `rejected`."""
        columns = self._as_meant(tokens.columns)
        fields: dict[str, Values] = {}
        faults: list[ColumnFault] = []
        for name, parser in self._parsers.items():
            position = self.header.positions.get(name)
            if position is None:
                fields[name] = pa.nulls(tokens.row_count, type_of(parser.column.kind))
                continue
            parsed = parser.parse(columns[position])
            fields[name] = parsed.values
            faults += (ColumnFault(self.header.physical[position], name, fault, rows) for fault, rows in parsed.faults)
        extra, overlong = extra_objects(self.header.extra, columns, tokens.row_count)
        faults += (ColumnFault(name, name, fault, rows) for name, fault, rows in overlong)
        rejected = np.zeros(tokens.row_count, np.bool_)
        rejections = [fault for fault in faults if fault.level is Level.REJECTED]
        for found in rejections:
            rejected[found.rows] = True
        keys = self._keys(fields)
        return TypedRows(
            tokens, columns, fields, keys, extra, rejected, rejections, [f for f in faults if f.level is Level.WARNING]
        )

    def keys(self, tokens: Tokens) -> Cells:
        """Return only the keys of a block's rows: null where the id, or a part of the pair, is not usable."""
        columns = self._as_meant(tokens.columns)
        names = ("source_id",) if self.table.link_fields is None else (*self.table.link_fields, "link_id")
        fields: dict[str, Values] = {}
        for name in names:
            position = self.header.positions.get(name)
            nulls: Values = pa.nulls(tokens.row_count, pa.string())
            fields[name] = nulls if position is None else self._parsers[name].parse(columns[position]).values
        return self._keys(fields)

    def add_row_rules(self, rows: TypedRows) -> None:
        """Add the warnings of rules between two cells of a row (balance above amount and the like)."""
        for name, fault, found in row_faults(rows.fields):
            rows.warnings.append(ColumnFault(self.header.name_of(name), name, fault, found))

    def link_ids(self, rows: TypedRows) -> Mask | None:
        """Return which rows of a link table have an id of their own, None for other tables."""
        if self.table.link_fields is None:
            return None
        position = self.header.positions.get("link_id")
        if position is None:
            return np.zeros(rows.tokens.row_count, np.bool_)
        lengths: Any = pc.binary_length(rows.columns[position])
        return np.asarray(lengths.to_numpy() > 0)

    def batch(self, rows: TypedRows, kept: Mask) -> pa.RecordBatch:
        """Return the rows marked in `kept` as `line`, the fields of the spec, `extra` and `absent`."""
        columns: dict[str, Any] = {"line": pa.array(rows.tokens.lines), **rows.fields}
        if self.table.link_fields is not None:
            columns["source_id"] = rows.keys
        columns["extra"] = rows.extra
        columns["absent"] = self._absent(rows)
        batch = pa.RecordBatch.from_pydict(columns)
        return batch if kept.all() else batch.filter(pa.array(kept))

    def _as_meant(self, columns: tuple[Cells, ...]) -> tuple[Cells, ...]:
        """Return the columns without the apostrophes that our own export of rejected rows added."""
        if not self.header.from_rejects:
            return columns
        undone: Any = (pc.replace_substring_regex(column, ESCAPED_PATTERN, r"\1") for column in columns)
        return tuple(undone)

    def _keys(self, fields: dict[str, Values]) -> Cells:
        """Return `source_id`; for a link its own id, else "payment|invoice" with `\\` and `|` escaped by `\\`."""
        keys: Any
        if self.table.link_fields is None:
            keys = fields["source_id"]
        else:
            first, second = (_escaped(fields[name]) for name in self.table.link_fields)
            keys = pc.coalesce(fields["link_id"], pc.binary_join_element_wise(first, second, "|"))
        return cast("Cells", keys)

    def _absent(self, rows: TypedRows) -> Cells:
        """Return, per row, the descriptive fields whose bad cell counts as absent, as a Postgres array literal."""
        by_row: dict[int, list[str]] = {}
        for found in rows.warnings:
            if found.field in self._descriptive:
                for row in found.rows.tolist():
                    by_row.setdefault(row, []).append(found.field)
        if not by_row:
            return pa.nulls(rows.tokens.row_count, pa.string())
        literals: list[str | None] = [None] * rows.tokens.row_count
        for row, names in by_row.items():
            literals[row] = "{" + ",".join(names) + "}"
        return pa.array(literals, pa.string())


def _escaped(ids: Any) -> Any:
    for character in ("\\", "|"):
        if pc.any(pc.match_substring(ids, character)).as_py():
            ids = pc.replace_substring(ids, character, "\\" + character)
    return ids


def sums_by_currency(batch: pa.RecordBatch, fields: tuple[str, ...]) -> Iterator[tuple[str, str, Decimal]]:
    """Yield (field, currency, exact sum) of the money fields; the currency is "" where a row has none."""
    if not batch.num_rows:
        return
    currency: Any = pa.nulls(batch.num_rows, pa.string())
    if "currency_iso" in batch.schema.names:
        currency = batch.column("currency_iso")
    for name in fields:
        table = pa.table({"currency": currency, "value": batch.column(name)})
        for entry in table.group_by("currency").aggregate([("value", "sum")]).to_pylist():
            if entry["value_sum"] is not None:
                yield name, entry["currency"] or "", entry["value_sum"]
