"""What the objects of Stripe mean in our model: one function per extract, pure. No network.

Sources of the rules: docs/model.md, and the vendor's API as README.md beside this file tells it. Words that are not
known are kept as they came; what they mean for a payout is decided where payouts are reconciled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from kolleno_pipelines.connectors.columns import MOMENT, at, missing, payload_rows, pc, take_rows
from kolleno_pipelines.connectors.stripe import amounts, movements, objects
from kolleno_pipelines.schemas.records import Normalised, Quarantined

Rows = dict[str, pa.Table]


@dataclass(frozen=True)
class _Rule:
    """How an extract is normalised: its rows, what a payload must have, where its money stands (amount, currency)."""

    rows_of: Callable[[pa.Table], Rows]
    needs: tuple[str, ...]
    money: tuple[tuple[str, str], ...] = ()


def normalise(extract: str, table: pa.Table) -> Normalised:
    """Return what a block of payloads of an extract says; payloads that make no sense are quarantined."""
    rule = _RULES[extract]
    faults = _faults(table, rule)
    lines, ids = table["line"], table["id"]
    quarantined = [
        Quarantined(lines[row].as_py(), ids[row].as_py(), fault) for row, fault in enumerate(faults) if fault
    ]
    if quarantined:
        table = take_rows(table, pa.array([fault is None for fault in faults], pa.bool_()))
    deleted = at(table, "deleted") if "deleted" in table.column_names else pa.repeat(False, table.num_rows)
    payloads = payload_rows(table, extract, at(table, "id"), _made_at(table), deleted)
    return Normalised(payloads, rule.rows_of(table), quarantined)


def _made_at(table: pa.Table) -> Any:
    """When an object was made. When it changed it does not tell: of its versions the one observed last holds."""
    names = table.column_names
    if "created" in names:
        return objects.seconds(at(table, "created"))
    return objects.seconds(at(table, "item.created")) if "item" in names else pa.nulls(table.num_rows, MOMENT)


def _faults(table: pa.Table, rule: _Rule) -> list[str | None]:
    lacking = missing(table, [(name, pc.cast(at(table, name), pa.string())) for name in ("id", *rule.needs)])
    faults = [f"the payload lacks {names}" if names else None for names in lacking]
    for amount, currency in rule.money:
        broken = amounts.is_broken(at(table, amount), amounts.currency(at(table, currency)))
        for row in np.flatnonzero(broken.to_numpy(zero_copy_only=False)):
            faults[row] = faults[row] or f"{amount} has parts of a {currency} that is not divided"
    return faults


_PAID = ("created", "amount", "currency", "status")
_AMOUNT = (("amount", "currency"),)
_RULES: dict[str, _Rule] = {
    "events": _Rule(objects.events, ("created", "type")),
    "balance_transactions": _Rule(
        movements.balance_transactions,
        ("created", "amount", "fee", "net", "currency", "type"),
        (("amount", "currency"), ("fee", "currency"), ("net", "currency")),
    ),
    "balance_snapshots": _Rule(movements.balance_snapshots, ("created",)),
    "customers": _Rule(objects.customers, ()),
    "payment_intents": _Rule(objects.payment_intents, _PAID, (*_AMOUNT, ("amount_received", "currency"))),
    "charges": _Rule(
        objects.charges, _PAID, (*_AMOUNT, ("amount_captured", "currency"), ("amount_refunded", "currency"))
    ),
    "refunds": _Rule(objects.refunds, _PAID, _AMOUNT),
    "disputes": _Rule(objects.disputes, (*_PAID, "charge"), _AMOUNT),
    "payouts": _Rule(movements.payouts, (*_PAID, "automatic"), _AMOUNT),
    "payout_members": _Rule(
        movements.payout_members,
        ("payout", "item.id", "item.amount", "item.fee", "item.net", "item.currency"),
        tuple((f"item.{name}", "item.currency") for name in ("amount", "fee", "net")),
    ),
}
