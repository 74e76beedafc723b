"""Reports about payment providers as plain rows: what became of charges, payouts with lines and exceptions."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kolleno_pipelines.pipeline.plain_rows import Row, plain_row
from kolleno_pipelines.schemas.balance_categories import PayoutLineName

Read = Callable[[str], list[Row]]

_LINES = list(PayoutLineName)
#: What a nested row says of its charge, line or exception.
_CHARGE = ("source_id", "customer_source_id", "amount", "paid", "difference", "evidence", "break_id")
_LINE = ("line", "items", "amount", "fee", "net")
_EXCEPTION = ("code", "leg", "balance_transaction_source_id", "charge_source_id", "amount", "evidence", "break_id")


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


def _group(row: Row) -> tuple[str, str, str]:
    return row["connection"], row["currency_iso"], row["outcome"]


def _payout(row: Row) -> tuple[str, str]:
    return row["connection"], row["payout_source_id"]


def _part(row: Row, names: Iterable[str]) -> Row:
    shown = plain_row(row)
    return {name: shown[name] for name in names}
