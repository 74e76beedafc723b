"""Payments and refunds of an account: charges by card and debit, their success, failure and return. No disputes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial

from kolleno_pipelines.sandbox.stripe import balance_objects, objects
from kolleno_pipelines.sandbox.stripe.book import Json, Kind, moment_of, stamp
from kolleno_pipelines.sandbox.stripe.ledger import Ledger, working_days_after
from kolleno_pipelines.sandbox.stripe.money import DEBITS, converted, rate_of, rounded, step

CARD_DAYS, DEBIT_DAYS, REFUND_DAYS = 2, 4, 3


class RefusedError(Exception):
    """Stripe would not do this; `code` is its word for the reason."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param


@dataclass(frozen=True)
class Payment:
    """What is to be charged. amount: minor units. key: makes the ids, so that they can be known before.

    tax and application_fee: further parts of the fee, in minor units of the balance. declined: a decline code.
    """

    amount: int
    currency: str = "usd"
    method: str = "card"
    key: str = ""
    customer: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    description: str | None = None
    international: bool = False
    tax: int = 0
    application_fee: int = 0
    declined: str = ""


def add_customer(ledger: Ledger, at: datetime, *, key: str = "", **more: object) -> Json:
    """Add a customer."""
    at = ledger.advance(at)
    made = objects.customer(ledger.next_id("cus", key), stamp(at), livemode=ledger.terms.livemode, more=more)
    return ledger.write(made, Kind.CUSTOMERS, at, "customer.created")


def delete_customer(ledger: Ledger, at: datetime, identity: str) -> Json:
    """Delete a customer: by its id it is still told, as deleted, and in no list."""
    at = ledger.advance(at)
    gone = {"id": identity, "object": "customer", "deleted": True}
    ledger.tell("customer.deleted", ledger.book.latest(identity), at)
    return ledger.book.put(Kind.CUSTOMERS, gone, at)


def charge(ledger: Ledger, at: datetime, payment: Payment) -> Json:
    """Take a payment: an intent, its charge, and the balance transaction unless it was declined; return the charge."""
    at = ledger.advance(at)
    if payment.amount <= 0 or payment.amount % step(payment.currency):
        raise RefusedError("invalid_charge_amount", "Invalid amount for this currency.", "amount")
    shared = {
        "customer": payment.customer,
        "description": payment.description,
        "metadata": dict(payment.metadata),
    }
    intent_id = ledger.next_id("pi", payment.key)
    charge_id = ledger.next_id("py" if payment.method in DEBITS else "ch", payment.key)
    amount, currency, livemode = payment.amount, payment.currency, ledger.terms.livemode
    intent = objects.payment_intent(
        intent_id, amount, currency, stamp(at), method=payment.method, livemode=livemode, more=shared
    )
    ledger.write(intent, Kind.PAYMENT_INTENTS, at, "payment_intent.created")
    failed = {"code": payment.declined, "message": "Your card was declined."} if payment.declined else None
    more = {**shared, "payment_intent": intent_id}
    made = objects.charge(
        charge_id, amount, currency, stamp(at), method=payment.method, livemode=livemode, failed=failed, more=more
    )
    if not failed:
        made["balance_transaction"] = _take_in(ledger, at, payment, charge_id)["id"]
    ledger.write(made, Kind.CHARGES, at, f"charge.{made['status']}")
    _move_intent(ledger, made, at)
    if made["status"] == "pending":
        settled = partial(_succeed, ledger, charge_id)
        ledger.later(working_days_after(at, DEBIT_DAYS).replace(hour=1), settled)
    return made


def _take_in(ledger: Ledger, at: datetime, payment: Payment, charge_id: str) -> Json:
    """Write the balance transaction of a charge, in the balance's currency, with what Stripe keeps."""
    currency, rate = ledger.terms.settled_in(payment.currency)
    amount = payment.amount if rate is None else converted(payment.amount, payment.currency, currency, rate)
    fee = rate_of(payment.method, currency, international=payment.international).fee(amount, currency)
    fees = [balance_objects.fee_detail(fee, currency, "stripe_fee", "Stripe processing fees")]
    if payment.tax:
        fees.append(balance_objects.fee_detail(payment.tax, currency, "tax", "VAT"))
    if payment.application_fee:
        application = f"ca_{ledger.account_id[5:]}"
        more = balance_objects.fee_detail(
            payment.application_fee, currency, "application_fee", "Application fee", application
        )
        fees.append(more)
    card = payment.method == "card"
    return ledger.enter(
        at,
        "charge" if card else "payment",
        amount,
        currency,
        source=charge_id,
        fees=fees,
        available_on=working_days_after(at, CARD_DAYS if card else DEBIT_DAYS),
        description=payment.description,
        rate=rate,
    )


def _move_intent(ledger: Ledger, charged: Json, at: datetime) -> None:
    """Bring the intent of a charge to the charge's status."""
    status = {"succeeded": "succeeded", "pending": "processing", "failed": "requires_payment_method"}[charged["status"]]
    told = {"requires_payment_method": "payment_failed"}.get(status, status)
    error = None
    if charged["status"] == "failed":
        error = {"code": charged["failure_code"], "message": charged["failure_message"], "type": "card_error"}
        error |= {"charge": charged["id"]}
    ledger.change(
        charged["payment_intent"],
        Kind.PAYMENT_INTENTS,
        at,
        f"payment_intent.{told}",
        status=status,
        latest_charge=charged["id"],
        amount_received=charged["amount"] if status == "succeeded" else 0,
        payment_method=None if charged["status"] == "failed" else charged["payment_method"],
        last_payment_error=error,
    )


def _succeed(ledger: Ledger, charge_id: str, at: datetime) -> None:
    """A debit is certain now, unless it failed before."""
    if ledger.book.latest(charge_id)["status"] == "pending":
        made = ledger.change(charge_id, Kind.CHARGES, at, "charge.succeeded", status="succeeded")
        _move_intent(ledger, made, at)


def fail(
    ledger: Ledger, at: datetime, charge_id: str, code: str = "insufficient_funds", *, failure_fee: int = 0
) -> Json:
    """Let a debit fail, pending or long after its success; the money leaves the balance at once. Return the charge."""
    at = ledger.advance(at)
    charged = ledger.book.latest(charge_id)
    if charged["status"] == "failed" or charged["disputed"] or charge_id.startswith("ch_"):
        raise RefusedError("charge_not_debit", "Only a debit that has not failed and is not disputed can fail.")
    before = entry_of(ledger, charged)
    amount, currency = share(before, charged, charged["amount_refunded"], charged["amount"]), before["currency"]
    fees = [balance_objects.fee_detail(failure_fee, currency, "stripe_fee", "Failure fee")] if failure_fee else []
    entry = ledger.enter(
        at,
        "payment_failure_refund",
        -amount,
        currency,
        source=charge_id,
        fees=fees,
        available_on=moment_of(before["available_on"]),
    )
    made = ledger.change(
        charge_id,
        Kind.CHARGES,
        at,
        "charge.failed",
        status="failed",
        paid=False,
        failure_code=code,
        failure_message="The bank returned the payment.",
        failure_balance_transaction=entry["id"],
    )
    if charged["status"] == "pending":
        _move_intent(ledger, made, at)
    return made


def refund(
    ledger: Ledger,
    at: datetime,
    charge_id: str,
    amount: int | None = None,
    *,
    reason: str | None = None,
    metadata: Mapping[str, str] | None = None,
    rate: Decimal | None = None,
) -> Json:
    """Give a charge back, the rest of it or an amount; `rate` is the day's where the balance has another currency."""
    at = ledger.advance(at)
    charged = ledger.book.latest(charge_id)
    left = charged["amount"] - charged["amount_refunded"]
    wanted = left if amount is None else amount
    _check_refund(charged, wanted, left)
    refund_id = ledger.next_id("re" if charge_id.startswith("ch_") else "pyr")
    entry = _give_back(ledger, at, charged, wanted, refund_id, rate)
    refunded = charged["amount_refunded"] + wanted
    more = {each: charged[each] for each in ("payment_intent", "customer", "payment_method")}
    more |= {"balance_transaction": entry["id"], "charge": charge_id, "reason": reason}
    more["metadata"] = dict(metadata or {})
    method = charged["payment_method_details"]["type"]
    made = objects.refund(refund_id, wanted, charged["currency"], stamp(at), method=method, more=more)
    ledger.write(made, Kind.REFUNDS, at, "refund.created")
    changes = {"amount_refunded": refunded, "refunded": wanted == left}
    ledger.change(charge_id, Kind.CHARGES, at, "charge.refunded", **changes)
    if made["status"] == "pending":
        ledger.later(working_days_after(at, REFUND_DAYS).replace(hour=1), partial(_refund_done, ledger, refund_id))
    return made


def _give_back(ledger: Ledger, at: datetime, charged: Json, wanted: int, refund_id: str, rate: Decimal | None) -> Json:
    """Write the balance transaction of a refund, at the charge's own rate where there is no other."""
    before, done = entry_of(ledger, charged), charged["amount_refunded"]
    kind = "refund" if charged["id"].startswith("ch_") else "payment_refund"
    if rate is None:
        rate, taken = rate_of_entry(before), share(before, charged, done, done + wanted)
    else:
        taken = converted(wanted, charged["currency"], before["currency"], rate)
    return ledger.enter(at, kind, -taken, before["currency"], source=refund_id, rate=rate)


def _check_refund(charged: Json, wanted: int, left: int) -> None:
    if charged["status"] == "failed":
        raise RefusedError("charge_invalid_parameter", "This charge did not succeed and cannot be refunded.", "charge")
    if charged["disputed"]:
        raise RefusedError("charge_disputed", f"Charge {charged['id']} has been charged back.", "charge")
    if not left:
        raise RefusedError("charge_already_refunded", f"Charge {charged['id']} has already been refunded.", "charge")
    if not 0 < wanted <= left or wanted % step(charged["currency"]):
        message = f"Refund amount ({wanted}) is not possible: {left} of the charge is not refunded."
        raise RefusedError("parameter_invalid_integer", message, "amount")


def _refund_done(ledger: Ledger, refund_id: str, at: datetime) -> None:
    if ledger.book.latest(refund_id)["status"] == "pending":
        ledger.change(refund_id, Kind.REFUNDS, at, "refund.updated", status="succeeded")


def fail_refund(ledger: Ledger, at: datetime, refund_id: str, reason: str = "lost_or_stolen_card") -> Json:
    """Let a refund come back: its money returns to the balance by a transaction of its own."""
    at = ledger.advance(at)
    made = ledger.book.latest(refund_id)
    if made["status"] not in {"pending", "succeeded"}:
        raise RefusedError("refund_status", f"Refund {refund_id} is {made['status']}.")
    before = ledger.book.latest(made["balance_transaction"])
    amount, currency = -before["amount"], before["currency"]
    entry = ledger.enter(at, "refund_failure", amount, currency, source=refund_id, rate=rate_of_entry(before))
    changes = {"status": "failed", "failure_reason": reason, "failure_balance_transaction": entry["id"]}
    changed = ledger.change(refund_id, Kind.REFUNDS, at, "refund.updated", "refund.failed", **changes)
    refunded = ledger.book.latest(made["charge"])["amount_refunded"] - made["amount"]
    again = {"amount_refunded": refunded, "refunded": False}
    ledger.change(made["charge"], Kind.CHARGES, at, **again)  # `charge.updated` tells of description and metadata alone
    return changed


def entry_of(ledger: Ledger, charged: Json) -> Json:
    """Return the balance transaction of a charge."""
    return ledger.book.latest(charged["balance_transaction"])


def rate_of_entry(entry: Json) -> Decimal | None:
    """Return the exchange rate of a balance transaction, None where nothing was converted."""
    return None if entry["exchange_rate"] is None else Decimal(str(entry["exchange_rate"]))


def share(entry: Json, charged: Json, start: int, end: int) -> int:
    """Return what a charge moved for its amount from `start` to `end`: parts that make it whole sum to the whole."""
    first, last = (
        rounded(Decimal(entry["amount"]) * each / charged["amount"], entry["currency"]) for each in (start, end)
    )
    return last - first
