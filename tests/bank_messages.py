"""What the sandbox's bank wrote, read back from the bytes alone, and a judgement of payouts from nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise
from xml.etree import ElementTree

from kolleno_pipelines.sandbox.bank.files import File
from kolleno_pipelines.sandbox.bank.outcomes import WINDOW, BankOutcome
from kolleno_pipelines.sandbox.stripe.book import Json, Kind
from kolleno_pipelines.sandbox.stripe.ledger import Ledger
from kolleno_pipelines.sandbox.stripe.money import major

Element = ElementTree.Element


@dataclass(frozen=True)
class Told:
    """One payment in a line, as a file tells it."""

    account: str
    currency: str
    ref: str
    number: int
    day: date
    amount: Decimal
    references: frozenset[str]
    texts: frozenset[str]
    instructed: tuple[str, Decimal] | None
    is_return: bool


@dataclass(frozen=True)
class Day:
    """One statement: its account, its day, its balances, and what its booked lines come to."""

    account: str
    currency: str
    number: int
    day: date
    opening: Decimal
    closing: Decimal
    moved: Decimal


@cache
def parsed(data: bytes) -> Element:
    """Return the root of a document, which nobody changes; its elements have no namespace."""
    root = ElementTree.fromstring(data)  # noqa: S314 - we wrote it ourselves
    for each in root.iter():
        each.tag = each.tag.partition("}")[2]
    return root


def text(element: Element, path: str) -> str:
    return element.findtext(path) or ""


def signed(element: Element, path: str = "Amt", sign: str = "CdtDbtInd") -> Decimal:
    amount = Decimal(text(element, path))
    return -amount if text(element, sign) == "DBIT" else amount


def parts(files: Iterable[File]) -> Iterator[tuple[str, Element]]:
    """Yield the number of each message and each of its parts."""
    names = {"Rpt": "052", "Stmt": "053", "Ntfctn": "054"}
    for each in files:
        for part in parsed(each.data)[0]:
            if part.tag in names:
                yield names[part.tag], part


def account_of(part: Element) -> str:
    return text(part, "Acct/Id/IBAN") or text(part, "Acct/Id/Othr/Id")


def is_booked(entry: Element) -> bool:
    return (text(entry, "Sts/Cd") or text(entry, "Sts").strip()) == "BOOK"


def days(files: Iterable[File]) -> list[Day]:
    """Return each statement once, by account and day."""
    found = set()
    for kind, part in parts(files):
        if kind == "053":
            opening, closing = (signed(each) for each in part.findall("Bal"))
            moved = sum((signed(each) for each in part.findall("Ntry") if is_booked(each)), Decimal(0))
            day = date.fromisoformat(text(part, "FrToDt/FrDtTm")[:10])
            number = int(text(part, "ElctrncSeqNb"))
            found.add(Day(account_of(part), text(part, "Acct/Ccy"), number, day, opening, closing, moved))
    return sorted(found, key=lambda each: (each.account, each.day))


def payments(files: Iterable[File]) -> list[Told]:
    """Return every booked payment once, whichever messages tell of it."""
    found = {}
    for _, part in parts(files):
        for entry in part.findall("Ntry"):
            for number, each in enumerate(entry.findall("NtryDtls/TxDtls") or [entry], 1):
                if is_booked(entry):
                    told = _told(part, entry, number, each)
                    assert found.setdefault((told.account, told.ref, number), told) == told
    return list(found.values())


def _told(part: Element, entry: Element, number: int, each: Element) -> Told:
    path = "Amt" if each.find("Amt") is not None else "AmtDtls/TxAmt/Amt"
    sign = -1 if text(entry, "CdtDbtInd") == "DBIT" else 1
    instructed = each.find("AmtDtls/InstdAmt/Amt")
    return Told(
        account_of(part),
        text(part, "Acct/Ccy"),
        text(entry, "NtryRef") or text(entry, "AcctSvcrRef"),
        number,
        date.fromisoformat((text(entry, "BookgDt/Dt") or text(entry, "BookgDt/DtTm"))[:10]),
        sign * Decimal(text(each, path)),
        frozenset({text(each, "Refs/EndToEndId"), text(each, "Refs/TxId")}),
        frozenset({text(each, "RmtInf/Ustrd"), text(entry, "AddtlNtryInf")}),
        None if instructed is None else (instructed.attrib["Ccy"], Decimal(instructed.text or "")),
        text(entry, "RvslInd") == "true" and each.find("RtrInf/Rsn/Cd") is not None,
    )


def judged(ledger: Ledger, files: Iterable[File], until: datetime) -> dict[str, BankOutcome]:
    """Return the outcome of every payout, from what Stripe says and what the files say."""
    files = list(files)
    told, stated = payments(files), days(files)
    free = [each for each in told if not each.references - {"NOTPROVIDED", ""}]
    found = {}
    for payout in ledger.book.records(Kind.PAYOUTS, until)[::-1]:
        trace = payout["trace_id"]["value"]
        own, by = [each for each in told if trace in each.references], "trace_id"
        if not own:
            own, by = [each for each in free if _fits(payout, each)][:1], "descriptor"
            free = [each for each in free if each not in own]
        found[payout["id"]] = _outcome(ledger, payout, own, by, stated, until)
    return found


def _arrival(payout: Json) -> date:
    return datetime.fromtimestamp(payout["arrival_date"], UTC).date()


def _fits(payout: Json, told: Told) -> bool:
    """Whether a line without references may be of a payout: text, amount, currency, day."""
    descriptor = payout["statement_descriptor"] or "STRIPE PAYOUT"
    amount = (payout["currency"].upper(), major(payout["amount"], payout["currency"]))
    in_time = _arrival(payout) <= told.day <= _arrival(payout) + WINDOW
    return in_time and descriptor in told.texts and (told.currency, told.amount) == amount


def _outcome(ledger: Ledger, payout: Json, own: list[Told], by: str, stated: list[Day], until: datetime) -> BankOutcome:
    statuses = [each["status"] for _, each in ledger.book.versions(payout["id"], until)]
    has_failed = statuses[-1] in {"failed", "canceled"}
    if not own:
        if has_failed and "paid" not in statuses:
            return BankOutcome("reconciled")
        mine = [each for each in stated if each.currency == payout["currency"].upper()]
        if not mine:
            return BankOutcome("not_compared")
        return BankOutcome("not_at_bank" if _covers(mine, _arrival(payout)) else "awaiting_bank")
    amounts = [_in(payout["currency"].upper(), each) for each in own]
    if None in amounts:
        return BankOutcome("currency_mismatch", by)
    stands = sum((each for each in amounts if each is not None), Decimal(0))
    wanted = major(payout["amount"], payout["currency"])
    if any(each.is_return for each in own) or (has_failed and stands == wanted):
        return BankOutcome("reconciled" if has_failed and not stands else "not_at_bank", by)
    return BankOutcome("reconciled" if stands == wanted else "amount_mismatch", by)


def _in(currency: str, told: Told) -> Decimal | None:
    """What a line says in a currency, None where it does not."""
    if told.currency == currency:
        return told.amount
    return told.instructed[1] if told.instructed and told.instructed[0] == currency else None


def _covers(stated: list[Day], arrival: date) -> bool:
    """Whether statements that add up and meet each other reach from a day to the end of its window."""
    chain = [each for each in stated if arrival <= each.day]
    before = [each for each in stated if each.day < arrival][-1:]
    whole = all(each.opening + each.moved == each.closing for each in chain)
    meets = all(one.closing == other.opening for one, other in pairwise([*before, *chain]))
    last = chain[-1].day if chain else arrival - timedelta(days=1)
    return whole and meets and last >= arrival + WINDOW
