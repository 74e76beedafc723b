"""Computes reconciliation results from the receivables and stores them. What the figures mean is in rules/.

Each result is one transaction over one moment of the database: readers see the old answer or the new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from functools import partial
from typing import Any

import psycopg

from kolleno_pipelines.pipeline.reconcile_agreement import compared_pairs, reconcile_agreement
from kolleno_pipelines.pipeline.reconcile_payouts import reconcile_charges, reconcile_payouts
from kolleno_pipelines.pipeline.reconciled import (
    NO_BANKS,
    NO_PROVIDERS,
    Banks,
    Connections,
    Providers,
    ReconciledConnection,
    caps_links,
    read_since,
)
from kolleno_pipelines.pipeline.result_summary import WORST, ResultSummary, merge_stages
from kolleno_pipelines.rules.account_totals import account_totals
from kolleno_pipelines.rules.ageing import Buckets
from kolleno_pipelines.rules.balances import check_balances, merge_summaries
from kolleno_pipelines.rules.breaks import new_break
from kolleno_pipelines.rules.control_totals import control_totals, since_moved
from kolleno_pipelines.rules.differences import Known, next_status
from kolleno_pipelines.rules.findings import hierarchy_cycles
from kolleno_pipelines.rules.unapplied_cash import unapplied_cash
from kolleno_pipelines.schemas.ledger_parts import DocumentKind, LedgerPart
from kolleno_pipelines.schemas.results import (
    AccountTotalRow,
    BalanceSummaryRow,
    Break,
    BreakStatus,
    Cause,
)
from kolleno_pipelines.storage import control_totals as ledger_totals
from kolleno_pipelines.storage import differences, documents, failpoints, freshness, result_rows, waiting_payloads
from kolleno_pipelines.storage.results import Changes, Stage, note_computed, result_transaction

QUARANTINED = "quarantined_payload"
_TOTALS = ("control_totals", "control_total_breaks", "not_comparable", "account_totals")


def reconcile_present(
    database_url: str,
    connections: Connections,
    today: date,
    providers: Providers = NO_PROVIDERS,
    banks: Banks = NO_BANKS,
) -> list[ResultSummary]:
    """Compute the results that are the present state, `differences` last.

    Agreement only where there is a mirror, charges and payouts only where there is a payment provider; these are looked
    for at the banks.
    """
    with_mirror = [reconcile_agreement] if any(compared_pairs(connections)) else []
    of_documents = (reconcile_balances, reconcile_control_totals, reconcile_unapplied_cash, *with_mirror)
    of_providers = (reconcile_charges, partial(reconcile_payouts, banks=banks)) if providers else ()
    return [
        *(compute(database_url, connections, today) for compute in of_documents),
        *(compute(database_url, providers, today) for compute in of_providers),
        reconcile_differences(database_url, connections, today, providers),
    ]


def reconcile_balances(
    database_url: str, connections: Connections, today: date, since: datetime | None = None
) -> ResultSummary:
    """Compare amount - allocations with the stated balance, document by document, and find what contradicts itself.

    since: what another run computed after that moment is taken over (freshness.is_computed); None computes it anyway.
    """
    names = list(connections)
    with result_transaction(database_url, ("balances", "balance_summary", "findings")) as conn:
        taken_over = freshness.is_computed(conn, "balances", names, today, since)
        changes = Changes() if taken_over else _compute_balances(conn, connections, today)
        rows, findings = (result_rows.row_count(conn, table, names) for table in ("balances", "findings"))
        summary = result_rows.stored_rows(conn, "balance_summary", names)
        worst = result_rows.stored_rows(conn, "balances", names, limit=WORST)
        failpoints.reach("reconcile_balances")
    counted = ("documents", "tied", "unproven", "differing", "opening")
    counts = {name: sum(row[name] for row in summary) for name in counted} | {"findings": findings}
    amounts = ("amount", "allocated", "balance", "difference")
    totals = [_of(row, ("connection", "kind", "currency_iso", *amounts)) for row in summary]
    return ResultSummary("balances", rows, changes, counts, totals, worst, taken_over)


def _compute_balances(conn: psycopg.Connection[Any], connections: Connections, today: date) -> Changes:
    summary: list[BalanceSummaryRow] = []
    differing, findings, sums = (Stage(conn, table) for table in ("balances", "findings", "balance_summary"))
    for one in connections.values():
        parked = {kind: documents.parked_links(conn, one.name, kind) for kind in DocumentKind}
        for part in ledger_of(conn, one, with_groups=True):
            checked = check_balances(part, parked[part.kind], one.tolerance)
            differing.add_table(checked.differing)
            findings.add_rows(checked.findings)
            summary += checked.summary
        findings.add_rows(hierarchy_cycles(one.name, *documents.parents(conn, one.name)))
    sums.add_rows(merge_summaries(summary))
    changes = merge_stages(connections, differing, findings, sums)
    note_computed(conn, "balances", list(connections), today)
    return changes


def reconcile_control_totals(
    database_url: str, connections: Connections, today: date, since: datetime | None = None
) -> ResultSummary:
    """Add up what is owed per customer and currency and compare it with the source's own word, where there is one.

    since: as of reconcile_balances.
    """
    names = list(connections)
    with result_transaction(database_url, _TOTALS) as conn:
        taken_over = freshness.is_computed(conn, "control_totals", names, today, since)
        changes = Changes() if taken_over else _compute_control_totals(conn, connections, today)
        rows, accounts = (result_rows.stored_rows(conn, table, names) for table in ("control_totals", "account_totals"))
        breaks, apart = (result_rows.row_count(conn, table, names) for table in _TOTALS[1:3])
        worst = result_rows.stored_rows(conn, "control_total_breaks", names, limit=WORST)
        failpoints.reach("reconcile_control_totals")
    counts = {
        "customers": sum(row["customers"] for row in rows),
        "breaks": breaks,
        "not_comparable": apart,
        "accounts": len(accounts),
        "account_breaks": sum(row["is_break"] for row in accounts),
    }
    sums = ("invoices_balance", "credit_notes_balance", "payments_balance", "net", "stated", "difference")
    money = [_of(row, ("connection", "currency_iso", *sums)) for row in rows]
    return ResultSummary("control_totals", len(rows), changes, counts, money, worst, taken_over)


def _compute_control_totals(conn: psycopg.Connection[Any], connections: Connections, today: date) -> Changes:
    staged, breaks, apart, accounts = (Stage(conn, table) for table in _TOTALS)
    for one in connections.values():
        found = control_totals(
            one.name,
            ledger_totals.currencies(conn, one.name),
            ledger_totals.customer_totals(conn, one.name),
            ledger_totals.stated_totals(conn, one.name) if one.balance_stated else [],
            one.tolerance,
        )
        staged.add_rows(found.totals)
        apart_ids = [row.customer_source_id for row in found.breaks]
        moved = ledger_totals.last_moves(conn, one.name, apart_ids)
        breaks.add_rows(since_moved(found.breaks, moved, ledger_totals.last_reads(conn, one.name, apart_ids)))
        apart.add_rows(found.not_comparable)
        accounts.add_rows(_account_totals(conn, one))
    changes = merge_stages(connections, staged, breaks, apart, accounts)
    note_computed(conn, "control_totals", list(connections), today)
    return changes


def reconcile_unapplied_cash(
    database_url: str, connections: Connections, today: date, since: datetime | None = None
) -> ResultSummary:
    """List payments and credit notes with something left to apply, by age. since: as of reconcile_balances."""
    names = list(connections)
    with result_transaction(database_url, ("unapplied_cash",)) as conn:
        taken_over = freshness.is_computed(conn, "unapplied_cash", names, today, since)
        changes = Changes() if taken_over else _compute_unapplied_cash(conn, connections, today)
        rows = result_rows.row_count(conn, "unapplied_cash", names)
        totals = result_rows.unapplied_totals(conn, names)
        worst = result_rows.stored_rows(conn, "unapplied_cash", names, limit=WORST)
        failpoints.reach("reconcile_unapplied_cash")
    return ResultSummary("unapplied_cash", rows, changes, {"items": rows}, totals, worst, taken_over)


def _compute_unapplied_cash(conn: psycopg.Connection[Any], connections: Connections, today: date) -> Changes:
    staged = Stage(conn, "unapplied_cash")
    for one in connections.values():
        for items in documents.unapplied_items(conn, one.name):
            staged.add_table(unapplied_cash(items, today, Buckets(tuple(one.ageing_buckets))))
    changes = merge_stages(connections, staged)
    note_computed(conn, "unapplied_cash", list(connections), today)
    return changes


def reconcile_differences(
    database_url: str, connections: Connections, today: date, providers: Providers = NO_PROVIDERS
) -> ResultSummary:
    """Put every break of the stored results and every parked row into one list, carried over from the last run.

    Every run does it itself: what another one listed meanwhile may be of results before this run's.
    """
    names = [*connections, *providers]
    with result_transaction(database_url, ("differences", "difference_decisions")) as conn:
        differences.stage_present(conn, names)
        for name in names:
            waiting = [*differences.parked_rows(conn, name), *waiting_payloads.parked_records(conn, name)]
            differences.stage_breaks(conn, [_parked_break(name, row) for row in waiting])
            quarantined = waiting_payloads.quarantined(conn, name)
            differences.stage_breaks(conn, [_quarantined_break(name, one) for one in quarantined])
        changes = differences.carry_over(conn, names, today, lambda known: _next_status(known, today))
        note_computed(conn, "differences", names, today)
        counted = result_rows.break_counts(conn, names)
        totals = result_rows.red_totals(conn, names)
        worst = result_rows.red_breaks(conn, names, limit=WORST)
        failpoints.reach("reconcile_differences")
    counts = {status.value: 0 for status in BreakStatus} | {row["status"]: row["breaks"] for row in counted}
    present = sum(number for status, number in counts.items() if status != BreakStatus.RESOLVED)
    counts["red"] = sum(row["red"] for row in counted)
    return ResultSummary("differences", present, changes, counts, totals, worst)


def ledger_of(
    conn: psycopg.Connection[Any], connection: ReconciledConnection, *, with_groups: bool = False
) -> Iterator[LedgerPart]:
    """Yield a connection's posted documents as its settings say that they are read."""
    return documents.ledger_parts(
        conn,
        connection.name,
        batch_window=connection.batch_window,
        with_groups=with_groups,
        caps_links=caps_links(connection),
        since=read_since(connection),
    )


def _account_totals(conn: psycopg.Connection[Any], one: ReconciledConnection) -> list[AccountTotalRow]:
    """Compare receivables accounts; a source that has none, as files have, is not read for it."""
    accounts = ledger_totals.receivables_accounts(conn, one.name)
    if not accounts:
        return []
    home = ledger_totals.home_currency(conn, one.name)
    return account_totals(accounts, ledger_totals.account_totals(conn, one.name), home, one.tolerance)


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
        evidence={row.origin: row.file, "line": row.line, "parent_is_parked": row.parent_is_parked},
    )


def _quarantined_break(connection: str, payload: waiting_payloads.QuarantinedPayload) -> Break:
    return new_break(
        QUARANTINED,
        connection,
        (payload.extract, payload.source_id),
        since=payload.since,
        cause=Cause.PARKED.value,
        evidence={"extract": payload.origin, "line": payload.line, "reason": payload.reason},
    )


def _of(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: row[name] for name in names}
