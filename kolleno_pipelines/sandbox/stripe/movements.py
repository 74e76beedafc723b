"""What else moves a balance: Stripe's bills, taxes, top-ups, transfers, reserves, corrections. Nothing of customers."""

from __future__ import annotations

from datetime import datetime

from kolleno_pipelines.sandbox.stripe import balance_objects
from kolleno_pipelines.sandbox.stripe.book import Json, Kind, stamp
from kolleno_pipelines.sandbox.stripe.categories import UNKNOWN_TYPE
from kolleno_pipelines.sandbox.stripe.ledger import Ledger


def bill(ledger: Ledger, at: datetime, amount: int, currency: str, description: str = "Billing - usage fee") -> Json:
    """Let Stripe charge for a product."""
    return ledger.enter(ledger.advance(at), "stripe_fee", -amount, currency, description=description)


def tax(ledger: Ledger, at: datetime, amount: int, currency: str) -> Json:
    """Let Stripe charge tax on its fees."""
    return ledger.enter(ledger.advance(at), "tax_fee", -amount, currency, description="Tax on fees")


def adjust(ledger: Ledger, at: datetime, amount: int, currency: str) -> Json:
    """Let Stripe correct the balance, either way."""
    return ledger.enter(ledger.advance(at), "adjustment", amount, currency, description="Adjustment")


def reserve(ledger: Ledger, at: datetime, amount: int, currency: str) -> Json:
    """Hold funds for connected accounts, or with a negative amount give them free."""
    return ledger.enter(ledger.advance(at), "reserved_funds", -amount, currency, description="Reserve")


def unheard_of(ledger: Ledger, at: datetime, amount: int, currency: str) -> Json:
    """Move the balance under a type and category that no list of Stripe's has."""
    return ledger.enter(ledger.advance(at), UNKNOWN_TYPE, amount, currency, description="Network cost")


def top_up(ledger: Ledger, at: datetime, amount: int, currency: str) -> Json:
    """Pay money into the balance; return the top-up."""
    at = ledger.advance(at)
    made = balance_objects.topup(ledger.next_id("tu"), amount, currency, stamp(at), livemode=ledger.terms.livemode)
    made["balance_transaction"] = ledger.enter(at, "topup", amount, currency, source=made["id"])["id"]
    return ledger.write(made, Kind.TOPUPS, at, "topup.created", "topup.succeeded")


def transfer(ledger: Ledger, at: datetime, amount: int, currency: str) -> Json:
    """Send money to a connected account; return the transfer."""
    at = ledger.advance(at)
    made = balance_objects.transfer(ledger.next_id("tr"), amount, currency, stamp(at), livemode=ledger.terms.livemode)
    made["balance_transaction"] = ledger.enter(at, "transfer", -amount, currency, source=made["id"])["id"]
    return ledger.write(made, Kind.TRANSFERS, at, "transfer.created")
