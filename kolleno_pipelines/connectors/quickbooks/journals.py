"""Lines of journal entries, deposits and purchases of QuickBooks Online that may stand on a receivables account.

Which accounts are of receivables is not known here: every line with a customer is given, and the fold takes those on
receivables accounts. Amounts are signed, debit positive: what a customer owes more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from kolleno_pipelines.connectors.columns import at, days, first_of, frame, list_rows, pc, take_rows
from kolleno_pipelines.connectors.quickbooks.documents import is_zero, says_voided

Rows = dict[str, pa.Table]


def journal_entries(table: pa.Table) -> Rows:
    """Journal entries: a line of PostingType Credit takes off."""
    lines = _lines(table)
    detail = "JournalEntryLineDetail"
    is_customer = pc.equal(pc.utf8_lower(at(lines, f"{detail}.Entity.Type")), "customer")
    customer = pc.if_else(pc.fill_null(is_customer, False), at(lines, f"{detail}.Entity.EntityRef.value"), None)
    credit = pc.equal(at(lines, f"{detail}.PostingType"), "Credit")
    return _journals(lines, "JournalEntry", customer, at(lines, f"{detail}.AccountRef.value"), credit)


def deposits(table: pa.Table) -> Rows:
    """Deposits: money of a customer that is put straight on a receivables account is owed to the customer."""
    lines = _lines(table)
    detail = "DepositLineDetail"
    credit = pa.array([True] * lines.num_rows, pa.bool_())
    # Vendors and employees have ids of their own, which may be those of customers.
    is_customer = pc.equal(pc.utf8_lower(first_of(at(lines, f"{detail}.Entity.type"), "customer")), "customer")
    customer = pc.if_else(is_customer, at(lines, f"{detail}.Entity.value"), None)
    return _journals(lines, "Deposit", customer, at(lines, f"{detail}.AccountRef.value"), credit)


def purchases(table: pa.Table) -> Rows:
    """Cheques and expenses: money paid to a customer out of a receivables account, as when an overpayment goes back."""
    lines = _lines(table)
    detail = "AccountBasedExpenseLineDetail"
    is_customer = pc.equal(pc.utf8_lower(lines["payee_type"].combine_chunks()), "customer")
    payee = pc.if_else(pc.fill_null(is_customer, False), lines["payee"].combine_chunks(), None)
    customer = first_of(at(lines, f"{detail}.CustomerRef.value"), payee)
    credit = pc.fill_null(lines["is_credit"].combine_chunks(), False)
    return _journals(lines, "Purchase", customer, at(lines, f"{detail}.AccountRef.value"), credit)


def _lines(table: pa.Table) -> pa.Table:
    """Return the lines with what their transaction says of all of them."""
    rows, lines = list_rows(table, "Line")
    header: dict[str, Any] = {
        "payload_line": table["line"],
        "txn_id": at(table, "Id"),
        "ref": at(table, "DocNumber"),
        "currency": at(table, "CurrencyRef.value"),
        "rate": at(table, "ExchangeRate"),
        "day": days(at(table, "TxnDate")),
        "note": at(table, "PrivateNote"),
    }
    if "EntityRef" in table.column_names:
        header |= {"payee": at(table, "EntityRef.value"), "payee_type": at(table, "EntityRef.type")}
        header["is_credit"] = at(table, "Credit")
    lines = lines.append_column("ordinal", _ordinals(rows))
    for name, column in header.items():
        lines = lines.append_column(name, pc.take(column, rows))
    return lines


def _journals(lines: pa.Table, kind: str, customer: Any, account: Any, credit: Any) -> Rows:
    amount = at(lines, "Amount")
    signed = pc.if_else(pc.fill_null(credit, False), pc.negate(amount), amount)
    known = pc.and_(pc.and_(pc.is_valid(customer), pc.is_valid(account)), pc.is_valid(amount))
    made = lines.append_column("customer", customer).append_column("account", account).append_column("signed", signed)
    made = take_rows(made, known)
    columns = {
        "line": made["payload_line"],
        "source_id": pc.binary_join_element_wise(kind, at(made, "txn_id"), _line_ids(made), ":"),
        "entry_source_id": pc.binary_join_element_wise(kind, at(made, "txn_id"), ":"),
        "ref": made["ref"],
        "customer_source_id": made["customer"],
        "account_source_id": made["account"],
        "posting_status": pc.if_else(
            pc.and_(is_zero(at(made, "Amount")), says_voided(at(made, "note"))), "voided", "posted"
        ),
        "amount": made["signed"],
        "currency_iso": made["currency"],
        "exchange_rate": made["rate"],
        "date_issued": made["day"],
        "description": first_of(at(made, "Description"), at(made, "note")),
    }
    return {"journals": frame("journals", columns, made.num_rows)}


def _ordinals(rows: Any) -> Any:
    """Return, from 1, which line of its transaction each is; `rows` rise."""
    parents = rows.to_numpy()
    first = np.searchsorted(parents, parents, side="left")
    return pa.array(np.arange(len(parents)) - first + 1, pa.int64())


def _line_ids(lines: pa.Table) -> Any:
    """The vendor's number of a line; one without is named by its place."""
    place = pc.binary_join_element_wise("line", pc.cast(at(lines, "ordinal"), pa.string()), "-")
    return first_of(at(lines, "Id"), place)
