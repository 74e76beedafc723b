"""Stripe as a connector: its extracts and what they mean. Reading over the network is client.py."""

from kolleno_pipelines.connectors.contract import Connector
from kolleno_pipelines.connectors.stripe.landing import EXTRACTS
from kolleno_pipelines.connectors.stripe.normalise import normalise

STRIPE = Connector("stripe", EXTRACTS, normalise)
