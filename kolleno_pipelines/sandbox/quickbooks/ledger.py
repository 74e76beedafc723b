"""Writes to the books of a QuickBooks company: what an object changes in others (balances, links) is written with it.

How the objects look belongs in objects.py, what the API refuses in writes.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from kolleno_pipelines.sandbox.quickbooks.book import QuickBooksBook
from kolleno_pipelines.sandbox.quickbooks.objects import link
from kolleno_pipelines.sandbox.quickbooks.receivable_lines import (
    ZERO,
    LineItem,
    home_amount,
    line_items,
    moved_payments,
    paid_links,
)
from kolleno_pipelines.sandbox.quickbooks.wire import Json, money

Place = tuple[str, str]
_OWN = frozenset({"SyncToken", "MetaData", "domain", "sparse"})
_OPEN_KINDS = ("Invoice", "CreditMemo", "Payment", "JournalEntry", "Purchase", "Deposit")


class Ledger:
    """The newest state of the books; `write` and `remove` keep balances and links right and go to the book."""

    def __init__(self, book: QuickBooksBook) -> None:
        self.book = book
        self.receivable_accounts: set[str] = set()
        self.current: dict[str, dict[str, Json]] = {}
        self._payers: dict[Place, dict[str, Decimal]] = {}  # paid or used transaction: amount by payment
        self._deposited: dict[str, str] = {}  # payment: deposit
        self._of_customer: dict[str, dict[Place, None]] = {}
        self._jobs: dict[str, dict[str, None]] = {}

    def get(self, kind: str, source_id: str) -> Json:
        """Return the newest state of an object; KeyError where it is not there."""
        return self.current[kind][source_id]

    def write(self, at: datetime, *changes: tuple[str, Json], gone: Iterable[Place] = ()) -> None:
        """Write objects and delete the `gone` ones, and write every other object whose balance or links this changes.

        All at one moment; an object without any change is not written again.
        """
        with self.book.lock:
            touched: dict[Place, None] = {}
            for kind, source_id in gone:
                self._unlink(kind, source_id, touched)
                del self.current[kind][source_id]
                self.book.delete(kind, source_id, at)
            for kind, content in changes:
                self._unlink(kind, content["Id"], touched)
                mine = {name: value for name, value in content.items() if name not in _OWN}
                self.current.setdefault(kind, {})[content["Id"]] = mine
                self._link(kind, content["Id"], touched)
                touched[kind, content["Id"]] = None
            self._settle(touched, at)

    def remove(self, at: datetime, kind: str, source_id: str) -> None:
        """Delete a transaction: what it paid is open again. (A list object is made inactive, not deleted.)"""
        self.write(at, gone=[(kind, source_id)])

    def void(self, at: datetime, kind: str, source_id: str) -> None:
        """Void an Invoice, CreditMemo or Payment: all amounts are 0, and what it was linked with is free again."""
        with self.book.lock:
            content = self.get(kind, source_id)
            zeroed = [{**line, "Amount": ZERO} for line in content["Line"] if "LinkedTxn" not in line]
            changes: list[tuple[str, Json]] = [
                (kind, {**content, "TotalAmt": ZERO, "Line": zeroed, "PrivateNote": "Voided"})
            ]
            gone: list[Place] = []
            for payment_id in self._payers.get((kind, source_id), {}):
                payment = self.get("Payment", payment_id)
                if not money(payment["TotalAmt"]):  # it only applied a credit
                    gone.append(("Payment", payment_id))
                    continue
                kept = [each for each in payment["Line"] if each["LinkedTxn"][0]["TxnId"] != source_id]
                changes.append(("Payment", {**payment, "Line": kept}))
            changes[0][1].pop("Deposit", None)
            self.write(at, *changes, gone=gone)

    def merge_customers(self, at: datetime, gone: str, kept: str) -> None:
        """Merge a customer into another: its transactions name the other one, its id is gone."""
        with self.book.lock:
            reference = {"value": kept, "name": self.get("Customer", kept)["DisplayName"]}
            places = [
                each for each in self._of_customer.get(gone, {}) if each[0] in {"Invoice", "CreditMemo", "Payment"}
            ]
            moved = [(kind, {**self.get(kind, each), "CustomerRef": reference}) for kind, each in places]
            self.write(at, *moved, gone=[("Customer", gone)])

    def open_amount(self, kind: str, source_id: str) -> Decimal:
        """Return what is open of a transaction, debit positive: what it posts less what payments say of it."""
        content = self.current[kind][source_id]
        if kind == "Payment":
            return -money(content["UnappliedAmt"])
        paid = sum(self._payers.get((kind, source_id), {}).values(), ZERO)
        if kind == "Invoice":
            return money(content["TotalAmt"]) - money(content.get("Deposit")) - paid
        if kind == "CreditMemo":
            return paid - money(content["TotalAmt"])
        amount = sum((each.amount for each in line_items(kind, content, self.receivable_accounts)), ZERO)
        return amount - paid if amount > 0 else amount + paid

    def open_items(self, kind: str, source_id: str) -> list[LineItem]:
        """Return what is open of a transaction by customer and receivables account."""
        content = self.current[kind][source_id]
        if kind in {"Invoice", "CreditMemo", "Payment"}:
            customer, account = content["CustomerRef"]["value"], content["ARAccountRef"]["value"]
            return [LineItem(customer, account, self.open_amount(kind, source_id))]
        items = list(line_items(kind, content, self.receivable_accounts))
        for payment_id, paid in self._payers.get((kind, source_id), {}).items():
            customer = self.get("Payment", payment_id)["CustomerRef"]["value"]
            for place, item in enumerate(items):
                if item.customer == customer:
                    used = -paid if item.amount > 0 else paid
                    items[place] = LineItem(item.customer, item.account, item.amount + used)
                    break
        return items

    def _unlink(self, kind: str, source_id: str, touched: dict[Place, None]) -> None:
        """Forget what the present state of an object is linked with, and touch it."""
        content = self.current.get(kind, {}).get(source_id)
        if content is None:
            return
        self._touch_around(kind, content, touched)
        for customer in self._customers(kind, content):
            self._of_customer.get(customer, {}).pop((kind, source_id), None)
        if kind == "Payment":
            for paid in paid_links(content):
                self._payers.get((paid.kind, paid.id), {}).pop(source_id, None)
        if kind == "Deposit":
            for payment in moved_payments(content):
                self._deposited.pop(payment, None)

    def _link(self, kind: str, source_id: str, touched: dict[Place, None]) -> None:
        content = self.current[kind][source_id]
        if kind == "Account" and content["AccountType"] == "Accounts Receivable":
            self.receivable_accounts.add(source_id)
        if kind == "Customer" and "ParentRef" in content:
            self._jobs.setdefault(content["ParentRef"]["value"], {})[source_id] = None
        self._touch_around(kind, content, touched)
        for customer in self._customers(kind, content):
            self._of_customer.setdefault(customer, {})[kind, source_id] = None
        if kind == "Payment":
            for paid in paid_links(content):
                payers = self._payers.setdefault((paid.kind, paid.id), {})
                payers[source_id] = payers.get(source_id, ZERO) + paid.amount
        if kind == "Deposit":
            self._deposited.update(dict.fromkeys(moved_payments(content), source_id))

    def _touch_around(self, kind: str, content: Json, touched: dict[Place, None]) -> None:
        touched.update(((("Customer", each), None)) for each in self._customers(kind, content))
        if kind == "Payment":
            for paid in paid_links(content):
                touched[paid.kind, paid.id] = None
                for customer in self._customers(paid.kind, self.current.get(paid.kind, {}).get(paid.id, {})):
                    touched["Customer", customer] = None
        if kind == "Deposit":
            touched.update((("Payment", each), None) for each in moved_payments(content))

    def _customers(self, kind: str, content: Json) -> list[str]:
        if kind in {"Invoice", "CreditMemo", "Payment"} and content:
            return [content["CustomerRef"]["value"]]
        if kind in {"JournalEntry", "Purchase", "Deposit"}:
            return [each.customer for each in line_items(kind, content, self.receivable_accounts)]
        return []

    def _settle(self, touched: dict[Place, None], at: datetime) -> None:
        """Derive what the touched objects say and write what differs: transactions, then customers, then accounts."""
        documents = [each for each in touched if each[0] not in {"Customer", "Account"}]
        for kind, source_id in sorted(documents, key=lambda each: each[0] != "Payment"):
            if source_id in self.current.get(kind, {}):
                self._derive(kind, source_id)
        customers = self._with_parents(each for kind, each in touched if kind == "Customer")
        for customer in customers:
            self._derive_customer(customer)
        if any(kind != "Customer" for kind, _ in touched):
            self._derive_accounts()
        places = [*touched, *(("Customer", each) for each in customers)]
        places += [("Account", each) for each in sorted(self.receivable_accounts)]
        for kind, source_id in dict.fromkeys(places):
            if source_id in self.current.get(kind, {}):
                self._put(kind, source_id, at)

    def _put(self, kind: str, source_id: str, at: datetime) -> None:
        content = self.current[kind][source_id]
        before = self.book.latest(kind, source_id)
        if before is None or {name: value for name, value in before.items() if name not in _OWN} != content:
            self.book.put(kind, content, at)

    def _derive(self, kind: str, source_id: str) -> None:
        content = dict(self.current[kind][source_id])
        payers = self._payers.get((kind, source_id), {})
        if kind == "Payment":
            signs = [(each.amount, self.is_credit(each.kind, each.id)) for each in paid_links(content)]
            used = sum((amount if credit else -amount for amount, credit in signs), ZERO)
            content["UnappliedAmt"] = money(content["TotalAmt"]) + used
            deposit = self._deposited.get(source_id)
            content["LinkedTxn"] = [link("Deposit", deposit)] if deposit else []
        elif kind == "Invoice":
            content["Balance"] = self.open_amount(kind, source_id)
            content["LinkedTxn"] = [link("Payment", each) for each in payers]
        elif kind == "CreditMemo":
            content["Balance"] = content["RemainingCredit"] = -self.open_amount(kind, source_id)
        if "ExchangeRate" in content and kind in {"Invoice", "CreditMemo"}:
            content["HomeTotalAmt"] = home_amount(content, money(content["TotalAmt"]))
            content["HomeBalance"] = home_amount(content, content["Balance"])
        self.current[kind][source_id] = content

    def is_credit(self, kind: str, source_id: str) -> bool:
        """Whether a transaction that a payment links is a credit: it adds to what the payment can pay."""
        if kind in {"Invoice", "CreditMemo"}:
            return kind == "CreditMemo"
        content = self.current[kind][source_id]
        return sum((each.amount for each in line_items(kind, content, self.receivable_accounts)), ZERO) < 0

    def _with_parents(self, customers: Iterable[str]) -> list[str]:
        """The customers and all above them, children first."""
        found: dict[str, None] = {}
        for each in customers:
            customer: str | None = each
            while customer and customer in self.current.get("Customer", {}):
                found.pop(customer, None)
                found[customer] = None
                customer = self.current["Customer"][customer].get("ParentRef", {}).get("value")
        return list(found)

    def _derive_customer(self, customer: str) -> None:
        items = [
            item
            for kind, source_id in self._of_customer.get(customer, {})
            for item in self.open_items(kind, source_id)
            if item.customer == customer
        ]
        balance = sum((each.amount for each in items), ZERO)
        jobs = sum(
            (money(self.get("Customer", each)["BalanceWithJobs"]) for each in self._jobs.get(customer, {})), ZERO
        )
        content = self.current["Customer"][customer]
        self.current["Customer"][customer] = {**content, "Balance": balance, "BalanceWithJobs": balance + jobs}

    def _derive_accounts(self) -> None:
        totals = dict.fromkeys(self.receivable_accounts, ZERO)
        for kind in _OPEN_KINDS:
            for source_id, content in self.current.get(kind, {}).items():
                for item in self.open_items(kind, source_id):
                    if item.amount:
                        totals[item.account] += home_amount(content, item.amount)
        for account, total in totals.items():
            content = self.current["Account"][account]
            both = {"CurrentBalance": total, "CurrentBalanceWithSubAccounts": total}
            self.current["Account"][account] = {**content, **both}
