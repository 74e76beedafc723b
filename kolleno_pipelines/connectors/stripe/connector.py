"""Stripe as a connector: its extracts and what they mean. Reading over the network is client.py."""

from kolleno_pipelines.connectors.contract import Connector
from kolleno_pipelines.connectors.stripe.landing import EXTRACTS
from kolleno_pipelines.connectors.stripe.normalise import normalise

_LOOKED_UP = {
    "charge": "charges",
    "refund": "refunds",
    "dispute": "disputes",
    "payout": "payouts",
    "payment_intent": "payment_intents",
    "customer": "customers",
    "payout_member": "payout_members",
}


def lookup_of(kind: str, source_id: str) -> tuple[str, str] | None:
    """Return extract and id under which an object of the vendor's kind is asked for; what a payout holds by its id."""
    return (_LOOKED_UP[kind], source_id) if kind in _LOOKED_UP else None


STRIPE = Connector("stripe", EXTRACTS, normalise, lookup_of=lookup_of)
