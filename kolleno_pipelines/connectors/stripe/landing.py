"""The extracts of Stripe: which objects are read, and which of their fields. Nothing is read here.

Amounts are whole minor units, moments seconds since 1970. What may come as an id or as the object itself (`source`)
has a form for each.
"""

from __future__ import annotations

import pyarrow as pa

from kolleno_pipelines.connectors.contract import Extract, Pass

TEXT, MINOR, SECONDS, FLAG = pa.string(), pa.int64(), pa.int64(), pa.bool_()
RATE = pa.decimal128(38, 24)


def _struct(**fields: pa.DataType) -> pa.DataType:
    return pa.struct(list(fields.items()))


#: What the platform writes on what it makes, a string each, and what it takes beside the invoices.
METADATA = (
    "created_by",
    "payment_charge",
    "customer",
    "customer_source_id",
    "invoices_source_id",
    "invoices_refs",
    "surcharge",
)
_METADATA = _struct(**dict.fromkeys(METADATA, TEXT))
_ALWAYS: dict[str, pa.DataType] = {"id": TEXT, "created": SECONDS}
_MONEY: dict[str, pa.DataType] = {**_ALWAYS, "amount": MINOR, "currency": TEXT, "status": TEXT, "metadata": _METADATA}
_FEE = _struct(amount=MINOR, currency=TEXT, type=TEXT, description=TEXT)
_ROW: dict[str, pa.DataType] = {
    **_ALWAYS,
    "amount": MINOR,
    "fee": MINOR,
    "net": MINOR,
    "currency": TEXT,
    "type": TEXT,
    "reporting_category": TEXT,
    "status": TEXT,
    "available_on": SECONDS,
    "exchange_rate": RATE,
    "balance_type": TEXT,
    "description": TEXT,
    "fee_details": pa.list_(_FEE),
}
_SOURCE = _struct(id=TEXT, object=TEXT, amount=MINOR, currency=TEXT, charge=TEXT)
_FUNDS = pa.list_(_struct(amount=MINOR, currency=TEXT))
_READ = frozenset({Pass.CHANGES, Pass.LOOKUP})


def _extract(
    name: str,
    vendor_object: str,
    fields: dict[str, pa.DataType],
    passes: frozenset[Pass] = _READ,
    *,
    forms: tuple[dict[str, pa.DataType], ...] = (),
    is_momentary: bool = False,
) -> Extract:
    other = tuple(pa.schema(list(form.items())) for form in forms)
    return Extract(name, vendor_object, pa.schema(list(fields.items())), passes, forms=other, is_momentary=is_momentary)


#: In the order in which they are read: what names others first, so that these are newer.
EXTRACTS: tuple[Extract, ...] = (
    _extract(
        "events",
        "event",
        {**_ALWAYS, "type": TEXT, "data": _struct(object=_struct(id=TEXT, object=TEXT))},
        frozenset({Pass.CHANGES}),
    ),
    _extract(
        "balance_snapshots",
        "balance",
        {
            **_ALWAYS,
            "newest_balance_transaction": TEXT,
            "balance": _struct(available=_FUNDS, pending=_FUNDS),
        },
        frozenset({Pass.CHANGES}),
        is_momentary=True,
    ),
    _extract(
        "balance_transactions",
        "balance_transaction",
        {**_ROW, "source": _SOURCE},
        forms=({**_ROW, "source": TEXT},),
    ),
    _extract("customers", "customer", {**_ALWAYS, "name": TEXT, "email": TEXT, "deleted": FLAG, "metadata": _METADATA}),
    _extract(
        "payment_intents",
        "payment_intent",
        {**_MONEY, "amount_received": MINOR, "customer": TEXT, "latest_charge": TEXT},
    ),
    _extract(
        "charges",
        "charge",
        {
            **_MONEY,
            "amount_captured": MINOR,
            "amount_refunded": MINOR,
            "captured": FLAG,
            "disputed": FLAG,
            "failure_code": TEXT,
            "failure_message": TEXT,
            "payment_intent": TEXT,
            "customer": TEXT,
            "balance_transaction": TEXT,
            "failure_balance_transaction": TEXT,
            "payment_method_details": _struct(type=TEXT),
        },
    ),
    _extract(
        "refunds",
        "refund",
        {
            **_MONEY,
            "charge": TEXT,
            "payment_intent": TEXT,
            "reason": TEXT,
            "failure_reason": TEXT,
            "balance_transaction": TEXT,
            "failure_balance_transaction": TEXT,
        },
    ),
    _extract(
        "disputes",
        "dispute",
        {
            **_MONEY,
            "charge": TEXT,
            "payment_intent": TEXT,
            "reason": TEXT,
            "balance_transactions": pa.list_(_struct(id=TEXT)),
        },
    ),
    _extract(
        "payouts",
        "payout",
        {
            **_MONEY,
            "arrival_date": SECONDS,
            "automatic": FLAG,
            "method": TEXT,
            "reconciliation_status": TEXT,
            "description": TEXT,
            "statement_descriptor": TEXT,
            "destination": TEXT,
            "trace_id": _struct(status=TEXT, value=TEXT),
            "failure_code": TEXT,
            "failure_message": TEXT,
            "balance_transaction": TEXT,
            "failure_balance_transaction": TEXT,
            "original_payout": TEXT,
            "reversed_by": TEXT,
        },
    ),
    _extract(
        "payout_members",
        "balance_transaction",
        {"id": TEXT, "payout": TEXT, "item": _struct(**_ROW)},
        frozenset({Pass.LOOKUP}),
    ),
)
