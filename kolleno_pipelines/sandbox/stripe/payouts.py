"""Payouts of an account: the daily automatic ones with their members, manual and instant ones, failures. No charges."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from kolleno_pipelines.sandbox.stripe import balance_objects
from kolleno_pipelines.sandbox.stripe.book import Json, Kind, stamp
from kolleno_pipelines.sandbox.stripe.charging import RefusedError
from kolleno_pipelines.sandbox.stripe.identities import object_id
from kolleno_pipelines.sandbox.stripe.ledger import Entry, Ledger, Terms, working_days_after
from kolleno_pipelines.sandbox.stripe.money import rounded, step

PAYOUT_HOUR = 2
ON_ITS_WAY, RECONCILED = timedelta(hours=2), timedelta(hours=6)
INSTANT_PERCENT, INSTANT_LEAST = Decimal("1.5"), 50
FAILURE_CODES = frozenset(
    {
        *("account_closed", "account_frozen", "bank_account_restricted", "bank_ownership_changed"),
        *("could_not_process", "debit_not_authorized", "declined", "insufficient_funds", "invalid_account_number"),
        *("incorrect_account_holder_name", "incorrect_account_holder_address", "incorrect_account_holder_tax_id"),
        *("invalid_currency", "no_account", "unsupported_card"),
    }
)


def open_account(name: str, opened: datetime, terms: Terms | None = None) -> Ledger:
    """Open an account; its automatic payouts, where its terms have them, go out on every working day."""
    ledger = Ledger(name, opened, terms)
    if ledger.terms.automatic:
        _on_the_next_day(ledger, ledger.now)
    return ledger


def bank_account(ledger: Ledger, currency: str) -> str:
    """Return the id of the bank account to which a currency is paid out."""
    return object_id("ba", f"{ledger.name}/{currency}")


def _on_the_next_day(ledger: Ledger, at: datetime) -> None:
    ledger.later(working_days_after(at, 1).replace(hour=PAYOUT_HOUR), partial(_daily, ledger))


def _daily(ledger: Ledger, at: datetime) -> None:
    for currency in sorted(ledger.terms.settles):
        pay_out_available(ledger, at, currency)
    _on_the_next_day(ledger, at)


def pay_out_available(ledger: Ledger, at: datetime, currency: str) -> Json | None:
    """Pay out what is available of a currency, or take from the bank what is missing; None where there is nothing.

    What the minimum balance holds back is a negative member of the payout, and returns to the balance at once.
    """
    chosen = [each for each in ledger.unsettled if each.currency == currency and each.available_on <= at]
    total = sum(each.net for each in chosen)
    held = ledger.terms.minimum.get(currency, 0)
    if total == 0 or 0 < total <= held:
        return None
    if total > held > 0:
        ledger.enter(at, "payout_minimum_balance_hold", -held, currency)
        chosen.append(ledger.unsettled[-1])
        total -= held
    arrival = working_days_after(at, 1)
    made = _send(ledger, at, total, currency, arrival=arrival, automatic=True)
    _settle(ledger, made, chosen)
    if made["amount"] > 0 and held:
        ledger.enter(at, "payout_minimum_balance_release", held, currency)
    ledger.later(at + ON_ITS_WAY, partial(_on_its_way, ledger, made["id"]))
    ledger.later(at + RECONCILED, partial(_reconciled, ledger, made["id"]))
    ledger.later(arrival.replace(hour=9), partial(_paid, ledger, made["id"]))
    return made


def _settle(ledger: Ledger, made: Json, chosen: list[Entry]) -> None:
    """Note which transactions an automatic payout consists of: no later one has them again, nor its own."""
    ids = tuple(each.id for each in chosen)
    ledger.members[made["id"]] = ids
    gone = {*ids, made["balance_transaction"]}
    ledger.unsettled = [each for each in ledger.unsettled if each.id not in gone]


def _send(
    ledger: Ledger, at: datetime, amount: int, currency: str, *, arrival: datetime, automatic: bool, **more: object
) -> Json:
    identity = ledger.next_id("po")
    entry = ledger.enter(at, "payout", -amount, currency, source=identity, description="STRIPE PAYOUT")
    told = {"balance_transaction": entry["id"], "destination": bank_account(ledger, currency), **more}
    made = balance_objects.payout(
        identity, amount, currency, stamp(at), arrival=stamp(arrival), livemode=ledger.terms.livemode, more=told
    )
    if not automatic:
        made |= {"automatic": False, "reconciliation_status": "not_applicable"}
    return ledger.write(made, Kind.PAYOUTS, at, "payout.created")


def pay_out(
    ledger: Ledger,
    at: datetime,
    amount: int,
    currency: str,
    *,
    instant: bool = False,
    description: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Json:
    """Pay an amount out by hand; an instant one has its fee in a transaction of its own and arrives within minutes.

    Nobody can say what such a payout consists of: its own row is one of the next automatic payout.
    """
    at = ledger.advance(at)
    fee = max(INSTANT_LEAST, rounded(Decimal(amount) * INSTANT_PERCENT / 100, currency)) if instant else 0
    available = ledger.balance(at)[currency].available if currency in ledger.terms.settles else 0
    if amount <= 0 or amount % step(currency):
        raise RefusedError("parameter_invalid_integer", f"Invalid amount: {amount}", "amount")
    if amount + fee > available:
        raise RefusedError("balance_insufficient", "You have insufficient funds for this payout.", "amount")
    arrival = at + timedelta(minutes=30) if instant else working_days_after(at, 1)
    more: Json = {"method": "instant" if instant else "standard", "metadata": dict(metadata or {})}
    made = _send(ledger, at, amount, currency, arrival=arrival, automatic=False, description=description, **more)
    if fee:
        ledger.enter(at, "stripe_fee", -fee, currency, description=f"Instant payout fee for {made['id']}")
    ledger.later(at + (timedelta(minutes=5) if instant else ON_ITS_WAY), partial(_on_its_way, ledger, made["id"]))
    ledger.later(arrival if instant else arrival.replace(hour=9), partial(_paid, ledger, made["id"]))
    return made


def _on_its_way(ledger: Ledger, payout_id: str, at: datetime) -> None:
    if ledger.book.latest(payout_id)["status"] == "pending":
        ledger.change(payout_id, Kind.PAYOUTS, at, "payout.updated", status="in_transit")


def _reconciled(ledger: Ledger, payout_id: str, at: datetime) -> None:
    told = ("payout.updated", "payout.reconciliation_completed")
    ledger.change(payout_id, Kind.PAYOUTS, at, *told, reconciliation_status="completed")


def _paid(ledger: Ledger, payout_id: str, at: datetime) -> None:
    if ledger.book.latest(payout_id)["status"] in {"pending", "in_transit"}:
        value = object_id("x", payout_id)[2:18].upper() if ledger.terms.trace == "supported" else None
        trace = {"status": ledger.terms.trace, "value": value}
        ledger.change(payout_id, Kind.PAYOUTS, at, "payout.paid", status="paid", trace_id=trace)


def fail_payout(ledger: Ledger, at: datetime, payout_id: str, code: str = "account_closed") -> Json:
    """Let the bank send a payout back, also one that shows as paid: its amount returns to the balance."""
    if code not in FAILURE_CODES:
        message = f"Stripe has no payout failure {code}."
        raise ValueError(message)
    failed = {"failure_code": code, "failure_message": "The bank returned the payout."}
    return _return(ledger, at, payout_id, "failed", failed)


def cancel_payout(ledger: Ledger, at: datetime, payout_id: str) -> Json:
    """Take a payout back that is not on its way yet."""
    if ledger.book.latest(payout_id)["status"] != "pending":
        raise RefusedError("payout_not_pending", f"Payout {payout_id} is on its way already.")
    return _return(ledger, at, payout_id, "canceled", {})


def _return(ledger: Ledger, at: datetime, payout_id: str, status: str, changes: Mapping[str, str]) -> Json:
    at = ledger.advance(at)
    made = ledger.book.latest(payout_id)
    if made["status"] in {"failed", "canceled"}:
        raise RefusedError("payout_ended", f"Payout {payout_id} is {made['status']}.")
    kind = "payout_failure" if status == "failed" else "payout_cancel"
    entry = ledger.enter(at, kind, made["amount"], made["currency"], source=payout_id)
    more = {**changes, "status": status, "failure_balance_transaction": entry["id"]}
    more["trace_id"] = {"status": "unsupported", "value": None} if status == "canceled" else made["trace_id"]
    return ledger.change(payout_id, Kind.PAYOUTS, at, f"payout.{status}", **more)


def members_of(ledger: Ledger, payout_id: str, now: datetime) -> list[Json]:
    """Return what Stripe says a payout consists of, its own row first; while in progress only the first half."""
    made = ledger.book.get(payout_id, now)
    if made is None or not made["automatic"]:
        return []
    ids = ledger.members[payout_id]
    if made["reconciliation_status"] != "completed":
        ids = ids[: len(ids) // 2]
    found = [ledger.book.get(each, now) for each in (made["balance_transaction"], *ids)]
    return [each for each in found if each is not None]
