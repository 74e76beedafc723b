"""Reading Stripe's payout report: what people may choose is taken, what cannot be read is named where it stands."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date

import pytest

from kolleno_pipelines.connectors.stripe.payout_report import PayoutReport
from kolleno_pipelines.connectors.stripe.report_name import report_name
from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.findings import FileFailed
from kolleno_pipelines.schemas.payout_report import CELLS, ReportName

HEADER = "automatic_payout_id,balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category"
ROW = "po_1,txn_1,2026-02-02 09:30:00,usd,100.00,3.20,96.80,charge"


def _report(text: str | bytes) -> PayoutReport:
    content = text.encode() if isinstance(text, str) else text
    return PayoutReport(lambda: io.BytesIO(content))


def _cells(text: str | bytes) -> list[dict[str, str | int | None]]:
    report = _report(text)
    rows = [dict(zip(("line", *CELLS), row, strict=True)) for row in report.rows()]
    assert report.findings == []
    return rows


def _faults(*rows: str, header: str = HEADER) -> list[tuple[int | None, str | None, str | None, Code]]:
    report = _report("\n".join((header, *rows)))
    list(report.rows())
    assert report.faults == len(report.findings)
    return [(each.line, each.column, each.value, each.code) for each in report.findings]


def _refusal(text: str | bytes) -> FileFailed:
    with pytest.raises(FileFailed) as raised:
        list(_report(text).rows())
    return raised.value


def test_a_row_is_text_by_our_names() -> None:
    (row,) = _cells(f"{HEADER}\n{ROW}\n")
    assert row == dict.fromkeys(CELLS) | {
        "line": 2,
        "source_id": "txn_1",
        "payout_source_id": "po_1",
        "currency_iso": "USD",
        "amount": "100.00",
        "fee": "3.20",
        "net": "96.80",
        "reporting_category": "charge",
        "created_at": "2026-02-02 09:30:00",
    }


@pytest.mark.parametrize(
    "text",
    [
        f"\ufeff{HEADER}\r\n{ROW}\r\n\r\n",
        f"{HEADER}\r{ROW}\r",
        "\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in (HEADER, ROW)),
        f'description,{HEADER},description,payment_metadata[order]\n"""a"", \nb",{ROW},x,y\n',
    ],
    ids=["BOM, CRLF, blank line", "CR", "all quoted", "other columns, a quoted line break"],
)
def test_forms_of_the_file_that_mean_the_same(text: str) -> None:
    assert _cells(text) == _cells(f"{HEADER}\n{ROW}\n")


def test_lines_are_those_of_the_file() -> None:
    text = f'description,{HEADER}\n"a\nb",{ROW}\n\nc,{ROW}\n'
    assert [row["line"] for row in _cells(text)] == [2, 5]


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        (f"description,{HEADER}", [f'"open,{ROW}', f"b,{ROW}", f'ends",{ROW}']),
        (f"{HEADER},description", [f'{ROW},"open', f'{ROW},ends"']),
        (f"{HEADER},description", [f'{ROW},"open', f'{ROW},b\r{ROW},ends"']),
    ],
)
def test_rows_that_an_open_quote_swallows_are_not_one_row(header: str, rows: list[str]) -> None:
    before = f"x,{ROW}" if header.startswith("description") else f"{ROW},x"
    assert _faults(before, *rows, header=header) == [(3, None, None, Code.UNCLOSED_QUOTE)]


@pytest.mark.parametrize("text", ["a\nb", "a\r\n\r\nb,c", "1,2,3,4,5,6,7,8\n1,2,3,4,5,6,7,8"])
@pytest.mark.parametrize("first", [True, False])
def test_a_description_of_several_lines_is_no_row(text: str, *, first: bool) -> None:
    header, row = (
        (f"description,{HEADER}", f'"{text}",{ROW}') if first else (f"{HEADER},description", f'{ROW},"{text}"')
    )
    assert [cells["source_id"] for cells in _cells(f"{header}\n{row}\n")] == ["txn_1"]


def test_columns_in_utc_are_taken_before_those_of_a_zone() -> None:
    report = _report(f"{HEADER},created,available_on\n{ROW},2026-02-02 04:30:00,2026-02-03 19:00:00\n")
    assert report.layout.columns["created_at"] == "created_utc"
    assert report.layout.columns["available_on"] == "available_on"
    assert report.layout.in_utc == {"created_at"}
    (row,) = report.rows()
    assert (row[1 + CELLS.index("created_at")], row[1 + CELLS.index("available_on")]) == (
        "2026-02-02 09:30:00",
        "2026-02-03 19:00:00",
    )


def _amounts(currency: str, *amounts: str) -> Sequence[str]:
    rows = [f'po_1,txn_{n},2026-02-02 09:30:00,{currency},"{each}",0,0,charge' for n, each in enumerate(amounts)]
    return [str(row["amount"]) for row in _cells("\n".join((HEADER, *rows)))]


def test_amounts_have_the_decimals_of_their_currency() -> None:
    assert _amounts("usd", "100.00", "-0.01", "5", "5.5", "1.230000") == ["100.00", "-0.01", "5", "5.5", "1.230000"]
    assert _amounts("jpy", "1234", "1234.00") == ["1234", "1234.00"]
    assert _amounts("kwd", "1.234", "-12345678901234.567") == ["1.234", "-12345678901234.567"]
    assert _amounts("isk", "500.00", "500") == ["500.00", "500"]


def test_a_decimal_comma_is_one_throughout() -> None:
    assert _amounts("usd", "1234,50", "-0,01") == ["1234.50", "-0.01"]
    assert _amounts("kwd", "1,234") == ["1.234"]


@pytest.mark.parametrize(
    ("currency", "amounts"),
    [
        ("usd", ["1,234"]),  # a thousand, in a file that a spreadsheet wrote
        ("usd", ["1,230"]),
        ("usd", ["1.00", "1,00"]),
        ("usd", ["0.005"]),
        ("jpy", ["100.5"]),
        ("kwd", ["0.0001"]),
        ("usd", ["1,234.50"]),
        ("usd", ["1e3"]),
        ("usd", ["$5.00"]),
        ("usd", [" 5.00"]),
        ("usd", [""]),
        ("usd", ["123456789012345.00"]),
        ("usd", ["NaN"]),
        ("usd", ["\uff11.00"]),
    ],
)
def test_an_amount_that_is_none_is_named(currency: str, amounts: list[str]) -> None:
    rows = [f'po_1,txn_{n},2026-02-02 09:30:00,{currency},"{each}",0,0,charge' for n, each in enumerate(amounts)]
    assert _faults(*rows) == [(1 + len(rows), "gross", amounts[-1] or None, Code.BAD_DECIMAL)]


def test_each_bad_cell_of_the_file_is_named() -> None:
    faults = _faults(
        ROW,
        "po_1,txn_2,2026-02-30 09:30:00,usd,100.00,3.20,96.80,charge",
        "po_1,,2026-02-02,usdollar,1.00,x,1.00,charge",
        ",txn_4,2026-02-02 09:30:00,usd,1.00,0,1.00,a charge",
        "po_1,txn_5,2026-02-02 09:30:00,usd,1.00,0,1.00",
        "po_1,txn\u00a06,,usd,1.00,0,1.00,",
        "po_1,txn_7,9999-12-31 23:59:59,usd,1.00,0,1.00,",
        "po_1,txn_8,2026-02-02 09:30:00,u\u017fd,1.00,0,1.00,",
    )
    assert faults == [
        (3, "created_utc", "2026-02-30 09:30:00", Code.BAD_DATE),
        (4, "currency", "usdollar", Code.BAD_CURRENCY),
        (4, "balance_transaction_id", None, Code.REQUIRED_VALUE_EMPTY),
        (4, "fee", "x", Code.BAD_DECIMAL),
        (4, "created_utc", "2026-02-02", Code.BAD_DATE),
        (5, "automatic_payout_id", None, Code.REQUIRED_VALUE_EMPTY),
        (5, "reporting_category", "a charge", Code.VALUE_TOO_LONG),
        (6, None, None, Code.RAGGED_ROW),
        (7, "balance_transaction_id", "txn\\xa06", Code.VALUE_TOO_LONG),
        (7, "created_utc", None, Code.BAD_DATE),
        (8, "created_utc", "9999-12-31 23:59:59", Code.BAD_DATE),
        (9, "currency", "u\u017fd", Code.BAD_CURRENCY),
    ]


def test_faults_are_counted_when_they_are_no_longer_listed() -> None:
    text = "\n".join((HEADER, *[ROW.replace("100.00", "x")] * 5))
    report = PayoutReport(lambda: io.BytesIO(text.encode()), max_findings=2)
    assert list(report.rows()) == []
    assert (report.faults, len(report.findings), report.rows_read) == (5, 2, 5)


def test_every_missing_and_doubled_column_is_named() -> None:
    failed = _refusal("currency,gross,net,net,category\n")
    assert [(each.code, each.column) for each in failed.findings] == [
        (Code.MISSING_COLUMNS, "balance_transaction_id"),
        (Code.MISSING_COLUMNS, "automatic_payout_id"),
        (Code.MISSING_COLUMNS, "fee"),
        (Code.BAD_HEADER, "net"),
    ]


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b"", Code.EMPTY_FILE, None),
        (b"\xef\xbb\xbf\r\n", Code.EMPTY_FILE, None),
        (f"{HEADER}\n{ROW}\n".encode("utf-16"), Code.UNDECODABLE, None),
        (f"{HEADER},description\n{ROW},x\n{ROW},M\u00fcller\n".encode("latin-1"), Code.UNDECODABLE, 3),
        (f"{HEADER}\n".replace(",", ";").encode(), Code.BAD_DELIMITER, None),
        (f"{HEADER}\n".replace(",", "\t").encode(), Code.BAD_DELIMITER, None),
        (f'{HEADER},description\n{ROW},"never\nends\n'.encode(), Code.UNCLOSED_QUOTE, 3),
        (f'{HEADER},description\n{ROW},"ends"too early\n'.encode(), Code.UNCLOSED_QUOTE, 2),
    ],
)
def test_a_file_that_cannot_be_read_says_why(content: bytes, code: Code, line: int | None) -> None:
    (finding,) = _refusal(content).findings
    assert (finding.code, finding.line) == (code, line)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "Itemized_payout_reconciliation_USD_2026-01-01_to_2026-01-31_America-Chicago.csv",
            ReportName("USD", date(2026, 1, 1), date(2026, 1, 31), "America/Chicago"),
        ),
        (
            "itemized_payout_reconciliation_eur_2026-01-01_to_2026-01-31_UTC (2).csv",
            ReportName("EUR", date(2026, 1, 1), date(2026, 1, 31), "UTC"),
        ),
        (
            "Itemized_payout_reconciliation_USD_2026-01-01_to_2026-01-31_America-Port-au-Prince.csv",
            ReportName("USD", date(2026, 1, 1), date(2026, 1, 31), "America/Port-au-Prince"),
        ),
        ("Itemized_payout_reconciliation_USD_2026-01-01_to_2026-02-31_UTC.csv", None),
        ("Itemized_payout_reconciliation_USD_2026-01-31_to_2026-01-01_UTC.csv", None),
        ("Itemized_payout_reconciliation_USD_2026-01-01_to_2026-01-31_Moon-Base.csv", None),
        ("january.csv", None),
    ],
)
def test_what_the_name_of_a_download_says(name: str, said: ReportName | None) -> None:
    assert report_name(name) == said
