"""Ledger frames for tests of the rules, from few words: documents, allocations and moves with defaults."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from kolleno_pipelines.pipeline.days import days_of
from kolleno_pipelines.rules.ageing import Ageing, AgeingByCustomer
from kolleno_pipelines.rules.breaks import plain
from kolleno_pipelines.rules.effective_days import movements
from kolleno_pipelines.rules.roll_forward import RollForward
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

INVOICE, CREDIT_NOTE, PAYMENT = DocumentKind.INVOICE, DocumentKind.CREDIT_NOTE, DocumentKind.PAYMENT
TODAY = date(2026, 3, 31)


def moment(day: date | None) -> datetime:
    return datetime.combine(day or date(2026, 1, 1), datetime.min.time(), UTC).replace(hour=6)


def document(source_id: str, amount: str, balance: str, issued: date, **more: Any) -> dict[str, Any]:
    row = {
        "source_id": source_id,
        "customer_source_id": "C1",
        "group_source_id": "C1",
        "currency_iso": "USD",
        "amount": Decimal(amount),
        "balance": Decimal(balance),
        "balance_source": "stated",
        "status_stated": None,
        "date_issued": issued,
        "date_due": None,
        "date_paid": None,
        "first_seen_at": moment(more.pop("seen", None)),
    }
    return row | more


def allocation(source_id: str, other: tuple[str, str], amount: str, other_date: date, **more: Any) -> dict[str, Any]:
    row = {
        "source_id": source_id,
        "other_kind": other[0],
        "other_source_id": other[1],
        "other_posting_status": "posted",
        "other_date": other_date,
        "other_currency_iso": "USD",
        "other_group": "C1",
        "amount": Decimal(amount),
        "date_applied": None,
        "first_seen_at": moment(more.pop("seen", None)),
        "other_ended_at": None,
    }
    row["amount_at"] = row["first_seen_at"]
    return row | more


def move(source_id: str, day: date | datetime, delta: str) -> dict[str, Any]:
    at = day if isinstance(day, datetime) else moment(day)
    return {"source_id": source_id, "moved_at": at, "settled_delta": Decimal(delta)}


def allocation_move(one: dict[str, Any], at: datetime, delta: str) -> dict[str, Any]:
    """A later input in which the amount of an allocation moved."""
    names = ("source_id", "other_kind", "other_posting_status", "other_currency_iso", "other_ended_at", "first_seen_at")
    return {name: one[name] for name in names} | {"moved_at": at, "amount_delta": Decimal(delta)}


def parked_link(source_id: str, **more: Any) -> dict[str, Any]:
    row = {"amount": Decimal(60), "file": "payments_invoices_2026-01-01T06:00:05.csv", "line": 2}
    row |= {"code": "unknown_payment", "parent_table": "payments", "parent_id": "P1", "parent_is_parked": False}
    return row | {"source_id": source_id} | more


def part(
    kind: DocumentKind,
    documents: list[dict[str, Any]],
    allocations: list[dict[str, Any]] | None = None,
    moves: list[dict[str, Any]] | None = None,
    allocation_moves: list[dict[str, Any]] | None = None,
    horizon: Horizon = Horizon(),  # noqa: B008
) -> LedgerPart:
    return LedgerPart(
        "sftp",
        kind,
        pa.Table.from_pylist(documents, DOCUMENTS),
        pa.Table.from_pylist(allocations or [], ALLOCATIONS),
        pa.Table.from_pylist(moves or [], MOVES),
        pa.Table.from_pylist(allocation_moves or [], ALLOCATION_MOVES),
        horizon,
    )


def parked(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), PARKED_LINKS)


def paid_invoice() -> tuple[LedgerPart, LedgerPart]:
    """Invoice of 20 January over 100, paid by a payment of 5 January."""
    paid_on, issued = date(2026, 1, 5), date(2026, 1, 20)
    return (
        part(INVOICE, [document("I1", "100", "0", issued)], [allocation("I1", ("payment", "P1"), "100", paid_on)]),
        part(PAYMENT, [document("P1", "100", "0", paid_on)], [allocation("P1", ("invoice", "I1"), "100", issued)]),
    )


def ageing_on(day: date, *parts: LedgerPart, today: date = TODAY) -> dict[str, tuple[int, str]]:
    """(documents, amount) by bucket, without the empty ones."""
    ageing = Ageing("sftp", day, day)
    for one in parts:
        ageing.add(movements(one, today))
    rows = [(row.bucket, (row.documents, plain(row.amount))) for row in ageing.rows([day])]
    return {bucket: figures for bucket, figures in rows if figures != (0, "0")}


def ageing_by_customer(
    day: date, *parts: LedgerPart, today: date = TODAY
) -> dict[tuple[str | None, str], tuple[int, str]]:
    """(documents, amount) by customer and bucket."""
    ageing = AgeingByCustomer("sftp", day)
    for one in parts:
        ageing.add(movements(one, today))
    return {(row.customer_source_id, row.bucket): (row.documents, plain(row.amount)) for row in ageing.rows()}


def net_by_day(first: date, last: date, *parts: LedgerPart, today: date = TODAY) -> dict[tuple[date, str], Decimal]:
    """Ageing with credits by day and currency."""
    ageing = Ageing("sftp", first, last)
    for one in parts:
        ageing.add(movements(one, today))
    net: dict[tuple[date, str], Decimal] = {}
    for row in ageing.rows(days_of(first, last)):
        key = (row.day, row.currency_iso)
        net[key] = net.get(key, Decimal(0)) + row.amount
    return {key: amount for key, amount in net.items() if amount}


def rolled(first: date, last: date, *parts: LedgerPart, today: date = TODAY) -> RollForward:
    roll = RollForward("sftp", first, last)
    for one in parts:
        roll.add(movements(one, today))
    return roll
