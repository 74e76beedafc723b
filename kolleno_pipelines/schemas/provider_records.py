"""Rows of money in a payment provider, as its normaliser gives them (docs/model.md). No I/O.

`customer_source_id` and the ids of invoices are those of the ledger that the provider serves: the pair's connection is
filled in by the fold. Amounts are in major units.
"""

from __future__ import annotations

from kolleno_pipelines.schemas.record_tables import Cell, Ending, RecordTable

_T, _M, _D, _F, _J = Cell.TEXT, Cell.MONEY, Cell.DAY, Cell.FLAG, Cell.JSON

PSP_CUSTOMERS = RecordTable(
    "psp_customers",
    {"name": _T, "email": _T, "customer_source_id": _T, "created_at": Cell.MOMENT, "is_active": _F, "metadata": _J},
    Ending.KEPT,
)
PAYMENT_INTENTS = RecordTable(
    "payment_intents",
    {
        "status": _T,
        "amount": _M,
        "amount_received": _M,
        "currency_iso": _T,
        "created_at": Cell.MOMENT,
        "psp_customer_source_id": _T,
        "charge_source_id": _T,
        "metadata": _J,
    },
    Ending.KEPT,
    frozenset({"status", "amount", "currency_iso", "created_at"}),
)
CHARGES = RecordTable(
    "charges",
    {
        "provider": _T,
        "status": _T,
        "amount": _M,
        "amount_captured": _M,
        "amount_refunded": _M,
        "surcharge_amount": _M,
        "currency_iso": _T,
        "created_at": Cell.MOMENT,
        "method": _T,
        "is_automatic": _F,
        "is_captured": _F,
        "is_disputed": _F,
        "failure_code": _T,
        "failure_message": _T,
        "payment_intent_source_id": _T,
        "psp_customer_source_id": _T,
        "balance_transaction_source_id": _T,
        "failure_balance_transaction_source_id": _T,
        "is_own": _F,
        "own_reference": _T,
        "customer_source_id": _T,
        "invoices_source_ids": _J,
        "invoices_refs": _J,
        "is_list_complete": _F,
        "metadata": _J,
    },
    Ending.KEPT,
    frozenset({"provider", "status", "amount", "currency_iso", "created_at", "is_own"}),
)
REFUNDS = RecordTable(
    "refunds",
    {
        "status": _T,
        "amount": _M,
        "currency_iso": _T,
        "created_at": Cell.MOMENT,
        "charge_source_id": _T,
        "payment_intent_source_id": _T,
        "reason": _T,
        "failure_reason": _T,
        "balance_transaction_source_id": _T,
        "failure_balance_transaction_source_id": _T,
        "metadata": _J,
    },
    Ending.KEPT,
    frozenset({"status", "amount", "currency_iso", "created_at"}),
)
DISPUTES = RecordTable(
    "disputes",
    {
        "status": _T,
        "reason": _T,
        "amount": _M,
        "currency_iso": _T,
        "created_at": Cell.MOMENT,
        "charge_source_id": _T,
        "payment_intent_source_id": _T,
        "balance_transactions": _J,
        "metadata": _J,
    },
    Ending.KEPT,
    frozenset({"status", "amount", "currency_iso", "created_at", "charge_source_id"}),
)
PAYOUTS = RecordTable(
    "payouts",
    {
        "status": _T,
        "amount": _M,
        "currency_iso": _T,
        "created_at": Cell.MOMENT,
        "date_arrival": _D,
        "is_automatic": _F,
        "method": _T,
        "reconciliation_status": _T,
        "description": _T,
        "statement_descriptor": _T,
        "destination_source_id": _T,
        "trace_id": _T,
        "trace_status": _T,
        "failure_code": _T,
        "failure_message": _T,
        "balance_transaction_source_id": _T,
        "failure_balance_transaction_source_id": _T,
        "original_payout_source_id": _T,
        "reversed_by_source_id": _T,
        "metadata": _J,
    },
    Ending.KEPT,
    frozenset({"status", "amount", "currency_iso", "created_at", "is_automatic"}),
)
#: What the provider says is in a payout, with the figures that it says there.
PAYOUT_MEMBERS = RecordTable(
    "payout_members",
    {
        "payout_source_id": _T,
        "balance_transaction_source_id": _T,
        "type": _T,
        "reporting_category": _T,
        "amount": _M,
        "fee": _M,
        "net": _M,
        "currency_iso": _T,
    },
    Ending.KEPT,
    frozenset({"payout_source_id", "balance_transaction_source_id", "amount", "fee", "net", "currency_iso"}),
)
BALANCE_TRANSACTIONS = RecordTable(
    "balance_transactions",
    {
        "type": _T,
        "reporting_category": _T,
        "status": _T,
        "amount": _M,
        "fee": _M,
        "net": _M,
        "currency_iso": _T,
        "created_at": Cell.MOMENT,
        "available_on": _D,
        "exchange_rate": Cell.RATE,
        "source_kind": _T,
        "source_object_id": _T,
        "charge_source_id": _T,
        "charge_amount": _M,
        "charge_currency_iso": _T,
        "balance_type": _T,
        "description": _T,
    },
    Ending.KEPT,
    frozenset({"type", "amount", "fee", "net", "currency_iso", "created_at"}),
)
FEE_DETAILS = RecordTable(
    "fee_details",
    {
        "balance_transaction_source_id": _T,
        "ordinal": Cell.COUNT,
        "type": _T,
        "amount": _M,
        "currency_iso": _T,
        "description": _T,
    },
    Ending.GONE,
    frozenset({"balance_transaction_source_id", "ordinal", "type", "amount", "currency_iso"}),
)
#: The provider's own word of a balance at a moment, by currency; taken between two looks at the newest row.
BALANCE_SNAPSHOTS = RecordTable(
    "balance_snapshots",
    {
        "taken_at": Cell.MOMENT,
        "currency_iso": _T,
        "available": _M,
        "pending": _M,
        "newest_balance_transaction_source_id": _T,
    },
    Ending.KEPT,
    frozenset({"taken_at", "currency_iso", "available", "pending"}),
)

#: What the provider tells of changes: which object, and when.
PROVIDER_EVENTS = RecordTable(
    "provider_events",
    {"type": _T, "created_at": Cell.MOMENT, "source_kind": _T, "source_object_id": _T},
    Ending.KEPT,
    frozenset({"type", "created_at"}),
)

#: In the order in which they fold.
PROVIDER_TABLES: tuple[RecordTable, ...] = (
    PSP_CUSTOMERS,
    PAYMENT_INTENTS,
    CHARGES,
    REFUNDS,
    DISPUTES,
    PAYOUTS,
    PAYOUT_MEMBERS,
    BALANCE_TRANSACTIONS,
    FEE_DETAILS,
    BALANCE_SNAPSHOTS,
    PROVIDER_EVENTS,
)
