"""Faults of single rows that their own file shows: rejected ones and warnings. No faults of files or of state."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from kolleno_pipelines.sandbox.fault_kit import ExpectedFinding, FaultCase, Kit, lines_of
from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.sftp_tables import TableName

Maker = Callable[[Kit], FaultCase]
_INVOICES = TableName.INVOICES


def ragged_row(kit: Kit) -> FaultCase:
    """A row with a cell too few and one with a cell too many."""
    good = kit.batch()
    at = list(TableName).index(_INVOICES)
    short, long = ",".join(kit.invoice("x").values()), ",".join((*kit.invoice("y").values(), "text", "extra"))
    content = good[at].content + f"{short}\n{long}\n".encode()
    line = good[at].content.count(b"\n") + 1
    name = kit.name(_INVOICES)
    expected = tuple(ExpectedFinding(Code.RAGGED_ROW, name, each) for each in (line, line + 1))
    return FaultCase(Code.RAGGED_ROW, "too few and too many cells", (kit.batch({_INVOICES: content}),), expected)


def required_value_empty(kit: Kit) -> FaultCase:
    """Required cells without a value, two of them in one row."""
    bad = [
        (kit.invoice("x", ref=""), ("ref",)),
        (kit.invoice("y", amount="", date_issued=""), ("amount", "date_issued")),
    ]
    return kit.row_case(Code.REQUIRED_VALUE_EMPTY, "empty required cells", _INVOICES, bad)


def null_token(kit: Kit) -> FaultCase:
    """The words NULL and nan in place of a value."""
    bad = [(kit.invoice("x", ref="NULL"), ("ref",)), (kit.invoice("y", date_due="nan"), ("date_due",))]
    return kit.row_case(Code.NULL_TOKEN, "NULL and nan", _INVOICES, bad)


def bad_decimal(kit: Kit) -> FaultCase:
    """Numbers that only people can read."""
    values = ("1,234.50", "1e5", "12.", "1.2345678", "50 USD", "٥٠", "50,00")
    bad = [(kit.invoice(f"x{place}", amount=value), ("amount",)) for place, value in enumerate(values)]
    return kit.row_case(Code.BAD_DECIMAL, "not plain decimals", _INVOICES, bad)


def bad_date(kit: Kit) -> FaultCase:
    """Other spellings, and a day that does not exist."""
    bad = [
        (kit.invoice(f"x{place}", date_issued=value), ("date_issued",))
        for place, value in enumerate(("05/01/2026", "2026-02-30", "2026-1-5", "20260105", "yesterday"))
    ]
    bad.append((kit.invoice("y", date_due="2026-13-01"), ("date_due",)))
    return kit.row_case(Code.BAD_DATE, "not YYYY-MM-DD", _INVOICES, bad)


def bad_boolean(kit: Kit) -> FaultCase:
    """Neither true nor false."""
    row = {"id": kit.id("p2"), "customer_id": kit.id("c1"), "last_name": "Lee", "is_primary": "maybe"}
    bad = [(row, ("is_primary",))]
    return kit.row_case(Code.BAD_BOOLEAN, "maybe", TableName.CONTACTS, bad, columns=("is_primary",))


def bad_currency(kit: Kit) -> FaultCase:
    """Three letters that are no currency."""
    bad = [(kit.invoice("x", currency_iso="QQQ"), ("currency_iso",))]
    return kit.row_case(Code.BAD_CURRENCY, "QQQ", _INVOICES, bad)


def value_too_long(kit: Kit) -> FaultCase:
    """An id of 300 characters."""
    bad = [(kit.invoice("x", id="9" * 300), ("id",))]
    return kit.row_case(Code.VALUE_TOO_LONG, "an id of 300 characters", _INVOICES, bad)


def duplicate_id(kit: Kit) -> FaultCase:
    """Two different rows with one id: none is taken. A third id is there twice in the same bytes, which is fine."""
    same = kit.invoice("z")
    bad = [
        (kit.invoice("x"), ("id",)),
        (kit.invoice("x", balance="10.00"), ("id",)),
        (same, ()),
        (same, ()),
    ]
    return kit.row_case(Code.DUPLICATE_ID, "one id, two different rows", _INVOICES, bad)


def negative_amount(kit: Kit) -> FaultCase:
    """Amounts below zero."""
    bad = [(kit.invoice("x", amount="-50.00", balance="0.00"), ("amount",))]
    return kit.row_case(Code.NEGATIVE_AMOUNT, "-50.00", _INVOICES, bad)


def bad_country(kit: Kit) -> FaultCase:
    """Two letters that are no country; the row loads."""
    bad = [(kit.customer("c3", country_iso="ZZ"), ("country_iso",))]
    return kit.row_case(Code.BAD_COUNTRY, "ZZ", TableName.CUSTOMERS, bad)


def bad_email(kit: Kit) -> FaultCase:
    """No address; the row loads."""
    row = {"id": kit.id("p2"), "customer_id": kit.id("c1"), "last_name": "Lee", "email": "not an address"}
    return kit.row_case(Code.BAD_EMAIL, "not an address", TableName.CONTACTS, [(row, ("email",))])


def value_ignored(kit: Kit) -> FaultCase:
    """A status word that nobody knows and a description beyond its limit; the rows load."""
    bad = [
        (kit.invoice("x", status="banana"), ("status",)),
        (kit.invoice("y", description="d" * 20_000), ("description",)),
    ]
    columns = ("status", "description")
    return kit.row_case(Code.VALUE_IGNORED, "an unknown status word", _INVOICES, bad, columns=columns)


def more_decimals_than_currency(kit: Kit) -> FaultCase:
    """Half a yen; the row loads with what was sent."""
    bad = [(kit.invoice("x", amount="100.50", balance="100.50", currency_iso="JPY"), ("amount", "balance"))]
    return kit.row_case(Code.MORE_DECIMALS_THAN_CURRENCY, "half a yen", _INVOICES, bad)


def balance_above_amount(kit: Kit) -> FaultCase:
    """More is open than was billed; the row loads, and its balance is not explained."""
    bad = [(kit.invoice("x", balance="70.00"), ("balance",))]
    mismatch = ExpectedFinding(Code.BALANCE_ALLOCATION_MISMATCH, kind="invoice", source_id=kit.id("x"))
    return kit.row_case(Code.BALANCE_ABOVE_AMOUNT, "70.00 open of 50.00", _INVOICES, bad, state=(mismatch,))


def due_before_issued(kit: Kit) -> FaultCase:
    """Due the day before; the row loads."""
    bad = [(kit.invoice("x", date_due=(kit.day - timedelta(days=1)).isoformat()), ("date_due",))]
    return kit.row_case(Code.DUE_BEFORE_ISSUED, "due a day early", _INVOICES, bad)


def windows_line_ends(kit: Kit) -> FaultCase:
    """A bad date after quoted line ends in a file with a byte order mark and CRLF line ends."""
    bad = kit.invoice("x", date_issued="31.01.2026")
    rows = (*kit.rows[_INVOICES], bad)
    line = lines_of(kit.columns(_INVOICES), rows)[-1]
    plain = kit.batch({_INVOICES: [bad]})[list(TableName).index(_INVOICES)].content
    content = b"\xef\xbb\xbf" + plain.replace(b"\n", b"\r\n")
    found = ExpectedFinding(Code.BAD_DATE, kit.name(_INVOICES), line, "date_issued")
    return FaultCase(Code.BAD_DATE, "CRLF and a byte order mark", (kit.batch({_INVOICES: content}),), (found,))


MAKERS: tuple[Maker, ...] = (
    ragged_row,
    required_value_empty,
    null_token,
    bad_decimal,
    bad_date,
    bad_boolean,
    bad_currency,
    value_too_long,
    duplicate_id,
    negative_amount,
    bad_country,
    bad_email,
    value_ignored,
    more_decimals_than_currency,
    balance_above_amount,
    due_before_issued,
    windows_line_ends,
)
