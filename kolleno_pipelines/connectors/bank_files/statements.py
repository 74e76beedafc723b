"""What a statement says of itself and of its account: whose it is, its days, its balances, what its entries come to.

Pure. Elements are those of ISO 20022 camt.052, 053 and 054 in all their versions, by their names.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from xml.etree.ElementTree import Element

from kolleno_pipelines.connectors.bank_files.elements import decimal, first_text, text

#: Codes of balances: booked at the beginning, which is what was booked at the end of the day before, and at the end.
OPENING, CLOSING = ("OPBD", "PRCD"), ("CLBD",)
_EARLY_MORNING = re.compile(r"T00:0[0-4]")
_MIDNIGHT = re.compile(r"T00:00(?::00(?:\.0+)?)?(?:Z|[+-]\d\d:\d\d)?$")


class StatementError(ValueError):
    """A statement that lacks what it must say; the text is the end of a sentence."""


def account_number(statement: Element) -> str:
    """Return the account's IBAN or other number, without spaces. Raises StatementError."""
    stated = first_text(statement, "Acct/Id/IBAN", "Acct/Id/Othr/Id", "Acct/Id/PrtryAcct/Id", "Acct/Id/BBAN")
    if stated is None:
        raise StatementError("it names no account (Acct/Id)")
    return "".join(stated.split()).upper()


def currency(statement: Element) -> str | None:
    """Return the account's currency: stated, else that of its balances; None where neither says it."""
    stated = text(statement, "Acct/Ccy")
    balances = {amount.get("Ccy") for amount in statement.findall("Bal/Amt")}
    return stated or (balances.pop() if len(balances) == 1 else None)


def balance(statement: Element, codes: tuple[str, ...]) -> tuple[Decimal, str | None] | None:
    """Return a balance by its codes, the first that is there, and its day. Raises StatementError.

    Of several, as where each day of a statement has its own, the opening is the earliest and the closing the latest.
    """
    for code in codes:
        stated = [one for one in statement.findall("Bal") if first_text(one, *_TYPES) == code]
        if stated:
            one = (max if codes == CLOSING else min)(stated, key=lambda each: first_text(each, *_DATES) or "")
            return _signed(one), first_text(one, *_DATES)
    return None


_TYPES, _DATES = ("Tp/CdOrPrtry/Cd", "Tp/CdOrPrtry/Prtry"), ("Dt/Dt", "Dt/DtTm")


def _signed(stated: Element) -> Decimal:
    written = text(stated, "Amt") or ""
    amount = decimal(written)
    if amount is None:
        raise StatementError(f"the amount of a balance is {written[:40]!r}")
    return amount if text(stated, "CdtDbtInd") != "DBIT" else -amount


def days(statement: Element) -> tuple[str | None, str | None]:
    """Return the first and the last day of a statement, as the bank writes them; None where it does not.

    An end at midnight is the end of the day before. The day of the closing balance is the last day, whatever else is
    said; that of the opening balance may be the day before the first, so that it is no first day. A beginning in the
    course of a day, as of a period from one evening to the next, leaves that day to the statement before.
    """
    first, last = text(statement, "FrToDt/FrDtTm"), text(statement, "FrToDt/ToDtTm")
    closing = balance(statement, CLOSING)
    end = _day(last)
    if end and last and _MIDNIGHT.search(last) and end != _day(first):
        end = (date.fromisoformat(end) - timedelta(days=1)).isoformat()
    closed = _day(closing[1]) if closing else None
    last_day, first_day = closed or end, _day(first)
    if (
        first_day
        and last_day
        and first_day < last_day
        and "T" in (first or "")
        and not _EARLY_MORNING.search(first or "")
    ):
        first_day = (date.fromisoformat(first_day) + timedelta(days=1)).isoformat()
    return first_day or closed, last_day


def _day(stated: str | None) -> str | None:
    if stated is None:
        return None
    try:
        return date.fromisoformat(stated[:10]).isoformat()
    except ValueError:
        raise StatementError(f"{stated[:40]!r} is no date") from None


def message_page(head: Element | None) -> str | None:
    """Return the page of a message, where a statement goes on over several: early versions count pages so."""
    page = text(head, "MsgPgntn/PgNb")
    is_only = page in {None, "1"} and (text(head, "MsgPgntn/LastPgInd") or "true") in {"true", "1"}
    return None if is_only else page or "1"


def reference(statement: Element, message_page: str | None = None) -> str:
    """Return the statement's own id, with its page where it is one of several. Raises StatementError.

    message_page: that of the message in which it is, where the statement does not count its own.
    """
    stated = text(statement, "Id")
    if stated is None:
        raise StatementError("it has no id (Id)")
    page = text(statement, "StmtPgntn/PgNb") or text(statement, "RptPgntn/PgNb") or text(statement, "NtfctnPgntn/PgNb")
    page = page or message_page
    return (
        stated if page in {None, "1"} and message_page is None and _is_last(statement) else f"{stated} page {page or 1}"
    )


def _is_last(statement: Element) -> bool:
    flags = (text(statement, f"{name}/LastPgInd") for name in ("StmtPgntn", "RptPgntn", "NtfctnPgntn"))
    return next((flag for flag in flags if flag), "true") in {"true", "1"}
