"""The extracts of QuickBooks Online: which objects are read, and which of their fields. Nothing is read here.

Fields are those of the vendor's Accounting API v3; absent and empty fields are null (the API leaves out what has no
value). Amounts are exact decimals, moments text with the company's offset.
"""

from __future__ import annotations

import pyarrow as pa

from kolleno_pipelines.connectors.contract import Extract, Pass

TEXT, MONEY, FLAG = pa.string(), pa.decimal128(20, 6), pa.bool_()
RATE = pa.decimal128(38, 24)


def _struct(**fields: pa.DataType) -> pa.DataType:
    return pa.struct(list(fields.items()))


REF = _struct(value=TEXT, name=TEXT, type=TEXT)
_META = _struct(CreateTime=TEXT, LastUpdatedTime=TEXT)
_LINKED = pa.list_(_struct(TxnId=TEXT, TxnType=TEXT, TxnLineId=TEXT))
_ADDRESS = _struct(Line1=TEXT, Line2=TEXT, City=TEXT, CountrySubDivisionCode=TEXT, PostalCode=TEXT, Country=TEXT)
_PHONE = _struct(FreeFormNumber=TEXT)
_ENTITY = _struct(Type=TEXT, EntityRef=REF)
_ALWAYS: dict[str, pa.DataType] = {"Id": TEXT, "status": TEXT, "MetaData": _META}
_TRANSACTION: dict[str, pa.DataType] = {
    **_ALWAYS,
    "DocNumber": TEXT,
    "TxnDate": TEXT,
    "PrivateNote": TEXT,
    "CurrencyRef": REF,
    "ExchangeRate": RATE,
    "LinkedTxn": _LINKED,
}
_SALE: dict[str, pa.DataType] = {
    **_TRANSACTION,
    "CustomerRef": REF,
    "TotalAmt": MONEY,
    "HomeTotalAmt": MONEY,
    "Balance": MONEY,
    "HomeBalance": MONEY,
    "ARAccountRef": REF,
    "CustomerMemo": REF,
    "TxnTaxDetail": _struct(TotalTax=MONEY),
}
_ALL = frozenset({Pass.CHANGES, Pass.DELETIONS, Pass.SWEEP, Pass.LOOKUP})
_LIST = frozenset({Pass.CHANGES, Pass.SWEEP, Pass.LOOKUP})


#: Their balance is part of the object: a sweep asks for the open ones.
_OPEN_ONLY = {"Invoice", "CreditMemo", "Payment"}


def _extract(name: str, vendor_object: str, fields: dict[str, pa.DataType], passes: frozenset[Pass]) -> Extract:
    is_open_only = vendor_object in _OPEN_ONLY
    return Extract(name, vendor_object, pa.schema(list(fields.items())), passes, is_open_only, is_open_only)


COMPANY_INFO = _extract(
    "company_info",
    "CompanyInfo",
    {**_ALWAYS, "CompanyName": TEXT, "LegalName": TEXT, "Country": TEXT, "DefaultTimeZone": TEXT},
    frozenset({Pass.SWEEP}),
)
PREFERENCES = _extract(
    "preferences",
    "Preferences",
    {**_ALWAYS, "CurrencyPrefs": _struct(MultiCurrencyEnabled=FLAG, HomeCurrency=REF)},
    frozenset({Pass.SWEEP}),
)
ACCOUNTS = _extract(
    "accounts",
    "Account",
    {
        **_ALWAYS,
        "Name": TEXT,
        "AcctNum": TEXT,
        "AccountType": TEXT,
        "AccountSubType": TEXT,
        "Active": FLAG,
        "CurrencyRef": REF,
        "CurrentBalance": MONEY,
    },
    _LIST,
)
CUSTOMERS = _extract(
    "customers",
    "Customer",
    {
        **_ALWAYS,
        "DisplayName": TEXT,
        "CompanyName": TEXT,
        "GivenName": TEXT,
        "FamilyName": TEXT,
        "FullyQualifiedName": TEXT,
        "Job": FLAG,
        "ParentRef": REF,
        "Active": FLAG,
        "Balance": MONEY,
        "CurrencyRef": REF,
        "SalesTermRef": REF,
        "PrimaryEmailAddr": _struct(Address=TEXT),
        "PrimaryPhone": _PHONE,
        "AlternatePhone": _PHONE,
        "Mobile": _PHONE,
        "BillAddr": _ADDRESS,
    },
    _LIST,
)
INVOICES = _extract("invoices", "Invoice", {**_SALE, "DueDate": TEXT, "Deposit": MONEY}, _ALL)
CREDIT_MEMOS = _extract("credit_memos", "CreditMemo", {**_SALE, "RemainingCredit": MONEY}, _ALL)
PAYMENTS = _extract(
    "payments",
    "Payment",
    {
        **_TRANSACTION,
        "CustomerRef": REF,
        "TotalAmt": MONEY,
        "UnappliedAmt": MONEY,
        "ARAccountRef": REF,
        "PaymentRefNum": TEXT,
        "PaymentMethodRef": REF,
        "Line": pa.list_(_struct(Amount=MONEY, LinkedTxn=_LINKED)),
    },
    _ALL,
)
REFUND_RECEIPTS = _extract("refund_receipts", "RefundReceipt", _SALE, _ALL)


def _lined(name: str, vendor_object: str, detail: dict[str, pa.DataType], **fields: pa.DataType) -> Extract:
    """A transaction whose lines may stand on receivables accounts; `detail` is what the vendor says of such a line."""
    line = _struct(Id=TEXT, Amount=MONEY, Description=TEXT, DetailType=TEXT, **detail)
    return _extract(name, vendor_object, {**_TRANSACTION, **fields, "Line": pa.list_(line)}, _ALL)


DEPOSITS = _lined("deposits", "Deposit", {"DepositLineDetail": _struct(AccountRef=REF, Entity=REF)}, TotalAmt=MONEY)
PURCHASES = _lined(
    "purchases",
    "Purchase",
    {"AccountBasedExpenseLineDetail": _struct(AccountRef=REF, CustomerRef=REF)},
    EntityRef=REF,
    TotalAmt=MONEY,
    Credit=FLAG,
)
JOURNAL_ENTRIES = _lined(
    "journal_entries",
    "JournalEntry",
    {"JournalEntryLineDetail": _struct(PostingType=TEXT, AccountRef=REF, Entity=_ENTITY)},
)

#: In the order in which they are read: parents first.
EXTRACTS: tuple[Extract, ...] = (
    COMPANY_INFO,
    PREFERENCES,
    ACCOUNTS,
    CUSTOMERS,
    INVOICES,
    CREDIT_MEMOS,
    PAYMENTS,
    REFUND_RECEIPTS,
    DEPOSITS,
    PURCHASES,
    JOURNAL_ENTRIES,
)
