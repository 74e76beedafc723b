"""The synthetic company and its own answers: determinism, the ties among the answers, the files against the books."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from kolleno_pipelines.sandbox import drops
from kolleno_pipelines.sandbox.answer_lines import net_of
from kolleno_pipelines.sandbox.answers import Answers, bucket_of
from kolleno_pipelines.sandbox.books import DocumentKey
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.events import AllocationStated, BalanceMoved, DocumentIssued, DocumentVoided
from kolleno_pipelines.schemas.sftp_tables import TABLES, TableName
from kolleno_pipelines.schemas.statuses import SFTP_STATUSES, normalise_status

SEEDS = (1, 2, 7)


@pytest.fixture(scope="module", params=SEEDS)
def company(request: pytest.FixtureRequest) -> Company:
    return Company.build(request.param, customers=40, days=30, invoices_per_day=8)


def _digest(company: Company) -> str:
    digest = hashlib.sha256()
    for drop in drops.arrivals(company):
        for name, content in drop.files.items():
            digest.update(name.encode() + b"\0" + content)
    return digest.hexdigest()


def test_same_seed_gives_the_same_bytes_in_another_process() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from tests.unit.test_sandbox_company import _digest, Company\n"
        "print(_digest(Company.build(5, customers=20, days=8)))"
    )
    root = str(Path(__file__).parents[2])
    digests = {
        subprocess.run(
            [sys.executable, "-c", code, root],
            env={**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": "C", "TZ": "Asia/Tokyo"},
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert digests == {_digest(Company.build(5, customers=20, days=8))}
    assert _digest(Company.build(6, customers=20, days=8)) not in digests


def test_closing_equals_ageing_and_the_chain_holds(company: Company) -> None:
    answers = Answers.of(company)
    first = company.plan.first_day - timedelta(days=150)
    lines = answers.roll_forward(first, company.last_day)
    closings = {(line.currency_iso, line.day): line.closing for line in lines}
    assert len(lines) == len(closings) == len(answers.currencies) * ((company.last_day - first).days + 1)
    for line in lines:
        before = closings.get((line.currency_iso, line.day - timedelta(days=1)))
        assert before is None or before == line.opening
    for offset in range(0, (company.last_day - first).days + 1, 3):
        day = first + timedelta(days=offset)
        aged = net_of(answers.ageing(day))
        assert {currency: aged.get(currency, Decimal(0)) for currency in answers.currencies} == {
            currency: closings[currency, day] for currency in answers.currencies
        }


def test_control_totals_today_are_the_closing_of_today(company: Company) -> None:
    answers = Answers.of(company)
    closing = {line.currency_iso: line.closing for line in answers.roll_forward(company.last_day, company.last_day)}
    assert {total.currency_iso: total.net for total in answers.control_totals()} == closing
    assert set(closing) == {"USD", "EUR", "GBP", "JPY", "KWD"}
    stated = [
        each.balance_open for kind in ("invoice",) for each in answers.records(kind).values() if each.balance_open
    ]
    assert sum(total.invoices_open for total in answers.control_totals()) == len(stated)
    assert sum((total.invoices_balance for total in answers.control_totals()), Decimal(0)) == sum(stated)


def test_ageing_by_customer_sums_to_ageing(company: Company) -> None:
    answers = Answers.of(company)
    day = company.plan.first_day + timedelta(days=10)
    sums: dict[tuple[str, str], tuple[int, Decimal]] = {}
    for line in answers.ageing(day, by_customer=True):
        assert line.customer
        count, amount = sums.get((line.currency_iso, line.bucket), (0, Decimal(0)))
        sums[line.currency_iso, line.bucket] = (count + line.documents, amount + line.amount)
    assert sums == {(each.currency_iso, each.bucket): (each.documents, each.amount) for each in answers.ageing(day)}
    assert {bucket for _, bucket in sums} == {"not_due", "1-30", "31-60", "61-90", "91+", "unapplied"}


def test_unapplied_is_what_control_totals_hold_on_account(company: Company) -> None:
    answers = Answers.of(company)
    for total in answers.control_totals():
        mine = [each for each in answers.unapplied_cash() if each.currency_iso == total.currency_iso]
        assert sum((each.payments for each in mine), Decimal(0)) == total.payments_balance
        assert sum((each.credit_notes for each in mine), Decimal(0)) == total.credit_notes_balance


@pytest.mark.parametrize(
    ("days_late", "bucket"),
    [(-5, "not_due"), (0, "not_due"), (1, "1-30"), (30, "1-30"), (31, "31-60"), (60, "31-60"), (61, "61-90"),
     (90, "61-90"), (91, "91+"), (900, "91+")],
)  # fmt: skip
def test_bucket_limits(days_late: int, bucket: str) -> None:
    assert bucket_of(days_late) == bucket


def test_documents_with_a_whole_history_are_explained_by_the_files(company: Company) -> None:
    """Sum the link rows of the files, not of the books: amount - allocations = balance in the newest cells."""
    state = drops.stated_cells(company)
    answers = Answers.of(company)
    expected = {(each.kind, each.source_id): each.difference for each in answers.differences()}
    posted = {
        DocumentKey(kind, source_id): record
        for kind in ("invoice", "credit_note", "payment")
        for source_id, record in answers.records(kind).items()
        if record.posting_status == "posted"
    }
    allocated: Counter[DocumentKey] = Counter()
    for table, kind in ((TableName.PAYMENTS_INVOICES, "payment"), (TableName.CREDIT_NOTES_INVOICES, "credit_note")):
        for row in state[table].values():
            ends = (DocumentKey(kind, row[f"{kind}_id"]), DocumentKey("invoice", row["invoice_id"]))
            if all(end in posted for end in ends):
                for end in ends:
                    allocated[end] += Decimal(row["amount"])
    found = {}
    for key, record in posted.items():
        cells = state[TableName(f"{key.kind}s")][key.source_id]
        assert Decimal(cells["amount"]) == record.amount
        if cells["balance"]:
            assert Decimal(cells["balance"]) == record.balance == record.balance_open
            found[key] = record.amount - allocated[key] - Decimal(cells["balance"])
        else:
            assert record.amount - allocated[key] == record.balance_open
        assert 0 <= record.balance_open <= record.amount
    assert {key: difference for key, difference in found.items() if difference} == expected
    assert any(each.opening for each in answers.differences())
    assert any(not each.opening for each in answers.differences())


def test_the_world_has_every_kind_of_event(company: Company) -> None:
    events = company.events
    state = drops.stated_cells(company)
    answers = Answers.of(company)
    books = company.books()
    issued = [each for each in events if isinstance(each, DocumentIssued)]
    moves = [each for each in events if isinstance(each, BalanceMoved)]
    assert {each.kind for each in events if isinstance(each, DocumentVoided)} >= {"invoice", "payment"}
    assert any(isinstance(each, AllocationStated) and each.amount == 0 for each in events)
    assert any(each.date_paid for each in moves)
    assert any(each.date_paid is None for each in moves)
    moved = Counter((each.kind, each.source_id) for each in moves)
    opening = {(each.kind, each.source_id) for each in issued if each.settled_before}
    assert any(each.amount < 0 for each in moves)
    assert any(number > 1 or key in opening for key, number in moved.items())
    assert any(each.amount == 0 for each in issued)
    assert any(each.balance_is_blank for each in issued)
    assert any(row["parent_id"] for row in state[TableName.CUSTOMERS].values())
    assert any(row["last_name"] == "Null" for row in state[TableName.CONTACTS].values())
    pays_for = Counter(pair.from_id for pair in books.allocations if books.is_live(pair))
    assert max(pays_for.values()) >= 3
    crossing = [
        pair
        for pair in books.allocations
        if books.documents[DocumentKey(pair.from_kind, pair.from_id)].customer
        != books.documents[DocumentKey("invoice", pair.to_id)].customer
    ]
    assert crossing
    assert any(each.payments for each in answers.unapplied_cash())
    text = "".join(content.decode() for drop in drops.versions(company) for content in drop.files.values())
    for awkward in ("Sørensen, Ødegård", '""Old""', "Müller\nZweigstelle", "株式会社", ",Null,"):
        assert awkward in text


def test_late_batches_arrive_after_newer_names_and_speak_of_the_same_records() -> None:
    company = Company.build(3, customers=30, days=20)
    order = [drop.number for drop in drops.arrivals(company)]
    assert sorted(order) == list(range(len(company.batches)))
    assert order != sorted(order)
    by_number = {drop.number: drop for drop in drops.versions(company)}
    superseded = 0
    for place, number in enumerate(order):
        newer = [by_number[each] for each in order[:place] if each > number]
        spoken = {row["id"] for drop in newer for row in drop.rows[TableName.INVOICES]}
        superseded += sum(row["id"] in spoken for row in by_number[number].rows[TableName.INVOICES])
    assert superseded > 0


def test_files_keep_the_rules_of_the_tables(company: Company) -> None:
    for drop in drops.versions(company):
        assert len(drop.files) == 7
        for table, content in zip(TableName, drop.files.values(), strict=True):
            rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))
            header = drop.columns[table]
            assert len(set(header)) == len(header)
            assert set(TABLES[table].required_headers) <= set(header)
            assert set(header) - set(TABLES[table].by_header) <= {"segment", "sales_rep"}
            required = [column.name for column in TABLES[table].columns if column.required]
            assert all(row[name] for row in rows for name in required)
            keys = [drops.row_key(table, row) for row in rows]
            assert len(set(keys)) == len(keys)


def test_headers_are_the_required_ones_of_the_contract() -> None:
    for table in TableName:
        assert set(drops.HEADERS[table]) == set(TABLES[table].required_headers)


def test_no_stale_word_says_closed_while_a_balance_is_open(company: Company) -> None:
    state, answers = drops.stated_cells(company), Answers.of(company)
    for kind in ("invoice", "credit_note", "payment"):
        for source_id, record in answers.records(kind).items():
            word = state[TableName(f"{kind}s")][source_id].get("status", "")
            meaning = SFTP_STATUSES[normalise_status(word)] if word else SFTP_STATUSES["open"]
            assert not (meaning.closed and record.balance_open)
            assert meaning.posting.value == record.posting_status
            assert meaning.collection.value == record.collection_status


def test_nothing_is_dated_after_the_last_day(company: Company) -> None:
    books = company.books()
    assert max(each.date_issued for each in books.documents.values()) <= company.last_day
    assert max(books.effective_day(pair) for pair in books.allocations) <= company.last_day
    assert all(part.day <= company.last_day for each in books.documents.values() for part in each.unexplained)
    assert all(batch.arrives_on <= company.last_day for batch in company.batches)


def test_write_gives_names_of_the_contract_and_a_windows_variant(tmp_path: Path) -> None:
    company = Company.build(4, customers=8, days=3)
    paths = drops.write(tmp_path / "colons", drops.arrivals(company))
    assert [path.name for path in paths[:3]] == [
        "customers_2026-01-01T06:00:00.csv",
        "contacts_2026-01-01T06:00:01.csv",
        "invoices_2026-01-01T06:00:02.csv",
    ]
    assert len(paths) == 7 * len(company.batches) == len(list((tmp_path / "colons").iterdir()))
    dashed = drops.write(tmp_path / "dashes", drops.arrivals(company), separator="-")
    assert dashed[6].name == "credit_notes_invoices_2026-01-01T06-00-06.csv"
    assert [path.read_bytes() for path in dashed] == [path.read_bytes() for path in paths]
    assert date.fromtimestamp(paths[0].stat().st_mtime).year == 2026  # noqa: DTZ012 - the day is of no interest


def test_a_plan_that_cannot_be_built_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one customer"):
        Company.build(1, customers=0)
