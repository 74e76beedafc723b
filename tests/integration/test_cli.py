"""The command as operators and scripts use it: real processes, a drop folder, a database of their own."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from kolleno_pipelines.cli.reports import NAMES
from kolleno_pipelines.pipeline.report_columns import report_columns
from tests.command_line import CUSTOMER, INVOICE, LINK, PAYMENT, STANDARD, Site, make_site


@pytest.fixture
def site(tmp_path: Path, database: str) -> Site:
    return make_site(tmp_path / "site", database)


def test_ingest_takes_what_is_new_through_and_a_second_one_says_nothing_new(site: Site) -> None:
    site.put_batch("2025-03-03T06:00:00", STANDARD)
    first = site.data("ingest")["connections"][0]
    assert len(first["taken"]) == 7
    assert first["batches"] == ["20250303T060000"]
    assert first["changes"]["invoices"] == {"new": 1, "changed": 0, "gone": 0, "fields": 0}
    assert first["days"] == ["2025-03-03"]
    assert {result["result"] for result in first["results"]} >= {"control_totals", "ageing", "differences"}

    second = site.run("ingest")
    assert "sftp: nothing new." in second.stdout
    again = site.data("ingest")["connections"][0]
    assert again["taken"] == again["loaded"] == again["results"] == []

    files = site.data("files")
    assert [file["status"] for file in files] == ["processed"] * 7
    rows = {file["type"]: file["rows_accepted"] for file in files}
    assert {name for name, number in rows.items() if number} == set(STANDARD)
    assert "7 files." in site.run("files", "--status", "processed").stderr
    assert site.data("files", "--from", "2025-03-04") == []


def test_reports_have_the_shapes_and_the_figures(site: Site) -> None:
    site.put_batch("2025-03-03T06:00:00", STANDARD)
    site.run("ingest")
    assert site.data("report", "control-totals") == [
        {
            "connection": "sftp",
            "currency_iso": "USD",
            "customers": 1,
            "invoices_open": 1,
            "invoices_balance": "60.00",
            "credit_notes_balance": "0.00",
            "payments_balance": "0.00",
            "journals_balance": "0.00",
            "net": "60.00",
            "stated": None,
            "difference": None,
            "breaks": [],
            "accounts": [],
        }
    ]
    ageing = site.data("report", "ageing", "--as-of", "2025-04-30")
    assert [row["bucket"] for row in ageing] == ["not_due", "1-30", "31-60", "61-90", "91+", "unapplied"]
    late = {"connection": "sftp", "currency_iso": "USD", "bucket": "1-30", "documents": 1, "amount": "60.00"}
    assert late in ageing
    by_customer = site.data("report", "ageing", "--as-of", "2025-03-01", "--by", "customer")
    assert {"customer_source_id": "C1", "bucket": "not_due", "amount": "100.00"}.items() <= by_customer[0].items()
    rolled = site.data("report", "roll-forward", "--as-of", "2025-03-02")[0]
    assert (rolled["opening"], rolled["receipts"], rolled["closing"]) == ("100.00", "40.00", "60.00")

    out = site.folder / "ageing.csv"
    site.run("report", "ageing", "--csv", str(out), "--as-of", "2025-04-30")
    with out.open(encoding="utf-8", newline="") as file:
        assert [row["amount"] for row in csv.DictReader(file)] == [row["amount"] for row in ageing]
    shown = site.run("report", "ageing", "--csv", "-", "--as-of", "2025-04-30").stdout
    assert shown == out.read_text(encoding="utf-8")

    assert "--as-of does not go with balances" in site.refusal("report", "balances", "--as-of", "2025-03-03")
    assert "there are balances, control-totals" in site.refusal("report", "profit")
    assert "No connection of connections.yaml is a payment provider's" in site.run("report", "payouts").stderr
    assert "--json: it does not go with --csv" in site.refusal("report", "charges", "--json", "--csv", "-")
    assert "today" in site.refusal("report", "ageing", "--as-of", "2199-01-01")


def test_a_break_is_found_accepted_and_opened_again(site: Site) -> None:
    site.put_batch("2025-03-03T06:00:00", STANDARD)
    site.run("ingest")
    # A later file lowers the balance by 0.01 without a payment: nothing explains it.
    site.put_batch("2025-03-04T06:00:00", {"invoices": [INVOICE | {"balance": "59.99"}]})
    assert "1 breaks ask for somebody" in site.run("ingest").stdout
    (found,) = site.data("report", "differences", code=1)
    assert (found["left_source_id"], found["amount"], found["status"]) == ("I1", "0.01", "open")
    assert site.data("report", "balances", code=1)[0]["difference"] == "0.01"

    assert "unknown" not in site.run("differences", "accept", found["break_id"], "--why", "a cent of rounding").stderr
    (accepted,) = site.data("report", "differences")
    assert (accepted["status"], accepted["why"]) == ("accepted", "a cent of rounding")
    site.run("differences", "reopen", found["break_id"], "--why", "it was none")
    assert site.data("report", "differences", code=1)[0]["status"] in {"open", "reopened"}

    assert "There is no break nope" in site.refusal("differences", "accept", "nope", "--why", "x")
    assert "has passed" in site.refusal(
        "differences", "accept", found["break_id"], "--why", "x", "--until", "2020-01-01"
    )
    assert "--why" in site.refusal("differences", "accept", found["break_id"])


def test_a_failed_file_stays_visible_until_its_batch_is_released(site: Site) -> None:
    site.put_batch("2025-03-03T06:00:00", {**STANDARD, "invoices": b"id,customer_id,amount\nI1,C1,5\n"})
    done = site.run("ingest", code=1)
    assert "invoices_2025-03-03T06:00:00.csv failed: " in done.stdout
    assert "ref" in done.stdout
    shown = site.data("files", "show", "invoices_2025-03-03T06:00:00.csv")
    assert shown["status"] == "failed"
    assert [finding["code"] for finding in shown["findings"]] == ["missing_columns"]
    assert "missing_columns" in site.run("files", "show", "invoices_2025-03-03T06:00:00.csv").stdout
    assert site.data("report", "control-totals") == []

    (batch,) = site.data("batches", "--open")
    assert (batch["status"], batch["failed"]) == ("failed", ["invoices"])
    told = site.run("batches", "release", batch["batch_id"], "--why", "the sender has no invoices today").stderr
    assert "is released without invoices" in told
    site.run("ingest", code=None)
    assert site.data("trace", "customer", "C1")["records"][0]["name"] == "Null & Sons"
    # The payment's link waits for the invoice, and says for which.
    waiting = site.data("trace", "allocations", "P1|I1")["waiting"]
    assert [(each["code"], each["parent_id"]) for each in waiting] == [("unknown_invoice", "I1")]


def test_a_batch_with_a_missing_file_waits_and_can_be_skipped(site: Site) -> None:
    site.put_batch("2025-03-03T06:00:00", STANDARD, leave_out="credit_notes")
    site.put_batch("2025-03-04T06:00:00", {"customers": [CUSTOMER | {"id": "C2"}]})
    done = site.run("ingest", code=None)
    assert "Batch 20250303T060000 is" in done.stdout
    assert "credit_notes" in done.stdout
    # An incomplete batch never blocks a later complete one.
    assert site.data("trace", "customers", "C2")["records"][0]["source_id"] == "C2"
    assert "open batches: 20250303T060000." in site.refusal("batches", "skip", "x")
    site.run("batches", "skip", "20250303T060000")
    assert [batch["status"] for batch in site.data("batches")] == ["skipped", "processed"]
    assert {f["status"] for f in site.data("files", "--from", "2025-03-03", "--to", "2025-03-03")} == {"skipped"}


def test_rejected_rows_go_out_are_corrected_and_come_back(site: Site) -> None:
    bad = [
        INVOICE,
        INVOICE | {"id": "I2", "ref": "=1+1", "amount": "1,000.00", "balance": "1000.00"},
        INVOICE | {"id": "I3", "ref": "", "date_issued": "31/03/2025"},
    ]
    site.put_batch("2025-03-03T06:00:00", {**STANDARD, "invoices": bad})
    assert "2 of 3 rows rejected" in site.run("ingest", code=1).stdout
    name = "invoices_2025-03-03T06:00:00.csv"
    kept = site.data("trace", "invoice", "I2")
    assert kept["records"] == []
    assert kept["rejected"][0]["findings"][0]["code"] == "bad_decimal"

    written = site.run("rejects", name, "--out", ".").stdout.strip()
    assert written == "invoices_2025-03-03T06:00:00.fix1.csv"
    with (site.folder / written).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["reject_line"] for row in rows] == ["3", "4"]
    assert rows[0]["ref"] == "'=1+1"  # no spreadsheet runs it
    assert set(rows[1]["reject_codes"].split()) == {"required_value_empty", "bad_date"}
    rows[0]["amount"] = "1000.00"
    rows[1] |= {"ref": "INV 3", "date_issued": "2025-03-31"}
    corrected = io.StringIO()
    writer = csv.DictWriter(corrected, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    site.put(written, corrected.getvalue().encode())

    assert site.data("ingest")["connections"][0]["changes"]["invoices"]["new"] == 2
    assert site.data("trace", "invoice", "I2")["records"][0]["ref"] == "=1+1"
    assert site.data("report", "control-totals")[0]["invoices_open"] == 3
    told = site.run("rejects", "customers_2025-03-03T06:00:00.csv", "--out", "none.csv").stderr
    assert "has no rejected rows" in told
    assert not (site.folder / "none.csv").exists()
    assert "similar: invoices_2025" in site.refusal("rejects", "invoices_2025-03-03.csv", "--out", "x.csv")


def test_reprocessing_changes_nothing_and_reads_the_archive_alone(site: Site) -> None:
    site.put_batch("2025-03-03T06:00:00", STANDARD)
    site.put_batch("2025-03-05T06:00:00", {"invoices": [INVOICE | {"ref": "INV 1b"}]})
    site.run("ingest")
    totals = site.data("report", "control-totals")
    for path in site.drop.iterdir():
        path.unlink()
    would = site.data("reprocess", "--from", "2025-03-01", "--to", "2025-03-04", "--dry-run")
    assert (would["dry_run"], len(would["files"]), would["changes"]) == (True, 7, {})
    for _ in range(2):
        done = site.data("reprocess", "--from", "2025-03-01", "--to", "2025-03-04")
        assert (len(done["files"]), done["changed"]) == (7, 0)
    # The old range did not overwrite what the newer file says.
    assert site.data("trace", "invoice", "I1")["records"][0]["ref"] == "INV 1b"
    assert site.data("report", "control-totals") == totals
    only = site.data("reprocess", "--from", "2025-03-01", "--to", "2025-03-31", "--only", "failed")
    assert only["files"] == []
    assert "nothing changed" in site.run("reprocess", "--from", "2025-03-01", "--to", "2025-03-31").stderr
    assert "lies before" in site.refusal("reprocess", "--from", "2025-03-02", "--to", "2025-03-01")
    assert "it is `failed`" in site.refusal("reprocess", "--from", "2025-03-01", "--to", "2025-03-01", "--only", "bad")


def test_only_failed_files_are_read_again_and_a_corrected_upload_replaces_them(site: Site) -> None:
    name = "payments_invoices_2025-03-03T06:00:00.csv"
    site.put_batch("2025-03-03T06:00:00", {**STANDARD, "payments_invoices": b"payment_id;invoice_id;amount\n"})
    site.put_batch("2025-03-03T09:00:00", leave_out="payments_invoices")
    site.run("ingest", code=1)
    done = site.run("reprocess", "--from", "2025-03-03", "--to", "2025-03-03", "--only", "failed", code=1)
    assert f"{name} failed" in done.stderr
    site.put(name, b"payment_id,invoice_id,amount\nP1,I1,40.00\n")
    assert site.data("ingest", code=None)["connections"][0]["changes"]["allocations"]["new"] == 1
    shown = site.data("files", "show", name)
    assert (shown["receipt"], shown["status"]) == (2, "processed")
    assert [older["status"] for older in shown["older"]] == ["replaced"]


def test_trace_names_files_lines_values_and_changes(site: Site) -> None:
    site.put_batch("2025-03-03T06:00:00", {**STANDARD, "invoices": [INVOICE | {"id": "I0"}, INVOICE]})
    site.put_batch(
        "2025-03-04T06:00:00",
        {
            "invoices": [INVOICE | {"balance": "20.00"}],
            "payments": [PAYMENT | {"id": "P2"}],
            "payments_invoices": [LINK | {"payment_id": "P2"}],
        },
    )
    site.run("ingest")
    traced = site.data("trace", "invoices", "I1")
    assert [(each["file"], each["receipt"], each["line"]) for each in traced["statements"]] == [
        ("invoices_2025-03-03T06:00:00.csv", 1, 3),
        ("invoices_2025-03-04T06:00:00.csv", 1, 2),
    ]
    assert [each["values"]["balance"] for each in traced["statements"]] == ["60", "20"]
    (change,) = [each for each in traced["changes"] if each["field"] == "balance"]
    assert (float(change["old_value"]), float(change["new_value"])) == (60, 20)
    assert (change["file"], change["receipt"], change["line"]) == ("invoices_2025-03-04T06:00:00.csv", 1, 2)
    assert traced["records"][0]["origin"] == "invoices_2025-03-04T06:00:00.csv line 2"
    for word in ("invoice", "Invoices"):
        text = site.run("trace", word, "I1").stdout
        assert "invoices_2025-03-04T06:00:00.csv" in text
        assert "20.000000" in text
    assert [each["table_name"] for each in site.data("trace", "allocation", "P2|I1")["statements"]] == [
        "payments_invoices"
    ]
    assert "No file ever said anything about invoices nope" in site.run("trace", "invoice", "nope", code=1).stderr
    assert "it is one of customers, contacts" in site.refusal("trace", "orders", "1")


def test_a_report_has_its_header_with_rows_and_without(site: Site) -> None:
    # With one connection there is nothing to agree with, and no provider: the tests of these reports have columns.
    names = [name for name in NAMES if name not in {"agreement", "charges", "payouts", "balance-proofs"}]
    reports: list[tuple[str, ...]] = [(name,) for name in names] + [("ageing", "--by", "customer")]
    empty = {words: report_columns(words[0], by_customer=len(words) > 1) for words in reports}
    assert _header(site, *reports[-1]) == empty[reports[-1]]
    site.put_batch("2025-03-03T06:00:00", {**STANDARD, "invoices": [INVOICE | {"id": "=I1"}], "payments_invoices": []})
    site.run("ingest", code=None)
    other = {**INVOICE, "id": "=I1", "balance": "59.99"}
    site.put_batch("2025-03-04T06:00:00", {"invoices": [other], "payments": [PAYMENT | {"balance": "7.00"}]})
    site.run("ingest", code=None)
    for words in reports:
        rows = site.data("report", *words, code=None)
        assert rows, words
        assert list(rows[0]) == empty[words], words
    assert _header(site, *reports[-1]) == empty[reports[-1]]
    shown = site.run("report", "differences", "--csv", "-", code=None).stdout
    assert ",'=I1," in shown
    assert ",=I1," not in shown


def _header(site: Site, *words: str) -> list[str]:
    return next(csv.reader(io.StringIO(site.run("report", *words, "--csv", "-", code=None).stdout)))


def test_cells_of_a_sender_do_not_speak_to_the_terminal(site: Site) -> None:
    name, lost = "\x1b]0;owned\x07 & Sons \u202e", INVOICE | {"id": "I\x1b[2J", "customer_id": "C\x1b[31m"}
    site.put_batch(
        "2025-03-03T06:00:00", {**STANDARD, "customers": [CUSTOMER | {"name": name}], "invoices": [INVOICE, lost]}
    )
    site.run("ingest", code=None)
    told = site.run("trace", "customers", "C1").stdout
    assert "\\x1b]0;owned\\x07 & Sons" in told
    waiting = site.run("files", "show", "invoices_2025-03-03T06:00:00.csv").stdout
    assert "C\\x1b[31m" in waiting
    for text in (told, waiting, site.run("files").stdout, site.run("report", "balances", code=None).stdout):
        assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert site.data("trace", "customers", "C1")["records"][0]["name"] == name
