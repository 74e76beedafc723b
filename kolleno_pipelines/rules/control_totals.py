"""Do the open documents come to what the source itself says is owed, per customer and currency (model 7)?

Adding documents up per customer does not belong here (storage/control_totals.py does it in SQL, exactly).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from kolleno_pipelines.rules.breaks import break_id
from kolleno_pipelines.schemas.ledger_parts import CustomerTotal, StatedTotal
from kolleno_pipelines.schemas.results import Cause, ControlTotal, ControlTotalBreak, NotComparable

KIND = "control_total"
_ZERO = Decimal(0)
_NEVER: Mapping[str, datetime] = {}


@dataclass(frozen=True)
class ControlTotals:
    """Totals by currency, the customers that differ, and those that cannot be compared."""

    totals: list[ControlTotal]
    breaks: list[ControlTotalBreak]
    not_comparable: list[NotComparable]


def control_totals(
    connection: str,
    currencies: Iterable[str],
    totals: Iterable[CustomerTotal],
    stated: Iterable[StatedTotal],
    tolerance: Mapping[str, Decimal],
) -> ControlTotals:
    """Return one row per currency and every customer whose computed and stated balances differ (one connection).

    `currencies` are those of the posted documents: one in which nothing is open has a row of zeros. Only customers for
    which the source states a balance are compared; `difference` is computed - stated over them, null where no customer
    of the currency has one. A stated balance without currency is compared where the customer's posted documents, also
    those that are closed, have one currency; else it is not comparable, and listed as that. At first sight, too, every
    customer that differs is listed.
    """
    rows: dict[str, list[CustomerTotal]] = {}
    by_customer: dict[str, dict[str, CustomerTotal]] = {}
    for total in totals:
        rows.setdefault(total.currency_iso, []).append(total)
        by_customer.setdefault(total.customer_source_id, {})[total.currency_iso] = total
    compared: dict[str, list[ControlTotalBreak]] = {}
    apart: list[NotComparable] = []
    for one in stated:
        mine = by_customer.get(one.customer_source_id, {})
        currency = one.currency_iso or (one.currencies[0] if len(one.currencies) == 1 else None)
        if currency is not None:
            compared.setdefault(currency, []).append(_compared(one, currency, mine.get(currency)))
        elif one.currencies or one.stated:
            apart.append(NotComparable(connection, one.customer_source_id, one.stated, ", ".join(one.currencies)))
    known = sorted({*currencies, *rows, *compared})
    breaks = [
        row
        for currency in known
        for row in compared.get(currency, [])
        if abs(row.difference) > tolerance.get(currency, _ZERO)
    ]
    totals_of = [_total(connection, currency, rows.get(currency, []), compared.get(currency, [])) for currency in known]
    return ControlTotals(totals_of, breaks, apart)


def since_moved(
    breaks: Iterable[ControlTotalBreak],
    moved: Mapping[tuple[str, str], tuple[datetime, datetime]],
    read: Mapping[str, datetime] = _NEVER,
) -> list[ControlTotalBreak]:
    """Return the breaks with `since` not before the last move of the customer's documents in the currency.

    `moved` is by customer and currency: versions of the last move of what is open and of the last change of anything.
    Either side of a difference may have moved last. `read` is when an API was last asked for each customer: where a
    document changed after that, the two tell of different moments, and reading the customer again tells (model 7).
    """
    dated = []
    for one in breaks:
        moved_at, changed_at = moved.get((one.customer_source_id, one.currency_iso), (one.since, None))
        asked = read.get(one.customer_source_id)
        is_older = asked is not None and changed_at is not None and changed_at > asked
        cause = Cause.MOVED_DURING_READ.value if is_older else None
        dated.append(replace(one, since=max(one.since, moved_at), cause=cause))
    return dated


def _compared(stated: StatedTotal, currency: str, total: CustomerTotal | None) -> ControlTotalBreak:
    computed = total.net if total else _ZERO
    side = ("customer", stated.customer_source_id)
    return ControlTotalBreak(
        break_id=break_id(KIND, stated.connection, side, ("currency", currency)),
        connection=stated.connection,
        customer_source_id=stated.customer_source_id,
        currency_iso=currency,
        computed=computed,
        stated=stated.stated,
        difference=computed - stated.stated,
        since=stated.observed_at,
    )


def _total(
    connection: str, currency: str, rows: list[CustomerTotal], compared: list[ControlTotalBreak]
) -> ControlTotal:
    return ControlTotal(
        connection=connection,
        currency_iso=currency,
        customers=sum(row.items_open > 0 for row in rows),
        invoices_open=sum(row.invoices_open for row in rows),
        invoices_balance=sum((row.invoices_balance for row in rows), _ZERO),
        credit_notes_balance=sum((row.credit_notes_balance for row in rows), _ZERO),
        payments_balance=sum((row.payments_balance for row in rows), _ZERO),
        journals_balance=sum((row.journals_balance for row in rows), _ZERO),
        net=sum((row.net for row in rows), _ZERO),
        stated=sum((row.stated for row in compared), _ZERO) if compared else None,
        difference=sum((row.difference for row in compared), _ZERO) if compared else None,
    )
