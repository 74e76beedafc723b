"""QuickBooks Online as a connector: its extracts and what they mean. Reading over the network is client.py."""

from kolleno_pipelines.connectors.contract import Connector
from kolleno_pipelines.connectors.quickbooks.landing import EXTRACTS
from kolleno_pipelines.connectors.quickbooks.normalise import normalise

QUICKBOOKS = Connector("quickbooks", EXTRACTS, normalise)
