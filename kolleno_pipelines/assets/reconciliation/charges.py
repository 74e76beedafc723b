"""The result that looks for every charge in the ledger, and its check. How it is judged is in rules/charges.py."""

from collections.abc import Mapping

import dagster as dg

from kolleno_pipelines.assets.checks.facts import Fact, told_one
from kolleno_pipelines.assets.presentation import not_shown, rows_table
from kolleno_pipelines.assets.reconciliation.present import entity_keys, result_key, result_spec, tables_and_counts
from kolleno_pipelines.connections import StripeConnection
from kolleno_pipelines.pipeline.clock import utc_now
from kolleno_pipelines.pipeline.result_facts import charge_breaks, or_more
from kolleno_pipelines.resources.deployment import DeploymentResource
from kolleno_pipelines.schemas.payout_words import SETTLED_CHARGES, ChargeOutcome

Providers = Mapping[str, StripeConnection]

_QUESTION = "Does the ledger show the money of every charge, and what was refunded, disputed or failed late?"
_SOURCES = ("charges", "refunds", "disputes")
_ALL = "`kolleno report charges`, reporting.charges; accepted ones are among them"
_COLUMNS = (
    *("outcome", "currency_iso", "amount", "surcharge_amount", "paid", "difference", "evidence", "source_id"),
    *("customer_source_id", "payment_source_ids", "created_at", "connection", "break_id"),
)


def charges(providers: Providers) -> dg.AssetsDefinition:
    """Return the asset that compares the charges of payment providers with the payments of their ledgers."""
    ledgers = dict.fromkeys(one.ledger for one in providers.values())
    deps = [*entity_keys(providers, _SOURCES), *entity_keys(ledgers, ("payments", "allocations"))]
    spec = result_spec("charges", _QUESTION, deps)

    @dg.multi_asset(name="charges", specs=[spec], can_subset=False)
    def result(deployment: dg.ResourceParam[DeploymentResource]) -> dg.MaterializeResult[None]:
        from kolleno_pipelines.pipeline.reconcile_payouts import reconcile_charges

        url, today = deployment.deployment.database_url, utc_now().date()
        summary = reconcile_charges(url, providers, today, deployment.taken_over_since)
        shown, counted = tables_and_counts(summary, _COLUMNS)
        asking = sum(summary.counts[outcome] for outcome in ChargeOutcome if outcome not in SETTLED_CHARGES)
        shown |= not_shown("charges", asking - len(summary.worst), _ALL)
        return dg.MaterializeResult(asset_key=spec.key, metadata=shown | counted)

    return result


def charges_in_ledger(providers: Providers) -> dg.AssetChecksDefinition:
    """Return the check that no charge asks for somebody."""
    key = result_key("charges")

    @dg.asset_check(
        asset=key,
        name="charges_in_ledger",
        description="The ledger shows the money of every charge, and what went back, unless a break was accepted.",
    )
    def in_ledger(
        context: dg.AssetCheckExecutionContext, deployment: dg.ResourceParam[DeploymentResource]
    ) -> dg.AssetCheckResult:
        def fact() -> Fact:
            rows = charge_breaks(deployment.deployment, list(providers))
            words = "The ledger shows the money of every charge that is compared."
            if rows:
                outcomes = ", ".join(sorted({str(row["outcome"]) for row in rows}))
                words = (
                    f"Charges that the ledger does not show as they are: {or_more(rows)} ({outcomes})."
                    " `kolleno report charges` says why; correct the payment in the ledger, or accept the break"
                    " (`kolleno differences accept`)."
                )
            return Fact(key, "charges_in_ledger", not rows, words, {"charges": rows_table(rows, _COLUMNS)})

        return told_one(context, deployment, fact)

    return in_ledger
