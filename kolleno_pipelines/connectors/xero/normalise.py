"""What the objects of Xero mean in our model: one function per extract, pure. No network.

Sources of the rules: docs/model.md, and the vendor's API as README.md beside this file tells it. A document of a
supplier keeps its payload's row and gives none of ours; one that lacks something, or says a word that is not known, is
quarantined.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from kolleno_pipelines.connectors.columns import at, frame, missing, payload_rows, pc, take_rows
from kolleno_pipelines.connectors.xero import contacts, documents, payments, statuses
from kolleno_pipelines.connectors.xero.fields import moments, stated
from kolleno_pipelines.schemas.records import Normalised, Quarantined

Rows = dict[str, pa.Table]

#: The role of the one account on which receivables are kept.
_RECEIVABLE = "DEBTORS"


@dataclass(frozen=True)
class _Rule:
    """How an extract is normalised. sides: the field and the words that tell our documents from suppliers'."""

    id_field: str
    rows_of: Callable[[pa.Table], Rows]
    needs: tuple[str, ...] = ()
    sides: tuple[str, dict[str, str | None]] | None = None
    has_status: bool = False


def normalise(extract: str, table: pa.Table) -> Normalised:
    """Return what a block of payloads of an extract says; payloads that make no sense are quarantined."""
    rule = _RULES[extract]
    ours = _ours(table, rule)
    faults = _faults(table, rule, ours)
    good = pa.array([fault is None for fault in faults], pa.bool_())
    lines: list[Any] = table["line"].to_pylist()
    ids: list[Any] = table[rule.id_field].to_pylist()
    quarantined = [Quarantined(lines[row], ids[row], fault) for row, fault in enumerate(faults) if fault]
    table, ours = take_rows(table, good), pc.filter(ours, good)
    # Xero tells of deletions by a status: no payload of it is a tombstone.
    nothing_deleted = pa.repeat(pa.scalar(False), table.num_rows)
    payloads = payload_rows(table, extract, at(table, rule.id_field), _modified_at(table), nothing_deleted)
    return Normalised(payloads, rule.rows_of(take_rows(table, ours)), quarantined)


def _modified_at(table: pa.Table) -> Any:
    if "UpdatedDateUTC" in table.column_names:
        return moments(at(table, "UpdatedDateUTC"))
    return pa.nulls(table.num_rows, pa.timestamp("us", "UTC"))


def _ours(table: pa.Table, rule: _Rule) -> Any:
    """Tell what is not a supplier's; a word that is not known is ours until it is looked at."""
    if rule.sides is None:
        return pa.repeat(pa.scalar(True), table.num_rows)
    field, meanings = rule.sides
    theirs = [word for word, kind in meanings.items() if kind is None]
    return pc.invert(pc.is_in(at(table, field), value_set=pa.array(theirs, pa.string())))


def _faults(table: pa.Table, rule: _Rule, ours: Any) -> list[str | None]:
    asked: list[tuple[str, Any]] = [(rule.id_field, at(table, rule.id_field))]
    for name in rule.needs:
        value = documents.issued(table) if name == "Date" else at(table, name)
        present = pc.is_valid(stated(value) if pa.types.is_string(value.type) else value)
        if name.endswith("CurrencyCode"):  # what is converted at 1 is in the home currency
            rate = at(table, "CurrencyRate")
            present = pc.or_(present, pc.fill_null(pc.equal(rate, pa.scalar(1, rate.type)), True))
        asked.append((name, _present(pc.or_(present, pc.invert(ours)))))
    faults = [f"the payload lacks {names}" if names else None for names in missing(table, asked)]
    for field, meanings in _words(rule):
        known = pc.or_(statuses.is_known(at(table, field), meanings), pc.invert(ours)).to_pylist()
        for row, word in enumerate(at(table, field).to_pylist()):
            if not known[row] and faults[row] is None:
                faults[row] = f"{field} is {word!r}, a word that is not known"
    return faults


def _words(rule: _Rule) -> list[tuple[str, Any]]:
    words: list[tuple[str, Any]] = [rule.sides] if rule.sides else []
    return [*words, ("Status", statuses.POSTING)] if rule.has_status else words


def _present(flags: Any) -> Any:
    """A text where something is there."""
    return pc.if_else(flags, "-", None)


def _organisation(table: pa.Table) -> Rows:
    columns = {
        "line": table["line"],
        "source_id": at(table, "OrganisationID"),
        "name": at(table, "Name"),
        "home_currency_iso": at(table, "BaseCurrency"),
        "country_iso": stated(at(table, "CountryCode")),
        "timezone": stated(at(table, "Timezone")),
    }
    return {"ledger_units": frame("ledger_units", columns, table.num_rows)}


def _accounts(table: pa.Table) -> Rows:
    columns = {
        "line": table["line"],
        "source_id": at(table, "AccountID"),
        "ref": stated(at(table, "Code")),
        "name": at(table, "Name"),
        "type_stated": at(table, "Type"),
        "is_receivable": pc.fill_null(pc.equal(at(table, "SystemAccount"), _RECEIVABLE), False),
        "is_active": pc.equal(at(table, "Status"), "ACTIVE"),
        "currency_iso": stated(at(table, "CurrencyCode")),
    }
    return {"accounts": frame("accounts", columns, table.num_rows)}


def _nothing(_: pa.Table) -> Rows:
    """A contact names its groups itself; what hangs on a document is kept as it came."""
    return {}


_PARTY = ("Contact.ContactID", "Date", "Total", "CurrencyCode")
_PAYMENT = ("Invoice.InvoiceID", "Invoice.Contact.ContactID", "Invoice.CurrencyCode", "Date", "Amount")

_RULES: dict[str, _Rule] = {
    "organisation": _Rule("OrganisationID", _organisation, ("BaseCurrency",)),
    "accounts": _Rule("AccountID", _accounts, ("Name", "Type")),
    "contacts": _Rule("ContactID", contacts.contacts, ("Name",)),
    "contact_groups": _Rule("ContactGroupID", _nothing),
    "invoices": _Rule(
        "InvoiceID", documents.invoices, (*_PARTY, "AmountDue"), ("Type", statuses.INVOICE_TYPES), has_status=True
    ),
    "credit_notes": _Rule(
        "CreditNoteID",
        documents.credit_notes,
        (*_PARTY, "RemainingCredit"),
        ("Type", statuses.CREDIT_NOTE_TYPES),
        has_status=True,
    ),
    "payments": _Rule(
        "PaymentID", payments.payments, _PAYMENT, ("PaymentType", statuses.PAYMENT_TYPES), has_status=True
    ),
    "overpayments": _Rule(
        "OverpaymentID",
        documents.overpayments,
        (*_PARTY, "RemainingCredit"),
        ("Type", statuses.OVERPAYMENT_TYPES),
        has_status=True,
    ),
    "prepayments": _Rule(
        "PrepaymentID",
        documents.prepayments,
        (*_PARTY, "RemainingCredit"),
        ("Type", statuses.PREPAYMENT_TYPES),
        has_status=True,
    ),
    "invoice_history": _Rule("InvoiceID", _nothing),
    "invoice_attachments": _Rule("InvoiceID", _nothing),
}
