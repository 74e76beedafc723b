"""Payload columns as normalisers need them: nested fields, moments, plain dates, rows of lists. No vendor's names.

Everything is column by column over Arrow arrays; a cell that cannot be read raises pyarrow.ArrowInvalid.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from kolleno_pipelines.schemas.records import PAYLOADS, RECORD_TABLES

pc: Any = pyarrow.compute
MOMENT = pa.timestamp("us", "UTC")


def at(table: pa.Table, path: str) -> Any:
    """Return a field by its path, `CustomerRef.value`; null where any part of the way is."""
    first, *rest = path.split(".")
    column = table[first].combine_chunks()
    return pc.struct_field(column, rest) if rest else column


def moments(texts: Any) -> Any:
    """Return texts such as 2023-02-18T13:13:33-08:00 as instants in UTC; they must state their offset."""
    return pc.cast(_filled(texts), MOMENT)


def days(texts: Any) -> Any:
    """Return texts such as 2023-02-18 as plain dates; a time behind the day is cut off, nothing is shifted."""
    return pc.cast(pc.utf8_slice_codeunits(_filled(texts), 0, 10), pa.date32())


def _filled(texts: Any) -> Any:
    return pc.if_else(pc.equal(texts, ""), None, texts)


def first_of(*columns: Any) -> Any:
    """Return the first value that is there, row by row."""
    return pc.coalesce(*columns)


def take_rows(table: pa.Table, mask: Any) -> pa.Table:
    """Return the rows where a mask is true; null counts as false."""
    return table.filter(pc.fill_null(mask, False))


def list_rows(table: pa.Table, name: str) -> tuple[Any, pa.Table]:
    """Return (row of the table, fields) of each element of a column of lists of structs, in order."""
    column = table[name].combine_chunks()
    flat = pc.list_flatten(column)
    fields = {field.name: pc.struct_field(flat, field.name) for field in flat.type}
    return pc.list_parent_indices(column), pa.table(fields)


def frame(entity: str, columns: Mapping[str, Any], count: int) -> pa.Table:
    """Return rows of an entity in its schema: what is not given is null, a single value stands for every row."""
    schema = RECORD_TABLES[entity].schema
    unknown = set(columns) - set(schema.names)
    if unknown:
        raise KeyError(f"{entity} has no columns {sorted(unknown)}")
    arrays = [_column(columns.get(field.name), field.type, count) for field in schema]
    return pa.table(arrays, schema=schema)


def _column(given: Any, kind: pa.DataType, count: int) -> Any:
    if given is None or isinstance(given, str | bool | int):
        cell: Any = pa.scalar(given, kind)
        return pa.repeat(cell, count)
    array = given.combine_chunks() if isinstance(given, pa.ChunkedArray) else given
    return array if isinstance(array, pa.Array) and array.type == kind else _cast(array, kind)


def _cast(array: Any, kind: pa.DataType) -> Any:
    return pc.cast(array, kind) if isinstance(array, pa.Array) else pa.array(array, kind)


def payload_rows(table: pa.Table, kind: str, source_id: Any, modified_at: Any, is_deleted: Any) -> pa.Table:
    """Return the rows of PAYLOADS of a block."""
    count = table.num_rows
    arrays = [
        table["line"].combine_chunks(),
        pa.repeat(kind, count),
        source_id,
        modified_at,
        pc.fill_null(is_deleted, False),
        table["digest"].combine_chunks(),
    ]
    return pa.table(arrays, schema=PAYLOADS)


def missing(table: pa.Table, needs: Iterable[tuple[str, Any]]) -> list[str | None]:
    """Return per row the names of what must be there and is not, or None where nothing is missing.

    `needs` are columns of text; an empty one is missing too.
    """
    names: list[str | None] = [None] * table.num_rows
    for name, column in needs:
        lacking = pc.is_null(_filled(column))
        for row in np.flatnonzero(lacking.to_numpy(zero_copy_only=False)):
            names[row] = f"{names[row]}, {name}" if names[row] else name
    return names
