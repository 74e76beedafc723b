"""The cases and the quiet changes of the sandbox's Stripe accounts come out as they were worked out there."""

from __future__ import annotations

from kolleno_pipelines.sandbox.stripe.cases import CASES
from kolleno_pipelines.sandbox.stripe.reading import Tamper
from kolleno_pipelines.sandbox.stripe.scenes import NOW, Case
from kolleno_pipelines.sandbox.stripe.tampers import tampers
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
        told = exceptions(database, tamper.name)
        named = {one for exception in told for one in (exception[0], exception[2])}
        charges = rows(
            database,
            "SELECT charge_source_id FROM reconciliation.payout_exceptions WHERE connection = %s",
            tamper.name,
        )
        assert tamper.item in named | {row[0] for row in charges}, (tamper.story, told)
