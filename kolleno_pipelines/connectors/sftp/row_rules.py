"""Rules between two cells of one row, all of them warnings (design 9). Nothing that needs another row or file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kolleno_pipelines.connectors.sftp.cells import Fault
from kolleno_pipelines.connectors.sftp.columns import AMOUNT, Rows, Values
from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.currencies import decimals_of

_ABOVE = Fault(Code.BALANCE_ABOVE_AMOUNT, "is above the amount", "at most the amount of the same row")
_BEFORE = Fault(Code.DUE_BEFORE_ISSUED, "lies before date_issued", "the day of issue or a later one")
_SCALE = 6


def row_faults(fields: dict[str, Values]) -> Iterator[tuple[str, Fault, Rows]]:
    """Yield (field, fault, rows) of every rule that some row breaks; empty cells break none."""
    if {"amount", "balance"} <= fields.keys():
        above = _rows(pc.greater(fields["balance"], fields["amount"]))
        if above.size:
            yield "balance", _ABOVE, above
    if {"date_due", "date_issued"} <= fields.keys():
        before = _rows(pc.less(fields["date_due"], fields["date_issued"]))
        if before.size:
            yield "date_due", _BEFORE, before
    if "currency_iso" in fields:
        for name, values in fields.items():
            if values.type == AMOUNT and values.null_count < len(values):
                yield from _too_fine(name, values, fields["currency_iso"])


def _too_fine(name: str, values: Values, currency: Values) -> Iterator[tuple[str, Fault, Rows]]:
    """Yield the rows whose amount has more significant decimals than its currency: 10.50 JPY, not 10.00 JPY."""
    encoded: Any = currency.dictionary_encode()
    codes: list[str] = encoded.dictionary.to_pylist()
    if not codes:
        return
    steps = np.array([10 ** (_SCALE - decimals_of(code)) for code in codes], np.int64)
    known = pc.and_(pc.is_valid(values), pc.is_valid(currency)).to_numpy(zero_copy_only=False)
    index = pc.fill_null(encoded.indices, 0).to_numpy(zero_copy_only=False)
    fine = known & (_millionths(values) % steps[index] != 0)
    if not fine.any():
        return
    for position, code in enumerate(codes):
        rows = np.flatnonzero(fine & (index == position))
        if rows.size:
            expected = f"at most {decimals_of(code)} decimals"
            yield name, Fault(Code.MORE_DECIMALS_THAN_CURRENCY, f"has more decimals than {code} has", expected), rows


def _millionths(values: Values) -> npt.NDArray[Any]:
    """Return the amounts as whole millionths: int64, or Python's integers when one is too large; 0 for null."""
    whole: Any = values if not values.null_count else pc.fill_null(values, pa.scalar(0, AMOUNT))
    buffer = whole.buffers()[1]
    halves = np.frombuffer(buffer, np.int64).reshape(-1, 2)[whole.offset : whole.offset + len(whole)]
    low, high = halves[:, 0], halves[:, 1]
    if np.array_equal(high, low >> 63):
        return low
    return np.array([int(value.scaleb(_SCALE)) for value in whole.to_pylist()], object)


def _rows(flags: Any) -> Rows:
    return np.flatnonzero(pc.fill_null(flags, pa.scalar(value=False)).to_numpy(zero_copy_only=False))
