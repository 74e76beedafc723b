"""What one QuickBooks object says about receivables: postings, lines, links. No book, no sums over objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kolleno_pipelines.sandbox.quickbooks.wire import CENT, Json, money

ZERO = Decimal(0)
#: What a payment's line calls a Purchase.
CHECK_TYPES = {"Check": "Purchase", "Expense": "Purchase"}


@dataclass(frozen=True)
class LineItem:
    """A line on a receivables account with a customer: debit positive, in the document's currency."""

    customer: str
    account: str
    amount: Decimal


@dataclass(frozen=True)
class PaidLink:
    """What a payment pays of one transaction, or uses of it where that is a credit; the amount is positive."""

    kind: str
    id: str
    amount: Decimal


def line_items(kind: str, content: Json, receivable_accounts: set[str]) -> Iterator[LineItem]:
    """Yield the lines of a JournalEntry, Purchase or Deposit that move a customer's receivables."""
    for line in content.get("Line", ()):
        detail: Json = line.get(line.get("DetailType", ""), {})
        account = detail.get("AccountRef", {}).get("value", "")
        if account not in receivable_accounts:
            continue
        amount = money(line["Amount"])
        if kind == "JournalEntry":
            sign = 1 if detail["PostingType"] == "Debit" else -1
            yield LineItem(detail["Entity"]["EntityRef"]["value"], account, sign * amount)
        elif kind == "Purchase":
            sign = -1 if content.get("Credit") else 1
            customer: Json = detail.get("CustomerRef") or content["EntityRef"]
            yield LineItem(customer["value"], account, sign * amount)
        else:
            yield LineItem(detail["Entity"]["value"], account, -amount)


def posted(kind: str, content: Json, receivable_accounts: set[str]) -> Iterator[LineItem]:
    """Yield what an object posts to receivables when it is written, whatever is applied to it later."""
    if kind in {"JournalEntry", "Purchase", "Deposit"}:
        yield from line_items(kind, content, receivable_accounts)
    elif kind in {"Invoice", "CreditMemo", "Payment"}:
        amount = money(content["TotalAmt"]) - money(content.get("Deposit"))
        customer, account = content["CustomerRef"]["value"], content["ARAccountRef"]["value"]
        yield LineItem(customer, account, amount if kind == "Invoice" else -amount)


def paid_links(payment: Json) -> Iterator[PaidLink]:
    """Yield what the lines of a Payment are applied to."""
    for line in payment.get("Line", ()):
        for linked in line.get("LinkedTxn", ()):
            kind = linked["TxnType"]
            yield PaidLink(CHECK_TYPES.get(kind, kind), linked["TxnId"], money(line["Amount"]))


def moved_payments(deposit: Json) -> list[str]:
    """Return the ids of the payments that a Deposit moves to the bank."""
    return [
        linked["TxnId"]
        for line in deposit.get("Line", ())
        for linked in line.get("LinkedTxn", ())
        if linked["TxnType"] == "Payment"
    ]


def home_amount(content: Json, amount: Decimal) -> Decimal:
    """Return an amount of a document in home currency, at the document's rate, to the cent."""
    rate: Any = content.get("ExchangeRate", 1)
    return (amount * money(rate)).quantize(CENT)


def deposit_total(content: Json) -> Decimal:
    """Return what a Deposit brings to the bank: its lines less the cash taken back."""
    cash = content.get("CashBack", {}).get("Amount")
    return sum((money(line["Amount"]) for line in content.get("Line", ())), ZERO) - money(cash)
