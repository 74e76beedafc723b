"""What follows from the payments and allocations of a document: amounts, status, how payments name it. No book.

Total = AmountDue + AmountPaid + AmountCredited for every invoice, but a voided or deleted one: of those nothing is due.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from kolleno_pipelines.sandbox.xero.objects import CENT, CREDIT_KINDS, ZERO, Kind, Record

#: What a payment is called, and the type under which it names its document, by the document's type.
_PAYMENT_TYPES = {
    "ACCREC": ("ACCRECPAYMENT", "ACCREC"),
    "ACCPAY": ("ACCPAYPAYMENT", "ACCPAY"),
    "ACCRECCREDIT": ("ARCREDITPAYMENT", "ACCRECCREDIT"),
    "ACCPAYCREDIT": ("APCREDITPAYMENT", "ACCPAYCREDIT"),
    "RECEIVE-OVERPAYMENT": ("AROVERPAYMENTPAYMENT", "AROVERPAYMENT"),
    "AROVERPAYMENT": ("AROVERPAYMENTPAYMENT", "AROVERPAYMENT"),
    "SPEND-OVERPAYMENT": ("APOVERPAYMENTPAYMENT", "APOVERPAYMENT"),
    "RECEIVE-PREPAYMENT": ("ARPREPAYMENTPAYMENT", "ARPREPAYMENT"),
    "ARPREPAYMENT": ("ARPREPAYMENTPAYMENT", "ARPREPAYMENT"),
    "SPEND-PREPAYMENT": ("APPREPAYMENTPAYMENT", "APPREPAYMENT"),
    "APPREPAYMENT": ("APPREPAYMENTPAYMENT", "APPREPAYMENT"),
}
_NUMBER_FIELD = {Kind.INVOICES: "InvoiceNumber", Kind.CREDIT_NOTES: "CreditNoteNumber"}


def is_settled_in_part(record: Mapping[str, Any]) -> bool:
    """Whether a payment or credit is applied to a document, or out of it."""
    return any(record.get(each) for each in ("Payments", "Allocations", *CREDIT_KINDS))


def open_amount(kind: Kind, record: Mapping[str, Any]) -> Decimal:
    """Return what is still open of a document, in its currency; 0 where it does not count."""
    amount: Decimal = record["AmountDue" if kind is Kind.INVOICES else "RemainingCredit"]
    return amount if record["Status"] in {"AUTHORISED", "PAID"} else ZERO


def settle(kind: Kind, record: Record) -> Record:
    """Return a document with the amounts and the status that follow from what is applied to it."""
    if kind is Kind.INVOICES:
        return _settled_invoice(record)
    settled = _settled_credit(record)
    if kind is not Kind.CREDIT_NOTES:  # of money on account the vendor tells no day on which it was used up
        settled.pop("FullyPaidOnDate", None)
    return settled


def kind_of_payment(payment: Mapping[str, Any]) -> Kind:
    """Return the kind of the document that a payment belongs to."""
    word = payment["Invoice"]["Type"]
    if word in {"ACCREC", "ACCPAY"}:
        return Kind.INVOICES
    if word.endswith("CREDIT"):
        return Kind.CREDIT_NOTES
    return Kind.OVERPAYMENTS if word.endswith("OVERPAYMENT") else Kind.PREPAYMENTS


def payment_of(kind: Kind, document: Record, amount: Decimal, day: date, rate: Decimal) -> Record:
    """Return a payment of a document, still without identity, account and reference."""
    payment_type, word = _PAYMENT_TYPES[document["Type"]]
    empty: Record = {each: [] for each in ("Payments", "CreditNotes", "Prepayments", "Overpayments")}
    named = {
        "Type": word,
        "InvoiceID": document[kind.id_field],
        "InvoiceNumber": document.get(_NUMBER_FIELD.get(kind, ""), ""),
        **empty,
        "HasErrors": False,
        "IsDiscounted": False,
        "Contact": document["Contact"],
        "LineItems": [],
        "CurrencyCode": document["CurrencyCode"],
    }
    return {
        "Date": day,
        "BankAmount": (amount / rate).quantize(CENT),
        "Amount": amount,
        "CurrencyRate": rate,
        "PaymentType": payment_type,
        "Status": "AUTHORISED",
        "HasAccount": True,
        "IsReconciled": False,
        "Invoice": named,
        "HasValidationErrors": False,
    }


def _settled_invoice(record: Record) -> Record:
    paid = sum((each["Amount"] for each in record["Payments"]), ZERO)
    credited = sum((each["AppliedAmount"] for kind in CREDIT_KINDS for each in record[kind.value]), ZERO)
    due = record["Total"] - paid - credited
    settled = record | {"AmountDue": due, "AmountPaid": paid, "AmountCredited": credited}
    days = [each["Date"] for name in ("Payments", *CREDIT_KINDS) for each in record[name]]
    return _with_status(settled, due, days)


def _settled_credit(record: Record) -> Record:
    applied = sum((each["Amount"] for each in record["Allocations"]), ZERO)
    left = record["Total"] - applied - sum((each["Amount"] for each in record["Payments"]), ZERO)
    settled = record | {"RemainingCredit": left, "AppliedAmount": applied}
    days = [each["Date"] for name in ("Allocations", "Payments") for each in record[name]]
    return _with_status(settled, left, days)


def _with_status(record: Record, left: Decimal, days: list[date]) -> Record:
    """Follow what is left: a document with nothing left is PAID, one with something left is not."""
    if record["Status"] not in {"AUTHORISED", "PAID"}:
        # The vendor states nothing as due of a document that was voided or deleted.
        gone = record["Status"] in {"VOIDED", "DELETED"}
        return record | {name: ZERO for name in ("AmountDue", "RemainingCredit") if gone and name in record}
    record = {name: value for name, value in record.items() if name != "FullyPaidOnDate"}
    if left:
        return record | {"Status": "AUTHORISED"}
    return record | {"Status": "PAID", "FullyPaidOnDate": max([*days, record["Date"]])}
