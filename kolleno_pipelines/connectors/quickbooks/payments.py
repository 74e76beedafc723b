"""Payments of QuickBooks Online, and what they settle with money or with credits. What is open is the vendor's word."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from kolleno_pipelines.connectors.columns import at, days, frame, list_rows, pc
from kolleno_pipelines.connectors.quickbooks.documents import document, notes_of
from kolleno_pipelines.connectors.quickbooks.money_settlements import settled_with_money
from kolleno_pipelines.connectors.quickbooks.settlements import Lines, lines_of, settled_by_lines

Rows = dict[str, pa.Table]


def payments(table: pa.Table) -> Rows:
    """Payments with their whole sets of allocations, those of the credits that they use included."""
    with_money, is_simple = settled_with_money(table)
    others = table.filter(pc.invert(is_simple))
    lines = lines_of(others)
    columns = document(table) | {
        "kind": "payment",
        "ref": at(table, "PaymentRefNum"),
        "balance": at(table, "UnappliedAmt"),
        "date_paid": days(at(table, "TxnDate")),
        "method": at(table, "PaymentMethodRef.name"),
        "deposit_source_id": _deposited(table),
        "extra": _extra(is_simple, lines, notes_of(table)),
    }
    allocations = pa.concat_tables([with_money, settled_by_lines(others, lines)])
    return {"payments": frame("payments", columns, table.num_rows), "allocations": allocations}


def _extra(is_simple: Any, lines: list[Lines], notes: Any) -> Any:
    """The note, and what is kept of the links that say nothing we know; simple payments have none of these."""
    unread = iter([found.unread for found in lines])
    found: list[str | None] = []
    for simple, note in zip(is_simple.to_pylist(), notes.to_pylist(), strict=True):
        links = None if simple else next(unread)
        kept = {**({"unread_links": links} if links else {}), **({"note": note} if note else {})}
        found.append(json.dumps(kept) if kept else None)
    return pa.array(found, pa.string())


def _deposited(table: pa.Table) -> Any:
    """The deposit that a payment is part of, from the links of its header."""
    rows, links = list_rows(table, "LinkedTxn")
    found: list[str | None] = [None] * table.num_rows
    for row, txn_id, kind in zip(
        rows.to_pylist(), links["TxnId"].to_pylist(), links["TxnType"].to_pylist(), strict=True
    ):
        if kind == "Deposit" and found[row] is None:
            found[row] = txn_id
    return pa.array(found, pa.string())
