"""Reads payouts, the bank's lines that may be theirs, and statements. Decides nothing (rules/payout_bank.py)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import psycopg

from kolleno_pipelines.schemas.payout_bank import BankCandidate, BankPayout, BankStatement
from kolleno_pipelines.storage import payout_bank_sql as sql

_SETTINGS = ("enable_nestloop = off", "enable_mergejoin = off", "work_mem = '64MB'", "jit = off")


def payouts(conn: psycopg.Connection[Any], providers: Sequence[str]) -> list[BankPayout]:
    """Return every payout of the providers."""
    return [BankPayout(*row) for row in conn.execute(sql.PAYOUTS, {"providers": list(providers)})]


def candidates(
    conn: psycopg.Connection[Any],
    providers: Sequence[str],
    banks: Sequence[str],
    name: str,
    window: timedelta,
    returned: timedelta,
) -> list[BankCandidate]:
    """Return the booked lines that may be payouts.

    name: the provider's, in capitals, as it stands in a line. window: how long after its day one may be booked, and
    returned: how long after that it may be sent back.
    """
    params: dict[str, object] = {"providers": list(providers), "banks": list(banks), "name": name}
    params |= {"window": window.days, "returned": returned.days}
    # How many lines carry a word, or were taken back, cannot be estimated: only a join by hash never goes through all.
    for setting in _SETTINGS:
        conn.execute(f"SET LOCAL {setting}".encode())
    found = [BankCandidate(*row) for row in conn.execute(sql.CANDIDATES.encode(), params)]
    conn.execute("SET LOCAL enable_nestloop TO DEFAULT")
    conn.execute("SET LOCAL enable_mergejoin TO DEFAULT")
    return found


def accounts(conn: psycopg.Connection[Any], banks: Sequence[str]) -> dict[tuple[str, str], str | None]:
    """Return the accounts of the banks with their currencies."""
    rows = conn.execute(sql.ACCOUNTS, {"banks": list(banks)})
    return {(row[0], row[1]): row[2] for row in rows}


def statements(conn: psycopg.Connection[Any], banks: Sequence[str]) -> list[BankStatement]:
    """Return the statements that state what an account had before and after them."""
    return [BankStatement(*row) for row in conn.execute(sql.STATEMENTS, {"banks": list(banks)})]
