"""Xero as a connector: its extracts and what they mean. Reading over the network is client.py."""

from kolleno_pipelines.connectors.contract import Connector
from kolleno_pipelines.connectors.xero.landing import EXTRACTS
from kolleno_pipelines.connectors.xero.normalise import normalise

_LOOKED_UP = {
    "customers": "contacts",
    "invoices": "invoices",
    "credit_notes": "credit_notes",
    "payments": "payments",
    "overpayments": "overpayments",
    "prepayments": "prepayments",
}


def lookup_of(entity: str, parent_id: str) -> tuple[str, str] | None:
    """Return extract and id under which a record of ours is asked for."""
    return (_LOOKED_UP[entity], parent_id) if entity in _LOOKED_UP else None


XERO = Connector("xero", EXTRACTS, normalise, lookup_of=lookup_of)
