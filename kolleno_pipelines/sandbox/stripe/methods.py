"""What a charge tells of the way it was paid: `payment_method_details` and its like. No money."""

from __future__ import annotations

from kolleno_pipelines.sandbox.stripe.book import Json
from kolleno_pipelines.sandbox.stripe.identities import object_id

_OFF: Json = {"status": "unavailable"}


def details_of(method: str, amount: int, name: str) -> Json:
    """Return the details of a payment; `name` makes its fingerprint."""
    if method == "card":
        return {"card": _card(amount, name), "type": "card"}
    return {method: _debit(method, name), "type": method}


def _card(amount: int, name: str) -> Json:
    return {
        "amount_authorized": amount,
        "authorization_code": None,
        "brand": "visa",
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": "US",
        "exp_month": 8,
        "exp_year": 2030,
        "extended_authorization": {"status": "disabled"},
        "fingerprint": object_id("fp", name)[3:19],
        "funding": "credit",
        "incremental_authorization": _OFF,
        "installments": None,
        "last4": "4242",
        "mandate": None,
        "multicapture": _OFF,
        "network": "visa",
        "network_token": {"used": False},
        "network_transaction_id": None,
        "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
        "regulated_status": None,
        "three_d_secure": None,
        "transaction_link_id": None,
        "wallet": None,
    }


def _debit(method: str, name: str) -> Json:
    told: Json = {"fingerprint": object_id("fp", name)[3:19], "last4": "6789", "mandate": object_id("mandate", name)}
    bank = "STRIPE TEST BANK"
    if method == "us_bank_account":
        told |= {"account_holder_type": "company", "account_type": "checking", "bank_name": bank}
        told |= {"payment_reference": None, "routing_number": "110000000"}
    elif method == "acss_debit":
        told |= {"bank_name": bank, "institution_number": "000", "transit_number": "11000"}
    elif method == "sepa_debit":
        told |= {"bank_code": "19043", "branch_code": "", "country": "DE"}
    else:
        told |= {"sort_code": "108800"}
    return told


def outcome(*, approved: bool) -> Json:
    """Return what the network said of a charge."""
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "approved_by_network" if approved else "declined_by_network",
        "reason": None if approved else "generic_decline",
        "seller_message": "Payment complete." if approved else "The bank returned the decline code generic_decline.",
        "type": "authorized" if approved else "issuer_declined",
    }
