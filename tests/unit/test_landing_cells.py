"""Cells and rows: which code each bad cell gets, what a good one becomes, and what stays as it was sent."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest
from landed_files import (
    CONTACT_HEADER,
    CUSTOMER_HEADER,
    INVOICE_HEADER,
    LINK_HEADER,
    failure,
    invoice,
    invoices,
    landed,
)

from kolleno_pipelines.schemas.codes import CODE_TEXTS, Code, Level
from kolleno_pipelines.schemas.sftp_tables import TABLES, TableName


@pytest.mark.parametrize(
    ("column", "cell", "code"),
    [
        ("id", "", Code.REQUIRED_VALUE_EMPTY),
        ("id", "  ", Code.REQUIRED_VALUE_EMPTY),
        ("id", "NULL", Code.NULL_TOKEN),
        ("id", "x" * 256, Code.VALUE_TOO_LONG),
        ("customer_id", "NaN", Code.NULL_TOKEN),
        ("ref", "none", Code.NULL_TOKEN),
        ("amount", "", Code.REQUIRED_VALUE_EMPTY),
        ("amount", "null", Code.NULL_TOKEN),
        ("amount", "nan", Code.NULL_TOKEN),
        ("amount", "1e3", Code.BAD_DECIMAL),
        ("amount", "1.234.56", Code.BAD_DECIMAL),
        ("amount", "+1", Code.BAD_DECIMAL),
        ("amount", ".5", Code.BAD_DECIMAL),
        ("amount", "5.", Code.BAD_DECIMAL),
        ("amount", " 5", Code.BAD_DECIMAL),
        ("amount", "5 ", Code.BAD_DECIMAL),
        ("amount", "(5.00)", Code.BAD_DECIMAL),
        ("amount", "٥", Code.BAD_DECIMAL),
        ("amount", "inf", Code.BAD_DECIMAL),
        ("amount", "0x10", Code.BAD_DECIMAL),
        ("amount", "1.1234567", Code.BAD_DECIMAL),
        ("amount", "123456789012345", Code.BAD_DECIMAL),
        ("amount", "12345678901234567890.12", Code.VALUE_TOO_LONG),
        ("amount", "twelve thousand and some more", Code.BAD_DECIMAL),
        ("amount", "-0.01", Code.NEGATIVE_AMOUNT),
        ("balance", "-1", Code.NEGATIVE_AMOUNT),
        ("currency_iso", "", Code.REQUIRED_VALUE_EMPTY),
        ("currency_iso", "usd", Code.BAD_CURRENCY),
        ("currency_iso", "EURO", Code.BAD_CURRENCY),
        ("currency_iso", "ZZZ", Code.BAD_CURRENCY),
        ("currency_iso", "XXX", Code.BAD_CURRENCY),
        ("currency_iso", "US", Code.BAD_CURRENCY),
        ("currency_iso", "None", Code.NULL_TOKEN),
        ("date_issued", "", Code.REQUIRED_VALUE_EMPTY),
        ("date_issued", "10/01/2026", Code.BAD_DATE),
        ("date_issued", "2026-02-30", Code.BAD_DATE),
        ("date_issued", "2025-02-29", Code.BAD_DATE),
        ("date_issued", "1899-12-31", Code.BAD_DATE),
        ("date_issued", "2200-01-01", Code.BAD_DATE),
        ("date_issued", "2026-1-5", Code.BAD_DATE),
        ("date_issued", "2026-01-05T00:00:00", Code.BAD_DATE),
        ("date_issued", "20260105", Code.BAD_DATE),
        ("date_issued", "20260-01-05", Code.VALUE_TOO_LONG),
        ("date_due", "soon", Code.BAD_DATE),
        ("date_due", "NULL", Code.NULL_TOKEN),
    ],
)
def test_a_bad_cell_rejects_its_row_with_its_own_code(column: str, cell: str, code: Code) -> None:
    result = landed("invoices", invoices(invoice(id="I0"), invoice(**{column: cell}), invoice(id="I2")))
    assert result.rejections == [(3, column, code)]
    assert [row["source_id"] for row in result.rows] == ["I0", "I2"]
    finding = result.rejected[0].findings[0]
    assert finding.level is Level.REJECTED
    assert finding.message.startswith(column)
    assert ", expected " in finding.message
    assert finding.value == (cell if len(cell) <= 80 else cell[:79] + "…")


@pytest.mark.parametrize(
    ("column", "cell", "field", "value"),
    [
        ("id", "0007", "source_id", "0007"),
        ("id", " I 1 ", "source_id", " I 1 "),
        ("id", "Nullable", "source_id", "Nullable"),
        ("id", "x" * 255, "source_id", "x" * 255),
        ("id", "ü" * 255, "source_id", "ü" * 255),
        ("id", "n/a", "source_id", "n/a"),
        ("amount", "12345678901234.123456", "amount", Decimal("12345678901234.123456")),
        ("amount", "007.10", "amount", Decimal("7.10")),
        ("balance", "-0.00", "balance", Decimal(0)),
        ("date_issued", "2024-02-29", "date_issued", date(2024, 2, 29)),
        ("date_issued", "1900-01-01", "date_issued", date(1900, 1, 1)),
        ("date_due", "2199-12-31", "date_due", date(2199, 12, 31)),
        ("date_due", "", "date_due", None),
        ("currency_iso", "JPY", "currency_iso", "JPY"),
    ],
)
def test_a_good_cell_is_kept_exactly(column: str, cell: str, field: str, value: object) -> None:
    result = landed("invoices", invoices(invoice(**{column: cell})))
    assert result.rejections == []
    assert result.rows[0][field] == value


def test_every_error_of_a_row_and_a_file_comes_in_one_pass() -> None:
    bad = invoice(id="", amount="x", balance="-1", currency_iso="usd", date_issued="yesterday", date_due="NULL")
    result = landed("invoices", invoices(bad, invoice(amount="y")))
    assert result.rejections == [
        (2, "id", Code.REQUIRED_VALUE_EMPTY),
        (2, "amount", Code.BAD_DECIMAL),
        (2, "balance", Code.NEGATIVE_AMOUNT),
        (2, "currency_iso", Code.BAD_CURRENCY),
        (2, "date_issued", Code.BAD_DATE),
        (2, "date_due", Code.NULL_TOKEN),
        (3, "amount", Code.BAD_DECIMAL),
    ]
    assert result.rejected[0].raw_text == bad
    assert list(result.rejected[0].cells) == bad.split(",")
    assert result.summary.code_counts[Code.BAD_DECIMAL] == 2


def test_descriptive_cells_that_are_bad_count_as_absent() -> None:
    rows = ("1,Ann,,USD,a,b,,c,,UK,5", "2,Bob,,USD,a,b,,c,,US,", f"3,Cid,{'x' * 10_001},EUR,,,,,,Q,1.5")
    result = landed("customers", "\n".join((CUSTOMER_HEADER, *rows)))
    assert result.rejections == []
    assert result.warned == [
        (2, "country_iso", Code.BAD_COUNTRY),
        (4, "ref", Code.VALUE_IGNORED),
        (4, "country_iso", Code.BAD_COUNTRY),
    ]
    assert [row["absent"] for row in result.rows] == ["{country_iso}", None, "{ref,country_iso}"]
    assert [row["country_iso"] for row in result.rows] == [None, "US", None]
    assert all(warning.value is not None and len(warning.value) <= 80 for warning in result.warnings)


@pytest.mark.parametrize(
    "email",
    [
        "ann",
        "ann@",
        "@x.com",
        "a@b",
        "a b@x.com",
        "a@x.com;b@x.com",
        "a@x.com\t",
        "<a@x.com>",
        "x" * 250 + "@x.de",
    ],
)
def test_bad_email_is_a_warning(email: str) -> None:
    result = landed("contacts", f"{CONTACT_HEADER}\n1,C1,Ann,Null,{email},,\n")
    assert result.warned == [(2, "email", Code.BAD_EMAIL)]
    assert (result.rows[0]["email"], result.rows[0]["absent"]) == (None, "{email}")


def test_null_is_a_surname_and_a_token_elsewhere() -> None:
    result = landed("contacts", f"{CONTACT_HEADER}\n1,C1,None,Null,ann.o'x+y@mail.example.com,,\n2,C1,A,B,NULL,,\n")
    assert (result.rows[0]["first_name"], result.rows[0]["last_name"]) == ("None", "Null")
    assert result.rows[0]["email"] == "ann.o'x+y@mail.example.com"
    assert result.rejections == [(3, "email", Code.NULL_TOKEN)]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("true", True),
        ("TRUE", True),
        ("1", True),
        ("Yes", True),
        ("false", False),
        ("0", False),
        ("NO", False),
    ],
)
def test_booleans(cell: str, value: bool) -> None:
    result = landed("contacts", f"{CONTACT_HEADER}\n1,C1,A,B,,,{cell}\n")
    assert result.rows[0]["is_primary"] is value


def test_a_bad_boolean_rejects() -> None:
    result = landed("contacts", f"{CONTACT_HEADER}\n1,C1,A,B,,,maybe\n2,C1,A,B,,, true\n")
    assert result.rejections == [(2, "is_primary", Code.BAD_BOOLEAN), (3, "is_primary", Code.BAD_BOOLEAN)]


def test_status_words_are_kept_as_sent_and_unknown_ones_ignored() -> None:
    rows = (f"{invoice(id='1')},Partially Paid", f"{invoice(id='2')},teapot", f"{invoice(id='3')},")
    result = landed("invoices", invoices(*rows, header=f"{INVOICE_HEADER},status"))
    assert [row["status"] for row in result.rows] == ["Partially Paid", None, None]
    assert [row["absent"] for row in result.rows] == [None, "{status}", None]
    assert result.warned == [(3, "status", Code.VALUE_IGNORED)]


def test_rules_between_two_cells_warn_and_load() -> None:
    rows = (
        invoice(id="1", amount="10.00", balance="10.01"),
        invoice(id="2", date_issued="2026-03-02", date_due="2026-03-01"),
        invoice(id="3", amount="10.50", balance="10.00", currency_iso="JPY"),
        invoice(id="4", amount="10.1234", balance="0", currency_iso="KWD"),
        invoice(id="5", amount="10.123", balance="0.000000", currency_iso="KWD"),
        invoice(id="6", amount="99999999999999.999999", balance="0", currency_iso="USD"),
        invoice(id="7", amount="10.00", balance="10.00", currency_iso="JPY"),
    )
    result = landed("invoices", invoices(*rows))
    assert result.rejections == []
    assert result.warned == [
        (2, "balance", Code.BALANCE_ABOVE_AMOUNT),
        (3, "date_due", Code.DUE_BEFORE_ISSUED),
        (4, "amount", Code.MORE_DECIMALS_THAN_CURRENCY),
        (5, "amount", Code.MORE_DECIMALS_THAN_CURRENCY),
        (7, "amount", Code.MORE_DECIMALS_THAN_CURRENCY),
    ]
    assert len(result.rows) == 7


def test_rejected_rows_are_not_warned_about() -> None:
    result = landed("invoices", invoices(invoice(amount="10.00", balance="11.00", currency_iso="usd")))
    assert result.warned == []
    assert result.summary.warnings == 0


def test_warnings_are_cut_in_the_list_but_not_in_the_counts() -> None:
    rows = [invoice(id=str(number), amount="1", balance="2") for number in range(50)]
    result = landed("invoices", invoices(*rows), max_findings=7, block_bytes=300)
    assert len(result.warnings) == 7
    assert result.summary.warnings == 50
    assert result.summary.code_counts == {Code.BALANCE_ABOVE_AMOUNT: 50}


def test_money_totals_are_exact_and_by_currency() -> None:
    rows = (
        invoice(id="1", amount="0.1"),
        invoice(id="2", amount="0.2"),
        invoice(id="3", amount="7", currency_iso="EUR"),
    )
    result = landed("invoices", invoices(*rows, invoice(id="4", amount="bad")), block_bytes=200)
    assert result.summary.money_totals["amount"] == {"USD": Decimal("0.3"), "EUR": Decimal(7)}
    links = landed("payments_invoices", f"{LINK_HEADER}\nP1,I1,1.5\nP1,I2,2.25\n")
    assert links.summary.money_totals == {"amount": {"": Decimal("3.75")}}
    customers = landed("customers", f"{CUSTOMER_HEADER}\n1,Ann,,,,,,,,,5\n2,Bob,,USD,,,,,,,\n")
    assert customers.summary.money_totals == {"credit_limit_amount": {"": Decimal(5)}}


def test_extra_columns_become_one_json_object() -> None:
    header = f"{INVOICE_HEADER},region,note"
    rows = (f"{invoice(id='1')},,", f'{invoice(id="2")},"no""rth",a\\b', f'{invoice(id="3")},é,"x\ny\t"')
    result = landed("invoices", invoices(*rows, header=header))
    assert result.landing.header.extra_columns == ("region", "note")
    assert [json.loads(row["extra"]) for row in result.rows] == [
        {"region": None, "note": None},
        {"region": 'no"rth', "note": "a\\b"},
        {"region": "é", "note": "x\ny\t"},
    ]
    assert landed("invoices", invoices(invoice())).rows[0]["extra"] is None


def test_an_extra_cell_that_is_too_long_is_left_out_with_a_warning() -> None:
    text = invoices(f"{invoice()},{'x' * 10_001},ok", header=f"{INVOICE_HEADER},blob,tag")
    result = landed("invoices", text)
    assert json.loads(result.rows[0]["extra"]) == {"tag": "ok"}
    assert result.warned == [(2, "blob", Code.VALUE_IGNORED)]


def test_aliases_and_absent_columns() -> None:
    header = "id,customer_id,ref,amount,balance,currency_iso,date"
    result = landed("payments", f"{header}\nP1,C1,,5,,USD,2026-01-01\nP2,C1,,5,,USD,1.1.26\n")
    assert result.landing.header.fields == (
        "source_id",
        "customer_id",
        "ref",
        "amount",
        "balance",
        "currency_iso",
        "date_paid",
    )
    assert result.rows[0]["date_paid"] == date(2026, 1, 1)
    assert (result.rows[0]["balance"], result.rows[0]["method"]) == (None, None)
    assert result.rejections == [(3, "date", Code.BAD_DATE)]


def test_a_columns_own_name_goes_before_its_alias() -> None:
    header = "id,customer_id,ref,amount,balance,currency_iso,date_issued,date_paid"
    result = landed("payments", f"{header}\nP1,C1,,5,,USD,2026-01-01,2026-01-02\n")
    assert result.rows[0]["date_paid"] == date(2026, 1, 2)
    assert result.rows[0]["extra"] == '{"date_issued":"2026-01-01"}'
    both = failure("payments", "id,customer_id,ref,amount,balance,currency_iso,date,payment_date\n")
    assert [finding.code for finding in both] == [Code.BAD_HEADER]


def test_link_rows_are_keyed_by_the_escaped_pair() -> None:
    result = landed("payments_invoices", f"{LINK_HEADER}\nP|1,I\\1,5\nP,1|I\\1,6\nP2,I2,0\n")
    assert [row["source_id"] for row in result.rows] == ["P\\|1|I\\\\1", "P|1\\|I\\\\1", "P2|I2"]
    assert result.landing.link_keyed_by == "pair"


def test_link_rows_with_ids_are_keyed_by_them() -> None:
    result = landed("payments_invoices", f"id,{LINK_HEADER}\nL1,P1,I1,5\nL2,P1,I1,6\n")
    assert [(row["source_id"], row["link_id"]) for row in result.rows] == [("L1", "L1"), ("L2", "L2")]
    assert result.landing.link_keyed_by == "id"
    empty = landed("payments_invoices", f"id,{LINK_HEADER}\n,P1,I1,5\n")
    assert (empty.landing.link_keyed_by, empty.rows[0]["link_id"]) == ("pair", None)
    assert landed("payments_invoices", LINK_HEADER).landing.link_keyed_by is None
    assert landed("invoices", invoices(invoice())).landing.link_keyed_by is None


@pytest.mark.parametrize("block_bytes", [16, 1 << 20])
def test_mixed_link_keys_fail_the_file(block_bytes: int) -> None:
    found = failure("payments_invoices", f"id,{LINK_HEADER}\nL1,P1,I1,5\n,P1,I2,6\n", block_bytes=block_bytes)
    assert [(f.code, f.line, f.column) for f in found] == [(Code.MISSING_COLUMNS, 3, "id")]
    assert "some have not" in found[0].message


def test_ragged_rows_are_rejected_with_their_text() -> None:
    result = landed("invoices", invoices(invoice(id="1"), "a,b", f"{invoice(id='2')},x", "   ", invoice(id="3")))
    assert result.rejections == [(line, None, Code.RAGGED_ROW) for line in (3, 4, 5)]
    assert [row.raw_text for row in result.rejected] == ["a,b", f"{invoice(id='2')},x", "   "]
    assert "has 2 cells, expected 8" in result.rejected[0].findings[0].message
    assert [row["line"] for row in result.rows] == [2, 6]


def test_every_row_code_of_the_design_is_covered_by_a_level() -> None:
    assert set(CODE_TEXTS) == set(Code)


@pytest.mark.parametrize("table", list(TableName))
def test_the_frame_models_say_what_the_specs_say(table: TableName) -> None:
    from kolleno_pipelines.schemas.frames import MODELS

    spec = TABLES[table]
    schema = MODELS[table].to_schema()
    fields = {"line", "extra", "absent", *spec.fields} | ({"source_id"} if spec.is_link else set())
    assert set(schema.columns) == fields
    for column in spec.columns:
        assert schema.columns[column.field].nullable is not column.required, column.field
        checked = any(check.name == "greater_than_or_equal_to" for check in schema.columns[column.field].checks)
        assert checked is column.non_negative, column.field
    header = ",".join(column.name for column in spec.columns)
    assert landed(table.value, header).landing.header.fields == spec.fields
