"""What an entry of an account says: the bank's lines, and how the same line is known again in another file. Pure.

An entry that books several transactions of which each has its own amount is a line for each of them; else it is one.
Elements are those of ISO 20022 camt.052, 053 and 054 in all their versions, by their names.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise
from xml.etree.ElementTree import Element

from kolleno_pipelines.connectors.bank_files.elements import decimal, first_text, text, texts
from kolleno_pipelines.schemas.currencies import currency_codes

_APART = re.compile(r"[^0-9A-Z]+")
#: What parts a reference from its label and from the next one: EREF+..., /EREF/.../REMI/..., Ref:...
_LABELS = re.compile(r"[+/:;,=?|]+")
_LEAST_WORD = 4
#: What stands where a bank has no reference.
_NO_REFERENCES = {"NONREF", "NOTPROVIDED", "NOTAVAILABLE", "NOREF", "NOREFERENCE", "UNKNOWN", "NONE"}
_STATUSES = {"BOOK": "booked", "PDNG": "pending", "INFO": "info", "FUTR": "pending"}
_TRANSACTIONS = "NtryDtls/TxDtls"
_OWN_AMOUNT = ("Amt", "AmtDtls/TxAmt/Amt", "AmtDtls/InstdAmt/Amt")


class EntryError(ValueError):
    """An entry that lacks what it must say; the text is the end of a sentence."""


@dataclass(frozen=True)
class BankLine:
    """One movement of an account. `amount` is above 0 where it came in; `words` are its references, to be searched."""

    part: int
    amount: Decimal
    currency_iso: str
    status: str
    date_booked: str | None
    date_value: str | None
    is_reversal: bool
    is_return: bool
    entry_reference: str | None
    bank_reference: str | None
    transaction_code: str | None
    counterparty_name: str | None
    counterparty_account: str | None
    remittance_text: str | None
    bank_text: str | None
    words: tuple[str, ...]
    amount_instructed: Decimal | None
    currency_instructed_iso: str | None


def lines_of(entry: Element) -> list[BankLine]:
    """Return the lines of an entry. Raises EntryError."""
    amount, currency = _signed(entry, entry, ("Amt",))
    transactions = entry.findall(_TRANSACTIONS)
    parts = _parts(entry, transactions, amount, currency)
    if parts is None:
        return [_line(entry, transactions, 0, amount, currency)]
    return [_line(entry, [one], number, own, currency) for number, (one, own) in enumerate(parts, 1)]


def _parts(
    entry: Element, transactions: list[Element], amount: Decimal, currency: str
) -> list[tuple[Element, Decimal]] | None:
    """Return the transactions with their amounts where they are several, and together exactly the entry."""
    if len(transactions) < 2:
        return None
    try:
        signed = [_signed(one, entry, _OWN_AMOUNT) for one in transactions]
    except EntryError:
        return None
    if {own for _, own in signed} != {currency} or sum((own for own, _ in signed), Decimal(0)) != amount:
        return None
    return [(one, own) for one, (own, _) in zip(transactions, signed, strict=True)]


def _signed(element: Element, entry: Element, paths: tuple[str, ...]) -> tuple[Decimal, str]:
    """Return an amount, below 0 for a debit, and its currency; what says no direction has that of the entry."""
    direction = text(element, "CdtDbtInd") or text(entry, "CdtDbtInd")
    if direction not in {"CRDT", "DBIT"}:
        raise EntryError("CdtDbtInd is neither CRDT nor DBIT")
    stated = next((found for path in paths if (found := element.find(path)) is not None), None)
    amount = _amount(stated)
    return (amount if direction == "CRDT" else -amount), _currency(stated)


def _amount(stated: Element | None) -> Decimal:
    written = (stated.text or "").strip() if stated is not None else ""
    found = decimal(written)
    if found is None:
        raise EntryError(f"Amt is {written[:40]!r}, no amount" if written else "Amt is missing")
    return found


def _currency(stated: Element | None) -> str:
    currency = stated.get("Ccy", "") if stated is not None else ""
    if currency not in currency_codes():
        raise EntryError(f"Amt is in {currency[:10]!r}, no currency" if currency else "Amt has no currency (Ccy)")
    return currency


def _line(entry: Element, transactions: list[Element], part: int, amount: Decimal, currency: str) -> BankLine:
    whole = [entry, *transactions]
    instructed = _instructed(whole)
    is_credit = amount > 0
    party, account = ("Dbtr", "DbtrAcct") if is_credit else ("Cdtr", "CdtrAcct")
    only = transactions[0] if len(transactions) == 1 else None
    return BankLine(
        part=part,
        amount=amount,
        currency_iso=currency,
        status=_status(entry),
        date_booked=_day(entry, "BookgDt"),
        date_value=_day(entry, "ValDt"),
        is_reversal=text(entry, "RvslInd") in {"true", "1"},
        is_return=any(one.find("RtrInf") is not None for one in transactions),
        entry_reference=text(entry, "NtryRef"),
        bank_reference=_bank_reference(entry),
        transaction_code=_code(entry),
        counterparty_name=first_text(only, f"RltdPties/{party}/Nm", f"RltdPties/{party}/Pty/Nm"),
        counterparty_account=first_text(only, *(f"RltdPties/{account}/Id/{kind}" for kind in ("IBAN", "Othr/Id"))),
        remittance_text=_joined(text for one in transactions for text in texts(one.find("RmtInf"))),
        bank_text=_joined(_bank_texts(whole)),
        words=tuple(dict.fromkeys(word for told in _searched(entry, transactions) for word in words_of(told))),
        amount_instructed=None if instructed is None else instructed[0] * (1 if is_credit else -1),
        currency_instructed_iso=None if instructed is None else instructed[1],
    )


def _status(entry: Element) -> str:
    stated = first_text(entry, "Sts/Cd", "Sts/Prtry", "Sts") or "BOOK"
    return _STATUSES.get(stated, stated.lower())


def _day(entry: Element, name: str) -> str | None:
    """A plain day; of a moment the day as the bank wrote it. Raises EntryError."""
    stated = first_text(entry, f"{name}/Dt", f"{name}/DtTm")
    if stated is None:
        return None
    try:
        return date.fromisoformat(stated[:10]).isoformat()
    except ValueError:
        raise EntryError(f"{name} is {stated[:40]!r}, no date") from None


def _bank_reference(entry: Element) -> str | None:
    """The bank's own reference of the entry, or of its only transaction; None for what stands where there is none."""
    transactions = entry.findall(_TRANSACTIONS)
    stated = text(entry, "AcctSvcrRef")
    if stated is None and len(transactions) == 1:
        stated = text(transactions[0], "Refs/AcctSvcrRef")
    return None if stated is None or _APART.sub("", stated.upper()) in _NO_REFERENCES else stated


def _code(entry: Element) -> str | None:
    domain = entry.find("BkTxCd/Domn")
    parts = [text(domain, path) for path in ("Cd", "Fmly/Cd", "Fmly/SubFmlyCd")]
    return "/".join(part for part in parts if part) or text(entry, "BkTxCd/Prtry/Cd")


def _instructed(elements: list[Element]) -> tuple[Decimal, str] | None:
    """Return what was instructed, where an entry of one transaction says it: the amount before an exchange."""
    if len(elements) > 2:
        return None
    for element in reversed(elements):
        stated = element.find("AmtDtls/InstdAmt/Amt")
        if stated is not None:
            return _amount(stated), _currency(stated)
    return None


def _bank_texts(elements: list[Element]) -> Iterator[str]:
    for element in elements:
        for name in ("AddtlNtryInf", "AddtlTxInf", "RtrInf/AddtlInf"):
            for one in element.findall(name):
                yield from texts(one)


def _joined(parts: Iterator[str]) -> str | None:
    return " / ".join(dict.fromkeys(parts)) or None


def _searched(entry: Element, transactions: list[Element]) -> Iterator[str]:
    yield from (told for name in ("NtryRef", "AcctSvcrRef", "AddtlNtryInf") for told in texts(entry.find(name)))
    for one in transactions:
        for name in ("Refs", "RmtInf", "AddtlTxInf", "RtrInf/AddtlInf"):
            for found in one.findall(name):
                yield from texts(found)


def words_of(told: str) -> Iterator[str]:
    """Yield what of a text may be a reference, letters and digits only, in capitals.

    All of it, each word, what of a word stands between labels, and two words that follow each other, as a line's end
    may part them.
    """
    words = told.split()
    between = (part for word in words if _LABELS.search(word) for part in _LABELS.split(word))
    for part in (told, *words, *between, *map("".join, pairwise(words))):
        word = _APART.sub("", part.upper())
        if len(word) >= _LEAST_WORD and word not in _NO_REFERENCES:
            yield word


def identity(entry: Element, page: str = "") -> str:
    """Return by what an entry is known again: the bank's reference with day and amount, else all that it says.

    page: of a statement that has several; an entry that says the same without any reference on another page is another
    one. Banks number entries anew in each file (NtryRef), so that such a number tells nothing. Raises EntryError.
    """
    amount, currency = _signed(entry, entry, ("Amt",))
    day = _day(entry, "BookgDt") or _day(entry, "ValDt") or ""
    reference = _bank_reference(entry)
    if reference is None:
        has_references = any(list(texts(one.find("Refs"))) for one in entry.findall(_TRANSACTIONS))
        said = [currency, _code(entry) or "", *_told_of(entry), *([page] if page and not has_references else [])]
        reference = f"~{hashlib.sha256(chr(0).join(said).encode()).hexdigest()[:16]}"
    return f"{reference}|{day}|{amount.normalize():f}"


def _told_of(entry: Element) -> list[str]:
    paths = ("Refs", "RmtInf", "RltdPties", "AddtlTxInf")
    inner = [told for one in entry.findall(_TRANSACTIONS) for path in paths for told in texts(one.find(path))]
    return [*inner, *texts(entry.find("AddtlNtryInf"))]
