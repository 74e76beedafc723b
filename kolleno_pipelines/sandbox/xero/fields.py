"""Which fields `where` and `order` may name, by kind, and their values as they compare. No condition is read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Literal

from kolleno_pipelines.sandbox.xero.objects import Kind

FieldType = Literal["text", "guid", "amount", "date", "flag"]


def _fields(text: str = "", *, guid: str = "", amount: str = "", day: str = "", flag: str = "") -> dict[str, FieldType]:
    kinds: dict[FieldType, str] = {"text": text, "guid": guid, "amount": amount, "date": day, "flag": flag}
    return {name: kind for kind, names in kinds.items() for name in names.split()}


_OF_CONTACT = _fields("Contact.Name", guid="Contact.ContactID")
_DOCUMENT = _OF_CONTACT | _fields(
    "Type Status Reference CurrencyCode", amount="SubTotal TotalTax Total CurrencyRate", day="Date UpdatedDateUTC"
)
_CREDIT = _DOCUMENT | _fields(amount="RemainingCredit AppliedAmount", flag="HasAttachments")

#: Which fields `where` and `order` may name, by kind.
FIELDS: Mapping[Kind, Mapping[str, FieldType]] = {
    Kind.ACCOUNTS: _fields(
        "Code Name Type Status Class TaxType SystemAccount BankAccountNumber CurrencyCode",
        guid="AccountID",
        day="UpdatedDateUTC",
        flag="EnablePaymentsToAccount ShowInExpenseClaims",
    ),
    Kind.CONTACTS: _fields(
        "Name FirstName LastName EmailAddress ContactNumber AccountNumber ContactStatus DefaultCurrency",
        guid="ContactID MergedToContactID",
        day="UpdatedDateUTC",
        flag="IsCustomer IsSupplier",
    ),
    Kind.CONTACT_GROUPS: _fields("Name Status", guid="ContactGroupID"),
    Kind.INVOICES: _DOCUMENT
    | _fields(
        "InvoiceNumber",
        guid="InvoiceID",
        amount="AmountDue AmountPaid AmountCredited",
        day="DueDate FullyPaidOnDate ExpectedPaymentDate PlannedPaymentDate",
        flag="SentToContact HasAttachments",
    ),
    Kind.CREDIT_NOTES: _CREDIT | _fields("CreditNoteNumber", guid="CreditNoteID", day="FullyPaidOnDate"),
    Kind.OVERPAYMENTS: _CREDIT | _fields(guid="OverpaymentID"),
    Kind.PREPAYMENTS: _CREDIT | _fields("InvoiceNumber", guid="PrepaymentID"),
    Kind.PAYMENTS: _fields(
        "Status PaymentType Reference Invoice.InvoiceNumber Invoice.Type Invoice.Contact.Name Account.Code",
        guid="PaymentID BatchPaymentID Invoice.InvoiceID Invoice.Contact.ContactID Account.AccountID",
        amount="Amount BankAmount CurrencyRate",
        day="Date UpdatedDateUTC",
        flag="IsReconciled",
    ),
    Kind.BATCH_PAYMENTS: _fields(
        "Type Status Reference",
        guid="BatchPaymentID Account.AccountID",
        amount="TotalAmount",
        day="Date UpdatedDateUTC",
        flag="IsReconciled",
    ),
}


def value_at(record: Mapping[str, Any], field: str) -> Any:
    """Return the value of a field by its name with dots, None where there is none."""
    value: Any = record
    for name in field.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def comparable(value: Any) -> Any:
    """Days and moments on one scale: a plain day is its midnight in UTC."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value
