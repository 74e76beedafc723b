"""Bringing the reconciliation results up to what was folded: the present state, today, the days touched. No formula."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date

from kolleno_pipelines.connections import bank_connections, document_connections, provider_connections
from kolleno_pipelines.pipeline.clock import Clock, utc_now
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.reconcile import reconcile_present
from kolleno_pipelines.pipeline.reconcile_days import reconcile_days
from kolleno_pipelines.pipeline.result_summary import ResultSummary
from kolleno_pipelines.storage import freshness

Progress = Callable[[str], None]


def refresh(
    deployment: Deployment,
    *,
    days: Iterable[date] = (),
    clock: Clock = utc_now,
    progress: Progress = lambda _: None,
) -> list[ResultSummary]:
    """Compute what is stale, and `days` in any case; an empty list says that everything was up to date.

    Stored days that changes reach are found where days are computed (reconcile_days).

    What is stale is told by the ledger, so that a run that died between fold and reconciliation is made up for.
    Raises FutureDayError for a day after today.
    """
    today, wanted = clock().date(), set(days)
    documents = document_connections(deployment.connections)
    providers, banks = provider_connections(deployment.connections), bank_connections(deployment.connections)

    def compared_with(ledger: str) -> list[str]:
        return [ledger, *(bank.name for bank in banks.values() if bank.ledger == ledger)]

    with deployment.session() as session:
        is_present = True
        for name in documents:
            wanted |= {day for day in freshness.days_without_results(session, name) if day <= today}
            is_present = is_present and freshness.is_present(session, name, today)
        for one in providers.values():
            is_present = is_present and freshness.is_provider_present(
                session, one.name, compared_with(one.ledger), today
            )
    if is_present and not wanted:
        return []
    progress("reconciliation")
    present = reconcile_present(deployment.database_url, documents, today, providers, banks)
    return [*present, *reconcile_days(deployment.database_url, documents, today, {*wanted, today})]
