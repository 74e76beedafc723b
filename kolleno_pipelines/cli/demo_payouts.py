"""The demo's charges, payouts and balance at the simulated Stripe, beside what was taken. Printed for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from kolleno_pipelines.cli.demo_company import QUICKBOOKS, STRIPE, Dropped
from kolleno_pipelines.cli.terminal import print_rows
from kolleno_pipelines.connections import document_connections, provider_connections
from kolleno_pipelines.schemas.currencies import amount_text

if TYPE_CHECKING:
    from kolleno_pipelines.pipeline.deployment import Deployment

Row = Mapping[str, Any]
_REPORTS = ("charges", "payouts", "balance-proofs")
#: What charges and payouts come to where nobody is asked for; what else is named must not be.
_FINE = {"reconciled", "reconciled_with_fallback", "pending"}


def show_payouts(deployment: Deployment, dropped: Dropped) -> bool:
    """Print what became of charges and payouts; returns whether all that was taken is there, and nothing is amiss."""
    from kolleno_pipelines.pipeline.reports import report

    charges, payouts, proofs = (
        report(
            name,
            deployment.database_url,
            document_connections(deployment.connections),
            dropped.today,
            providers=provider_connections(deployment.connections),
        )
        for name in _REPORTS
    )
    _print_outcomes(charges, payouts, proofs)
    wrong = [*_not_as_taken(charges, dropped), *_amiss(charges, "charges", "charges"), *_amiss(payouts, "payouts")]
    wrong += [f"balance in {row['currency_iso']} {row['outcome']}" for row in proofs if row["is_break"]]
    if not payouts or not proofs:
        wrong.append("no payout or no balance was read")
    if wrong:
        print(f"{STRIPE} DISAGREES: {'; '.join(wrong)}.")
        return False
    proven = {row["currency_iso"] for row in proofs if row["outcome"] == "tied"}
    shown = sum(row["charges"] for row in charges if row["outcome"] != "pending")
    paid = sum(row["outcome"] != "pending" for row in payouts)
    print(
        f"{shown} charges are in {QUICKBOOKS}, {paid} payouts are the sums of their"
        f" items, the balance is proven in {len(proven)} currencies."
    )
    return True


def _print_outcomes(charges: Iterable[Row], payouts: Iterable[Row], proofs: Iterable[Row]) -> None:
    """Print each outcome by currency: how many, and what they come to."""
    lines = [("charges", row["outcome"], row["currency_iso"], row["charges"], row["amount"]) for row in charges]
    sums: dict[tuple[str, str], tuple[int, Decimal]] = {}
    for row in payouts:
        number, amount = sums.get((row["outcome"], row["currency_iso"]), (0, Decimal(0)))
        sums[row["outcome"], row["currency_iso"]] = (number + 1, amount + Decimal(row["amount"]))
    lines += [("payouts", *key, *found) for key, found in sorted(sums.items())]
    newest = {row["currency_iso"]: row for row in sorted(_taken(proofs), key=lambda row: str(row["taken_at"]))}
    lines += [
        ("balance", row["outcome"], currency, row["rows"], row["computed"]) for currency, row in sorted(newest.items())
    ]
    print_rows(
        (STRIPE, "outcome", "currency", "how many", "amount"),
        [
            (what, outcome, currency, number, amount_text(Decimal(amount), currency, thousands=True))
            for what, outcome, currency, number, amount in lines
        ],
        title=f"What {STRIPE} took, beside the payments of {QUICKBOOKS}; what it paid out; what its balance is made of",
    )


def _taken(proofs: Iterable[Row]) -> list[Row]:
    """Return the proofs of snapshots: days before the first have none."""
    return [row for row in proofs if row["taken_at"] is not None]


def _not_as_taken(charges: Sequence[Row], dropped: Dropped) -> list[str]:
    """Name the currencies in which not all charges of the company are there, or not their money."""
    from kolleno_pipelines.sandbox.stripe.taken import taken_by_stripe

    wanted: dict[str, tuple[int, Decimal]] = {}
    for one in taken_by_stripe(dropped.company, plain=True):
        number, amount = wanted.get(one.currency.upper(), (0, Decimal(0)))
        wanted[one.currency.upper()] = (number + 1, amount + one.amount)
    found: dict[str, tuple[int, Decimal]] = {}
    for row in charges:
        number, amount = found.get(row["currency_iso"], (0, Decimal(0)))
        found[row["currency_iso"]] = (number + row["charges"], amount + Decimal(row["amount"]))
    # The money of a pending charge is not certain yet, and counts as 0: then only the number is compared.
    uncertain = {row["currency_iso"] for row in charges if row["outcome"] == "pending"}
    none = (0, Decimal(0))
    return [
        f"{currency}: {have[0]} charges of {have[1]} in place of {want[0]} of {want[1]}"
        for currency in sorted(wanted | found)
        for have, want in [(found.get(currency, none), wanted.get(currency, none))]
        if have[0] != want[0] or (have[1] != want[1] and currency not in uncertain)
    ]


def _amiss(rows: Iterable[Row], what: str, counted: str | None = None) -> list[str]:
    counts: dict[str, int] = {}
    for row in rows:
        if row["outcome"] not in _FINE:
            counts[row["outcome"]] = counts.get(row["outcome"], 0) + (row[counted] if counted else 1)
    return [f"{number} {what} {outcome}" for outcome, number in sorted(counts.items())]
