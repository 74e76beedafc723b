"""Facts about the results: no open break, the roll-forward explained, the sums tied. Breaks are found elsewhere."""

from collections.abc import Iterable

import dagster as dg

from kolleno_pipelines.assets.checks.facts import Fact, told_one
from kolleno_pipelines.assets.presentation import amount_shown, rows_table
from kolleno_pipelines.assets.reconciliation.present import result_key
from kolleno_pipelines.connections import Connection
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.result_facts import (
    account_breaks,
    not_comparable,
    open_breaks,
    or_more,
    red_unexplained,
    stated_breaks,
    ties,
)
from kolleno_pipelines.resources.deployment import DeploymentResource

_BREAK = ("kind", "left_kind", "left_source_id", "right_kind", "right_source_id", "customer_source_id")
_BREAK_COLUMNS = (*_BREAK, "currency_iso", "amount", "cause", "since", "status", "break_id")


def result_checks(connection: Connection, providers: Iterable[str] = ()) -> list[dg.AssetChecksDefinition]:
    """Return the checks on the results of a ledger; its list of breaks holds those of the payment providers too."""
    return [
        _no_open_break([connection.name, *providers]),
        _agrees_with_source(connection),
        _roll_forward_explained(connection),
        _ageing_ties(connection),
    ]


def _no_open_break(names: list[str]) -> dg.AssetChecksDefinition:
    key = result_key("differences")

    @dg.asset_check(
        asset=key,
        name="no_open_break",
        description="No break asks for somebody. What was accepted, or was there at first sight (opening), is not red.",
    )
    def no_open_break(
        context: dg.AssetCheckExecutionContext, deployment: dg.ResourceParam[DeploymentResource]
    ) -> dg.AssetCheckResult:
        def fact() -> Fact:
            found = open_breaks(deployment.deployment, names)
            listed = ", ".join(f"{number} {status}" for status, number in sorted(found.by_status.items()))
            words = f"Breaks that ask for somebody: {found.red}" if found.red else "No open break"
            shown = {"largest breaks": rows_table(found.worst, _BREAK_COLUMNS)}
            return Fact(key, "no_open_break", not found.red, f"{words} ({listed or 'none known'}).", shown)

        return told_one(context, deployment, fact)

    return no_open_break


def _agrees_with_source(connection: Connection) -> dg.AssetChecksDefinition:
    key = result_key("control_totals")

    @dg.asset_check(
        asset=key,
        name="agrees_with_source",
        description="What each customer owes by its documents is what the source says, where it says so and unless the"
        " difference was accepted.",
    )
    def agrees_with_source(
        context: dg.AssetCheckExecutionContext, deployment: dg.ResourceParam[DeploymentResource]
    ) -> dg.AssetCheckResult:
        return told_one(context, deployment, lambda: _agreement_with_source(deployment.deployment, connection))

    return agrees_with_source


def _agreement_with_source(deployment: Deployment, connection: Connection) -> Fact:
    rows = stated_breaks(deployment, connection)
    apart = not_comparable(deployment, connection)
    accounts = account_breaks(deployment, connection)
    words = "The source states no balances that differ."
    if rows:
        words = f"Customers that owe another amount by their documents than the source states: {or_more(rows)}."
    if accounts:
        words = (
            f"{words} Receivables accounts that differ: {or_more(accounts)}."
            if rows
            else f"Receivables accounts whose documents come to something else: {or_more(accounts)}."
        )
    if apart:
        words += f" Stated without a currency, and not comparable: {or_more(apart)}."
    shown = {"customers": rows_table(rows), "accounts": rows_table(accounts), "not comparable": rows_table(apart)}
    return Fact(result_key("control_totals"), "agrees_with_source", not rows and not accounts, words, shown)


def _roll_forward_explained(connection: Connection) -> dg.AssetChecksDefinition:
    key = result_key("roll_forward")

    @dg.asset_check(
        asset=key,
        name="roll_forward_explained",
        description="No movement is left unexplained, unless it was accepted or was there at first sight.",
    )
    def roll_forward_explained(
        context: dg.AssetCheckExecutionContext, deployment: dg.ResourceParam[DeploymentResource]
    ) -> dg.AssetCheckResult:
        def fact() -> Fact:
            rows = red_unexplained(deployment.deployment, connection)
            words = "Every movement is explained, accepted or opening."
            if rows:
                most = amount_shown(rows[0]["amount"], rows[0]["currency_iso"])
                words = f"Movements that nothing explains: {or_more(rows)}; the largest: {most}."
            return Fact(key, "roll_forward_explained", not rows, words, {"unexplained": rows_table(rows)})

        return told_one(context, deployment, fact)

    return roll_forward_explained


def _ageing_ties(connection: Connection) -> dg.AssetChecksDefinition:
    key = result_key("ageing")

    @dg.asset_check(
        asset=key,
        name="ties_with_control_totals",
        description="Today's ageing, unapplied money included, is the net of the control totals in every currency.",
        additional_deps=[result_key("control_totals")],
    )
    def ties_with_control_totals(
        context: dg.AssetCheckExecutionContext, deployment: dg.ResourceParam[DeploymentResource]
    ) -> dg.AssetCheckResult:
        def fact() -> Fact:
            sums = ties(deployment.deployment, connection)
            apart = [tie for tie in sums if tie.aged != tie.net]
            words = f"Equal in {len(sums)} currencies."
            if apart:
                names = ", ".join(tie.currency_iso for tie in apart)
                words = (
                    f"Not equal in {names}. If only one of the two was computed since the last files, run the job"
                    " reconciliation; if it stays, it is a defect."
                )
            return Fact(key, "ties_with_control_totals", not apart, words, {"sums": rows_table(sums)})

        return told_one(context, deployment, fact)

    return ties_with_control_totals
