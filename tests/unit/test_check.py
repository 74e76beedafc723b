"""`check`: files and folders validated offline, as the command reports them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from landed_files import CUSTOMER_HEADER, INVOICE_HEADER, LINK_HEADER, invoice, invoices
from typer.testing import CliRunner

from kolleno_pipelines.cli.app import app
from kolleno_pipelines.connectors.sftp.landing import LandingOptions
from kolleno_pipelines.pipeline.check import CouldNotCheckError, check
from kolleno_pipelines.pipeline.check_report import FileReport
from kolleno_pipelines.schemas.codes import Code

DAY = "2026-01-10T06:00"
PAYMENTS = "id,customer_id,ref,amount,balance,currency_iso,date_paid"


def write(folder: Path, name: str, text: str | bytes) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def by_name(folder: Path, **options: Any) -> dict[str, FileReport]:
    return {file.name: file for file in check([folder], **options).files}


def test_a_folder_is_reported_in_the_order_of_names(tmp_path: Path) -> None:
    write(tmp_path, f"invoices_{DAY}:02.csv", invoices(invoice(id="1"), invoice(id="2", amount="x"), invoice(id="3")))
    write(tmp_path, f"customers_{DAY}:00.csv", CUSTOMER_HEADER + "\n1,Ann,,,,,,,,UK,\n")
    write(tmp_path, f"payments_{DAY}:04.csv", "id;amount\n")
    write(tmp_path, "notes.csv", "x")
    write(tmp_path, "report.pdf", b"%PDF")
    write(tmp_path, f"contacts_{DAY}:01.csv.part", "x")
    write(tmp_path, ".DS_Store", b"\0")
    (tmp_path / "archive").mkdir()
    report = check([tmp_path])
    assert [(file.name, file.type, file.status) for file in report.files] == [
        (f"contacts_{DAY}:01.csv.part", None, "ignored"),
        (f"customers_{DAY}:00.csv", "customers", "clean"),
        (f"invoices_{DAY}:02.csv", "invoices", "rejects"),
        ("notes.csv", None, "ignored"),
        (f"payments_{DAY}:04.csv", "payments", "failed"),
        ("report.pdf", None, "ignored"),
    ]
    assert report.has_findings
    files = json.loads(json.dumps(report.to_json()))["files"]
    assert files[2] == {
        "name": f"invoices_{DAY}:02.csv",
        "type": "invoices",
        "status": "rejects",
        "rows_read": 3,
        "rows_accepted": 2,
        "rows_rejected": 1,
        "findings": [
            {
                "line": 3,
                "column": "amount",
                "value": "x",
                "code": "bad_decimal",
                "level": "rejected",
                "message": files[2]["findings"][0]["message"],
            }
        ],
    }
    assert [finding["code"] for finding in files[1]["findings"]] == ["bad_country"]
    assert [finding["code"] for finding in files[4]["findings"]] == ["bad_delimiter", "missing_columns"]
    assert [files[index]["findings"][0]["code"] for index in (0, 3, 5)] == [
        "unexpected_name",
        "unexpected_name",
        "not_csv",
    ]


def test_clean_files_have_no_findings(tmp_path: Path) -> None:
    path = write(tmp_path, f"invoices_{DAY}:00.csv", invoices(invoice()))
    report = check([path, str(path)])
    assert not report.has_findings
    assert len(report.files) == 1
    assert report.files[0].to_json()["findings"] == []


def test_the_list_is_cut_but_never_the_counts(tmp_path: Path) -> None:
    rows = [invoice(id=str(number), amount="1" if number % 2 else "x") for number in range(40)]
    write(tmp_path, f"invoices_{DAY}:00.csv", invoices(*rows))
    (report,) = check([tmp_path], max_findings=5).files
    assert len(report.findings) == 5
    assert (report.rows_rejected, report.codes[Code.BAD_DECIMAL], report.codes[Code.BALANCE_ABOVE_AMOUNT]) == (
        20,
        20,
        20,
    )
    (report,) = check([tmp_path], max_findings=0).files
    assert (report.findings, report.status) == ([], "rejects")


def test_findings_are_in_the_order_of_lines(tmp_path: Path) -> None:
    rows = [invoice(id="1"), invoice(id="2", balance="999"), invoice(id="3", amount="x"), invoice(id="1", ref="other")]
    write(tmp_path, f"invoices_{DAY}:00.csv", invoices(*rows))
    (report,) = check([tmp_path]).files
    assert [(finding.line, finding.code) for finding in report.findings] == [
        (2, "duplicate_id"),
        (3, "balance_above_amount"),
        (4, "bad_decimal"),
        (5, "duplicate_id"),
    ]


def test_a_failure_comes_first_and_keeps_what_was_found_before(tmp_path: Path) -> None:
    text = invoices(invoice(id="1", amount="x"), *(invoice(id=str(number)) for number in range(20))) + "\0"
    write(tmp_path, f"invoices_{DAY}:00.csv", text)
    (report,) = check([tmp_path], options=LandingOptions(block_bytes=200)).files
    assert (report.status, report.rows_accepted, report.rows_rejected) == ("failed", 0, 0)
    assert report.rows_read > 1
    assert [finding.code for finding in report.findings] == [Code.NULL_BYTE, Code.BAD_DECIMAL]


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    folder = tmp_path / "drop"
    write(folder, f"customers_{DAY}:00.csv", f"{CUSTOMER_HEADER}\nC1,Ann,,,,,,,,,\nC3,Cid,,,,,,,,,x\n")
    write(folder, f"invoices_{DAY}:02.csv", invoices(*(invoice(id=f"I{n}", customer_id=f"C{n}") for n in (1, 2, 3))))
    write(folder, f"payments_{DAY}:04.csv", f"{PAYMENTS}\nP1,C1,,5,,USD,2026-01-01\nP1,C1,,6,,USD,2026-01-01\n")
    write(folder, f"payments_invoices_{DAY}:05.csv", f"{LINK_HEADER}\nP1,I1,5\nP2,I9,5\n")
    return folder


def test_parents_are_not_looked_for_without_a_baseline(drop: Path) -> None:
    files = by_name(drop)
    assert files[f"payments_invoices_{DAY}:05.csv"].status == "clean"
    assert not any(code.startswith("unknown_") for file in files.values() for code in file.codes)


def test_unknown_parents_are_reported_with_a_baseline(drop: Path, tmp_path: Path) -> None:
    before = tmp_path / "before"
    write(before, "customers_2025-01-01T00:00:00.csv", f"{CUSTOMER_HEADER}\nC2,Bob,,,,,,,,,\n")
    write(before, "payments_2025-01-01T00:00:00.csv", f"{PAYMENTS}\nP2,C2,,5,,USD,2026-01-01\n")
    write(before, "invoices_2025-01-01T00:00:00.csv", "id\n")
    files = by_name(drop, baseline=before)
    found = files[f"invoices_{DAY}:02.csv"]
    assert [(f.line, f.column, f.value, f.code, f.level) for f in found.findings] == [
        (4, "customer_id", "C3", "unknown_customer", "parked")
    ]
    assert (found.status, found.rows_accepted, found.rows_rejected) == ("rejects", 3, 0)
    links = files[f"payments_invoices_{DAY}:05.csv"]
    # P1 is withdrawn as a duplicate, P2 is in the baseline; I1 is in the drop, I9 nowhere.
    assert [(f.line, f.code) for f in links.findings] == [(2, "unknown_payment"), (3, "unknown_invoice")]
    assert len(files) == 5, "the file of the baseline that fails is reported as well"


def test_the_same_moment_twice_is_ignored_when_it_says_the_same(tmp_path: Path) -> None:
    write(tmp_path, "invoices_2026-01-10T06-00-00.csv", invoices(invoice()))
    write(tmp_path, "invoices_2026-01-10T06:00:00.csv", invoices(invoice()))
    write(tmp_path, "invoices_2026-01-10T06:00:01.csv", invoices(invoice()))
    assert [file.status for file in check([tmp_path]).files] == ["clean", "ignored", "clean"]
    write(tmp_path, "invoices_2026-01-10T06:00:00.csv", invoices(invoice(amount="99.00")))
    assert [file.status for file in check([tmp_path]).files] == ["clean", "clean", "clean"]


def test_names_are_judged_against_now_when_it_is_given(tmp_path: Path) -> None:
    for day in ("2019-12-31", "2026-01-10", "2026-01-11", "2026-01-12"):
        write(tmp_path, f"invoices_{day}T06:00:00.csv", INVOICE_HEADER)
    now = datetime(2026, 1, 10, 20, tzinfo=UTC)
    files = check([tmp_path], now=now, first_day=date(2020, 1, 1)).files
    assert [(file.status, [finding.code for finding in file.findings]) for file in files] == [
        ("ignored", ["before_start"]),
        ("clean", []),
        ("clean", ["dated_in_future"]),
        ("ignored", ["dated_in_future"]),
    ]
    assert not check([tmp_path]).has_findings


def test_progress_names_the_file_and_its_rows(tmp_path: Path) -> None:
    write(tmp_path, f"invoices_{DAY}:00.csv", invoices(*(invoice(id=str(n)) for n in range(9))))
    told: list[tuple[str, int]] = []
    check([tmp_path], options=LandingOptions(block_bytes=200), progress=lambda name, rows: told.append((name, rows)))
    assert told[-1] == (f"invoices_{DAY}:00.csv", 9)
    assert len(told) > 1


def test_a_path_that_is_not_there_cannot_be_checked(tmp_path: Path) -> None:
    with pytest.raises(CouldNotCheckError, match="no file and no folder"):
        check([tmp_path / "nowhere"])
    with pytest.raises(CouldNotCheckError):
        check([tmp_path], baseline=tmp_path / "nowhere")
    broken = tmp_path / f"invoices_{DAY}:00.csv"
    broken.symlink_to(broken)
    with pytest.raises(CouldNotCheckError):
        check([broken])


def test_hostile_names_are_printed_safely(tmp_path: Path) -> None:
    write(tmp_path, "invoices\x1b[31m\n.csv", "x")
    (file,) = check([tmp_path]).files
    assert file.name == "invoices\\x1b[31m\\n.csv"
    assert all(finding.message.isprintable() for finding in file.findings)


def test_a_file_of_the_baseline_that_fails_is_in_the_report(tmp_path: Path) -> None:
    write(tmp_path / "sent", f"customers_{DAY}:00.csv", "id;name\n1;Ann\n")
    write(tmp_path / "new", f"invoices_{DAY}:02.csv", invoices(invoice(id="1", customer_id="1")))
    report = check([tmp_path / "new"], baseline=tmp_path / "sent")
    assert [(file.name, file.status.value) for file in report.files] == [
        (f"customers_{DAY}:00.csv", "failed"),
        (f"invoices_{DAY}:02.csv", "rejects"),
    ]
    assert Code.BAD_DELIMITER in report.files[0].codes


def test_the_command_knows_the_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "customers_2099-01-01T06:00:00.csv", CUSTOMER_HEADER + "\n")
    write(tmp_path, "customers_2019-01-01T06:00:00.csv", CUSTOMER_HEADER + "\n")

    def codes(**environment: str) -> dict[str, list[str]]:
        for name in ("KOLLENO_FIRST_DAY", *environment):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        said = CliRunner().invoke(app, ["check", str(tmp_path), "--json"])
        return {f["name"][10:14]: [g["code"] for g in f["findings"]] for f in json.loads(said.stdout)["files"]}

    assert codes() == {"2099": ["dated_in_future"], "2019": []}
    assert codes(KOLLENO_FIRST_DAY="2020-01-01") == {"2099": ["dated_in_future"], "2019": ["before_start"]}
