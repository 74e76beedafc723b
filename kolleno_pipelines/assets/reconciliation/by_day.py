"""Results by day: ageing and roll-forward, from one reading of the ledger. The formulas are in `rules`."""

from collections.abc import Iterator, Sequence
from datetime import date

import dagster as dg

from kolleno_pipelines.assets.partitions import RANGES, days_of_run
from kolleno_pipelines.assets.presentation import Metadata, amount_shown, rows_table
from kolleno_pipelines.assets.reconciliation.ageing_picture import ageing_picture, bucket_place
from kolleno_pipelines.assets.reconciliation.present import entity_keys, result_key, result_spec
from kolleno_pipelines.connections import DocumentConnections, LedgerConnection, ledger_of
from kolleno_pipelines.pipeline.clock import utc_now
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.result_facts import DayAmount, ageing_of, roll_forward_of
from kolleno_pipelines.resources.deployment import DeploymentResource

AGEING, ROLL_FORWARD = "ageing", "roll_forward"
_READ = {AGEING: ageing_of, ROLL_FORWARD: roll_forward_of}
_SOURCES = ("invoices", "credit_notes", "payments", "allocations")
_QUESTIONS = {
    AGEING: "What is open, by currency and days past due, at the end of the day? Unapplied money is negative.",
    ROLL_FORWARD: "Opening + what happened = closing, per currency: a proof for each day, its unexplained part shown.",
}


def results_by_day(connections: DocumentConnections, days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """Return ageing and roll-forward; either can be run alone. Each run refreshes today beside its own days.

    What is shown of a day are the ledger's figures; mirrors are in the tables.
    """
    deps, ledger = entity_keys(connections, _SOURCES), ledger_of(connections)

    @dg.multi_asset(
        name="results_by_day",
        specs=[
            dg.AssetSpec.replace_attributes(result_spec(name, question, deps, days), skippable=True)
            for name, question in _QUESTIONS.items()
        ],
        can_subset=True,
        backfill_policy=RANGES,
        partitions_def=days,
    )
    def results(
        context: dg.AssetExecutionContext, deployment: dg.ResourceParam[DeploymentResource]
    ) -> Iterator[dg.MaterializeResult[None]]:
        from kolleno_pipelines.pipeline.reconcile_days import reconcile_days

        opened, today, run_days = deployment.deployment, utc_now().date(), days_of_run(context)
        wanted = [name for name in _QUESTIONS if result_key(name) in context.selected_asset_keys]
        past = [day for day in run_days if day <= today]
        since = deployment.taken_over_since
        reconcile_days(opened.database_url, connections, today, {*past, today}, results=wanted, since=since)
        for name in wanted:
            _describe(context, opened, ledger, name, run_days, today)
            yield dg.MaterializeResult(asset_key=result_key(name))

    return results


def _describe(
    context: dg.AssetExecutionContext,
    deployment: Deployment,
    connection: LedgerConnection,
    name: str,
    run_days: Sequence[date],
    today: date,
) -> None:
    """Put each day's figures on its partition; table and picture on the last; today's, when it is not in the run."""
    key = result_key(name)
    rows = _READ[name](deployment, connection, run_days[0], run_days[-1])
    last = run_days[-1]
    context.add_asset_metadata(_shown(name, rows, last), asset_key=key, partition_key=last.isoformat())
    for day in run_days:
        scalars = _scalars([row for row in rows if row.day == day])
        context.add_asset_metadata(scalars, asset_key=key, partition_key=day.isoformat())
    if today not in run_days:
        rows = _READ[name](deployment, connection, today, today)
        metadata = {**_shown(name, rows, today), **_scalars(rows)}
        context.log_event(dg.AssetMaterialization(key, partition=today.isoformat(), metadata=metadata))


def _scalars(rows: Sequence[DayAmount]) -> Metadata:
    """Return the sums of one day: every bucket or line by currency, exact as text."""
    scalars: Metadata = {"dagster/partition_row_count": len(rows)}
    for row in rows:
        scalars[f"{row.currency_iso} {row.line}"] = amount_shown(row.amount, row.currency_iso)
    return scalars


def _shown(name: str, rows: Sequence[DayAmount], day: date) -> Metadata:
    """Return table and picture of one day."""
    own = [row for row in rows if row.day == day]
    if name == AGEING:
        own.sort(key=lambda row: (row.currency_iso, bucket_place(row.line)))
    shown: Metadata = {
        f"{name.replace('_', '-')} of {day}": rows_table(own, ("currency_iso", "line", "documents", "amount"))
    }
    if name == AGEING and own:
        shown["picture"] = dg.MetadataValue.md(ageing_picture(own, day))
    return shown
