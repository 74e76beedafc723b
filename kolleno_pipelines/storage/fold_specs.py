"""How each CSV table becomes rows of `receivables`: target columns as data. No SQL is run here.

An expression names the record's cells as `{field}`; fold_sql.py puts in the newest cell, however it was found.
"""

from dataclasses import dataclass

from kolleno_pipelines.schemas.sftp_tables import (
    CONTACTS,
    CREDIT_NOTES,
    CREDIT_NOTES_INVOICES,
    CUSTOMERS,
    INVOICES,
    PAYMENTS,
    PAYMENTS_INVOICES,
    CsvTable,
)


@dataclass(frozen=True)
class Target:
    """One column of a receivables table.

    `keeps` names the cell that the stored column preserves, if any; `follows` marks a column that follows from others.
    """

    name: str
    expression: str
    keeps: str | None = None
    follows: bool = False


@dataclass(frozen=True, kw_only=True)
class EntitySpec:
    """One receivables entity: what a fold writes into it, whatever it folds."""

    entity: str
    targets: tuple[Target, ...]
    kind: str | None = None  # of documents, as balance_moves names it
    link_kind: str | None = None  # from_kind of allocations
    keeps_extra: bool = True

    @property
    def table(self) -> str:
        """Qualified name of the receivables table."""
        return f"receivables.{self.entity}"

    @property
    def keeps_first_seen(self) -> bool:
        """Whether the version at which a record was first told is kept: of documents and allocations."""
        return self.kind is not None or self.link_kind is not None

    @property
    def scope(self) -> str:
        """SQL condition on `r` beside the key, for tables that hold several kinds."""
        return f"r.from_kind = '{self.link_kind}'" if self.link_kind else "true"


@dataclass(frozen=True, kw_only=True)
class FoldSpec(EntitySpec):
    """One receivables entity and the CSV table whose rows it folds."""

    source: CsvTable

    @property
    def kept(self) -> dict[str, str]:
        """Cell to the stored column that preserves it."""
        return {target.keeps: target.name for target in self.targets if target.keeps}


def _same(*names: str) -> tuple[Target, ...]:
    return tuple(Target(name, f"{{{name}}}", name) for name in names)


_CUSTOMER_PAIR = (
    Target("customer_connection", "%(connection)s"),
    Target("customer_source_id", "{customer_id}", "customer_id"),
)
_STATUSES = (
    Target("posting_status", "{posting_status}"),
    Target("collection_status", "{collection_status}"),
    Target("status_stated", "{status}", "status"),
)


def _balance(balance: str, source: str) -> tuple[Target, ...]:
    """Balance and what follows from it (model 3); plain columns, since generated ones cost the load a third more."""
    settlement = (
        f"CASE WHEN {balance} > 0 THEN CASE WHEN {balance} < {{amount}} THEN 'partially_paid' ELSE 'open' END"
        f" WHEN {balance} = 0 THEN 'paid' WHEN {balance} < 0 THEN 'overpaid' END"
    )
    return (
        Target("balance", balance, "balance"),
        Target("balance_source", source),
        Target("settlement", settlement, follows=True),
        Target("balance_open", f"CASE WHEN {{posting_status}} = 'posted' THEN {balance} ELSE 0 END", follows=True),
    )


_STATED_BALANCE = _balance("{balance}", "'stated'")


def _document(kind: str, *others: Target) -> tuple[Target, ...]:
    return (
        Target("kind", f"'{kind}'"),
        *_same("ref"),
        *_CUSTOMER_PAIR,
        *_STATUSES,
        *_same("amount", "currency_iso"),
        *others,
    )


_CUSTOMERS = FoldSpec(
    entity="customers",
    source=CUSTOMERS,
    targets=(
        *_same("name", "ref", "currency_iso", "address_line_1", "address_line_2", "postal_code", "city", "state"),
        *_same("country_iso", "credit_limit_amount"),
        Target("parent_source_id", "{parent_id}", "parent_id"),
        *_same("balance_stated"),
        Target("balance_currency_iso", "CASE WHEN {balance_stated} IS NOT NULL THEN {currency_iso} END"),
    ),
)
_CONTACTS = FoldSpec(
    entity="contacts", source=CONTACTS, targets=_same("first_name", "last_name", "email", "phone", "mobile")
)
_CONTACT_LINKS = FoldSpec(
    entity="contact_links",
    source=CONTACTS,
    targets=(
        Target("contact_source_id", "s.source_id"),
        *_CUSTOMER_PAIR,
        *_same("position", "is_primary", "is_active"),
    ),
    keeps_extra=False,
)
_INVOICES = FoldSpec(
    entity="invoices",
    source=INVOICES,
    targets=_document(
        "invoice",
        *_STATED_BALANCE,
        *_same("date_issued", "date_due", "date_paid", "po_number", "description", "amount_net", "amount_tax"),
    ),
    kind="invoice",
)
_CREDIT_NOTES = FoldSpec(
    entity="credit_notes",
    source=CREDIT_NOTES,
    targets=_document("credit_note", *_STATED_BALANCE, *_same("date_issued", "description")),
    kind="credit_note",
)
# A blank balance is "amount less links" (facts 5.5): stored as derived and computed after the allocations.
_PAYMENTS = FoldSpec(
    entity="payments",
    source=PAYMENTS,
    targets=_document(
        "payment",
        *_balance(
            "COALESCE({balance}, {derived_balance})", "CASE WHEN {balance} IS NULL THEN 'derived' ELSE 'stated' END"
        ),
        Target("date_issued", "{date_paid}"),
        *_same("date_paid", "method"),
    ),
    kind="payment",
)


def _allocations(source: CsvTable, link_kind: str) -> FoldSpec:
    owner = f"{link_kind}_id"
    return FoldSpec(
        entity="allocations",
        source=source,
        targets=(
            Target("owner_kind", f"'{link_kind}'"),
            Target("owner_source_id", f"{{{owner}}}"),
            Target("from_kind", f"'{link_kind}'"),
            Target("from_source_id", f"{{{owner}}}", owner),
            Target("to_kind", "'invoice'"),
            Target("to_source_id", "{invoice_id}", "invoice_id"),
            *_same("amount", "date_applied"),
        ),
        link_kind=link_kind,
    )


FOLD_SPECS: tuple[FoldSpec, ...] = (
    _CUSTOMERS,
    _CONTACTS,
    _CONTACT_LINKS,
    _INVOICES,
    _CREDIT_NOTES,
    _PAYMENTS,
    _allocations(PAYMENTS_INVOICES, "payment"),
    _allocations(CREDIT_NOTES_INVOICES, "credit_note"),
)
