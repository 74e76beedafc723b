"""Arrow columns as numpy arrays and back: the one typed door to pyarrow's partly typed compute functions.

What the columns mean does not belong here.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

_compute: Any = pyarrow.compute

Column: TypeAlias = Any  # a ChunkedArray of any type
Flags = npt.NDArray[np.bool_]
Days = npt.NDArray[np.int32]
Places = npt.NDArray[np.int64]

NO_DAY = int(np.iinfo(np.int32).min)
NO_MOMENT = int(np.iinfo(np.int64).min)
_MICROSECONDS_PER_DAY = 86_400_000_000


def days(column: Column) -> Days:
    """Return dates as days since 1970-01-01, null as NO_DAY."""
    return np.asarray(_compute.fill_null(column.cast(pa.int32()), NO_DAY).to_numpy(), dtype=np.int32)


def microseconds(column: Column) -> Places:
    """Return moments (no null among them) as microseconds since 1970-01-01 UTC."""
    return np.asarray(column.cast(pa.int64()).to_numpy(), dtype=np.int64)


def optional_microseconds(column: Column) -> Places:
    """Return moments as microseconds since 1970-01-01 UTC, null as NO_MOMENT."""
    return np.asarray(_compute.fill_null(column.cast(pa.int64()), NO_MOMENT).to_numpy(), dtype=np.int64)


def moments(values: Places) -> pa.Array[Any]:
    """Return microseconds since 1970-01-01 as a column of UTC moments."""
    return pa.array(values, pa.int64()).cast(pa.timestamp("us", "UTC"))


def day_of(values: Places) -> Days:
    """Return the UTC days of moments in microseconds."""
    return (values // _MICROSECONDS_PER_DAY).astype(np.int32)


def codes(column: Column) -> tuple[Places, list[str]]:
    """Return for each text (no null among them) its place in the list of distinct texts, and that list."""
    encoded: Any = column.combine_chunks().dictionary_encode()
    return np.asarray(encoded.indices.to_numpy(), dtype=np.int64), encoded.dictionary.to_pylist()


def find(column: Column, among: Column) -> Places:
    """Return for each text its place among others, -1 where it is not there."""
    places = _compute.index_in(column, value_set=among.combine_chunks())
    return np.asarray(_compute.fill_null(places, -1).to_numpy(), dtype=np.int64)


def is_one_of(column: Column, values: Collection[object]) -> Flags:
    """Return which values are among the given ones; null is not."""
    among: Any = pa.array(list(values), column.type)
    return np.asarray(_compute.is_in(column, value_set=among).to_numpy(), dtype=np.bool_)


def differ(left: Column, right: Column) -> Flags:
    """Return where two texts are both there and not the same."""
    return np.asarray(_compute.fill_null(_compute.not_equal(left, right), False).to_numpy(), dtype=np.bool_)


def distinct(column: Column) -> list[str]:
    """Return the distinct texts, without null."""
    values: list[str | None] = column.unique().to_pylist()
    return [value for value in values if value is not None]


def is_there(column: Column) -> Flags:
    """Return where a value is not null."""
    return np.asarray(_compute.is_valid(column).to_numpy(), dtype=np.bool_)


def take(table: pa.Table, places: Places) -> pa.Table:
    """Return the rows at the places, in that order."""
    return table.take(pa.array(places, pa.int64()))


def taken(column: Column, places: Places) -> Column:
    """Return the values at the places, in that order."""
    return column.take(pa.array(places, pa.int64()))


def texts(column: Column) -> list[str]:
    """Return texts as a list; the column holds no null."""
    values: list[str] = column.to_pylist()
    return values


def optional_texts(column: Column) -> list[str | None]:
    """Return texts as a list, null as None."""
    values: list[str | None] = column.to_pylist()
    return values


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """Return a small table as rows."""
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows
