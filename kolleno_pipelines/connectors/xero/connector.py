"""Xero as a connector: its extracts and what they mean. Reading over the network is client.py."""

from kolleno_pipelines.connectors.contract import Connector
from kolleno_pipelines.connectors.xero.landing import EXTRACTS
from kolleno_pipelines.connectors.xero.normalise import normalise

XERO = Connector("xero", EXTRACTS, normalise)
