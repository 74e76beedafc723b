"""Results that are the present state: balances, control totals, unapplied cash, differences. No days, no formula."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from kolleno_pipelines.assets.presentation import Metadata, model_schema, rows_table
from kolleno_pipelines.connections import DocumentConnections, StripeConnection
from kolleno_pipelines.pipeline.clock import utc_now
from kolleno_pipelines.resources.deployment import DeploymentResource
from kolleno_pipelines.schemas.model_columns import RESULTS
from kolleno_pipelines.schemas.payout_columns import PROVIDER_RESULTS

if TYPE_CHECKING:
    from kolleno_pipelines.pipeline.result_summary import ResultSummary

DOCUMENTS = ("customers", "invoices", "credit_notes", "payments", "allocations")


def result_key(result: str) -> dg.AssetKey:
    """Return the key of a result."""
    return dg.AssetKey(["reconciliation", result])


def entity_keys(connections: Iterable[str], entities: Iterable[str]) -> list[dg.AssetKey]:
    """Return the keys of entities of every connection."""
    return [dg.AssetKey(["receivables", name, entity]) for name in connections for entity in entities]


def result_spec(
    result: str,
    question: str,
    deps: list[dg.AssetKey],
    days: dg.DailyPartitionsDefinition | None = None,
) -> dg.AssetSpec:
    """Return what the graph says about a result."""
    return dg.AssetSpec(
        result_key(result),
        deps=deps,
        group_name="reconciliation",
        owners=["team:receivables"],
        kinds={"python", "postgres"},
        partitions_def=days,
        description=question,
        metadata={
            "dagster/column_schema": model_schema((RESULTS | PROVIDER_RESULTS)[result]),
            "dagster/table_name": f"reconciliation.{result}",
        },
    )


def balances(connections: DocumentConnections) -> dg.AssetsDefinition:
    """Return the asset that proves each stated balance by its allocations."""
    question = "Does amount - allocations equal the stated balance, document by document? What does not is listed."
    return _result(
        result_spec("balances", question, entity_keys(connections, DOCUMENTS)),
        connections,
    )


def control_totals(connections: DocumentConnections) -> dg.AssetsDefinition:
    """Return the asset that adds up what is owed."""
    question = (
        "Open invoices - credit notes - unapplied payments + journals per customer and currency, and per receivables"
        " account: what is owed now, and does it equal what the source itself says, where it says so?"
    )
    deps = entity_keys(connections, ("customers", "invoices", "credit_notes", "payments"))
    return _result(result_spec("control_totals", question, deps), connections)


def unapplied_cash(connections: DocumentConnections) -> dg.AssetsDefinition:
    """Return the asset that lists money not applied to invoices."""
    question = "Which payments and credit notes are not applied in full, and since when?"
    deps = entity_keys(connections, ("credit_notes", "payments"))
    return _result(result_spec("unapplied_cash", question, deps), connections)


def differences(connections: DocumentConnections, providers: Mapping[str, StripeConnection]) -> dg.AssetsDefinition:
    """Return the asset that keeps every break of the other results in one list."""
    question = "Every break in one list: what, how much, since when, probable cause, who accepted it."
    deps = [result_key("balances"), result_key("control_totals")]
    deps += [result_key("agreement")] if any(one.role == "mirror" for one in connections.values()) else []
    deps += [result_key(result) for result in ("charges", "payouts")] if providers else []
    spec = result_spec("differences", question, deps)

    @dg.multi_asset(name="differences", specs=[spec], can_subset=False)
    def result(deployment: dg.ResourceParam[DeploymentResource]) -> dg.MaterializeResult[None]:
        from kolleno_pipelines.pipeline.reconcile import reconcile_differences

        url, today = deployment.deployment.database_url, utc_now().date()
        summary = reconcile_differences(url, connections, today, providers)
        return dg.MaterializeResult(asset_key=spec.key, metadata=summary_metadata(summary))

    return result


def _result(spec: dg.AssetSpec, connections: DocumentConnections) -> dg.AssetsDefinition:
    """Return the asset of one result of documents: the three have one shape."""
    name = spec.key.path[-1]

    @dg.multi_asset(name=name, specs=[spec], can_subset=False)
    def result(deployment: dg.ResourceParam[DeploymentResource]) -> dg.MaterializeResult[None]:
        from kolleno_pipelines.pipeline import reconcile

        url, today = deployment.deployment.database_url, utc_now().date()
        compute = {
            "balances": reconcile.reconcile_balances,
            "control_totals": reconcile.reconcile_control_totals,
            "unapplied_cash": reconcile.reconcile_unapplied_cash,
        }[name]
        summary = compute(url, connections, today, deployment.taken_over_since)
        return dg.MaterializeResult(asset_key=spec.key, metadata=summary_metadata(summary))

    return result


def summary_metadata(summary: "ResultSummary") -> Metadata:
    """Return counts, sums and the rows that a person looks at first."""
    shown: Metadata = {"dagster/row_count": summary.rows}
    shown |= {name.replace("_", " "): number for name, number in summary.counts.items()}
    if summary.is_taken_over:
        shown["computed by"] = "another run, after this one had asked"
    shown["rows written"] = summary.changes.written
    shown["rows deleted"] = summary.changes.deleted
    shown["sums"] = rows_table(summary.totals)
    shown["to look at first"] = rows_table(summary.worst)
    return shown


def tables_and_counts(summary: "ResultSummary", names: Sequence[str]) -> tuple[Metadata, Metadata]:
    """Return what a person reads of a provider's result, and the counts, which come below it.

    `names`: the columns of what is to be looked at first.
    """
    counted = summary_metadata(summary)
    shown: Metadata = {"outcomes": counted.pop("sums")}
    counted.pop("to look at first")
    return shown | {"to look at first": rows_table(summary.worst, names)}, counted
