"""Reports about payment providers as plain rows: what became of charges, payouts with lines and exceptions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from kolleno_pipelines.pipeline.plain_rows import Row, plain_row
from kolleno_pipelines.schemas.balance_categories import PayoutLineName
from kolleno_pipelines.schemas.payout_words import PayoutOutcome

Read = Callable[[str], list[Row]]

_LINES = list(PayoutLineName)
#: What a nested row says of its charge, line or exception.
_CHARGE = ("source_id", "customer_source_id", "amount", "paid", "difference", "evidence", "break_id")
_LINE = ("line", "items", "amount", "fee", "net")
_OF_BALANCE = (
    *("code", "balance_transaction_source_id", "charge_source_id", "currency_iso", "amount", "evidence", "break_id"),
)
_EXCEPTION = ("leg", *_OF_BALANCE, "bank_line_source_id")


def charges_report(totals: Iterable[Row], breaks: Iterable[Row]) -> list[Row]:
    """Return a row per connection, currency and outcome, with the charges of it that ask for somebody."""
    listed: dict[tuple[str, str, str], list[Row]] = {}
    for one in breaks:
        listed.setdefault(_group(one), []).append(_part(one, _CHARGE))
    return [{**plain_row(row), "breaks": listed.get(_group(row), [])} for row in totals]


def payouts_report(read: Read) -> list[Row]:
    """Return a row per payout, those with exceptions first, with its lines from gross to net.

    In place of the number of its exceptions stand the exceptions themselves.
    """
    lines: dict[tuple[str, str], list[Row]] = {}
    for one in sorted(read("payout_lines"), key=lambda row: (row["currency_iso"], _LINES.index(row["line"]))):
        foreign = {"currency_iso": one["currency_iso"]}
        lines.setdefault(_payout(one), []).append(_part(one, _LINE) | foreign)
    exceptions: dict[tuple[str, str], list[Row]] = {}
    for one in read("payout_exceptions"):
        exceptions.setdefault(_payout(one), []).append(_part(one, _EXCEPTION))
    return [
        {
            **plain_row(row),
            "lines": lines.get((row["connection"], row["source_id"]), []),
            "exceptions": exceptions.get((row["connection"], row["source_id"]), []),
        }
        for row in read("payouts")
    ]


def balance_report(read: Read) -> list[Row]:
    """Return a row per currency and snapshot, those that ask for somebody first, with the rows that are wrong.

    These stand beside the newest proof of their currency; those of a currency without one beside the first row.
    """
    proofs: list[Row] = [_proof(row) for row in read("balance_proofs")]
    newest = {}
    for one in sorted(proofs, key=lambda row: (row["taken_at"] or "", row["source_id"])):
        newest[one["connection"], one["currency_iso"]] = one
    first = {one["connection"]: one for one in reversed(proofs)}
    for one in read("balance_exceptions"):
        place = newest.get((one["connection"], one["currency_iso"])) or first[one["connection"]]
        place["exceptions"].append(_part(one, _OF_BALANCE))
    return proofs


def _proof(row: Row) -> Row:
    """What is no break has no id by which it could be accepted."""
    shown = plain_row(row)
    return shown | {"break_id": shown["break_id"] if row["is_break"] else None, "exceptions": []}


def gross_to_net(payouts: Sequence[Row]) -> list[Row]:
    """Return payouts with their `lines` as flat rows: each line's gross, less the fees taken off, to the payout.

    Lines that none of them has are left out, and so is the sum of the items where it is the payout for all, and what
    became of them at the bank where no bank is read; items in another currency than their payout's are in none. What a
    payout does not have is None.
    """
    own = [
        {line["line"]: line for line in one["lines"] if line["currency_iso"] == one["currency_iso"]} for one in payouts
    ]
    present = [name.value for name in PayoutLineName if any(name.value in lines for lines in own)]
    tie = all(not one["items"] or Decimal(one["items_net"]) == Decimal(one["amount"]) for one in payouts)
    names = ["outcome", "bank_outcome", "source_id", "connection"]
    if all(one["bank_outcome"] == PayoutOutcome.NOT_COMPARED.value for one in payouts):
        names.remove("bank_outcome")
    return [_flat(payout, lines, present, tie, names) for payout, lines in zip(payouts, own, strict=True)]


def _flat(payout: Row, lines: dict[str, Row], present: Iterable[str], tie: bool, names: Iterable[str]) -> Row:
    """Who it is comes last: ids are long, and people know a payout by its day and amount."""
    fees = -sum((Decimal(line["fee"]) for line in lines.values()), Decimal(0))
    items = Decimal(payout["items_net"]) if payout["items"] else None
    return {
        "date_arrival": payout["date_arrival"],
        "currency_iso": payout["currency_iso"],
        **{name: Decimal(lines[name]["amount"]) if name in lines else None for name in present},
        "fees taken off": fees or None,
        **({} if tie else {"items_net": items}),
        "payout": Decimal(payout["amount"]),
        **{name: payout[name] for name in names},
    }


def _group(row: Row) -> tuple[str, str, str]:
    return row["connection"], row["currency_iso"], row["outcome"]


def _payout(row: Row) -> tuple[str, str]:
    return row["connection"], row["payout_source_id"]


def _part(row: Row, names: Iterable[str]) -> Row:
    shown = plain_row(row)
    return {name: shown[name] for name in names}
