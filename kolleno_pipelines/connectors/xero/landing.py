"""The extracts of Xero: which objects are read, and which of their fields. Nothing is read here.

Fields are those of the vendor's Accounting API 2.0. Amounts are exact decimals, dates text as the vendor writes it
(fields.py), and text that is empty says nothing.
"""

from __future__ import annotations

import pyarrow as pa

from kolleno_pipelines.connectors.contract import Extract, Pass

TEXT, MONEY, FLAG = pa.string(), pa.decimal128(20, 6), pa.bool_()
RATE = pa.decimal128(38, 24)


def _struct(**fields: pa.DataType) -> pa.DataType:
    return pa.struct(list(fields.items()))


_CONTACT = _struct(ContactID=TEXT)
_ALLOCATIONS = pa.list_(
    _struct(AllocationID=TEXT, Amount=MONEY, Date=TEXT, Invoice=_struct(InvoiceID=TEXT), IsDeleted=FLAG)
)
_DOCUMENT: dict[str, pa.DataType] = {
    "UpdatedDateUTC": TEXT,
    "Type": TEXT,
    "Status": TEXT,
    "Contact": _CONTACT,
    "Date": TEXT,
    "DateString": TEXT,
    "Reference": TEXT,
    "Total": MONEY,
    "CurrencyCode": TEXT,
    "CurrencyRate": RATE,
}
_CREDIT: dict[str, pa.DataType] = {**_DOCUMENT, "RemainingCredit": MONEY, "Allocations": _ALLOCATIONS}
_WHOLE = frozenset({Pass.SWEEP})
_ANNOUNCED = frozenset({Pass.CHANGES, Pass.LOOKUP})
_ALL = frozenset({Pass.CHANGES, Pass.SWEEP, Pass.LOOKUP})
#: What hangs on a document costs a call for each: it is read for the ids that are asked for, never by itself.
_ASKED = frozenset({Pass.LOOKUP})


#: What a sweep asks for by status: what is open. Payments are applied whole, so that a start date limits them too.
_OPEN_ONLY = {"invoices", "credit_notes", "overpayments", "prepayments"}


def _extract(name: str, vendor_object: str, fields: dict[str, pa.DataType], passes: frozenset[Pass]) -> Extract:
    is_open_only = name in _OPEN_ONLY
    schema = pa.schema(list(fields.items()))
    return Extract(name, vendor_object, schema, passes, is_open_only, is_open_only or name == "payments")


def _hanging(name: str, vendor_object: str, fields: dict[str, pa.DataType], flag: str | None = None) -> Extract:
    schema = pa.schema([("InvoiceID", TEXT), (vendor_object, pa.list_(_struct(**fields)))])
    return Extract(name, vendor_object, schema, _ASKED, hangs_on="invoices", flag=flag)


ORGANISATION = _extract(
    "organisation",
    "Organisation",
    {"OrganisationID": TEXT, "Name": TEXT, "BaseCurrency": TEXT, "CountryCode": TEXT, "Timezone": TEXT},
    _WHOLE,
)
ACCOUNTS = _extract(
    "accounts",
    "Accounts",
    {
        "AccountID": TEXT,
        "UpdatedDateUTC": TEXT,
        "Code": TEXT,
        "Name": TEXT,
        "Type": TEXT,
        "Status": TEXT,
        "SystemAccount": TEXT,
        "CurrencyCode": TEXT,
    },
    _ALL,
)
CONTACTS = _extract(
    "contacts",
    "Contacts",
    {
        "ContactID": TEXT,
        "UpdatedDateUTC": TEXT,
        "ContactNumber": TEXT,
        "AccountNumber": TEXT,
        "ContactStatus": TEXT,
        "MergedToContactID": TEXT,
        "Name": TEXT,
        "FirstName": TEXT,
        "LastName": TEXT,
        "EmailAddress": TEXT,
        "DefaultCurrency": TEXT,
        "Addresses": pa.list_(
            _struct(
                AddressType=TEXT,
                AddressLine1=TEXT,
                AddressLine2=TEXT,
                City=TEXT,
                Region=TEXT,
                PostalCode=TEXT,
                Country=TEXT,
            )
        ),
        "Phones": pa.list_(_struct(PhoneType=TEXT, PhoneNumber=TEXT, PhoneAreaCode=TEXT, PhoneCountryCode=TEXT)),
        "ContactPersons": pa.list_(_struct(FirstName=TEXT, LastName=TEXT, EmailAddress=TEXT, IncludeInEmails=FLAG)),
        "ContactGroups": pa.list_(_struct(ContactGroupID=TEXT, Name=TEXT)),
        "Balances": _struct(AccountsReceivable=_struct(Outstanding=MONEY)),
    },
    _ALL,
)
CONTACT_GROUPS = _extract(
    "contact_groups", "ContactGroups", {"ContactGroupID": TEXT, "Name": TEXT, "Status": TEXT}, _WHOLE
)
INVOICES = _extract(
    "invoices",
    "Invoices",
    {
        "InvoiceID": TEXT,
        **_DOCUMENT,
        "InvoiceNumber": TEXT,
        "DueDate": TEXT,
        "DueDateString": TEXT,
        "FullyPaidOnDate": TEXT,
        "SubTotal": MONEY,
        "TotalTax": MONEY,
        "AmountDue": MONEY,
    },
    _ALL,
)
CREDIT_NOTES = _extract(
    "credit_notes",
    "CreditNotes",
    {"CreditNoteID": TEXT, **_CREDIT, "CreditNoteNumber": TEXT, "FullyPaidOnDate": TEXT},
    _ALL,
)
PAYMENTS = _extract(
    "payments",
    "Payments",
    {
        "PaymentID": TEXT,
        "UpdatedDateUTC": TEXT,
        "PaymentType": TEXT,
        "Status": TEXT,
        "Date": TEXT,
        "Amount": MONEY,
        "CurrencyRate": RATE,
        "Reference": TEXT,
        "BatchPaymentID": TEXT,
        "BatchPayment": _struct(BatchPaymentID=TEXT),
        "Invoice": _struct(InvoiceID=TEXT, Contact=_CONTACT, CurrencyCode=TEXT),
    },
    _ANNOUNCED,
)
OVERPAYMENTS = _extract("overpayments", "Overpayments", {"OverpaymentID": TEXT, **_CREDIT}, _ALL)
PREPAYMENTS = _extract("prepayments", "Prepayments", {"PrepaymentID": TEXT, **_CREDIT, "InvoiceNumber": TEXT}, _ALL)
INVOICE_HISTORY = _hanging(
    "invoice_history", "HistoryRecords", {"Changes": TEXT, "User": TEXT, "DateUTC": TEXT, "Details": TEXT}
)
INVOICE_ATTACHMENTS = _hanging(
    "invoice_attachments",
    "Attachments",
    {"AttachmentID": TEXT, "FileName": TEXT, "MimeType": TEXT, "IncludeOnline": FLAG},
    flag="HasAttachments",
)

#: In the order in which they are read: parents first.
EXTRACTS: tuple[Extract, ...] = (
    ORGANISATION,
    ACCOUNTS,
    CONTACTS,
    CONTACT_GROUPS,
    INVOICES,
    CREDIT_NOTES,
    PAYMENTS,
    OVERPAYMENTS,
    PREPAYMENTS,
    INVOICE_HISTORY,
    INVOICE_ATTACHMENTS,
)
