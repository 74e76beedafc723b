"""What goes out of the ordinary: voids, ended allocations, disputes, corrections, and which happen when. No CSV.

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
    TABLE_OF,
    ZERO,
    AllocationStated,
    CustomerStated,
    DisputeStated,
    DocumentCorrected,
    DocumentKind,
    DocumentVoided,
)
from kolleno_pipelines.sandbox.people import description
from kolleno_pipelines.sandbox.trading import add_contact, issue_invoice, open_customer
from kolleno_pipelines.sandbox.unexplained import (
    move_again,
    refund_credit_note,
    settle_outside,
    write_off,
    write_off_part,
)
from kolleno_pipelines.schemas.sftp_tables import TableName

Mishap = Callable[[Desk, OpenBatch, date], None]


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
        batch.require(TABLE_OF[pair.from_kind], "status")


def _void(desk: Desk, batch: OpenBatch, kind: DocumentKind) -> None:
    document = desk.older(batch, kind, lambda each: _is_explained(desk, each))
    if document is None:
        return
    batch.require(TABLE_OF[kind], "status")
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
    invoice = desk.older(batch, INVOICE, lambda each: desk.books.balance(each) > 0)
    if invoice is not None:
        batch.require(TableName.INVOICES, "status")
        desk.record(DisputeStated(batch.number, invoice.key.source_id, not invoice.disputed))


def correct_words(desk: Desk, batch: OpenBatch, today: date) -> None:
    """Restate the due date, reference or description of an older invoice."""
    del today
    rng = desk.rng
    invoice = desk.older(batch, INVOICE, lambda _: True)
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
    invoice = desk.older(batch, INVOICE, lambda each: books.balance(each) > 0 and _is_explained(desk, each))
    if invoice is None:
        return
    amount = invoice.amount + desk.part(invoice.amount, invoice.currency)
    issued = invoice.date_issued - timedelta(days=rng.randint(1, 5)) if rng.random() < 0.3 else None
    desk.record(DocumentCorrected(batch.number, INVOICE, invoice.key.source_id, amount=amount, date_issued=issued))


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


def happen(desk: Desk, batch: OpenBatch, today: date, invoices: int) -> None:
    """Let the day's mishaps happen: one by turn, and a few more by chance in a large company."""
    rng: random.Random = desk.rng
    mishaps = EXPRESSIBLE_MISHAPS if desk.expressible else MISHAPS
    mishaps[batch.number % len(mishaps)](desk, batch, today)
    for mishap in mishaps:
        for _ in range(invoices // 100 + (rng.randrange(100) < invoices % 100) if invoices else 0):
            mishap(desk, batch, today)
