"""What a connector's normaliser gives: the rows of our entities that each payload of an API says, as columns. No I/O.

A payload has an owner, the vendor's object whose whole state it is; all rows made of it are the owner's set, which
replaces every older set of that owner (docs/model.md). Amounts are exact decimals, moments UTC, dates plain.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from kolleno_pipelines.schemas.bank_records import BANK_TABLES
from kolleno_pipelines.schemas.provider_records import PROVIDER_TABLES
from kolleno_pipelines.schemas.record_tables import Cell, Ending, Parent, RecordTable

__all__ = [
    "HOME",
    "PAYLOADS",
    "RECORD_TABLES",
    "Cell",
    "Ending",
    "Normalised",
    "Parent",
    "Quarantined",
    "RecordTable",
]


#: One row per payload: whose state it is (the vendor's kind of object and its id), and the version that it carries.
_PAYLOAD: list[tuple[str, pa.DataType]] = [
    ("line", pa.int32()),
    ("kind", pa.string()),
    ("source_id", pa.string()),
    ("modified_at", pa.timestamp("us", "UTC")),
    ("is_deleted", pa.bool_()),
    ("digest", pa.string()),
]
PAYLOADS = pa.schema(_PAYLOAD)


@dataclass(frozen=True)
class Quarantined:
    """A payload that cannot be normalised: its line and why, in a sentence for an operator."""

    line: int
    source_id: str | None
    reason: str


@dataclass
class Normalised:
    """What a block of payloads says: a row of PAYLOADS for each, and the rows of each entity."""

    payloads: pa.Table
    rows: dict[str, pa.Table] = field(default_factory=dict)
    quarantined: list[Quarantined] = field(default_factory=list)


_T, _M, _D, _F = Cell.TEXT, Cell.MONEY, Cell.DAY, Cell.FLAG
_CUSTOMER = Parent("customers", "customer_source_id", "unknown_customer")
#: A document without a currency of its own is in the home currency, which must be known.
HOME = Parent("ledger_units", "currency_iso", "unknown_home_currency")

_DOCUMENT = {
    "ref": _T,
    "customer_source_id": _T,
    "posting_status": _T,
    "collection_status": _T,
    "status_stated": _T,
    "amount": _M,
    "balance": _M,
    "currency_iso": _T,
    "exchange_rate": Cell.RATE,
    "amount_home": _M,
    "balance_home": _M,
    "date_issued": _D,
    "date_due": _D,
    "date_paid": _D,
    "receivable_account_source_id": _T,
    "extra": Cell.JSON,
}
_DOCUMENT_NEEDS = frozenset({"customer_source_id", "posting_status", "collection_status", "amount", "date_issued"})


def _documents(entity: str, *, kind: str = "", **more: Cell) -> RecordTable:
    kinds = {"kind": _T} if kind else {}
    return RecordTable(
        entity, {**kinds, **_DOCUMENT, **more}, Ending.DELETED, _DOCUMENT_NEEDS | set(kinds), (_CUSTOMER, HOME)
    )


LEDGER_UNITS = RecordTable(
    "ledger_units",
    {"name": _T, "home_currency_iso": _T, "country_iso": _T, "timezone": _T},
    Ending.KEPT,
)
ACCOUNTS = RecordTable(
    "accounts",
    {
        "ref": _T,
        "name": _T,
        "type_stated": _T,
        "is_receivable": _F,
        "is_active": _F,
        "currency_iso": _T,
        "balance_stated": _M,
    },
    Ending.KEPT,
    frozenset({"name", "is_receivable"}),
)
CUSTOMERS = RecordTable(
    "customers",
    {
        "ref": _T,
        "name": _T,
        "currency_iso": _T,
        "email": _T,
        "phone": _T,
        "address_line_1": _T,
        "address_line_2": _T,
        "postal_code": _T,
        "city": _T,
        "state": _T,
        "country_iso": _T,
        "terms": _T,
        "is_active": _F,
        "parent_source_id": _T,
        "balance_stated": _M,
        "balance_currency_iso": _T,
        "balance_is_home": _F,
        "extra": Cell.JSON,
    },
    Ending.KEPT,
    frozenset({"name"}),
)
CUSTOMER_ALIASES = RecordTable(
    "customer_aliases", {"customer_source_id": _T}, Ending.GONE, frozenset({"customer_source_id"})
)
CONTACTS = RecordTable(
    "contacts", {"first_name": _T, "last_name": _T, "email": _T, "extra": Cell.JSON}, Ending.INACTIVE
)
CONTACT_LINKS = RecordTable(
    "contact_links",
    {"contact_source_id": _T, "customer_source_id": _T, "position": _T, "is_primary": _F, "is_active": _F},
    Ending.INACTIVE,
    frozenset({"contact_source_id", "customer_source_id"}),
    (_CUSTOMER,),
)
PHONES = RecordTable(
    "phones",
    {"contact_source_id": _T, "type": _T, "number": _T},
    Ending.GONE,
    frozenset({"contact_source_id", "type", "number"}),
)
INVOICES = _documents("invoices", po_number=_T, description=_T, amount_net=_M, amount_tax=_M)
CREDIT_NOTES = _documents("credit_notes", description=_T)
PAYMENTS = _documents("payments", kind="payment", method=_T, psp_reference=_T, batch_source_id=_T, deposit_source_id=_T)
JOURNALS = RecordTable(
    "journals",
    {
        "entry_source_id": _T,
        "ref": _T,
        "customer_source_id": _T,
        "account_source_id": _T,
        "posting_status": _T,
        "amount": _M,
        "currency_iso": _T,
        "exchange_rate": Cell.RATE,
        "date_issued": _D,
        "description": _T,
    },
    Ending.DELETED,
    frozenset({"customer_source_id", "account_source_id", "posting_status", "amount", "date_issued"}),
    (_CUSTOMER, HOME, Parent("accounts", "account_source_id", "unknown_account")),
)
REFUNDS = RecordTable(
    "refunds_erp",
    {
        "ref": _T,
        "customer_source_id": _T,
        "posting_status": _T,
        "amount": _M,
        "currency_iso": _T,
        "date_issued": _D,
    },
    Ending.DELETED,
    frozenset({"customer_source_id", "posting_status", "amount", "date_issued"}),
    (_CUSTOMER, HOME),
)
ALLOCATIONS = RecordTable(
    "allocations",
    {
        "owner_kind": _T,
        "owner_source_id": _T,
        "from_kind": _T,
        "from_source_id": _T,
        "to_kind": _T,
        "to_source_id": _T,
        "ordinal": Cell.COUNT,
        "amount": _M,
        "amount_from": _M,
        "date_applied": _D,
        "is_inferred": _F,
        "beyond_cap": _F,
    },
    Ending.REMOVED,
    frozenset({"owner_kind", "owner_source_id", "from_kind", "from_source_id", "to_kind", "to_source_id", "amount"}),
    (
        Parent("invoices", "to_source_id", "unknown_invoice", ("to_kind", "invoice")),
        Parent("journals", "to_source_id", "unknown_journal", ("to_kind", "journal")),
        Parent("refunds_erp", "to_source_id", "unknown_refund", ("to_kind", "refund")),
        Parent("credit_notes", "from_source_id", "unknown_credit_note", ("from_kind", "credit_note")),
        Parent("payments", "from_source_id", "unknown_payment", ("from_kind", "payment")),
        Parent("payments", "from_source_id", "unknown_payment", ("from_kind", "overpayment")),
        Parent("payments", "from_source_id", "unknown_payment", ("from_kind", "prepayment")),
        Parent("journals", "from_source_id", "unknown_journal", ("from_kind", "journal")),
    ),
)

#: In the order in which they fold: parents first.
RECORD_TABLES: dict[str, RecordTable] = {
    table.entity: table
    for table in (
        LEDGER_UNITS,
        ACCOUNTS,
        CUSTOMERS,
        CUSTOMER_ALIASES,
        CONTACTS,
        CONTACT_LINKS,
        PHONES,
        INVOICES,
        CREDIT_NOTES,
        PAYMENTS,
        JOURNALS,
        REFUNDS,
        ALLOCATIONS,
        *PROVIDER_TABLES,
        *BANK_TABLES,
    )
}
