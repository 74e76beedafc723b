"""What bank files say: lines, accounts, statements; how a line is known again; what cannot be read, and where."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from kolleno_pipelines.connectors.bank_files.connector import BANK_FILES
from kolleno_pipelines.connectors.bank_files.documents import read_document
from kolleno_pipelines.connectors.payload_blocks import normalise_block, payload_blocks
from tests.bank_documents import IBAN, balance, document, entry, transaction

ACCOUNT = f"{IBAN}:USD"


class Said:
    """What a file becomes: rows by entity, versions by id, reasons of what was set aside."""

    def __init__(self, *files: bytes) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.versions: dict[str, datetime | None] = {}
        self.reasons: list[str] = []
        found = [one for number, data in enumerate(files, 1) for one in read_document(data, f"file{number}.xml")]
        for extract in BANK_FILES.extracts:
            self._read(extract.name, (one.payload for one in found if one.extract == extract.name))

    def _read(self, name: str, payloads: Iterable[bytes]) -> None:
        stream = io.BytesIO(b"".join(payload + b"\n" for payload in payloads))
        for table, unreadable in payload_blocks(stream, BANK_FILES.extract(name).schema):
            block = normalise_block(BANK_FILES.normalise, name, table)
            self.reasons += [one.reason for one in (*block.quarantined, *unreadable)]
            for entity, rows in block.rows.items():
                self.rows.setdefault(entity, []).extend(rows.to_pylist())
            for one in block.payloads.to_pylist():
                self.versions[one["source_id"]] = one["modified_at"]

    @property
    def lines(self) -> list[dict[str, Any]]:
        return self.rows.get("bank_lines", [])


def test_a_line_says_what_the_bank_says() -> None:
    details = transaction("Payout 7", trace="TR-42/A", payer="STRIPE")
    code = "<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd>"
    said = Said(document([entry("96.80", details=details, more=f"<ValDt><Dt>2026-02-06</Dt></ValDt>{code}")]))
    (line,) = said.lines
    assert line["source_id"] == f"{ACCOUNT}|B-1|2026-02-05|96.8"
    assert (line["amount"], line["currency_iso"], line["status"]) == (Decimal("96.80"), "USD", "booked")
    assert (line["date_booked"], line["date_value"]) == (date(2026, 2, 5), date(2026, 2, 6))
    assert (line["counterparty_name"], line["remittance_text"]) == ("STRIPE", "Payout 7")
    assert (line["bank_reference"], line["transaction_code"]) == ("B-1", "PMNT/RCDT/ESCT")
    assert json.loads(line["words"]) == ["TR42A", "TR42", "PAYOUT7", "PAYOUT"]
    assert (line["is_return"], line["is_reversal"], line["file"], line["file_line"]) == (False, False, "file1.xml", 4)
    assert said.versions[line["source_id"]] == datetime(2026, 2, 6, 5, tzinfo=UTC)
    assert said.reasons == []


@pytest.mark.parametrize("message", ["camt.052", "camt.053", "camt.054"])
@pytest.mark.parametrize("status", ["<Sts>BOOK</Sts>", "<Sts><Cd>BOOK</Cd></Sts>", ""])
def test_all_messages_and_versions_say_the_same(message: str, status: str) -> None:
    (line,) = Said(document([entry(status=status)], message=message)).lines
    assert (line["status"], line["source_id"]) == ("booked", f"{ACCOUNT}|B-1|2026-02-05|96.8")


def test_prefixes_and_encodings_make_no_difference() -> None:
    plain = document([entry(details=transaction("Zahlung für Müller"))])
    prefixed = plain.decode().replace("<", "<ns2:").replace("<ns2:/", "</ns2:").replace("<ns2:?", "<?")
    latin = plain.decode().replace("UTF-8", "ISO-8859-1").encode("latin-1")
    other = plain.decode().replace("UTF-8", "UTF-16").encode("utf-16")
    marked = b"\xef\xbb\xbf" + plain
    expected = Said(plain).lines
    assert expected[0]["remittance_text"] == "Zahlung für Müller"
    for data in (prefixed.encode(), latin, other, marked):
        assert Said(data).lines == expected


def test_debits_reversals_and_returns_are_told() -> None:
    back = transaction("returned", trace="T-9", more="<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>")
    lines = Said(
        document([entry("-96.80", details=back), entry("-1.00", ref="B-2", more="<RvslInd>true</RvslInd>")])
    ).lines
    assert [(one["amount"], one["is_return"], one["is_reversal"]) for one in lines] == [
        (Decimal("-96.80"), True, False),
        (Decimal("-1.00"), False, True),
    ]


def test_only_booked_entries_count() -> None:
    pending = entry("5.00", ref="B-2", status="<Sts>PDNG</Sts>", day="")
    said = Said(document([entry(), pending], [balance("OPBD", "0.00"), balance("CLBD", "96.80")]))
    assert [one["status"] for one in said.lines] == ["booked", "pending"]
    (statement,) = said.rows["bank_statements"]
    assert (statement["entries"], statement["amount_booked"]) == (2, Decimal("96.80"))


@pytest.mark.parametrize(
    ("status", "kept"), [("<Sts><Cd>FUTR</Cd></Sts>", "pending"), ("<Sts><Cd>INFO</Cd></Sts>", "info"), ("", "booked")]
)
def test_words_of_a_status_are_ours(status: str, kept: str) -> None:
    assert [one["status"] for one in Said(document([entry(status=status)])).lines] == [kept]


def test_an_entry_of_several_transactions_is_a_line_for_each_where_they_tie() -> None:
    parts = transaction("one", trace="T-1", amount="60.00") + transaction("two", trace="T-2", amount="36.80")
    lines = Said(document([entry("96.80", details=parts)])).lines
    assert [(one["source_id"][-2:], one["amount"], one["remittance_text"]) for one in lines] == [
        ("/1", Decimal("60.00"), "one"),
        ("/2", Decimal("36.80"), "two"),
    ]
    untied = transaction("one", amount="60.00") + transaction("two", amount="36.79")
    (line,) = Said(document([entry("96.80", details=untied)])).lines
    assert (line["amount"], line["remittance_text"]) == (Decimal("96.80"), "one / two")
    foreign = "".join(transaction("x", amount=amount, currency="EUR") for amount in ("60.00", "36.80"))
    (line,) = Said(document([entry("96.80", details=foreign)])).lines
    assert (line["amount"], line["currency_iso"]) == (Decimal("96.80"), "USD"), "they are no parts of it"


def test_what_was_instructed_is_kept_beside_what_was_booked() -> None:
    exchanged = '<AmtDtls><InstdAmt><Amt Ccy="USD">96.80</Amt></InstdAmt></AmtDtls>'
    (line,) = Said(
        document([entry("82.10", currency="EUR", details=transaction(more=exchanged))], currency="EUR")
    ).lines
    assert (line["amount"], line["currency_iso"]) == (Decimal("82.10"), "EUR")
    assert (line["amount_instructed"], line["currency_instructed_iso"]) == (Decimal("96.80"), "USD")
    (line,) = Said(document([entry("-82.10", currency="EUR", details=transaction(more=exchanged))])).lines
    assert line["amount_instructed"] == Decimal("-96.80"), "it went out"
    batch = transaction(more=exchanged) + transaction("another")
    (line,) = Said(document([entry("82.10", currency="EUR", details=batch)])).lines
    assert line["amount_instructed"] is None, "of several transactions one says nothing of the entry"


def test_the_same_line_in_another_file_is_the_same() -> None:
    details = transaction("x", trace="T-1")
    first = document([entry(ref=None, details=details)], message="camt.054", ref="N-1", more="")
    numbered = entry(ref=None, details=details).replace("<Ntry>", "<Ntry><NtryRef>17</NtryRef>")
    second = document([numbered], ref="S-9", created="2026-02-07T05:00:00Z")
    ids = {one["source_id"] for one in Said(first, second).lines}
    assert len(ids) == 1, "the bank's number of an entry is another in each file"


@pytest.mark.parametrize("ref", ["B-1", None, "NONREF"])
def test_two_lines_that_say_the_same_in_one_statement_are_two(ref: str | None) -> None:
    lines = Said(document([entry(ref=ref), entry(ref=ref), entry(ref=ref)])).lines
    assert len({one["source_id"] for one in lines}) == 3


@pytest.mark.parametrize("other", [entry("96.81"), entry(day="2026-02-06"), entry("-96.80"), entry(ref="B-2")])
def test_another_amount_day_sign_or_reference_is_another_line(other: str) -> None:
    (one,), (two,) = Said(document([entry()])).lines, Said(document([other])).lines
    assert one["source_id"] != two["source_id"]


def test_what_stands_for_no_reference_tells_nothing() -> None:
    """Two payments of one day and amount, told in a file each: their texts alone tell them apart."""
    files = [document([entry(ref="NONREF", details=transaction(text))]) for text in ("one", "two")]
    lines = Said(*files).lines
    assert len({one["source_id"] for one in lines}) == 2
    assert [(one["bank_reference"], "NONREF" in one["words"]) for one in lines] == [(None, False), (None, False)]


def test_a_reference_of_the_only_transaction_is_the_entry_s() -> None:
    details = transaction().replace("<TxDtls>", "<TxDtls><Refs><AcctSvcrRef>B-7</AcctSvcrRef></Refs>")
    (line,) = Said(document([entry(ref=None, details=details)])).lines
    assert (line["bank_reference"], line["source_id"]) == ("B-7", f"{ACCOUNT}|B-7|2026-02-05|96.8")


def test_without_a_booking_date_the_day_of_value_tells_lines_apart() -> None:
    entries = [entry(day="", more=f"<ValDt><Dt>2026-02-0{day}</Dt></ValDt>") for day in (5, 6)]
    ids = [one["source_id"] for each in entries for one in Said(document([each])).lines]
    assert ids == [f"{ACCOUNT}|B-1|2026-02-05|96.8", f"{ACCOUNT}|B-1|2026-02-06|96.8"]


def test_the_other_side_of_a_debit_is_its_creditor() -> None:
    parties = "<RltdPties><Dbtr><Nm>We</Nm></Dbtr><Cdtr><Nm>They</Nm></Cdtr></RltdPties>"
    lines = Said(document([entry(amount, details=transaction(more=parties)) for amount in ("1.00", "-1.00")])).lines
    assert [one["counterparty_name"] for one in lines] == ["We", "They"]


def test_a_notification_and_a_statement_of_one_id_are_two() -> None:
    files = [document([entry()], message=message) for message in ("camt.053", "camt.054")]
    assert [one["kind"] for one in Said(*files).rows["bank_statements"]] == ["statement", "notification"]
    assert len({one["source_id"] for one in Said(*files).rows["bank_statements"]}) == 2


def test_a_currency_that_only_the_entries_state_is_the_account_s() -> None:
    said = Said(document([entry(currency="EUR")], message="camt.054", currency=None))
    assert [one["source_id"] for one in said.rows["bank_accounts"]] == [f"{IBAN}:EUR"]
    assert said.lines[0]["account_source_id"] == f"{IBAN}:EUR"


def test_an_account_is_known_however_it_is_written() -> None:
    spaced = " ".join((IBAN[:4], IBAN[4:8], IBAN[8:])).lower()
    file = document([], [balance("CLBD", "1.00")], account=spaced, currency=None)
    assert [one["source_id"] for one in Said(file).rows["bank_accounts"]] == [ACCOUNT], (
        "its currency is that of its balances"
    )


def test_the_moment_of_a_document_is_kept_in_utc() -> None:
    own = "<CreDtTm>2026-02-06T03:00:00Z</CreDtTm>"
    for created, more in (("2026-02-06T05:00:00+02:00", own), ("2026-02-06T03:00:00", ""), ("", own)):
        said = Said(document([entry()], created=created, more=more))
        assert said.versions[said.lines[0]["source_id"]] == datetime(2026, 2, 6, 3, tzinfo=UTC)


def test_a_statement_has_its_days_and_balances() -> None:
    balances = [balance("PRCD", "-10.00", "2026-02-04"), balance("CLBD", "86.80")]
    days = ("2026-02-05T00:00:00+01:00", "2026-02-06T00:00:00+01:00")
    said = Said(document([entry()], balances, days=days))
    (statement,) = said.rows["bank_statements"]
    assert (statement["balance_opening"], statement["balance_closing"]) == (Decimal("-10.00"), Decimal("86.80"))
    assert (statement["date_from"], statement["date_to"]) == (date(2026, 2, 5), date(2026, 2, 5))
    assert (statement["kind"], statement["ref"], statement["account_source_id"]) == ("statement", "S-1", ACCOUNT)
    assert said.rows["bank_accounts"] == [
        {"line": 1, "source_id": ACCOUNT, "account_number": IBAN, "currency_iso": "USD", "name": None}
        | {"owner_name": None, "bank_code": None}
    ]


def test_an_end_at_midnight_is_the_day_before() -> None:
    days = ("2026-02-05T00:00:00", "2026-02-06T00:00:00")
    (statement,) = Said(document([entry()], days=days)).rows["bank_statements"]
    assert (statement["date_from"], statement["date_to"]) == (date(2026, 2, 5), date(2026, 2, 5))


def test_a_period_without_length_is_its_day() -> None:
    days = ("2026-02-05T00:00:00", "2026-02-05T00:00:00")
    (statement,) = Said(document([entry()], days=days)).rows["bank_statements"]
    assert (statement["date_from"], statement["date_to"]) == (date(2026, 2, 5), date(2026, 2, 5))


def test_statements_with_one_id_of_two_days_are_two() -> None:
    files = [document([], [balance("CLBD", "1.00", day)], days=None) for day in ("2026-02-05", "2026-02-06")]
    assert len({one["source_id"] for one in Said(*files).rows["bank_statements"]}) == 2


def test_pages_of_a_statement_are_told_apart() -> None:
    pages = [
        document(
            [entry(ref=f"B-{page}")], more=f"<StmtPgntn><PgNb>{page}</PgNb><LastPgInd>{last}</LastPgInd></StmtPgntn>"
        )
        for page, last in ((1, "false"), (2, "true"))
    ]
    assert [one["ref"] for one in Said(*pages).rows["bank_statements"]] == ["S-1 page 1", "S-1 page 2"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "file1.xml: it is no well-formed XML"),
        (b"hello", "file1.xml: it is no well-formed XML: syntax error (line 1)"),
        (document([entry()])[:-40], "file1.xml: it is no well-formed XML"),
        (b"<Document><Other/></Document>", "file1.xml: it holds no statement, report or notification"),
        (b'<?xml version="1.0" encoding="martian"?><a/>', "file1.xml: its encoding martian is not known"),
        (b'<?xml version="1.0" encoding="UTF-8"?><a>\xff</a>', "file1.xml: it is not UTF-8"),
        (b'<!DOCTYPE a [<!ENTITY b "bbbb">]><a>&b;</a>', "file1.xml: it declares a document type"),
        (document([entry()], account=" "), "file1.xml: line 3: it names no account"),
        (document([entry("9x")]), "file1.xml: line 4: Amt is '9x', no amount"),
        (document([entry(currency="")]), "file1.xml: line 4: Amt has no currency"),
        (document([entry().replace("CRDT", "BOTH")]), "file1.xml: line 4: CdtDbtInd is neither"),
        (document([entry(day="5 Feb")]), "file1.xml: line 4: BookgDt is '5 Feb', no date"),
        (document([entry(day="2026-02-31")]), "file1.xml: line 4: BookgDt is '2026-02-31', no date"),
        (document([entry(currency="XYZ")]), "file1.xml: line 4: Amt is in 'XYZ', no currency"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_with_its_place(data: bytes, reason: str) -> None:
    said = Said(data)
    assert any(one.startswith(reason) for one in said.reasons), said.reasons
    assert said.lines == []


def test_one_bad_entry_or_statement_leaves_the_others() -> None:
    said = Said(document([entry(), entry("bad", ref="B-2"), entry("1.00", ref="B-3")]))
    assert [one["amount"] for one in said.lines] == [Decimal("96.80"), Decimal("1.00")]
    assert said.reasons == ["file1.xml: line 5: Amt is 'bad', no amount"]
    (reason,) = Said(document([entry("bad") for _ in range(7)])).reasons
    assert reason.endswith("line 8: Amt is 'bad', no amount; and 2 more")


@pytest.mark.parametrize(
    "text",
    [
        "EREF+TR42X7 SVWZ+Stripe",
        "/TRTP/SEPA/EREF/TR42X7/REMI/Stripe",
        "Ref: TR42X7",
        "Stripe EREF:TR42X7,2026",
        "transfer TR42\n   X7 of Stripe",
        "TR-42-X7 Stripe",
    ],
)
def test_a_reference_is_found_in_a_text(text: str) -> None:
    (line,) = Said(document([entry(details=transaction(text))])).lines
    assert "TR42X7" in json.loads(line["words"])


def test_a_document_may_lie_in_an_envelope() -> None:
    plain = document([entry()]).decode().partition("?>")[2]
    for around in ("Envelope", "ns:BizMsgEnvlp"):
        (line,) = Said(f"<{around}><AppHdr><Fr/></AppHdr><Body>{plain}</Body></{around}>".encode()).lines
        assert line["source_id"] == f"{ACCOUNT}|B-1|2026-02-05|96.8"
    two = f"<Envelope>{plain}{plain.replace('B-1', 'B-2')}</Envelope>".encode()
    assert [one["bank_reference"] for one in Said(two).lines] == ["B-1", "B-2"]


def test_pages_may_be_counted_by_the_message() -> None:
    """Early versions have no pages of a statement: the same statement goes on in the next message."""
    pages = [
        document([entry(ref=f"B-{page}")])
        .decode()
        .replace("<CreDtTm>", f"<MsgPgntn><PgNb>{page}</PgNb><LastPgInd>{last}</LastPgInd></MsgPgntn><CreDtTm>")
        .encode()
        for page, last in ((1, "false"), (2, "true"))
    ]
    assert [one["ref"] for one in Said(*pages).rows["bank_statements"]] == ["S-1 page 1", "S-1 page 2"]
    only = pages[0].replace(b"false", b"true")
    assert [one["ref"] for one in Said(only).rows["bank_statements"]] == ["S-1"]


def test_of_balances_by_day_the_first_opening_and_the_last_closing_count() -> None:
    balances = [balance("CLBD", "3.00", "2026-02-06"), balance("OPBD", "3.00", "2026-02-06")]
    balances += [balance("OPBD", "1.00", "2026-02-05"), balance("CLBD", "3.00", "2026-02-05")]
    balances += [balance("CLBD", "4.00", "2026-02-07"), balance("CLAV", "9.00", "2026-02-08")]
    (statement,) = Said(document([], balances)).rows["bank_statements"]
    assert (statement["balance_opening"], statement["balance_closing"]) == (Decimal(1), Decimal(4))
    assert statement["date_to"] == date(2026, 2, 7)


@pytest.mark.parametrize(
    ("begin", "first"),
    [("2026-02-04T18:00:00", 5), ("2026-02-04T23:00:00Z", 5), ("2026-02-04T00:00:01", 4), ("2026-02-04", 4),
     ("2026-02-05T08:00:00", 5)],
)  # fmt: skip
def test_a_day_in_whose_course_a_statement_begins_is_not_all_of_it(begin: str, first: int) -> None:
    said = Said(document([entry()], [balance("CLBD", "1.00")], days=(begin, "2026-02-05T18:00:00")))
    assert said.rows["bank_statements"][0]["date_from"] == date(2026, 2, first)


def test_an_account_s_number_may_hold_any_sign() -> None:
    (account,) = Said(document([], account="12:34|X", currency=None)).rows["bank_accounts"]
    assert (account["source_id"], account["account_number"], account["currency_iso"]) == ("12:34|X", "12:34|X", None)
    (account,) = Said(document([entry()], account="12:34|X")).rows["bank_accounts"]
    assert (account["source_id"], account["currency_iso"]) == ("12:34|X:USD", "USD")


def test_parts_may_have_what_was_instructed_as_their_amount() -> None:
    parts = "".join(
        transaction(trace, trace=trace, more=f'<AmtDtls><InstdAmt><Amt Ccy="USD">{amount}</Amt></InstdAmt></AmtDtls>')
        for trace, amount in (("T-1", "60.00"), ("T-2", "36.80"))
    )
    assert [one["amount"] for one in Said(document([entry(details=parts)])).lines] == [Decimal(60), Decimal("36.80")]


def test_amounts_are_exact() -> None:
    amounts = ["0.01", "9999999999999.99", "1.00001", "100"]
    lines = Said(document([entry(one, ref=f"R{place}") for place, one in enumerate(amounts)])).lines
    assert [one["amount"] for one in lines] == [Decimal(one) for one in amounts]


def test_what_says_the_same_on_another_page_without_a_reference_is_another_line() -> None:
    def page(number: int, *, trace: str | None, ref: str | None = None) -> bytes:
        paged = f"<StmtPgntn><PgNb>{number}</PgNb><LastPgInd>{str(number == 2).lower()}</LastPgInd></StmtPgntn>"
        return document([entry("100.00", ref=ref, details=transaction("STRIPE", trace=trace))], more=paged)

    def ids(**said: str | None) -> int:
        return len({one["source_id"] for one in Said(page(1, **said), page(2, **said)).lines})

    assert ids(trace=None) == 2
    assert ids(trace="TRACE77") == 1
    assert ids(trace=None, ref="B-7") == 1


@pytest.mark.parametrize(("written", "amount"), [("+5.00", "5"), (".50", "0.50"), ("0005.00", "5"), ("7.", "7")])
def test_amounts_may_be_written_as_xml_allows(written: str, amount: str) -> None:
    (line,) = Said(document([entry().replace("96.80", written)])).lines
    assert line["amount"] == Decimal(amount)
