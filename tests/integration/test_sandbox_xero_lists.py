"""The lists of the sandbox Xero: pages, parameters, changes over time, and what it refuses to list."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.vendor_limits import VendorLimits
from kolleno_pipelines.sandbox.xero.access import READ_SCOPES
from kolleno_pipelines.sandbox.xero.filling import filled_from
from kolleno_pipelines.sandbox.xero.objects import Kind
from kolleno_pipelines.sandbox.xero.server import SandboxXero
from tests.canaries import CANARY
from tests.xero_client import NOW, Client, message_of, served_cases

SECRET = f"{CANARY}-xero-app"


@pytest.fixture(scope="module")
def company() -> Company:
    return Company.build(5, customers=20, days=12, history_days=40, expressible=True)


@pytest.fixture(scope="module")
def served_company(company: Company) -> Iterator[SandboxXero]:
    clock = VendorClock(company.batches[-1].name_time)
    with SandboxXero(filled_from(company).book, clock=clock, limits=VendorLimits(), client_secret=SECRET) as xero:
        yield xero


@pytest.fixture
def of_company(served_company: SandboxXero, company: Company) -> Iterator[Client]:
    served_company.clock.set(company.batches[-1].name_time)
    client = Client(served_company, READ_SCOPES)
    yield client
    client.session.close()


def test_pages_hold_everything_once(of_company: Client) -> None:
    everything = of_company.records("Invoices")
    for size in (7, 100, 1000):
        found, number, pages = [], 1, 1
        while number <= pages:
            body = of_company.ask("Invoices", page=number, pageSize=size).json()
            pages = body["pagination"]["pageCount"]
            assert body["pagination"] == {
                "page": number,
                "pageSize": size,
                "pageCount": -(-len(everything) // size),
                "itemCount": len(everything),
            }
            found += body["Invoices"]
            number += 1
        assert [each["InvoiceID"] for each in found] == [each["InvoiceID"] for each in everything]
    assert of_company.records("Invoices", page=9999) == []
    assert of_company.ask("Invoices", page=1).json()["pagination"]["pageSize"] == 100


def test_only_pages_and_single_objects_have_lines(of_company: Client) -> None:
    whole = of_company.ask("Invoices").json()
    assert "pagination" not in whole
    assert all(each["LineItems"] == [] for each in whole["Invoices"])
    paged = of_company.records("Invoices", page=1)
    assert all(each["LineItems"] for each in paged)
    single = of_company.records(f"Invoices/{paged[0]['InvoiceID']}")
    assert single == paged[:1]
    assert of_company.records(f"Invoices/{paged[0]['InvoiceNumber']}") == single
    light = of_company.records("Invoices", page=1, summaryOnly="true")
    assert all("LineItems" not in each and "Payments" not in each and "AmountDue" in each for each in light)


def test_lists_are_narrowed_by_parameters(of_company: Client) -> None:
    every = of_company.records("Invoices")
    some = [each["InvoiceID"] for each in every[:3]]
    assert [each["InvoiceID"] for each in of_company.records("Invoices", IDs=",".join(some))] == some
    numbers = {each["InvoiceNumber"] for each in every[:2]}
    named = of_company.records("Invoices", InvoiceNumbers=",".join(numbers))
    assert {each["InvoiceNumber"] for each in named} == numbers
    who = every[0]["Contact"]["ContactID"]
    theirs = of_company.records("Invoices", ContactIDs=who)
    assert theirs == [each for each in every if each["Contact"]["ContactID"] == who]
    voided = of_company.records("Invoices", Statuses="VOIDED,DELETED")
    assert voided
    assert {each["Status"] for each in voided} == {"VOIDED"}
    sales = of_company.records("Invoices", where='Type=="ACCREC" AND AmountDue>0', order="Date DESC", pageSize=1000)
    assert sales
    assert {each["Type"] for each in sales} == {"ACCREC"}
    assert [each["DateString"] for each in sales] == sorted((each["DateString"] for each in sales), reverse=True)
    assert len(sales) < len(every)
    assert of_company.records("Contacts", searchTerm="paper &")[0]["Name"] == "Paper & Ink Supplies"


def test_changes_since_a_moment(of_company: Client, company: Company) -> None:
    last = company.batches[-1]
    for text in (last.name_time.isoformat(), f"{last.name_time:%a, %d %b %Y %H:%M:%S GMT}"):
        changed = of_company.records("Invoices", {"If-Modified-Since": text})
        assert 0 < len(changed) < len(of_company.records("Invoices"))
        stamp = f"{last.name_time:%Y-%m-%dT%H:%M:%SZ}"
        assert {each["UpdatedDateUTCString"] for each in changed} == {stamp}
    later = (last.name_time + timedelta(seconds=1)).isoformat()
    assert of_company.records("Invoices", {"If-Modified-Since": later}) == []
    assert of_company.records("ContactGroups", {"If-Modified-Since": later})


def test_the_clock_moves_what_is_there(of_company: Client, company: Company) -> None:
    sizes = []
    for batch in company.batches:
        of_company.xero.clock.set(batch.name_time)
        sizes.append(len(of_company.records("Invoices", where='Type=="ACCREC"')))
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


@pytest.mark.parametrize(
    ("path", "query", "part"),
    [
        ("Invoices", {"colour": "red"}, "colour"),
        ("Invoices", {"page": "0"}, "page"),
        ("Invoices", {"page": "one"}, "page"),
        ("Invoices", {"page": "1", "pageSize": "1001"}, "pageSize"),
        ("Invoices", {"IDs": "7"}, "IDs"),
        ("Invoices", {"Statuses": "OPEN"}, "Statuses"),
        ("Invoices", {"summaryOnly": "yes"}, "summaryOnly"),
        ("Payments", {"IDs": "7"}, "IDs"),
        ("BatchPayments", {"page": "1"}, "page"),
        ("Accounts", {"pageSize": "10"}, "pageSize"),
        ("Organisation", {"where": "x"}, "where"),
        ("Contacts", {"Statuses": "PAID"}, "Statuses"),
    ],
)
def test_wrong_parameters_are_refused(of_company: Client, path: str, query: dict[str, str], part: str) -> None:
    assert part in message_of(of_company.ask(path, **query))


def test_other_refusals_of_lists(of_company: Client) -> None:
    unread = of_company.ask("Invoices", where='Colour=="red"')
    assert (unread.status_code, unread.json()["Type"]) == (400, "QueryParseException")
    assert "Colour" in unread.json()["Message"]
    assert "If-Modified-Since" in message_of(of_company.ask("Invoices", headers={"If-Modified-Since": "yesterday"}))
    for path in ("Journals", "Invoices/INV-none", "Invoices/INV-none/History", "Payments/7"):
        assert of_company.ask(path).status_code == 404, path
    twice = of_company.session.get(f"{of_company.xero.api_url}/Invoices?page=1&page=2", timeout=10)
    assert "twice" in message_of(twice)


def test_a_list_that_looks_through_too_much_is_refused() -> None:
    with served_cases(index_limit=25) as (client, cases):
        assert len(client.xero.book.records(Kind.INVOICES, NOW)) == 26
        assert "25" in message_of(client.ask("Invoices", page=1, pageSize=1))
        wide = 'Contact.ContactID==guid("' + cases["silent_change"].contact_id + '")'
        assert client.ask("Invoices", page=1, where=wide).status_code == 400
        assert len(client.records("Invoices", page=1, where=f'Type=="ACCREC" AND {wide}')) == 1


def test_the_vendor_keeps_milliseconds_and_compares_seconds() -> None:
    with served_cases() as (client, cases):
        clock = client.xero.clock
        at = clock.advance(timedelta(milliseconds=590))
        owed = cases["archived_contact"].ids["invoice"]
        client.xero.api.ledger.edit(Kind.INVOICES, owed, {"Reference": "moved"}, at)
        since = (at + timedelta(milliseconds=200)).isoformat()
        changed = client.records("Invoices", {"If-Modified-Since": since})
        assert [each["InvoiceID"] for each in changed] == [owed]
        assert changed[0]["UpdatedDateUTC"].endswith("590+0000)/")
        assert changed[0]["UpdatedDateUTCString"] == f"{at:%Y-%m-%dT%H:%M:%SZ}"


def test_answers_are_compressed_for_who_asks(of_company: Client) -> None:
    packed = of_company.ask("Invoices", headers={"Accept-Encoding": "gzip"})
    plain = of_company.ask("Invoices", headers={"Accept-Encoding": "identity"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.json()["Invoices"] == plain.json()["Invoices"]
