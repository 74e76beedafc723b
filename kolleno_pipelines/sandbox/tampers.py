"""One quiet change to the company's files at a time, and exactly the breaks that must come of it. No faulty files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from kolleno_pipelines.sandbox.books import Books, Document, DocumentKey, PairKey
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.drops import Drop, Row, arrivals, row_key, versions
from kolleno_pipelines.sandbox.events import CREDIT_NOTE, INVOICE, PAYMENT, AllocationStated, DocumentKind
from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.sftp_tables import TableName

_CENT = Decimal("0.01")
Change = Callable[[Drop, Row], Row | None]


@dataclass(frozen=True)
class ExpectedBreak:
    """One break: its code, the document (and the other one for a pair), and amount - allocations - balance.

    An `opening` one may come from before the first files: it is listed and asks for nobody.
    """

    code: Code
    kind: DocumentKind
    source_id: str
    currency_iso: str
    difference: Decimal | None
    other_kind: str = ""
    other_id: str = ""
    opening: bool = False


@dataclass(frozen=True)
class ExpectedParked:
    """A row that waits for a parent that never comes, by table and row key."""

    table: TableName
    key: str
    code: Code


@dataclass(frozen=True)
class Tamper:
    """A changed company: its drops as they arrive and what must come beyond the breaks of the unchanged company."""

    name: str
    story: str
    drops: tuple[Drop, ...]
    breaks: frozenset[ExpectedBreak]
    parked: frozenset[ExpectedParked] = frozenset()
    net_change: Mapping[str, Decimal] = field(default_factory=dict)


class _Stories:
    """What the choices need to know: the books, when a pair was first told, the last batch that states a record."""

    def __init__(self, company: Company) -> None:
        self.books: Books = company.books()
        self.ended = {
            DocumentKey(kind, source_id)
            for event in company.events
            if isinstance(event, AllocationStated) and event.amount == 0
            for kind, source_id in ((event.from_kind, event.from_id), (INVOICE, event.to_id))
        }
        self.last: dict[tuple[TableName, str], int] = {}
        self.first: dict[tuple[TableName, str], int] = {}
        for drop in versions(company):
            for table in TableName:
                for row in drop.rows[table]:
                    self.first.setdefault((table, row_key(table, row)), drop.number)
                    self.last[table, row_key(table, row)] = drop.number

    def is_plain(self, document: Document) -> bool:
        """Whether the document counts, ties, states a balance and never lost an allocation."""
        touching = (*(DocumentKey(pair.from_kind, pair.from_id) for pair in document.pairs),)
        touching += tuple(DocumentKey(INVOICE, pair.to_id) for pair in document.pairs)
        return not (
            document.voided
            or document.unexplained
            or document.balance_is_blank
            or document.key in self.ended
            or any(self.books.documents[key].voided for key in touching)
        )

    def plain_pairs(self) -> Iterator[tuple[PairKey, Document, Document]]:
        """Yield live allocations between plain documents, oldest first, with payer and invoice."""
        for pair in self.books.allocations:
            payer = self.books.documents[DocumentKey(pair.from_kind, pair.from_id)]
            invoice = self.books.documents[DocumentKey(INVOICE, pair.to_id)]
            if self.books.is_live(pair) and self.is_plain(payer) and self.is_plain(invoice):
                yield pair, payer, invoice


def _change(company: Company, table: TableName, change: Change) -> tuple[Drop, ...]:
    """Return all drops with one table's rows changed; a row that becomes None is not sent."""
    changed = []
    for drop in arrivals(company):
        rows = tuple(row for row in (change(drop, each) for each in drop.rows[table]) if row is not None)
        changed.append(replace(drop, rows={**drop.rows, table: rows}))
    return tuple(changed)


def _mismatch(document: Document, difference: Decimal, *, opening: bool = False) -> ExpectedBreak:
    key = document.key
    code = Code.BALANCE_ALLOCATION_MISMATCH
    return ExpectedBreak(code, key.kind, key.source_id, document.currency, difference, opening=opening)


def drop_allocation(company: Company) -> Tamper:
    """Leave out a link that joined an older invoice and an older payment or credit note: both differ by its amount."""
    for pair, payer, invoice in (stories := _Stories(company)).plain_pairs():
        if stories.books.allocations[pair].batch > max(payer.batch, invoice.batch):
            return _without_link(company, stories, "drop_allocation", pair)
    raise _unsuitable("an allocation between two older documents")


def drop_new_allocation(company: Company) -> Tamper:
    """Leave out a link that came with a document, after the baseline: that document never tied, and is red."""
    for pair, payer, invoice in (stories := _Stories(company)).plain_pairs():
        newest = max(payer, invoice, key=lambda each: each.batch)
        if stories.books.allocations[pair].batch == newest.batch and not stories.books.may_lack_history(newest):
            return _without_link(company, stories, "drop_new_allocation", pair)
    raise _unsuitable("an allocation told together with a document of an increment")


def drop_baseline_allocation(company: Company) -> Tamper:
    """Leave out a link of the baseline, told once: nobody can tell it from history that is missing."""
    for pair, payer, invoice in (stories := _Stories(company)).plain_pairs():
        table = _table_of(pair)
        last = stories.last[table, f"{pair.from_id}|{pair.to_id}"]
        if last == payer.batch == invoice.batch == 0:
            return _without_link(company, stories, "drop_baseline_allocation", pair, opening=True)
    raise _unsuitable("an allocation in the baseline")


def _table_of(pair: PairKey) -> TableName:
    return TableName.PAYMENTS_INVOICES if pair.from_kind == PAYMENT else TableName.CREDIT_NOTES_INVOICES


def _without_link(company: Company, stories: _Stories, name: str, pair: PairKey, *, opening: bool = False) -> Tamper:
    table, key = _table_of(pair), f"{pair.from_id}|{pair.to_id}"

    def without(_: Drop, row: Row) -> Row | None:
        return None if row_key(table, row) == key else row

    ends = (DocumentKey(pair.from_kind, pair.from_id), DocumentKey(INVOICE, pair.to_id))
    amount = stories.books.allocations[pair].amount
    breaks = frozenset(_mismatch(stories.books.documents[each], amount, opening=opening) for each in ends)
    story = f"the link of {pair.from_kind} {pair.from_id} to invoice {pair.to_id} is never sent"
    return Tamper(name, story, _change(company, table, without), breaks)


def change_balance(company: Company) -> Tamper:
    """Raise the last stated balance of a partly paid invoice by 0.01."""
    stories = _Stories(company)
    for _, _, invoice in stories.plain_pairs():
        table, source_id = TableName.INVOICES, invoice.key.source_id
        last, balance = stories.last[table, source_id], stories.books.balance(invoice)
        if invoice.batch == last or invoice.currency not in {"USD", "EUR", "GBP"} or not 0 < balance < invoice.amount:
            continue

        def raised(drop: Drop, row: Row, last: int = last, source_id: str = source_id) -> Row | None:
            if drop.number != last or row["id"] != source_id:
                return row
            return {**row, "balance": str(Decimal(row["balance"]) + _CENT)}

        story = f"the last balance of invoice {source_id} is stated 0.01 too high"
        breaks = frozenset({_mismatch(invoice, -_CENT)})
        drops = _change(company, table, raised)
        return Tamper("change_balance", story, drops, breaks, net_change={invoice.currency: _CENT})
    raise _unsuitable("a partly paid invoice that an increment restates")


def swap_customer(company: Company) -> Tamper:
    """State an invoice under a customer of another group: its one payment now crosses groups."""
    stories = _Stories(company)
    for pair, payer, invoice in stories.plain_pairs():
        if pair.from_kind == CREDIT_NOTE or len(invoice.pairs) > 1 or payer.customer != invoice.customer:
            continue
        root = _root(stories.books, invoice.customer)
        for customer in stories.books.customers:
            if _root(stories.books, customer) == root or stories.first[TableName.CUSTOMERS, customer] > 0:
                continue
            source_id = invoice.key.source_id

            def swapped(_: Drop, row: Row, source_id: str = source_id, customer: str = customer) -> Row | None:
                return {**row, "customer_id": customer} if row["id"] == source_id else row

            crossing = ExpectedBreak(
                Code.CUSTOMER_MISMATCH, PAYMENT, pair.from_id, invoice.currency, None, INVOICE, source_id
            )
            story = f"invoice {source_id} of customer {invoice.customer} is sent under {customer}"
            drops = _change(company, TableName.INVOICES, swapped)
            return Tamper("swap_customer", story, drops, frozenset({crossing}))
    raise _unsuitable("an invoice with one payment of its own customer")


def hide_payment(company: Company) -> Tamper:
    """Never send a payment that an increment told: its link waits for it and its invoice is unexplained."""
    return _hidden(company, "hide_payment", lambda payer, invoice: payer.batch > invoice.batch)


def hide_new_payment(company: Company) -> Tamper:
    """Never send a payment that came together with its invoice, in the baseline too: the waiting link is its trace."""
    return _hidden(company, "hide_new_payment", lambda payer, invoice: payer.batch == invoice.batch)


def _hidden(company: Company, name: str, suits: Callable[[Document, Document], bool]) -> Tamper:
    stories = _Stories(company)
    for pair, payer, invoice in stories.plain_pairs():
        hidden = pair.from_kind == PAYMENT and suits(payer, invoice) and len(payer.pairs) == 1
        if not hidden or stories.books.balance(payer) != 0:
            continue
        source_id = payer.key.source_id

        def without(_: Drop, row: Row, source_id: str = source_id) -> Row | None:
            return None if row["id"] == source_id else row

        parked = ExpectedParked(TableName.PAYMENTS_INVOICES, f"{source_id}|{pair.to_id}", Code.UNKNOWN_PAYMENT)
        breaks = frozenset({_mismatch(invoice, stories.books.allocations[pair].amount)})
        drops = _change(company, TableName.PAYMENTS, without)
        story = f"payment {source_id} is never sent, its link to invoice {pair.to_id} is"
        return Tamper(name, story, drops, breaks, frozenset({parked}))
    raise _unsuitable("a payment for one invoice")


def tampers(company: Company) -> tuple[Tamper, ...]:
    """Return one tamper of each kind; ValueError when the company is too small or too short to have one."""
    makers = (drop_allocation, drop_new_allocation, drop_baseline_allocation, change_balance, swap_customer)
    return tuple(make(company) for make in (*makers, hide_payment, hide_new_payment))


def _root(books: Books, customer: str) -> str:
    while parent := books.customers[customer]["parent_id"]:
        customer = parent
    return customer


def _unsuitable(what: str) -> ValueError:
    return ValueError(f"This company has no {what}: build one with more customers, days or invoices.")
