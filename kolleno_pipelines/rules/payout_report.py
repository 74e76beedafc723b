"""What is wrong between a provider's report of its payouts and the API's view. Laying both out is storage's.

Nothing is rounded and no difference is let pass. What the API's view does not say is not compared.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from kolleno_pipelines.schemas.currencies import amount_text
from kolleno_pipelines.schemas.payout_report import (
    OF_BALANCE_LIST,
    OF_PAYOUT_LIST,
    ComparedRow,
    MissingItem,
    PayoutCompared,
    PayoutSums,
    ReportCode,
    ReportFinding,
    ReportOutcome,
    Values,
)

_C = ReportCode
PAYOUT, BALANCE, BOTH = "payout", "balance", "both"
_LISTS = {PAYOUT: "the payout's list", BALANCE: "the balance's list", BOTH: "both lists"}
_PAYOUT_COLUMN = "automatic_payout_id"


class _Place(NamedTuple):
    """Where something is wrong: in which line of the file, in which payout, in which of its rows."""

    line: int | None
    payout_source_id: str
    source_id: str | None
    currency_iso: str


def findings_of_row(row: ComparedRow, columns: Mapping[str, str]) -> Iterator[ReportFinding]:
    """Yield what is wrong with a row of the report; `columns`: by field the name of the column that the file has."""
    yield from _of_place(row)
    for field in OF_BALANCE_LIST:
        if field in columns:
            for api_list, value in _others(row, field):
                yield _of_value(row, columns[field], row.report[field], value, api_list)


def _of_place(row: ComparedRow) -> Iterator[ReportFinding]:
    """Yield where the row is too much or missing: in the report, in the API's lists, in its payout."""
    place, missing = _row_place(row), _missing(row)
    if row.first_line is not None:
        yield _finding(place, _C.DOUBLED_IN_REPORT, f"The report has the row in line {row.first_line} already.")
    if missing is not None:
        message = f"The report has the row, {_LISTS[missing]} of the API {'do' if missing == BOTH else 'does'} not."
        yield _finding(place, _C.NOT_IN_API, message, api_list=missing)
    there = ", ".join(row.payouts)
    says = {"column": _PAYOUT_COLUMN, "report_value": row.payout_source_id, "api_value": there or None}
    if row.times > 1 and row.first_line is None:
        message = f"The payouts' lists have the row {row.times} times ({there}), the report once."
        yield _finding(place, _C.DOUBLED_IN_API, message, api_list=PAYOUT, **says)
    elif not row.is_own and missing != BOTH and _is_elsewhere(row):
        message = f"The report has the row in {row.payout_source_id}, the API in {there or 'no payout'}."
        yield _finding(place, _C.DIFFERS, message, api_list=PAYOUT, **says)


def _of_value(row: ComparedRow, column: str, stated: object, value: object, api_list: str) -> ReportFinding:
    currency = str(row.report["currency_iso"])
    said, told = text(stated, currency), text(value, currency)
    return _finding(
        _row_place(row),
        _C.DIFFERS,
        f"The report says {column} {said or 'nothing'}, {_LISTS[api_list]} of the API {told}.",
        column=column,
        report_value=said,
        api_value=told,
        api_list=api_list,
    )


def _finding(
    place: _Place,
    code: ReportCode,
    message: str,
    *,
    column: str | None = None,
    report_value: str | None = None,
    api_value: str | None = None,
    api_list: str | None = None,
) -> ReportFinding:
    return ReportFinding(
        code=code.value,
        line=place.line,
        payout_source_id=place.payout_source_id,
        balance_transaction_source_id=place.source_id,
        column=column,
        report_value=report_value,
        api_value=api_value,
        api_list=api_list,
        currency_iso=place.currency_iso,
        message=message,
    )


def _row_place(row: ComparedRow) -> _Place:
    return _Place(row.line, row.payout_source_id, row.source_id, str(row.report["currency_iso"]))


def _missing(row: ComparedRow) -> str | None:
    """Which of the API's lists should have the row and does not. What is in no payout's list differs in its payout."""
    if row.balance_list is not None:
        return None
    return BOTH if row.payout_list is None else BALANCE


def _is_elsewhere(row: ComparedRow) -> bool:
    return row.payout_source_id not in row.payouts and (row.is_itemised or bool(row.payouts))


def _others(row: ComparedRow, field: str) -> list[tuple[str, object]]:
    """Return what lists say otherwise of a field; once where both say the same."""
    lists: tuple[tuple[str, Values | None], ...] = (
        (PAYOUT, row.payout_list if field in OF_PAYOUT_LIST else None),
        (BALANCE, row.balance_list),
    )
    said = [(name, values[field]) for name, values in lists if values is not None and values[field] is not None]
    wrong = [(name, value) for name, value in said if value != row.report[field]]
    if len(wrong) == 2 and wrong[0][1] == wrong[1][1]:
        return [(BOTH, wrong[0][1])]
    return wrong


def text(value: object, currency_iso: str | None) -> str | None:
    """Return a value as findings show it."""
    if isinstance(value, Decimal):
        return amount_text(value, currency_iso)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, date):
        return value.isoformat()
    return None if value is None else str(value)


def payouts_of(found: ReportFinding) -> set[str]:
    """Return the payouts that a finding concerns: of a row that is elsewhere by the API, those as well."""
    elsewhere = found.api_value if found.column == _PAYOUT_COLUMN else None
    return {found.payout_source_id, *(elsewhere.split(", ") if elsewhere else ())}


def finding_of_item(item: MissingItem) -> ReportFinding:
    """Return what an item is whose payout the report has without it."""
    net = amount_text(item.net, item.currency_iso)
    message = f"The payout's list of the API has the row, net {item.currency_iso} {net}; the report does not."
    place = _Place(None, item.payout_source_id, item.source_id, item.currency_iso)
    return _finding(place, _C.NOT_IN_REPORT, message, column="net", api_value=net, api_list=PAYOUT)


def finding_of_payout(sums: PayoutSums, flagged: Container[str]) -> ReportFinding | None:
    """Return what is wrong with a payout as a whole; `flagged`: payouts of which something is wrong already."""
    payout = sums.payout_source_id
    place = _Place(sums.line, payout, None, sums.currency_iso)
    if sums.line is None:
        return _absent(place, sums) if sums.api.rows or sums.payout_amount else None
    if not sums.is_known:
        message = "The report has the payout, the API's view does not."
        return _finding(place, _C.PAYOUT_NOT_IN_API, message, column=_PAYOUT_COLUMN, report_value=payout)
    if not sums.is_itemisable:
        message = "By the API the payout was made by hand or at once, and nobody knows its items."
        return _finding(place, _C.NOT_ITEMISABLE, message, column=_PAYOUT_COLUMN, report_value=payout)
    if _differs(sums) and payout not in flagged:
        net, paid = amount_text(sums.report.net, sums.currency_iso), text(sums.payout_amount, sums.payout_currency_iso)
        message = (
            f"The report's rows come to net {sums.currency_iso} {net}, the payout is {sums.payout_currency_iso} {paid}."
        )
        return _finding(place, _C.AMOUNT_DIFFERS, message, column="net", report_value=net, api_value=paid)
    return None


def _absent(place: _Place, sums: PayoutSums) -> ReportFinding:
    """Return that a payout of the report's period is not in it."""
    held = f"{sums.api.rows} item(s), net {sums.currency_iso} {amount_text(sums.api.net, sums.currency_iso)}"
    if not sums.api.rows:
        held = f"{sums.payout_currency_iso} {text(sums.payout_amount, sums.payout_currency_iso)}, without an item"
    message = f"The payout arrived in the report's period and is not in it: by the API {held}."
    return _finding(place, _C.PAYOUT_NOT_IN_REPORT, message, column=_PAYOUT_COLUMN, api_value=sums.payout_source_id)


def _differs(sums: PayoutSums) -> bool:
    """Whether the report's rows do not come to what the payout states, or are in another currency than it."""
    stated, paid = (sums.currency_iso, sums.report.net), (sums.payout_currency_iso, sums.payout_amount)
    return sums.is_complete and stated != paid


def payout_compared(sums: PayoutSums, flagged: Container[str]) -> PayoutCompared:
    """Return what became of a payout and currency; `flagged`: payouts of which something is wrong."""
    outcome = ReportOutcome.AGREES
    if sums.payout_source_id in flagged:
        outcome = ReportOutcome.DIFFERS
    elif not sums.is_complete:
        outcome = ReportOutcome.PENDING
    return PayoutCompared(
        payout_source_id=sums.payout_source_id,
        currency_iso=sums.currency_iso,
        outcome=outcome.value,
        report_rows=sums.report.rows,
        api_rows=sums.api.rows,
        report_gross=sums.report.amount,
        api_gross=sums.api.amount,
        report_fee=sums.report.fee,
        api_fee=sums.api.fee,
        report_net=sums.report.net,
        api_net=sums.api.net,
    )
