"""Faults of typed rows told as findings and rejected rows. It decides nothing."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from operator import attrgetter

import numpy as np

from kolleno_pipelines.connectors.sftp.cells import Fault
from kolleno_pipelines.connectors.sftp.columns import Rows
from kolleno_pipelines.connectors.sftp.header import Header
from kolleno_pipelines.connectors.sftp.rows import ColumnFault, Mask, TypedRows
from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.escapes import REJECT_COLUMNS, unescape
from kolleno_pipelines.schemas.findings import Finding, RejectedRow, shown

_ROWS_AT_ONCE = 4_096


def rejected_rows(rows: TypedRows, header: Header) -> Iterator[RejectedRow]:
    """Yield the rows that their own cells, or their number of cells, reject; in the order of the file."""
    return heapq.merge(_spoilt(rows, header), _ragged(rows, header), key=attrgetter("line"))


def warnings(rows: TypedRows, header: Header, kept: Mask, limit: int) -> tuple[list[Finding], dict[Code, int]]:
    """Return the warnings of the rows marked in `kept`, at most `limit` of them, and the full count per code."""
    faults = [replace(warning, rows=warning.rows[kept[warning.rows]]) for warning in rows.warnings]
    counts: dict[Code, int] = {}
    for fault in faults:
        if fault.rows.size:
            counts[fault.fault.code] = counts.get(fault.fault.code, 0) + int(fault.rows.size)
    findings: list[Finding] = []
    for row, found in _by_row(faults):
        if len(findings) >= limit:
            break
        findings += _findings(rows, header, row, found)
    return findings[:limit], counts


def data_cells(rows: TypedRows, header: Header, chosen: Rows) -> list[tuple[str, ...]]:
    """Return the cells of the chosen rows as sent; without the columns, and apostrophes, that our own export added."""
    return rows.texts(chosen, header.data_positions)


def _spoilt(rows: TypedRows, header: Header) -> Iterator[RejectedRow]:
    faulty = _by_row(rows.rejections)
    chosen = np.flatnonzero(rows.rejected)
    for start in range(0, len(chosen), _ROWS_AT_ONCE):
        some = chosen[start : start + _ROWS_AT_ONCE]
        for cells, (row, found) in zip(data_cells(rows, header, some), faulty, strict=False):
            line = int(rows.tokens.lines[row])
            yield RejectedRow(line, rows.tokens.raw_text(row), cells, _findings(rows, header, row, found))


def _ragged(rows: TypedRows, header: Header) -> Iterator[RejectedRow]:
    for ragged in rows.tokens.ragged:
        cells: Sequence[str] = ragged.cells
        if header.from_rejects:
            cells = tuple(unescape(cell) for cell in cells[: -len(REJECT_COLUMNS)] or cells)
        message = f"the row {ragged.wrong}"
        finding = Finding(ragged.line, None, shown(ragged.raw_text), Code.RAGGED_ROW, message)
        yield RejectedRow(ragged.line, ragged.raw_text, cells, (finding,))


def _by_row(faults: Sequence[ColumnFault]) -> Iterator[tuple[int, list[ColumnFault]]]:
    """Yield (row, its faults in the order of the columns), rows ascending."""
    if not faults:
        return
    rows = np.concatenate([fault.rows for fault in faults])
    which = np.repeat(np.arange(len(faults)), [fault.rows.size for fault in faults])
    order = np.argsort(rows, kind="stable")
    current, found = -1, list[ColumnFault]()
    for row, index in zip(rows[order].tolist(), which[order].tolist(), strict=True):
        if row != current and found:
            yield current, found
            found = []
        current = row
        found.append(faults[index])
    if found:
        yield current, found


def _findings(rows: TypedRows, header: Header, row: int, faults: Iterable[ColumnFault]) -> list[Finding]:
    line = int(rows.tokens.lines[row])
    findings = []
    for fault in faults:
        position = header.positions.get(fault.field)
        value = shown(rows.cell(row, header.extra[fault.column] if position is None else position))
        message = _message(fault.column, value, fault.fault)
        findings.append(Finding(line, fault.column, value, fault.fault.code, message))
    return findings


def _message(column: str, value: str, fault: Fault) -> str:
    quoted = f" '{value}'" if value else ""
    return f"{column}{quoted} {fault.wrong}, expected {fault.expected}"
