"""New objects of the account's own money: rows of the balance with their fees, payouts, top-ups, transfers. No sums.

Moments are stamps (`created`), amounts minor units, currencies in lower case.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kolleno_pipelines.sandbox.stripe.book import Json
from kolleno_pipelines.sandbox.stripe.identities import object_id
from kolleno_pipelines.sandbox.stripe.objects import listed, nothing


def balance_transaction(
    identity: str, kind: str, amount: int, fee: int, currency: str, created: int, *, more: Mapping[str, Any]
) -> Json:
    """Return a balance transaction; `net` is what it does to the balance."""
    return {
        "id": identity,
        "object": "balance_transaction",
        "amount": amount,
        "available_on": created,
        "balance_type": "payments",
        "created": created,
        "currency": currency,
        "description": None,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [],
        "net": amount - fee,
        "reporting_category": kind,
        "source": None,
        "status": "available",
        "type": kind,
        **more,
    }


def fee_detail(amount: int, currency: str, kind: str, description: str, application: str | None = None) -> Json:
    """Return one part of a fee."""
    told = {"amount": amount, "application": application, "currency": currency}
    return told | {"description": description, "type": kind}


def payout(
    identity: str, amount: int, currency: str, created: int, *, arrival: int, livemode: bool, more: Mapping[str, Any]
) -> Json:
    """Return an automatic payout to a bank account that is not on its way yet."""
    return {
        **nothing("application_fee", "application_fee_amount", "balance_transaction", "failure_balance_transaction"),
        **nothing("failure_code", "failure_message", "original_payout", "payout_method", "reversed_by"),
        **nothing("statement_descriptor"),
        "id": identity,
        "object": "payout",
        "amount": amount,
        "arrival_date": arrival,
        "automatic": True,
        "created": created,
        "currency": currency,
        "description": "STRIPE PAYOUT",
        "livemode": livemode,
        "metadata": {},
        "method": "standard",
        "reconciliation_status": "in_progress",
        "source_type": "card",
        "status": "pending",
        "trace_id": {"status": "pending", "value": None},
        "type": "bank_account",
        **more,
    }


def topup(identity: str, amount: int, currency: str, created: int, *, livemode: bool) -> Json:
    """Return a top-up that succeeded."""
    return {
        **nothing("balance_transaction", "failure_code", "failure_message", "initiated_by", "source"),
        **nothing("statement_descriptor", "transfer_group"),
        "id": identity,
        "object": "topup",
        "amount": amount,
        "created": created,
        "currency": currency,
        "description": "Top-up",
        "expected_availability_date": created,
        "livemode": livemode,
        "metadata": {},
        "status": "succeeded",
    }


def transfer(identity: str, amount: int, currency: str, created: int, *, livemode: bool) -> Json:
    """Return a transfer to another account."""
    return {
        **nothing("balance_transaction", "description", "source_transaction", "transfer_group"),
        "id": identity,
        "object": "transfer",
        "amount": amount,
        "amount_reversed": 0,
        "created": created,
        "currency": currency,
        "destination": object_id("acct", identity),
        "destination_payment": object_id("py", identity),
        "livemode": livemode,
        "metadata": {},
        "reversals": listed([], f"/v1/transfers/{identity}/reversals"),
        "reversed": False,
        "source_type": "card",
    }
