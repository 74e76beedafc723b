"""What goes out of the ordinary: voids, ended allocations, disputes, corrections, write-offs, lost history. No CSV.

Each mishap picks a record that it suits and does nothing when there is none. Allocations leave a document with an
unexplained part alone afterwards, so that the day of that part is never open to interpretation.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta

from kolleno_pipelines.sandbox.books import Document, DocumentKey, PairKey
from kolleno_pipelines.sandbox.desk import Desk, OpenBatch
from kolleno_pipelines.sandbox.events import (
    CREDIT_NOTE,
    INVOICE,
    PAYMENT,
    ZERO,
    AllocationStated,
    BalanceMoved,
    CustomerStated,
    DisputeStated,
    DocumentCorrected,
    DocumentIssued,
    DocumentKind,
    DocumentVoided,
)
from kolleno_pipelines.sandbox.people import description
from kolleno_pipelines.sandbox.trading import add_contact, issue_invoice, open_customer
from kolleno_pipelines.schemas.sftp_tables import TableName

Mishap = Callable[[Desk, OpenBatch, date], None]
_TABLES: dict[DocumentKind, TableName] = {
    INVOICE: TableName.INVOICES,
    CREDIT_NOTE: TableName.CREDIT_NOTES,
    PAYMENT: TableName.PAYMENTS,
}


def _older(desk: Desk, batch: OpenBatch, kind: DocumentKind, suits: Callable[[Document], bool]) -> Document | None:
    """Pick a document that an earlier batch told and that suits; recent ones are likelier."""
    issued = desk.issued[kind]
    for _ in range(40 if issued else 0):
        place = max(desk.rng.randrange(len(issued)), desk.rng.randrange(len(issued)))
        document = desk.books.documents[DocumentKey(kind, issued[place])]
        if document.batch < batch.number and not document.voided and suits(document):
            return document
    return None


def _is_explained(desk: Desk, document: Document) -> bool:
    """Whether neither the document nor one it is allocated to has an unexplained part."""
    around = [document]
    for pair in document.pairs:
        around.append(desk.books.documents[DocumentKey(pair.from_kind, pair.from_id)])
        around.append(desk.invoice(pair.to_id))
    return not any(each.unexplained for each in around)


def _disturb(desk: Desk, batch: OpenBatch, pairs: list[PairKey]) -> None:
    """Note that allocations ended; what they closed may be open again, so its status word must be sent."""
    for pair in pairs:
        desk.disturbed.update((DocumentKey(pair.from_kind, pair.from_id), DocumentKey(INVOICE, pair.to_id)))
        batch.require(TableName.INVOICES, "status")
        batch.require(_TABLES[pair.from_kind], "status")


def _void(desk: Desk, batch: OpenBatch, kind: DocumentKind) -> None:
    document = _older(desk, batch, kind, lambda each: _is_explained(desk, each))
    if document is None:
        return
    batch.require(_TABLES[kind], "status")
    _disturb(desk, batch, [pair for pair in document.pairs if desk.books.is_live(pair)])
    # Some sources go on stating a balance for a voided document; it must not count.
    shown = document.amount if not desk.expressible and desk.rng.random() < 0.5 else ZERO
    sends_ends = desk.rng.random() < 0.5
    desk.record(DocumentVoided(batch.number, kind, document.key.source_id, shown, sends_ends))


def void_invoice(desk: Desk, batch: OpenBatch, today: date) -> None:
    """Void an invoice: what was paid on it returns to its payments and credit notes."""
    del today
    _void(desk, batch, INVOICE)


def void_payment(desk: Desk, batch: OpenBatch, today: date) -> None:
    """A payment bounces: its invoices are open again."""
    del today
    _void(desk, batch, PAYMENT)


def void_credit_note(desk: Desk, batch: OpenBatch, today: date) -> None:
    """Void a credit note."""
    del today
    _void(desk, batch, CREDIT_NOTE)


def end_allocation(desk: Desk, batch: OpenBatch, today: date) -> None:
    """Take a payment or credit note off an invoice: the link is sent with amount 0."""
    del today
    books = desk.books
    for _ in range(40 if desk.pairs else 0):
        pair = desk.rng.choice(desk.pairs)
        invoice = desk.invoice(pair.to_id)
        payer = books.documents[DocumentKey(pair.from_kind, pair.from_id)]
        if books.allocations[pair].batch >= batch.number or not books.is_live(pair):
            continue
        if invoice.unexplained or payer.unexplained:
            continue
        _disturb(desk, batch, [pair])
        desk.record(AllocationStated(batch.number, pair.from_kind, pair.from_id, pair.to_id, ZERO, None))
        return


def dispute(desk: Desk, batch: OpenBatch, today: date) -> None:
    """Dispute an open invoice, or settle its dispute."""
    del today
    invoice = _older(desk, batch, INVOICE, lambda each: desk.books.balance(each) > 0)
    if invoice is not None:
        batch.require(TableName.INVOICES, "status")
        desk.record(DisputeStated(batch.number, invoice.key.source_id, not invoice.disputed))


def correct_words(desk: Desk, batch: OpenBatch, today: date) -> None:
    """Restate the due date, reference or description of an older invoice."""
    del today
    rng = desk.rng
    invoice = _older(desk, batch, INVOICE, lambda _: True)
    if invoice is None:
        return
    number, source_id = batch.number, invoice.key.source_id
    choice = rng.randrange(3)
    if choice == 0:
        due = invoice.date_issued + timedelta(days=rng.randint(0, 90))
        desk.record(DocumentCorrected(number, INVOICE, source_id, date_due=due))
    elif choice == 1:
        desk.record(DocumentCorrected(number, INVOICE, source_id, ref=f"{invoice.ref}-R"))
    else:
        batch.require(TableName.INVOICES, "description")
        desk.record(DocumentCorrected(number, INVOICE, source_id, description=description(rng)))


def correct_amount(desk: Desk, batch: OpenBatch, today: date) -> None:
    """Restate an older open invoice with a higher amount, and some with an earlier date of issue."""
    del today
    books, rng = desk.books, desk.rng
    invoice = _older(desk, batch, INVOICE, lambda each: books.balance(each) > 0 and _is_explained(desk, each))
    if invoice is None:
        return
    amount = invoice.amount + desk.part(invoice.amount, invoice.currency)
    issued = invoice.date_issued - timedelta(days=rng.randint(1, 5)) if rng.random() < 0.3 else None
    desk.record(DocumentCorrected(batch.number, INVOICE, invoice.key.source_id, amount=amount, date_issued=issued))


def _write_off(desk: Desk, batch: OpenBatch, paid_on: date | None, *, whole: bool) -> None:
    def suits(each: Document) -> bool:
        untouched = each.key not in desk.settled_once and each.key not in desk.disturbed
        return untouched and desk.books.balance(each) > 0 and not each.unexplained

    invoice = _older(desk, batch, INVOICE, suits)
    if invoice is None:
        return
    balance = desk.books.balance(invoice)
    amount = balance if whole else desk.part(balance, invoice.currency)
    if paid_on is not None:
        batch.require(TableName.INVOICES, "date_paid")
    desk.frozen.add(invoice.key)
    desk.record(BalanceMoved(batch.number, INVOICE, invoice.key.source_id, amount, paid_on))


def write_off(desk: Desk, batch: OpenBatch, today: date) -> None:
    """An invoice falls to 0 without an allocation and without a date: only its batch dates it."""
    del today
    _write_off(desk, batch, None, whole=True)


def write_off_part(desk: Desk, batch: OpenBatch, today: date) -> None:
    """An invoice's balance falls without an allocation, but not to 0."""
    del today
    _write_off(desk, batch, None, whole=False)


def settle_outside(desk: Desk, batch: OpenBatch, today: date) -> None:
    """An invoice is paid in a way the files do not tell, with a date_paid some days back."""
    _write_off(desk, batch, today - timedelta(days=desk.rng.randint(0, 10)), whole=True)


def refund_credit_note(desk: Desk, batch: OpenBatch, today: date) -> None:
    """Pay a credit note out: its balance falls to 0 and no file tells where to."""
    del today

    def suits(each: Document) -> bool:
        return each.key not in desk.disturbed and not each.unexplained and desk.books.balance(each) > 0

    note = _older(desk, batch, CREDIT_NOTE, suits)
    if note is not None:
        desk.frozen.add(note.key)
        balance = desk.books.balance(note)
        desk.record(BalanceMoved(batch.number, CREDIT_NOTE, note.key.source_id, balance, None))


def move_again(desk: Desk, batch: OpenBatch, today: date) -> None:
    """A balance that moved unexplained, or was so from the beginning, moves again: further down, or back in part."""
    del today
    rng, books = desk.rng, desk.books
    kind: DocumentKind = rng.choice((INVOICE, INVOICE, INVOICE, CREDIT_NOTE, PAYMENT))
    document = _older(desk, batch, kind, lambda each: bool(each.unexplained) and not each.balance_is_blank)
    if document is None:
        return
    balance = books.balance(document)
    down = balance > 0 and rng.random() < 0.5
    amount = desk.part(balance if down else document.unexplained_amount, document.currency)
    batch.require(_TABLES[kind], "status")
    desk.frozen.add(document.key)
    desk.record(BalanceMoved(batch.number, kind, document.key.source_id, amount if down else -amount, None))


def grow(desk: Desk, batch: OpenBatch, today: date) -> None:
    """Win a customer with a contact and a first invoice."""
    customer = open_customer(desk, batch)
    add_contact(desk, batch, customer)
    issue_invoice(desk, batch, today, customer)


def change_customer(desk: Desk, batch: OpenBatch, today: date) -> None:
    """A customer moves and gets another credit limit."""
    del today
    customer = desk.rng.choice(desk.customers)
    batch.require(TableName.CUSTOMERS, "credit_limit_amount")
    cells = dict(desk.books.customers[customer])
    cells["credit_limit_amount"] = str(desk.rng.randint(1, 99) * 500)
    cells["address_line_1"] = f"{desk.rng.randint(1, 99)} New Street, rear"
    desk.record(CustomerStated(batch.number, customer, cells))


MISHAPS: tuple[Mishap, ...] = (
    write_off,
    dispute,
    end_allocation,
    void_invoice,
    grow,
    correct_words,
    settle_outside,
    void_payment,
    correct_amount,
    refund_credit_note,
    write_off_part,
    change_customer,
    void_credit_note,
    move_again,
)

# Those that QuickBooks, Xero and the files can all state.
EXPRESSIBLE_MISHAPS: tuple[Mishap, ...] = (
    end_allocation,
    void_invoice,
    grow,
    correct_words,
    void_payment,
    correct_amount,
    change_customer,
    void_credit_note,
)


def open_history(desk: Desk, batch: OpenBatch, first_day: date, count: int) -> None:
    """Tell `count` old documents whose history is missing: first seen with a balance that nothing explains."""
    rng = desk.rng
    for number in range(count):
        customer = rng.choice(desk.customers)
        currency = desk.currency_of[customer]
        amount = desk.amount(currency) + desk.part(desk.amount(currency), currency)
        settled = desk.part(amount, currency)
        issued = first_day - timedelta(days=rng.randint(35, 200))
        due = issued + timedelta(days=30)
        kind: DocumentKind = (INVOICE, INVOICE, INVOICE, PAYMENT, INVOICE, CREDIT_NOTE)[number % 6]
        paid_on = None
        if number % 6 in (1, 4):  # settled wholly; of these the second says when
            settled = amount
            paid_on = issued + timedelta(days=rng.randint(1, 34)) if number % 6 == 1 else None
        source_id = desk.next_id(kind)
        desk.record(
            DocumentIssued(
                batch=batch.number,
                kind=kind,
                source_id=source_id,
                customer=customer,
                ref=f"OLD-{source_id}",
                amount=amount,
                currency=currency,
                date_issued=issued,
                date_due=due if kind == INVOICE else None,
                settled_before=settled,
                date_paid=paid_on,
            )
        )


def happen(desk: Desk, batch: OpenBatch, today: date, invoices: int) -> None:
    """Let the day's mishaps happen: one by turn, and a few more by chance in a large company."""
    rng: random.Random = desk.rng
    mishaps = EXPRESSIBLE_MISHAPS if desk.expressible else MISHAPS
    mishaps[batch.number % len(mishaps)](desk, batch, today)
    for mishap in mishaps:
        for _ in range(invoices // 100 + (rng.randrange(100) < invoices % 100) if invoices else 0):
            mishap(desk, batch, today)
