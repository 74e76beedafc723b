"""The systems that are read extract by extract, a line each. How one is added: docs/adding-a-connector.md."""

from collections.abc import Callable

from kolleno_pipelines.connectors.contract import Connector


def _quickbooks() -> Connector:
    from kolleno_pipelines.connectors.quickbooks.connector import QUICKBOOKS

    return QUICKBOOKS


def _xero() -> Connector:
    from kolleno_pipelines.connectors.xero.connector import XERO

    return XERO


def _stripe() -> Connector:
    from kolleno_pipelines.connectors.stripe.connector import STRIPE

    return STRIPE


def _bank_files() -> Connector:
    from kolleno_pipelines.connectors.bank_files.connector import BANK_FILES

    return BANK_FILES


#: System -> its connector, which is loaded when it is asked for: normalisers need seconds of imports.
CONNECTORS: dict[str, Callable[[], Connector]] = {
    "quickbooks": _quickbooks,
    "xero": _xero,
    "stripe": _stripe,
    "bank_files": _bank_files,
}


def connector_of(system: str) -> Connector:
    """Return the connector of a system; KeyError for one that is read otherwise (sftp) or not known."""
    return CONNECTORS[system]()
