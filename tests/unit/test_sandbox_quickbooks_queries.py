"""The query language of the simulated QuickBooks: what it answers and what it refuses."""

from __future__ import annotations

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from kolleno_pipelines.sandbox.quickbooks.queries import answer, parse
from kolleno_pipelines.sandbox.quickbooks.refusals import QuickBooksRefusal
from kolleno_pipelines.sandbox.quickbooks.wire import Json

ZONE = ZoneInfo("America/Los_Angeles")


def _customer(number: int, updated: str, *, active: bool = True, balance: str = "0", company: str = "") -> Json:
    return {
        "Id": str(number),
        "DisplayName": f"O'Neill {number}",
        **({"CompanyName": company} if company else {}),
        "Active": active,
        "Balance": Decimal(balance),
        "MetaData": {"CreateTime": updated, "LastUpdatedTime": updated},
    }


CUSTOMERS = [
    _customer(1, "2026-03-08T01:30:00-08:00", balance="10.50", company="Acme"),
    _customer(2, "2026-03-08T03:30:00-07:00", balance="9"),
    _customer(3, "2026-03-07T23:00:00-08:00", balance="100"),
    _customer(10, "2026-03-09T00:00:00-07:00", active=False),
]


def _ids(text: str) -> list[str]:
    found = answer(parse(text), CUSTOMERS, ZONE)
    return [each["Id"] for each in found.get("Customer", [])]


@pytest.mark.parametrize(
    ("rest", "ids"),
    [
        ("", ["1", "2", "3"]),
        (" WHERE Active IN (true, false)", ["1", "2", "3", "10"]),
        (" where active = false", ["10"]),
        (" WHERE Id IN ('3', '1', '77')", ["1", "3"]),
        (" WHERE Id >= '2' AND Active IN (true, false)", ["2", "3", "10"]),
        (r" WHERE DisplayName = 'O\'Neill 2'", ["2"]),
        (" WHERE DisplayName LIKE 'o%3'", ["3"]),
        (" WHERE DisplayName LIKE '%Neill%' AND Balance > '9.5'", ["1", "3"]),
        (" WHERE CompanyName = ' '", ["2", "3"]),
        (" WHERE CompanyName = 'Acme'", ["1"]),
        # The night in which the offset changes: as texts these would compare wrongly.
        (" WHERE Metadata.LastUpdatedTime > '2026-03-08T09:30:00Z'", ["2"]),
        (" WHERE MetaData.LastUpdatedTime <= '2026-03-08T02:30:00-07:00'", ["1", "3"]),
        (" WHERE MetaData.LastUpdatedTime >= '2026-03-08'", ["1", "2"]),
        (" ORDERBY Balance DESC", ["3", "1", "2"]),
        (" ORDER BY MetaData.LastUpdatedTime ASC", ["3", "1", "2"]),
        (" ORDERBY CompanyName, Id DESC", ["3", "2", "1"]),
        (" STARTPOSITION 2 MAXRESULTS 1", ["2"]),
        (" STARTPOSITION 4", []),
    ],
)
def test_conditions_order_and_pages(rest: str, ids: list[str]) -> None:
    assert _ids(f"SELECT * FROM Customer{rest}") == ids


def test_answers_look_like_the_vendors() -> None:
    page = answer(parse("select * from Customer startposition 2 maxresults 5"), CUSTOMERS, ZONE)
    assert (page["startPosition"], page["maxResults"]) == (2, 2)
    assert answer(parse("select * from Customer where Id = '99'"), CUSTOMERS, ZONE) == {}
    assert answer(parse("select count(*) from Customer"), CUSTOMERS, ZONE) == {"totalCount": 3}
    many = [{**CUSTOMERS[0], "Id": str(number)} for number in range(1, 1200)]
    assert len(answer(parse("SELECT * FROM Customer"), many, ZONE)["Customer"]) == 100
    assert len(answer(parse("SELECT * FROM Customer MAXRESULTS 1000"), many, ZONE)["Customer"]) == 1000


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("SELECT * FROM customer", 4001, "customer"),
        ("SELECT * FROM Nothing", 4001, "Nothing"),
        ("SELECT * FROM Customer STARTPOSITION 0", 4001, "value 0 is too small. Min allowed value is 1"),
        ("SELECT * FROM Customer MAXRESULTS 1001", 4001, "1001 is too large"),
        ("SELECT * FROM Customer WHERE Colour = 'red'", 4001, "Property Colour not found"),
        ("SELECT * FROM Customer ORDERBY Colour", 4001, "Property Colour not found"),
        ("SELECT * FROM Customer WHERE MetaData.LastUpdatedTime > 'soon'", 4001, "Invalid value"),
        ("SELECT * FROM Customer WHERE Balance > 'much'", 4001, "Invalid value"),
        ("SELECT * FROM Customer WHERE Active = 'yes'", 4001, "Invalid value"),
        ("SELECT * FROM Customer WHERE Id = '1' OR Id = '2'", 4000, "OR"),
        ("SELECT Id, Balance FROM Customer", 4000, "Id"),
        ("SELECT * FROM Customer, Invoice", 4000, ","),
        ("SELECT * FROM Customer GROUP BY Active", 4000, "GROUP"),
        ("SELECT * FROM Customer WHERE Id != '1'", 4000, "!="),
        ("SELECT * FROM Customer MAXRESULTS 10 STARTPOSITION 1", 4000, "STARTPOSITION"),
        ("SELECT * FROM Customer WHERE Id IN ('1'", 4000, "EOF"),
        ("SELECT * FROM Customer WHERE Id = 'unclosed", 4000, "unclosed"),
        ("DELETE FROM Customer", 4000, "DELETE"),
        ("SELECT *", 4000, "EOF"),
    ],
)
def test_what_the_vendor_refuses_is_refused(text: str, code: int, told: str) -> None:
    with pytest.raises(QuickBooksRefusal) as refused:
        parse(text)
    assert refused.value.code == code
    assert told in refused.value.detail
