"""The proof that ties the results by day together: a closing is the ageing of its day. Computing them is not here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from kolleno_pipelines.schemas.results import AgeingRow, RollForwardRow


def prove(ageing: Iterable[AgeingRow], roll_forward: Iterable[RollForwardRow]) -> None:
    """Raise ArithmeticError where a closing is not the sum of that day's ageing, credits included (model 6)."""
    net: dict[tuple[date, str, str], Decimal] = {}
    for row in ageing:
        key = (row.day, row.connection, row.currency_iso)
        net[key] = net.get(key, Decimal(0)) + row.amount
    closing = {(row.day, row.connection, row.currency_iso): row.closing for row in roll_forward}
    for day, connection, currency in sorted({*net, *closing}):
        aged, closed = (side.get((day, connection, currency), Decimal(0)) for side in (net, closing))
        if aged != closed:
            raise ArithmeticError(f"{connection} {day} {currency}: ageing {aged} is not the closing {closed}.")
