"""What an organisation has before the first document: its accounts, its currencies' rates. No documents."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from kolleno_pipelines.sandbox.xero.ledger import Ledger
from kolleno_pipelines.sandbox.xero.objects import Kind, Record, account, object_id, organisation

#: Foreign units for one of the base currency, as the vendor states rates.
RATES = {"USD": Decimal(1), "EUR": Decimal("0.90"), "GBP": Decimal("0.78"), "JPY": Decimal(150), "KWD": Decimal("0.31")}
BANK, CLEARING = "090", "880"


def set_up(ledger: Ledger, at: datetime) -> None:
    """Enter the organisation and its accounts."""
    ledger.book.put(Kind.ORGANISATION, organisation(), at)
    for each in (
        account(BANK, "Business account", "BANK", "ASSET"),
        account("200", "Sales", "REVENUE", "REVENUE"),
        account("400", "Purchases", "EXPENSE", "EXPENSE"),
        account("610", "Accounts receivable", "CURRENT", "ASSET", system="DEBTORS"),
        account("800", "Accounts payable", "CURRLIAB", "LIABILITY", system="CREDITORS"),
        account(CLEARING, "Clearing", "CURRENT", "ASSET", takes_payments=True),
    ):
        ledger.book.put(Kind.ACCOUNTS, each, at)


def account_of(ledger: Ledger, code: str, at: datetime) -> Record:
    """Return an account by its code."""
    return ledger.state(Kind.ACCOUNTS, object_id(Kind.ACCOUNTS, code), at)
