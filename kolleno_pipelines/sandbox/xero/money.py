"""The company's payments and what they and credit notes pay, entered as the vendor wants it. No documents."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from kolleno_pipelines.sandbox.books import Books, Document, DocumentKey, PairKey
from kolleno_pipelines.sandbox.events import CREDIT_NOTE, INVOICE, PAYMENT, ZERO
from kolleno_pipelines.sandbox.xero.chart import BANK, RATES, account_of
from kolleno_pipelines.sandbox.xero.ledger import Ledger
from kolleno_pipelines.sandbox.xero.objects import Kind, cents, money_on_account, object_id

Amounts = dict[str, Decimal]  # by the company's id of the invoice


@dataclass
class _Entered:
    """How a payment or credit note stands in the book: as a credit with allocations, or as payments of invoices."""

    kind: Kind | None = None
    credit_id: str = ""
    payment_id: str = ""
    batch_id: str = ""
    applied: Amounts = field(default_factory=dict)
    times: int = 0
    gone: bool = False


class MoneyDesk:
    """Keeps the book's payments, credits and allocations equal to what the company's books say."""

    def __init__(self, ledger: Ledger, books: Books) -> None:
        self.ledger = ledger
        self.books = books
        self._entered: dict[DocumentKey, _Entered] = {}

    def receipt_of(self, payment: str) -> tuple[Kind, str] | None:
        """Return the kind and id of what a payment of the company is in the book now, None where it is not."""
        entered = self._entered.get(DocumentKey(PAYMENT, payment))
        if entered is None or entered.gone:
            return None
        if entered.kind is not None:
            return entered.kind, entered.credit_id
        if entered.batch_id:
            return Kind.BATCH_PAYMENTS, entered.batch_id
        return Kind.PAYMENTS, entered.payment_id

    def take_off(self, payer: Document, at: datetime) -> None:
        """Remove what is no longer applied; payments of invoices, and what was voided, are removed altogether."""
        entered = self._entered.get(payer.key)
        if entered is None or entered.gone:
            return
        wanted = self._wanted(payer)
        if entered.kind is not None:
            self._end_allocations(entered, wanted, at)
            if payer.voided and entered.kind is not Kind.CREDIT_NOTES:
                self.ledger.remove(entered.kind, entered.credit_id, at)
        elif payer.voided or entered.applied != wanted:
            if entered.batch_id:
                self.ledger.delete_batch(entered.batch_id, at)
            else:
                self.ledger.delete_payment(entered.payment_id, at)
            self._entered[payer.key] = _Entered(times=entered.times + 1)
        self._entered[payer.key].gone = payer.voided

    def apply(self, payer: Document, at: datetime) -> None:
        """Enter a payer that is not there, and apply what is not applied yet."""
        entered = self._entered.setdefault(payer.key, _Entered())
        if entered.gone or payer.voided or not payer.amount:
            entered.gone = True
            return
        wanted = self._wanted(payer)
        if payer.key.kind == CREDIT_NOTE:
            entered.kind, entered.credit_id = Kind.CREDIT_NOTES, object_id(Kind.CREDIT_NOTES, payer.key.source_id)
        elif entered.kind is None and not entered.applied:
            self._receive(payer, entered, wanted, at)
        if entered.kind is not None:
            self._allocate(payer, entered.kind, entered, wanted, at)

    def _wanted(self, payer: Document) -> Amounts:
        wanted: Amounts = {}
        for pair in payer.pairs:
            if self.books.is_live(pair):
                if self.books.documents[DocumentKey(INVOICE, pair.to_id)].customer != payer.customer:
                    message = f"Xero allocates a credit to the same contact's invoices alone, not by {pair}."
                    raise ValueError(message)
                wanted[pair.to_id] = cents(self.books.allocations[pair].amount)
        return wanted

    def _end_allocations(self, entered: _Entered, wanted: Amounts, at: datetime) -> None:
        """End the allocations of an invoice that is to get less; `apply` enters what remains of it."""
        kind = entered.kind
        for invoice, amount in list(entered.applied.items()):
            if kind is None or amount <= wanted.get(invoice, ZERO):
                continue
            target = object_id(Kind.INVOICES, invoice)
            for each in self.ledger.state(kind, entered.credit_id, at)["Allocations"]:
                if each["Invoice"]["InvoiceID"] == target:
                    self.ledger.take_off(kind, entered.credit_id, each["AllocationID"], at)
            del entered.applied[invoice]

    def _allocate(self, payer: Document, kind: Kind, entered: _Entered, wanted: Amounts, at: datetime) -> None:
        for invoice, amount in wanted.items():
            further = amount - entered.applied.get(invoice, ZERO)
            if further:
                pair = PairKey(CREDIT_NOTE if payer.key.kind == CREDIT_NOTE else PAYMENT, payer.key.source_id, invoice)
                day = self.books.allocations[pair].date_applied or payer.date_issued
                self.ledger.allocate(kind, entered.credit_id, object_id(Kind.INVOICES, invoice), further, day, at)
                entered.applied[invoice] = amount

    def _receive(self, payer: Document, entered: _Entered, wanted: Amounts, at: datetime) -> None:
        """Enter money that came in: as payments where invoices take it whole, else as a credit of the whole."""
        key = payer.key.source_id + (f"/{entered.times}" if entered.times else "")
        if sum(wanted.values(), ZERO) == payer.amount:
            self._pay(payer, entered, wanted, key, at)
            return
        kind = Kind.OVERPAYMENTS if wanted or entered.times else Kind.PREPAYMENTS
        name = self.books.customers[payer.customer]["name"]
        credit = money_on_account(
            kind,
            key,
            {"ContactID": object_id(Kind.CONTACTS, payer.customer), "Name": name},
            payer.amount,
            payer.date_issued,
            document_type="RECEIVE-OVERPAYMENT" if kind is Kind.OVERPAYMENTS else "RECEIVE-PREPAYMENT",
            currency=payer.currency,
            rate=RATES[payer.currency],
            reference=payer.ref,
        )
        self.ledger.enter(kind, credit, at)
        entered.kind, entered.credit_id = kind, credit[kind.id_field]

    def _pay(self, payer: Document, entered: _Entered, wanted: Amounts, key: str, at: datetime) -> None:
        account = account_of(self.ledger, BANK, at)
        shares = {object_id(Kind.INVOICES, each): amount for each, amount in wanted.items()}
        day, reference = payer.date_issued, payer.ref
        if len(shares) > 1:
            batch = self.ledger.pay_batch(shares, day, account, at, reference=reference, key=key)
            entered.batch_id = batch["BatchPaymentID"]
        for target, amount in shares.items() if len(shares) == 1 else ():
            payment = self.ledger.pay(Kind.INVOICES, target, amount, day, account, at, reference=reference, key=key)
            entered.payment_id = payment["PaymentID"]
        entered.applied = dict(wanted)
