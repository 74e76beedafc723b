"""Checks of payouts on the bank's side. What a line proves is judged in rules/payout_bank.py, days in bank_days.py."""

import dagster as dg

from kolleno_pipelines.assets.checks.facts import Fact, told_one
from kolleno_pipelines.assets.presentation import rows_table
from kolleno_pipelines.assets.reconciliation.payouts import Banks, Providers
from kolleno_pipelines.assets.reconciliation.present import result_key
from kolleno_pipelines.pipeline.bank_facts import DAYS_TO_STATE, statement_faults, unstated_payouts
from kolleno_pipelines.pipeline.clock import utc_now
from kolleno_pipelines.pipeline.result_facts import or_more
from kolleno_pipelines.resources.deployment import DeploymentResource

_AWAITED = ("date_arrival", "currency_iso", "amount", "status", "connection", "source_id")
_FAULTS = ("code", "account_source_id", "ref", "difference", "evidence", "file", "connection")


def bank_checks(providers: Providers, banks: Banks) -> list[dg.AssetChecksDefinition]:
    """Return the checks on what banks say: there are none where no bank is read."""
    return [_payouts_stated(providers, banks), _statements_tie(banks)] if banks else []


def _payouts_stated(providers: Providers, banks: Banks) -> dg.AssetChecksDefinition:
    key = result_key("payouts")

    @dg.asset_check(
        asset=key,
        name="payouts_stated",
        description=(
            "The bank's statements say of each payout whether it arrived, within"
            f" {DAYS_TO_STATE} days of the last day on which it may be booked."
        ),
    )
    def payouts_stated(
        context: dg.AssetCheckExecutionContext, deployment: dg.ResourceParam[DeploymentResource]
    ) -> dg.AssetCheckResult:
        def fact() -> Fact:
            rows = unstated_payouts(deployment.deployment, providers, banks, utc_now().date())
            words = "No payout waits for the bank's statements for longer than is usual."
            if rows:
                words = (
                    f"Payouts of which no statement says whether they arrived: {or_more(rows)}, the oldest of"
                    f" {rows[0]['date_arrival']}. Statements of those days are missing, or do not tie: look at"
                    " statements_tie and at the bank's folder."
                )
            return Fact(key, "payouts_stated", not rows, words, {"payouts": rows_table(rows, _AWAITED)}, is_red=False)

        return told_one(context, deployment, fact)

    return payouts_stated


def _statements_tie(banks: Banks) -> dg.AssetChecksDefinition:
    key = result_key("payouts")

    @dg.asset_check(
        asset=key,
        name="statements_tie",
        description="The entries of each bank statement lead from its opening to its closing balance, and to the next.",
    )
    def statements_tie(
        context: dg.AssetCheckExecutionContext, deployment: dg.ResourceParam[DeploymentResource]
    ) -> dg.AssetCheckResult:
        def fact() -> Fact:
            rows = statement_faults(deployment.deployment, banks)
            words = "Every bank statement ties, and each begins with what the one before it ended with."
            if rows:
                words = (
                    f"Bank statements that do not tie, or before which one is missing: {len(rows)}. Of those days"
                    " nothing is said to be missing; ask the bank for the statement once more."
                )
            return Fact(key, "statements_tie", not rows, words, {"statements": rows_table(rows, _FAULTS)})

        return told_one(context, deployment, fact)

    return statements_tie
