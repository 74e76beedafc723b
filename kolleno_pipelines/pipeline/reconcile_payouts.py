"""Compares a payment provider with itself and with the ledger that it serves, and stores what comes out.

What the figures mean is in rules/charges.py, rules/payouts.py and rules/balance_proof.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import psycopg

from kolleno_pipelines.pipeline.payout_bank import bank_legs
from kolleno_pipelines.pipeline.reconciled import NO_BANKS, Banks, ProviderConnection, Providers
from kolleno_pipelines.pipeline.result_summary import WORST, ResultSummary, merge_stages
from kolleno_pipelines.rules import loose_rows as loose_rules
from kolleno_pipelines.rules import payouts as rules
from kolleno_pipelines.rules.balance_proof import balance_proofs, differing
from kolleno_pipelines.rules.charges import charge_rows
from kolleno_pipelines.rules.payout_pairs import pairs
from kolleno_pipelines.schemas.payout_bank import NOT_COMPARED, BankLeg
from kolleno_pipelines.schemas.payout_words import ChargeOutcome, PayoutOutcome, ProofOutcome
from kolleno_pipelines.schemas.payouts import BalanceProof, Gap
from kolleno_pipelines.storage import balance_proofs as balances
from kolleno_pipelines.storage import charges, failpoints, freshness, loose_rows, payout_gaps, payouts, result_rows
from kolleno_pipelines.storage.charges import ChargeSource
from kolleno_pipelines.storage.results import Changes, Stage, note_computed, result_transaction
from kolleno_pipelines.storage.working_tables import working_tables

TABLES = ("payouts", "payout_lines", "payout_exceptions", "balance_proofs", "balance_exceptions")
_EXCEPTIONS = ("payout_exceptions", "balance_exceptions")


def reconcile_charges(
    database_url: str, providers: Providers, today: date, since: datetime | None = None
) -> ResultSummary:
    """Find for every charge the ledger's payments that stand for it, and tell whether they show its money.

    since: what another run computed after that moment is taken over (freshness.is_computed); None computes it anyway.
    """
    names = list(providers)
    with result_transaction(database_url, ("charges",)) as conn:
        taken_over = freshness.is_computed(conn, "charges", names, today, since)
        changes = Changes() if taken_over else _compute_charges(conn, providers, today)
        totals = result_rows.charge_totals(conn, names)
        worst = result_rows.red_rows(conn, "charges", names, limit=WORST)
        failpoints.reach("reconcile_charges")
    counts = {outcome.value: _count(totals, outcome.value, "charges") for outcome in ChargeOutcome}
    return ResultSummary("charges", sum(counts.values()), changes, counts, totals, worst, taken_over)


def _compute_charges(conn: psycopg.Connection[Any], providers: Providers, today: date) -> Changes:
    staged = Stage(conn, "charges")
    for one in providers.values():
        source = _source(one, providers)
        with working_tables(conn):
            charges.lay_out_charges(conn, source)
            for part in charges.charge_facts(conn):
                staged.add_table(charge_rows(one.name, source.ledger, part, one.cutover))
    changes = merge_stages(providers, staged)
    note_computed(conn, "charges", list(providers), today)
    return changes


def reconcile_payouts(
    database_url: str,
    providers: Providers,
    today: date,
    since: datetime | None = None,
    *,
    banks: Banks = NO_BANKS,
) -> ResultSummary:
    """Compare every payout with its items, these with the ledger, it with the bank; prove the balance by snapshots.

    since: as of reconcile_charges.
    """
    names = list(providers)
    with result_transaction(database_url, TABLES) as conn:
        taken_over = freshness.is_computed(conn, "payouts", names, today, since)
        changes = Changes() if taken_over else _compute_payouts(conn, providers, banks, today)
        totals, proofs = result_rows.payout_totals(conn, names), result_rows.proof_counts(conn, names)
        exceptions = {each: result_rows.row_count(conn, each, names) for each in _EXCEPTIONS}
        unknown, at_bank = payouts.unknown_words(conn, names), result_rows.bank_counts(conn, names)
        worst = result_rows.red_rows(conn, "payout_exceptions", names, limit=WORST)
        failpoints.reach("reconcile_payouts")
    of_payouts = [outcome.value for outcome in PayoutOutcome if outcome is not PayoutOutcome.NOT_COMPARED]
    counts = {outcome: _count(totals, outcome, "payouts") for outcome in of_payouts}
    counts |= {f"balance_{outcome.value}": proofs.get(outcome.value, 0) for outcome in ProofOutcome}
    counts |= {"exceptions": exceptions["payout_exceptions"], "rows_wrong": exceptions["balance_exceptions"]}
    counts |= {f"bank_{outcome}": number for outcome, number in at_bank.items()}
    counts |= {"unknown_rows": sum(unknown.values())}
    counts |= {f"unknown: {words}": number for words, number in unknown.items()}
    rows = sum(row["payouts"] for row in totals)
    return ResultSummary("payouts", rows, changes, counts, totals, worst, taken_over)


def _compute_payouts(conn: psycopg.Connection[Any], providers: Providers, banks: Banks, today: date) -> Changes:
    stages = {table: Stage(conn, table) for table in TABLES}
    legs = bank_legs(conn, providers, banks)
    for one in providers.values():
        proofs = balance_proofs(one.name, balances.snapshots(conn, one.name), balances.unproven_days(conn, one.name))
        stages["balance_proofs"].add_rows(proofs)
        with working_tables(conn):
            told = _stage_payouts(conn, one, _source(one, providers), legs, stages)
            _stage_loose_rows(conn, one, proofs, told, stages["balance_exceptions"])
    changes = merge_stages(providers, *stages.values())
    note_computed(conn, "payouts", list(providers), today)
    return changes


def _stage_payouts(
    conn: psycopg.Connection[Any],
    one: ProviderConnection,
    source: ChargeSource,
    legs: Mapping[tuple[str, str], BankLeg],
    stages: Mapping[str, Stage],
) -> set[str]:
    """Stage the payouts of one connection with their lines and exceptions; returns the rows that explain gaps."""
    payouts.lay_out_payouts(conn, source, one.cutover)
    facts = payouts.payouts(conn, one.name)
    explained = _explained(conn, one.name, rules.gaps_of(facts))
    for lines in payouts.lines(conn, one.name):
        stages["payout_lines"].add_rows(lines)
    exceptions = stages["payout_exceptions"]
    exceptions.add_rows(rules.exceptions_of_payouts(one.name, facts, explained))
    for items in payouts.suspects(conn, one.name, one.cutover):
        exceptions.add_rows(rules.exceptions_of_items(one.name, source.ledger, items))
    exceptions.add_rows(rules.exceptions_of_bank(one.name, facts, legs))
    named = (
        (payout, explained.get(payout.source_id, ()), legs.get((one.name, payout.source_id), NOT_COMPARED))
        for payout in facts
    )
    stages["payouts"].add_rows(rules.payout_row(one.name, source.ledger, *each) for each in named)
    return {found.source_id for of_payout in explained.values() for found in of_payout}


def _stage_loose_rows(
    conn: psycopg.Connection[Any],
    one: ProviderConnection,
    proofs: Sequence[BalanceProof],
    told: Collection[str],
    exceptions: Stage,
) -> None:
    """Stage what is wrong with the rows of the balance that no compared payout holds; `told` are told of already."""
    exceptions.add_rows(
        loose_rules.exceptions_of_altered(one.name, loose_rows.altered_rows(conn, one.name, one.cutover))
    )
    proven = {proof.currency_iso for proof in proofs}
    doubled, missing = loose_rows.doubled_and_missing_rows(conn, one.name, differing(proofs), proven, told)
    exceptions.add_rows(loose_rules.exceptions_of_doubled(one.name, doubled))
    exceptions.add_rows(loose_rules.exceptions_of_missing(one.name, missing))


def _explained(conn: psycopg.Connection[Any], connection: str, gaps: Sequence[Gap]) -> rules.Explanations:
    """Return by payout what explains its gap: one row, else two together, else one that is a guess."""
    alone = payout_gaps.explanations(conn, connection, gaps)
    certain = {payout: (found,) for payout, found in alone.items() if found.is_exact}
    left = [gap for gap in gaps if gap.payout_source_id not in certain]
    sure = [found for (found,) in certain.values()]
    together = pairs(left, payout_gaps.candidates(conn, connection, left), sure) if left else {}
    return {payout: (found,) for payout, found in alone.items()} | together | certain


def _source(one: ProviderConnection, providers: Providers) -> ChargeSource:
    if one.ledger is None:
        raise ValueError(f"Connection {one.name} serves no ledger: its charges cannot be compared with payments.")
    others = tuple(other.name for other in providers.values() if other.ledger == one.ledger and other.name != one.name)
    return ChargeSource(one.name, one.ledger, one.payout_charge_id_field, others)


def _count(totals: Iterable[Mapping[str, Any]], outcome: str, counted: str) -> int:
    return sum(row[counted] for row in totals if row["outcome"] == outcome)
