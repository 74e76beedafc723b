"""The result that compares mirrors with the ledger, and its check. How they are compared is in rules/agreement.py."""

import dagster as dg

from kolleno_pipelines.assets.checks.facts import Fact, told_one
from kolleno_pipelines.assets.presentation import rows_table
from kolleno_pipelines.assets.reconciliation.present import (
    DOCUMENTS,
    entity_keys,
    result_key,
    result_spec,
    summary_metadata,
)
from kolleno_pipelines.connections import DocumentConnections
from kolleno_pipelines.pipeline.clock import utc_now
from kolleno_pipelines.pipeline.result_facts import agreement_breaks, agreement_gaps
from kolleno_pipelines.resources.deployment import DeploymentResource

_QUESTION = (
    "Does each mirror say the same as the ledger, per customer and currency and per document? What the systems"
    " themselves cannot state is listed as expected."
)
#: What a person wants to see of a break before anything else.
_BREAK_COLUMNS = (
    *("mirror", "kind", "ref", "differs", "currency_iso", "amount", "mirror_amount", "balance", "mirror_balance"),
    *("cause", "date_issued", "source_id", "mirror_source_id", "customer_source_id", "since", "break_id"),
)


def agreement(connections: DocumentConnections) -> dg.AssetsDefinition:
    """Return the asset that compares every mirror among the connections with its ledger."""
    spec = result_spec("agreement", _QUESTION, entity_keys(connections, DOCUMENTS))

    @dg.multi_asset(name="agreement", specs=[spec], can_subset=False)
    def result(deployment: dg.ResourceParam[DeploymentResource]) -> dg.MaterializeResult[None]:
        from kolleno_pipelines.pipeline.reconcile_agreement import reconcile_agreement

        url, today = deployment.deployment.database_url, utc_now().date()
        summary = reconcile_agreement(url, connections, today, deployment.taken_over_since)
        shown = summary_metadata(summary)
        shown["to look at first"] = rows_table(summary.worst, _BREAK_COLUMNS)
        shown["expected"] = rows_table(agreement_gaps(deployment.deployment, list(connections)))
        return dg.MaterializeResult(asset_key=spec.key, metadata=shown)

    return result


def agrees_with_ledger(connections: DocumentConnections) -> dg.AssetChecksDefinition:
    """Return the check that no mirror says something else, unless that was accepted."""
    key = result_key("agreement")

    @dg.asset_check(
        asset=key,
        name="agrees_with_ledger",
        description="Every document and customer of a mirror is what the ledger says, unless a break was accepted.",
    )
    def agrees(
        context: dg.AssetCheckExecutionContext, deployment: dg.ResourceParam[DeploymentResource]
    ) -> dg.AssetCheckResult:
        def fact() -> Fact:
            rows = agreement_breaks(deployment.deployment, list(connections))
            words = "The mirrors agree with the ledger."
            if rows:
                mirrors = ", ".join(sorted({str(row["mirror"]) for row in rows}))
                words = f"What the ledger and {mirrors} say differs; `kolleno report agreement` lists it."
            return Fact(key, "agrees_with_ledger", not rows, words, {"breaks": rows_table(rows, _BREAK_COLUMNS)})

        return told_one(context, deployment, fact)

    return agrees
