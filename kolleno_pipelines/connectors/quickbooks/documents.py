"""Invoices and credit memos of QuickBooks Online as our documents. Payments and what they settle are payments.py's."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from kolleno_pipelines.connectors.columns import at, days, first_of, frame, pc, take_rows

Rows = dict[str, pa.Table]


def is_voided(table: pa.Table) -> Any:
    """A voided transaction has no status of its own: its total is 0 and its note says Voided."""
    return pc.and_(is_zero(at(table, "TotalAmt")), says_voided(at(table, "PrivateNote")))


def is_zero(amounts: Any) -> Any:
    """Whether an amount is 0; no amount is none."""
    return pc.fill_null(pc.equal(pc.cast(amounts, pa.float64()), 0.0), False)


def says_voided(notes: Any) -> Any:
    """Whether a note begins as that of a voided transaction does."""
    return pc.fill_null(pc.starts_with(pc.utf8_lower(notes), "voided"), False)


def notes_of(table: pa.Table) -> Any:
    """What somebody noted; the vendor writes `Voided - ` before the note of a transaction that is voided."""
    notes = at(table, "PrivateNote")
    return pc.if_else(is_voided(table), pc.replace_substring_regex(notes, r"(?i)^voided(\s*-\s*)?", ""), notes)


def document(table: pa.Table) -> dict[str, Any]:
    """Return what all documents have in common; the balance is the vendor's own, never a sum of links."""
    return {
        "line": table["line"],
        "source_id": at(table, "Id"),
        "ref": at(table, "DocNumber"),
        "customer_source_id": at(table, "CustomerRef.value"),
        "posting_status": pc.if_else(is_voided(table), "voided", "posted"),
        "collection_status": "none",
        "amount": at(table, "TotalAmt"),
        "currency_iso": at(table, "CurrencyRef.value"),
        "exchange_rate": at(table, "ExchangeRate"),
        "date_issued": days(at(table, "TxnDate")),
        "receivable_account_source_id": at(table, "ARAccountRef.value"),
    }


def _home(table: pa.Table) -> dict[str, Any]:
    return {"amount_home": at(table, "HomeTotalAmt"), "balance_home": at(table, "HomeBalance")}


def invoices(table: pa.Table) -> Rows:
    """Invoices; a deposit taken with one lowers its balance without a payment and is an allocation of its own."""
    tax = at(table, "TxnTaxDetail.TotalTax")
    columns = document(table) | _home(table)
    columns |= {
        "balance": at(table, "Balance"),
        "date_due": days(at(table, "DueDate")),
        "description": at(table, "CustomerMemo.value"),
        "amount_tax": tax,
        "amount_net": pc.cast(pc.subtract(at(table, "TotalAmt"), tax), pa.decimal128(20, 6)),
    }
    return {
        "invoices": frame("invoices", columns, table.num_rows),
        "allocations": _deposits_taken(table),
    }


def _deposits_taken(table: pa.Table) -> pa.Table:
    taken = take_rows(table, pc.not_equal(pc.cast(at(table, "Deposit"), pa.float64()), 0.0))
    source_id = at(taken, "Id")
    columns = {
        "line": taken["line"],
        "source_id": pc.binary_join_element_wise("invoice_deposit", source_id, ":"),
        "owner_kind": "invoice",
        "owner_source_id": source_id,
        "from_kind": "invoice_deposit",
        "from_source_id": source_id,
        "to_kind": "invoice",
        "to_source_id": source_id,
        "ordinal": 1,
        "amount": at(taken, "Deposit"),
        "date_applied": days(at(taken, "TxnDate")),
    }
    return frame("allocations", columns, taken.num_rows)


def credit_memos(table: pa.Table) -> Rows:
    """Credit memos; what is left of one is RemainingCredit."""
    columns = document(table) | _home(table)
    columns |= {
        "balance": first_of(at(table, "RemainingCredit"), at(table, "Balance")),
        "description": at(table, "CustomerMemo.value"),
    }
    return {"credit_notes": frame("credit_notes", columns, table.num_rows)}
