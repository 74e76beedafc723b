"""Ordinary days of the company: customers, contacts, invoices, credit notes, payments, allocations. No mishaps."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from kolleno_pipelines.sandbox.books import Document, DocumentKey, PairKey
from kolleno_pipelines.sandbox.desk import Desk, OpenBatch, money
from kolleno_pipelines.sandbox.events import (
    CREDIT_NOTE,
    INVOICE,
    PAYMENT,
    ZERO,
    AllocationStated,
    ContactStated,
    CustomerStated,
    DocumentIssued,
    PayingKind,
)
from kolleno_pipelines.sandbox.people import contact_cells, customer_cells, description
from kolleno_pipelines.schemas.sftp_tables import TableName

_CURRENCIES = ("USD",) * 5 + ("EUR",) * 3 + ("GBP",) * 2
_TERMS = (0, 14, 30, 30, 30, 60)
_METHODS = ("wire_transfer", "card", "direct_debit", "check", "")


def open_customer(desk: Desk, batch: OpenBatch) -> str:
    """Add a customer; of every six the second, third and fourth belong to the first, some of them two levels down."""
    number = len(desk.customers) + 1
    source_id = f"{number:05d}"
    place = (number - 1) % 6
    parent = desk.customers[number - 1 - place] if place in (1, 2) else ""
    if place == 3:
        parent = desk.customers[number - 2]
    if parent:
        currency = desk.currency_of[parent]
    elif number % 36 == 7 or (number % 36 == 19 and not desk.expressible):
        currency = {7: "JPY", 19: "KWD"}[number % 36]
    else:
        currency = desk.rng.choice(_CURRENCIES)
    if parent:
        batch.require(TableName.CUSTOMERS, "parent_id")
    desk.customers.append(source_id)
    desk.currency_of[source_id] = currency
    # Xero has no groups: there nobody pays for another customer.
    desk.group_of[source_id] = desk.group_of[parent] if parent and not desk.expressible else source_id
    cells = customer_cells(desk.rng, number, source_id, currency, parent)
    if desk.expressible:
        cells = {name: cell.replace("\n", " ") for name, cell in cells.items()} | {"currency_iso": currency}
    desk.record(CustomerStated(batch.number, source_id, cells))
    return source_id


def add_contact(desk: Desk, batch: OpenBatch, customer: str) -> None:
    """Add a contact to a customer."""
    desk.contacts += 1
    source_id = f"p{desk.contacts:06d}"
    desk.record(ContactStated(batch.number, source_id, contact_cells(desk.rng, desk.contacts, source_id, customer)))


def issue_invoice(desk: Desk, batch: OpenBatch, today: date, customer: str | None = None) -> Document:
    """Issue an invoice; one in ten is dated some days back, one in twenty has no due date."""
    rng = desk.rng
    customer = customer or rng.choice(desk.customers)
    currency = desk.currency_of[customer] if desk.expressible or rng.random() < 0.95 else rng.choice(("USD", "EUR"))
    source_id = desk.next_id(INVOICE)
    issued = today - timedelta(days=rng.randint(1, 4) if rng.random() < 0.1 else 0)
    due = issued + timedelta(days=rng.choice(_TERMS))
    amount = desk.amount(currency)
    net = (amount * 5 / 6).quantize(money(1, currency)) if amount else amount
    event = DocumentIssued(
        batch=batch.number,
        kind=INVOICE,
        source_id=source_id,
        customer=customer,
        ref=f"INV-{int(source_id):06d}",
        amount=amount,
        currency=currency,
        date_issued=issued,
        date_due=due if desk.expressible or rng.random() < 0.95 else None,
        cells={
            "po_number": f"PO {rng.randint(1, 999)}" if rng.random() < 0.3 else "",
            "description": description(rng),
            "amount_net": str(net),
            "amount_tax": str(amount - net),
            "sales_rep": rng.choice(("Kim", "Łukasz", "")),
        },
    )
    desk.record(event)
    return desk.books.documents[DocumentKey(INVOICE, source_id)]


def allocate(desk: Desk, batch: OpenBatch, payer: Document, invoice: Document, amount: Decimal, day: date) -> None:
    """Apply a further `amount` of a payment or credit note to an invoice; the file states the pair's whole amount."""
    kind: PayingKind = CREDIT_NOTE if payer.key.kind == CREDIT_NOTE else PAYMENT
    pair = PairKey(kind, payer.key.source_id, invoice.key.source_id)
    table = TableName.PAYMENTS_INVOICES if kind == PAYMENT else TableName.CREDIT_NOTES_INVOICES
    before = desk.books.allocations.get(pair)
    desk.pairs.extend([] if before else [pair])
    total = amount + (before.amount if before else ZERO)
    applied = day if "date_applied" in batch.columns[table] else None
    desk.record(AllocationStated(batch.number, kind, payer.key.source_id, invoice.key.source_id, total, applied))


def receive(desk: Desk, batch: OpenBatch, customer: str, currency: str, amount: Decimal, day: date) -> Document:
    """Receive a payment; one in eight is sent without a balance of its own."""
    source_id = desk.next_id(PAYMENT)
    event = DocumentIssued(
        batch=batch.number,
        kind=PAYMENT,
        source_id=source_id,
        customer=customer,
        ref=f"BNK {desk.rng.randint(10**6, 10**7)}" if desk.rng.random() < 0.8 else "",
        amount=amount,
        currency=currency,
        date_issued=day,
        balance_is_blank=not desk.expressible and desk.rng.random() < 0.125,
        cells={"method": desk.rng.choice(_METHODS)},
    )
    desk.record(event)
    return desk.books.documents[DocumentKey(PAYMENT, source_id)]


def _due_invoice(desk: Desk) -> Document:
    """Pick the earliest due of three open invoices: most are paid about when due, a tail stays late."""
    choices = [desk.invoice(desk.open_invoices.pick(desk.rng)) for _ in range(3)]
    return min(choices, key=lambda document: document.date_due or document.date_issued)


def pay(desk: Desk, batch: OpenBatch, today: date) -> None:
    """One incoming payment: in full, in part, for many invoices, too much, or by the group's parent for a child."""
    if not len(desk.open_invoices):
        return
    rng, books = desk.rng, desk.books
    invoice = _due_invoice(desk)
    day = today - timedelta(days=1 if rng.random() < 0.3 else 0)
    place = (desk.group_of[invoice.customer], invoice.currency)
    payer = place[0] if rng.random() < 0.3 else invoice.customer
    targets = {invoice.key.source_id: books.balance(invoice)}
    pattern = rng.random()
    surplus = ZERO
    if pattern < 0.2:
        targets[invoice.key.source_id] = desk.part(books.balance(invoice), invoice.currency)
    elif pattern < 0.45:
        pool = desk.open_in_group[place]
        for _ in range(rng.randint(1, 4)):
            other = desk.invoice(pool.pick(rng))
            targets[other.key.source_id] = books.balance(other)
    elif pattern < 0.53:
        surplus = desk.amount(invoice.currency)
    payment = receive(desk, batch, payer, invoice.currency, sum(targets.values(), surplus), day)
    for source_id, amount in targets.items():
        allocate(desk, batch, payment, desk.invoice(source_id), amount, day)


def credit(desk: Desk, batch: OpenBatch, today: date) -> None:
    """Issue a credit note against a customer; four in five are applied at once, wholly or in part."""
    rng = desk.rng
    if not len(desk.open_invoices):
        return
    invoice = desk.invoice(desk.open_invoices.pick(rng))
    balance = desk.books.balance(invoice)
    amount = desk.part(balance, invoice.currency)
    source_id = desk.next_id(CREDIT_NOTE)
    event = DocumentIssued(
        batch=batch.number,
        kind=CREDIT_NOTE,
        source_id=source_id,
        customer=invoice.customer,
        ref=f"CRN/{source_id}",
        amount=amount,
        currency=invoice.currency,
        date_issued=today,
        cells={"description": description(rng)},
    )
    desk.record(event)
    if rng.random() < 0.8:
        note = desk.books.documents[DocumentKey(CREDIT_NOTE, source_id)]
        applied = amount if rng.random() < 0.7 else desk.part(amount, invoice.currency)
        allocate(desk, batch, note, invoice, applied, today)


def prepay(desk: Desk, batch: OpenBatch, today: date) -> None:
    """Receive money on account, before there is an invoice for it."""
    customer = desk.rng.choice(desk.customers)
    currency = desk.currency_of[customer]
    receive(desk, batch, customer, currency, desk.amount(currency), today)


def use_credit(desk: Desk, batch: OpenBatch, today: date) -> None:
    """Apply what is left on a payment or credit note to an open invoice of the same group and currency."""
    rng, books = desk.rng, desk.books
    if not len(desk.credit_left):
        return
    kind, source_id = desk.credit_left.pick(rng).split(":", 1)
    payer = books.documents[DocumentKey(CREDIT_NOTE if kind == CREDIT_NOTE else PAYMENT, source_id)]
    pool = desk.open_in_group.get((desk.group_of[payer.customer], payer.currency))
    if pool is None or not len(pool):
        return
    invoice = desk.invoice(pool.pick(rng))
    amount = min(books.balance(payer), books.balance(invoice))
    allocate(desk, batch, payer, invoice, amount, today)


def trade(desk: Desk, batch: OpenBatch, today: date, invoices: int) -> None:
    """Run one ordinary day of about `invoices` new invoices, fewer at the weekend."""
    rng = desk.rng
    busy = invoices if today.weekday() < 5 else invoices // 10
    for _ in range(rng.randint(busy * 7 // 10, busy * 13 // 10)):
        issue_invoice(desk, batch, today)
    for _ in range(_rounded(desk, busy, 12)):
        credit(desk, batch, today)
    for _ in range(_rounded(desk, busy, 2)):
        pay(desk, batch, today)
    for _ in range(_rounded(desk, busy, 30)):
        prepay(desk, batch, today)
    for _ in range(_rounded(desk, busy, 10)):
        use_credit(desk, batch, today)


def _rounded(desk: Desk, count: int, share: int) -> int:
    """Return count / share, the rest decided by chance so that a small company has each kind of day too."""
    whole, rest = divmod(count, share)
    return whole + (desk.rng.randrange(share) < rest)
