"""Rows of one file with one key: identical ones count once, different ones are all rejected; and corrected rejects."""

from __future__ import annotations

import csv
import io
import random
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from landed_files import INVOICE_HEADER, LINK_HEADER, Landed, invoice, invoices, landed

from kolleno_pipelines.connectors.sftp import landing as landing_module
from kolleno_pipelines.connectors.sftp import repeats
from kolleno_pipelines.connectors.sftp.columns import Values
from kolleno_pipelines.connectors.sftp.landing import land
from kolleno_pipelines.connectors.sftp.rejects import export_rejects
from kolleno_pipelines.connectors.sftp.repeats import SeenKeys
from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.escapes import escape, unescape
from kolleno_pipelines.schemas.sftp_tables import TABLES, TableName

BLOCKS = pytest.mark.parametrize("block_bytes", [16, 200, 1 << 20])


@BLOCKS
def test_identical_rows_count_as_accepted_and_are_given_once(block_bytes: int) -> None:
    rows = [invoice(id="1"), invoice(id="2"), invoice(id="1"), invoice(id="3"), invoice(id="1")]
    result = landed("invoices", invoices(*rows), block_bytes=block_bytes)
    assert [row["line"] for row in result.rows] == [2, 3, 5]
    assert (result.summary.rows_read, result.summary.rows_accepted, result.summary.rows_rejected) == (5, 5, 0)
    assert result.summary.money_totals["amount"] == {"USD": Decimal(300)}


@BLOCKS
def test_different_rows_with_one_id_are_all_rejected(block_bytes: int) -> None:
    rows = [invoice(id="1"), invoice(id="2"), invoice(id="1", ref="R-2"), invoice(id="3"), invoice(id="1")]
    result = landed("invoices", invoices(*rows), block_bytes=block_bytes)
    assert [row["source_id"] for row in result.rows] == ["2", "3"]
    assert result.rejections == [(line, "id", Code.DUPLICATE_ID) for line in (2, 4, 6)]
    assert result.rejected[1].raw_text == rows[2]
    assert "3 rows that differ (lines 2, 4, 6)" in result.rejected[0].findings[0].message
    assert (result.summary.rows_accepted, result.summary.rows_rejected) == (2, 3)
    assert result.summary.code_counts == {Code.DUPLICATE_ID: 3}
    assert result.summary.money_totals["amount"] == {"USD": Decimal(200)}
    assert result.landing.withdrawn_lines.tolist() == [2, 4, 6]


@BLOCKS
def test_a_row_rejected_by_its_cells_still_contradicts_another(block_bytes: int) -> None:
    for rows in ([invoice(id="1", amount="x"), invoice(id="1")], [invoice(id="1"), invoice(id="1", amount="x")]):
        result = landed("invoices", invoices(*rows, invoice(id="2")), block_bytes=block_bytes)
        assert [row["source_id"] for row in result.rows] == ["2"]
        assert {code for _, _, code in result.rejections} == {Code.BAD_DECIMAL, Code.DUPLICATE_ID}
        assert len(result.rejected) == 2


def test_the_same_cells_quoted_otherwise_are_the_same_row() -> None:
    quoted = ",".join(f'"{cell}"' for cell in invoice(id="1").split(","))
    result = landed("invoices", invoices(invoice(id="1"), quoted))
    assert (len(result.rows), result.summary.rows_accepted) == (1, 2)


def test_rows_without_a_usable_key_are_no_duplicates_of_each_other() -> None:
    result = landed("invoices", invoices(invoice(id=""), invoice(id="", ref="2"), invoice(id="NULL"), "a,b", "a,b"))
    assert {code for _, _, code in result.rejections} == {
        Code.REQUIRED_VALUE_EMPTY,
        Code.NULL_TOKEN,
        Code.RAGGED_ROW,
    }


def test_links_are_compared_by_pair_or_by_id() -> None:
    pairs = landed("payments_invoices", f"{LINK_HEADER}\nP1,I1,5\nP1,I2,5\nP1,I1,6\n")
    assert pairs.rejections == [(line, "payment_id, invoice_id", Code.DUPLICATE_ID) for line in (2, 4)]
    ids = landed("payments_invoices", f"id,{LINK_HEADER}\n1,P1,I1,5\n2,P1,I1,6\n2,P2,I1,6\n")
    assert ids.rejections == [(line, "id", Code.DUPLICATE_ID) for line in (3, 4)]


rows_of_few_ids = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["1", "2", "x"])), max_size=25)


@settings(max_examples=60, deadline=None)
@given(rows_of_few_ids, st.sampled_from([70, 1 << 20]), st.booleans())
def test_a_plain_reading_of_the_rule_agrees(rows: list[tuple[str, str]], block_bytes: int, weak: bool) -> None:
    """The rule told with a dictionary; with a hash that collides for almost all keys the answer stays the same."""
    contents: dict[str, set[str]] = {}
    for key, amount in rows:
        contents.setdefault(key, set()).add(amount)
    expected = {key for key, amounts in contents.items() if len(amounts) == 1 and amounts != {"x"}}
    text = invoices(*(invoice(id=key, amount=amount, balance="0") for key, amount in rows))
    with pytest.MonkeyPatch.context() as patch:
        if weak:
            patch.setattr(landing_module, "hashes_of", _two_hashes)
        result = landed("invoices", text, block_bytes=block_bytes)
    assert {row["source_id"] for row in result.rows} == expected
    assert len(result.rows) == len(expected)
    assert result.summary.rows_accepted == sum(key in expected for key, _ in rows)
    assert _sum(result) == sum(Decimal(next(iter(contents[key]))) for key in expected)
    assert {row.line for row in result.rejected} == {
        line for line, (key, _) in enumerate(rows, start=2) if key not in expected
    }


def _two_hashes(keys: Values) -> tuple[repeats.Hashes, repeats.Mask]:
    hashes, has_key = repeats.hashes_of(keys)
    return hashes % 2, has_key


def _sum(result: Landed) -> Decimal:
    return sum(result.summary.money_totals.get("amount", {}).values(), Decimal(0))


def test_seen_keys_against_a_set() -> None:
    dice, seen, known = random.Random(5), SeenKeys(), set[int]()
    for _ in range(40):
        hashes = np.array([dice.randrange(-2_000, 2_000) for _ in range(dice.randrange(0, 300))], np.int64)
        assert seen.contains(hashes).tolist() == [key in known for key in hashes.tolist()]
        told = seen.add(hashes).tolist()
        for key, before in zip(hashes.tolist(), told, strict=True):
            assert before is (key in known)
            known.add(key)


def export(result: Landed) -> str:
    return "".join(export_rejects(result.landing.header.names, result.rejected))


def test_exported_rejects_carry_the_reasons_and_load_once_corrected() -> None:
    header = f"{INVOICE_HEADER},note"
    rows = (
        f'{invoice(id="1", amount="x")},"=cmd|A1\nb"',
        f"{invoice(id='2', date_issued='soon')},-5.00",
        f"{invoice(id='3', amount='-1')},'=x",
        f"{invoice(id='4')},fine",
    )
    first = landed("invoices", invoices(*rows, header=header))
    lines = list(csv.reader(io.StringIO(export(first), newline="")))
    assert lines[0] == [*header.split(","), "reject_line", "reject_codes", "reject_messages"]
    assert [(line[-4], line[-3], line[-2]) for line in lines[1:]] == [
        ("'=cmd|A1\nb", "2", "bad_decimal"),
        ("-5.00", "4", "bad_date"),
        ("''=x", "5", "negative_amount"),
    ]
    assert lines[1][-1].startswith("amount 'x' is not a decimal number, expected ")
    assert [line[3] for line in lines[1:]] == ["x", "100.00", "-1"]
    again = landed("invoices", export(first))
    assert again.landing.header.names == first.landing.header.names
    assert [row.cells for row in again.rejected] == [row.cells for row in first.rejected]
    corrected = export(first).replace(",x,", ",7,").replace("soon", "2026-01-01").replace(",-1,", ",1,")
    fixed = landed("invoices", corrected)
    assert fixed.rejected == []
    assert [row["extra"] for row in fixed.rows] == ['{"note":"=cmd|A1\\nb"}', '{"note":"-5.00"}', '{"note":"\'=x"}']
    assert "reject_line" not in fixed.landing.header.extra_columns


def test_ragged_rows_stay_ragged_when_uploaded_uncorrected() -> None:
    first = landed("invoices", invoices("a,b", f"{invoice()},surplus", '"x"y,z', "=1+1,b"))
    again = landed("invoices", export(first))
    assert [code for _, _, code in again.rejections] == [Code.RAGGED_ROW] * 4
    assert [row.cells for row in again.rejected] == [row.cells for row in first.rejected]


@given(st.text(st.sampled_from(["'", "=", "+", "-", "@", "\t", "\r", "\n", "5", ".", "a"]), max_size=6))
def test_the_apostrophe_is_undone_exactly(cell: str) -> None:
    assert unescape(escape(cell)) == cell
    if escape(cell)[:1] in {"=", "+", "@", "\t", "\r", "-"}:
        assert float(cell) <= 0


def test_many_rejected_rows_come_in_several_blocks_without_repeating_rows() -> None:
    rows = [invoice(id=str(number), amount="1" if number % 2 else "x") for number in range(20_000)]
    landing = land(lambda: io.BytesIO(invoices(*rows).encode()), TABLES[TableName.INVOICES])
    blocks = list(landing.blocks())
    assert [block.rows.num_rows for block in blocks] == [10_000, 0, 0]
    assert [len(block.rejected) for block in blocks] == [4_096, 4_096, 1_808]


def test_the_summary_is_refused_before_the_end() -> None:
    landing = land(lambda: io.BytesIO(invoices(invoice()).encode()), TABLES[TableName.INVOICES])
    with pytest.raises(RuntimeError, match="to its end"):
        _ = landing.summary
