"""The words of Xero for what a document is and where it stands, one table each; documents of suppliers are not ours."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from kolleno_pipelines.connectors.columns import at, pc

#: `Status` of every document and payment -> our posting status. Xero has no word for collection.
POSTING: dict[str, str] = {
    "DRAFT": "draft",
    "SUBMITTED": "pending_approval",
    "AUTHORISED": "posted",
    "PAID": "posted",
    "VOIDED": "voided",
    "DELETED": "deleted",
}

#: The word that says whose side a document is on -> our kind; None: a supplier's, left out.
INVOICE_TYPES: dict[str, str | None] = {"ACCREC": "invoice", "ACCPAY": None}
CREDIT_NOTE_TYPES: dict[str, str | None] = {"ACCRECCREDIT": "credit_note", "ACCPAYCREDIT": None}
OVERPAYMENT_TYPES: dict[str, str | None] = {
    "RECEIVE-OVERPAYMENT": "overpayment",
    "AROVERPAYMENT": "overpayment",
    "SPEND-OVERPAYMENT": None,
    "APOVERPAYMENT": None,
}
PREPAYMENT_TYPES: dict[str, str | None] = {
    "RECEIVE-PREPAYMENT": "prepayment",
    "ARPREPAYMENT": "prepayment",
    "SPEND-PREPAYMENT": None,
    "APPREPAYMENT": None,
}
#: `PaymentType` -> what the money leaves from: a payment is a receipt, all others go back to the customer.
PAYMENT_TYPES: dict[str, str | None] = {
    "ACCRECPAYMENT": "payment",
    "ARCREDITPAYMENT": "credit_note",
    "AROVERPAYMENTPAYMENT": "overpayment",
    "ARPREPAYMENTPAYMENT": "prepayment",
    "ACCPAYPAYMENT": None,
    "APCREDITPAYMENT": None,
    "APOVERPAYMENTPAYMENT": None,
    "APPREPAYMENTPAYMENT": None,
}


def posting_status(table: pa.Table) -> Any:
    """Return the posting status of each row; null for a word that is not known."""
    return translated(at(table, "Status"), POSTING)


def translated(words: Any, meanings: dict[str, str | None] | dict[str, str]) -> Any:
    """Return what each word means; null for a word that is not known, and for one that means nothing of ours."""
    place = pc.index_in(words, value_set=pa.array(meanings, pa.string()))
    return pc.take(pa.array(meanings.values(), pa.string()), place)


def is_known(words: Any, meanings: dict[str, str | None] | dict[str, str]) -> Any:
    """Tell of each word whether it is one of the vendor's; false where there is none."""
    return pc.is_in(words, value_set=pa.array(meanings, pa.string()))
