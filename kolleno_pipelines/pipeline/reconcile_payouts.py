"""Compares a payment provider with itself and with the ledger that it serves, and stores what comes out.

What the figures mean is in rules/charges.py, rules/payouts.py and rules/balance_proof.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg

from kolleno_pipelines.pipeline.reconciled import ProviderConnection, Providers
from kolleno_pipelines.pipeline.result_summary import WORST, ResultSummary, merge_stages
from kolleno_pipelines.rules import payouts as rules
from kolleno_pipelines.rules.balance_proof import balance_proofs
from kolleno_pipelines.rules.charges import charge_rows
from kolleno_pipelines.schemas.payout_words import ChargeOutcome, PayoutOutcome, ProofOutcome
from kolleno_pipelines.schemas.payouts import BalanceProof, PayoutRow
from kolleno_pipelines.storage import balance_proofs as balances
from kolleno_pipelines.storage import charges, failpoints, payout_gaps, payouts, result_rows
from kolleno_pipelines.storage.charges import ChargeSource
from kolleno_pipelines.storage.results import Stage, note_computed, result_transaction

TABLES = ("payouts", "payout_lines", "payout_exceptions", "balance_proofs")


def reconcile_charges(database_url: str, providers: Providers, today: date) -> ResultSummary:
    """Find for every charge the ledger's payments that stand for it, and tell whether they show its money."""
    counts: Counter[str] = Counter()
    with result_transaction(database_url, ("charges",)) as conn:
        staged = Stage(conn, "charges")
        for one in providers.values():
            charges.lay_out_charges(conn, _source(one))
            for part in charges.charge_facts(conn):
                rows = charge_rows(one.name, one.ledger, part, one.cutover)
                counts.update(str(outcome) for outcome in rows["outcome"].to_pylist())
                staged.add_table(rows)
        changes = merge_stages(providers, staged)
        note_computed(conn, "charges", list(providers), today)
        totals = result_rows.charge_totals(conn, list(providers))
        worst = result_rows.red_rows(conn, "charges", list(providers), limit=WORST)
        failpoints.reach("reconcile_charges")
    by_outcome = {outcome.value: counts[outcome.value] for outcome in ChargeOutcome}
    return ResultSummary("charges", staged.rows, changes, by_outcome, totals, worst)


def reconcile_payouts(database_url: str, providers: Providers, today: date) -> ResultSummary:
    """Compare every payout with its items and these with the ledger, and prove the balance by its snapshots."""
    rows: list[PayoutRow] = []
    proofs: list[BalanceProof] = []
    unknown: dict[str, int] = {}
    with result_transaction(database_url, TABLES) as conn:
        stages = {table: Stage(conn, table) for table in TABLES}
        for one in providers.values():
            rows += _payouts_of(conn, one, stages)
            found = balances.snapshots(conn, one.name)
            proofs += balance_proofs(one.name, found, balances.unproven_days(conn, one.name))
            unknown |= {
                f"{one.name} {words}": number for words, number in payouts.unknown_words(conn, one.name).items()
            }
        stages["payouts"].add_rows(rows)
        stages["balance_proofs"].add_rows(proofs)
        changes = merge_stages(providers, *stages.values())
        note_computed(conn, "payouts", list(providers), today)
        worst = result_rows.red_rows(conn, "payout_exceptions", list(providers), limit=WORST)
        failpoints.reach("reconcile_payouts")
    counts = _counts(rows, proofs) | {"exceptions": stages["payout_exceptions"].rows}
    counts |= {"unknown_rows": sum(unknown.values())} | {
        f"unknown: {words}": number for words, number in unknown.items()
    }
    return ResultSummary("payouts", len(rows), changes, counts, _sums(rows), worst)


def _payouts_of(conn: psycopg.Connection[Any], one: ProviderConnection, stages: Mapping[str, Stage]) -> list[PayoutRow]:
    """Stage the lines and exceptions of one connection, and return its payouts."""
    payouts.lay_out_payouts(conn, _source(one), one.cutover)
    facts = payouts.payouts(conn, one.name)
    gaps = rules.gaps_of(facts)
    explained = {found.payout_source_id: found for found in payout_gaps.explanations(conn, one.name, gaps)}
    for lines in payouts.lines(conn, one.name):
        stages["payout_lines"].add_rows(lines)
    exceptions = stages["payout_exceptions"]
    exceptions.add_rows(rules.exceptions_of_payouts(one.name, facts, explained))
    for items in payouts.suspects(conn, one.name, one.cutover):
        exceptions.add_rows(rules.exceptions_of_items(one.name, one.ledger, items))
    return [rules.payout_row(one.name, one.ledger, payout, explained.get(payout.source_id)) for payout in facts]


def _source(one: ProviderConnection) -> ChargeSource:
    return ChargeSource(one.name, one.ledger, one.payout_charge_id_field)


def _counts(rows: Iterable[PayoutRow], proofs: Iterable[BalanceProof]) -> dict[str, int]:
    outcomes = Counter(row.outcome for row in rows)
    proven = Counter(proof.outcome for proof in proofs)
    counts = {outcome.value: outcomes[outcome.value] for outcome in PayoutOutcome}
    return counts | {f"balance_{outcome.value}": proven[outcome.value] for outcome in ProofOutcome}


def _sums(rows: Iterable[PayoutRow]) -> list[dict[str, object]]:
    """Return per connection, currency and outcome how many payouts there are, and what they come to."""
    sums: dict[tuple[str, str, str], tuple[int, Decimal]] = {}
    for row in rows:
        key = (row.connection, row.currency_iso, row.outcome)
        number, amount = sums.get(key, (0, Decimal(0)))
        sums[key] = (number + 1, amount + row.amount)
    return [
        {"connection": connection, "currency_iso": currency, "outcome": outcome, "payouts": number, "amount": amount}
        for (connection, currency, outcome), (number, amount) in sorted(sums.items())
    ]
