"""The cases and the quiet changes of the sandbox's Stripe accounts come out as they were worked out there."""

from __future__ import annotations

from itertools import combinations

from kolleno_pipelines.sandbox.stripe.cases import CASES
from kolleno_pipelines.sandbox.stripe.reading import Tamper
from kolleno_pipelines.sandbox.stripe.scenes import NOW, Case
from kolleno_pipelines.sandbox.stripe.tampers import tampers, together
from tests.provider_rows import Provider, charge_outcomes, exceptions, payout_outcomes, reconcile
from tests.receivables_rows import rows
from tests.stripe_cases import fold_case

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
        broken = [one for one in charge_outcomes(database, name).values() if one in _BROKEN]
        assert broken == (["refund_not_in_ledger"] if name == "partial_refunds" else []), name


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
