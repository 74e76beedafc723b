"""Tampers and bulk drops: each changes what it says and nothing else; the sums of a bulk drop are those of its rows."""

from __future__ import annotations

import csv
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from kolleno_pipelines.sandbox import bulk, drops
from kolleno_pipelines.sandbox.answers import Answers
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.tampers import Tamper, tampers
from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.sftp_tables import TableName

Identity = tuple[str, str]


@pytest.fixture(scope="module")
def company() -> Company:
    return Company.build(11, customers=40, days=20)


@pytest.fixture(scope="module")
def changed(company: Company) -> dict[str, Tamper]:
    return {tamper.name: tamper for tamper in tampers(company)}


def _cells(all_drops: list[drops.Drop]) -> dict[tuple[TableName, str], dict[str, str]]:
    state: dict[tuple[TableName, str], dict[str, str]] = {}
    for drop in sorted(all_drops, key=lambda each: each.number):
        for table in TableName:
            for row in drop.rows[table]:
                cells = {column: row.get(column, "") for column in drop.columns[table]}
                state.setdefault((table, drops.row_key(table, row)), {}).update(cells)
    return state


def _differences(all_drops: list[drops.Drop]) -> dict[Identity, Decimal]:
    """Amount - allocations - balance of every posted document, from the newest cells of the files alone."""
    state = _cells(all_drops)
    kinds = {TableName.INVOICES: "invoice", TableName.CREDIT_NOTES: "credit_note", TableName.PAYMENTS: "payment"}
    posted = {
        (kinds[table], key): cells
        for (table, key), cells in state.items()
        if table in kinds and cells.get("status", "").lower() != "void"
    }
    allocated: Counter[Identity] = Counter()
    for (table, _), cells in state.items():
        if table in (TableName.PAYMENTS_INVOICES, TableName.CREDIT_NOTES_INVOICES):
            kind = "payment" if table == TableName.PAYMENTS_INVOICES else "credit_note"
            ends = ((kind, cells[f"{kind}_id"]), ("invoice", cells["invoice_id"]))
            if all(end in posted for end in ends):
                allocated.update({end: Decimal(cells["amount"]) for end in ends})
    found = {
        key: Decimal(cells["amount"]) - allocated[key] - Decimal(cells["balance"])
        for key, cells in posted.items()
        if cells["balance"]
    }
    return {key: amount for key, amount in found.items() if amount}


def test_each_tamper_makes_the_differences_it_promises_and_no_other(
    company: Company, changed: dict[str, Tamper]
) -> None:
    before = _differences(list(drops.arrivals(company)))
    assert before == {(each.kind, each.source_id): each.difference for each in Answers.of(company).differences()}
    for tamper in changed.values():
        promised = {
            (each.kind, each.source_id): each.difference
            for each in tamper.breaks
            if each.code is Code.BALANCE_ALLOCATION_MISMATCH
        }
        assert _differences(list(tamper.drops)) == before | promised
        assert not promised.keys() & before.keys()
    assert {name: len(tamper.breaks) for name, tamper in changed.items()} == {
        "drop_allocation": 2,
        "drop_new_allocation": 2,
        "drop_baseline_allocation": 2,
        "change_balance": 1,
        "swap_customer": 1,
        "hide_payment": 1,
        "hide_new_payment": 1,
    }
    assert {one.opening for one in changed["drop_baseline_allocation"].breaks} == {True}


def test_swapped_invoice_crosses_groups(company: Company, changed: dict[str, Tamper]) -> None:
    (crossing,) = changed["swap_customer"].breaks
    state = _cells(list(changed["swap_customer"].drops))
    payer = state[TableName.PAYMENTS, crossing.source_id]["customer_id"]
    owner = state[TableName.INVOICES, crossing.other_id]["customer_id"]
    assert (TableName.PAYMENTS_INVOICES, f"{crossing.source_id}|{crossing.other_id}") in state

    def top(customer: str) -> str:
        parent = state[TableName.CUSTOMERS, customer]["parent_id"]
        return top(parent) if parent else customer

    assert top(payer) != top(owner)


@pytest.mark.parametrize("name", ["hide_payment", "hide_new_payment"])
def test_hidden_payment_leaves_its_link_waiting(changed: dict[str, Tamper], name: str) -> None:
    (parked,) = changed[name].parked
    state = _cells(list(changed[name].drops))
    assert (parked.table, parked.key) in state
    assert (TableName.PAYMENTS, parked.key.split("|")[0]) not in state


def test_a_company_without_increments_cannot_be_tampered_with() -> None:
    with pytest.raises(ValueError, match="build one with more"):
        tampers(Company.build(1, customers=2, days=1, history_days=0, old_documents=0))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def test_bulk_drop_sums_to_what_it_says_and_repeats_itself(tmp_path: Path) -> None:
    first, second = bulk.write_bulk(tmp_path, 45_000, 700)
    rows = _rows(second.paths[TableName.INVOICES])
    assert len(rows) == second.rows[TableName.INVOICES] == 45_000
    owners = {row["id"] for row in _rows(first.paths[TableName.CUSTOMERS])}
    assert len(owners) == 700
    assert {row["customer_id"] for row in rows} == owners
    amounts: Counter[str] = Counter()
    balances: Counter[str] = Counter()
    for row in rows:
        amounts[row["currency_iso"]] += Decimal(row["amount"])
        balances[row["currency_iso"]] += Decimal(row["balance"])
    assert amounts == second.invoices_amount
    assert balances == second.invoices_balance
    for table in TableName:
        content = second.paths[table].read_text(encoding="utf-8")
        assert content.startswith(",".join(drops.HEADERS[table]) + "\n")
        assert (content.count("\n") == 1) == (table is not TableName.INVOICES)
    later = second.name_time.replace(day=3)
    again = bulk.write_invoices(tmp_path, 45_000, 700, name_time=later)
    assert again.paths[TableName.INVOICES].name == "invoices_2026-01-03T06:00:02.csv"
    assert again.paths[TableName.INVOICES].read_bytes() == second.paths[TableName.INVOICES].read_bytes()
    other = bulk.write_invoices(tmp_path, 45_000, 700, name_time=later.replace(day=4), seed=2)
    assert not {tuple(row.values()) for row in rows} & {
        tuple(row.values()) for row in _rows(other.paths[TableName.INVOICES])
    }


def test_days_of_even_batches_tie(tmp_path: Path) -> None:
    days = bulk.write_days(tmp_path, days=3, rows=50)
    assert [sum(day.rows.values()) for day in days] == [350, 350, 350]
    invoices = {row["id"]: row for day in days for row in _rows(day.paths[TableName.INVOICES])}
    assert len(invoices) == 150
    applied: Counter[str] = Counter()
    for day in days:
        payments = {row["id"]: row for row in _rows(day.paths[TableName.PAYMENTS])}
        notes = {row["id"]: row for row in _rows(day.paths[TableName.CREDIT_NOTES])}
        for row in _rows(day.paths[TableName.PAYMENTS_INVOICES]):
            assert row["amount"] == payments[row["payment_id"]]["amount"]
            applied[row["invoice_id"]] += Decimal(row["amount"])
        for row in _rows(day.paths[TableName.CREDIT_NOTES_INVOICES]):
            assert row["amount"] == notes[row["credit_note_id"]]["amount"]
            applied[row["invoice_id"]] += Decimal(row["amount"])
    assert all(Decimal(row["amount"]) - applied[key] == Decimal(row["balance"]) for key, row in invoices.items())
    total = sum((sum(day.invoices_balance.values()) for day in days), Decimal(0))
    assert total == sum(Decimal(row["balance"]) for row in invoices.values()) == 1500


def test_bulk_rows_are_written_fast(tmp_path: Path) -> None:
    """A million rows must take less than five seconds; a fifth of them is tried, with room for a busy machine."""
    began = time.process_time()
    bulk.write_invoices(tmp_path, 200_000)
    assert time.process_time() - began < 1.5
