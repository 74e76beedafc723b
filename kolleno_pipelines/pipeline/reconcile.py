"""Computes reconciliation results from the receivables and stores them. What the figures mean is in rules/.

Each result is one transaction over one moment of the database: readers see the old answer or the new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Protocol

from kolleno_pipelines.rules.ageing import Buckets
from kolleno_pipelines.rules.balances import check_balances, merge_summaries
from kolleno_pipelines.rules.breaks import new_break
from kolleno_pipelines.rules.control_totals import control_totals, since_moved
from kolleno_pipelines.rules.differences import Known, next_status
from kolleno_pipelines.rules.findings import hierarchy_cycles
from kolleno_pipelines.rules.unapplied_cash import unapplied_cash
from kolleno_pipelines.schemas.ledger_parts import DocumentKind
from kolleno_pipelines.schemas.results import BalanceSummaryRow, Break, BreakStatus, Cause, ControlTotal
from kolleno_pipelines.storage import differences, documents, failpoints, result_rows
from kolleno_pipelines.storage.results import Changes, Stage, note_computed, result_transaction

WORST = 20


class ReconciledConnection(Protocol):
    """What reconciliation needs to know of a connection; `connections.SftpConnection` is one."""

    @property
    def name(self) -> str:
        """Key of the connection."""

    @property
    def role(self) -> str:
        """`ledger` or `mirror`."""

    @property
    def tolerance(self) -> Mapping[str, Decimal]:
        """Differences by currency that are let pass; 0 where none is named."""

    @property
    def ageing_buckets(self) -> tuple[int, ...]:
        """Upper bounds of the buckets in days late."""

    @property
    def batch_window(self) -> timedelta:
        """How far apart the files of one batch may lie."""

    @property
    def balance_stated(self) -> bool:
        """Whether the source states its customers' balances."""


Connections = Mapping[str, ReconciledConnection]


@dataclass(frozen=True)
class ResultSummary:
    """What one computation came to: rows that exist now, rows changed, counts, money by connection and currency.

    `totals` are rows of connection, currency_iso and amounts; `worst` the rows that a person looks at first.
    """

    result: str
    rows: int
    changes: Changes
    counts: Mapping[str, int] = field(default_factory=dict)
    totals: Sequence[Mapping[str, Any]] = ()
    worst: Sequence[Mapping[str, Any]] = ()


def reconcile_present(database_url: str, connections: Connections, today: date) -> list[ResultSummary]:
    """Compute the results that are the present state, `differences` last."""
    return [
        reconcile_balances(database_url, connections, today),
        reconcile_control_totals(database_url, connections, today),
        reconcile_unapplied_cash(database_url, connections, today),
        reconcile_differences(database_url, connections, today),
    ]


def reconcile_balances(database_url: str, connections: Connections, today: date) -> ResultSummary:
    """Compare amount - allocations with the stated balance, document by document, and find what contradicts itself."""
    summary: list[BalanceSummaryRow] = []
    with result_transaction(database_url, ("balances", "balance_summary", "findings")) as conn:
        differing, findings, sums = (Stage(conn, table) for table in ("balances", "findings", "balance_summary"))
        for one in connections.values():
            parked = {kind: documents.parked_links(conn, one.name, kind) for kind in DocumentKind}
            for part in documents.ledger_parts(conn, one.name, batch_window=one.batch_window, with_groups=True):
                checked = check_balances(part, parked[part.kind], one.tolerance)
                differing.add_table(checked.differing)
                findings.add_rows(checked.findings)
                summary += checked.summary
            findings.add_rows(hierarchy_cycles(one.name, *documents.parents(conn, one.name)))
        summary = merge_summaries(summary)
        sums.add_rows(summary)
        changes = merge_stages(connections, differing, findings, sums)
        note_computed(conn, "balances", list(connections), today)
        worst = result_rows.stored_rows(conn, "balances", list(connections), limit=WORST)
        failpoints.reach("reconcile_balances")
    names = ("documents", "tied", "unproven", "differing", "opening")
    counts = {name: sum(getattr(row, name) for row in summary) for name in names} | {"findings": findings.rows}
    amounts = ("amount", "allocated", "balance", "difference")
    totals = [_fields(row, ("connection", "kind", "currency_iso", *amounts)) for row in summary]
    return ResultSummary("balances", differing.rows, changes, counts, totals, worst)


def reconcile_control_totals(database_url: str, connections: Connections, today: date) -> ResultSummary:
    """Add up what is owed per customer and currency and compare it with the source's own word, where there is one."""
    rows: list[ControlTotal] = []
    tables = ("control_totals", "control_total_breaks", "not_comparable")
    with result_transaction(database_url, tables) as conn:
        staged, breaks, apart = (Stage(conn, table) for table in tables)
        for one in connections.values():
            found = control_totals(
                one.name,
                documents.currencies(conn, one.name),
                documents.customer_totals(conn, one.name),
                documents.stated_totals(conn, one.name) if one.balance_stated else [],
                one.tolerance,
            )
            rows += found.totals
            moved = documents.last_moves(conn, one.name, [row.customer_source_id for row in found.breaks])
            breaks.add_rows(since_moved(found.breaks, moved))
            apart.add_rows(found.not_comparable)
        staged.add_rows(rows)
        changes = merge_stages(connections, staged, breaks, apart)
        note_computed(conn, "control_totals", list(connections), today)
        worst = result_rows.stored_rows(conn, "control_total_breaks", list(connections), limit=WORST)
        failpoints.reach("reconcile_control_totals")
    customers = sum(row.customers for row in rows)
    counts = {"customers": customers, "breaks": breaks.rows, "not_comparable": apart.rows}
    names = ("connection", "currency_iso", "invoices_balance", "credit_notes_balance", "payments_balance", "net")
    money = [_fields(row, (*names, "stated", "difference")) for row in rows]
    return ResultSummary("control_totals", len(rows), changes, counts, money, worst)


def reconcile_unapplied_cash(database_url: str, connections: Connections, today: date) -> ResultSummary:
    """List payments and credit notes with something left to apply, by age."""
    with result_transaction(database_url, ("unapplied_cash",)) as conn:
        staged = Stage(conn, "unapplied_cash")
        for one in connections.values():
            for items in documents.unapplied_items(conn, one.name):
                staged.add_table(unapplied_cash(items, today, Buckets(tuple(one.ageing_buckets))))
        changes = merge_stages(connections, staged)
        note_computed(conn, "unapplied_cash", list(connections), today)
        totals = result_rows.unapplied_totals(conn, list(connections))
        worst = result_rows.stored_rows(conn, "unapplied_cash", list(connections), limit=WORST)
        failpoints.reach("reconcile_unapplied_cash")
    return ResultSummary("unapplied_cash", staged.rows, changes, {"items": staged.rows}, totals, worst)


def reconcile_differences(database_url: str, connections: Connections, today: date) -> ResultSummary:
    """Put every break of the stored results and every parked row into one list, carried over from the last run."""
    with result_transaction(database_url, ("differences", "difference_decisions")) as conn:
        differences.stage_present(conn, list(connections))
        for name in connections:
            differences.stage_breaks(conn, [_parked_break(name, row) for row in differences.parked_rows(conn, name)])
        changes = differences.carry_over(conn, list(connections), today, lambda known: _next_status(known, today))
        note_computed(conn, "differences", list(connections), today)
        counted = result_rows.break_counts(conn, list(connections))
        totals = result_rows.red_totals(conn, list(connections))
        worst = result_rows.red_breaks(conn, list(connections), limit=WORST)
        failpoints.reach("reconcile_differences")
    counts = {status.value: 0 for status in BreakStatus} | {row["status"]: row["breaks"] for row in counted}
    present = sum(number for status, number in counts.items() if status != BreakStatus.RESOLVED)
    counts["red"] = sum(row["red"] for row in counted)
    return ResultSummary("differences", present, changes, counts, totals, worst)


def merge_stages(connections: Connections, *stages: Stage, days: Sequence[date] | None = None) -> Changes:
    """Merge staged results of the connections (and days) and return what changed."""
    return sum((stage.merge(list(connections), days) for stage in stages), Changes())


def _next_status(known: differences.KnownBreak, today: date) -> str:
    status = BreakStatus(known.status) if known.status else None
    return next_status(Known(status, known.amount, known.is_accepted, known.accepted_amount, known.until), today).value


def _parked_break(connection: str, row: differences.ParkedRow) -> Break:
    return new_break(
        row.code,
        connection,
        (row.table_name, row.source_id),
        (row.parent_table, row.parent_id),
        since=row.since,
        customer=row.customer_source_id,
        currency=row.currency_iso,
        amount=row.amount,
        cause=Cause.PARKED.value,
        evidence={"file": row.file, "line": row.line, "parent_is_parked": row.parent_is_parked},
    )


def _fields(row: object, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}
