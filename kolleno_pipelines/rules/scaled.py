"""Exact amounts as whole millionths, fast in numpy: int64 where every sum surely fits, else Python's own integers.

What the amounts mean does not belong here.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kolleno_pipelines.rules.columns import Column, Places
from kolleno_pipelines.schemas.ledger_parts import TOTAL

#: Whole millionths: dtype int64, or object holding Python integers.
Amounts = npt.NDArray[Any]

DECIMALS = 6
_ROOM = 2**61
_WORD = 2**64


def scaled(*columns: Column) -> list[Amounts]:
    """Return decimal(.., 6) columns as millionths, null as 0, all of one dtype.

    int64 only when the sum of all absolute values stays below 2**61, so that no sum or difference over them overflows.
    """
    arrays = [_unscaled(column) for column in columns]
    if any(array.dtype == object for array in arrays) or sum(_bound(array) for array in arrays) >= _ROOM:
        return [array.astype(object) for array in arrays]
    return arrays


def _bound(array: Amounts) -> int:
    # Halves first: the sum of the upper bits cannot overflow, and it errs upwards.
    return (int(np.sum(np.abs(array >> 20))) + len(array)) << 20


def _unscaled(column: Column) -> Amounts:
    array = column.fill_null(pa.scalar(Decimal(0), column.type)).combine_chunks()
    data = array.buffers()[1]
    if len(array) == 0 or data is None:
        return np.zeros(0, dtype=np.int64)
    words = np.frombuffer(data, dtype="<i8")[2 * array.offset : 2 * (array.offset + len(array))].reshape(-1, 2)
    low, high = words[:, 0], words[:, 1]
    if bool(np.all(high == low >> 63)) and bool(np.all(low != np.iinfo(np.int64).min)):
        return low.copy()
    wide: Amounts = high.astype(object) * _WORD + low.view(np.uint64).astype(object)
    return wide


def decimals(amounts: Amounts) -> pa.Array[Any]:
    """Return millionths as a decimal128(38, 6) column."""
    if amounts.dtype == object:
        return pa.array([decimal(value) for value in amounts], TOTAL)
    words = np.empty((len(amounts), 2), dtype="<i8")
    words[:, 0], words[:, 1] = amounts, amounts >> 63
    return pa.Array.from_buffers(TOTAL, len(amounts), [None, pa.py_buffer(words.tobytes())])


def decimal(millionths: int) -> Decimal:
    """Return one amount of millionths as a Decimal."""
    return Decimal(int(millionths)).scaleb(-DECIMALS)


def sums(places: Places, amounts: Amounts, size: int) -> Amounts:
    """Return per place 0..size-1 the sum of the amounts that name it."""
    totals = np.zeros(size, dtype=amounts.dtype)
    np.add.at(totals, places, amounts)
    return totals
