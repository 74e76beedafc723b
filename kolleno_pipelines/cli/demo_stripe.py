"""The demo's account at the simulated Stripe: what happens in it, and the error planted there. It compares nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kolleno_pipelines.cli.demo_company import Dropped
from kolleno_pipelines.sandbox.stripe import tampers, treasury
from kolleno_pipelines.sandbox.stripe.filling import Filling
from kolleno_pipelines.sandbox.stripe.reading import Tamper


class PlantedError(NamedTuple):
    """A fee that Stripe states one cent too high: the change of its answers, and the payout that has the item."""

    tamper: Tamper
    payout: str

    @property
    def item(self) -> str:
        """The row of the balance whose fee it is."""
        return self.tamper.item


def account_of(dropped: Dropped, ledger_ids: Mapping[tuple[str, str], str] | None = None) -> Filling:
    """Return the account that took the company's payments, as it is after the company's last batch.

    ledger_ids: as of Filling.
    """
    filling = Filling(dropped.company, ledger_ids, terms=treasury.HELD)
    treasury.plan(filling.ledger, filling.taken, dropped.today)
    filling.advance()
    return filling


def planted_error(dropped: Dropped, account: Filling) -> PlantedError | None:
    """Return what is planted in the account, None where nothing is; the account is that of after the last batch."""
    if dropped.planted is None:
        return None
    ledger = account.ledger
    tamper = tampers.change_fee(ledger, ledger.now)
    return PlantedError(tamper, next(payout for payout, rows in ledger.members.items() if tamper.item in rows))
