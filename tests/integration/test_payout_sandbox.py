"""The cases and the quiet changes of the sandbox's Stripe accounts come out as they were worked out there."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import combinations

import pytest

from kolleno_pipelines.sandbox.stripe.book import moment_of
from kolleno_pipelines.sandbox.stripe.cases import CASES
from kolleno_pipelines.sandbox.stripe.reading import Tamper
from kolleno_pipelines.sandbox.stripe.scenes import NOW, Case
from kolleno_pipelines.sandbox.stripe.tampers import tampers, together
from tests.provider_rows import Provider, charge_outcomes, exceptions, payout_outcomes, reconcile
from tests.receivables_rows import rows
from tests.stripe_cases import fold_case

#: Changes of payouts, or of what the ledger is compared with.
_OF_PAYOUTS = {"move_row", "alter_payout", "strip_metadata"}
#: What the ledger still shows as applied though it went back: the cases name it by the payment that is unapplied.
_BROKEN = ("refund_not_in_ledger", "dispute_not_in_ledger", "failure_not_in_ledger", "failed_but_paid")


def test_each_payout_has_its_outcome(database: str) -> None:
    cases = {name: play() for name, play in CASES.items()}
    for name, case in cases.items():
        fold_case(database, name, case, _with_surcharge(case) if name == "surcharge" else None)
    reconcile(
        database,
        *(Provider(name, f"{name}_qb", case.cut_over, "extra.charge") for name, case in cases.items()),
    )
    for name, case in cases.items():
        found = {payout: told[0] for payout, told in payout_outcomes(database, name).items()}
        assert found == {payout: figures.outcome for payout, figures in case.payouts.items()}, name
        if case.tamper is None:
            proofs, wrong = _balance(database, name)
            assert (proofs - {"no_snapshot"}, wrong) == ({"tied"}, []), name
        broken = [one for one in charge_outcomes(database, name).values() if one in _BROKEN]
        assert broken == (["refund_not_in_ledger"] if name == "partial_refunds" else []), name


def _balance(url: str, connection: str) -> tuple[set[object], list[tuple[object, ...]]]:
    """Outcomes of the proofs of an account's balance, and which of its rows that no compared payout holds are wrong."""
    proofs = rows(url, "SELECT outcome FROM reconciliation.balance_proofs WHERE connection = %s", connection)
    wrong = (
        "SELECT code, balance_transaction_source_id, charge_source_id, evidence FROM reconciliation.balance_exceptions"
    )
    return {one[0] for one in proofs}, rows(url, f"{wrong} WHERE connection = %s", connection)


def _with_surcharge(case: Case) -> Tamper:
    """Let the charge's metadata name the surcharge, as the platform does."""
    charge = case.ledger.book.latest(case.ids["charge"])
    told = {charge["id"]: {"metadata": {**charge["metadata"], "surcharge": "2.75"}}}
    return Tamper("surcharge", "2.75 of it is surcharge", charge["id"], told)


def test_what_is_changed_quietly_is_named(database: str) -> None:
    case = CASES["dispute_won"]()
    made = tampers(case.ledger, NOW)
    for tamper in made:
        fold_case(database, tamper.name, case, tamper)
    reconcile(database, *(Provider(tamper.name, f"{tamper.name}_qb") for tamper in made))
    for tamper in made:
        assert tamper.item in _named(database, tamper.name), (tamper.story, exceptions(database, tamper.name))


def test_what_is_changed_quietly_before_its_payout_is_named(database: str) -> None:
    """Read an hour after the charge, when no payout has its row yet; what is said of payouts is not said then."""
    case = CASES["dispute_won"]()
    made = [each for each in tampers(case.ledger, NOW) if each.name not in _OF_PAYOUTS]
    for tamper in made:
        fold_case(database, tamper.name, case, tamper, now=_taken_at(case) + timedelta(hours=1))
    reconcile(database, *(Provider(tamper.name, f"{tamper.name}_qb") for tamper in made))
    assert rows(database, "SELECT FROM reconciliation.payouts") == []
    for tamper in made:
        _, wrong = _balance(database, tamper.name)
        named = [told for told in wrong if tamper.item in str(told)]
        assert named, (tamper.story, wrong)
    assert [each.name for each in made] == ["alter_row", "change_fee", "drop_row", "double_row", "alter_charge"]


def _taken_at(case: Case) -> datetime:
    """The moment of the newest row that the tampers of charges change."""
    rows = [case.ledger.book.get(each, NOW) for each in tampers(case.ledger, NOW)[0].altered]
    return max(moment_of(row["created"]) for row in rows if row is not None)


@pytest.mark.nightly
def test_two_quiet_changes_at_once_are_both_named(database: str) -> None:
    """Of two charges of one payout, each changed in another way; those that change payouts change two of them."""
    case = CASES["dispute_won"]()
    made = zip(tampers(case.ledger, NOW), tampers(case.ledger, NOW, 1), strict=True)
    names = {f"{one.name}_{other.name}": (one, other) for (one, _), (_, other) in combinations(made, 2)}
    for name, pair in names.items():
        fold_case(database, name, case, together(*pair))
    reconcile(database, *(Provider(name, f"{name}_qb") for name in names))
    missed = [
        (tamper.item, first.story, second.story, exceptions(database, name))
        for name, (first, second) in names.items()
        for tamper in (first, second)
        if tamper.item not in _named(database, name)
    ]
    assert missed == []


def _named(url: str, connection: str) -> set[object]:
    """Payouts, items and charges that the exceptions of an account name."""
    columns = ("payout_source_id", "balance_transaction_source_id", "charge_source_id")
    query = f"SELECT {', '.join(columns)} FROM reconciliation.payout_exceptions WHERE connection = %s"
    return {one for row in rows(url, query, connection) for one in row}
