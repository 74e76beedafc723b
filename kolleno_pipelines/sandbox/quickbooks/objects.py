"""QuickBooks objects as its API writes them, before the book adds what it derives. No balances, no history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from kolleno_pipelines.sandbox.quickbooks.wire import Json

CURRENCY_NAMES = {
    "USD": "United States Dollar",
    "EUR": "Euro",
    "GBP": "British Pound Sterling",
    "JPY": "Japanese Yen",
    "CAD": "Canadian Dollar",
}
# Home units (USD) for one unit, at the beginning of 2026; it moves from day to day.
_RATES = {"EUR": Decimal("1.0850"), "GBP": Decimal("1.2630"), "JPY": Decimal("0.006710"), "CAD": Decimal("0.7120")}
_RATE_DAY = date(2026, 1, 1)


def exchange_rate(currency: str, home: str, day: date) -> Decimal:
    """Return home units for one unit of a currency on a day; 1 for the home currency."""
    if currency == home:
        return Decimal(1)
    drift = Decimal(((day - _RATE_DAY).days * 37) % 101 - 50) / 10_000
    return (_RATES[currency] / _RATES.get(home, Decimal(1)) * (1 + drift)).quantize(Decimal("0.000001"))


@dataclass(frozen=True)
class Money:
    """In which currency a document is; with `stated` False it names neither currency nor rate."""

    currency: str
    rate: Decimal
    stated: bool = True
    is_home: bool = True

    def fields(self) -> Json:
        """Return CurrencyRef and, where it says something, ExchangeRate."""
        if not self.stated:
            return {}
        return {"CurrencyRef": currency_ref(self.currency), **({} if self.is_home else {"ExchangeRate": self.rate})}


def currency_ref(currency: str) -> Json:
    """Return a reference to a currency."""
    return {"value": currency, "name": CURRENCY_NAMES.get(currency, currency)}


def ref(source_id: str, name: str = "") -> Json:
    """Return a reference to an object; the name is left out where it is not known."""
    return {"value": source_id, "name": name} if name else {"value": source_id}


def link(kind: str, source_id: str) -> Json:
    """Return a LinkedTxn."""
    return {"TxnId": source_id, "TxnType": kind}


def account(source_id: str, name: str, account_type: str, sub_type: str, currency: Json) -> Json:
    """Return an Account; `currency` is its CurrencyRef or empty."""
    return {
        "Id": source_id,
        "Name": name,
        "SubAccount": False,
        "FullyQualifiedName": name,
        "Active": True,
        "Classification": "Asset" if account_type != "Expense" else "Expense",
        "AccountType": account_type,
        "AccountSubType": sub_type,
        "CurrentBalance": Decimal(0),
        "CurrentBalanceWithSubAccounts": Decimal(0),
        **currency,
    }


def company_info(source_id: str, name: str, country: str, zone: str) -> Json:
    """Return the CompanyInfo; the home currency is in Preferences."""
    return {
        "Id": source_id,
        "CompanyName": name,
        "LegalName": name,
        "CompanyAddr": {"Id": "1", "Line1": "123 Sierra Way", "City": "San Pablo", "Country": "USA"},
        "Email": {"Address": "books@company.example"},
        "FiscalYearStartMonth": "January",
        "Country": country,
        "SupportedLanguages": "en",
        "DefaultTimeZone": zone,
        "NameValue": [{"Name": "NeoEnabled", "Value": "true"}],
    }


def preferences(source_id: str, home: str, *, multi_currency: bool) -> Json:
    """Return the Preferences, which name the home currency."""
    return {
        "Id": source_id,
        "AccountingInfoPrefs": {"FirstMonthOfFiscalYear": "January", "UseAccountNumbers": False},
        "SalesFormsPrefs": {"AllowDeposit": True, "CustomTxnNumbers": True},
        "CurrencyPrefs": {"MultiCurrencyEnabled": multi_currency, "HomeCurrency": {"value": home}},
        "ReportPrefs": {"ReportBasis": "Accrual"},
    }


def customer(source_id: str, name: str, currency: Json, *, parent: Json | None = None) -> Json:
    """Return a Customer below `parent` (a Customer) or on top; Balance and BalanceWithJobs are the ledger's."""
    content: Json = {
        "Id": source_id,
        "Taxable": False,
        "Job": parent is not None,
        "BillWithParent": False,
        "FullyQualifiedName": name,
        "DisplayName": name,
        "PrintOnCheckName": name,
        "Active": True,
        "Balance": Decimal(0),
        "BalanceWithJobs": Decimal(0),
        **currency,
    }
    if parent is not None:
        content["ParentRef"] = ref(parent["Id"])
        content["Level"] = int(parent.get("Level", 0)) + 1
        content["FullyQualifiedName"] = f"{parent['FullyQualifiedName']}:{name}"
    return content


def sale(
    source_id: str,
    number: str,
    customer_ref: Json,
    amount: Decimal,
    day: date,
    money: Money,
    *,
    account_id: str,
    note: str = "",
) -> Json:
    """Return what an Invoice, a CreditMemo and a RefundReceipt have in common, with one line of the whole amount."""
    lines: list[Json] = [
        {
            "Id": "1",
            "LineNum": 1,
            "Amount": amount,
            "DetailType": "SalesItemLineDetail",
            "SalesItemLineDetail": {"ItemRef": ref("1", "Services"), "TaxCodeRef": {"value": "NON"}},
        },
        {"Amount": amount, "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}},
    ]
    return {
        "Id": source_id,
        "CustomField": [{"DefinitionId": "1", "Name": "Crew #", "Type": "StringType"}],
        **({"DocNumber": number} if number else {}),
        "TxnDate": day.isoformat(),
        **money.fields(),
        **({"PrivateNote": note} if note else {}),
        "Line": lines,
        "CustomerRef": customer_ref,
        "TotalAmt": amount,
        "PrintStatus": "NeedToPrint",
        "EmailStatus": "NotSet",
        **({"ARAccountRef": ref(account_id)} if account_id else {}),
    }


def payment_line(amount: Decimal, kind: str, source_id: str, number: str = "") -> Json:
    """Return a line of a Payment: what it pays (or, for a credit, uses) of one linked transaction."""
    shown = [{"Name": "txnId", "Value": source_id}]
    if number:
        shown.append({"Name": "txnReferenceNumber", "Value": number})
    any_ = [
        {
            "name": "{http://schema.intuit.com/finance/v3}NameValue",
            "declaredType": "com.intuit.schema.finance.v3.NameValue",
            "scope": "javax.xml.bind.JAXBElement$GlobalScope",
            "value": each,
            "nil": False,
            "globalScope": True,
            "typeSubstituted": False,
        }
        for each in shown
    ]
    return {"Amount": amount, "LinkedTxn": [link(kind, source_id)], "LineEx": {"any": any_}}


def payment(
    source_id: str,
    customer_ref: Json,
    amount: Decimal,
    day: date,
    money: Money,
    lines: Iterable[Json],
    *,
    account_id: str,
    deposit_to: str,
    number: str = "",
) -> Json:
    """Return a Payment; UnappliedAmt is the ledger's."""
    return {
        "Id": source_id,
        "TxnDate": day.isoformat(),
        **money.fields(),
        "CustomerRef": customer_ref,
        "DepositToAccountRef": ref(deposit_to),
        **({"PaymentRefNum": number} if number else {}),
        "TotalAmt": amount,
        "UnappliedAmt": amount,
        "ProcessPayment": False,
        "LinkedTxn": [],
        "Line": list(lines),
        "ARAccountRef": ref(account_id),
    }


def journal_line(line_id: str, amount: Decimal, posting: str, account_id: str, customer_id: str = "") -> Json:
    """Return a line of a JournalEntry; `posting` is Debit or Credit."""
    detail: Json = {"PostingType": posting, "AccountRef": ref(account_id)}
    if customer_id:
        detail["Entity"] = {"Type": "Customer", "EntityRef": ref(customer_id)}
    return {
        "Id": line_id,
        "Amount": amount,
        "DetailType": "JournalEntryLineDetail",
        "JournalEntryLineDetail": detail,
    }


def journal_entry(source_id: str, number: str, day: date, money: Money, lines: Iterable[Json]) -> Json:
    """Return a JournalEntry."""
    return {
        "Id": source_id,
        "Adjustment": False,
        "DocNumber": number,
        "TxnDate": day.isoformat(),
        **money.fields(),
        "Line": list(lines),
    }


def purchase(
    source_id: str, number: str, customer_id: str, amount: Decimal, day: date, money: Money, accounts: Mapping[str, str]
) -> Json:
    """Return a cheque to a customer whose one line is on the receivables account: it owes us that again."""
    return {
        "Id": source_id,
        "AccountRef": ref(accounts["bank"], "Checking"),
        "PaymentType": "Check",
        "DocNumber": number,
        "TxnDate": day.isoformat(),
        **money.fields(),
        "EntityRef": {**ref(customer_id), "type": "Customer"},
        "TotalAmt": amount,
        "PrintStatus": "NotSet",
        "Line": [
            {
                "Id": "1",
                "Amount": amount,
                "DetailType": "AccountBasedExpenseLineDetail",
                "AccountBasedExpenseLineDetail": {
                    "AccountRef": ref(accounts["receivable"]),
                    "CustomerRef": ref(customer_id),
                    "BillableStatus": "NotBillable",
                },
            }
        ],
    }


def deposit_line(amount: Decimal, account_id: str, entity: str = "", *, kind: str = "CUSTOMER") -> Json:
    """Return a direct line of a Deposit; on a receivables account with a customer it credits that customer."""
    detail: Json = {"AccountRef": ref(account_id)}
    if entity:
        detail["Entity"] = {**ref(entity), "type": kind}
    return {"Amount": amount, "DetailType": "DepositLineDetail", "DepositLineDetail": detail}


def deposit_of_payment(amount: Decimal, payment_id: str) -> Json:
    """Return the line of a Deposit that moves a payment; it has no DetailType."""
    return {"Amount": amount, "LinkedTxn": [{"TxnId": payment_id, "TxnType": "Payment", "TxnLineId": "0"}]}


def deposit(source_id: str, day: date, money: Money, lines: Iterable[Json], *, into: str, note: str = "") -> Json:
    """Return a Deposit; its lines are numbered, and its total is their sum."""
    numbered = [{"Id": str(number), "LineNum": number, **line} for number, line in enumerate(lines, 1)]
    return {
        "Id": source_id,
        "DepositToAccountRef": ref(into, "Checking"),
        "TotalAmt": sum((Decimal(each["Amount"]) for each in numbered), Decimal(0)),
        "TxnDate": day.isoformat(),
        **money.fields(),
        **({"PrivateNote": note} if note else {}),
        "Line": numbered,
    }
