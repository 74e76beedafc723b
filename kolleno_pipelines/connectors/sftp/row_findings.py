"""Faults of typed rows told as findings and rejected rows. It decides nothing."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from operator import attrgetter

import numpy as np

from kolleno_pipelines.connectors.sftp.cells import Fault
from kolleno_pipelines.connectors.sftp.escapes import REJECT_COLUMNS, unescape
from kolleno_pipelines.connectors.sftp.header import Header
from kolleno_pipelines.connectors.sftp.rows import ColumnFault, Mask, TypedRows
from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.findings import Finding, RejectedRow, shown


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


def data_cells(rows: TypedRows, header: Header, row: int) -> tuple[str, ...]:
    """Return the cells of a row as sent; without the columns, and apostrophes, that our own export added."""
    positions = header.data_positions if header.from_rejects else range(len(header.physical))
    return tuple(rows.cell(row, position) for position in positions)


def _spoilt(rows: TypedRows, header: Header) -> Iterator[RejectedRow]:
    for row, found in _by_row(rows.rejections):
        line = int(rows.tokens.lines[row])
        findings = _findings(rows, header, row, found)
        yield RejectedRow(line, rows.tokens.raw_text(row), data_cells(rows, header, row), findings)


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
