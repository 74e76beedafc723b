"""What the objects of QuickBooks Online mean in our model: one function per extract, pure. No network.

Sources of the rules: docs/model.md, and the vendor's API as README.md beside this file tells it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa

from kolleno_pipelines.connectors.columns import at, first_of, frame, missing, moments, payload_rows, pc, take_rows
from kolleno_pipelines.connectors.quickbooks import documents, journals, payments
from kolleno_pipelines.schemas.records import Normalised, Quarantined

Rows = dict[str, pa.Table]

#: The one row of ledger_units: a QuickBooks company is one.
COMPANY = "company"
_RECEIVABLE = "Accounts Receivable"


def normalise(extract: str, table: pa.Table) -> Normalised:
    """Return what a block of payloads of an extract says; payloads that lack what they must have are quarantined."""
    rows_of, needs = _RULES[extract]
    deleted = pc.fill_null(pc.equal(at(table, "status"), "Deleted"), False)
    asked: list[tuple[str, Any]] = [("Id", at(table, "Id"))]
    # A deleted object has its id and its modified time, nothing else.
    asked += [(name, first_of(pc.if_else(deleted, "-", None), pc.cast(at(table, name), pa.string()))) for name in needs]
    faults = missing(table, asked)
    quarantined: list[Quarantined] = []
    if any(faults):
        ids, lines = table["Id"].to_pylist(), table["line"].to_numpy()
        quarantined = [
            Quarantined(int(lines[row]), ids[row], f"the payload lacks {fault}")
            for row, fault in enumerate(faults)
            if fault
        ]
        good = pa.array([fault is None for fault in faults], pa.bool_())
        table, deleted = take_rows(table, good), pc.filter(deleted, good)
    modified_at = moments(at(table, "MetaData.LastUpdatedTime"))
    payloads = payload_rows(table, extract, at(table, "Id"), modified_at, deleted)
    return Normalised(payloads, rows_of(take_rows(table, pc.invert(deleted))), quarantined)


def _preferences(table: pa.Table) -> Rows:
    columns = {
        "line": table["line"],
        "source_id": COMPANY,
        "home_currency_iso": at(table, "CurrencyPrefs.HomeCurrency.value"),
    }
    return {"ledger_units": frame("ledger_units", columns, table.num_rows)}


def _accounts(table: pa.Table) -> Rows:
    columns = {
        "line": table["line"],
        "source_id": at(table, "Id"),
        "ref": at(table, "AcctNum"),
        "name": at(table, "Name"),
        "type_stated": at(table, "AccountType"),
        "is_receivable": pc.equal(at(table, "AccountType"), _RECEIVABLE),
        "is_active": at(table, "Active"),
        "currency_iso": at(table, "CurrencyRef.value"),
        "balance_stated": at(table, "CurrentBalance"),
    }
    return {"accounts": frame("accounts", columns, table.num_rows)}


def _customers(table: pa.Table) -> Rows:
    count, source_id = table.num_rows, at(table, "Id")
    customers = {
        "line": table["line"],
        "source_id": source_id,
        "ref": at(table, "FullyQualifiedName"),
        "name": at(table, "DisplayName"),
        "currency_iso": at(table, "CurrencyRef.value"),
        "email": at(table, "PrimaryEmailAddr.Address"),
        "phone": at(table, "PrimaryPhone.FreeFormNumber"),
        "address_line_1": at(table, "BillAddr.Line1"),
        "address_line_2": at(table, "BillAddr.Line2"),
        "postal_code": at(table, "BillAddr.PostalCode"),
        "city": at(table, "BillAddr.City"),
        "state": at(table, "BillAddr.CountrySubDivisionCode"),
        "terms": at(table, "SalesTermRef.name"),
        "is_active": at(table, "Active"),
        "parent_source_id": at(table, "ParentRef.value"),
        # Its own documents: BalanceWithJobs holds those of its jobs once more.
        "balance_stated": at(table, "Balance"),
        "balance_currency_iso": at(table, "CurrencyRef.value"),
        "balance_is_home": pc.is_null(at(table, "CurrencyRef.value")),
    }
    contacts = {
        "line": table["line"],
        "source_id": source_id,
        "first_name": at(table, "GivenName"),
        "last_name": at(table, "FamilyName"),
        "email": at(table, "PrimaryEmailAddr.Address"),
    }
    links = {
        "line": table["line"],
        "source_id": source_id,
        "contact_source_id": source_id,
        "customer_source_id": source_id,
        "is_primary": True,
        "is_active": at(table, "Active"),
    }
    return {
        "customers": frame("customers", customers, count),
        "contacts": frame("contacts", contacts, count),
        "contact_links": frame("contact_links", links, count),
        "phones": _phones(table),
    }


def _phones(table: pa.Table) -> pa.Table:
    """The numbers of a customer's contact; fax is left out, as the platform that this follows does."""
    parts = []
    for field, kind in (("PrimaryPhone", "phone"), ("AlternatePhone", "phone"), ("Mobile", "mobile")):
        having = take_rows(table, pc.is_valid(at(table, f"{field}.FreeFormNumber")))
        columns = {
            "line": having["line"],
            "source_id": pc.binary_join_element_wise(at(having, "Id"), field, ":"),
            "contact_source_id": at(having, "Id"),
            "type": kind,
            "number": at(having, f"{field}.FreeFormNumber"),
        }
        parts.append(frame("phones", columns, having.num_rows))
    return pa.concat_tables(parts)


def _nothing(_: pa.Table) -> Rows:
    """CompanyInfo names the company, no record of ours; a refund receipt pays back at once, beside receivables."""
    return {}


_RULES: dict[str, tuple[Callable[[pa.Table], Rows], Iterable[str]]] = {
    "company_info": (_nothing, ()),
    "preferences": (_preferences, ("CurrencyPrefs.HomeCurrency.value",)),
    "accounts": (_accounts, ("Name", "AccountType")),
    "customers": (_customers, ("DisplayName",)),
    "invoices": (documents.invoices, ("CustomerRef.value", "TxnDate", "TotalAmt", "Balance")),
    "credit_memos": (documents.credit_memos, ("CustomerRef.value", "TxnDate", "TotalAmt")),
    "payments": (payments.payments, ("CustomerRef.value", "TxnDate", "TotalAmt", "UnappliedAmt")),
    "refund_receipts": (_nothing, ()),
    "deposits": (journals.deposits, ("TxnDate",)),
    "purchases": (journals.purchases, ("TxnDate",)),
    "journal_entries": (journals.journal_entries, ("TxnDate",)),
}
