"""The vendor's `where` and `order`: each form in use, and what it refuses to read."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from kolleno_pipelines.sandbox.xero.filters import QueryError, in_order, parse_order, parse_where
from kolleno_pipelines.sandbox.xero.objects import Kind, Record

ID_A, ID_B = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
A: Record = {
    "InvoiceID": ID_A,
    "InvoiceNumber": "INV-1",
    "Type": "ACCREC",
    "Status": "AUTHORISED",
    "AmountDue": Decimal("10.00"),
    "Date": date(2026, 1, 31),
    "DueDate": date(2026, 2, 28),
    "SentToContact": True,
    "Reference": 'PO "7" AND more',
    "Contact": {"ContactID": ID_B, "Name": "Alder"},
    "UpdatedDateUTC": datetime(2026, 2, 1, 6, tzinfo=UTC),
}
B: Record = A | {
    "InvoiceID": ID_B,
    "InvoiceNumber": "INV-2",
    "Type": "ACCPAY",
    "Status": "PAID",
    "AmountDue": Decimal("0.00"),
    "Date": date(2026, 2, 1),
    "DueDate": None,
    "SentToContact": False,
    "Contact": {"ContactID": ID_A, "Name": "Beacon"},
    "UpdatedDateUTC": datetime(2026, 2, 1, 6, 0, 1, tzinfo=UTC),
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('Status=="AUTHORISED"', [A]),
        ('Status!="AUTHORISED"', [B]),
        ('Type="ACCREC"', [A]),
        ("AmountDue>0", [A]),
        ("AmountDue >= 0.00", [A, B]),
        ("AmountDue<10 AND AmountDue>-1", [B]),
        ("Date>=DateTime(2026,02,01)", [B]),
        ("Date < DateTime(2026, 2, 1)", [A]),
        ("UpdatedDateUTC>DateTime(2026,2,1,6,0,0)", [B]),
        ('Type=="ACCREC"&&Status=="PAID"', []),
        ('Type=="ACCREC" OR Status=="PAID"', [A, B]),
        ('Status=="PAID" || Status=="VOIDED" && AmountDue>0', [B]),
        ('(Status=="PAID" || Status=="AUTHORISED") && AmountDue>0', [A]),
        (f'Contact.ContactID==guid("{ID_B}")', [A]),
        (f'InvoiceID == Guid("{ID_B.upper()}")', [B]),
        ('Contact.Name.StartsWith("Be")', [B]),
        ('Contact.Name.EndsWith("der")', [A]),
        ('InvoiceNumber.Contains("-2")', [B]),
        ("DueDate==null", [B]),
        ("DueDate!=null AND DueDate<DateTime(2026,3,1)", [A]),
        ("DueDate<DateTime(2099,1,1)", [A]),
        ("SentToContact==true", [A]),
        ("SentToContact!=true", [B]),
    ],
)
def test_what_a_condition_selects(text: str, found: list[Record]) -> None:
    where = parse_where(Kind.INVOICES, text)
    assert [each for each in (A, B) if where.test(each)] == found


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('Colour=="red"', "No property or field 'Colour' exists in type 'Invoice'"),
        ('Status=="PAID" AND', "Expression expected"),
        ('Status=="PAID" Type=="ACCREC"', "Syntax error"),
        ('(Status=="PAID"', "Expression expected"),
        ("Status", "Expression expected"),
        ("Status==PAID", "incompatible"),
        ("Status==5", "incompatible"),
        ('Status>"PAID"', "incompatible"),
        ('AmountDue>"5"', "incompatible"),
        ('Date>"2026-01-01"', "incompatible"),
        (f'InvoiceID=="{ID_A}"', "incompatible"),
        ('InvoiceID==guid("7")', "Guid"),
        ("Date>DateTime(2026,13,1)", "DateTime"),
        ("Date>DateTime()", "DateTime"),
        ('AmountDue.Contains("1")', "Contains"),
        ("Status=='PAID'", "Syntax error"),
        ("AmountDue>null", "incompatible"),
    ],
)
def test_what_cannot_be_read(text: str, part: str) -> None:
    with pytest.raises(QueryError, match=part.replace("(", r"\(")):
        parse_where(Kind.INVOICES, text)


def test_only_conditions_on_dates_types_and_statuses_narrow_the_index() -> None:
    assert parse_where(Kind.INVOICES, 'Type=="ACCREC" AND AmountDue>100').indexed(A)
    assert not parse_where(Kind.INVOICES, 'Type=="ACCREC" AND AmountDue>100').indexed(B)
    assert parse_where(Kind.INVOICES, 'Type=="ACCREC" OR AmountDue>100').indexed(B)


def test_order() -> None:
    records = [A, B, A | {"InvoiceNumber": "INV-0"}]
    numbers = [each["InvoiceNumber"] for each in in_order(records, parse_order(Kind.INVOICES, "UpdatedDateUTC DESC"))]
    assert numbers == ["INV-2", "INV-1", "INV-0"]
    both = parse_order(Kind.INVOICES, "UpdatedDateUTC,InvoiceNumber DESC")
    assert [each["InvoiceNumber"] for each in in_order(records, both)] == ["INV-1", "INV-0", "INV-2"]
    assert in_order([A, B], parse_order(Kind.INVOICES, "DueDate ASC")) == [B, A]


@pytest.mark.parametrize("text", ["Colour", "Date SIDEWAYS", ""])
def test_orders_that_cannot_be_read(text: str) -> None:
    with pytest.raises(QueryError):
        parse_order(Kind.INVOICES, text)
