"""Balances that move without a file that tells why: write-offs, money paid elsewhere, lost history. No CSV.

Each does nothing where no document suits it. What is explained is mishaps.py.
"""

from __future__ import annotations

from datetime import date, timedelta

from kolleno_pipelines.sandbox.books import Document
from kolleno_pipelines.sandbox.desk import Desk, OpenBatch
from kolleno_pipelines.sandbox.events import (
    CREDIT_NOTE,
    INVOICE,
    PAYMENT,
    TABLE_OF,
    BalanceMoved,
    DocumentIssued,
    DocumentKind,
)
from kolleno_pipelines.schemas.sftp_tables import TableName


def _write_off(desk: Desk, batch: OpenBatch, paid_on: date | None, *, whole: bool) -> None:
    def suits(each: Document) -> bool:
        untouched = each.key not in desk.settled_once and each.key not in desk.disturbed
        return untouched and desk.books.balance(each) > 0 and not each.unexplained

    invoice = desk.older(batch, INVOICE, suits)
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

    note = desk.older(batch, CREDIT_NOTE, suits)
    if note is not None:
        desk.frozen.add(note.key)
        balance = desk.books.balance(note)
        desk.record(BalanceMoved(batch.number, CREDIT_NOTE, note.key.source_id, balance, None))


def move_again(desk: Desk, batch: OpenBatch, today: date) -> None:
    """A balance that moved unexplained, or was so from the beginning, moves again: further down, or back in part."""
    del today
    rng, books = desk.rng, desk.books
    kind: DocumentKind = rng.choice((INVOICE, INVOICE, INVOICE, CREDIT_NOTE, PAYMENT))
    document = desk.older(batch, kind, lambda each: bool(each.unexplained) and not each.balance_is_blank)
    if document is None:
        return
    balance = books.balance(document)
    down = balance > 0 and rng.random() < 0.5
    amount = desk.part(balance if down else document.unexplained_amount, document.currency)
    batch.require(TABLE_OF[kind], "status")
    desk.frozen.add(document.key)
    desk.record(BalanceMoved(batch.number, kind, document.key.source_id, amount if down else -amount, None))


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
