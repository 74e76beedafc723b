"""Faults of a whole file: its name, its place, its header, its encoding. No faults of single rows."""

from __future__ import annotations

from collections.abc import Callable

from kolleno_pipelines.sandbox.drops import HEADERS
from kolleno_pipelines.sandbox.fault_kit import ExpectedFinding, FaultCase, FaultFile, Kit
from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.sftp_tables import TableName

_CUSTOMERS, _INVOICES = TableName.CUSTOMERS, TableName.INVOICES
Maker = Callable[[Kit], FaultCase]


def _named(code: Code, title: str, name: str, content: bytes | None = None, folder: str | None = None) -> FaultCase:
    content = (",".join(HEADERS[_CUSTOMERS]) + "\n").encode() if content is None else content
    file = FaultFile(name, content) if folder is None else FaultFile(name, content, folder)
    return FaultCase(code, title, ((file,),), (ExpectedFinding(code, name),))


def _failed(
    kit: Kit, code: Code, title: str, content: bytes, line: int | None = None, column: str | None = None
) -> FaultCase:
    """A faulty invoices file among six header-only ones."""
    found = ExpectedFinding(code, kit.name(_INVOICES), line, column)
    return FaultCase(code, title, (kit.batch({_INVOICES: content}, bare=True),), (found,))


def _header(*extra: str) -> str:
    return ",".join((*HEADERS[_INVOICES], *extra)) + "\n"


def _row(kit: Kit, name: str, *extra: str) -> str:
    return ",".join((*kit.invoice(name).values(), *extra)) + "\n"


def unknown_type(kit: Kit) -> FaultCase:
    """A type that is none of the seven."""
    return _named(Code.UNEXPECTED_NAME, "singular type", f"invoice_{kit.day}T06:00:00.csv")


def impossible_moment(kit: Kit) -> FaultCase:
    """A day that no calendar has."""
    return _named(Code.UNEXPECTED_NAME, "30 February", f"invoices_2026-02-30T06:00:{kit.number:02d}.csv")


def no_moment(kit: Kit) -> FaultCase:
    """A name without a time."""
    return _named(Code.UNEXPECTED_NAME, "no time in the name", f"payments_{kit.day:%Y%m%d}.csv")


def wrong_folder(kit: Kit) -> FaultCase:
    """A good file in the server's root."""
    return _named(Code.WRONG_FOLDER, "uploaded to the root", kit.name(_CUSTOMERS), folder="")


def not_csv(kit: Kit) -> FaultCase:
    """A workbook."""
    name = kit.name(_CUSTOMERS).replace(".csv", ".xlsx")
    return _named(Code.NOT_CSV, "a spreadsheet", name, b"PK\x03\x04 not a csv")


def same_content_again(kit: Kit) -> FaultCase:
    """A file uploaded twice under its name."""
    files = kit.batch()
    found = ExpectedFinding(Code.DUPLICATE_CONTENT, files[0].name)
    return FaultCase(Code.DUPLICATE_CONTENT, "uploaded twice", (files, files[:1]), (found,))


def far_future(kit: Kit) -> FaultCase:
    """A clock that is decades ahead."""
    return _named(Code.DATED_IN_FUTURE, "named for 2099", f"customers_2099-01-01T06:00:{kit.number:02d}.csv")


def before_start(kit: Kit) -> FaultCase:
    """A day before the first partition."""
    return _named(Code.BEFORE_START, "named for 2019", f"customers_2019-12-31T23:59:{kit.number:02d}.csv")


def empty_file(kit: Kit) -> FaultCase:
    """No byte at all."""
    return _failed(kit, Code.EMPTY_FILE, "no header row", b"")


def missing_columns(kit: Kit) -> FaultCase:
    """Two required columns are not there."""
    text = "id,customer_id,amount,currency_iso,date_issued,date_due\n"
    return _failed(kit, Code.MISSING_COLUMNS, "no ref, no balance", text.encode(), 1, "ref, balance")


def upper_case(kit: Kit) -> FaultCase:
    """A column name with a capital letter."""
    text = _header().replace("amount", "Amount") + _row(kit, "x")
    return _failed(kit, Code.BAD_HEADER, "upper case", text.encode(), 1, "Amount")


def spaced(kit: Kit) -> FaultCase:
    """A column name with a space."""
    text = _header().replace("date_due", "date due") + _row(kit, "x")
    return _failed(kit, Code.BAD_HEADER, "a space", text.encode(), 1, "date due")


def doubled(kit: Kit) -> FaultCase:
    """A column that is there twice."""
    text = _header("amount") + _row(kit, "x", "50.00")
    return _failed(kit, Code.BAD_HEADER, "a double column", text.encode(), 1, "amount")


def blank_column(kit: Kit) -> FaultCase:
    """A column without a name."""
    text = _header("") + _row(kit, "x", "y")
    return _failed(kit, Code.BAD_HEADER, "a blank column name", text.encode(), 1, "")


def latin_1(kit: Kit) -> FaultCase:
    """A letter in an encoding of the last century."""
    text = _header() + _row(kit, "x") + _row(kit, "y").replace("R-", "Ré-")
    return _failed(kit, Code.UNDECODABLE, "Latin-1", text.encode("latin-1"), 3)


def utf_16(kit: Kit) -> FaultCase:
    """What a spreadsheet calls Unicode text."""
    text = _header() + _row(kit, "x")
    return _failed(kit, Code.UNDECODABLE, "UTF-16 with its mark", text.encode("utf-16"), 1)


def semicolons(kit: Kit) -> FaultCase:
    """The delimiter of continental spreadsheets."""
    text = (_header() + _row(kit, "x")).replace(",", ";")
    return _failed(kit, Code.BAD_DELIMITER, "semicolons", text.encode(), 1)


def tabs(kit: Kit) -> FaultCase:
    """Tabs between the columns."""
    text = (_header() + _row(kit, "x")).replace(",", "\t")
    return _failed(kit, Code.BAD_DELIMITER, "tabs", text.encode(), 1)


def unclosed_quote(kit: Kit) -> FaultCase:
    """A quote that opens and never ends, after a good quoted line end."""
    rows = _row(kit, "x", '"a\nb"') + _row(kit, "y", '"never closed') + _row(kit, "z", "c")
    text = _header("description") + rows
    return _failed(kit, Code.UNCLOSED_QUOTE, "the quote of line 4", text.encode(), 4)


def null_byte(kit: Kit) -> FaultCase:
    """A NUL inside a cell."""
    text = _header() + _row(kit, "x") + _row(kit, "y").replace("R-", "R\0")
    return _failed(kit, Code.NULL_BYTE, "NUL in line 3", text.encode(), 3)


def too_large(kit: Kit) -> FaultCase:
    """More bytes than the connection takes (here 2,000)."""
    text = _header() + "".join(_row(kit, f"x{number}") for number in range(50))
    case = _failed(kit, Code.TOO_LARGE, "over max_file_bytes", text.encode())
    return FaultCase(case.code, case.title, case.uploads, case.expected, max_file_bytes=2_000)


MAKERS: tuple[Maker, ...] = (
    unknown_type,
    impossible_moment,
    no_moment,
    wrong_folder,
    not_csv,
    same_content_again,
    far_future,
    before_start,
    empty_file,
    missing_columns,
    upper_case,
    spaced,
    doubled,
    blank_column,
    latin_1,
    utf_16,
    semicolons,
    tabs,
    unclosed_quote,
    null_byte,
    too_large,
)
