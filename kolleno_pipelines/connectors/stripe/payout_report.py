"""The itemised payout reconciliation report of Stripe, read strictly: from a CSV file's bytes to rows of text. No I/O.

Amounts are in major units. Who downloads it chooses columns, their order, the time zone of the moments without `_utc`
and the decimal mark; other columns are passed over. What a row means is not decided here.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, BinaryIO

from kolleno_pipelines.connectors.stripe.amounts import decimals
from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.currencies import currency_codes
from kolleno_pipelines.schemas.findings import FileFailed, Finding, file_fault, shown
from kolleno_pipelines.schemas.payout_report import CELLS, Cell, ReportLayout, ReportRow

_NEEDED = {
    "source_id": "balance_transaction_id",
    "payout_source_id": "automatic_payout_id",
    "currency_iso": "currency",
    "amount": "gross",
    "fee": "fee",
    "net": "net",
}
_OPTIONAL = {
    "reporting_category": "reporting_category",
    "source_object_id": "source_id",
    "charge_source_id": "charge_id",
}
_MOMENTS = {
    "created_at": "created",
    "available_on": "available_on",
    "effective_at": "automatic_payout_effective_at",
}
_AMOUNTS = ("amount", "fee", "net")
_AMOUNT = re.compile(r"-?[0-9]{1,14}(?:([.,])([0-9]{1,6}))?")
_WORD = re.compile(r"[!-~]{1,255}")
_MOMENT = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_AS_DOWNLOADED = "use the file as Stripe wrote it, a spreadsheet may have changed it"
_WHICH = "download the itemized payout reconciliation, and choose the column there"


class PayoutReport:
    """One report: `layout`, then `rows()` once to the end, then `faults` and the first of them in `findings`.

    `open_stream` must give the same bytes each time. Raises FileFailed with every fault of the file as a whole.
    """

    def __init__(self, open_stream: Callable[[], BinaryIO], *, max_findings: int = 1_000) -> None:
        self._open, self._max_findings = open_stream, max_findings
        self._mark: str | None = None
        self.findings: list[Finding] = []
        self.faults = self.rows_read = 0
        with self._text() as text:
            header = self._header(text)
        self.layout, self._width = _laid_out(header), len(header)
        self._places = {field: header.index(name) for field, name in self.layout.columns.items()}

    def rows(self) -> Iterator[ReportRow]:
        """Yield the rows that can be read; amounts with a point, currencies in capitals, nothing for an empty cell."""
        with self._text() as text:
            reader = csv.reader(text, strict=True)
            next(reader)
            line = reader.line_num + 1
            for cells in self._records(reader):
                if cells:
                    self.rows_read += 1
                    row = self._row(line, cells)
                    if row is not None:
                        yield row
                line = reader.line_num + 1

    def _text(self) -> io.TextIOWrapper:
        return io.TextIOWrapper(self._open(), encoding="utf-8-sig", newline="")

    def _header(self, text: io.TextIOWrapper) -> list[str]:
        with self._open() as stream:
            if stream.read(2) in _UTF_16:
                raise file_fault(Code.UNDECODABLE, f"The file is UTF-16, expected UTF-8; {_AS_DOWNLOADED}")
        header = next(self._records(csv.reader(text, strict=True)), [])
        if not any(header):
            raise file_fault(Code.EMPTY_FILE, "The file has no header row; download the report again")
        return header

    def _records(self, reader: Any) -> Iterator[list[str]]:
        """Yield the records; what ends the reading is a fault of the whole file."""
        try:
            yield from reader
        except UnicodeDecodeError:
            line = self._undecodable_line()
            message = f"The line is not UTF-8; {_AS_DOWNLOADED}"
            raise file_fault(Code.UNDECODABLE, message, line=line) from None
        except csv.Error as error:
            message = f"The quotes around a value up to line {reader.line_num} do not match ({error}); {_AS_DOWNLOADED}"
            raise file_fault(Code.UNCLOSED_QUOTE, message, line=reader.line_num) from None

    def _undecodable_line(self) -> int:
        with self._open() as stream:
            for number, line in enumerate(stream, 1):
                try:
                    line.decode()
                except UnicodeDecodeError:
                    return number
        return 1

    def _row(self, line: int, cells: list[str]) -> ReportRow | None:
        """Return the row; None, with what is wrong added to the findings, where it cannot be read."""
        before = self.faults
        if len(cells) != self._width:
            message = f"The row has {len(cells)} cells, the header {self._width}; {_AS_DOWNLOADED}"
            self._add(Finding(line, None, None, Code.RAGGED_ROW, message))
            return None
        if self._is_several(cells):
            message = f"The row holds others, since a quote before them is left open or stands alone; {_AS_DOWNLOADED}"
            self._add(Finding(line, None, None, Code.UNCLOSED_QUOTE, message))
            return None
        said: dict[str, Cell] = {field: cells[place] or None for field, place in self._places.items()}
        currency = self._currency(line, said["currency_iso"])
        for field, value in said.items():
            if field in _AMOUNTS:
                said[field] = self._amount(line, field, value, currency)
            elif field in _MOMENTS:
                self._check_moment(line, field, value)
            elif field != "currency_iso":
                self._check_word(line, field, value)
        said["currency_iso"] = currency
        return (line, *map(said.get, CELLS)) if self.faults == before else None

    def _is_several(self, cells: list[str]) -> bool:
        """Whether rows of the file stand within a value: more than one line of the row is a row by itself.

        One may be: where the first or the last value has lines, the others are all in one of them.
        """
        if not any("\n" in cell or "\r" in cell for cell in cells):
            return False
        lines = [line.split(",") for line in re.split(r"[\r\n]+", ",".join(cells))]
        places = [self._places[field] for field in _AMOUNTS]
        return sum(len(line) == self._width and all(_AMOUNT.fullmatch(line[at]) for at in places) for line in lines) > 1

    def _currency(self, line: int, value: Cell) -> str | None:
        currency = (value or "").upper()
        if currency in currency_codes() and value is not None and value.isascii():
            return currency
        self._fault(line, "currency_iso", value, Code.BAD_CURRENCY, "is no currency code such as usd")
        return None

    def _amount(self, line: int, field: str, value: Cell, currency: str | None) -> Cell:
        """Return an amount with a point; it has the decimals of its currency, and the file one decimal mark."""
        found = _AMOUNT.fullmatch(value or "")
        if value is None or found is None:
            self._fault(line, field, value, Code.BAD_DECIMAL, "is no amount such as 1234.50")
            return None
        mark, fraction = found[1], found[2] or ""
        self._mark = self._mark or mark
        if mark and mark != self._mark:
            self._fault(line, field, value, Code.BAD_DECIMAL, f"is written with '{mark}', amounts before with another")
        elif currency is not None:
            most = decimals(currency)
            if fraction[most:].strip("0") or (mark == "," and len(fraction) != most):
                self._fault(line, field, value, Code.BAD_DECIMAL, f"does not have the {most} decimals of {currency}")
        return value.replace(",", ".")

    def _check_moment(self, line: int, field: str, value: Cell) -> None:
        if value is None and field != "created_at":
            return
        try:
            if _MOMENT.fullmatch(value or ""):
                datetime.fromisoformat(value or "")
                return
        except ValueError:
            pass
        self._fault(line, field, value, Code.BAD_DATE, "is no moment such as 2026-03-31 08:15:00")

    def _check_word(self, line: int, field: str, value: Cell) -> None:
        if value is None and field == "payout_source_id":
            message = f"names no payout: this is another report; {_WHICH.partition(',')[0]}"
            self._fault(line, field, value, Code.REQUIRED_VALUE_EMPTY, message)
        elif value is None and field == "source_id":
            self._fault(line, field, value, Code.REQUIRED_VALUE_EMPTY, "is empty, expected the row's id")
        elif value is not None and not _WORD.fullmatch(value):
            self._fault(line, field, value, Code.VALUE_TOO_LONG, "is no word of up to 255 letters, digits and signs")

    def _fault(self, line: int, field: str, value: Cell, code: Code, problem: str) -> None:
        column = self.layout.columns[field]
        said = "" if value is None else f" '{shown(value)}'"
        hint = "" if code is Code.REQUIRED_VALUE_EMPTY else f"; {_AS_DOWNLOADED}"
        self._add(Finding(line, column, value and shown(value), code, f"{column}{said} {problem}{hint}"))

    def _add(self, finding: Finding) -> None:
        self.faults += 1
        if len(self.findings) < self._max_findings:
            self.findings.append(finding)


def _laid_out(header: list[str]) -> ReportLayout:
    """Return which columns there are. Raises FileFailed naming each that is missing or doubled."""
    if len(header) == 1 and (wrong := next((mark for mark in ";\t|" if mark in header[0]), None)):
        mark = "tab" if wrong == "\t" else f"'{wrong}'"
        raise file_fault(Code.BAD_DELIMITER, f"The columns are separated by {mark}, expected commas; {_AS_DOWNLOADED}")
    in_utc = frozenset(field for field, name in _MOMENTS.items() if f"{name}_utc" in header)
    moments = {field: f"{name}_utc" if field in in_utc else name for field, name in _MOMENTS.items()}
    wanted = _NEEDED | _OPTIONAL | moments
    findings = [
        Finding(1, name, None, Code.MISSING_COLUMNS, f"The column {name} is missing; {_WHICH}")
        for name in _NEEDED.values()
        if name not in header
    ]
    findings += [
        Finding(1, name, None, Code.BAD_HEADER, f"The column {name} is there {header.count(name)} times, expected once")
        for name in wanted.values()
        if header.count(name) > 1
    ]
    if findings:
        raise FileFailed(findings)
    return ReportLayout({field: name for field, name in wanted.items() if name in header}, in_utc)
