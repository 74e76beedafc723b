"""What the lines of a payment of QuickBooks Online settle, and with what: payment by payment, any lines. No columns.

A payment lists what it settles (invoices, debit lines) and what it uses (credit memos, credit lines); it does not say
which paid which. In the order of its lines credits are used first, then money (docs/model.md); where credits are used
the parts are inferred. settled - used + unapplied = total.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa

from kolleno_pipelines.connectors.columns import list_rows
from kolleno_pipelines.schemas.records import RECORD_TABLES

#: Links of one payment that the platform which this follows keeps (article 11805335).
CAP = 15
_ZERO = Decimal(0)
#: What a payment settles: kind of ours, what stands before the vendor's id in ours (journals.py makes the same).
_SETTLES = {
    "Invoice": ("invoice", ""),
    "StatementCharge": ("finance_charge", "StatementCharge:"),
    "Check": ("journal", "Purchase:"),
    "Expense": ("journal", "Purchase:"),
    "Purchase": ("journal", "Purchase:"),
}
#: What it uses. A deposit on a receivables account is a credit of the customer, as money back on a card is.
_USES = {
    "CreditMemo": ("credit_note", ""),
    "Deposit": ("journal", "Deposit:"),
    "CreditCardCredit": ("journal", "Purchase:"),
}
#: Debit or credit: the sum alone shows.
_EITHER = {"JournalEntry": ("journal", "JournalEntry:")}
_KINDS = {**_SETTLES, **_USES, **_EITHER}
_MANY_SUMS = 4096


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
    either: list[Item] = field(default_factory=list)  # journal entries: debit or credit shows in the sum alone
    unread: list[str] = field(default_factory=list)  # links that say nothing we know, in words


def lines_of(table: pa.Table) -> list[Lines]:
    """Return what the lines of each payment do."""
    rows, lines = list_rows(table, "Line")
    by_payment: list[Lines] = [Lines() for _ in range(table.num_rows)]
    ordinals = [0] * table.num_rows
    amounts, links = lines["Amount"].to_pylist(), lines["LinkedTxn"].to_pylist()
    for row, amount, linked in zip(rows.to_pylist(), amounts, links, strict=True):
        for number, link in enumerate(linked or ()):
            ordinals[row] += 1
            # The amount is the line's: a second link of it has none of its own.
            _add(by_payment[row], link or {}, _ZERO if number else amount or _ZERO, ordinals[row])
    return by_payment


def _add(lines: Lines, link: dict[str, Any], amount: Decimal, ordinal: int) -> None:
    vendor_kind, txn_id = link.get("TxnType"), link.get("TxnId")
    if vendor_kind not in _KINDS or not txn_id or not amount:
        if amount:
            lines.unread.append(f"{vendor_kind or 'a link without TxnType'} {txn_id or 'without TxnId'}: {amount:f}")
        return
    kind, prefix = _KINDS[vendor_kind]
    line = f":{link['TxnLineId']}" if kind == "journal" and link.get("TxnLineId") else ""
    item = Item(kind, f"{prefix}{txn_id}{line}", amount, ordinal)
    if vendor_kind in _EITHER:
        lines.either.append(item)
    else:
        (lines.settles if vendor_kind in _SETTLES else lines.uses).append(item)


def settled_by_lines(table: pa.Table, lines: list[Lines]) -> pa.Table:
    """Return the allocations of payments, whose lines are given, in the schema of `allocations`."""
    made: list[dict[str, Any]] = []
    heads: list[dict[str, Any]] = table.select(["line", "Id", "TotalAmt", "UnappliedAmt"]).to_pylist()
    for head, found in zip(heads, lines, strict=True):
        parts = split(found, head["TotalAmt"] - head["UnappliedAmt"])
        made += (_row(head["line"], head["Id"], part) for part in _summed(parts))
    return pa.Table.from_pylist(made, schema=RECORD_TABLES["allocations"].schema)


def split(lines: Lines, money: Decimal) -> list[Settled]:
    """Say which part of what settles which item; `money` is the payment's own, total less unapplied."""
    if not lines.uses and not lines.either and _sum(lines.settles) <= money:
        return [Settled(None, target, target.amount, is_inferred=False) for target in lines.settles]
    settles, uses = list(lines.settles), list(lines.uses)
    as_credits = _credits(lines.either, _sum(settles) + _sum(lines.either) - _sum(uses) - money)
    for item in lines.either:
        (uses if item.ordinal in as_credits else settles).append(item)
    settles.sort(key=lambda item: item.ordinal)
    uses.sort(key=lambda item: item.ordinal)
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


def _credits(either: list[Item], too_much: Decimal) -> frozenset[int]:
    """Return the ordinals of the entries that must be credits for the sum to come out: settled - used = money.

    `too_much` is what is settled beyond what there is if all are debits; a credit takes its amount off twice. Debits
    where no choice comes out; the first choice in the order of lines where several do.
    """
    sums: dict[Decimal, frozenset[int]] = {_ZERO: frozenset()}
    for item in either:
        if too_much / 2 in sums or len(sums) > _MANY_SUMS:
            break
        for total, chosen in list(sums.items()):
            sums.setdefault(total + item.amount, chosen | {item.ordinal})
    return sums.get(too_much / 2, frozenset())


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
