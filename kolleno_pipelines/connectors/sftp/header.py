"""The header line of a CSV file: which columns it has, and every fault that it alone shows. No rows."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from kolleno_pipelines.connectors.sftp.raw_blocks import RawBlocks
from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.escapes import REJECT_COLUMNS, unescape
from kolleno_pipelines.schemas.findings import FileFailed, Finding, file_fault, shown
from kolleno_pipelines.schemas.sftp_tables import CsvTable

MAX_HEADER_BYTES = 1 << 20
_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of one file: `physical` as sent, where each of our fields is, and where each extra column is.

    `from_rejects` says that the file is our own export of rejected rows, whose added columns carry no data.
    """

    line: str
    physical: tuple[str, ...]
    positions: dict[str, int]
    extra: dict[str, int]
    from_rejects: bool

    @property
    def fields(self) -> tuple[str, ...]:
        """Our names of the columns that the file has, in the order of the spec."""
        return tuple(self.positions)

    @property
    def extra_columns(self) -> tuple[str, ...]:
        """Names of the columns that the spec does not know."""
        return tuple(self.extra)

    @property
    def data_positions(self) -> tuple[int, ...]:
        """Positions of all columns that carry data: those of an export's reasons are left out."""
        return tuple(sorted((*self.positions.values(), *self.extra.values())))

    @property
    def names(self) -> tuple[str, ...]:
        """Names, as sent, of the columns that carry data."""
        return tuple(self.physical[position] for position in self.data_positions)

    def name_of(self, field: str) -> str:
        """Return the column's name as the file spells it (an alias, if it uses one)."""
        return self.physical[self.positions[field]]


def read_header(blocks: RawBlocks, table: CsvTable, unread: Collection[str] = ()) -> Header:
    """Read the first line and return its columns; raise FileFailed with every fault it shows, in one go.

    Columns of `unread` fields count as extra ones.

    Codes: `empty_file`, `bad_header`, `missing_columns`, `bad_delimiter`, `unclosed_quote`, and those of the bytes.
    """
    text = _first_line(blocks)
    names = _split(text, ",")
    findings: list[Finding] = []
    delimiter = _foreign_delimiter(text, names, table)
    if delimiter is not None:
        findings.append(_finding(Code.BAD_DELIMITER, None, f"separated by {_DELIMITERS[delimiter]}", "commas"))
        names = _split(text, delimiter)
    from_rejects = any(name in REJECT_COLUMNS for name in names)
    if from_rejects:
        names = [unescape(name) for name in names]
    findings += _bad_names(names)
    findings += _missing(names, table)
    positions, clashes = _positions(names, table)
    findings += clashes
    if findings:
        raise FileFailed(findings)
    positions = {field: position for field, position in positions.items() if field not in unread}
    taken = set(positions.values())
    extra = {
        name: position
        for position, name in enumerate(names)
        if position not in taken and not (from_rejects and name in REJECT_COLUMNS)
    }
    return Header(text, tuple(names), positions, extra, from_rejects)


def _first_line(blocks: RawBlocks) -> str:
    first = blocks.take_line(MAX_HEADER_BYTES)
    if first is not None and not first.final and not first.data.endswith((b"\n", b"\r")):
        raise file_fault(
            Code.BAD_HEADER, f"the first line is longer than {MAX_HEADER_BYTES:,} bytes, expected column names", line=1
        )
    text = "" if first is None else first.data.decode().rstrip("\r\n")
    if text.strip():
        return text
    while first is not None:  # nothing but blank lines is an empty file
        first = blocks.take(MAX_HEADER_BYTES)
        if first is not None and first.data.strip():
            raise file_fault(Code.BAD_HEADER, "the first line is blank, expected the column names", line=1)
    raise file_fault(Code.EMPTY_FILE, "the file is empty, expected at least the header row")


def _split(text: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter))
    except csv.Error as error:
        if text.count('"') % 2:
            message = "a quote that opens in the header never closes, expected a closing quote"
            raise file_fault(Code.UNCLOSED_QUOTE, message, line=1) from error
        message = "text follows a closing quote in the header, expected a comma"
        raise file_fault(Code.BAD_HEADER, message, line=1) from error


def _foreign_delimiter(text: str, names: list[str], table: CsvTable) -> str | None:
    """Return the delimiter under which the header makes more sense than under commas, None when commas do."""

    def known(columns: list[str]) -> int:
        return len({_tidy(name) for name in columns} & table.by_header.keys())

    best, found = known(names), None
    for delimiter in _DELIMITERS:
        if delimiter in text:
            columns = text.replace('"', "").split(delimiter)
            if known(columns) > best or (found is None and best == 0 and len(names) == 1 and len(columns) > 2):
                best, found = known(columns), delimiter
    return found


def _tidy(name: str) -> str:
    """Return the name that a badly written one was meant to be."""
    return "_".join(name.strip().lower().split())


def _bad_names(names: list[str]) -> list[Finding]:
    findings = []
    counts = Counter(names)
    for position, name in enumerate(names, start=1):
        if not name.strip():
            findings.append(_finding(Code.BAD_HEADER, name, f"column {position} has no name", "a name in every column"))
        elif any(character.isspace() for character in name):
            findings.append(_finding(Code.BAD_HEADER, name, f"'{shown(name)}' has a space in it", f"'{_tidy(name)}'"))
        elif name != name.lower():
            findings.append(_finding(Code.BAD_HEADER, name, f"'{shown(name)}' has upper case", f"'{_tidy(name)}'"))
        elif counts[name] > 1 and names.index(name) + 1 == position:
            wrong = f"'{shown(name)}' stands {counts[name]} times in the header"
            findings.append(_finding(Code.BAD_HEADER, name, wrong, "every column once"))
    return findings


def _missing(names: list[str], table: CsvTable) -> list[Finding]:
    tidy = {_tidy(name) for name in names}
    missing = [
        column.name
        for column in table.columns
        if column.header_required and not tidy.intersection((column.name, *column.aliases))
    ]
    if not missing:
        return []
    listed = ", ".join(missing)
    expected = f"a header with {', '.join(table.required_headers)}"
    return [_finding(Code.MISSING_COLUMNS, listed, f"columns are missing: {listed}", expected)]


def _positions(names: list[str], table: CsvTable) -> tuple[dict[str, int], list[Finding]]:
    """Return the position of each field of the spec; a column's own name goes before its aliases."""
    positions: dict[str, int] = {}
    findings = []
    for column in table.columns:
        found = [name for name in (column.name, *column.aliases) if name in names]
        if not found:
            continue
        if found[0] != column.name and len(found) > 1:
            wrong = f"{' and '.join(found)} both mean {column.name}"
            findings.append(_finding(Code.BAD_HEADER, found[0], wrong, f"one column, best named {column.name}"))
        positions[column.field] = names.index(found[0])
    return positions, findings


def _finding(code: Code, column: str | None, wrong: str, expected: str) -> Finding:
    return Finding(1, None if column is None else shown(column), None, code, f"{wrong}, expected {expected}")
