"""Payments of QuickBooks Online, and what they settle with money or with credits. What is open is the vendor's word.

A payment lists what it settles (invoices, debit lines) and what it uses (credit memos, credit lines); it does not say
which paid which. In the order of its lines credits are used first, then money (docs/model.md); where credits are used
the parts are inferred. settled - used + unapplied = total.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa

from kolleno_pipelines.connectors.columns import at, days, frame, list_rows
from kolleno_pipelines.connectors.quickbooks.documents import document
from kolleno_pipelines.schemas.records import RECORD_TABLES

Rows = dict[str, pa.Table]

#: Links of one payment that the platform which this follows keeps (article 11805335).
CAP = 15
_ZERO = Decimal(0)
#: Lines of these stand on receivables accounts as open items of their own.
_JOURNALS = {
    "JournalEntry": "JournalEntry",
    "Deposit": "Deposit",
    "Check": "Purchase",
    "Expense": "Purchase",
    "Purchase": "Purchase",
}


@dataclass
class Item:
    """What a line of a payment names, and how much of it."""

    kind: str
    source_id: str
    amount: Decimal
    ordinal: int


@dataclass
class Settled:
    """One part: `amount` of what `source` is (None: the payment's own money) settles `target`."""

    source: Item | None
    target: Item
    amount: Decimal
    is_inferred: bool


@dataclass
class Lines:
    """The lines of one payment by what they do."""

    settles: list[Item] = field(default_factory=list)
    uses: list[Item] = field(default_factory=list)
    unsure: list[Item] = field(default_factory=list)  # journal lines: debit or credit shows in the sum alone


def payments(table: pa.Table) -> Rows:
    """Payments with their whole sets of allocations, those of the credits that they use included."""
    columns = document(table) | {
        "kind": "payment",
        "ref": at(table, "PaymentRefNum"),
        "balance": at(table, "UnappliedAmt"),
        "date_paid": days(at(table, "TxnDate")),
        "method": at(table, "PaymentMethodRef.name"),
        "deposit_source_id": _deposited(table),
    }
    return {"payments": frame("payments", columns, table.num_rows), "allocations": _allocations(table)}


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


def _allocations(table: pa.Table) -> pa.Table:
    rows, lines = list_rows(table, "Line")
    by_payment: list[Lines] = [Lines() for _ in range(table.num_rows)]
    ordinals = [0] * table.num_rows
    amounts, links = lines["Amount"].to_pylist(), lines["LinkedTxn"].to_pylist()
    for row, amount, linked in zip(rows.to_pylist(), amounts, links, strict=True):
        for link in linked or ():
            ordinals[row] += 1
            _add(by_payment[row], link, amount or _ZERO, ordinals[row])
    made: list[dict[str, Any]] = []
    heads: list[dict[str, Any]] = table.select(["line", "Id", "TotalAmt", "UnappliedAmt"]).to_pylist()
    for head, found in zip(heads, by_payment, strict=True):
        parts = split(found, head["TotalAmt"] - head["UnappliedAmt"])
        made += (_row(head["line"], head["Id"], part) for part in _summed(parts))
    return pa.Table.from_pylist(made, schema=RECORD_TABLES["allocations"].schema)


def _add(lines: Lines, link: dict[str, Any], amount: Decimal, ordinal: int) -> None:
    kind, source_id = link["TxnType"], link["TxnId"]
    if kind == "Invoice":
        lines.settles.append(Item("invoice", source_id, amount, ordinal))
    elif kind == "CreditMemo":
        lines.uses.append(Item("credit_note", source_id, amount, ordinal))
    elif kind in _JOURNALS:
        line = f":{link['TxnLineId']}" if link["TxnLineId"] else ""
        lines.unsure.append(Item("journal", f"{_JOURNALS[kind]}:{source_id}{line}", amount, ordinal))


def split(lines: Lines, money: Decimal) -> list[Settled]:
    """Say which part of what settles which item; `money` is the payment's own, total less unapplied."""
    settles, uses = list(lines.settles), list(lines.uses)
    short = money + _sum(uses) - _sum(settles)
    # Journal lines are on the side on which the sum comes out; a lone side that fits neither is taken as settled.
    (uses if lines.unsure and short == -_sum(lines.unsure) else settles).extend(lines.unsure)
    settles.sort(key=lambda item: item.ordinal)
    is_inferred = bool(uses)
    sources: list[tuple[Item | None, Decimal]] = [(item, item.amount) for item in uses]
    sources.append((None, max(money, _ZERO)))
    parts: list[Settled] = []
    for target in settles:
        open_amount = target.amount
        while open_amount > 0 and sources:
            source, left = sources[0]
            used = min(left, open_amount)
            if used:
                parts.append(Settled(source, target, used, is_inferred))
            open_amount -= used
            if used == left:
                sources.pop(0)
            else:
                sources[0] = (source, left - used)
        if open_amount > 0:  # the vendor states more settled than there is to settle it with
            parts.append(Settled(None, target, open_amount, is_inferred=True))
    return parts


def _sum(items: list[Item]) -> Decimal:
    return sum((item.amount for item in items), _ZERO)


def _summed(parts: list[Settled]) -> list[Settled]:
    """One part per pair: a payment may name an invoice on several lines."""
    by_pair: dict[tuple[str, str, str, str], Settled] = {}
    for part in parts:
        source = (part.source.kind, part.source.source_id) if part.source else ("payment", "")
        pair = (*source, part.target.kind, part.target.source_id)
        if pair in by_pair:
            by_pair[pair].amount += part.amount
        else:
            by_pair[pair] = part
    return list(by_pair.values())


def _row(line: int, payment: str, part: Settled) -> dict[str, Any]:
    kind = part.source.kind if part.source else "payment"
    source_id = part.source.source_id if part.source else payment
    return {
        "line": line,
        "source_id": f"payment:{payment}|{kind}:{source_id}|{part.target.kind}:{part.target.source_id}",
        "owner_kind": "payment",
        "owner_source_id": payment,
        "from_kind": kind,
        "from_source_id": source_id,
        "to_kind": part.target.kind,
        "to_source_id": part.target.source_id,
        "ordinal": part.target.ordinal,
        "amount": part.amount,
        "is_inferred": part.is_inferred,
        "beyond_cap": part.target.ordinal > CAP,
    }
