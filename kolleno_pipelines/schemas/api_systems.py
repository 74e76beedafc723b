"""What the graph shows of API systems before their connectors are loaded: extracts, entities, columns. Plain data.

What an extract's payloads hold is its connector's; a test holds both against each other.
"""

from __future__ import annotations

from dataclasses import dataclass

from kolleno_pipelines.schemas.bank_records import BANK_ENTITIES
from kolleno_pipelines.schemas.model_columns import ENTITIES, Columns, ModelColumn
from kolleno_pipelines.schemas.provider_columns import PROVIDER_ENTITIES


@dataclass(frozen=True)
class ApiSystem:
    """One system: its extracts in the order of reading, its entities, extracts that are read only where asked for."""

    title: str
    extracts: tuple[str, ...]
    entities: tuple[str, ...]
    also_read: tuple[str, ...] = ()


_DOCUMENTS = ("invoices", "credit_notes", "payments")

API_SYSTEMS: dict[str, ApiSystem] = {
    "quickbooks": ApiSystem(
        "QuickBooks Online",
        (
            *("company_info", "preferences", "accounts", "customers", "invoices", "credit_memos", "payments"),
            *("refund_receipts", "deposits", "purchases", "journal_entries"),
        ),
        (
            *("ledger_units", "accounts", "customers", "contacts", "contact_links", "phones"),
            *(*_DOCUMENTS, "journals", "allocations"),
        ),
    ),
    "xero": ApiSystem(
        "Xero",
        (
            *("organisation", "accounts", "contacts", "contact_groups", "invoices", "credit_notes", "payments"),
            *("overpayments", "prepayments"),
        ),
        (
            *("ledger_units", "accounts", "customers", "customer_aliases", "contacts", "contact_links", "phones"),
            *(*_DOCUMENTS, "refunds_erp", "allocations"),
        ),
        ("invoice_history", "invoice_attachments"),
    ),
    "stripe": ApiSystem(
        "Stripe",
        (
            *("events", "balance_snapshots", "balance_transactions", "customers", "payment_intents", "charges"),
            *("refunds", "disputes", "payouts", "payout_members"),
        ),
        tuple(PROVIDER_ENTITIES),
    ),
    "bank_files": ApiSystem("Bank files", ("files", "accounts", "statements", "entries"), tuple(BANK_ENTITIES)),
}

#: Entities whose rows name a parent, and may wait for it.
WITH_PARENTS = ("contact_links", *_DOCUMENTS, "journals", "refunds_erp", "allocations")


def _columns(text: str) -> Columns:
    return tuple(ModelColumn(*line.split(maxsplit=2)) for line in text.strip().splitlines())


_KEY = _columns("""
connection text configured account that the record came from
source_id text the record's id there
""")
_TRACE = _columns("""
observed_at timestamptz version of the newest change
origin text payload that the newest change came from
loaded_at timestamptz when the row was written
""")
_POSTED = _columns("""
kind text kind of document
ref text number shown to people
customer_connection text connection of the customer
customer_source_id text the customer's id there
posting_status text draft, pending_approval, posted, voided or deleted: only posted counts
amount numeric amount
currency_iso text ISO 4217
date_issued date date of the document
deleted_at timestamptz version in which the source deleted it
first_seen_at timestamptz version in which it first came
""")

#: Columns of each entity that an API system may fill.
API_ENTITIES: dict[str, Columns] = {
    **ENTITIES,
    **PROVIDER_ENTITIES,
    **BANK_ENTITIES,
    "ledger_units": _KEY
    + _columns("""
name text name
home_currency_iso text home currency
country_iso text ISO 3166
timezone text time zone
""")
    + _TRACE,
    "accounts": _KEY
    + _columns("""
ref text number shown to people
name text name
type_stated text type, the source's own word
is_receivable boolean receivables are kept on it
is_active boolean in use
currency_iso text ISO 4217
balance_stated numeric balance as the source states it
""")
    + _TRACE,
    "customer_aliases": _KEY + _columns("customer_source_id text customer into whom this one was merged") + _TRACE,
    "phones": _KEY
    + _columns("""
contact_source_id text the contact
type text phone or mobile
number text number as stated
""")
    + _TRACE,
    "journals": _KEY
    + _POSTED
    + _columns("""
entry_source_id text the entry that the line is part of
account_source_id text receivables account
exchange_rate numeric home units for one unit of the currency
description text description
balance numeric amount less what was allocated, derived
balance_open numeric what counts: the balance when posted, else 0
""")
    + _TRACE,
    "refunds_erp": _KEY + _POSTED + _TRACE,
}

#: Columns of `raw.extracts` that the graph shows.
EXTRACTS: Columns = _columns("""
id integer number of the part
connection text configured account that was asked
extract text kind of object
pass text why it was read: changes, deletions, sweep, lookup or import
partition_day date day that it was read for
observed_at timestamptz when the reading began
newest_modified_at timestamptz newest modified time received
sha256 text checksum; names the bytes in the archive
size bigint bytes
records bigint payloads
status text landed, normalised, folded or failed
quarantined bigint payloads that could not be normalised
""")
