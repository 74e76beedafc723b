"""The cases and the quiet changes of the sandbox's bank come out as they were worked out there."""

from __future__ import annotations

from kolleno_pipelines.sandbox.bank.cases import CASES
from kolleno_pipelines.sandbox.bank.scenes import BankCase
from tests.bank_cases import Bank, bank_exceptions, bank_outcomes, fold_files
from tests.provider_rows import Provider, reconcile
from tests.stripe_cases import fold_case


def fold(url: str, name: str, case: BankCase) -> None:
    """Put an account, the ledger that it serves, and the bank's files."""
    fold_case(url, name, case.stripe, now=case.until)
    assert fold_files(url, f"{name}_bank", f"{name}_qb", case.files) == []


def test_each_payout_has_its_outcome_at_the_bank(database: str) -> None:
    cases = {name: play() for name, play in CASES.items()}
    for name, case in cases.items():
        fold(database, name, case)
    banks = [Bank(f"{name}_bank", f"{name}_qb") for name in cases]
    reconcile(database, *(Provider(name, f"{name}_qb") for name in cases), banks=banks)
    wrong = {}
    for name, case in cases.items():
        found, expected = bank_outcomes(database, name), {key: tuple(one) for key, one in case.expected.items()}
        if found != expected:
            wrong[name] = (found, expected, bank_exceptions(database, name))
    assert wrong == {}
