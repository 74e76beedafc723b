"""The ids of parents that some files hold, in 8 bytes each, and the rows that name none of them. No database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kolleno_pipelines.connectors.sftp.header import Header
from kolleno_pipelines.connectors.sftp.repeats import SeenKeys, hashes_of
from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.findings import Finding, shown
from kolleno_pipelines.schemas.sftp_tables import TABLES, CsvTable, Reference, TableName

_PARENTS = frozenset(reference.table for table in TABLES.values() for reference in table.references)
PARKING_CODES = frozenset(Code(reference.code) for table in TABLES.values() for reference in table.references)


class KnownParents:
    """Ids accepted so far, per table that others refer to."""

    def __init__(self) -> None:
        self._ids = {table: SeenKeys() for table in _PARENTS}

    def add(self, table: TableName, batches: list[AcceptedIds], withdrawn: npt.NDArray[np.int32]) -> None:
        """Add the ids of a file's rows but those on withdrawn lines."""
        if table in _PARENTS:
            for ids in batches:
                self._ids[table].add(ids.hashes[~np.isin(ids.lines, withdrawn)])

    def unknown(self, table: CsvTable, rows: pa.RecordBatch) -> Iterator[tuple[Reference, npt.NDArray[np.int64]]]:
        """Yield each reference of the table and the rows whose parent is not known."""
        for reference in table.references:
            known = self._ids[reference.table].contains(hashes_of(rows.column(reference.field))[0])
            yield reference, np.flatnonzero(~known)


class AcceptedIds:
    """The hashed ids of some accepted rows with their lines."""

    def __init__(self, rows: pa.RecordBatch) -> None:
        self.hashes = hashes_of(rows.column("source_id"))[0]
        self.lines: npt.NDArray[np.int32] = np.asarray(rows.column("line"))


def orphan_findings(
    rows: pa.RecordBatch, header: Header, reference: Reference, orphans: npt.NDArray[np.int64]
) -> Iterator[Finding]:
    """Yield a finding per row whose parent is not known."""
    column = header.name_of(reference.field)
    ids: Any = rows.column(reference.field)
    for row in orphans.tolist():
        value = shown(ids[row].as_py())
        message = f"{column} '{value}' is not known, expected its record in {reference.table.value} or in the baseline"
        yield Finding(rows.column("line")[row].as_py(), column, value, Code(reference.code), message)
