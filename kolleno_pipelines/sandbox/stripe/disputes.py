"""Disputes of charges: money taken with a fee in one transaction, given back when won. Inquiries move none."""

from __future__ import annotations

from datetime import datetime

from kolleno_pipelines.sandbox.stripe import balance_objects, objects
from kolleno_pipelines.sandbox.stripe.book import Json, Kind, stamp
from kolleno_pipelines.sandbox.stripe.categories import DISPUTE, DISPUTE_REVERSAL
from kolleno_pipelines.sandbox.stripe.charging import RefusedError, entry_of, rate_of_entry, share
from kolleno_pipelines.sandbox.stripe.ledger import Ledger

#: A bank's reasons for giving a debit back; nobody can answer those.
BANK_REASONS = frozenset({"insufficient_funds", "incorrect_account_details", "bank_cannot_process"})


def open_dispute(
    ledger: Ledger,
    at: datetime,
    charge_id: str,
    amount: int | None = None,
    *,
    reason: str = "fraudulent",
    inquiry: bool = False,
    fee: int | None = None,
) -> Json:
    """Let a customer, or for a debit their bank, dispute a charge or a part of it; return the dispute.

    fee: in minor units of the balance, the account's terms when None. A dispute by the bank is lost at once.
    """
    at = ledger.advance(at)
    charged = ledger.book.latest(charge_id)
    start = charged["amount_refunded"]
    wanted = charged["amount"] - start if amount is None else amount
    if charged["status"] != "succeeded" or charged["disputed"] or not 0 < wanted <= charged["amount"] - start:
        raise RefusedError("charge_not_disputable", f"{wanted} of charge {charge_id} cannot be disputed now.")
    identity = ledger.next_id("dp")
    entries = []
    if not inquiry:
        taken = share(entry_of(ledger, charged), charged, start, start + wanted)
        cost = ledger.terms.dispute_fee if fee is None else fee
        entries = [_entry(ledger, at, identity, charged, -taken, cost, DISPUTE)]
    status = "warning_needs_response" if inquiry else "lost" if reason in BANK_REASONS else "needs_response"
    made = _dispute(ledger, at, identity, charged, wanted)
    made |= {"balance_transactions": entries, "is_charge_refundable": inquiry, "reason": reason, "status": status}
    told = ["charge.dispute.created", *(["charge.dispute.funds_withdrawn"] if entries else [])]
    ledger.write(made, Kind.DISPUTES, at, *told, *(["charge.dispute.closed"] if status == "lost" else []))
    if not inquiry:
        ledger.change(charge_id, Kind.CHARGES, at, disputed=True)  # which no event of the charge tells
    return made


def _dispute(ledger: Ledger, at: datetime, identity: str, charged: Json, amount: int) -> Json:
    """A new dispute of a charge, of which nothing is known yet."""
    return objects.dispute(
        identity,
        amount,
        charged["currency"],
        stamp(at),
        method=charged["payment_method_details"]["type"],
        livemode=ledger.terms.livemode,
        more={"charge": charged["id"], "payment_intent": charged["payment_intent"]},
    )


def close_dispute(ledger: Ledger, at: datetime, dispute_id: str, *, won: bool, fee_back: bool = True) -> Json:
    """End a dispute: won, the amount returns, with its fee where `fee_back`; an inquiry ends without a winner."""
    at = ledger.advance(at)
    made = ledger.book.latest(dispute_id)
    if made["status"] not in {"needs_response", "under_review", "warning_needs_response", "warning_under_review"}:
        raise RefusedError("dispute_closed", f"Dispute {dispute_id} is {made['status']}.")
    if made["status"].startswith("warning"):
        return ledger.change(dispute_id, Kind.DISPUTES, at, "charge.dispute.closed", status="warning_closed")
    entries = list(made["balance_transactions"])
    told = ["charge.dispute.closed"]
    if won:
        charged, taken = ledger.book.latest(made["charge"]), entries[0]
        cost = -taken["fee"] if fee_back else 0
        entries.append(_entry(ledger, at, dispute_id, charged, -taken["amount"], cost, DISPUTE_REVERSAL))
        told.append("charge.dispute.funds_reinstated")
    changes = {"status": "won" if won else "lost", "balance_transactions": entries}
    return ledger.change(dispute_id, Kind.DISPUTES, at, *told, **changes)


def _entry(ledger: Ledger, at: datetime, dispute_id: str, charged: Json, amount: int, cost: int, category: str) -> Json:
    before = entry_of(ledger, charged)
    currency = before["currency"]
    fees = [balance_objects.fee_detail(cost, currency, "stripe_fee", "Dispute fee")] if cost else []
    return ledger.enter(
        at,
        "adjustment",
        amount,
        currency,
        source=dispute_id,
        fees=fees,
        category=category,
        description=f"{'Chargeback withdrawal' if amount < 0 else 'Chargeback reversal'} for {charged['id']}",
        rate=rate_of_entry(before),
    )
