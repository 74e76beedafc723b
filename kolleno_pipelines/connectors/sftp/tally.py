"""Counts and money sums of one landing. What is counted is decided elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import pyarrow as pa

from kolleno_pipelines.connectors.sftp.rows import TypedRows, sums_by_currency
from kolleno_pipelines.schemas.codes import Code

Totals = dict[str, dict[str, Decimal]]


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of a landing; `money_totals` are exact sums of the accepted rows by field and currency.

    The currency is "" where a row has none. Repeats of an identical row count as accepted, and once in the sums.
    `code_counts` counts every finding about rows, however many of them were listed.
    """

    rows_read: int
    rows_accepted: int
    rows_rejected: int
    warnings: int
    code_counts: dict[Code, int]
    money_totals: Totals


@dataclass(slots=True)
class Tally:
    """The running counts."""

    money_fields: tuple[str, ...]
    read: int = 0
    rejected: int = 0
    warned: int = 0
    codes: Counter[Code] = field(default_factory=Counter)
    totals: Totals = field(default_factory=dict)

    def add_rows(self, rows: TypedRows) -> None:
        """Count the rows of a block, and those that their own cells or their shape reject."""
        ragged = len(rows.tokens.ragged)
        self.read += rows.tokens.row_count + ragged
        self.rejected += int(rows.rejected.sum()) + ragged
        self.codes[Code.RAGGED_ROW] += ragged
        for fault in rows.rejections:
            self.codes[fault.fault.code] += int(fault.rows.size)

    def add_duplicates(self, count: int) -> None:
        """Count rows that are rejected because the file has others with their key."""
        self.rejected += count
        self.codes[Code.DUPLICATE_ID] += count

    def add_warnings(self, codes: Mapping[Code, int]) -> None:
        """Count warnings of rows that were given out."""
        self.warned += sum(codes.values())
        self.codes.update(codes)

    def add_totals(self, batch: pa.RecordBatch, sign: int = 1) -> None:
        """Add the money of rows given out, or take it off again (`sign` -1) for rows withdrawn."""
        for name, currency, value in sums_by_currency(batch, self.money_fields):
            sums = self.totals.setdefault(name, {})
            sums[currency] = sums.get(currency, Decimal(0)) + sign * value

    def summary(self) -> Summary:
        """Return the counts so far; sums of 0 stay when a row gave them."""
        codes = {code: self.codes[code] for code in sorted(self.codes) if self.codes[code]}
        return Summary(self.read, self.read - self.rejected, self.rejected, self.warned, codes, self.totals)
