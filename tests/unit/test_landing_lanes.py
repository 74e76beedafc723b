"""The two lanes read alike, blocks of any size give the same, and lines are physical."""

from __future__ import annotations

import io
import tracemalloc
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from landed_files import INVOICE_HEADER, LINK_HEADER, invoice, invoices, landed

from kolleno_pipelines.connectors.sftp.landing import LandingOptions, land
from kolleno_pipelines.schemas.codes import Code, Level
from kolleno_pipelines.schemas.findings import FileFailed
from kolleno_pipelines.schemas.sftp_tables import TABLES, TableName


def outcome(table: str, content: str, **options: Any) -> tuple[Any, ...]:
    """Return everything a landing says, in a form that can be compared."""
    try:
        result = landed(table, content, **options)
    except FileFailed as failed:
        return ("failed", failed.findings)
    return (result.rows, result.rejected, result.warnings, result.summary, result.landing.link_keyed_by)


ends = st.sampled_from(["\n", "\r\n", "\r"])
cells = st.one_of(
    st.sampled_from(["", "1", "P1", "NULL", "2.50", "-1", "x\x0by", "\u2028", "é", " ", "\ufeff", "a\x1cb"]),
    st.text(st.characters(blacklist_characters='",\r\n\0', blacklist_categories=("Cs",)), max_size=6),
)
plain_lines = st.lists(st.tuples(st.lists(cells, min_size=1, max_size=5).map(",".join), ends).map("".join), max_size=30)
any_text = st.text(st.sampled_from(['"', ",", "\n", "\r", "a", "1", " ", "é"]), max_size=60)
quoted_cells = st.one_of(cells, any_text.map(lambda text: '"' + text.replace('"', '""') + '"'))
quoted_lines = st.lists(
    st.tuples(st.lists(quoted_cells, min_size=3, max_size=3).map(",".join), ends).map("".join), max_size=20
)
relaxed = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@relaxed
@given(plain_lines, ends, st.sampled_from([48, 1 << 20]))
@example(["a,b,c,d\n"] * 3 + ["\n", "\r\n"], "\n", 16)
def test_both_lanes_give_the_same_for_the_same_bytes(lines: list[str], end: str, block_bytes: int) -> None:
    content = LINK_HEADER + end + "".join(lines)
    fast = outcome("payments_invoices", content, block_bytes=block_bytes)
    assert fast == outcome("payments_invoices", content, block_bytes=1 << 20, lane="strict")


@relaxed
@given(quoted_lines, st.sampled_from([40, 1 << 20]))
def test_blocks_of_any_size_give_the_same_with_quotes(lines: list[str], block_bytes: int) -> None:
    content = LINK_HEADER + "\n" + "".join(lines)
    whole = outcome("payments_invoices", content, block_bytes=1 << 20, lane="strict")
    assert outcome("payments_invoices", content, block_bytes=block_bytes) == whole
    assert whole[0] != "failed"


@relaxed
@given(any_text, st.sampled_from([8, 1 << 20]))
def test_any_mess_of_quotes_gives_one_answer(mess: str, block_bytes: int) -> None:
    content = f"{LINK_HEADER}\nP1,I1,5\n{mess}"
    whole = outcome("payments_invoices", content, block_bytes=1 << 20)
    assert outcome("payments_invoices", content, block_bytes=block_bytes) == whole


@relaxed
@given(st.binary(max_size=80), st.sampled_from(list(TableName)))
def test_any_bytes_give_findings_and_never_crash(data: bytes, table: TableName) -> None:
    header = ",".join(TABLES[table].required_headers).encode()
    levels = set[Level]()
    for content in (data, header + b"\n" + data):
        try:
            landing = land(lambda content=content: io.BytesIO(content), TABLES[table], LandingOptions(block_bytes=16))
            read = sum(block.rows.num_rows + len(block.rejected) for block in landing.blocks())
            assert read <= landing.summary.rows_read
        except FileFailed as failed:
            levels.update(finding.level for finding in failed.findings)
    assert levels <= {Level.FAILED}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("lane", ["auto", "strict"])
@pytest.mark.parametrize("block_bytes", [8, 70, 71, 72, 1 << 20])
def test_line_ends_blank_lines_and_marks(end: str, lane: str, block_bytes: int) -> None:
    rows = (invoice(id="1"), "", invoice(id="2"), "short", "", "", invoice(id="3"), "", "")
    text = "\ufeff" + invoices(*rows, end=end)
    result = landed("invoices", text, block_bytes=block_bytes, lane=lane)
    assert [(row["source_id"], row["line"]) for row in result.rows] == [("1", 2), ("2", 4), ("3", 8)]
    assert result.rejections == [(5, None, Code.RAGGED_ROW)]
    assert result.rows[0]["date_due"].isoformat() == "2026-02-09"


def test_no_line_end_at_the_end() -> None:
    text = invoices(invoice(id="1"), invoice(id="2")).rstrip("\n")
    for lane in ("auto", "strict"):
        assert [row["line"] for row in landed("invoices", text, lane=lane).rows] == [2, 3]


@pytest.mark.parametrize("block_bytes", [8, 100, 1 << 20])
def test_lines_are_physical_behind_quoted_line_ends(block_bytes: int) -> None:
    header = f"{INVOICE_HEADER},description"
    rows = (
        f'{invoice(id="1")},"a\nb\r\nc\rd"',
        f"{invoice(id='2')},plain",
        f'{invoice(id="3", amount="x")},"two\nlines"',
        f'{invoice(id="4")},"said ""so"""',
        "ragged",
        f"{invoice(id='5')},last",
    )
    result = landed("invoices", invoices(*rows, header=header), block_bytes=block_bytes)
    assert [(row["source_id"], row["line"]) for row in result.rows] == [("1", 2), ("2", 6), ("4", 9), ("5", 11)]
    assert result.rejections == [(7, "amount", Code.BAD_DECIMAL), (10, None, Code.RAGGED_ROW)]
    assert result.rejected[0].raw_text == rows[2]
    assert result.rejected[0].cells[-1] == "two\nlines"
    assert [row["description"] for row in result.rows] == ["a\nb\r\nc\rd", "plain", 'said "so"', "last"]


def test_a_cell_larger_than_a_block_is_read() -> None:
    header = f"{INVOICE_HEADER},memo"
    text = invoices(f'{invoice(id="1")},"{"x" * 5_000}"', f"{invoice(id='2')},{'y' * 9_000}", header=header)
    result = landed("invoices", text, block_bytes=64)
    assert [len(row["extra"]) for row in result.rows] == [5_011, 9_011]


def test_quotes_that_pair_within_a_line_spoil_only_that_row() -> None:
    text = invoices(invoice(id="1"), '"Acme "Best" Ltd",C1,R,1,1,USD,2026-01-01,', '5" pipe,C1,R,1,1,USD,2026-01-01,')
    result = landed("invoices", text)
    assert result.rejections == [(3, None, Code.RAGGED_ROW)]
    assert result.rejected[0].cells == ('"Acme "Best" Ltd",C1,R,1,1,USD,2026-01-01,',)
    assert [row["source_id"] for row in result.rows] == ["1", '5" pipe']


def test_memory_does_not_grow_with_the_file() -> None:
    peaks = []
    for count in (20_000, 100_000):
        data = invoices(*(invoice(id=f"I{number:07}") for number in range(count))).encode()

        def read(data: bytes = data) -> int:
            landing = land(lambda: io.BytesIO(data), TABLES[TableName.INVOICES], LandingOptions(block_bytes=1 << 18))
            return sum(block.rows.num_rows for block in landing.blocks())

        tracemalloc.start()
        try:
            assert read() == count
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0] + 8 * 80_000
