"""The demo's charges, payouts and balance at the simulated Stripe, beside what happened there. Printed for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from kolleno_pipelines.cli.demo_bank import bank_answers, left_out
from kolleno_pipelines.cli.demo_company import BANK, QUICKBOOKS, STRIPE, Dropped
from kolleno_pipelines.cli.demo_stripe import PlantedError, account_of, planted_error
from kolleno_pipelines.cli.provider_tables import gross_to_net_cells
from kolleno_pipelines.cli.terminal import print_rows
from kolleno_pipelines.connections import document_connections, provider_connections
from kolleno_pipelines.schemas.currencies import amount_text

if TYPE_CHECKING:
    from kolleno_pipelines.pipeline.deployment import Deployment
    from kolleno_pipelines.sandbox.bank.outcomes import BankOutcome
    from kolleno_pipelines.sandbox.stripe.filling import Filling
    from kolleno_pipelines.sandbox.stripe.payout_answers import PayoutAnswer

Row = Mapping[str, Any]
_REPORTS = ("charges", "payouts", "balance-proofs")
_RECONCILED = {"reconciled", "reconciled_with_fallback"}
_FINE = {*_RECONCILED, "pending"}
_NOT_ARRIVED = {"not_at_bank", "awaiting_bank"}
#: Payouts that nobody can take apart, and those that never stayed at the bank.
_EXPLAINED = {"not_itemisable", "reversed"}
_PLANTED_CODE, _PLANTED_OUTCOME = "fee_differs", "fee_mismatch"
_MISSING_CODE = "no_bank_line"
#: What the table shows a payout of, each the newest one.
KINDS = (
    *("a charge of two payments", "a surcharge", "a charge taken elsewhere", "another currency"),
    *("a refund", "a refund that failed", "a dispute", "a dispute that was won", "a debit that failed"),
    *("a fee of its own", "a minimum that is held back", "taken from the bank"),
    *("paid out by hand", "paid out at once", "sent back by the bank", "a payout that came back"),
)


def show_payouts(deployment: Deployment, dropped: Dropped) -> bool:
    """Print what became of charges and payouts; returns whether it is what happened, but for what is planted."""
    charges, payouts, proofs = _reports(deployment, dropped)
    _print_outcomes(charges, payouts, proofs)
    account = account_of(dropped)
    planted = planted_error(dropped, account)
    missing, written = left_out(dropped, account), account.ledger.now
    answers = _answers(account, proofs)
    at_bank = bank_answers(account, missing, written, account.ledger.now)
    _print_kinds(payouts, answers)
    wrong = [*_not_as_taken(charges, account), *_amiss(charges), *not_as_answered(payouts, answers, planted, at_bank)]
    wrong += [f"balance in {row['currency_iso']} {row['outcome']}" for row in proofs if row["is_break"]]
    wrong += [f"{one['balance_transaction_source_id']} {one['code']}" for row in proofs for one in row["exceptions"]]
    if not payouts or not proofs:
        wrong.append("no payout or no balance was read")
    if wrong:
        print(f"{STRIPE} DISAGREES: {'; '.join(wrong)}.")
        return False
    proven = {row["currency_iso"] for row in proofs if row["outcome"] == "tied"}
    shown = sum(row["charges"] for row in charges if row["outcome"] != "pending")
    explained = sum(row["outcome"] in _EXPLAINED for row in payouts)
    paid = sum(row["outcome"] not in {"pending", *_EXPLAINED} for row in payouts) - (planted is not None)
    arrived, awaited = (sum(row["bank_outcome"] == word for row in payouts) for word in ("reconciled", "awaiting_bank"))
    print(
        f"{shown} charges are in {QUICKBOOKS}, {paid} payouts are the sums of their items, {explained} are told apart"
        f" (by hand, at once, sent back), the balance is proven in {len(proven)} currencies."
    )
    print(f"{arrived} payouts are at the {BANK} as they should, {awaited} are awaited there.")
    return conclude_payouts(payouts, planted, missing)


def _reports(deployment: Deployment, dropped: Dropped) -> tuple[list[Any], ...]:
    from kolleno_pipelines.pipeline.reports import report

    documents, providers = document_connections(deployment.connections), provider_connections(deployment.connections)
    return tuple(
        report(name, deployment.database_url, documents, dropped.today, providers=providers) for name in _REPORTS
    )


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
        title=f"What {STRIPE} took and paid out, and its balance",
    )


def _taken(proofs: Iterable[Row]) -> list[Row]:
    """Return the proofs of snapshots: days before the first have none."""
    return [row for row in proofs if row["taken_at"] is not None]


def _answers(account: Filling, proofs: Iterable[Row]) -> list[PayoutAnswer]:
    """Return what must become of the payouts, as they were when the balance was last asked for."""
    from kolleno_pipelines.sandbox.stripe.payout_answers import payout_answers

    read = max((datetime.fromisoformat(row["taken_at"]) for row in _taken(proofs)), default=account.ledger.now)
    moment = account.ledger.advance(max(read, account.ledger.now))
    return payout_answers(account.ledger, account.taken, moment)


def _print_kinds(payouts: Iterable[dict[str, Any]], answers: Sequence[PayoutAnswer]) -> None:
    """Print the newest payout of each kind, from gross to net."""
    rows = {row["source_id"]: row for row in payouts}
    chosen: dict[str, list[str]] = {}
    for kind in KINDS:
        if not any(kind in shown for shown in chosen.values()):
            found = next((one for one in answers if kind in one.kinds and one.source_id in rows), None)
            if found is not None:
                chosen[found.source_id] = [each for each in KINDS if each in found.kinds]
    columns, cells = gross_to_net_cells([rows[one] for one in chosen], thousands=True)
    print_rows(
        ("what is special about it", *columns),
        [(", ".join(kinds), *row) for kinds, row in zip(chosen.values(), cells, strict=True)],
        title="From gross to net: the newest payout of each kind",
    )


def _not_as_taken(charges: Sequence[Row], account: Filling) -> list[str]:
    """Name the currencies in which not all charges of the company are there, or not their money."""
    wanted: dict[str, tuple[int, Decimal]] = {}
    for one in account.taken:
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


def _amiss(charges: Iterable[Row]) -> list[str]:
    return [f"{row['charges']} charges {row['outcome']}" for row in charges if row["outcome"] not in _FINE]


def not_as_answered(
    payouts: Iterable[Row],
    answers: Iterable[PayoutAnswer],
    planted: PlantedError | None,
    at_bank: Mapping[str, BankOutcome],
) -> Iterator[str]:
    """Name the payouts that did not become what must become of them; the planted error is as it must be.

    What is not there at the bank, or not yet, is not reconciled, whatever it consists of.
    """
    wanted = {
        one.source_id: (
            at_bank[one.source_id].outcome
            if one.outcome in _RECONCILED and at_bank[one.source_id].outcome in _NOT_ARRIVED
            else one.outcome,
            f"{one.amount} {one.currency_iso}",
            *at_bank[one.source_id],
        )
        for one in answers
    }
    if planted is not None:
        wanted[planted.payout] = (_PLANTED_OUTCOME, *wanted[planted.payout][1:])
    found = {
        row["source_id"]: (
            row["outcome"],
            f"{Decimal(row['amount'])} {row['currency_iso']}",
            *(row["bank_outcome"], row["bank_resolver"] or ""),
        )
        for row in payouts
    }
    for payout in sorted(wanted | found):
        if found.get(payout) != wanted.get(payout):
            have, want = (" of ".join(each.get(payout, ("nothing",))) for each in (found, wanted))
            yield f"payout {payout} is {have} in place of {want}"


def conclude_payouts(payouts: Iterable[Row], planted: PlantedError | None, missing: str) -> bool:
    """Say in one sentence what the exceptions come to; returns whether they are what was planted, and nothing else.

    missing: the payout whose line at the bank was left out.
    """
    told = sorted(
        (row["source_id"], one["code"], one["balance_transaction_source_id"])
        for row in payouts
        for one in row["exceptions"]
    )
    wanted = sorted(
        [(planted.payout, _PLANTED_CODE, planted.item), (missing, _MISSING_CODE, "")] if planted is not None else []
    )
    if planted is not None and told == wanted:
        print(
            f"The planted errors are named, and no other: {planted.tamper.story}, in payout {planted.payout};"
            f" {missing} is not at the {BANK}."
        )
    elif told != wanted:
        others = [f"{code} of {item} in {payout}" for payout, code, item in told if (payout, code, item) not in wanted]
        print(f"Exceptions that nobody planted: {'; '.join(others) or 'none, and a planted error is not named'}.")
    return told == wanted
