"""What is wrong with rows of a provider's balance that no compared payout holds, with the sentence that says why.

Finding such rows does not belong here (storage/loose_rows.py); rows of payouts are told with these (payouts.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal

from kolleno_pipelines.rules.breaks import break_id
from kolleno_pipelines.rules.payout_exceptions import item_amount, item_evidence
from kolleno_pipelines.schemas.currencies import amount_text
from kolleno_pipelines.schemas.loose_rows import BalanceException, DoubledRow, MissingRow
from kolleno_pipelines.schemas.payout_words import ITEM_CODES, ExceptionCode
from kolleno_pipelines.schemas.payouts import SuspectItem

KIND = "balance_row"


def exceptions_of_altered(connection: str, rows: Iterable[SuspectItem]) -> Iterator[BalanceException]:
    """Yield one exception for each thing that a row contradicts: what made it, its own sum, the details of its fee."""
    for row in rows:
        for code, is_wrong in zip(ITEM_CODES, row.flags, strict=True):
            if is_wrong:
                amount, why = item_amount(row, code), item_evidence(row, code)
                named = (row.source_id, row.charge_source_id, row.currency_iso)
                yield _exception(connection, code, named, amount, why, row.since)


def exceptions_of_doubled(connection: str, rows: Iterable[DoubledRow]) -> Iterator[BalanceException]:
    """Yield an exception for each row that is in the balance under two ids."""
    for row in rows:
        net = amount_text(row.net, row.currency_iso)
        why = f"The row over {net} is row {row.other_source_id} once more, and the balance is too high by it."
        if row.net < 0:
            why = f"The row over {net} is row {row.other_source_id} once more, and the balance is too low by it."
        named = (row.source_id, row.charge_source_id, row.currency_iso)
        yield _exception(connection, ExceptionCode.DOUBLED, named, -row.net, why, row.since)


def exceptions_of_missing(connection: str, rows: Iterable[MissingRow]) -> Iterator[BalanceException]:
    """Yield an exception for each row that an object names and no list has."""
    for row in rows:
        fee = "" if row.is_exact else " less its fee"
        money = f"{row.currency_iso} {amount_text(row.money, row.currency_iso)}{fee}"
        why = f"{row.object_source_id} names the row, which comes to {money}, and the balance's list does not have it."
        named = (row.source_id, row.charge_source_id, row.currency_iso)
        yield _exception(connection, ExceptionCode.DROPPED, named, row.money, why, row.since)


def _exception(
    connection: str,
    code: ExceptionCode,
    named: tuple[str, str | None, str],
    amount: Decimal,
    evidence: str,
    since: datetime,
) -> BalanceException:
    """`named`: the row, its charge, the currency."""
    row, charge, currency = named
    found = break_id(KIND, connection, ("balance_transaction", row), ("", code.value))
    return BalanceException(found, connection, row, code.value, charge, currency, amount, evidence, since)
