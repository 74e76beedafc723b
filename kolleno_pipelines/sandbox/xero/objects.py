"""The objects of a Xero organisation as Python values: kinds, identities, and how each is made. No history, no text.

Amounts are decimals, days are dates, moments are datetimes with a zone; `rendering` turns them into the vendor's text.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import NAMESPACE_URL, uuid5

Record = dict[str, Any]

ZERO = Decimal("0.00")
CENT = Decimal("0.01")
RATE = Decimal("0.000001")
BASE_CURRENCY = "USD"


class Kind(StrEnum):
    """A kind of object; its value is the name in addresses."""

    ORGANISATION = "Organisation"
    ACCOUNTS = "Accounts"
    CONTACTS = "Contacts"
    CONTACT_GROUPS = "ContactGroups"
    INVOICES = "Invoices"
    CREDIT_NOTES = "CreditNotes"
    PAYMENTS = "Payments"
    OVERPAYMENTS = "Overpayments"
    PREPAYMENTS = "Prepayments"
    BATCH_PAYMENTS = "BatchPayments"

    @property
    def id_field(self) -> str:
        """Name of the field that identifies an object of this kind."""
        return f"{self.value.removesuffix('s')}ID"

    @property
    def list_name(self) -> str:
        """Name of the list in an answer."""
        return "Organisations" if self is Kind.ORGANISATION else self.value


CREDIT_KINDS = (Kind.CREDIT_NOTES, Kind.OVERPAYMENTS, Kind.PREPAYMENTS)
DOCUMENT_KINDS = (Kind.INVOICES, *CREDIT_KINDS)

#: Types of documents that are owed to us or by us to customers; the others belong to suppliers.
RECEIVABLE_TYPES = frozenset(
    {
        *("ACCREC", "ACCRECCREDIT", "RECEIVE-OVERPAYMENT", "AROVERPAYMENT"),
        *("RECEIVE-PREPAYMENT", "ARPREPAYMENT"),
    }
)


def object_id(kind: str, key: str) -> str:
    """Return the identity that an object has for a key of the company, the same in every process."""
    return str(uuid5(NAMESPACE_URL, f"https://xero.sandbox.example/{kind}/{key}"))


def cents(amount: Decimal | int | str) -> Decimal:
    """Return an amount with two decimals. Raises ValueError when it has more: the vendor cannot state it."""
    exact = Decimal(amount)
    rounded = exact.quantize(CENT)
    if rounded != exact:
        message = f"Xero keeps two decimals; {exact} has more. Build the company with expressible=True."
        raise ValueError(message)
    return rounded


def organisation(name: str = "Sandbox Trading", *, lock_date: date | None = None) -> Record:
    """Return the organisation; documents dated up to `lock_date` may not change."""
    record: Record = {
        "OrganisationID": object_id(Kind.ORGANISATION, "1"),
        "Name": name,
        "LegalName": name,
        "PaysTax": True,
        "Version": "US",
        "OrganisationType": "COMPANY",
        "BaseCurrency": BASE_CURRENCY,
        "CountryCode": "US",
        "IsDemoCompany": False,
        "OrganisationStatus": "ACTIVE",
        "FinancialYearEndDay": 31,
        "FinancialYearEndMonth": 12,
        "SalesTaxBasis": "ACCRUALS",
        "SalesTaxPeriod": "QUARTERLY",
        "Timezone": "EASTERNSTANDARDTIME",
        "OrganisationEntityType": "COMPANY",
        "ShortCode": "!sandbx",
        "Edition": "BUSINESS",
        "Class": "PREMIUM",
        "Addresses": [],
        "Phones": [],
        "ExternalLinks": [],
        "PaymentTerms": {},
    }
    if lock_date:
        record["PeriodLockDate"] = lock_date
    return record


def account(
    code: str, name: str, kind: str, account_class: str, *, takes_payments: bool = False, system: str = ""
) -> Record:
    """Return a ledger account; `system` names the role of one that the vendor made itself, such as DEBTORS."""
    record: Record = {
        "AccountID": object_id(Kind.ACCOUNTS, code),
        "Code": code,
        "Name": name,
        "Status": "ACTIVE",
        "Type": kind,
        "TaxType": "NONE",
        "Class": account_class,
        "EnablePaymentsToAccount": takes_payments,
        "ShowInExpenseClaims": False,
        "ReportingCode": "",
        "HasAttachments": False,
        "AddToWatchlist": False,
    }
    if system:
        record["SystemAccount"] = system
    if kind == "BANK":
        record |= {"BankAccountNumber": f"0100{code}", "BankAccountType": "BANK", "CurrencyCode": BASE_CURRENCY}
    return record


def contact_summary(contact_id: str, name: str) -> Record:
    """Return a contact as documents name it."""
    empty: Record = {each: [] for each in ("Addresses", "Phones", "ContactGroups", "ContactPersons")}
    return {"ContactID": contact_id, "Name": name, **empty, "HasValidationErrors": False}


def line(amount: Decimal, tax: Decimal, description: str = "", key: str = "") -> Record:
    """Return the one line of a document: `amount` without tax."""
    return {
        "LineItemID": object_id("LineItem", key),
        "Description": description or "Goods as ordered",
        "Quantity": Decimal("1.0000"),
        "UnitAmount": amount,
        "TaxType": "OUTPUT2" if tax else "NONE",
        "TaxAmount": tax,
        "LineAmount": amount,
        "AccountCode": "200",
        "Tracking": [],
    }


def _document(key: str, contact: Mapping[str, Any], total: Decimal, day: date, currency: str, rate: Decimal) -> Record:
    net = (total * 5 / 6).quantize(CENT)
    return {
        "Contact": contact_summary(contact["ContactID"], contact["Name"]),
        "Date": day,
        "Status": "AUTHORISED",
        "LineAmountTypes": "Exclusive",
        "LineItems": [line(net, total - net, key=key)],
        "SubTotal": net,
        "TotalTax": total - net,
        "Total": total,
        "CurrencyCode": currency,
        "CurrencyRate": rate.quantize(RATE),
        "HasAttachments": False,
    }


def invoice(
    key: str,
    contact: Mapping[str, Any],
    total: Decimal | int | str,
    day: date,
    *,
    number: str = "",
    due: date | None = None,
    currency: str = BASE_CURRENCY,
    rate: Decimal = Decimal(1),
    document_type: str = "ACCREC",
    status: str = "AUTHORISED",
    reference: str = "",
) -> Record:
    """Return an invoice to a customer, or with ACCPAY a bill of a supplier; `rate` is foreign units for one of ours."""
    record = _document(f"invoice:{key}", contact, cents(total), day, currency, rate)
    record |= {
        "Type": document_type,
        "InvoiceID": object_id(Kind.INVOICES, key),
        "InvoiceNumber": number or key,
        "Reference": reference,
        "Status": status,
        "Payments": [],
        "CreditNotes": [],
        "Prepayments": [],
        "Overpayments": [],
        "SentToContact": False,
        "HasErrors": False,
        "IsDiscounted": False,
    }
    if due:
        record["DueDate"] = due
    return record


def credit_note(
    key: str,
    contact: Mapping[str, Any],
    total: Decimal | int | str,
    day: date,
    *,
    number: str = "",
    currency: str = BASE_CURRENCY,
    rate: Decimal = Decimal(1),
    document_type: str = "ACCRECCREDIT",
    status: str = "AUTHORISED",
    reference: str = "",
) -> Record:
    """Return a credit note, to a customer unless the type says ACCPAYCREDIT."""
    record = _document(f"credit:{key}", contact, cents(total), day, currency, rate)
    identity = object_id(Kind.CREDIT_NOTES, key)
    return record | {
        "Type": document_type,
        "CreditNoteID": identity,
        "ID": identity,
        "CreditNoteNumber": number or key,
        "Reference": reference,
        "Status": status,
        "Allocations": [],
        "Payments": [],
        "SentToContact": False,
        "HasErrors": False,
    }


def money_on_account(
    kind: Kind,
    key: str,
    contact: Mapping[str, Any],
    total: Decimal | int | str,
    day: date,
    *,
    document_type: str,
    currency: str = BASE_CURRENCY,
    rate: Decimal = Decimal(1),
    reference: str = "",
) -> Record:
    """Return an overpayment or a prepayment: money received that was not a payment of one document."""
    record = _document(f"{kind}:{key}", contact, cents(total), day, currency, rate)
    amount, identity = record["Total"], object_id(kind, key)
    if kind is Kind.OVERPAYMENTS:  # the vendor never taxes one
        lines = [line(amount, ZERO, "Overpayment", f"{kind}:{key}") | {"AccountCode": "610"}]
        record |= {"LineAmountTypes": "NoTax", "LineItems": lines, "SubTotal": amount, "TotalTax": ZERO}
    return record | {
        "Type": document_type,
        kind.id_field: identity,
        "ID": identity,
        "Reference": reference,
        "Allocations": [],
        "Payments": [],
    }


def moment_of(record: Mapping[str, Any]) -> datetime:
    """Return the moment at which the vendor says that an object changed last."""
    moment: datetime = record["UpdatedDateUTC"]
    return moment
