"""Stripe as a connector: its extracts and what they mean. Reading over the network is client.py."""

from kolleno_pipelines.connectors.contract import Connector, Events
from kolleno_pipelines.connectors.stripe.account import EVENTS_REACH, RELISTED
from kolleno_pipelines.connectors.stripe.landing import EXTRACTS
from kolleno_pipelines.connectors.stripe.normalise import normalise
from kolleno_pipelines.connectors.stripe.secrets import without_secrets

_LOOKED_UP = {
    "charge": "charges",
    "refund": "refunds",
    "dispute": "disputes",
    "payout": "payouts",
    "payment_intent": "payment_intents",
    "customer": "customers",
    "payout_member": "payout_members",
    "balance_transaction": "balance_transactions",
}
#: A customer may be renamed or deleted at any time; rows of the balance never change.
_RELISTED = dict.fromkeys(("payment_intents", "charges", "refunds", "disputes", "payouts"), RELISTED)
_EVENTS = Events("events", EVENTS_REACH, {"customers": None, **_RELISTED})


def lookup_of(kind: str, source_id: str) -> tuple[str, str] | None:
    """Return extract and id under which an object of the vendor's kind is asked for; what a payout holds by its id."""
    return (_LOOKED_UP[kind], source_id) if kind in _LOOKED_UP else None


STRIPE = Connector("stripe", EXTRACTS, normalise, lookup_of=lookup_of, events=_EVENTS, without_secrets=without_secrets)
