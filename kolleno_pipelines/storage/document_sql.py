"""SQL of documents as the rules take them: their tables, their customers, what is at the other end of allocations.

Pure text; running it, and reading the rows as frames, do not belong here (documents.py, control_totals.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from kolleno_pipelines.schemas.ledger_parts import BEYOND_CAP, MONEY_KINDS, REFUND, DocumentKind

#: Table and, where it holds several kinds, whether the kind is asked for.
TABLES = {
    DocumentKind.INVOICE: "receivables.invoices",
    DocumentKind.CREDIT_NOTE: "receivables.credit_notes",
    **dict.fromkeys(MONEY_KINDS, "receivables.payments"),
    DocumentKind.JOURNAL: "receivables.journals",
}
_REFUNDS = "receivables.refunds_erp"
_CREDITS = (DocumentKind.CREDIT_NOTE, *MONEY_KINDS)

#: What each document table gives to the control totals: its part of the net, and that part's sign.
NET_PARTS = {
    "invoices": ("receivables.invoices", 1),
    "credit_notes": ("receivables.credit_notes", -1),
    "payments": ("receivables.payments", -1),
    "journals": ("receivables.journals", 1),
}


@dataclass(frozen=True)
class Reading:
    """How documents are read: with ultimate parents, with former ids of customers resolved, with links past the cap.

    Without aliases no document is looked up: a connection that has none pays nothing for them.
    """

    has_aliases: bool = False
    with_groups: bool = False
    caps_links: bool = False

    def customer(self, alias: str) -> tuple[str, str]:
        """Column and join that give the customer of a document, under whatever id it came."""
        return customer_of(alias, has_aliases=self.has_aliases)

    def group(self, alias: str, customer: str) -> tuple[str, str]:
        """Column and join that give the ultimate parent of a customer; null unless asked for."""
        if not self.with_groups:
            return "NULL", ""
        name = f"c_{alias}"
        return f"COALESCE({name}.group_source_id, {name}.source_id)", (
            f"\nLEFT JOIN receivables.customers {name} ON {name}.source_id = {customer}"
            f" AND {name}.connection = {alias}.connection"
        )


def customer_of(alias: str, *, has_aliases: bool) -> tuple[str, str]:
    """Column and join that give the customer of a document: a merged one's documents are its successor's."""
    own = f"{alias}.customer_source_id"
    if not has_aliases:
        return own, ""
    name = f"m_{alias}"
    return f"COALESCE({name}.customer_source_id, {own})", (
        f"\nLEFT JOIN receivables.merged_customers {name} ON {name}.source_id = {own}"
        f" AND {name}.connection = {alias}.connection"
    )


def of_kind(kind: DocumentKind, alias: str = "d") -> str:
    """Condition that leaves the rows of one kind, for the table that holds several."""
    return f" AND {alias}.kind = '{kind.value}'" if kind in MONEY_KINDS else ""


def within(column: str) -> str:
    """Ids of one range; null leaves that side open."""
    return (
        f"(%(after)s::text IS NULL OR {column} > %(after)s::text)"
        f" AND (%(upto)s::text IS NULL OR {column} <= %(upto)s::text)"
    )


def documents(kind: DocumentKind, reading: Reading) -> str:
    """Posted documents of a kind within a range of ids (DOCUMENTS)."""
    customer, aliases = reading.customer("d")
    group, customers = reading.group("d", customer)
    facts = "d.balance_source, d.status_stated, d.date_issued, d.date_due, d.date_paid"
    if kind is DocumentKind.JOURNAL:  # nobody states what is open on a line, nor when it is due
        facts = "'derived', NULL, d.date_issued, NULL, NULL"
    return f"""
SELECT d.source_id, {customer}, {group}, d.currency_iso, d.amount, COALESCE(d.balance, 0), {facts}, d.first_seen_at
FROM {TABLES[kind]} d{aliases}{customers}
WHERE d.connection = %(connection)s AND d.posting_status = 'posted'{of_kind(kind)} AND {within("d.source_id")}"""


def allocations(kind: DocumentKind, reading: Reading) -> str:
    """Live allocations of the documents of a range (ALLOCATIONS); what comes out of a journal is negative."""
    return "\nUNION ALL".join(_allocations(kind, end, reading) for end in _ends(kind))


def allocation_moves(kind: DocumentKind) -> str:
    """Moves of all allocations of the documents of a range, also of those that ended (ALLOCATION_MOVES)."""
    return "\nUNION ALL".join(_allocation_moves(kind, end) for end in _ends(kind))


def _ends(kind: DocumentKind) -> tuple[str, ...]:
    """Ends of allocations at which a kind of document stands."""
    if kind is DocumentKind.INVOICE:
        return ("to",)
    return ("to", "from") if kind is DocumentKind.JOURNAL else ("from",)


def _allocations(kind: DocumentKind, own: str, reading: Reading) -> str:
    other = _opposite(own)
    customer, aliases = reading.customer("o") if reading.with_groups else ("o.customer_source_id", "")
    group, customers = reading.group("o", customer)
    status = "o.posting_status"
    if reading.caps_links:
        status = f"CASE WHEN a.beyond_cap THEN '{BEYOND_CAP}' ELSE {status} END"
    return f"""
SELECT a.{own}_source_id, a.{other}_kind, a.{other}_source_id, {status}, o.date_issued, o.currency_iso,
       {group}, {_signed(kind, own, "a.amount")}, a.date_applied, a.first_seen_at,
       COALESCE(m.moved_at, a.first_seen_at), o.ended_at
FROM receivables.allocations a
LEFT JOIN (SELECT source_id, from_kind, connection, max(moved_at) AS moved_at FROM receivables.allocation_moves
           GROUP BY 1, 2, 3) m USING (source_id, from_kind, connection)
{_others(own)}{aliases}{customers}
WHERE a.connection = %(connection)s AND a.{own}_kind = %(kind)s AND a.removed_at IS NULL
  AND {within(f"a.{own}_source_id")}"""


def _allocation_moves(kind: DocumentKind, own: str) -> str:
    other = _opposite(own)
    return f"""
SELECT a.{own}_source_id, a.{other}_kind, o.posting_status, o.currency_iso, o.ended_at, a.first_seen_at, m.moved_at,
       {_signed(kind, own, "m.amount_delta")}
FROM receivables.allocation_moves m
JOIN receivables.allocations a USING (source_id, from_kind, connection)
{_others(own)}
WHERE a.connection = %(connection)s AND a.{own}_kind = %(kind)s AND {within(f"a.{own}_source_id")}"""


def _opposite(end: str) -> str:
    return "from" if end == "to" else "to"


def _signed(kind: DocumentKind, own: str, amount: str) -> str:
    return f"-{amount}" if kind is DocumentKind.JOURNAL and own == "from" else amount


def _others(own: str) -> str:
    """Join of what may stand at the other end of an allocation."""
    tables = [TABLES[kind] for kind in dict.fromkeys(_CREDITS)] if own == "to" else [TABLES[DocumentKind.INVOICE]]
    tables += [TABLES[DocumentKind.JOURNAL], *([_REFUNDS] if own == "from" else [])]
    kinds = {TABLES[DocumentKind.INVOICE]: "'invoice'", TABLES[DocumentKind.CREDIT_NOTE]: "'credit_note'"}
    kinds |= {TABLES[DocumentKind.JOURNAL]: "'journal'", _REFUNDS: f"'{REFUND}'"}
    union = " UNION ALL ".join(
        f"SELECT {kinds.get(table, 'kind')} AS kind, source_id, connection, posting_status, date_issued, currency_iso,"
        " customer_source_id, CASE WHEN posting_status <> 'posted' AND observed_at > first_seen_at THEN observed_at END"
        f" AS ended_at FROM {table}"
        for table in dict.fromkeys(tables)
    )
    other = _opposite(own)
    return (
        f"LEFT JOIN ({union}) o\n"
        f"    ON o.kind = a.{other}_kind AND o.source_id = a.{other}_source_id AND o.connection = a.connection"
    )
