"""Particular constellations of QuickBooks, each for a customer of its own, with the figures that must come out.

Ordinary business of the sandbox company is in filling.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from kolleno_pipelines.sandbox.quickbooks import objects
from kolleno_pipelines.sandbox.quickbooks.company_file import CompanyFile

ZERO = Decimal(0)


@dataclass(frozen=True)
class Case:
    """One constellation. ids: the vendor's ids by a name of ours (`customer`, `invoice_a`, `payment`).

    balance: the customer's Balance in its currency, debit positive. open: what is open of each named document,
    positive in its own sense (a journal line is signed, debit positive). allocated: (from, to): amount, by our names.
    """

    ids: Mapping[str, str]
    balance: Decimal
    open: Mapping[str, Decimal]
    allocated: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)


def mixed_payment(file: CompanyFile, at: datetime, day: date) -> Case:
    """60 in cash and a credit memo of 40 pay invoices of 70 and 30, in one payment."""
    customer = file.add_customer(at, "Mixed payment")
    a = file.add_invoice(at, customer, "MIX-A", Decimal(70), day)
    b = file.add_invoice(at, customer, "MIX-B", Decimal(30), day)
    memo = file.add_credit_memo(at, customer, "MIX-M", Decimal(40), day)
    lines = [("Invoice", a, Decimal(70)), ("Invoice", b, Decimal(30)), ("CreditMemo", memo, Decimal(40))]
    payment = file.add_payment(at, customer, Decimal(60), day, lines)
    ids = {"customer": customer, "invoice_a": a, "invoice_b": b, "memo": memo, "payment": payment}
    allocated = {
        ("memo", "invoice_a"): Decimal(40),
        ("payment", "invoice_a"): Decimal(30),
        ("payment", "invoice_b"): Decimal(30),
    }
    return Case(ids, ZERO, dict.fromkeys(("invoice_a", "invoice_b", "memo", "payment"), ZERO), allocated)


def memo_applied(file: CompanyFile, at: datetime, day: date) -> Case:
    """A credit memo of 40 pays a part of an invoice of 100: a payment of 0 links both."""
    customer = file.add_customer(at, "Memo applied")
    invoice = file.add_invoice(at, customer, "APP-1", Decimal(100), day)
    memo = file.add_credit_memo(at, customer, "APP-M", Decimal("55.50"), day)
    lines = [("Invoice", invoice, Decimal(40)), ("CreditMemo", memo, Decimal(40))]
    payment = file.add_payment(at, customer, ZERO, day, lines)
    ids = {"customer": customer, "invoice": invoice, "memo": memo, "payment": payment}
    opens = {"invoice": Decimal(60), "memo": Decimal("15.50"), "payment": ZERO}
    return Case(ids, Decimal("44.50"), opens, {("memo", "invoice"): Decimal(40)})


def overpayment(file: CompanyFile, at: datetime, day: date) -> Case:
    """120 pays an invoice of 100; 20 are left."""
    customer = file.add_customer(at, "Overpayment")
    invoice = file.add_invoice(at, customer, "OVER-1", Decimal(100), day)
    payment = file.add_payment(at, customer, Decimal(120), day, [("Invoice", invoice, Decimal(100))], number="OVER-P")
    ids = {"customer": customer, "invoice": invoice, "payment": payment}
    allocated = {("payment", "invoice"): Decimal(100)}
    return Case(ids, Decimal(-20), {"invoice": ZERO, "payment": Decimal(20)}, allocated)


def overpayment_repaid(file: CompanyFile, at: datetime, day: date) -> Case:
    """An overpayment of 20 goes back by cheque: a Purchase on receivables, to which the payment refers."""
    customer = file.add_customer(at, "Overpayment repaid")
    invoice = file.add_invoice(at, customer, "BACK-1", Decimal(100), day)
    paid = [("Invoice", invoice, Decimal(100))]
    payment = file.add_payment(at, customer, Decimal(120), day, paid)
    cheque = file.add_cheque(at, customer, "1001", Decimal(20), day + timedelta(days=2))
    file.apply_again(at, payment, [*paid, ("Check", cheque, Decimal(20))])
    ids = {"customer": customer, "invoice": invoice, "payment": payment, "cheque": cheque}
    allocated = {("payment", "invoice"): Decimal(100), ("payment", "cheque"): Decimal(20)}
    return Case(ids, ZERO, dict.fromkeys(("invoice", "payment", "cheque"), ZERO), allocated)


def voided_payment(file: CompanyFile, at: datetime, day: date) -> Case:
    """A payment of 80 is voided: its amounts are 0, its note says so, its invoice is open again."""
    customer = file.add_customer(at, "Voided payment")
    invoice = file.add_invoice(at, customer, "VOID-1", Decimal(80), day)
    payment = file.add_payment(at, customer, Decimal(80), day, [("Invoice", invoice, Decimal(80))])
    file.ledger.void(at, "Payment", payment)
    ids = {"customer": customer, "invoice": invoice, "payment": payment}
    return Case(ids, Decimal(80), {"invoice": Decimal(80), "payment": ZERO})


def voided_invoice(file: CompanyFile, at: datetime, day: date) -> Case:
    """An invoice of 80, paid with 50, is voided: the money is unapplied again."""
    customer = file.add_customer(at, "Voided invoice")
    invoice = file.add_invoice(at, customer, "VOID-2", Decimal(80), day)
    payment = file.add_payment(at, customer, Decimal(50), day, [("Invoice", invoice, Decimal(50))])
    file.ledger.void(at, "Invoice", invoice)
    ids = {"customer": customer, "invoice": invoice, "payment": payment}
    return Case(ids, Decimal(-50), {"invoice": ZERO, "payment": Decimal(50)})


def voided_credited_invoice(file: CompanyFile, at: datetime, day: date) -> Case:
    """An invoice of 80, paid by a credit memo of 35, is voided: the payment of 0 is gone, the memo is free again."""
    customer = file.add_customer(at, "Voided credited invoice")
    invoice = file.add_invoice(at, customer, "VOID-3", Decimal(80), day)
    memo = file.add_credit_memo(at, customer, "VOID-M", Decimal(35), day)
    lines = [("Invoice", invoice, Decimal(35)), ("CreditMemo", memo, Decimal(35))]
    payment = file.add_payment(at, customer, ZERO, day, lines)
    file.ledger.void(at, "Invoice", invoice)
    ids = {"customer": customer, "invoice": invoice, "memo": memo, "payment": payment}
    return Case(ids, Decimal(-35), {"invoice": ZERO, "memo": Decimal(35)})


def deleted_invoice(file: CompanyFile, at: datetime, day: date) -> Case:
    """An invoice of 90 is deleted: queries do not know it, change data capture tells its id."""
    customer = file.add_customer(at, "Deleted invoice")
    invoice = file.add_invoice(at, customer, "DEL-1", Decimal(90), day)
    kept = file.add_invoice(at, customer, "DEL-2", Decimal(10), day)
    file.ledger.remove(at, "Invoice", invoice)
    return Case({"customer": customer, "invoice": invoice, "kept": kept}, Decimal(10), {"kept": Decimal(10)})


def inactive_customer(file: CompanyFile, at: datetime, day: date) -> Case:
    """A customer with an open invoice of 25 is made inactive; queries leave it out unless they ask."""
    customer = file.add_customer(at, "Inactive")
    invoice = file.add_invoice(at, customer, "INACT-1", Decimal(25), day)
    file.deactivate(at, customer)
    return Case({"customer": customer, "invoice": invoice}, Decimal(25), {"invoice": Decimal(25)})


def merged_customers(file: CompanyFile, at: datetime, day: date) -> Case:
    """A customer with an invoice of 30 is merged into another with one of 12."""
    gone, customer = file.add_customer(at, "Merged away"), file.add_customer(at, "Merged into")
    moved = file.add_invoice(at, gone, "MERGE-1", Decimal(30), day)
    own = file.add_invoice(at, customer, "MERGE-2", Decimal(12), day)
    file.ledger.merge_customers(at, gone, customer)
    ids = {"customer": customer, "gone": gone, "moved": moved, "own": own}
    return Case(ids, Decimal(42), {"moved": Decimal(30), "own": Decimal(12)})


def journal_on_receivables(file: CompanyFile, at: datetime, day: date) -> Case:
    """A journal debits 75 and another credits 15; a payment of 50 pays a part of the first."""
    customer = file.add_customer(at, "Journals")
    debit = file.add_journal(at, customer, "J-1", Decimal(75), day)
    credit = file.add_journal(at, customer, "J-2", Decimal(-15), day)
    payment = file.add_payment(at, customer, Decimal(50), day, [("JournalEntry", debit, Decimal(50))])
    ids = {"customer": customer, "debit": debit, "credit": credit, "payment": payment}
    opens = {"debit": Decimal(25), "credit": Decimal(-15), "payment": ZERO}
    return Case(ids, Decimal(10), opens, {("payment", "debit"): Decimal(50)})


def journal_credit_used(file: CompanyFile, at: datetime, day: date) -> Case:
    """A journal that credits 30 pays a part of an invoice of 100, by a payment of 0."""
    customer = file.add_customer(at, "Journal credit")
    invoice = file.add_invoice(at, customer, "JC-1", Decimal(100), day)
    credit = file.add_journal(at, customer, "JC-J", Decimal(-30), day)
    lines = [("Invoice", invoice, Decimal(30)), ("JournalEntry", credit, Decimal(30))]
    payment = file.add_payment(at, customer, ZERO, day, lines)
    ids = {"customer": customer, "invoice": invoice, "credit": credit, "payment": payment}
    opens = {"invoice": Decimal(70), "credit": ZERO, "payment": ZERO}
    return Case(ids, Decimal(70), opens, {("credit", "invoice"): Decimal(30)})


def cheque_not_referred_to(file: CompanyFile, at: datetime, day: date) -> Case:
    """A cheque of 20 on receivables that no payment refers to: an open item of its own."""
    customer = file.add_customer(at, "Cheque alone")
    payment = file.add_payment(at, customer, Decimal(20), day, [])
    cheque = file.add_cheque(at, customer, "1002", Decimal(20), day)
    ids = {"customer": customer, "payment": payment, "cheque": cheque}
    return Case(ids, ZERO, {"payment": Decimal(20), "cheque": Decimal(20)})


def deposit_on_receivables(file: CompanyFile, at: datetime, day: date) -> Case:
    """A deposit has a line of 45 on receivables, which pays an invoice of 100 in part by a payment of 0."""
    customer = file.add_customer(at, "Deposit line")
    invoice = file.add_invoice(at, customer, "DEPL-1", Decimal(100), day)
    line = objects.deposit_line(Decimal(45), file.receivable(file.currency_of(customer), at), customer)
    deposit = file.add_deposit(at, [line], day)
    lines = [("Invoice", invoice, Decimal(40)), ("Deposit", deposit, Decimal(40))]
    payment = file.add_payment(at, customer, ZERO, day, lines)
    ids = {"customer": customer, "invoice": invoice, "deposit": deposit, "payment": payment}
    opens = {"invoice": Decimal(60), "deposit": Decimal(5), "payment": ZERO}
    return Case(ids, Decimal(55), opens, {("deposit", "invoice"): Decimal(40)})


def invoice_with_deposit(file: CompanyFile, at: datetime, day: date) -> Case:
    """Of an invoice of 200, 50 were paid when it was written: its Deposit, without a payment."""
    customer = file.add_customer(at, "Invoice deposit")
    invoice = file.add_invoice(at, customer, "IDEP-1", Decimal(200), day, deposit=Decimal(50))
    return Case({"customer": customer, "invoice": invoice}, Decimal(150), {"invoice": Decimal(150)})


def refund_receipt(file: CompanyFile, at: datetime, day: date) -> Case:
    """A refund receipt of 33: receivables do not move."""
    customer = file.add_customer(at, "Refund receipt")
    invoice = file.add_invoice(at, customer, "RR-1", Decimal(33), day)
    payment = file.add_payment(at, customer, Decimal(33), day, [("Invoice", invoice, Decimal(33))])
    receipt = file.add_refund_receipt(at, customer, "RR-R", Decimal(33), day)
    ids = {"customer": customer, "invoice": invoice, "payment": payment, "receipt": receipt}
    return Case(ids, ZERO, {"invoice": ZERO, "payment": ZERO}, {("payment", "invoice"): Decimal(33)})


def sixteen_links(file: CompanyFile, at: datetime, day: date) -> Case:
    """One payment of 160 pays 16 invoices of 10: the last link is beyond the cap."""
    customer = file.add_customer(at, "Sixteen links")
    ids = {"customer": customer}
    for number in range(1, 17):
        ids[f"invoice_{number}"] = file.add_invoice(at, customer, f"LINK-{number}", Decimal(10), day)
    names = [each for each in ids if each != "customer"]
    lines = [("Invoice", ids[each], Decimal(10)) for each in names]
    ids["payment"] = file.add_payment(at, customer, Decimal(160), day, lines)
    allocated = {("payment", each): Decimal(10) for each in names}
    return Case(ids, ZERO, dict.fromkeys((*names, "payment"), ZERO), allocated)


def parent_pays_for_child(file: CompanyFile, at: datetime, day: date) -> Case:
    """A parent pays 64 of its job's invoice of 100. The balance is the child's; the parent's is 0."""
    parent = file.add_customer(at, "Parent")
    child = file.add_customer(at, "Child", parent=parent)
    invoice = file.add_invoice(at, child, "JOB-1", Decimal(100), day)
    payment = file.add_payment(at, parent, Decimal(64), day, [("Invoice", invoice, Decimal(64))])
    ids = {"customer": child, "parent": parent, "invoice": invoice, "payment": payment}
    opens = {"invoice": Decimal(36), "payment": ZERO}
    return Case(ids, Decimal(36), opens, {("payment", "invoice"): Decimal(64)})


def deposited_payment(file: CompanyFile, at: datetime, day: date) -> Case:
    """A payment of 262 went to the bank less a fee of 7.61: the deposit is 254.39; receivables do not move again."""
    customer = file.add_customer(at, "Deposited")
    invoice = file.add_invoice(at, customer, "DEPO-1", Decimal(262), day)
    payment = file.add_payment(at, customer, Decimal(262), day, [("Invoice", invoice, Decimal(262))])
    lines = [
        objects.deposit_of_payment(Decimal(262), payment),
        objects.deposit_line(Decimal("-7.61"), file.accounts.fees),
    ]
    deposit = file.add_deposit(at, lines, day, note="po_sandbox_1")
    ids = {"customer": customer, "invoice": invoice, "payment": payment, "deposit": deposit}
    return Case(ids, ZERO, {"invoice": ZERO, "payment": ZERO}, {("payment", "invoice"): Decimal(262)})


def foreign_currency(file: CompanyFile, at: datetime, day: date) -> Case:
    """EUR 100 at 1.10, of which 60 are paid at 1.20: 40 are open, 44.00 in home currency."""
    customer = file.add_customer(at, "Euro", "EUR")
    invoice = file.add_invoice(at, customer, "EUR-1", Decimal(100), day, rate=Decimal("1.1"))
    lines = [("Invoice", invoice, Decimal(60))]
    payment = file.add_payment(at, customer, Decimal(60), day, lines, rate=Decimal("1.2"))
    ids = {"customer": customer, "invoice": invoice, "payment": payment}
    opens = {"invoice": Decimal(40), "payment": ZERO}
    return Case(ids, Decimal(40), opens, {("payment", "invoice"): Decimal(60)})


CaseWriter = Callable[[CompanyFile, datetime, date], Case]
#: Those that a company of one currency can have too.
ONE_CURRENCY_CASES: tuple[CaseWriter, ...] = (
    mixed_payment,
    memo_applied,
    overpayment,
    overpayment_repaid,
    voided_payment,
    voided_invoice,
    voided_credited_invoice,
    deleted_invoice,
    inactive_customer,
    merged_customers,
    journal_on_receivables,
    journal_credit_used,
    cheque_not_referred_to,
    deposit_on_receivables,
    invoice_with_deposit,
    refund_receipt,
    sixteen_links,
    parent_pays_for_child,
    deposited_payment,
)
CASES: tuple[CaseWriter, ...] = (*ONE_CURRENCY_CASES, foreign_currency)


def write_all(file: CompanyFile, at: datetime, day: date) -> dict[str, Case]:
    """Write every case that the company can have, and return them by the names of their functions."""
    cases = CASES if file.book.multi_currency else ONE_CURRENCY_CASES
    return {case.__name__: case(file, at, day) for case in cases}
