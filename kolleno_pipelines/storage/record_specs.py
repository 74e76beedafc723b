"""How the rows that normalisers give become rows of `receivables`: target columns as data. No SQL is run here.

Expressions are over `s`, the newest row of a record, with `s.is_deleted` and `s.has_ended`; fold_specs.py is the same
for CSV rows.
"""

from dataclasses import dataclass

from kolleno_pipelines.schemas.bank_records import BANK_TABLES
from kolleno_pipelines.schemas.provider_records import PROVIDER_TABLES
from kolleno_pipelines.schemas.record_rules import FROM_KINDS, PAYMENT_KINDS
from kolleno_pipelines.schemas.records import RECORD_TABLES, Ending, RecordTable
from kolleno_pipelines.storage.fold_specs import EntitySpec, Target

#: The home currency of the connection, for documents that state none.
HOME_CURRENCY = (
    "(SELECT u.home_currency_iso FROM receivables.ledger_units u WHERE u.connection = %(connection)s"
    " AND u.home_currency_iso IS NOT NULL ORDER BY u.source_id LIMIT 1)"
)

_POSTED = "CASE WHEN s.is_deleted OR s.has_ended THEN 'deleted' ELSE s.posting_status END"
_DERIVED = {
    "customer_connection": "%(connection)s",
    "currency_iso": f"COALESCE(s.currency_iso, {HOME_CURRENCY})",
    "posting_status": _POSTED,
    "deleted_at": "s.ended_at",
    "balance_source": "CASE WHEN s.balance IS NULL THEN 'unknown' ELSE 'stated' END",
    "settlement": (
        "CASE WHEN s.balance < 0 THEN 'overpaid' WHEN s.balance = 0 THEN 'paid'"
        " WHEN s.balance < s.amount THEN 'partially_paid' WHEN s.balance IS NOT NULL THEN 'open' END"
    ),
    "balance_open": f"CASE WHEN {_POSTED} = 'posted' THEN s.balance ELSE 0 END",
}
_FOLLOWS = {"settlement", "balance_open", "deleted_at"}


@dataclass(frozen=True, kw_only=True)
class RecordSpec(EntitySpec):
    """One receivables entity and the normalised rows it folds: those of `source` that have `only` (column, value)."""

    source: RecordTable
    only: tuple[str, str] | None = None

    @property
    def keeps_first_seen(self) -> bool:
        """Documents and allocations, those too whose balance nobody states."""
        return self.source.ending in {Ending.DELETED, Ending.REMOVED}

    @property
    def name(self) -> str:
        """What tells it from the other specs."""
        return f"{self.entity} {self.only[1]}" if self.only else self.entity

    @property
    def scope(self) -> str:
        """SQL condition on `r` beside the key, for tables that hold several kinds."""
        return f"r.{self.only[0]} = '{self.only[1]}'" if self.only else "true"


def _targets(table: RecordTable, *, kind: str | None, added: tuple[str, ...]) -> tuple[Target, ...]:
    names = [name for name in table.columns if name not in {"extra", "kind", "balance_is_home"}]
    if "customer_source_id" in table.columns and table.entity != "customer_aliases":
        names.append("customer_connection")
    constant = (Target("kind", f"'{kind}'"),) if kind else ()
    stated = {name: f"s.{name}" for name in names}
    if table.entity not in {"customers", "accounts"} and "currency_iso" in table.columns:
        stated["currency_iso"] = _DERIVED["currency_iso"]
    if "exchange_rate" in stated:
        stated["exchange_rate"] = "trim_scale(s.exchange_rate)"
    chosen = {name: _DERIVED.get(name, expression) for name, expression in stated.items() if name != "currency_iso"}
    if "currency_iso" in stated:
        chosen["currency_iso"] = stated["currency_iso"]
    chosen |= {name: _DERIVED[name] for name in added}
    if "balance_is_home" in table.columns:
        home = f"CASE WHEN s.balance_is_home THEN {HOME_CURRENCY} END"
        chosen["balance_currency_iso"] = f"COALESCE(s.balance_currency_iso, {home})"
    if "balance_stated" in table.columns:  # what is gone states nothing
        chosen["balance_stated"] = "CASE WHEN NOT s.is_deleted THEN s.balance_stated END"
    if "is_active" in table.columns:
        chosen["is_active"] = "NOT (s.is_deleted OR s.has_ended) AND COALESCE(s.is_active, true)"
    return (*constant, *(Target(name, expression, follows=name in _FOLLOWS) for name, expression in chosen.items()))


def _spec(entity: str, *, kind: str | None = None, added: tuple[str, ...] = (), stated: bool = False) -> RecordSpec:
    """`stated`: the source states the balance, so that its moves are kept."""
    table = RECORD_TABLES[entity]
    return RecordSpec(
        entity=entity,
        targets=_targets(table, kind=kind, added=added),
        kind=kind if stated else None,
        keeps_extra="extra" in table.columns,
        source=table,
        only=("kind", kind) if kind and "kind" in table.columns else None,
    )


def _journal_line(end: str) -> str:
    """A payment may name the entry alone. Then the line of its own customer is meant, then the one of its amount.

    What is settled is a debit, what settles a credit; the lowest line where several are left.
    """
    named = f"s.{end}_source_id"
    line = (
        "SELECT j.source_id FROM receivables.journals j WHERE j.connection = %(connection)s"
        f" AND {named} IN (j.source_id, j.entry_source_id)"
        f" ORDER BY j.source_id = {named} DESC, j.customer_source_id IS NOT DISTINCT FROM (SELECT p.customer_source_id"
        " FROM receivables.payments p WHERE p.source_id = s.owner_source_id AND p.connection = %(connection)s) DESC,"
        f" abs(j.amount) = s.amount DESC, j.amount {'>' if end == 'to' else '<'} 0 DESC,"
        ' length(j.source_id), j.source_id COLLATE "C" LIMIT 1'
    )
    return f"CASE WHEN s.{end}_kind = 'journal' THEN COALESCE(({line}), {named}) ELSE {named} END"


def _allocations(from_kind: str) -> RecordSpec:
    table = RECORD_TABLES["allocations"]
    chosen = {"amount": "CASE WHEN s.ended_at IS NOT NULL THEN 0 ELSE s.amount END"}
    chosen |= {f"{end}_source_id": _journal_line(end) for end in ("from", "to")}
    targets = tuple(Target(name, chosen.get(name, f"s.{name}")) for name in table.columns)
    return RecordSpec(
        entity="allocations",
        targets=targets,
        link_kind=from_kind,
        keeps_extra=False,
        source=table,
        only=("from_kind", from_kind),
    )


def _serving_spec(table: RecordTable) -> RecordSpec:
    """What a provider says of a customer is an id of the ledger that it serves."""
    chosen = {name: f"s.{name}" for name in table.columns}
    if "customer_source_id" in chosen:
        chosen["customer_connection"] = "CASE WHEN s.customer_source_id IS NOT NULL THEN %(ledger)s END"
    if "exchange_rate" in chosen:
        chosen["exchange_rate"] = "trim_scale(s.exchange_rate)"
    if "is_active" in chosen:
        chosen["is_active"] = "NOT (s.is_deleted OR s.has_ended) AND COALESCE(s.is_active, true)"
    targets = tuple(Target(name, expression) for name, expression in chosen.items())
    return RecordSpec(entity=table.entity, targets=targets, keeps_extra=False, source=table)


_BALANCED = ("balance_source", "settlement", "balance_open", "deleted_at")

#: Entities of a ledger in the order in which they fold: parents first.
RECORD_SPECS: tuple[RecordSpec, ...] = (
    _spec("ledger_units"),
    _spec("accounts"),
    _spec("customers"),
    _spec("customer_aliases"),
    _spec("contacts"),
    _spec("contact_links"),
    _spec("phones"),
    _spec("invoices", kind="invoice", added=_BALANCED, stated=True),
    _spec("credit_notes", kind="credit_note", added=_BALANCED, stated=True),
    *(_spec("payments", kind=kind, added=_BALANCED, stated=True) for kind in PAYMENT_KINDS),
    _spec("journals", kind="journal", added=("deleted_at",)),
    _spec("refunds_erp", kind="refund", added=("deleted_at",)),
    # Each by itself, as balance and allocation moves are kept by it.
    *map(_allocations, FROM_KINDS),
)

#: Those of a payment provider or a bank, whose connections serve a ledger and have no others.
SERVING_SPECS: tuple[RecordSpec, ...] = tuple(map(_serving_spec, (*PROVIDER_TABLES, *BANK_TABLES)))
