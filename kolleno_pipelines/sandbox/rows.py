"""The rows with which a batch states the records it touched, as cells of text. No files, no decisions."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from kolleno_pipelines.sandbox.books import Books, Document, DocumentKey, PairKey, Touched
from kolleno_pipelines.sandbox.desk import exponent
from kolleno_pipelines.sandbox.events import CREDIT_NOTE, INVOICE, PAYMENT, TABLE_OF, Batch, DocumentKind
from kolleno_pipelines.schemas.sftp_tables import TableName

Cells = dict[str, str]

# Words for untouched, partly settled and settled, by kind.
_WORDS: dict[DocumentKind, tuple[str, str, str]] = {
    INVOICE: ("open", "partially_paid", "paid"),
    CREDIT_NOTE: ("unapplied", "partially_applied", "applied"),
    PAYMENT: ("unapplied", "partially_applied", "applied"),
}


def amount_text(amount: Decimal, currency: str) -> str:
    """Return an amount with the currency's decimals: 12.50 USD, 1200 JPY, 3.125 KWD."""
    return f"{amount:.{exponent(currency)}f}"


def _date_text(day: date | None) -> str:
    return day.isoformat() if day else ""


def status_word(books: Books, document: Document, batch: Batch) -> str:
    """Return the word the source uses for a document now; every fifth batch spells it for people (`Partially Paid`)."""
    untouched, partly, settled = _WORDS[document.key.kind]
    balance = books.balance(document)
    if document.voided:
        word = "void"
    elif document.balance_is_blank:
        word = ""
    elif document.disputed:
        word = "disputed"
    elif balance == 0:
        word = _settled_word(document, settled)
    else:
        word = untouched if balance == document.amount else partly
    return word.replace("_", " ").title() if batch.number % 5 == 4 else word


def _settled_word(document: Document, word: str) -> str:
    if not document.unexplained:
        return word
    return {INVOICE: "paid" if document.date_paid else "closed", CREDIT_NOTE: "refunded", PAYMENT: word}[
        document.key.kind
    ]


def _stated_balance(books: Books, document: Document) -> str:
    if document.balance_is_blank:
        return ""
    balance = document.void_balance if document.voided else books.balance(document)
    return amount_text(balance, document.currency)


def _paid_on(books: Books, document: Document) -> date | None:
    """Day of payment of a settled invoice. With an unexplained part only the day the event itself gave is stated."""
    if document.unexplained:
        return document.date_paid
    live = [books.effective_day(pair) for pair in document.pairs if books.is_live(pair)]
    return max(live) if live and books.balance(document) == 0 and not document.voided else None


def document_cells(books: Books, document: Document, batch: Batch) -> Cells:
    """Return all cells with which a batch may state a document; the file's columns choose among them."""
    cells = {
        **document.cells,
        "id": document.key.source_id,
        "customer_id": document.customer,
        "ref": document.ref,
        "amount": amount_text(document.amount, document.currency),
        "balance": _stated_balance(books, document),
        "currency_iso": document.currency,
        "status": status_word(books, document, batch),
    }
    if document.key.kind == PAYMENT:
        return cells | {"date_paid": _date_text(document.date_issued)}
    cells |= {"date_issued": _date_text(document.date_issued), "date_due": _date_text(document.date_due)}
    return cells | {"date_paid": _date_text(_paid_on(books, document))}


def pair_cells(books: Books, pair: PairKey) -> Cells:
    """Return the cells of a link row."""
    allocation = books.allocations[pair]
    currency = books.documents[DocumentKey(INVOICE, pair.to_id)].currency
    return {
        f"{pair.from_kind}_id": pair.from_id,
        "invoice_id": pair.to_id,
        "amount": amount_text(allocation.amount, currency),
        "date_applied": _date_text(allocation.date_applied),
    }


def batch_rows(books: Books, touched: Touched, batch: Batch) -> dict[TableName, tuple[Cells, ...]]:
    """Return the rows of a batch's seven files: one row for each record that it touched."""
    rows: dict[TableName, list[Cells]] = {table: [] for table in TableName}
    rows[TableName.CUSTOMERS] = [dict(books.customers[each]) for each in touched.customers]
    rows[TableName.CONTACTS] = [dict(books.contacts[each]) for each in touched.contacts]
    for key in touched.documents:
        rows[TABLE_OF[key.kind]].append(document_cells(books, books.documents[key], batch))
    for pair in touched.pairs:
        table = TableName.PAYMENTS_INVOICES if pair.from_kind == PAYMENT else TableName.CREDIT_NOTES_INVOICES
        rows[table].append(pair_cells(books, pair))
    return {table: tuple(each) for table, each in rows.items()}
