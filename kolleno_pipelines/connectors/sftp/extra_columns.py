"""Columns that the spec does not know, as one JSON object per row (article 11647004). No meaning is read into them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kolleno_pipelines.connectors.sftp.cells import Fault
from kolleno_pipelines.connectors.sftp.columns import Cells, Rows
from kolleno_pipelines.schemas.codes import Code

MAX_EXTRA_LENGTH = 10_000
_NEEDS_ESCAPE = r'["\\\x00-\x1f]'
_OVERLONG = Fault(Code.VALUE_IGNORED, "is too long", f"at most {MAX_EXTRA_LENGTH:,} characters")
_NONE = pa.scalar(None, pa.string())


def extra_objects(
    extra: dict[str, int], columns: tuple[Cells, ...], row_count: int
) -> tuple[Cells, list[tuple[str, Fault, Rows]]]:
    """Return a JSON object per row: an empty cell is null, one too long is left out and named in the second part.

    Without extra columns every row has null.
    """
    overlong: list[tuple[str, Fault, Rows]] = []
    if not extra:
        return pa.nulls(row_count, pa.string()), overlong
    members: list[Any] = []
    for name, position in extra.items():
        cells = columns[position]
        key = json.dumps(name, ensure_ascii=False) + ":"
        member = _join(key, _json_values(cells), "")
        rows = _overlong_rows(cells)
        if rows.size:
            overlong.append((name, _OVERLONG, rows))
            left_out = np.zeros(row_count, np.bool_)
            left_out[rows] = True
            member = pc.if_else(pa.array(left_out), _NONE, member)
        members.append(member)
    joined = _join(*members, ",")
    return _join("{", joined, "}", ""), overlong


def _join(*parts: Any) -> Any:
    """Return the parts of each row in one text; the last part stands between them, null ones are left out."""
    return pc.binary_join_element_wise(*parts, null_handling="skip")


def _json_values(cells: Cells) -> Any:
    quoted = _join('"', cells, '"', "")
    special = pc.match_substring_regex(cells, _NEEDS_ESCAPE)
    if pc.any(special).as_py():
        escaped = [json.dumps(cell, ensure_ascii=False) for cell in cells.filter(special).to_pylist()]
        quoted = pc.replace_with_mask(quoted, special, pa.array(escaped, pa.string()))
    empty = pa.array(pc.binary_length(cells).to_numpy() == 0)
    return pc.if_else(empty, "null", quoted)


def _overlong_rows(cells: Cells) -> Rows:
    longest = pc.max(pc.binary_length(cells)).as_py()
    if longest is None or longest <= MAX_EXTRA_LENGTH:
        return np.empty(0, np.int64)
    return np.flatnonzero(pc.utf8_length(cells).to_numpy() > MAX_EXTRA_LENGTH)
