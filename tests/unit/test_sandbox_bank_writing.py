"""What the sandbox's bank writes: elements in the order of ISO's schemas, signs, forms, encodings, account numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import product

import pytest

from kolleno_pipelines.sandbox.bank.payouts_received import returned
from kolleno_pipelines.sandbox.bank.statements import (
    CHARGES,
    Account,
    Detail,
    Kind,
    Line,
    Money,
    Statement,
    iban,
    invented_account,
)
from kolleno_pipelines.sandbox.bank.writing import NEW, OLD, PLAIN, Form, namespace, write
from tests.bank_messages import Element, parsed, text

DAY = date(2026, 2, 5)
AT = datetime(2026, 2, 5, 18, tzinfo=UTC)

#: Children in the order in which the schemas of both versions have them, as far as the sandbox writes them; `Amt` and
#: `CdtDbtInd` of a payment and `Pty` are of version 08 alone.
_ORDER: Mapping[str, tuple[str, ...]] = {
    "GrpHdr": ("MsgId", "CreDtTm", "MsgRcpt", "MsgPgntn", "AddtlInf"),
    "Part": ("Id", "ElctrncSeqNb", "LglSeqNb", "CreDtTm", "FrToDt", "Acct", "Bal", "TxsSummry", "Ntry"),
    "FrToDt": ("FrDtTm", "ToDtTm"),
    "Acct": ("Id", "Tp", "Ccy", "Nm", "Ownr", "Svcr"),
    "Bal": ("Tp", "CdtLine", "Amt", "CdtDbtInd", "Dt"),
    "Ntry": (
        *("NtryRef", "Amt", "CdtDbtInd", "RvslInd", "Sts", "BookgDt", "ValDt", "AcctSvcrRef", "Avlbty", "BkTxCd"),
        *("AddtlInfInd", "AmtDtls", "Chrgs", "NtryDtls", "AddtlNtryInf"),
    ),
    "Domn": ("Cd", "Fmly"),
    "Fmly": ("Cd", "SubFmlyCd"),
    "NtryDtls": ("Btch", "TxDtls"),
    "TxDtls": (
        *("Refs", "Amt", "CdtDbtInd", "AmtDtls", "Avlbty", "BkTxCd", "Chrgs", "RltdPties", "RltdAgts", "Purp"),
        *("RltdRmtInf", "RmtInf", "RltdDts", "Tax", "RtrInf", "AddtlTxInf"),
    ),
    "Refs": ("MsgId", "AcctSvcrRef", "PmtInfId", "InstrId", "EndToEndId", "UETR", "TxId", "MndtId"),
    "AmtDtls": ("InstdAmt", "TxAmt"),
    "RltdPties": ("Dbtr", "DbtrAcct", "Cdtr", "CdtrAcct"),
    "RtrInf": ("OrgnlBkTxCd", "Orgtr", "Rsn", "AddtlInf"),
}
_REQUIRED = {
    "GrpHdr": {"MsgId", "CreDtTm"},
    "Part": {"Id", "CreDtTm", "Acct"},
    "Acct": {"Id"},
    "Bal": {"Tp", "Amt", "CdtDbtInd", "Dt"},
    "Ntry": {"Amt", "CdtDbtInd", "Sts", "BkTxCd"},
}
_LONGEST = {"Id": 35, "MsgId": 35, "NtryRef": 35, "AcctSvcrRef": 35, "EndToEndId": 35, "TxId": 35, "Ustrd": 140}

ACCOUNT = Account(iban("DE", "000000000123456789"), "USD", owner="Größe & Söhne <Ltd>")
PAYOUT = Line(
    "po_1",
    DAY,
    (Detail(Decimal("96.80"), "STRIPE", "STRIPE PAYOUT", end_to_end_id="TRACE1", payout="po_1"),),
    text="STRIPE PAYOUT",
    ref="1",
)
RETURN = replace(returned(PAYOUT, AT), ref="2")
TAKEN = replace(PAYOUT, details=(Detail(Decimal("-100.00"), "STRIPE", transaction_id="TRACE2"),), ref="3")
EXCHANGED = replace(
    PAYOUT, details=(replace(PAYOUT.details[0], instructed=Money(Decimal("80.00"), "GBP")),), is_pending=True, ref="4"
)
FEE = Line("fee", DAY, (Detail(Decimal("-12.50"), text="FEE"),), CHARGES, ref="5")
BATCH = replace(PAYOUT, details=(*PAYOUT.details, Detail(Decimal("3.20"), "东京 株式会社")), ref="6")
LINES = (PAYOUT, RETURN, TAKEN, EXCHANGED, FEE, BATCH)
STATEMENT = Statement(ACCOUNT, 9, DAY, Decimal("-5.00"), Decimal("-17.50"), LINES)
FORMS = [
    Form(version, prefix, encoding)
    for version, prefix, encoding in product((OLD, NEW), ("", "ns2"), ("UTF-8", "ISO-8859-1"))
] + [Form(has_times=True), Form(OLD, has_entry_refs=False)]


def _written(kind: Kind = Kind.STATEMENT, form: Form = PLAIN) -> Element:
    return parsed(write(kind, form, "M1", AT, [STATEMENT]))


def _entries(form: Form = PLAIN) -> list[Element]:
    return list(_written(form=form).iter("Ntry"))


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("form", FORMS)
def test_elements_come_in_the_order_of_the_schemas(kind: Kind, form: Form) -> None:
    for each in _written(kind, form).iter():
        name = "Part" if each.tag in {"Rpt", "Stmt", "Ntfctn"} else each.tag
        children = [child.tag for child in each]
        if name in _ORDER:
            assert children == sorted(children, key=_ORDER[name].index)
            assert _REQUIRED.get(name, set()) <= set(children)
        assert children or each.text, f"{each.tag} is empty"
        assert children or len(each.text or "") <= _LONGEST.get(name, 500)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_the_same_names_and_its_namespace(form: Form) -> None:
    data = write(Kind.STATEMENT, form, "M1", AT, [STATEMENT])
    root = data.decode(form.encoding)
    assert root.splitlines()[0].replace("'", '"') == f'<?xml version="1.0" encoding="{form.encoding}"?>'
    assert f'="{namespace(Kind.STATEMENT, form.version)}"' in root.splitlines()[1]
    assert root.splitlines()[1].startswith(f"<{form.prefix}:Document" if form.prefix else "<Document")
    assert text(parsed(data), "BkToCstmrStmt/Stmt/Acct/Ownr/Nm") == ACCOUNT.owner
    assert "东京 株式会社" in [each.text for each in parsed(data).iter("Nm")]


def test_what_versions_write_otherwise() -> None:
    old, new = _entries(Form(OLD))[0], _entries()[0]
    assert (text(old, "Sts"), text(new, "Sts/Cd")) == ("BOOK", "BOOK")
    dbtr = "NtryDtls/TxDtls/RltdPties/Dbtr"
    assert (text(old, f"{dbtr}/Nm"), text(new, f"{dbtr}/Pty/Nm")) == ("STRIPE", "STRIPE")
    assert text(old, "NtryDtls/TxDtls/AmtDtls/TxAmt/Amt") == text(new, "NtryDtls/TxDtls/Amt") == "96.80"


def test_signs_are_words_and_a_return_is_a_reversal() -> None:
    payout, back, taken, *_ = _entries()
    assert [text(each, "CdtDbtInd") for each in (payout, back, taken)] == ["CRDT", "DBIT", "DBIT"]
    assert [text(each, "Amt") for each in (payout, back, taken)] == ["96.80", "96.80", "100.00"]
    assert [text(each, "RvslInd") for each in (payout, back, taken)] == ["", "true", ""]
    assert text(back, "NtryDtls/TxDtls/RtrInf/Rsn/Cd") == "AC04"
    assert text(back, "NtryDtls/TxDtls/Refs/EndToEndId") == text(payout, "NtryDtls/TxDtls/Refs/EndToEndId") == "TRACE1"
    assert text(taken, "NtryDtls/TxDtls/Refs/EndToEndId") == "NOTPROVIDED"
    assert text(taken, "NtryDtls/TxDtls/Refs/TxId") == "TRACE2"
    assert text(taken, "NtryDtls/TxDtls/RltdPties/Cdtr/Pty/Nm") == "STRIPE"
    assert text(back, "NtryDtls/TxDtls/RltdPties/Dbtr/Pty/Nm") == "STRIPE", "in a return everybody stays what he was"


def test_what_was_sent_in_another_currency_is_told() -> None:
    line = _entries()[3]
    sent, booked = line.find("NtryDtls/TxDtls/AmtDtls/InstdAmt/Amt"), line.find("Amt")
    assert sent is not None
    assert booked is not None
    assert (sent.text, sent.attrib, booked.text, booked.attrib) == ("80.00", {"Ccy": "GBP"}, "96.80", {"Ccy": "USD"})
    assert text(line, "Sts/Cd") == "PDNG"


def test_only_a_notification_has_no_balances() -> None:
    codes = {kind: [each.text for each in _written(kind).findall("*/*/Bal/Tp/CdOrPrtry/Cd")] for kind in Kind}
    assert codes == {Kind.REPORT: ["OPBD", "ITBD"], Kind.STATEMENT: ["OPBD", "CLBD"], Kind.NOTIFICATION: []}
    balances = _written().findall("*/*/Bal")
    assert [(text(each, "Amt"), text(each, "CdtDbtInd")) for each in balances] == [("5.00", "DBIT"), ("17.50", "DBIT")]


def test_two_accounts_may_be_in_one_message() -> None:
    other = replace(STATEMENT, account=Account("12345", "EUR", is_iban=False), lines=())
    root = parsed(write(Kind.STATEMENT, PLAIN, "M1", AT, [STATEMENT, other]))
    assert [text(each, "Acct/Ccy") for each in root.iter("Stmt")] == ["USD", "EUR"]
    assert text(root, "BkToCstmrStmt/Stmt[2]/Acct/Id/Othr/Id") == "12345"


def test_check_digits_are_those_of_the_standard() -> None:
    assert iban("GB", "WEST12345698765432") == "GB82WEST12345698765432", "the usual example, of no bank"


@pytest.mark.parametrize("currency", ["USD", "EUR", "GBP"])
def test_invented_accounts_are_valid_and_of_no_bank(currency: str) -> None:
    made = [invented_account(f"name-{number}", currency) for number in range(20)]
    assert len({each.id for each in made}) == 20
    for each in made:
        digits = "".join(str(int(one, 36)) for one in each.id[4:] + each.id[:4])
        assert int(digits) % 97 == 1
        assert each.id[4:].startswith("XXXX000000" if currency == "GBP" else "00000000")
    assert made[0] == invented_account("name-0", currency)
    assert not invented_account("name-0", currency, is_iban=False).id.startswith("DE")
