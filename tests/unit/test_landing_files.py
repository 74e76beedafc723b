"""Faults of a whole file: each fails it with a finding that says where, in bounded time and memory."""

from __future__ import annotations

import io
import resource
import time
from itertools import chain, repeat

import pytest
from landed_files import INVOICE_HEADER, failure, invoice, invoices, landed

from kolleno_pipelines.connectors.sftp.landing import LandingOptions, land
from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.findings import FileFailed, Finding
from kolleno_pipelines.schemas.sftp_tables import TABLES, TableName


def only(content: str | bytes, **options: int) -> Finding:
    (finding,) = failure("invoices", content, **options)
    return finding


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n", b"\r\n\r\n  \n", b" "])
def test_files_without_a_header_are_empty(content: bytes) -> None:
    assert only(content).code is Code.EMPTY_FILE


def test_a_blank_first_line_is_no_header() -> None:
    assert only(f"\n{INVOICE_HEADER}\n").code is Code.BAD_HEADER


def test_a_header_alone_is_a_file_without_rows() -> None:
    for content in (INVOICE_HEADER, f"{INVOICE_HEADER}\n", f"{INVOICE_HEADER}\r\n\r\n\n"):
        result = landed("invoices", content)
        assert (result.rows, result.summary.rows_read) == ([], 0)


def test_missing_columns_are_all_named_at_once() -> None:
    found = only("id,ref,amount,note\n")
    assert found.code is Code.MISSING_COLUMNS
    assert found.line == 1
    assert "customer_id, balance, currency_iso, date_issued, date_due" in found.message


def test_an_alias_stands_for_its_column() -> None:
    assert failure("invoices", INVOICE_HEADER.replace("date_due", "due_date")) == []


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        (INVOICE_HEADER.replace("amount", "Amount"), ["Amount"]),
        (INVOICE_HEADER.replace("date_due", "date due"), ["date due"]),
        (INVOICE_HEADER.replace("id,c", "id ,c", 1), ["id "]),
        (f"{INVOICE_HEADER},", [""]),
        (f"{INVOICE_HEADER},x,x,x", ["x"]),
        (f"{INVOICE_HEADER},amount", ["amount"]),
        (INVOICE_HEADER.upper(), INVOICE_HEADER.upper().split(",")),
        (f"{INVOICE_HEADER}, Note,,", [" Note", "", ""]),
    ],
)
def test_bad_headers_name_each_column(header: str, columns: list[str]) -> None:
    found = failure("invoices", header)
    assert {finding.code for finding in found} == {Code.BAD_HEADER}
    assert [finding.column for finding in found] == columns


def test_all_faults_of_a_header_come_in_one_go() -> None:
    found = failure("invoices", "id;Customer_Id;ref;amount;;currency_iso;date_issued\n")
    assert [finding.code for finding in found] == [
        Code.BAD_DELIMITER,
        Code.BAD_HEADER,
        Code.BAD_HEADER,
        Code.MISSING_COLUMNS,
    ]
    assert "balance, date_due" in found[-1].message


@pytest.mark.parametrize(("delimiter", "word"), [(";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")])
def test_other_delimiters_are_named(delimiter: str, word: str) -> None:
    found = only(invoices(invoice()).replace(",", delimiter))
    assert found.code is Code.BAD_DELIMITER
    assert word in found.message


def test_a_quoted_header_is_read_and_a_broken_one_refused() -> None:
    quoted = ",".join(f'"{name}"' for name in INVOICE_HEADER.split(","))
    assert failure("invoices", quoted) == []
    assert only(f'{INVOICE_HEADER},"note\n').code is Code.UNCLOSED_QUOTE
    assert only(f'{INVOICE_HEADER},"no"te"\n').code is Code.UNCLOSED_QUOTE
    assert only(f'{INVOICE_HEADER},"no"te\n').code is Code.BAD_HEADER


def test_an_endless_first_line_is_no_header() -> None:
    assert only("x" * (2 << 20)).code is Code.BAD_HEADER


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (invoices(invoice()).encode("utf-16"), "UTF-16 (little endian)"),
        (b"\xfe\xff" + invoices(invoice()).encode("utf-16-be"), "UTF-16 (big endian)"),
        (invoices(invoice()).encode("utf-32"), "UTF-32 (little endian)"),
        (b"\x00\x00\xfe\xff" + invoices(invoice()).encode("utf-32-be"), "UTF-32 (big endian)"),
        (invoices(invoice()).encode("utf-16-le"), "UTF-16 without its mark"),
        (invoices(invoice()).encode("utf-16-be"), "UTF-16 without its mark"),
    ],
)
def test_other_encodings_are_named(content: bytes, named: str) -> None:
    found = only(content)
    assert found.code is Code.UNDECODABLE
    assert named in found.message


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_bytes_that_are_no_utf_8_are_placed(end: str) -> None:
    text = invoices(invoice(id="1"), invoice(id="é"), end=end).encode("latin-1")
    found = only(text, block_bytes=64)
    assert (found.code, found.line) == (Code.UNDECODABLE, 3)
    assert f"0xE9 at byte {text.index(0xE9):,} (line 3)" in found.message
    assert only(b"id,\xff\n").line == 1


def test_a_character_cut_off_at_the_end_is_undecodable() -> None:
    assert only(invoices(invoice()).encode() + "é".encode()[:1]).code is Code.UNDECODABLE


def test_a_nul_byte_fails_the_file_wherever_it_is() -> None:
    rows = [invoice(id=str(number)) for number in range(50)]
    found = only(invoices(*rows, invoice(id="x\0")).encode(), block_bytes=256)
    assert (found.code, found.line) == (Code.NULL_BYTE, 52)
    both = failure("invoices", invoices(invoice(id="\0")).encode() + b"\xff")
    assert [finding.code for finding in both] == [Code.NULL_BYTE, Code.UNDECODABLE]


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ((invoice(id="1"), '"open' + invoice(id="2"), invoice(id="3")), 3),
        ((invoice(id="1"), '"open' + invoice(id="2"), '"closed",C1,R,1,1,USD,2026-01-01,'), 3),
        (('"a\nb",C1,R,1,1,USD,2026-01-01,', 'x,"a\nb",R,1,1,USD,"open,', "z"), 5),
        (('1,C1,"ref "x",1,1,USD,2026-01-01,', "z"), 2),
        ((invoice(id="1"), invoice(ref='"INV-2'), invoice(id="3"), invoice(ref='INV-4"'), invoice(id="5")), 3),
        ((invoice(id="1"), invoice(ref='"INV-2'), invoice(ref='INV-3"')), 3),
        ((invoice(id="1"), '"a\nb' + invoice(id="2")[1:], invoice(ref='INV-3"')), 3),
        (('"a\nb",C1,"INV-1,1,1,USD,2026-01-10,', invoice(id="2"), invoice(ref='INV-3"')), 3),
    ],
)
@pytest.mark.parametrize("block_bytes", [16, 1 << 20])
def test_an_unclosed_quote_names_the_line_where_it_opens(rows: tuple[str, ...], line: int, block_bytes: int) -> None:
    found = only(invoices(*rows), block_bytes=block_bytes)
    assert (found.code, found.line) == (Code.UNCLOSED_QUOTE, line)


def test_too_large_is_noticed_while_reading() -> None:
    text = invoices(*(invoice(id=str(number)) for number in range(100)))
    assert only(text, max_file_bytes=2_000).code is Code.TOO_LARGE
    assert failure("invoices", text, max_file_bytes=len(text)) == []


def test_a_row_without_end_is_too_large() -> None:
    found = only(invoices(invoice()) + "x" * 3_000, block_bytes=64, max_record_bytes=1_000)
    assert (found.code, found.line) == (Code.TOO_LARGE, 3)
    quoted = only(invoices(invoice()) + '"' + "x\n" * 3_000 + '",', block_bytes=64, max_record_bytes=1_000)
    assert (quoted.code, quoted.line) == (Code.UNCLOSED_QUOTE, 3)


class Endless(io.RawIOBase):
    """200 MB of rows made while they are read; the given chunk stands at the front."""

    def __init__(self, front: bytes, row: bytes, size: int) -> None:
        super().__init__()
        chunk = row * ((1 << 20) // len(row))
        self._chunks = chain([front], repeat(chunk, size // len(chunk)))
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        if not self._rest:
            self._rest = next(self._chunks, b"")
        part, self._rest = self._rest[:size], self._rest[size:]
        return part


@pytest.mark.parametrize("also_quoted", [False, True])
def test_200_mb_behind_one_unclosed_quote(also_quoted: bool) -> None:
    front = invoices(invoice(id="1"), 'I2,C1,"never closed,1,1,USD,2026-01-01,').encode()
    row = invoice(id='"I""3"' if also_quoted else "I3").encode() + b"\n"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    landing = land(lambda: Endless(front, row, 200_000_000), TABLES[TableName.INVOICES], LandingOptions())
    with pytest.raises(FileFailed) as failed:
        list(landing.blocks())
    assert [(f.code, f.line) for f in failed.value.findings] == [(Code.UNCLOSED_QUOTE, 3)]
    assert time.monotonic() - started < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 250_000  # kB


def test_a_row_that_breaks_the_frame_model_raises() -> None:
    import pyarrow as pa
    from pandera.errors import SchemaErrors

    from kolleno_pipelines.schemas.frames import validate

    landing = land(lambda: io.BytesIO(invoices(invoice()).encode()), TABLES[TableName.INVOICES])
    (block,) = landing.blocks()
    validate(TableName.INVOICES, block.rows)
    position = block.rows.schema.get_field_index("source_id")
    broken = block.rows.set_column(position, "source_id", pa.array([None], pa.string()))
    with pytest.raises(SchemaErrors):
        validate(TableName.INVOICES, broken)
