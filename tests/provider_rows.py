"""A payment provider's account and the ledger that it serves, put by the fold, for tests of charges and payouts.

Amounts are text in major units. No assertions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg

from kolleno_pipelines.pipeline.reconcile_payouts import reconcile_charges, reconcile_payouts
from kolleno_pipelines.pipeline.reconciled import BankConnection
from kolleno_pipelines.storage.record_fold import fold_records
from tests.receivables_rows import rows
from tests.record_payloads import Payload, Row, customer, document, put

AT = datetime(2026, 2, 2, 9, 30, tzinfo=UTC)
TODAY = date(2026, 2, 11)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Provider:
    """What reconciliation needs to know of a payment provider."""

    name: str = "stripe"
    ledger: str = "qb"
    cutover: date | None = None
    payout_charge_id_field: str | None = None


@dataclass
class Account:
    """An account at a provider, and what is said of it; `members` are changed apart from the balance's rows.

    What is said in a later version holds.
    """

    name: str = "stripe"
    currency: str = "USD"
    records: dict[tuple[str, str], Row] = field(default_factory=dict)
    fees: dict[str, list[Row]] = field(default_factory=dict)
    version: int = 1

    def say(self, entity: str, source_id: str, **cells: Any) -> str:
        """Say something new, or otherwise, of a record."""
        known = self.records.get((entity, source_id), {"source_id": source_id})
        self.records[entity, source_id] = known | {
            name: Decimal(value) if name in _MONEY and isinstance(value, str) else value
            for name, value in cells.items()
        }
        return source_id

    def row(self, source_id: str, kind: str, amount: str, fee: str = "0", **cells: Any) -> str:
        """A row of the balance; its fee is one detail."""
        net = Decimal(amount) - Decimal(fee)
        told = {"type": kind, "reporting_category": kind, "currency_iso": self.currency, "created_at": AT}
        told |= {"amount": amount, "fee": fee, "net": net, "balance_type": "payments"}
        self.fees[source_id] = [{"amount": Decimal(fee), "currency_iso": self.currency}] if Decimal(fee) else []
        return self.say("balance_transactions", source_id, **told | cells)

    def charge(self, source_id: str, amount: str, fee: str = "0", *, row: bool = True, **cells: Any) -> str:
        """A charge of the platform, its reference `K-<id>`, with its row of the balance `txn_<id>`."""
        told = {"provider": "stripe", "status": "succeeded", "amount": amount, "amount_captured": amount}
        told |= {"currency_iso": self.currency, "created_at": AT, "is_captured": True, "is_own": True}
        told |= {"own_reference": f"K-{source_id}", "balance_transaction_source_id": f"txn_{source_id}"}
        self.say("charges", source_id, **told | cells)
        if row:
            self.row(
                f"txn_{source_id}", "charge", amount, fee, source_kind="charge", source_object_id=source_id,
                charge_source_id=source_id,
            )  # fmt: skip
        return source_id

    def refund(self, source_id: str, charge: str, amount: str, **cells: Any) -> str:
        """A refund with its row `txn_<id>`."""
        told = {"status": "succeeded", "amount": amount, "currency_iso": self.currency, "created_at": AT}
        told |= {"charge_source_id": charge, "balance_transaction_source_id": f"txn_{source_id}"}
        self.say("refunds", source_id, **told | cells)
        source = {"source_kind": "refund", "source_object_id": source_id, "charge_source_id": charge}
        self.row(f"txn_{source_id}", "refund", f"-{amount}", **source)
        return source_id

    def dispute(self, source_id: str, charge: str, amount: str, status: str, **cells: Any) -> str:
        told = {"status": status, "amount": amount, "currency_iso": self.currency, "created_at": AT}
        told |= {"charge_source_id": charge, "reason": "fraudulent"}
        return self.say("disputes", source_id, **told | cells)

    def payout(self, source_id: str, amount: str, *items: str, **cells: Any) -> str:
        """An automatic payout that is itemised, with its own row `txn_<id>` first in its list."""
        told = {"status": "paid", "amount": amount, "currency_iso": self.currency, "created_at": AT + 24 * HOUR}
        told |= {"is_automatic": True, "method": "standard", "reconciliation_status": "completed"}
        told |= {"balance_transaction_source_id": f"txn_{source_id}", "date_arrival": AT.date()}
        self.say("payouts", source_id, **told | cells)
        own = {"source_kind": "payout", "source_object_id": source_id, "created_at": AT + 24 * HOUR}
        negated = amount.removeprefix("-") if amount.startswith("-") else f"-{amount}"
        self.row(f"txn_{source_id}", "payout", negated, **own)
        for item in (f"txn_{source_id}", *items):
            self.member(source_id, item)
        return source_id

    def member(self, payout: str, item: str, number: int = 1, **cells: Any) -> str:
        """An entry of a payout's own list, as the balance's list has it unless said otherwise."""
        row = self.records.get(("balance_transactions", item), {})
        names = ("type", "reporting_category", "amount", "fee", "net", "currency_iso")
        told = {
            "payout_source_id": payout,
            "balance_transaction_source_id": item,
            **{one: row.get(one) for one in names},
        }
        entry = f"{payout}|{item}" if number == 1 else f"{payout}|{item}#{number}"
        return self.say("payout_members", entry, **told | cells)

    def snapshot(self, source_id: str, at: datetime, available: str, pending: str = "0", **cells: Any) -> str:
        told = {"taken_at": at, "currency_iso": self.currency, "available": available, "pending": pending}
        return self.say("balance_snapshots", f"{source_id}:{self.currency}", **told | cells)

    def payloads(self) -> list[Payload]:
        made = []
        for (entity, source_id), row in self.records.items():
            said: dict[str, tuple[Row, ...]] = {entity: (row,)}
            if entity == "balance_transactions":
                details = enumerate(self.fees.get(source_id, []), 1)
                said["fee_details"] = tuple(_fee(source_id, ordinal, detail) for ordinal, detail in details)
            made.append(Payload(entity, source_id, self.version, said))
        return made

    def fold(self, url: str, ledger: str = "qb") -> None:
        """Put everything that is said now, and fold it."""
        _fold(url, self.name, self.payloads(), ledger)


def _fee(row: str, ordinal: int, detail: Row) -> Row:
    own = {"source_id": f"{row}:{ordinal}", "balance_transaction_source_id": row, "ordinal": ordinal}
    return own | {"type": "stripe_fee"} | detail


_MONEY = {"amount", "amount_captured", "amount_refunded", "surcharge_amount", "fee", "net", "available", "pending"}
_MONEY |= {"charge_amount"}


@dataclass
class Ledger:
    """A ledger's payments of one customer, each applied to an invoice of its own."""

    name: str = "qb"
    payloads: list[Payload] = field(default_factory=lambda: [customer("C1", 1)])

    def payment(self, source_id: str, amount: str, applied: str | None = None, **cells: Any) -> None:
        """`applied`: how much of it settles invoice `I-<id>`; all of it unless said otherwise."""
        used = Decimal(amount if applied is None else applied)
        told: Mapping[str, Any] = {"currency_iso": "USD", **cells}
        own = document("payments", source_id, 1, amount, str(Decimal(amount) - used), **told)
        invoice = document("invoices", f"I-{source_id}", 1, str(used), "0", currency_iso=told["currency_iso"])
        link = {
            "source_id": f"payment:{source_id}",
            "owner_kind": "payment",
            "owner_source_id": source_id,
            "from_kind": "payment",
            "from_source_id": source_id,
            "to_kind": "invoice",
            "to_source_id": f"I-{source_id}",
            "ordinal": 1,
            "amount": used,
        }
        links: tuple[Row, ...] = (link,) if used else ()
        self.payloads += [invoice, Payload("payments", source_id, 1, {**own.rows, "allocations": links})]

    def fold(self, url: str) -> None:
        _fold(url, self.name, self.payloads, None)


def _fold(url: str, connection: str, payloads: list[Payload], ledger: str | None) -> None:
    with psycopg.connect(url) as conn:
        put(conn, connection, payloads)
        fold_records(conn, connection, ledger=ledger)


def reconcile(
    url: str, *providers: Provider, banks: Iterable[BankConnection] = ()
) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Reconcile charges and payouts; counts of both."""
    chosen, read = {one.name: one for one in providers or (Provider(),)}, {one.name: one for one in banks}
    charges, payouts = reconcile_charges(url, chosen, TODAY), reconcile_payouts(url, chosen, TODAY, banks=read)
    return charges.counts, payouts.counts


def charge_outcomes(url: str, connection: str = "stripe") -> dict[str, str]:
    found = rows(url, "SELECT source_id, outcome FROM reconciliation.charges WHERE connection = %s", connection)
    return dict(found)  # type: ignore[arg-type]


def payout_outcomes(url: str, connection: str = "stripe") -> dict[str, tuple[str, str, str]]:
    """Outcome, items leg, ledger leg by payout."""
    found = rows(
        url,
        "SELECT source_id, outcome, items_outcome, ledger_outcome FROM reconciliation.payouts WHERE connection = %s",
        connection,
    )
    return {row[0]: row[1:] for row in found}  # type: ignore[misc]


def exceptions(url: str, connection: str = "stripe") -> list[tuple[str, str, str, Decimal]]:
    """Payout, code, item, amount."""
    return rows(  # type: ignore[return-value]
        url,
        "SELECT payout_source_id, code, balance_transaction_source_id, amount FROM reconciliation.payout_exceptions"
        " WHERE connection = %s ORDER BY 1, 2, 3, occurrence",
        connection,
    )
