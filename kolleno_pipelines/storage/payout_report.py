"""Holds a provider's report beside the API's view for the length of a transaction. Decides nothing and keeps nothing.

The rules are rules/payout_report.py. Nothing of another connection is looked at; memory does not grow with the report.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import psycopg

from kolleno_pipelines.schemas.payout_report import (
    CELLS,
    OF_BALANCE_LIST,
    OF_PAYOUT_LIST,
    ComparedRow,
    MissingItem,
    Offsets,
    PayoutSums,
    Period,
    ReportLayout,
    ReportRow,
    Sums,
)
from kolleno_pipelines.storage import database, payout_report_sql

CHUNK = 10_000
_UTC = "UTC"
_SETTINGS = ("SET LOCAL work_mem = '128MB'", "SET LOCAL jit = off", "SET LOCAL temp_buffers = '64MB'")
_FLAGS = 10  # columns of SUSPECTS before the values of the three sides
_REPORT_END = _FLAGS + len(OF_BALANCE_LIST)
_PAYOUT_END = _REPORT_END + len(OF_PAYOUT_LIST)


@dataclass(frozen=True)
class StagedReport:
    """A report in the temp table `report_rows`, and what the statements name."""

    conn: psycopg.Connection[Any]
    connection: str
    layout: ReportLayout
    timezone: str

    @property
    def _params(self) -> dict[str, object]:
        zones = {
            f"{field.removesuffix('_at').removesuffix('_on')}_zone": _UTC
            if field in self.layout.in_utc
            else self.timezone
            for field in ("created_at", "available_on", "effective_at")
        }
        has = {f"has_{field}": field in self.layout.columns for field in OF_BALANCE_LIST}
        return {"connection": self.connection, **zones, **has}

    def _first(self, statement: str) -> Sequence[Any]:
        return self.conn.execute(statement.encode(), self._params).fetchone() or ()

    def put(self, rows: Iterable[ReportRow]) -> None:
        """Stage the rows."""
        statement = f"COPY report_rows (line, {', '.join(CELLS)}) FROM STDIN (FORMAT csv)"
        rest = iter(rows)
        with self.conn.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            while part := list(islice(rest, CHUNK)):
                text = io.StringIO()
                csv.writer(text, lineterminator="\n").writerows(part)
                copy.write(text.getvalue())
        self.conn.execute("ANALYZE report_rows")

    def span(self) -> tuple[datetime, datetime] | None:
        """Return when the first and the last payout of the file take effect, where it says so."""
        first, last = self._first(payout_report_sql.SPAN)
        return None if first is None else (first, last)

    def is_known(self) -> bool:
        """Whether the connection knows a payout or a row of the file."""
        return bool(self._first(payout_report_sql.IS_KNOWN)[0])

    def offsets(self) -> Offsets:
        """Return how far `created` is from the API's."""
        return Offsets(*self._first(payout_report_sql.OFFSETS))

    def currencies(self) -> list[str]:
        """Return the currencies of the file's rows."""
        rows = self.conn.execute("SELECT DISTINCT currency_iso FROM report_rows ORDER BY 1")
        return [row[0] for row in rows]

    def lay_out(self, period: Period | None, currencies: Sequence[str] | None) -> None:
        """Lay out the payouts that the report names, and those of these currencies that its period has beside."""
        start, end = (None, None) if period is None else (period.start, period.end)
        chosen = None if currencies is None else list(currencies)
        params = self._params | {"start": start, "end": end, "currencies": chosen}
        for statement in (
            payout_report_sql.PAYOUTS,
            "ANALYZE report_payouts",
            payout_report_sql.DOUBLES,
            payout_report_sql.REPEATS,
        ):
            self.conn.execute(statement.encode(), params)

    def suspects(self) -> Iterator[ComparedRow]:
        """Yield the rows of the report of which something is not as in the API's lists, by line."""
        return (_compared(row) for row in self._streamed("report_suspects", payout_report_sql.SUSPECTS))

    def missing_items(self) -> Iterator[MissingItem]:
        """Yield the items that the report lacks, though it has their payout."""
        return (MissingItem(*row) for row in self._streamed("report_missing", payout_report_sql.MISSING))

    def missing_categories(self) -> tuple[set[str], set[str]]:
        """Return the categories of the file, and those of the items that it lacks."""
        there, lacking = self._first(payout_report_sql.CATEGORIES)
        return set(there or ()), set(lacking or ())

    def payouts(self) -> list[PayoutSums]:
        """Return the payouts with what both sides come to."""
        rows = self.conn.execute(payout_report_sql.TOTALS.encode(), self._params)
        return [_payout_sums(row) for row in rows]

    def _streamed(self, name: str, statement: str) -> Iterator[Sequence[Any]]:
        with self.conn.cursor(name=name) as cursor:
            cursor.itersize = CHUNK
            cursor.execute(statement.encode(), self._params)
            yield from cursor


@contextmanager
def staging(url: str, connection: str, layout: ReportLayout, timezone: str) -> Iterator[StagedReport]:
    """Open a transaction that reads one moment of the database and holds a report beside it; nothing is left of it."""
    with database.connect(url, application_name="kolleno compare-report") as conn:
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        for setting in (*_SETTINGS, payout_report_sql.ROWS):
            conn.execute(setting.encode())
        yield StagedReport(conn, connection, layout, timezone)
        conn.rollback()


def _compared(row: Sequence[Any]) -> ComparedRow:
    line, source_id, payout, first_line, payouts, times, is_itemised, is_own, is_listed, is_in_balance = row[:_FLAGS]
    report = dict(zip(OF_BALANCE_LIST, row[_FLAGS:_REPORT_END], strict=True))
    payout_list = dict(zip(OF_PAYOUT_LIST, row[_REPORT_END:_PAYOUT_END], strict=True))
    balance_list = dict(zip(OF_BALANCE_LIST, row[_PAYOUT_END:], strict=True))
    return ComparedRow(
        line,
        source_id,
        payout,
        first_line,
        tuple(sorted(each for each in payouts if each is not None)),
        times,
        is_itemised,
        is_own,
        report,
        payout_list if is_listed else None,
        balance_list if is_in_balance else None,
    )


def _payout_sums(row: Sequence[Any]) -> PayoutSums:
    payout, currency, line, is_known, is_itemisable, is_complete, amount, payout_currency = row[:8]
    known = (is_known, is_itemisable, is_complete)
    return PayoutSums(payout, currency, line, *known, amount, payout_currency, Sums(*row[8:12]), Sums(*row[12:]))
