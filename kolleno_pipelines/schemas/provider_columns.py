"""What the columns of a payment provider's entities mean, for the graph: made of provider_records.py and words."""

from __future__ import annotations

from kolleno_pipelines.schemas.model_columns import Columns, ModelColumn
from kolleno_pipelines.schemas.provider_records import PROVIDER_TABLES
from kolleno_pipelines.schemas.record_tables import SQL_TYPES, RecordTable

_MEANINGS: dict[str, str] = {
    "amount": "amount in major units",
    "amount_captured": "part that was taken",
    "amount_received": "part that was received",
    "amount_refunded": "part that was paid back",
    "available": "what can be paid out",
    "available_on": "day from which the row can be paid out",
    "balance_transaction_source_id": "row of the balance",
    "balance_transactions": "rows of the balance that it made",
    "balance_type": "which of the account's balances",
    "charge_amount": "amount of the charge behind the row",
    "charge_currency_iso": "its currency",
    "charge_source_id": "the charge",
    "created_at": "when the provider made it",
    "currency_iso": "ISO 4217",
    "customer_source_id": "the customer in the ledger that is served",
    "date_arrival": "day on which the bank has it",
    "description": "the provider's text",
    "destination_source_id": "bank account or card",
    "email": "e-mail address",
    "exchange_rate": "units of the balance for one of the charge",
    "failure_balance_transaction_source_id": "row of the balance that took it back",
    "failure_code": "why it failed, the provider's word",
    "failure_message": "why it failed, the provider's sentence",
    "failure_reason": "why it failed, the provider's word",
    "fee": "fee, above 0 where it was charged",
    "invoices_refs": "numbers of the invoices that it pays",
    "invoices_source_ids": "ids of the invoices that it pays, in the ledger",
    "is_active": "in use",
    "is_automatic": "made without a person",
    "is_captured": "taken, not only held",
    "is_disputed": "there is a dispute about it",
    "is_list_complete": "false where the lists may have been cut",
    "is_own": "made by the platform",
    "metadata": "what the platform wrote on it",
    "method": "card, bank debit and others, the provider's word",
    "name": "name",
    "net": "amount - fee",
    "newest_balance_transaction_source_id": "the newest row when it was taken",
    "ordinal": "place in the list",
    "original_payout_source_id": "payout that this one takes back",
    "own_reference": "the platform's id of the payment",
    "payment_intent_source_id": "the payment intent",
    "payout_source_id": "the payout",
    "pending": "what cannot be paid out yet",
    "provider": "payment provider",
    "psp_customer_source_id": "the customer at the provider",
    "reason": "why, the provider's word",
    "reconciliation_status": "completed once its list is whole",
    "reporting_category": "what the row is, the provider's word",
    "reversed_by_source_id": "payout that took this one back",
    "source_kind": "what made the row",
    "source_object_id": "its id",
    "statement_descriptor": "text on the bank's statement",
    "status": "the provider's word",
    "surcharge_amount": "part that pays no invoice",
    "taken_at": "the provider's moment",
    "trace_id": "the bank's reference",
    "trace_status": "whether the bank gave one",
    "type": "kind, the provider's word",
}
_KEY = (
    ModelColumn("connection", "text", "configured account that the record came from"),
    ModelColumn("source_id", "text", "the record's id there"),
)
_TRACE = (
    ModelColumn("observed_at", "timestamptz", "version of the newest change"),
    ModelColumn("origin", "text", "payload that the newest change came from"),
    ModelColumn("loaded_at", "timestamptz", "when the row was written"),
)


def _columns(table: RecordTable) -> Columns:
    own: list[ModelColumn] = []
    for name, cell in table.columns.items():
        if name == "customer_source_id":
            own.append(ModelColumn("customer_connection", "text", "the ledger that is served"))
        own.append(ModelColumn(name, SQL_TYPES[cell], _MEANINGS[name]))
    return (*_KEY, *own, *_TRACE)


#: Columns of each entity of a payment provider.
PROVIDER_ENTITIES: dict[str, Columns] = {table.entity: _columns(table) for table in PROVIDER_TABLES}
