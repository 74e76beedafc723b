"""Whatever is written, voided and deleted, balances and links are those of books that were written in one go."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from kolleno_pipelines.sandbox.quickbooks import objects
from kolleno_pipelines.sandbox.quickbooks.book import QuickBooksBook
from kolleno_pipelines.sandbox.quickbooks.company_file import CompanyFile
from kolleno_pipelines.sandbox.quickbooks.ledger import Ledger
from kolleno_pipelines.sandbox.quickbooks.receivable_lines import posted

AT = datetime(2026, 3, 10, 18, tzinfo=UTC)
DAY = date(2026, 3, 10)
ZERO = Decimal(0)
TRANSACTIONS = ("Invoice", "CreditMemo", "JournalEntry", "Purchase", "Deposit", "Payment")


class Clerk:
    """Keeps books at random; a customer only pays its own."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.file = CompanyFile(QuickBooksBook(), AT)
        self.ledger = self.file.ledger
        self.at = AT
        self.customers = [self.file.add_customer(AT, f"Customer {number}") for number in range(3)]
        self.customers.append(self.file.add_customer(AT, "Euro", "EUR", parent=self.customers[0]))

    def work(self) -> None:
        self.at += timedelta(seconds=self.rng.choice((0, 1, 3600)))
        customer = self.rng.choice(self.customers)
        amount = Decimal(self.rng.randint(1, 20_000)) / 100
        number = f"N{self.rng.randint(1, 10**9)}"
        entry = self.rng.choice((self._issue, self._issue, self._pay, self._pay, self._undo, self._move, self._again))
        entry(customer, amount, number)

    def _issue(self, customer: str, amount: Decimal, number: str) -> None:
        choice = self.rng.randrange(6)
        if choice < 3:
            deposit = amount / 4 if choice == 0 else None
            self.file.add_invoice(self.at, customer, number, amount, DAY, deposit=deposit)
        elif choice == 3:
            self.file.add_credit_memo(self.at, customer, number, amount, DAY)
        elif choice == 4:
            self.file.add_journal(self.at, customer, number, amount * self.rng.choice((1, -1)), DAY)
        else:
            self.file.add_cheque(self.at, customer, number, amount, DAY)

    def _lines(self, customer: str) -> tuple[list[tuple[str, str, Decimal]], Decimal]:
        """Lines over a few open items, credits too, and what they need in cash."""
        lines, need = [], ZERO
        for kind in ("Invoice", "CreditMemo", "JournalEntry", "Purchase"):
            for source_id in self.ledger.current.get(kind, {}):
                item = self.ledger.open_items(kind, source_id)[0]
                if item.customer == customer and item.amount and self.rng.random() < 0.3:
                    part = (abs(item.amount) * self.rng.choice((Decimal(1), Decimal("0.5")))).quantize(Decimal("0.01"))
                    lines.append(("Check" if kind == "Purchase" else kind, source_id, part))
                    need += part if item.amount > 0 else -part
        return lines, need

    def _pay(self, customer: str, amount: Decimal, number: str) -> None:
        lines, need = self._lines(customer)
        extra = amount if self.rng.random() < 0.3 else ZERO
        self.file.add_payment(self.at, customer, max(need, ZERO) + extra, DAY, lines, number=number)

    def _again(self, customer: str, amount: Decimal, number: str) -> None:
        del customer, amount, number
        payments = list(self.ledger.current.get("Payment", {}))
        if payments:
            payment = self.rng.choice(payments)
            self.file.apply_again(self.at, payment, [])

    def _undo(self, customer: str, amount: Decimal, number: str) -> None:
        del customer, amount, number
        kind = self.rng.choice(("Payment", "Invoice", "CreditMemo", "Deposit"))
        places = list(self.ledger.current.get(kind, {}))
        if not places:
            return
        source_id = self.rng.choice(places)
        if kind in {"Payment", "Deposit"} and self.rng.random() < 0.5:
            self.ledger.remove(self.at, kind, source_id)
        elif kind != "Deposit":
            self.ledger.void(self.at, kind, source_id)

    def _move(self, customer: str, amount: Decimal, number: str) -> None:
        del customer
        ready = [each for each, payment in self.ledger.current.get("Payment", {}).items() if not payment["LinkedTxn"]]
        moved = [objects.deposit_of_payment(self.ledger.get("Payment", each)["TotalAmt"], each) for each in ready[:2]]
        if moved:
            lines = [*moved, objects.deposit_line(-amount / 100, self.file.accounts.fees)]
            self.file.add_deposit(self.at, lines, DAY, note=number)


@pytest.mark.parametrize("seed", range(6))
def test_books_written_step_by_step_are_those_written_at_once(seed: int) -> None:
    clerk = Clerk(seed)
    for _ in range(120):
        clerk.work()
    ledger = clerk.ledger
    at_once = Ledger(QuickBooksBook())
    contents = [(kind, content) for kind, each in ledger.current.items() for content in each.values()]
    at_once.write(AT, *(each for each in contents if each[0] == "Account"))
    at_once.write(AT, *(each for each in contents if each[0] != "Account"))
    for kind, source_id in ((kind, each["Id"]) for kind, each in contents):
        stepwise, whole = dict(ledger.get(kind, source_id)), dict(at_once.get(kind, source_id))
        for each in (stepwise, whole):
            each["LinkedTxn"] = sorted(each.get("LinkedTxn", []), key=str)
        assert stepwise == whole, (kind, source_id)
        stored = ledger.book.latest(kind, source_id)
        assert stored is not None
        assert all(stored[name] == value for name, value in ledger.get(kind, source_id).items())
    assert len(contents) > 60


@pytest.mark.parametrize("seed", range(6))
def test_a_customers_balance_is_what_was_posted_for_it(seed: int) -> None:
    clerk = Clerk(seed)
    for step in range(120):
        clerk.work()
        if step % 20:
            continue
        ledger = clerk.ledger
        sums = dict.fromkeys(clerk.customers, ZERO)
        for kind in TRANSACTIONS:
            for content in ledger.current.get(kind, {}).values():
                for item in posted(kind, content, ledger.receivable_accounts):
                    sums[item.customer] += item.amount
        for customer in clerk.customers:
            assert ledger.get("Customer", customer)["Balance"] == sums[customer]
        parent, child = ledger.get("Customer", clerk.customers[0]), ledger.get("Customer", clerk.customers[3])
        assert parent["BalanceWithJobs"] == parent["Balance"] + child["Balance"]
