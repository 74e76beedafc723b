"""What may be written through the API: refunds, payouts by hand, payments confirmed at once, metadata. No HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from kolleno_pipelines.sandbox.stripe import charging, parameters, payouts
from kolleno_pipelines.sandbox.stripe.book import Json, Kind, kind_of
from kolleno_pipelines.sandbox.stripe.charging import Payment, RefusedError
from kolleno_pipelines.sandbox.stripe.ledger import Ledger
from kolleno_pipelines.sandbox.stripe.money import LARGEST_AMOUNT
from kolleno_pipelines.sandbox.stripe.parameters import Read
from kolleno_pipelines.sandbox.stripe.refusals import ApiRefusalError, no_such, refusal

_NOTED: Mapping[str, Read] = {"expand": parameters.texts, "metadata": parameters.metadata}
_REFUND: Mapping[str, Read] = {
    **_NOTED,
    **dict.fromkeys(("charge", "payment_intent"), parameters.text),
    "amount": parameters.whole,
    "reason": parameters.one_of("duplicate", "fraudulent", "requested_by_customer"),
}
_PAYOUT: Mapping[str, Read] = {
    **_NOTED,
    **dict.fromkeys(("currency", "description"), parameters.text),
    "amount": parameters.whole,
    "method": parameters.one_of("standard", "instant"),
}
_INTENT: Mapping[str, Read] = {
    **_NOTED,
    **dict.fromkeys(("currency", "customer", "description", "payment_method"), parameters.text),
    "amount": parameters.whole,
    "confirm": parameters.flag,
    "payment_method_types": parameters.texts,
}
_UPDATE: Mapping[str, Read] = {**_NOTED, "description": parameters.text}
_UPDATED = {Kind.CHARGES: "charge.updated", Kind.PAYMENT_INTENTS: "payment_intent.updated"}
#: Test payment methods: how they pay, and with which code they are declined.
_METHODS: Mapping[str, tuple[str, str]] = {
    "pm_card_visa": ("card", ""),
    "pm_card_mastercard": ("card", ""),
    "pm_card_chargeDeclined": ("card", "card_declined"),
    "pm_usBankAccount_success": ("us_bank_account", ""),
}


def write(ledger: Ledger, kind: Kind, identity: str | None, given: Json, at: datetime) -> Json:
    """Do what is asked, and return the object. Raises ApiRefusalError."""
    if identity is not None:
        asked = parameters.read(given, _UPDATE)
        return _update(ledger, kind, identity, asked, given, at)
    known, required = {
        Kind.REFUNDS: (_REFUND, ()),
        Kind.PAYOUTS: (_PAYOUT, ("amount", "currency")),
        Kind.PAYMENT_INTENTS: (_INTENT, ("amount", "currency")),
    }[kind]
    asked = parameters.read(given, known, required)
    verb = {Kind.REFUNDS: _refund, Kind.PAYOUTS: _pay_out, Kind.PAYMENT_INTENTS: _charge}[kind]
    try:
        return verb(ledger, asked, at)
    except RefusedError as error:
        refused = refusal(str(error), code=error.code, param=error.param)
        raise ApiRefusalError(refused.status, refused.error, executed=True) from None


def can_write(kind: Kind, identity: str | None) -> bool:
    """Whether an address takes POST."""
    if identity is None:
        return kind in {Kind.REFUNDS, Kind.PAYOUTS, Kind.PAYMENT_INTENTS}
    return kind in _UPDATED


def _known(ledger: Ledger, kind: Kind, identity: str, param: str, at: datetime) -> Json:
    found = ledger.book.get(identity, at) if kind_of(identity) is kind else None
    if found is None:
        raise no_such(kind.word, identity, param=param)
    return found


def _refund(ledger: Ledger, asked: Json, at: datetime) -> Json:
    if ("charge" in asked) == ("payment_intent" in asked):
        raise refusal("One of the parameters charge and payment_intent is needed.", code="parameter_missing")
    if "charge" in asked:
        charge_id = _known(ledger, Kind.CHARGES, asked["charge"], "charge", at)["id"]
    else:
        intent = _known(ledger, Kind.PAYMENT_INTENTS, asked["payment_intent"], "payment_intent", at)
        charge_id = intent["latest_charge"]
        if charge_id is None:
            raise refusal("This PaymentIntent has no charge to refund.", param="payment_intent")
    return charging.refund(
        ledger, at, charge_id, asked.get("amount"), reason=asked.get("reason"), metadata=asked.get("metadata")
    )


def _pay_out(ledger: Ledger, asked: Json, at: datetime) -> Json:
    return payouts.pay_out(
        ledger,
        at,
        asked["amount"],
        asked["currency"].lower(),
        instant=asked.get("method") == "instant",
        description=asked.get("description"),
        metadata=asked.get("metadata"),
    )


def _charge(ledger: Ledger, asked: Json, at: datetime) -> Json:
    """Take a payment, confirmed at once: the sandbox has no intents that wait."""
    currency, amount = asked["currency"].lower(), asked["amount"]
    if currency not in ledger.terms.settles and currency not in ledger.terms.rates:
        raise refusal(f"Invalid currency: {currency}.", param="currency")
    if amount > LARGEST_AMOUNT:
        raise refusal(f"Amount must be no more than {LARGEST_AMOUNT}.", code="amount_too_large", param="amount")
    if not asked.get("confirm"):
        raise refusal("This sandbox takes only payments that are confirmed at once.", param="confirm")
    if asked.get("payment_method") not in _METHODS:
        raise no_such("PaymentMethod", str(asked.get("payment_method")), param="payment_method", status=400)
    if "customer" in asked:
        _known(ledger, Kind.CUSTOMERS, asked["customer"], "customer", at)
    method, declined = _METHODS[asked["payment_method"]]
    payment = Payment(
        amount,
        currency,
        method,
        customer=asked.get("customer"),
        metadata=asked.get("metadata", {}),
        description=asked.get("description"),
        declined=declined,
    )
    made = charging.charge(ledger, at, payment)
    intent = ledger.book.latest(made["payment_intent"])
    if declined:
        more = {"charge": made["id"], "decline_code": "generic_decline", "payment_intent": intent}
        refused = refusal("Your card was declined.", status=402, code=declined, kind="card_error", **more)
        raise ApiRefusalError(refused.status, refused.error, executed=True)
    return intent


def _update(ledger: Ledger, kind: Kind, identity: str, asked: Json, given: Json, at: datetime) -> Json:
    """Merge metadata into what is there: an empty value takes its key away, empty metadata all of them."""
    before = _known(ledger, kind, identity, "id", at)
    changes: Json = {}
    if "metadata" in asked:
        kept = {} if given["metadata"] == "" else {**before["metadata"], **asked["metadata"]}
        changes["metadata"] = {name: value for name, value in kept.items() if value}
    if "description" in asked:
        changes["description"] = asked["description"]
    if not changes:
        return before
    return ledger.change(identity, kind, at, _UPDATED[kind], **changes)
