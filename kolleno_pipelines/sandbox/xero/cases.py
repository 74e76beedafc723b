"""Particular constellations of a Xero organisation, each with the figures that must come of it. No company, no HTTP.

Each case writes contacts and documents of its own at `at`; what changes afterwards happens a day later (`LATER`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

from kolleno_pipelines.sandbox.xero.book import Book
from kolleno_pipelines.sandbox.xero.chart import BANK, account_of, set_up
from kolleno_pipelines.sandbox.xero.contacts import contact
from kolleno_pipelines.sandbox.xero.ledger import Ledger
from kolleno_pipelines.sandbox.xero.objects import (
    CREDIT_KINDS,
    Kind,
    Record,
    credit_note,
    invoice,
    money_on_account,
)

LATER = timedelta(days=1)
NOTHING = Decimal(0)


@dataclass(frozen=True)
class Case:
    """What a case wrote. ids: the vendor's ids by a name of ours (`invoice_a`, `credit_note`, `refund`).

    outstanding: what the vendor states as the contact's receivables after all of it, which has no currency.
    open: what counts as open of each named document, positive in its own sense, in its currency; what is not a
    receivable or does not count is 0. allocated: (from, to): amount, by our names; refunds are no allocations.
    figures: other amounts, in the documents' currency unless named home.
    """

    contact_id: str
    outstanding: Decimal
    ids: Mapping[str, str]
    open: Mapping[str, Decimal]
    allocated: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)
    figures: Mapping[str, Decimal] = field(default_factory=dict)


def overpayment_in_part(ledger: Ledger, at: datetime) -> Case:
    """120 received, 100 of it for invoice A: 20 stay on account, beside invoice B of 50. Owed: 30."""
    who, day = _contact(ledger, "over", at), at.date()
    first = _issue(ledger, invoice("over-a", who, 100, day, due=day), at)
    second = _issue(ledger, invoice("over-b", who, 50, day, due=day), at)
    money = _receive(ledger, Kind.OVERPAYMENTS, "over", who, 120, at)
    ledger.allocate(Kind.OVERPAYMENTS, money, first, Decimal("100.00"), day, at)
    ids = {"overpayment": money, "invoice_a": first, "invoice_b": second}
    still = {"overpayment": Decimal(20), "invoice_a": NOTHING, "invoice_b": Decimal(50)}
    allocated = {("overpayment", "invoice_a"): Decimal(100)}
    return Case(who["ContactID"], Decimal(30), ids, still, allocated, {"received": Decimal(120)})


def overpaid_invoice(ledger: Ledger, at: datetime) -> Case:
    """120 entered on an invoice of 100: the vendor makes a payment of 100 and an AROVERPAYMENT of 20."""
    who, day = _contact(ledger, "too-much", at), at.date()
    owed = _issue(ledger, invoice("too-much-a", who, 100, day, due=day), at)
    paid = _pay(ledger, Kind.INVOICES, owed, 100, at)
    money = _receive(ledger, Kind.OVERPAYMENTS, "too-much", who, 20, at, word="AROVERPAYMENT")
    ids = {"invoice": owed, "payment": paid, "overpayment": money}
    still = {"invoice": NOTHING, "payment": NOTHING, "overpayment": Decimal(20)}
    return Case(who["ContactID"], Decimal(-20), ids, still, {("payment", "invoice"): Decimal(100)})


def prepayment(ledger: Ledger, at: datetime) -> Case:
    """300 received in advance; a day later an invoice of 180 takes its part: 120 stay."""
    who = _contact(ledger, "pre", at)
    money = _receive(ledger, Kind.PREPAYMENTS, "pre", who, 300, at)
    then = at + LATER
    owed = _issue(ledger, invoice("pre-a", who, 180, then.date(), due=then.date()), then)
    ledger.allocate(Kind.PREPAYMENTS, money, owed, Decimal("180.00"), then.date(), then)
    still = {"prepayment": Decimal(120), "invoice": NOTHING}
    allocated = {("prepayment", "invoice"): Decimal(180)}
    ids = {"prepayment": money, "invoice": owed}
    return Case(who["ContactID"], Decimal(-120), ids, still, allocated, {"received": Decimal(300)})


def refunded_credit_note(ledger: Ledger, at: datetime) -> Case:
    """A credit note of 80: 30 applied to an invoice of 100, 50 paid out. The 50 are no receipt."""
    who, day = _contact(ledger, "credit", at), at.date()
    owed = _issue(ledger, invoice("credit-a", who, 100, day, due=day), at)
    note = credit_note("credit-n", who, 80, day)
    ledger.enter(Kind.CREDIT_NOTES, note, at)
    ledger.allocate(Kind.CREDIT_NOTES, note["CreditNoteID"], owed, Decimal("30.00"), day, at)
    refund = _pay(ledger, Kind.CREDIT_NOTES, note["CreditNoteID"], 50, at)
    ids = {"credit_note": note["CreditNoteID"], "invoice": owed, "refund": refund}
    still = {"credit_note": NOTHING, "invoice": Decimal(70)}
    allocated = {("credit_note", "invoice"): Decimal(30)}
    return Case(who["ContactID"], Decimal(70), ids, still, allocated, {"refunded": Decimal(50)})


def refunded_overpayment(ledger: Ledger, at: datetime) -> Case:
    """An overpayment of 90, of which 40 are paid back: 50 stay on account."""
    who = _contact(ledger, "over-back", at)
    money = _receive(ledger, Kind.OVERPAYMENTS, "over-back", who, 90, at)
    refund = _pay(ledger, Kind.OVERPAYMENTS, money, 40, at)
    ids, still = {"overpayment": money, "refund": refund}, {"overpayment": Decimal(50)}
    return Case(who["ContactID"], Decimal(-50), ids, still, figures={"refunded": Decimal(40)})


def refunded_prepayment(ledger: Ledger, at: datetime) -> Case:
    """A prepayment of 60 that is paid back whole."""
    who = _contact(ledger, "pre-back", at)
    money = _receive(ledger, Kind.PREPAYMENTS, "pre-back", who, 60, at)
    refund = _pay(ledger, Kind.PREPAYMENTS, money, 60, at)
    ids, still = {"prepayment": money, "refund": refund}, {"prepayment": NOTHING}
    return Case(who["ContactID"], NOTHING, ids, still, figures={"refunded": Decimal(60)})


def supplier_side(ledger: Ledger, at: datetime) -> Case:
    """Bills, a supplier's credit, payments of both and money spent in advance: none of it is receivable."""
    who, day = _contact(ledger, "supplier", at), at.date()
    bill = _issue(ledger, invoice("bill-a", who, 500, day, due=day, document_type="ACCPAY"), at)
    paid = _pay(ledger, Kind.INVOICES, bill, 200, at)
    credit = credit_note("bill-credit", who, 100, day, document_type="ACCPAYCREDIT")
    ledger.enter(Kind.CREDIT_NOTES, credit, at)
    back = _pay(ledger, Kind.CREDIT_NOTES, credit["CreditNoteID"], 100, at)
    spent = _receive(ledger, Kind.OVERPAYMENTS, "spent", who, 10, at, word="SPEND-OVERPAYMENT")
    spent_before = _receive(ledger, Kind.PREPAYMENTS, "spent", who, 15, at, word="SPEND-PREPAYMENT")
    ids = {"bill": bill, "payment": paid, "credit": credit["CreditNoteID"], "credit_payment": back}
    ids |= {"overpayment": spent, "prepayment": spent_before}
    return Case(who["ContactID"], NOTHING, ids, dict.fromkeys(("bill", "credit", "overpayment", "prepayment"), NOTHING))


def statuses(ledger: Ledger, at: datetime) -> Case:
    """DRAFT 10, SUBMITTED 20, AUTHORISED 40, VOIDED 80, DELETED 160: only the 40 are owed."""
    who, day = _contact(ledger, "statuses", at), at.date()
    ids = {}
    for number, word in enumerate(("DRAFT", "SUBMITTED", "AUTHORISED", "VOIDED", "DELETED")):
        first = {"VOIDED": "AUTHORISED", "DELETED": "DRAFT"}.get(word, word)
        made = invoice(f"status-{word}", who, 10 * 2**number, day, due=day, status=first)
        ids[word] = _issue(ledger, made, at)
        if word in {"VOIDED", "DELETED"}:
            ledger.remove(Kind.INVOICES, ids[word], at + LATER)
    return Case(who["ContactID"], Decimal(40), ids, dict.fromkeys(ids, NOTHING) | {"AUTHORISED": Decimal(40)})


def voided_credits(ledger: Ledger, at: datetime) -> Case:
    """A credit note of 5, an overpayment of 3 and a prepayment of 2 are voided a day later; a draft of 9 waits."""
    who, day = _contact(ledger, "void-credits", at), at.date()
    notes = [credit_note("void-n", who, 5, day), credit_note("draft-n", who, 9, day, status="DRAFT")]
    for each in notes:
        ledger.enter(Kind.CREDIT_NOTES, each, at)
    ids = {"credit_note": notes[0]["CreditNoteID"], "draft": notes[1]["CreditNoteID"]}
    ids["overpayment"] = _receive(ledger, Kind.OVERPAYMENTS, "void", who, 3, at)
    ids["prepayment"] = _receive(ledger, Kind.PREPAYMENTS, "void", who, 2, at)
    for kind, role in zip(CREDIT_KINDS, ("credit_note", "overpayment", "prepayment"), strict=True):
        ledger.remove(kind, ids[role], at + LATER)
    return Case(who["ContactID"], NOTHING, ids, dict.fromkeys(ids, NOTHING))


def deleted_payment(ledger: Ledger, at: datetime) -> Case:
    """An invoice of 100 is paid; a day later the payment is deleted and the invoice is open again."""
    who, day = _contact(ledger, "bounced", at), at.date()
    owed = _issue(ledger, invoice("bounced-a", who, 100, day, due=day), at)
    paid = _pay(ledger, Kind.INVOICES, owed, 100, at)
    ledger.delete_payment(paid, at + LATER)
    ids, still = {"invoice": owed, "payment": paid}, {"invoice": Decimal(100), "payment": NOTHING}
    return Case(who["ContactID"], Decimal(100), ids, still)


def batch_payment(ledger: Ledger, at: datetime) -> Case:
    """One receipt of 320 for invoices of 100, 200 and 50, the last in part: three payments, 30 owed."""
    who, day = _contact(ledger, "batch", at), at.date()
    owed = [_issue(ledger, invoice(f"batch-{each}", who, each, day, due=day), at) for each in (100, 200, 50)]
    shares = dict(zip(owed, (Decimal("100.00"), Decimal("200.00"), Decimal("20.00")), strict=True))
    batch = ledger.pay_batch(shares, day, account_of(ledger, BANK, at), at, reference="BNK 320", key="batch")
    ids = {"batch": batch["BatchPaymentID"], "invoice_100": owed[0], "invoice_200": owed[1], "invoice_50": owed[2]}
    still = {"batch": NOTHING, "invoice_100": NOTHING, "invoice_200": NOTHING, "invoice_50": Decimal(30)}
    allocated = {("batch", role): shares[ids[role]] for role in ("invoice_100", "invoice_200", "invoice_50")}
    return Case(who["ContactID"], Decimal(30), ids, still, allocated, {"received": Decimal(320)})


def merged_contacts(ledger: Ledger, at: datetime) -> Case:
    """A contact that owes 100 is merged a day later into one that owes 40; its documents move without a word."""
    gone, kept = _contact(ledger, "merged-gone", at), _contact(ledger, "merged-kept", at)
    day = at.date()
    moved = _issue(ledger, invoice("merged-a", gone, 100, day, due=day), at)
    own = _issue(ledger, invoice("merged-b", kept, 40, day, due=day), at)
    ledger.merge_contacts(gone["ContactID"], kept["ContactID"], at + LATER)
    ids = {"gone": gone["ContactID"], "kept": kept["ContactID"], "invoice_moved": moved, "invoice_own": own}
    still = {"invoice_moved": Decimal(100), "invoice_own": Decimal(40)}
    return Case(kept["ContactID"], Decimal(140), ids, still)


def foreign_currency(ledger: Ledger, at: datetime) -> Case:
    """100 EUR at CurrencyRate 0.70, euros for a dollar: 142.86 at home. 36 paid at 0.72 bring 50.00; 64 are owed."""
    who, day = _contact(ledger, "euro", at), at.date()
    owed = _issue(ledger, invoice("euro-a", who, 100, day, due=day, currency="EUR", rate=Decimal("0.70")), at)
    bank = account_of(ledger, BANK, at)
    rate = Decimal("0.720000")
    paid = ledger.pay(Kind.INVOICES, owed, Decimal("36.00"), day, bank, at, rate=rate, key="euro")
    figures = {"total": Decimal(100), "total_home": Decimal("142.86"), "paid_home": Decimal("50.00")}
    ids, still = {"invoice": owed, "payment": paid["PaymentID"]}, {"invoice": Decimal(64), "payment": NOTHING}
    return Case(who["ContactID"], Decimal(64), ids, still, {("payment", "invoice"): Decimal(36)}, figures)


def several_currencies(ledger: Ledger, at: datetime) -> Case:
    """A contact with 100 USD and 50 EUR: the vendor states 150, which is no amount of anything."""
    who, day = _contact(ledger, "mixed", at), at.date()
    dollars = _issue(ledger, invoice("mixed-usd", who, 100, day, due=day), at)
    euros = _issue(ledger, invoice("mixed-eur", who, 50, day, due=day, currency="EUR", rate=Decimal("0.90")), at)
    still = {"invoice_usd": Decimal(100), "invoice_eur": Decimal(50)}
    return Case(who["ContactID"], Decimal(150), {"invoice_usd": dollars, "invoice_eur": euros}, still)


def silent_change(ledger: Ledger, at: datetime) -> Case:
    """The due date of an invoice with a payment moves by 30 days a day later, and UpdatedDateUTC does not."""
    who, day = _contact(ledger, "silent", at), at.date()
    owed = _issue(ledger, invoice("silent-a", who, 100, day, due=day), at)
    paid = _pay(ledger, Kind.INVOICES, owed, 40, at)
    ledger.edit(Kind.INVOICES, owed, {"DueDate": day + timedelta(days=30)}, at + LATER)
    ids, still = {"invoice": owed, "payment": paid}, {"invoice": Decimal(60), "payment": NOTHING}
    return Case(who["ContactID"], Decimal(60), ids, still, {("payment", "invoice"): Decimal(40)})


def odd_dates(ledger: Ledger, at: datetime) -> Case:
    """Dates as old payloads have them: 0 on a voided invoice, negative before 1970, a day stated with +1300.

    The last is 31 December 2014 in the zone that it names, and eleven o'clock of the 30th in UTC.
    """
    who = _contact(ledger, "odd", at)
    voided = invoice("odd-zero", who, 7, at.date(), due=date(1970, 1, 1))
    early = invoice("odd-negative", who, 8, date(1969, 12, 31), due=date(1969, 12, 31))
    far = datetime(2014, 12, 31, tzinfo=timezone(timedelta(hours=13)))
    ids = {"zero": _issue(ledger, voided, at), "negative": _issue(ledger, early, at)}
    ledger.remove(Kind.INVOICES, ids["zero"], at)
    ids["offset"] = _issue(ledger, invoice("odd-offset", who, 9, far, due=date(2015, 1, 31)), at)
    still = {"zero": NOTHING, "negative": Decimal(8), "offset": Decimal(9)}
    return Case(who["ContactID"], Decimal(17), ids, still)


def archived_contact(ledger: Ledger, at: datetime) -> Case:
    """A contact is archived a day later though it owes 25; lists leave it out unless asked."""
    who, day = _contact(ledger, "archived", at), at.date()
    owed = _issue(ledger, invoice("archived-a", who, 25, day, due=day), at)
    ledger.book.put(Kind.CONTACTS, who | {"ContactStatus": "ARCHIVED"}, at + LATER)
    return Case(who["ContactID"], Decimal(25), {"invoice": owed}, {"invoice": Decimal(25)})


def ended_allocation(ledger: Ledger, at: datetime) -> Case:
    """A credit note of 30 is applied to an invoice of 100 and taken off a day later: 70 net, both open."""
    who, day = _contact(ledger, "ended", at), at.date()
    owed = _issue(ledger, invoice("ended-a", who, 100, day, due=day), at)
    note = credit_note("ended-n", who, 30, day)
    ledger.enter(Kind.CREDIT_NOTES, note, at)
    made = ledger.allocate(Kind.CREDIT_NOTES, note["CreditNoteID"], owed, Decimal("30.00"), day, at)
    ledger.take_off(Kind.CREDIT_NOTES, note["CreditNoteID"], made["AllocationID"], at + LATER)
    ids = {"invoice": owed, "credit_note": note["CreditNoteID"], "allocation": made["AllocationID"]}
    return Case(who["ContactID"], Decimal(70), ids, {"invoice": Decimal(100), "credit_note": Decimal(30)})


_ALL = (
    *(overpayment_in_part, overpaid_invoice, prepayment, voided_credits, ended_allocation, statuses),
    *(refunded_credit_note, refunded_overpayment, refunded_prepayment, supplier_side, deleted_payment, batch_payment),
    *(merged_contacts, foreign_currency, several_currencies, silent_change, odd_dates, archived_contact),
)
CASES: Mapping[str, Callable[[Ledger, datetime], Case]] = {each.__name__: each for each in _ALL}


def book_of_cases(at: datetime) -> tuple[Book, dict[str, Case]]:
    """Return an organisation that holds every case, and what each wrote."""
    book = Book()
    ledger = Ledger(book)
    set_up(ledger, at)
    return book, {name: write(ledger, at) for name, write in CASES.items()}


def _contact(ledger: Ledger, key: str, at: datetime) -> Record:
    return ledger.book.put(Kind.CONTACTS, contact(f"case-{key}", f"Case {key}"), at)


def _issue(ledger: Ledger, record: Record, at: datetime) -> str:
    ledger.enter(Kind.INVOICES, record, at)
    identity: str = record["InvoiceID"]
    return identity


def _pay(ledger: Ledger, kind: Kind, identity: str, amount: int, at: datetime) -> str:
    bank = account_of(ledger, BANK, at)
    exact = Decimal(amount).quantize(Decimal("0.01"))
    payment = ledger.pay(kind, identity, exact, at.date(), bank, at, reference="case", key=f"{kind}:{identity}")
    paid: str = payment["PaymentID"]
    return paid


def _receive(ledger: Ledger, kind: Kind, key: str, who: Record, amount: int, at: datetime, *, word: str = "") -> str:
    usual = "RECEIVE-OVERPAYMENT" if kind is Kind.OVERPAYMENTS else "RECEIVE-PREPAYMENT"
    record = money_on_account(kind, f"case-{key}", who, amount, at.date(), document_type=word or usual, reference=key)
    ledger.enter(kind, record, at)
    identity: str = record[kind.id_field]
    return identity
