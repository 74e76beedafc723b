"""Messages of ISO 20022 about accounts as bytes: camt.052, 053 and 054, versions 02 and 08. No time, no payouts.

Elements come in the order of ISO's schemas. Moments have no time zone, as many banks write them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from xml.etree import ElementTree

from kolleno_pipelines.sandbox.bank.statements import Account, Code, Detail, Kind, Line, Money, Statement

Element = ElementTree.Element
OLD, NEW = "02", "08"
_NAMES = {
    Kind.REPORT: ("BkToCstmrAcctRpt", "Rpt"),
    Kind.STATEMENT: ("BkToCstmrStmt", "Stmt"),
    Kind.NOTIFICATION: ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
}
#: What a balance at the end is called; a notification has none.
_CLOSING = {Kind.REPORT: "ITBD", Kind.STATEMENT: "CLBD"}
NO_REFERENCE = "NOTPROVIDED"
_BOOKED_AT = time(10, 30)


@dataclass(frozen=True)
class Form:
    """How a bank writes: version of the message, prefix of the namespace (none when empty), encoding.

    has_times: bookings are told with their time. has_entry_refs: lines have a reference of the statement beside the
    bank's own. has_details: what is in a line is told payment by payment, not by the line's text alone.
    """

    version: str = NEW
    prefix: str = ""
    encoding: str = "UTF-8"
    has_times: bool = False
    has_entry_refs: bool = True
    has_details: bool = True


PLAIN = Form()


def write(kind: Kind, form: Form, identity: str, created: datetime, statements: Iterable[Statement]) -> bytes:
    """Return a message about one or more accounts. Characters that the encoding lacks are written by their numbers."""
    message, part = _NAMES[kind]
    header = _node("GrpHdr", _leaf("MsgId", identity), _leaf("CreDtTm", _moment(created)))
    parts = [_statement(part, kind, form, created, each) for each in statements]
    root = _wanted("Document", _node(message, header, *parts))
    if form.prefix:
        for each in root.iter():
            each.tag = f"{form.prefix}:{each.tag}"
    root.set(f"xmlns:{form.prefix}" if form.prefix else "xmlns", namespace(kind, form.version))
    ElementTree.indent(root)
    told: bytes = ElementTree.tostring(root, encoding=form.encoding, xml_declaration=True)
    return told + b"\n"


def namespace(kind: Kind, version: str) -> str:
    """Return the namespace of a message."""
    return f"urn:iso:std:iso:20022:tech:xsd:camt.{kind.value}.001.{version}"


def _node(name: str, *children: Element | None) -> Element | None:
    """Return an element with those of its children that are there; None where none is."""
    found = [each for each in children if each is not None]
    return _wanted(name, *found) if found else None


def _wanted(name: str, *children: Element | None) -> Element:
    made = Element(name)
    made.extend(each for each in children if each is not None)
    return made


def _leaf(name: str, text: str, **attributes: str) -> Element | None:
    if not text:
        return None
    made = Element(name, attributes)
    made.text = text
    return made


def _moment(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="seconds")


def _statement(name: str, kind: Kind, form: Form, created: datetime, told: Statement) -> Element:
    first, last = datetime.combine(told.day, time()), datetime.combine(told.day, time(23, 59, 59))
    return _wanted(
        name,
        _leaf("Id", f"{told.account.id}-{kind.value}-{told.number}"),
        _leaf("ElctrncSeqNb", str(told.number)),
        _leaf("CreDtTm", _moment(created)),
        _node("FrToDt", _leaf("FrDtTm", _moment(first)), _leaf("ToDtTm", _moment(last))),
        _account(told.account),
        *_balances(kind, told),
        *(_entry(form, told.account, each) for each in told.lines),
    )


def _account(account: Account) -> Element | None:
    number = _leaf("IBAN", account.id) if account.is_iban else _node("Othr", _leaf("Id", account.id))
    return _node(
        "Acct",
        _node("Id", number),
        _leaf("Ccy", account.currency),
        _node("Ownr", _leaf("Nm", account.owner)),
        _node("Svcr", _node("FinInstnId", _leaf("Nm", account.servicer))),
    )


def _balances(kind: Kind, told: Statement) -> Iterator[Element | None]:
    if kind is Kind.NOTIFICATION:
        return
    for code, amount in (("OPBD", told.opening), (_CLOSING[kind], told.closing)):
        yield _node(
            "Bal",
            _node("Tp", _node("CdOrPrtry", _leaf("Cd", code))),
            _amount(Money(amount, told.account.currency)),
            _sign(amount),
            _day("Dt", told.day),
        )


def _entry(form: Form, account: Account, line: Line) -> Element | None:
    status = "PDNG" if line.is_pending else "BOOK"
    details = (_detail(form, account, line, number, each) for number, each in enumerate(line.details, 1))
    return _node(
        "Ntry",
        _leaf("NtryRef", line.ref if form.has_entry_refs else ""),
        _amount(Money(line.amount, account.currency)),
        _sign(line.amount),
        _leaf("RvslInd", "true" if line.is_reversal else ""),
        _leaf("Sts", status) if form.version == OLD else _node("Sts", _leaf("Cd", status)),
        _node("BookgDt", _leaf("DtTm", _moment(datetime.combine(line.day, _BOOKED_AT))))
        if form.has_times
        else _day("BookgDt", line.day),
        _day("ValDt", line.value_day or line.day),
        _leaf("AcctSvcrRef", f"S{line.ref}"),
        _code(line.code),
        _node("NtryDtls", _batch(line), *details) if form.has_details else None,
        _leaf("AddtlNtryInf", line.text),
    )


def _batch(line: Line) -> Element | None:
    return _node("Btch", _leaf("NbOfTxs", str(len(line.details)))) if len(line.details) > 1 else None


def _detail(form: Form, account: Account, line: Line, number: int, detail: Detail) -> Element | None:
    """Since version 08 a payment has an amount of its own; before, its details have it."""
    paid = Money(detail.amount, account.currency)
    has_amount = form.version != OLD
    told = detail.instructed is not None or not has_amount
    return _node(
        "TxDtls",
        _node(
            "Refs",
            _leaf("AcctSvcrRef", f"S{line.ref}-{number}"),
            _leaf("EndToEndId", detail.end_to_end_id or NO_REFERENCE),
            _leaf("TxId", detail.transaction_id),
        ),
        _amount(paid) if has_amount else None,
        _sign(detail.amount) if has_amount else None,
        _node(
            "AmtDtls",
            None if detail.instructed is None else _node("InstdAmt", _amount(detail.instructed)),
            _node("TxAmt", _amount(paid)) if told else None,
        ),
        _party(form, line, detail),
        _node("RmtInf", _leaf("Ustrd", detail.text)),
        _node("RtrInf", _node("Rsn", _leaf("Cd", detail.return_code))),
    )


def _party(form: Form, line: Line, detail: Detail) -> Element | None:
    """Who paid or was paid; in what goes back everybody stays what he was."""
    name = _leaf("Nm", detail.party)
    role = "Dbtr" if (detail.amount > 0) != line.is_reversal else "Cdtr"
    return _node("RltdPties", _node(role, name if form.version == OLD else _node("Pty", name)))


def _amount(money: Money) -> Element | None:
    return _leaf("Amt", f"{abs(money.amount):f}", Ccy=money.currency)


def _sign(amount: Decimal) -> Element | None:
    return _leaf("CdtDbtInd", "DBIT" if amount < 0 else "CRDT")


def _day(name: str, day: date) -> Element | None:
    return _node(name, _leaf("Dt", day.isoformat()))


def _code(code: Code) -> Element | None:
    family = _node("Fmly", _leaf("Cd", code.family), _leaf("SubFmlyCd", code.sub_family))
    return _node("BkTxCd", _node("Domn", _leaf("Cd", "PMNT"), family))
