"""Which payloads made rows that cannot be stored, and why; they are set aside whole. No vendor is known here.

A payload is the whole state of its object: with one of its rows missing it would say something else. What values our
model has is value_faults.py's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types

from kolleno_pipelines.connectors.columns import pc
from kolleno_pipelines.schemas.records import RECORD_TABLES, Normalised, Quarantined, RecordTable

_FIRST_YEAR, _LAST_YEAR = 1, 9999
_DIGITS = 14
_ID_BYTES = 500


def without_faulty(said: Normalised) -> Normalised:
    """Return what can be stored of a block; payloads with a row that cannot be are quarantined with the reason."""
    faults: dict[int, str] = {}
    for line, reason in _payload_faults(said.payloads):
        faults.setdefault(line, reason)
    for entity, rows in said.rows.items():
        for line, reason in _row_faults(RECORD_TABLES[entity], rows):
            faults.setdefault(line, reason)
    return set_aside(said, faults)


def set_aside(said: Normalised, faults: Mapping[int, str]) -> Normalised:
    """Return a block without the payloads of some lines and all that they say; they are quarantined with the reason."""
    if not faults:
        return said
    lines = pa.array(list(faults), pa.int32())
    ids = dict(zip(said.payloads["line"].to_pylist(), said.payloads["source_id"].to_pylist(), strict=True))
    aside = [Quarantined(line, ids.get(line), reason) for line, reason in faults.items()]
    return Normalised(
        _without(said.payloads, lines),
        {entity: _without(rows, lines) for entity, rows in said.rows.items()},
        [*said.quarantined, *aside],
    )


def _without(table: pa.Table, lines: Any) -> pa.Table:
    return table.filter(pc.invert(pc.is_in(table["line"], value_set=lines)))


def _payload_faults(payloads: pa.Table) -> Iterator[tuple[int, str]]:
    yield from _found(payloads, _lacks(payloads["source_id"]), "the payload has no id")
    yield from _long_ids(payloads)
    yield from _cell_faults(payloads)


def _row_faults(table: RecordTable, rows: pa.Table) -> Iterator[tuple[int, str]]:
    for name in ("source_id", *sorted(table.required)):
        yield from _found(rows, _lacks(rows[name]), f"it makes a row of {table.entity} without {name}")
    yield from _long_ids(rows)
    yield from _cell_faults(rows)
    yield from _twice(table.entity, rows)


def _long_ids(table: pa.Table) -> Iterator[tuple[int, str]]:
    for name in table.column_names:
        if name.endswith("source_id"):
            too_long = pc.greater(pc.binary_length(table[name]), _ID_BYTES)
            yield from _found(table, too_long, f"{name} has more than {_ID_BYTES} bytes, which no id has")


def _cell_faults(table: pa.Table) -> Iterator[tuple[int, str]]:
    for field in table.schema:
        column = table[field.name]
        if pa.types.is_string(field.type):
            holds = pc.match_substring(column, "\x00")
            yield from _found(table, holds, f"{field.name} holds a NUL character, which no database text can")
        elif pa.types.is_decimal(field.type):
            beyond = pc.greater_equal(pc.abs(pc.cast(column, pa.float64())), 10.0**_DIGITS)
            yield from _found(table, beyond, f"{field.name} has more than {_DIGITS} digits before the point")
        elif pa.types.is_date(field.type) or pa.types.is_timestamp(field.type):
            year = pc.year(column)
            beyond = pc.or_(pc.less(year, _FIRST_YEAR), pc.greater(year, _LAST_YEAR))
            yield from _found(table, beyond, f"{field.name} lies outside the years {_FIRST_YEAR} to {_LAST_YEAR}")


def _lacks(column: Any) -> Any:
    empty = pc.is_null(column)
    return pc.or_(empty, pc.fill_null(pc.equal(column, ""), False)) if pa.types.is_string(column.type) else empty


def _found(table: pa.Table, mask: Any, reason: str) -> Iterator[tuple[int, str]]:
    if not pc.any(mask).as_py():
        return
    lines = table["line"].to_numpy()
    rows = np.flatnonzero(pc.fill_null(mask, False).to_numpy())
    yield from ((int(lines[row]), reason) for row in rows)


def _twice(entity: str, rows: pa.Table) -> Iterator[tuple[int, str]]:
    """A record that one payload says twice: which of the two counts is not known."""
    counts = rows.group_by(["line", "source_id"]).aggregate([([], "count_all")])
    again = counts.filter(pc.greater(counts["count_all"], 1))
    for line, source_id in zip(again["line"].to_pylist(), again["source_id"].to_pylist(), strict=True):
        yield int(line or 0), f"it says {source_id} of {entity} twice"
