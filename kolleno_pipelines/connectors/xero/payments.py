"""Payments of Xero by their PaymentType: what customers paid, and what was paid back to them out of their credits.

A payment belongs to one document and is wholly applied to it; its amount is in that document's currency. A refund names
the credit that it leaves from where others name their invoice. Several payments of one receipt share a batch.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa

from kolleno_pipelines.connectors.columns import at, first_of, frame, pc, take_rows
from kolleno_pipelines.connectors.xero.documents import issued
from kolleno_pipelines.connectors.xero.fields import home_amount, home_rate, plain_days, stated
from kolleno_pipelines.connectors.xero.statuses import PAYMENT_TYPES, posting_status, translated

Rows = dict[str, pa.Table]


def payments(table: pa.Table) -> Rows:
    """Receipts with what they pay, refunds with the credit that they leave from."""
    sources = translated(at(table, "PaymentType"), PAYMENT_TYPES)
    is_receipt = pc.equal(sources, "payment")
    receipts, refunds = take_rows(table, is_receipt), take_rows(table, pc.invert(is_receipt))
    return {
        "payments": _receipts(receipts),
        "refunds_erp": _refunds(refunds),
        "allocations": pa.concat_tables([_paid(receipts), _paid_back(refunds)]),
    }


def _head(table: pa.Table) -> dict[str, Any]:
    return {
        "line": table["line"],
        "source_id": at(table, "PaymentID"),
        "ref": stated(at(table, "Reference")),
        "customer_source_id": at(table, "Invoice.Contact.ContactID"),
        "posting_status": posting_status(table),
        "amount": at(table, "Amount"),
        "currency_iso": stated(at(table, "Invoice.CurrencyCode")),
        "date_issued": issued(table),
    }


def _receipts(table: pa.Table) -> pa.Table:
    head, rate = _head(table), at(table, "CurrencyRate")
    nothing = pa.repeat(pa.scalar(Decimal(0), head["amount"].type), table.num_rows)
    columns = head | {
        "kind": "payment",
        "collection_status": "none",
        "status_stated": at(table, "Status"),
        "balance": nothing,
        "exchange_rate": home_rate(rate),
        "amount_home": home_amount(head["amount"], rate),
        "balance_home": nothing,
        "date_paid": head["date_issued"],
        "batch_source_id": first_of(
            stated(at(table, "BatchPaymentID")), stated(at(table, "BatchPayment.BatchPaymentID"))
        ),
    }
    return frame("payments", columns, table.num_rows)


def _refunds(table: pa.Table) -> pa.Table:
    return frame("refunds_erp", _head(table), table.num_rows)


def _paid(table: pa.Table) -> pa.Table:
    """What each receipt pays; one that was deleted pays nothing any more."""
    live = take_rows(table, pc.equal(posting_status(table), "posted"))
    paid = {
        "owner_kind": "payment",
        "from_kind": "payment",
        "from_source_id": at(live, "PaymentID"),
        "to_kind": "invoice",
        "to_source_id": at(live, "Invoice.InvoiceID"),
    }
    return _allocations(live, paid)


def _paid_back(table: pa.Table) -> pa.Table:
    """Which credit each refund leaves from."""
    live = take_rows(table, pc.equal(posting_status(table), "posted"))
    paid_back = {
        "owner_kind": "refund",
        "from_kind": translated(at(live, "PaymentType"), PAYMENT_TYPES),
        "from_source_id": at(live, "Invoice.InvoiceID"),
        "to_kind": "refund",
        "to_source_id": at(live, "PaymentID"),
    }
    return _allocations(live, paid_back)


def _allocations(live: pa.Table, ends: dict[str, Any]) -> pa.Table:
    payment = at(live, "PaymentID")
    columns = ends | {
        "line": live["line"],
        "source_id": pc.binary_join_element_wise("payment", payment, ":"),
        "owner_source_id": payment,
        "ordinal": 1,
        "amount": at(live, "Amount"),
        "date_applied": plain_days(at(live, "Date")),
    }
    return frame("allocations", columns, live.num_rows)
