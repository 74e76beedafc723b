"""Reports about payment providers as tables that people read: from gross to net, and what is wrong. Nothing is read."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from kolleno_pipelines.cli.terminal import cell, print_rows, say
from kolleno_pipelines.schemas.balance_categories import PayoutLineName
from kolleno_pipelines.schemas.currencies import amount_text
from kolleno_pipelines.schemas.payout_words import BANK_IS_TOLD_APART

Rows = list[dict[str, Any]]

_BREAK_OF_CHARGE = ("currency_iso", "source_id", "outcome", "amount", "paid", "difference", "evidence", "break_id")
_EXCEPTION = (
    *("payout_source_id", "currency_iso", "code", "balance_transaction_source_id", "charge_source_id", "amount"),
    *("evidence", "break_id"),
)
_OF_BALANCE = (
    *("currency_iso", "code", "balance_transaction_source_id", "charge_source_id", "amount", "evidence", "break_id"),
)
_LINES = tuple(name.value for name in PayoutLineName)
OF_SPREADSHEET = (
    *("connection", "source_id", "date_arrival", "currency_iso", *_LINES, "fees_taken_off", "items_net", "amount"),
    *("difference", "outcome", "items_outcome", "ledger_outcome", "bank_outcome", "status", "items", "fallbacks"),
    *("exceptions", "created_at", "ledger"),
    *("bank_resolver", "bank_connection", "bank_line_source_id", "bank_amount", "bank_currency_iso", "bank_day"),
)


def gross_to_net_cells(
    payouts: Sequence[dict[str, Any]], *, thousands: bool = False
) -> tuple[tuple[str, ...], list[list[str]]]:
    """Return payouts of the report as columns and cells: every line's gross, less the fees taken off, to the payout.

    thousands: set apart by commas; reports do not.
    """
    from kolleno_pipelines.pipeline.provider_reports import gross_to_net

    rows = gross_to_net(payouts)
    columns = tuple(rows[0]) if rows else ()
    cells = [[_shown(row[name], row["currency_iso"], thousands=thousands) for name in columns] for row in rows]
    return columns, cells


def print_charges(rows: Rows) -> None:
    """Print how many charges have each outcome, and below them those that ask for somebody."""
    columns = [name for name in rows[0] if name != "breaks"]
    print_rows(columns, ([row[name] for name in columns] for row in rows))
    breaks = [
        {**one, "currency_iso": row["currency_iso"], "outcome": row["outcome"]} for row in rows for one in row["breaks"]
    ]
    _print_below(_BREAK_OF_CHARGE, breaks, "Charges that ask for somebody")


def print_payouts(rows: Rows) -> None:
    """Print every payout from gross to net, below them what is not compared, and what keeps from being reconciled."""
    print_rows(*gross_to_net_cells(rows))
    say(BANK_IS_TOLD_APART)
    exceptions = [{**one, "payout_source_id": row["source_id"]} for row in rows for one in row["exceptions"]]
    _print_below(_EXCEPTION, exceptions, "Exceptions")


def spread_payouts(rows: Rows) -> Rows:
    """Return payouts as a spreadsheet has them (OF_SPREADSHEET): a column for each line, exceptions in words."""
    from kolleno_pipelines.pipeline.provider_reports import gross_to_net

    spread = []
    for row, flat in zip(rows, gross_to_net(rows), strict=True):
        exceptions = "; ".join(
            f"{one['code']} {one['balance_transaction_source_id']}".strip() for one in row["exceptions"]
        )
        lines = {name: flat.get(name) for name in _LINES} | {"fees_taken_off": flat["fees taken off"]}
        amounts = {name: amount_text(amount or Decimal(0), row["currency_iso"]) for name, amount in lines.items()}
        spread.append({name: (row | amounts | {"exceptions": exceptions})[name] for name in OF_SPREADSHEET})
    return spread


def print_balance_proofs(rows: Rows) -> None:
    """Print the proofs of the balance, what asks for somebody first, and below them the rows that are wrong."""
    columns = [name for name in rows[0] if name not in {"break_id", "since", "exceptions"}]
    print_rows([*columns, "break_id"], ([row[name] for name in (*columns, "break_id")] for row in rows))
    _print_below(_OF_BALANCE, [one for row in rows for one in row["exceptions"]], "Rows of the balance in no payout")


def _print_below(columns: Sequence[str], rows: Rows, title: str) -> None:
    if rows:
        print()
        print_rows(columns, ([row[name] for name in columns] for row in rows), title=title)
        say("What to do about each outcome and code: docs/payouts.md. What is explained: kolleno differences accept.")


def _shown(value: object, currency_iso: str, *, thousands: bool) -> str:
    return amount_text(value, currency_iso, thousands=thousands) if isinstance(value, Decimal) else cell(value)
