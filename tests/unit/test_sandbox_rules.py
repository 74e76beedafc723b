"""The product's rules against the sandbox's own answers, over a fold of the files that is as plain as can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from kolleno_pipelines.rules.ageing import Ageing
from kolleno_pipelines.rules.balances import check_balances
from kolleno_pipelines.rules.effective_days import movements
from kolleno_pipelines.rules.roll_forward import RollForward
from kolleno_pipelines.sandbox import drops
from kolleno_pipelines.sandbox.answers import Answers
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.schemas.ledger_parts import (
    ALLOCATION_MOVES,
    ALLOCATIONS,
    DOCUMENTS,
    MOVES,
    PARKED_LINKS,
    DocumentKind,
    Horizon,
    LedgerPart,
)
from kolleno_pipelines.schemas.sftp_tables import TableName

KINDS = {
    kind: TableName(f"{kind.value}s") for kind in (DocumentKind.INVOICE, DocumentKind.CREDIT_NOTE, DocumentKind.PAYMENT)
}
LINKS = {TableName.PAYMENTS_INVOICES: DocumentKind.PAYMENT, TableName.CREDIT_NOTES_INVOICES: DocumentKind.CREDIT_NOTE}


@dataclass
class _Fold:
    """Newest cells, when each record was first told and last changed, moves of amount - balance and of allocations."""

    cells: dict[tuple[TableName, str], dict[str, str]] = field(default_factory=dict)
    changed_at: dict[tuple[TableName, str], datetime] = field(default_factory=dict)
    first_seen: dict[tuple[TableName, str], datetime] = field(default_factory=dict)
    moves: dict[tuple[TableName, str], list[tuple[datetime, Decimal]]] = field(default_factory=dict)

    def take(self, drop: drops.Drop) -> None:
        for table in TableName:
            for row in drop.rows[table]:
                cells = {column: row.get(column, "") for column in drop.columns[table]}
                self._take(table, drops.row_key(table, row), cells, drop.time_of(table))

    def _take(self, table: TableName, key: str, cells: Mapping[str, str], at: datetime) -> None:
        before = self.cells.get((table, key))
        after = {**(before or {}), **cells}
        self.cells[table, key] = after
        self.first_seen.setdefault((table, key), at)
        if before != after:
            self.changed_at[table, key] = at
        if before and before.get("balance") and after.get("balance"):
            delta = _settled(after) - _settled(before)
            self.moves.setdefault((table, key), []).extend([(at, delta)] if delta else [])
        if before and table in LINKS and before["amount"] != after["amount"]:
            delta = Decimal(after["amount"]) - Decimal(before["amount"])
            self.moves.setdefault((table, key), []).append((at, delta))


def _settled(cells: Mapping[str, str]) -> Decimal:
    return Decimal(cells["amount"]) - Decimal(cells["balance"])


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _is_posted(cells: Mapping[str, str]) -> bool:
    return cells.get("status", "").lower() != "void"


class _Ledger:
    def __init__(self, company: Company) -> None:
        self.fold = _Fold()
        for drop in drops.versions(company):
            self.fold.take(drop)
        self.ends: dict[tuple[DocumentKind, str], list[dict[str, Any]]] = {}
        self.end_moves: dict[tuple[DocumentKind, str], list[dict[str, Any]]] = {}
        self.horizon = Horizon(min(self.fold.first_seen.values()))
        for (table, key), cells in self.fold.cells.items():
            if table in LINKS:
                self._join(table, key, cells)

    def _ended_at(self, table: TableName, key: str) -> datetime | None:
        changed, first = self.fold.changed_at[table, key], self.fold.first_seen[table, key]
        return changed if not _is_posted(self.fold.cells[table, key]) and changed > first else None

    def _join(self, table: TableName, key: str, cells: Mapping[str, str]) -> None:
        kind, moves = LINKS[table], self.fold.moves.get((table, key), [])
        payer, invoice = (kind, cells[f"{kind.value}_id"]), (DocumentKind.INVOICE, cells["invoice_id"])
        for own, other in ((payer, invoice), (invoice, payer)):
            theirs = self.fold.cells[KINDS[other[0]], other[1]]
            end = {
                "source_id": own[1],
                "other_kind": other[0].value,
                "other_source_id": other[1],
                "other_posting_status": "posted" if _is_posted(theirs) else "voided",
                "other_date": _issued(other[0], theirs),
                "other_currency_iso": theirs["currency_iso"],
                "other_ended_at": self._ended_at(KINDS[other[0]], other[1]),
                "own_group": "g",
                "other_group": "g",
                "amount": Decimal(cells["amount"]),
                "date_applied": _day(cells.get("date_applied", "")),
                "first_seen_at": self.fold.first_seen[table, key],
                "amount_at": max([at for at, _ in moves], default=self.fold.first_seen[table, key]),
            }
            if end["amount"]:
                self.ends.setdefault(own, []).append(end)
            self.end_moves.setdefault(own, []).extend(end | {"moved_at": at, "amount_delta": d} for at, d in moves)

    def part(self, kind: DocumentKind) -> LedgerPart:
        documents, allocations, moves, end_moves = [], [], [], []
        for (table, key), cells in self.fold.cells.items():
            if table is not KINDS[kind] or not _is_posted(cells):
                continue
            ends = self.ends.get((kind, key), [])
            applied = sum((end["amount"] for end in ends if end["other_posting_status"] == "posted"), Decimal(0))
            amount = Decimal(cells["amount"])
            documents.append(
                {
                    "source_id": key,
                    "customer_source_id": cells["customer_id"],
                    "currency_iso": cells["currency_iso"],
                    "amount": amount,
                    "balance": Decimal(cells["balance"]) if cells["balance"] else amount - applied,
                    "balance_source": "stated" if cells["balance"] else "derived",
                    "status_stated": cells.get("status"),
                    "date_issued": _issued(kind, cells),
                    "date_due": _day(cells.get("date_due", "")),
                    "date_paid": _day(cells.get("date_paid", "")),
                    "first_seen_at": self.fold.first_seen[table, key],
                }
            )
            allocations += ends
            end_moves += self.end_moves.get((kind, key), [])
            moves += [
                {"source_id": key, "moved_at": at, "settled_delta": delta}
                for at, delta in self.fold.moves.get((table, key), [])
            ]
        tables = (
            pa.Table.from_pylist(rows, schema)
            for rows, schema in (
                (documents, DOCUMENTS),
                (allocations, ALLOCATIONS),
                (moves, MOVES),
                (end_moves, ALLOCATION_MOVES),
            )
        )
        return LedgerPart("sftp", kind, *tables, self.horizon)  # type: ignore[call-arg, arg-type]


def _issued(kind: DocumentKind, cells: Mapping[str, str]) -> date | None:
    return _day(cells["date_paid" if kind is DocumentKind.PAYMENT else "date_issued"])


@pytest.fixture(scope="module", params=[1, 2, 3, 4])
def company(request: pytest.FixtureRequest) -> Company:
    return Company.build(request.param, customers=40, days=40, invoices_per_day=10, dated_ahead=request.param > 2)


@pytest.fixture(scope="module")
def parts(company: Company) -> list[LedgerPart]:
    ledger = _Ledger(company)
    return [ledger.part(kind) for kind in KINDS]


def test_differences_are_those_of_the_answers(company: Company, parts: list[LedgerPart]) -> None:
    found = {
        (row["kind"], row["source_id"]): (row["difference"], row["is_opening"])
        for part in parts
        for row in check_balances(part, PARKED_LINKS.empty_table(), {}).differing.to_pylist()
    }
    expected = {
        (each.kind, each.source_id): (each.difference, each.opening) for each in Answers.of(company).differences()
    }
    assert found == expected


def test_ageing_and_roll_forward_of_every_day_are_those_of_the_answers(
    company: Company, parts: list[LedgerPart]
) -> None:
    answers, first = Answers.of(company), company.plan.first_day - timedelta(days=60)
    days = [first + timedelta(days=number) for number in range((company.last_day - first).days + 1)]
    ageing, forward = Ageing("sftp", first, company.last_day), RollForward("sftp", first, company.last_day)
    for part in parts:
        moved = movements(part, company.last_day)
        ageing.add(moved)
        forward.add(moved)
    rows = list(ageing.rows(days))
    for day in days:
        found = {(row.currency_iso, row.bucket): (row.documents, row.amount) for row in rows if row.day == day}
        expected = {(line.currency_iso, line.bucket): (line.documents, line.amount) for line in answers.ageing(day)}
        assert {key: value for key, value in found.items() if any(value)} == {
            key: value for key, value in expected.items() if any(value)
        }, day
    lines = {
        (row.day, row.currency_iso): (row.opening, row.invoices, row.credit_notes, row.receipts, row.unexplained)
        for row in forward.rows(days, company.last_day)
    }
    for line in answers.roll_forward(first, company.last_day):
        expected_line = (line.opening, line.invoices, line.credit_notes, line.receipts, line.unexplained)
        assert lines.get((line.day, line.currency_iso), (0, 0, 0, 0, 0)) == expected_line
