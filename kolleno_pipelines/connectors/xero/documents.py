"""Invoices, credit notes and money on account of Xero as our documents, and what the credits pay. No payments.

The balance is the vendor's own (AmountDue, RemainingCredit), never a sum of allocations. A credit lists its
allocations itself: they are its own set, and one that was taken off is marked IsDeleted or not listed any more.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from kolleno_pipelines.connectors.columns import at, first_of, frame, list_rows, pc, take_rows
from kolleno_pipelines.connectors.xero.fields import home_amount, home_rate, moments, plain_days, stated
from kolleno_pipelines.connectors.xero.statuses import posting_status

Rows = dict[str, pa.Table]


def _document(table: pa.Table, id_field: str, balance_field: str) -> dict[str, Any]:
    rate = at(table, "CurrencyRate")
    total, balance = at(table, "Total"), at(table, balance_field)
    return {
        "line": table["line"],
        "source_id": at(table, id_field),
        "customer_source_id": at(table, "Contact.ContactID"),
        "posting_status": posting_status(table),
        "collection_status": "none",
        "status_stated": at(table, "Status"),
        "amount": total,
        "balance": balance,
        "currency_iso": stated(at(table, "CurrencyCode")),
        "exchange_rate": home_rate(rate),
        "amount_home": home_amount(total, rate),
        "balance_home": home_amount(balance, rate),
        "date_issued": issued(table),
    }


def issued(table: pa.Table) -> Any:
    """The day of a document. Of one that counts no more the date may be 0: then the day of its last change stands in.

    Without it the document could not be told as voided, and would go on counting.
    """
    strings = at(table, "DateString") if "DateString" in table.column_names else None
    day = plain_days(at(table, "Date"), strings)
    is_gone = pc.is_in(posting_status(table), value_set=pa.array(["voided", "deleted"]))
    changed = pc.cast(moments(at(table, "UpdatedDateUTC")), pa.date32(), safe=False)
    return pc.coalesce(day, pc.if_else(pc.fill_null(is_gone, False), changed, None))


def invoices(table: pa.Table) -> Rows:
    """Invoices to customers; what is paid and credited is told by payments and credits themselves."""
    columns = _document(table, "InvoiceID", "AmountDue") | {
        "ref": stated(at(table, "InvoiceNumber")),
        "date_due": plain_days(at(table, "DueDate"), at(table, "DueDateString")),
        "date_paid": plain_days(at(table, "FullyPaidOnDate")),
        "po_number": stated(at(table, "Reference")),
        "amount_net": at(table, "SubTotal"),
        "amount_tax": at(table, "TotalTax"),
    }
    return {"invoices": frame("invoices", columns, table.num_rows)}


def credit_notes(table: pa.Table) -> Rows:
    """Credit notes to customers, with what they pay."""
    columns = _document(table, "CreditNoteID", "RemainingCredit") | {
        "ref": stated(at(table, "CreditNoteNumber")),
        "date_paid": plain_days(at(table, "FullyPaidOnDate")),
        "description": stated(at(table, "Reference")),
    }
    return {
        "credit_notes": frame("credit_notes", columns, table.num_rows),
        "allocations": _allocations(table, "credit_note", "CreditNoteID"),
    }


def overpayments(table: pa.Table) -> Rows:
    """Overpayments: money on account, received beside or beyond what was owed."""
    return _on_account(table, "overpayment", "OverpaymentID", stated(at(table, "Reference")))


def prepayments(table: pa.Table) -> Rows:
    """Prepayments: money on account, received before there was an invoice."""
    ref = first_of(stated(at(table, "Reference")), stated(at(table, "InvoiceNumber")))
    return _on_account(table, "prepayment", "PrepaymentID", ref)


def _on_account(table: pa.Table, kind: str, id_field: str, ref: Any) -> Rows:
    columns = _document(table, id_field, "RemainingCredit") | {"kind": kind, "ref": ref}
    columns["date_paid"] = columns["date_issued"]
    return {
        "payments": frame("payments", columns, table.num_rows),
        "allocations": _allocations(table, kind, id_field),
    }


def _allocations(table: pa.Table, kind: str, id_field: str) -> pa.Table:
    """What a credit pays: its live allocations, while it is posted itself."""
    posted = take_rows(table, pc.equal(posting_status(table), "posted"))
    rows, parts = list_rows(posted, "Allocations")
    ordinal = _ordinals(rows)
    parts = parts.append_column("ordinal", ordinal)
    parts = parts.append_column("owner", pc.take(at(posted, id_field), rows))
    parts = parts.append_column("payload_line", pc.take(posted["line"].combine_chunks(), rows))
    parts = take_rows(parts, pc.invert(pc.fill_null(at(parts, "IsDeleted"), False)))
    owner, invoice = at(parts, "owner"), at(parts, "Invoice.InvoiceID")
    # The vendor names every allocation; without a name it is known by its place.
    unnamed = pc.binary_join_element_wise(kind, owner, invoice, pc.cast(at(parts, "ordinal"), pa.string()), ":")
    columns = {
        "line": parts["payload_line"],
        "source_id": first_of(stated(at(parts, "AllocationID")), unnamed),
        "owner_kind": kind,
        "owner_source_id": owner,
        "from_kind": kind,
        "from_source_id": owner,
        "to_kind": "invoice",
        "to_source_id": invoice,
        "ordinal": parts["ordinal"],
        "amount": at(parts, "Amount"),
        "date_applied": plain_days(at(parts, "Date")),
    }
    return frame("allocations", columns, parts.num_rows)


def _ordinals(rows: Any) -> Any:
    """The place of each element in its own list, from 1: `rows` rises, one value per element."""
    first = pc.index_in(rows, value_set=rows)
    return pc.cast(pc.add(pc.subtract(pa.array(range(len(rows)), pa.int32()), first), 1), pa.int32())
