"""A QuickBooks company that is kept: its accounts and currencies, and one verb per kind of entry. No events, no API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from kolleno_pipelines.sandbox.quickbooks import objects
from kolleno_pipelines.sandbox.quickbooks.book import QuickBooksBook
from kolleno_pipelines.sandbox.quickbooks.ledger import Ledger
from kolleno_pipelines.sandbox.quickbooks.objects import Money
from kolleno_pipelines.sandbox.quickbooks.wire import Json

Line = tuple[str, str, Decimal]


@dataclass(frozen=True)
class Accounts:
    """Ids of the accounts that entries name; `receivable` has one for each currency."""

    bank: str
    undeposited: str
    fees: str
    income: str
    receivable: dict[str, str] = field(default_factory=dict)


class CompanyFile:
    """One company's books, kept entry by entry. Each verb writes at the moment `at` and returns the new id."""

    def __init__(self, book: QuickBooksBook, at: datetime, *, name: str = "Sandbox Company") -> None:
        self.book = book
        self.ledger = Ledger(book)
        self.accounts = Accounts(book.next_id(), book.next_id(), book.next_id(), book.next_id())
        kinds = (
            (self.accounts.bank, "Checking", "Bank", "Checking"),
            (self.accounts.undeposited, "Undeposited Funds", "Other Current Asset", "UndepositedFunds"),
            (self.accounts.fees, "Processing fees", "Expense", "BankCharges"),
            (self.accounts.income, "Services", "Income", "ServiceFeeIncome"),
        )
        currency = self.currency(book.home)
        self.ledger.write(
            at,
            ("CompanyInfo", objects.company_info("1", name, "US", str(book.zone))),
            ("Preferences", objects.preferences("1", book.home, multi_currency=book.multi_currency)),
            *(("Account", objects.account(*kind, currency)) for kind in kinds),
        )
        self.receivable(book.home, at)

    def currency(self, currency: str) -> Json:
        """Return a CurrencyRef field; nothing in a company of one currency."""
        return {"CurrencyRef": objects.currency_ref(currency)} if self.book.multi_currency else {}

    def money(self, currency: str, day: date, rate: Decimal | None = None) -> Money:
        """Return the currency and rate of a document; `rate` is home units for one unit."""
        if not self.book.multi_currency and currency != self.book.home:
            message = f"A company of one currency ({self.book.home}) has no documents in {currency}."
            raise ValueError(message)
        rate = rate or objects.exchange_rate(currency, self.book.home, day)
        return Money(currency, rate, self.book.multi_currency, currency == self.book.home)

    def receivable(self, currency: str, at: datetime) -> str:
        """Return the id of the receivables account of a currency, opened when it is first needed."""
        known = self.accounts.receivable.get(currency)
        if known is None:
            known = self.accounts.receivable[currency] = self.book.next_id()
            name = "Accounts Receivable (A/R)" + ("" if currency == self.book.home else f" - {currency}")
            kind = ("Accounts Receivable", "AccountsReceivable")
            self.ledger.write(at, ("Account", objects.account(known, name, *kind, self.currency(currency))))
        return known

    def add_customer(
        self, at: datetime, name: str, currency: str = "", *, parent: str = "", more: Mapping[str, object] | None = None
    ) -> str:
        """Add a customer, below another one where `parent` names it; `more` are fields as they are."""
        above = self.ledger.get("Customer", parent) if parent else None
        content = objects.customer(self.book.next_id(), name, self.currency(currency or self.book.home), parent=above)
        self.ledger.write(at, ("Customer", {**content, **(more or {})}))
        return str(content["Id"])

    def deactivate(self, at: datetime, customer: str) -> None:
        """Make a customer inactive, which is how its user deletes it: its names say so from then on."""
        content = self.ledger.get("Customer", customer)
        names = {each: f"{content[each]} (deleted)" for each in ("DisplayName", "FullyQualifiedName")}
        self.ledger.write(at, ("Customer", {**content, **names, "Active": False}))

    def customer_ref(self, customer: str) -> Json:
        """Return a reference to a customer."""
        return objects.ref(customer, self.ledger.get("Customer", customer)["DisplayName"])

    def currency_of(self, customer: str) -> str:
        """Return a customer's currency."""
        content = self.ledger.get("Customer", customer)
        return str(content.get("CurrencyRef", {}).get("value", self.book.home))

    def add_invoice(
        self,
        at: datetime,
        customer: str,
        number: str,
        amount: Decimal,
        day: date,
        due: date | None = None,
        *,
        deposit: Decimal | None = None,
        rate: Decimal | None = None,
    ) -> str:
        """Issue an invoice; `deposit` is what was paid when it was written, without a payment."""
        content = self._sale(at, customer, number, amount, day, rate)
        content["DueDate"] = (due or day).isoformat()
        if deposit is not None:
            content["Deposit"] = deposit
        self.ledger.write(at, ("Invoice", content))
        return str(content["Id"])

    def add_credit_memo(
        self, at: datetime, customer: str, number: str, amount: Decimal, day: date, *, rate: Decimal | None = None
    ) -> str:
        """Issue a credit memo."""
        content = self._sale(at, customer, number, amount, day, rate)
        self.ledger.write(at, ("CreditMemo", content))
        return str(content["Id"])

    def add_refund_receipt(self, at: datetime, customer: str, number: str, amount: Decimal, day: date) -> str:
        """Give money back for a sale; receivables never move."""
        content = self._sale(at, customer, number, amount, day, None)
        del content["ARAccountRef"]
        into = {"DepositToAccountRef": objects.ref(self.accounts.bank, "Checking"), "Balance": Decimal(0)}
        self.ledger.write(at, ("RefundReceipt", {**content, **into}))
        return str(content["Id"])

    def add_payment(
        self,
        at: datetime,
        customer: str,
        amount: Decimal,
        day: date,
        lines: Iterable[Line],
        *,
        number: str = "",
        rate: Decimal | None = None,
    ) -> str:
        """Receive a payment of `amount`; lines are (TxnType, id, amount), in their order."""
        source_id = self.book.next_id()
        self.ledger.write(at, ("Payment", self.payment(source_id, at, customer, amount, day, lines, number, rate)))
        return source_id

    def payment(
        self,
        source_id: str,
        at: datetime,
        customer: str,
        amount: Decimal,
        day: date,
        lines: Iterable[Line],
        number: str = "",
        rate: Decimal | None = None,
    ) -> Json:
        """Return a Payment of this company that is not written yet."""
        currency = self.currency_of(customer)
        return objects.payment(
            source_id,
            self.customer_ref(customer),
            amount,
            day,
            self.money(currency, day, rate),
            [objects.payment_line(paid, kind, target) for kind, target, paid in lines],
            account_id=self.receivable(currency, at),
            deposit_to=self.accounts.undeposited,
            number=number,
        )

    def apply_again(self, at: datetime, payment: str, lines: Iterable[Line]) -> None:
        """Replace the lines of a payment."""
        content = self.ledger.get("Payment", payment)
        made = [objects.payment_line(paid, kind, target) for kind, target, paid in lines]
        self.ledger.write(at, ("Payment", {**content, "Line": made}))

    def add_journal(self, at: datetime, customer: str, number: str, amount: Decimal, day: date) -> str:
        """Move a customer's receivables by a journal: a positive amount debits them."""
        currency = self.currency_of(customer)
        posting, other = ("Debit", "Credit") if amount > 0 else ("Credit", "Debit")
        lines = [
            objects.journal_line("0", abs(amount), posting, self.receivable(currency, at), customer),
            objects.journal_line("1", abs(amount), other, self.accounts.income),
        ]
        content = objects.journal_entry(self.book.next_id(), number, day, self.money(currency, day), lines)
        self.ledger.write(at, ("JournalEntry", content))
        return str(content["Id"])

    def add_cheque(self, at: datetime, customer: str, number: str, amount: Decimal, day: date) -> str:
        """Pay a customer's credit back by cheque: a Purchase with a line on the receivables account."""
        currency = self.currency_of(customer)
        accounts = {"bank": self.accounts.bank, "receivable": self.receivable(currency, at)}
        money = self.money(currency, day)
        content = objects.purchase(self.book.next_id(), number, customer, amount, day, money, accounts)
        self.ledger.write(at, ("Purchase", content))
        return str(content["Id"])

    def add_deposit(self, at: datetime, lines: Iterable[Json], day: date, *, note: str = "", currency: str = "") -> str:
        """Bring money to the bank; lines are made by objects.deposit_line and objects.deposit_of_payment."""
        money = self.money(currency or self.book.home, day)
        content = objects.deposit(self.book.next_id(), day, money, lines, into=self.accounts.bank, note=note)
        self.ledger.write(at, ("Deposit", content))
        return str(content["Id"])

    def _sale(self, at: datetime, customer: str, number: str, amount: Decimal, day: date, rate: Decimal | None) -> Json:
        currency = self.currency_of(customer)
        return objects.sale(
            self.book.next_id(),
            number,
            self.customer_ref(customer),
            amount,
            day,
            self.money(currency, day, rate),
            account_id=self.receivable(currency, at),
        )
