"""The cases and the quiet changes of the sandbox's bank come out as they were worked out, in any order of files."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import pytest

from kolleno_pipelines.sandbox.bank.cases import CASES
from kolleno_pipelines.sandbox.bank.files import File
from kolleno_pipelines.sandbox.bank.scenes import BankCase
from kolleno_pipelines.sandbox.bank.tampers import tampers
from tests.bank_cases import Bank, bank_exceptions, bank_outcomes, fold_files
from tests.provider_rows import Provider, reconcile
from tests.receivables_rows import rows
from tests.stripe_cases import fold_payouts


def fold(url: str, name: str, case: BankCase, files: Iterable[File] | None = None, *, at_once: bool = True) -> None:
    """Put an account's payouts and the bank's files."""
    fold_payouts(url, name, case.stripe, now=case.until)
    told = case.files if files is None else files
    assert fold_files(url, f"{name}_bank", f"{name}_qb", told, at_once=at_once) == []


def judge(url: str, names: Iterable[str]) -> None:
    named = list(names)
    providers = [Provider(name, f"{name}_qb") for name in named]
    reconcile(url, *providers, banks=[Bank(f"{name}_bank", f"{name}_qb") for name in named])


def test_each_payout_has_its_outcome_at_the_bank(database: str) -> None:
    cases = {name: play() for name, play in CASES.items()}
    for name, case in cases.items():
        fold(database, name, case)
    judge(database, cases)
    wrong = {}
    for name, case in cases.items():
        found, expected = bank_outcomes(database, name), {key: tuple(one) for key, one in case.expected.items()}
        if found != expected:
            wrong[name] = (found, expected, bank_exceptions(database, name))
    assert wrong == {}
    taken = (
        "SELECT bank_connection, bank_line_source_id FROM reconciliation.payouts WHERE bank_line_source_id IS NOT NULL"
    )
    assert rows(database, f"{taken} GROUP BY 1, 2 HAVING count(*) > 1") == [], "a line stands for one payout"


def test_what_the_bank_quietly_changes_is_named_and_proves_nothing_else(database: str) -> None:
    case = CASES["two_accounts_in_one_file"]()
    (payout,) = case.stripe.payouts
    made = tampers(case.messages, payout)
    for tamper in made:
        fold(database, tamper.name, case, tamper.files)
    judge(database, [tamper.name for tamper in made])
    assert {tamper.name: bank_outcomes(database, tamper.name) for tamper in made} == {
        tamper.name: {payout: tuple(tamper.outcome)} for tamper in made
    }
    told = {tamper.name: bank_exceptions(database, tamper.name) for tamper in made}
    assert {name: [one[:2] for one in found] for name, found in told.items()} == {
        "drop_line": [(payout, "no_bank_line")],
        "cut_line": [],
        "alter_amount": [(payout, "bank_amount")],
        "double_line": [(payout, "bank_doubled")],
        "turn_sign": [(payout, "bank_amount")],
        "move_line": [(payout, "bank_currency")],
    }


@pytest.mark.nightly
def test_files_may_come_in_any_order_and_twice(database: str) -> None:
    case = CASES["notified_first"]()
    orders = {"in_order": list(case.files), "reversed": list(case.files)[::-1], "twice": [*case.files, *case.files]}
    mixed = list(case.files)
    Random(3).shuffle(mixed)
    orders["mixed"] = mixed
    for name, files in orders.items():
        fold(database, name, case, files, at_once=False)
    judge(database, orders)
    kept = {name: _without_trace(database, f"{name}_bank") for name in orders}
    assert all(found == kept["in_order"] for found in kept.values())
    expected = {payout: tuple(one) for payout, one in case.expected.items()}
    assert all(bank_outcomes(database, name) == expected for name in orders)


def _without_trace(url: str, connection: str) -> list[tuple[object, ...]]:
    """Every column of the lines but those that tell of the run."""
    told = "to_jsonb(l) - 'connection' - 'loaded_at' - 'origin' - 'observed_at'"
    query = f"SELECT {told} FROM receivables.bank_lines l WHERE connection = %s ORDER BY source_id"
    return rows(url, query, connection)
