"""Reports as plain rows, the same for the command, for JSON and for CSV. Laying them out does not belong here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg

from kolleno_pipelines.pipeline.plain_rows import Row, plain_row
from kolleno_pipelines.pipeline.provider_reports import balance_report, charges_report, payouts_report
from kolleno_pipelines.pipeline.reconciled import NO_PROVIDERS, Connections, Providers
from kolleno_pipelines.rules.differences import is_red
from kolleno_pipelines.schemas.currencies import amount_text
from kolleno_pipelines.schemas.results import BreakStatus
from kolleno_pipelines.storage import result_rows
from kolleno_pipelines.storage.results import reading

if TYPE_CHECKING:
    from kolleno_pipelines.pipeline.reconcile_days import Book

BALANCES, CONTROL_TOTALS, AGEING = "balances", "control-totals", "ageing"
ROLL_FORWARD, UNAPPLIED_CASH, DIFFERENCES = "roll-forward", "unapplied-cash", "differences"
AGREEMENT = "agreement"
CHARGES, PAYOUTS, BALANCE_PROOFS = "charges", "payouts", "balance-proofs"
OF_PROVIDERS = (CHARGES, PAYOUTS, BALANCE_PROOFS)
REPORTS = (BALANCES, CONTROL_TOTALS, AGEING, ROLL_FORWARD, UNAPPLIED_CASH, AGREEMENT, *OF_PROVIDERS, DIFFERENCES)
OF_A_DAY = (AGEING, ROLL_FORWARD)
#: Tables of the breaks that a report lists.
_BREAKS = {
    BALANCES: ("balances",),
    CONTROL_TOTALS: ("control_total_breaks", "account_totals"),
    AGREEMENT: ("agreement_breaks",),
    CHARGES: ("charges",),
    PAYOUTS: ("payout_exceptions",),
    BALANCE_PROOFS: ("balance_proofs", "balance_exceptions"),
}


class ReportError(ValueError):
    """The report cannot be given; the text says why and what to do."""


def report(
    name: str,
    database_url: str,
    connections: Connections,
    today: date,
    *,
    as_of: date | None = None,
    by: str | None = None,
    include_mirrors: bool = False,
    providers: Providers = NO_PROVIDERS,
) -> list[Row]:
    """Return a report's rows, ready for JSON: amounts as text, days and moments in ISO form.

    `as_of` (ageing and roll-forward only) is a day up to today; these two are computed from what is known now, the
    others are read as last computed; balances lists the documents that differ. `by` is "customer", for ageing.
    `providers` are the payment providers, of which charges, payouts and balance proofs tell. Raises ReportError.
    """
    _refuse(name, as_of, by)
    chosen = {key: one for key, one in connections.items() if include_mirrors or one.role == "ledger"}
    if name in OF_A_DAY:
        return _of_a_day(name, database_url, chosen, today, as_of or today, by_customer=by is not None)
    names = list(providers) if name in OF_PROVIDERS else list(chosen)
    if name == DIFFERENCES:
        names += providers
    with reading(database_url) as conn:
        return _as_computed(name, conn, names, today)


def _as_computed(name: str, conn: psycopg.Connection[Any], names: Sequence[str], today: date) -> list[Row]:
    """Return a report of what was computed last about some connections."""

    def read(table: str) -> list[Row]:
        return result_rows.stored_rows(conn, table, names)

    if name == CHARGES:
        return charges_report(result_rows.charge_totals(conn, names), result_rows.charge_breaks(conn, names))
    if name == PAYOUTS:
        return payouts_report(read)
    if name == BALANCE_PROOFS:
        return balance_report(read)
    if name == CONTROL_TOTALS:
        return _control_totals(read)
    if name == AGREEMENT:
        return _agreement(read)
    if name == DIFFERENCES:
        return _differences(read, today)
    return [plain_row(row) for row in read(name.replace("-", "_"))]


def asks_for_somebody(name: str, rows: Sequence[Row], database_url: str) -> bool:
    """Return whether a report, as `report` returned it, lists something red: neither accepted nor opening.

    Ageing and unapplied cash list what is open, which is no finding.
    """
    if name == DIFFERENCES:
        return any(is_red(BreakStatus(row["status"]), row["cause"]) for row in rows)
    shown = sorted({row["connection"] for row in rows})
    with reading(database_url) as conn:
        if name in _BREAKS:
            return any(result_rows.red_rows(conn, table, shown, limit=1) for table in _BREAKS[name])
        return name == ROLL_FORWARD and any(
            result_rows.is_red_movement(
                conn,
                row["connection"],
                [(one["kind"], one["source_id"], one["basis"]) for one in row["unexplained_documents"]],
            )
            for row in rows
        )


def balance_summary(database_url: str, connections: Connections) -> list[Row]:
    """Return per connection, kind and currency how many documents tie and differ, as last computed."""
    with reading(database_url) as conn:
        return [plain_row(row) for row in result_rows.stored_rows(conn, "balance_summary", list(connections))]


def _refuse(name: str, as_of: date | None, by: str | None) -> None:
    if name not in REPORTS:
        raise ReportError(f"There is no report {name}; there are {', '.join(REPORTS)}.")
    if as_of is not None and name not in OF_A_DAY:
        raise ReportError(
            f"--as-of does not go with {name}, which tells the present state: only {' and '.join(OF_A_DAY)} have a day."
        )
    if by not in {None, "customer"} or (by is not None and name != AGEING):
        raise ReportError("--by goes with ageing only, and takes `customer`.")


def _of_a_day(
    name: str, database_url: str, connections: Connections, today: date, day: date, *, by_customer: bool
) -> list[Row]:
    # What is only read needs no Arrow, which takes longer to load than most reports take.
    from kolleno_pipelines.pipeline.reconcile_days import FutureDayError, past_days, read_book

    try:
        days = past_days([day], today)
    except FutureDayError as error:
        raise ReportError(str(error)) from None
    rows: list[Row] = []
    with reading(database_url) as conn:
        for connection in connections.values():
            book = read_book(conn, connection, days, today, by_customer=by_customer)
            rows += _ageing(book, day) if name == AGEING else _roll_forward(book, day, today)
    return rows


def _ageing(book: Book, day: date) -> list[Row]:
    rows: list[Row] = []
    for row in book.by_customer.rows() if book.by_customer else book.ageing.rows([day]):
        customer = {} if row.customer_source_id is None else {"customer_source_id": row.customer_source_id}
        amount = amount_text(row.amount, row.currency_iso)
        figures = {"bucket": row.bucket, "documents": row.documents, "amount": amount}
        rows.append({"connection": row.connection, **customer, "currency_iso": row.currency_iso, **figures})
    return rows


def _roll_forward(book: Book, day: date, today: date) -> list[Row]:
    rows = [plain_row(row.__dict__) for row in book.roll_forward.rows([day], today)]
    for row in rows:
        row["unexplained_documents"] = [
            plain_row({name: one[name] for name in ("kind", "source_id", "basis", "amount", "currency_iso")})
            for one in book.roll_forward.listed([day]).to_pylist()
            if one["currency_iso"] == row["currency_iso"]
        ]
    return rows


Read = Callable[[str], list[Row]]


def _control_totals(read: Read) -> list[Row]:
    breaks: dict[tuple[str, str], list[Row]] = {}
    names = ("customer_source_id", "computed", "stated", "difference")
    for one in read("control_total_breaks"):
        shown = plain_row({"currency_iso": one["currency_iso"], **{name: one[name] for name in names}})
        shown.pop("currency_iso")
        breaks.setdefault((one["connection"], one["currency_iso"]), []).append(shown)
    accounts: dict[tuple[str, str], list[Row]] = {}
    left_out = ("connection", "currency_iso", "break_id", "cause", "since", "is_break")
    for one in read("account_totals"):
        shown = {name: value for name, value in plain_row(one).items() if name not in left_out}
        accounts.setdefault((one["connection"], one["currency_iso"]), []).append(shown)
    return [
        {
            **plain_row(row),
            "breaks": breaks.get((row["connection"], row["currency_iso"]), []),
            "accounts": accounts.get((row["connection"], row["currency_iso"]), []),
        }
        for row in read("control_totals")
    ]


def _agreement(read: Read) -> list[Row]:
    """One row per mirror and currency, with what differs and what the two systems imply; those of no currency last."""
    rows: dict[tuple[str, str, str], Row] = {}

    def row_of(one: Row) -> Row:
        key = (one["connection"], one["mirror"], one["currency_iso"] or "")
        facts = dict(
            zip(("connection", "mirror", "currency_iso"), (*key[:2], one["currency_iso"] or None), strict=True)
        )
        empty = {"customers": 0, **dict.fromkeys(_SUMS, Decimal(0)), "breaks": [], "gaps": []}
        return rows.setdefault(key, {**facts, **empty})

    for one in read("agreement"):
        row = row_of(one)
        row["customers"] += 1
        row |= {name: row[name] + one[name] for name in _SUMS}
    for one in read("agreement_breaks"):
        row_of(one)["breaks"].append({name: value for name, value in plain_row(one).items() if name not in _OF_ROW})
    for one in read("agreement_gaps"):
        row_of(one)["gaps"].append({name: value for name, value in plain_row(one).items() if name not in _OF_ROW})
    return [plain_row(rows[key]) for key in sorted(rows, key=lambda key: (*key[:2], not key[2], key[2]))]


_SUMS = ("balance", "mirror_balance", "difference", "expected")
_OF_ROW = ("connection", "mirror", "currency_iso")


def _differences(read: Read, today: date) -> list[Row]:
    names = ("accepted_amount", "accepted_at", "resolved_on")
    return [
        {
            **plain_row({key: value for key, value in row.items() if key not in names}),
            "age_days": _age(row["since"], today),
        }
        for row in read("differences")
    ]


def _age(since: datetime, today: date) -> int:
    return max((today - since.date()).days, 0)
