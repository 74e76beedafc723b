"""The company's payments and the credits it applies, entered the way the vendor wants them. No documents, no HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from kolleno_pipelines.sandbox.books import Books, Document, DocumentKey, PairKey
from kolleno_pipelines.sandbox.events import CREDIT_NOTE, INVOICE, PAYMENT, ZERO
from kolleno_pipelines.sandbox.xero.chart import BANK, CLEARING, RATES, account_of
from kolleno_pipelines.sandbox.xero.ledger import Ledger
from kolleno_pipelines.sandbox.xero.objects import Kind, Record, cents, money_on_account, object_id

Amounts = dict[str, Decimal]  # by the company's id of the invoice


@dataclass
class _Entered:
    """How one payment or credit note stands in the book: a credit, and payments for what the credit cannot pay."""

    kind: Kind | None = None
    credit_id: str = ""
    own: Amounts = field(default_factory=dict)
    others: Amounts = field(default_factory=dict)
    payments: list[str] = field(default_factory=list)
    batch: str = ""
    times: int = 0
    gone: bool = False


class MoneyDesk:
    """Keeps the book's payments, credits and allocations equal to what the company's books say."""

    def __init__(self, ledger: Ledger, books: Books) -> None:
        self.ledger = ledger
        self.books = books
        self._entered: dict[DocumentKey, _Entered] = {}

    def take_off(self, payer: Document, at: datetime) -> None:
        """Remove what is no longer applied; a payer that must be entered anew is removed altogether."""
        entered = self._entered.get(payer.key)
        if entered is None or entered.gone:
            return
        own, others = self._wanted(payer)
        if payer.key.kind == CREDIT_NOTE:
            self._less(entered, own, at)
            if any(entered.others.get(each) != others.get(each) for each in entered.others):
                self._drop_payments(entered, at)
            if payer.voided:
                entered.gone = True
        elif payer.voided or self._must_be_anew(entered, own, others):
            self._less(entered, {}, at)
            self._drop_payments(entered, at)
            if entered.kind is not None:
                self.ledger.remove(entered.kind, entered.credit_id, at)
            self._entered[payer.key] = _Entered(times=entered.times + 1, gone=payer.voided)
        else:
            self._less(entered, own, at)

    def apply(self, payer: Document, at: datetime) -> None:
        """Enter a payer that is not there, and apply what is not applied yet."""
        entered = self._entered.setdefault(payer.key, _Entered())
        if entered.gone or payer.voided or not payer.amount:
            entered.gone = True
            return
        own, others = self._wanted(payer)
        if payer.key.kind == CREDIT_NOTE:
            entered.kind, entered.credit_id = Kind.CREDIT_NOTES, object_id(Kind.CREDIT_NOTES, payer.key.source_id)
            self._over_clearing(payer, entered, others, at)
        elif entered.kind is None and not entered.payments and not entered.batch:
            own = self._receive(payer, entered, own, others, at)
        self._more(payer, entered, own, at)

    def _wanted(self, payer: Document) -> tuple[Amounts, Amounts]:
        """What is applied to invoices of the payer itself, and to those of others."""
        own: Amounts = {}
        others: Amounts = {}
        for pair in payer.pairs:
            if self.books.is_live(pair):
                target = self.books.documents[DocumentKey(INVOICE, pair.to_id)]
                side = own if target.customer == payer.customer else others
                side[pair.to_id] = cents(self.books.allocations[pair].amount)
        return own, others

    def _must_be_anew(self, entered: _Entered, own: Amounts, others: Amounts) -> bool:
        if entered.kind is not None:
            return entered.others != others
        return entered.others != {**own, **others}

    def _less(self, entered: _Entered, own: Amounts, at: datetime) -> None:
        if entered.kind is None:
            return
        for invoice, amount in list(entered.own.items()):
            if amount > own.get(invoice, ZERO):
                target = object_id(Kind.INVOICES, invoice)
                for each in self.ledger.state(entered.kind, entered.credit_id, at)["Allocations"]:
                    if each["Invoice"]["InvoiceID"] == target:
                        self.ledger.take_off(entered.kind, entered.credit_id, each["AllocationID"], at)
                del entered.own[invoice]

    def _more(self, payer: Document, entered: _Entered, own: Amounts, at: datetime) -> None:
        for invoice, amount in own.items():
            further = amount - entered.own.get(invoice, ZERO)
            if further and entered.kind is not None:
                pair = PairKey(CREDIT_NOTE if payer.key.kind == CREDIT_NOTE else PAYMENT, payer.key.source_id, invoice)
                day = self.books.allocations[pair].date_applied or payer.date_issued
                target = object_id(Kind.INVOICES, invoice)
                self.ledger.allocate(entered.kind, entered.credit_id, target, further, day, at)
                entered.own[invoice] = amount

    def _receive(self, payer: Document, entered: _Entered, own: Amounts, others: Amounts, at: datetime) -> Amounts:
        """Enter money that came in; returns what is left to allocate from the credit."""
        applied = sum({**own, **others}.values(), ZERO)
        left = cents(payer.amount) - applied
        entered.others = others if left else {**own, **others}
        key = payer.key.source_id + (f"/{entered.times}" if entered.times else "")
        if entered.others:
            self._pay(payer, entered, key, at)
        if not left:
            return {}
        kind = Kind.OVERPAYMENTS if applied or entered.times else Kind.PREPAYMENTS
        word = "RECEIVE-OVERPAYMENT" if kind is Kind.OVERPAYMENTS else "RECEIVE-PREPAYMENT"
        amount = left + sum(own.values(), ZERO)
        contact = self._contact(payer)
        credit = money_on_account(
            kind, key, contact, amount, payer.date_issued, document_type=word, reference=payer.ref, **self._rate(payer)
        )
        self.ledger.enter(kind, credit, at)
        entered.kind, entered.credit_id = kind, credit[kind.id_field]
        return own

    def _pay(self, payer: Document, entered: _Entered, key: str, at: datetime) -> None:
        account = account_of(self.ledger, BANK, at)
        shares = {object_id(Kind.INVOICES, each): amount for each, amount in entered.others.items()}
        reference, day = payer.ref, payer.date_issued
        if len(shares) > 1:
            batch = self.ledger.pay_batch(shares, day, account, at, reference=reference, key=key)
            entered.batch = batch["BatchPaymentID"]
            return
        for target, amount in shares.items():
            payment = self.ledger.pay(Kind.INVOICES, target, amount, day, account, at, reference=reference, key=key)
            entered.payments.append(payment["PaymentID"])

    def _over_clearing(self, payer: Document, entered: _Entered, others: Amounts, at: datetime) -> None:
        """Pay a credit note out and others' invoices with it, over the clearing account."""
        account = account_of(self.ledger, CLEARING, at)
        for invoice, amount in others.items():
            further = amount - entered.others.get(invoice, ZERO)
            if not further:
                continue
            pair = PairKey(CREDIT_NOTE, payer.key.source_id, invoice)
            day = self.books.allocations[pair].date_applied or payer.date_issued
            for kind, target in (
                (Kind.CREDIT_NOTES, entered.credit_id),
                (Kind.INVOICES, object_id(Kind.INVOICES, invoice)),
            ):
                key = f"{payer.key.source_id}>{invoice}:{kind}:{at.isoformat()}"
                payment = self.ledger.pay(kind, target, further, day, account, at, reference=payer.ref, key=key)
                entered.payments.append(payment["PaymentID"])
            entered.others[invoice] = amount

    def _drop_payments(self, entered: _Entered, at: datetime) -> None:
        if entered.batch:
            self.ledger.delete_batch(entered.batch, at)
        for each in entered.payments:
            self.ledger.delete_payment(each, at)
        entered.batch, entered.payments, entered.others = "", [], {}

    def _contact(self, payer: Document) -> Record:
        name = self.books.customers[payer.customer]["name"]
        return {"ContactID": object_id(Kind.CONTACTS, payer.customer), "Name": name}

    def _rate(self, payer: Document) -> Record:
        return {"currency": payer.currency, "rate": RATES[payer.currency]}
