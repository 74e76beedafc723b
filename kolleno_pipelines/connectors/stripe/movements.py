"""Rows of the balance, balance snapshots and payouts of Stripe as rows of our entities. Pure, column by column."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from kolleno_pipelines.connectors.columns import at, frame, list_rows, pc
from kolleno_pipelines.connectors.stripe.amounts import currency, major
from kolleno_pipelines.connectors.stripe.objects import money_columns, seconds

Rows = dict[str, pa.Table]

_MONEY = pa.decimal128(20, 6)
#: By the beginning of an id what it is the id of, where the object itself did not come.
_KINDS = {
    "ch_": "charge",
    "py_": "charge",
    "re_": "refund",
    "pyr_": "refund",
    "dp_": "dispute",
    "du_": "dispute",
    "po_": "payout",
    "tr_": "transfer",
    "trr_": "transfer_reversal",
    "tu_": "topup",
    "fee_": "application_fee",
}


def balance_transactions(table: pa.Table) -> Rows:
    """Rows of the balance, what their fees are made of, and which charge is behind them."""
    iso = currency(at(table, "currency"))
    columns = {
        "line": table["line"],
        "source_id": at(table, "id"),
        "type": at(table, "type"),
        "reporting_category": at(table, "reporting_category"),
        "status": at(table, "status"),
        **{name: major(at(table, name), iso) for name in ("amount", "fee", "net")},
        "currency_iso": iso,
        "created_at": seconds(at(table, "created")),
        "available_on": pc.cast(pc.cast(at(table, "available_on"), pa.timestamp("s")), pa.date32()),
        "exchange_rate": at(table, "exchange_rate"),
        "balance_type": at(table, "balance_type"),
        "description": at(table, "description"),
        **_source(table),
    }
    return {
        "balance_transactions": frame("balance_transactions", columns, table.num_rows),
        "fee_details": _fee_details(table),
    }


def _source(table: pa.Table) -> dict[str, Any]:
    """What made the row, by the object, or by its id alone; then what a charge was is told by the charge itself."""
    if pa.types.is_string(table.schema.field("source").type):
        ids = at(table, "source")
        kinds = _kinds(ids)
        charge = pc.if_else(pc.equal(kinds, "charge"), ids, None)
        return {"source_kind": kinds, "source_object_id": ids, "charge_source_id": charge}
    ids, kinds = at(table, "source.id"), at(table, "source.object")
    iso, is_charge = currency(at(table, "source.currency")), pc.equal(kinds, "charge")
    return {
        "source_kind": kinds,
        "source_object_id": ids,
        "charge_source_id": pc.if_else(is_charge, ids, at(table, "source.charge")),
        "charge_amount": pc.if_else(is_charge, major(at(table, "source.amount"), iso), pa.scalar(None, _MONEY)),
        "charge_currency_iso": pc.if_else(is_charge, iso, None),
    }


def _kinds(source_ids: Any) -> Any:
    beginnings = pc.struct_field(pc.extract_regex(source_ids, "^(?P<kind>[^_]*_)"), "kind")
    places = pc.index_in(beginnings, value_set=pa.array(list(_KINDS)))
    return pa.array(list(_KINDS.values())).take(places)


def _fee_details(table: pa.Table) -> pa.Table:
    rows, details = list_rows(table, "fee_details")
    row, iso = rows.to_numpy(), currency(at(details, "currency"))
    row_ids = at(table, "id").take(rows)
    ordinal = pa.array(np.arange(len(row)) - np.searchsorted(row, row) + 1, pa.int32())
    columns = {
        "line": at(table, "line").take(rows),
        "source_id": pc.binary_join_element_wise(row_ids, pc.cast(ordinal, pa.string()), ":"),
        "balance_transaction_source_id": row_ids,
        "ordinal": ordinal,
        "type": at(details, "type"),
        "amount": major(at(details, "amount"), iso),
        "currency_iso": iso,
        "description": at(details, "description"),
    }
    return frame("fee_details", columns, len(row))


def payouts(table: pa.Table) -> Rows:
    """Payouts; one below 0 took money from the bank."""
    columns = money_columns(table) | {
        "date_arrival": pc.cast(pc.cast(at(table, "arrival_date"), pa.timestamp("s")), pa.date32()),
        "is_automatic": at(table, "automatic"),
        "method": at(table, "method"),
        "reconciliation_status": at(table, "reconciliation_status"),
        "description": at(table, "description"),
        "statement_descriptor": at(table, "statement_descriptor"),
        "destination_source_id": at(table, "destination"),
        "trace_id": at(table, "trace_id.value"),
        "trace_status": at(table, "trace_id.status"),
        "failure_code": at(table, "failure_code"),
        "failure_message": at(table, "failure_message"),
        "balance_transaction_source_id": at(table, "balance_transaction"),
        "failure_balance_transaction_source_id": at(table, "failure_balance_transaction"),
        "original_payout_source_id": at(table, "original_payout"),
        "reversed_by_source_id": at(table, "reversed_by"),
    }
    return {"payouts": frame("payouts", columns, table.num_rows)}


def payout_members(table: pa.Table) -> Rows:
    """What a payout's own list says is in it."""
    iso = currency(at(table, "item.currency"))
    columns = {
        "line": table["line"],
        "source_id": at(table, "id"),
        "payout_source_id": at(table, "payout"),
        "balance_transaction_source_id": at(table, "item.id"),
        "type": at(table, "item.type"),
        "reporting_category": at(table, "item.reporting_category"),
        **{name: major(at(table, f"item.{name}"), iso) for name in ("amount", "fee", "net")},
        "currency_iso": iso,
    }
    return {"payout_members": frame("payout_members", columns, table.num_rows)}


def balance_snapshots(table: pa.Table) -> Rows:
    """A row per snapshot and currency."""
    funds = [_funds(table, name) for name in ("available", "pending")]
    sums = pa.concat_tables(funds).group_by(["row", "currency"]).aggregate([("available", "sum"), ("pending", "sum")])
    rows, iso = sums["row"].combine_chunks(), currency(sums["currency"].combine_chunks())
    columns = {
        "line": at(table, "line").take(rows),
        "source_id": pc.binary_join_element_wise(at(table, "id").take(rows), iso, ":"),
        "taken_at": seconds(at(table, "created")).take(rows),
        "currency_iso": iso,
        "available": major(sums["available_sum"].combine_chunks(), iso),
        "pending": major(sums["pending_sum"].combine_chunks(), iso),
        "newest_balance_transaction_source_id": at(table, "newest_balance_transaction").take(rows),
    }
    return {"balance_snapshots": frame("balance_snapshots", columns, len(rows))}


def _funds(table: pa.Table, name: str) -> pa.Table:
    balance = pa.table({name: at(table, f"balance.{name}")})
    rows, funds = list_rows(balance, name)
    nothing = pa.repeat(pa.scalar(0, pa.int64()), len(rows))
    columns: dict[str, Any] = {"row": rows, "currency": funds["currency"]}
    columns |= {other: funds["amount"] if other == name else nothing for other in ("available", "pending")}
    return pa.table(columns)
