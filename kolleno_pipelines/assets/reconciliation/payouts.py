"""The result that takes payouts apart, and its checks. How they are judged is in rules/payouts.py, balance_proof.py."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from kolleno_pipelines.assets.checks.facts import Fact, told_one
from kolleno_pipelines.assets.presentation import not_shown, rows_table
from kolleno_pipelines.assets.reconciliation.present import entity_keys, result_key, result_spec, tables_and_counts
from kolleno_pipelines.connections import BankFilesConnection, StripeConnection
from kolleno_pipelines.pipeline.clock import utc_now
from kolleno_pipelines.pipeline.result_facts import (
    DAYS_TO_ITEMISE,
    balance_breaks,
    balance_row_breaks,
    newest_payouts,
    or_more,
    overdue_payouts,
    payout_breaks,
    payouts_of,
)
from kolleno_pipelines.resources.deployment import DeploymentResource
from kolleno_pipelines.schemas.payout_words import BANK_IS_TOLD_APART

Providers = Mapping[str, StripeConnection]
Banks = Mapping[str, BankFilesConnection]

_QUESTION = (
    "Which charges, refunds, disputes and fees is every payout made of, do they sum to it, does the ledger show their"
    " payments, and did it arrive at the bank? And do all rows of the balance come to the balance that the provider"
    " states?"
    f" {BANK_IS_TOLD_APART}"
)
_SOURCES = (
    *("charges", "refunds", "disputes", "payouts", "payout_members", "balance_transactions", "fee_details"),
    "balance_snapshots",
)
_OF_BANK = ("bank_lines", "bank_statements", "bank_accounts")
_EXCEPTIONS = (
    *("code", "currency_iso", "amount", "evidence", "payout_source_id", "balance_transaction_source_id"),
    *("charge_source_id", "bank_line_source_id", "outcome", "connection", "break_id"),
)
_ALL_EXCEPTIONS = "`kolleno report payouts`, reporting.payout_exceptions; accepted ones are among them"
_ALL_PAYOUTS = "`kolleno report payouts`, reporting.payout_lines"
_ROWS = (
    *("code", "currency_iso", "amount", "evidence", "balance_transaction_source_id", "charge_source_id"),
    *("connection", "break_id"),
)
_PENDING = ("date_arrival", "currency_iso", "amount", "status", "connection", "source_id")
_PROOFS = (
    *("connection", "currency_iso", "taken_at", "available", "pending", "computed", "difference", "change"),
    *("rows", "source_id", "break_id"),
)


def payouts(providers: Providers, banks: Banks) -> dg.AssetsDefinition:
    """Return the asset that compares payouts with items, ledger and bank, and proves the balance."""
    ledgers = dict.fromkeys(one.ledger for one in providers.values())
    deps = [*entity_keys(providers, _SOURCES), *entity_keys(ledgers, ("payments",)), *entity_keys(banks, _OF_BANK)]
    spec = result_spec("payouts", _QUESTION, deps)

    @dg.multi_asset(name="payouts", specs=[spec], can_subset=False)
    def result(deployment: dg.ResourceParam[DeploymentResource]) -> dg.MaterializeResult[None]:
        from kolleno_pipelines.pipeline.reconcile_payouts import reconcile_payouts

        opened, today = deployment.deployment, utc_now().date()
        since = deployment.taken_over_since
        summary = reconcile_payouts(opened.database_url, providers, today, since, banks=banks)
        newest = newest_payouts(opened, list(providers))
        shown, counted = tables_and_counts(summary, _EXCEPTIONS)
        shown |= {
            "payouts to look at first, from gross to net": _payouts_table(payouts_of(opened, summary.worst)),
            "newest payouts, from gross to net": _payouts_table(newest),
        }
        if wrong := balance_row_breaks(opened, list(providers)):
            shown["rows of the balance in no payout that are wrong"] = rows_table(wrong, _ROWS)
        shown |= not_shown("exceptions", summary.counts["exceptions"] - len(summary.worst), _ALL_EXCEPTIONS)
        shown |= not_shown("payouts", summary.rows - len(newest), _ALL_PAYOUTS)
        return dg.MaterializeResult(asset_key=spec.key, metadata=shown | counted)

    return result


def _payouts_table(rows: Sequence[Mapping[str, Any]]) -> dg.MetadataValue[Any] | str:
    """Return payouts as a table; the payout itself stands before its lines, where a narrow page does not cut it off."""
    first = ("date_arrival", "currency_iso", "payout")
    return rows_table(rows, [*first, *(name for name in rows[0] if name not in first)] if rows else None)


def payout_checks(providers: Providers) -> list[dg.AssetChecksDefinition]:
    """Return the checks on payouts and on the balance."""
    return [_payouts_tie(providers), _payouts_itemised(providers), _balance_proven(providers)]


def _payouts_tie(providers: Providers) -> dg.AssetChecksDefinition:
    key = result_key("payouts")

    @dg.asset_check(
        asset=key,
        name="payouts_tie",
        description=(
            "No payout is blocked or differs from its items, the ledger or the bank, unless a break was accepted."
        ),
    )
    def payouts_tie(
        context: dg.AssetCheckExecutionContext, deployment: dg.ResourceParam[DeploymentResource]
    ) -> dg.AssetCheckResult:
        def fact() -> Fact:
            rows = payout_breaks(deployment.deployment, list(providers))
            words = "Every payout that is compared is the sum of its items, and ledger and bank show it as it is."
            if rows:
                number = len({row["payout_source_id"] for row in rows})
                words = (
                    f"Exceptions of payouts: {or_more(rows)}, in {number} of them. `kolleno report payouts` names item"
                    " and charge; docs/payouts.md says what to do about each code."
                )
            return Fact(key, "payouts_tie", not rows, words, {"exceptions": rows_table(rows, _EXCEPTIONS)})

        return told_one(context, deployment, fact)

    return payouts_tie


def _payouts_itemised(providers: Providers) -> dg.AssetChecksDefinition:
    key = result_key("payouts")

    @dg.asset_check(
        asset=key,
        name="payouts_itemised",
        description=f"The provider lists the items of each payout within {DAYS_TO_ITEMISE} days of its arrival.",
    )
    def payouts_itemised(
        context: dg.AssetCheckExecutionContext, deployment: dg.ResourceParam[DeploymentResource]
    ) -> dg.AssetCheckResult:
        def fact() -> Fact:
            rows = overdue_payouts(deployment.deployment, list(providers), utc_now().date())
            words = "No payout waits for its items for longer than is usual."
            if rows:
                words = (
                    f"Payouts without a list of their items {DAYS_TO_ITEMISE} days after they were to arrive:"
                    f" {or_more(rows)}. Look at them in the provider's dashboard: they may still be on their way."
                )
            table = {"payouts": rows_table(rows, _PENDING)}
            return Fact(key, "payouts_itemised", not rows, words, table, is_red=False)

        return told_one(context, deployment, fact)

    return payouts_itemised


def _balance_proven(providers: Providers) -> dg.AssetChecksDefinition:
    key = result_key("payouts")

    @dg.asset_check(
        asset=key,
        name="balance_proven",
        description=(
            "All rows of the balance come to what the provider states, at every snapshot, and none outside payouts is"
            " wrong, unless accepted."
        ),
    )
    def balance_proven(
        context: dg.AssetCheckExecutionContext, deployment: dg.ResourceParam[DeploymentResource]
    ) -> dg.AssetCheckResult:
        def fact() -> Fact:
            proofs = balance_breaks(deployment.deployment, list(providers))
            wrong = balance_row_breaks(deployment.deployment, list(providers))
            words = [] if proofs or wrong else ["All rows of the balance come to what the provider states."]
            if proofs:
                currencies = ", ".join(sorted({str(row["currency_iso"]) for row in proofs}))
                words.append(
                    f"The rows of the balance do not come to what the provider states, in {currencies}: one is missing"
                    " or was changed. `kolleno report balance-proofs` shows since when; materialise"
                    " balance_transactions of those days, which asks for them once more."
                )
            if wrong:
                words.append(
                    f"Rows in no payout that are altered, doubled or missing: {or_more(wrong)}. The same report names"
                    " each; docs/payouts.md says what to do."
                )
            tables = {"balances": rows_table(proofs, _PROOFS), "rows": rows_table(wrong, _ROWS)}
            return Fact(key, "balance_proven", not (proofs or wrong), " ".join(words), tables)

        return told_one(context, deployment, fact)

    return balance_proven
