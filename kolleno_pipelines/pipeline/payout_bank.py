"""Looks for the payouts of all providers among the lines of the banks that serve the same ledger. Stores nothing.

All providers of a ledger at once: a line of the bank stands for one payout.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import psycopg

from kolleno_pipelines.pipeline.reconciled import Banks, Providers
from kolleno_pipelines.rules import payout_bank as rules
from kolleno_pipelines.rules.bank_days import known_days
from kolleno_pipelines.schemas.payout_bank import BankLeg
from kolleno_pipelines.storage import payout_bank

#: How a bank writes the payment provider: as the name stands in its lines.
PROVIDER_NAME = "STRIPE"


def bank_legs(conn: psycopg.Connection[Any], providers: Providers, banks: Banks) -> dict[tuple[str, str], BankLeg]:
    """Return what became of each payout at the bank, by connection and payout; none where no bank is read."""
    legs: dict[tuple[str, str], BankLeg] = {}
    for ledger, names in _by_ledger(banks).items():
        of_ledger = [one.name for one in providers.values() if one.ledger == ledger]
        window = max((banks[name].payout_window for name in names), default=timedelta(0))
        candidates = payout_bank.candidates(conn, of_ledger, names, PROVIDER_NAME, window, rules.RETURNED_WITHIN)
        accounts, days = payout_bank.accounts(conn, names), known_days(payout_bank.statements(conn, names))
        legs |= rules.bank_legs(payout_bank.payouts(conn, of_ledger), candidates, accounts, days, window)
    return legs


def _by_ledger(banks: Banks) -> Mapping[str | None, list[str]]:
    found: dict[str | None, list[str]] = defaultdict(list)
    for one in banks.values():
        found[one.ledger].append(one.name)
    return found
