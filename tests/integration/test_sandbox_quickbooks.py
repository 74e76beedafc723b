"""The simulated QuickBooks over HTTP: pages, changes over time, deletions, refusals, limits, tokens, writes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import requests

from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.quickbooks.app import SCOPE, TOKEN_PATH, SandboxQuickBooks, published_limits
from kolleno_pipelines.sandbox.quickbooks.book import QuickBooksBook
from kolleno_pipelines.sandbox.quickbooks.cases import Case
from kolleno_pipelines.sandbox.quickbooks.company_file import CompanyFile
from kolleno_pipelines.sandbox.quickbooks.filling import Filling, filled_from
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.vendor_limits import VendorLimits
from kolleno_pipelines.sandbox.vendor_server import VendorFault
from tests.canaries import CANARY
from tests.quickbooks_client import AT, SECRET, Client, Json, cases, client, code_of

__all__ = ["cases", "client"]


@pytest.fixture(scope="module")
def filling() -> Filling:
    plan: Json = {
        "customers": 24,
        "days": 20,
        "invoices_per_day": 6,
        "history_days": 290,
        "first_day": date(2026, 3, 1),
    }
    return filled_from(Company.build(6, expressible=True, **plan))


@pytest.fixture(scope="module")
def company(filling: Filling) -> Iterator[Client]:
    """A client of the sandbox company, its clock after the last batch; tests only read."""
    clock = VendorClock(filling.company.batches[-1].name_time + timedelta(hours=1))
    with SandboxQuickBooks(filling.file, clock=clock, limits=VendorLimits()) as vendor:
        client = Client(vendor)
        yield client
        client.session.close()


def test_pages_are_the_whole_set(company: Client, filling: Filling) -> None:
    total = company.query("SELECT count(*) FROM Invoice")["totalCount"]
    assert total == len(filling.file.ledger.current["Invoice"]) > 1000
    ids: list[str] = []
    while True:
        text = f"SELECT * FROM Invoice ORDERBY MetaData.LastUpdatedTime STARTPOSITION {len(ids) + 1} MAXRESULTS 1000"
        page = company.query(text)
        if not page:
            break
        assert (page["startPosition"], page["maxResults"]) == (len(ids) + 1, len(page["Invoice"]))
        ids += [each["Id"] for each in page["Invoice"]]
    assert len(set(ids)) == len(ids) == total


def test_control_totals_over_http(company: Client, filling: Filling) -> None:
    def every(kind: str) -> list[Json]:
        found: list[Json] = []
        while page := company.query(f"SELECT * FROM {kind} STARTPOSITION {len(found) + 1} MAXRESULTS 1000"):
            found += page[kind]
        return found

    sums: dict[str, Decimal] = {}
    for kind, field, sign in (("Invoice", "Balance", 1), ("CreditMemo", "RemainingCredit", -1), ("Payment", "", -1)):
        for each in every(kind):
            customer = each["CustomerRef"]["value"]
            sums[customer] = sums.get(customer, Decimal(0)) + sign * Decimal(each[field or "UnappliedAmt"])
    customers = every("Customer")
    assert len(customers) == len(filling.company.books().customers)
    for customer in customers:
        assert Decimal(customer["Balance"]) == sums.get(customer["Id"], Decimal(0))
    raw = company.get("query", query="SELECT * FROM Payment WHERE TotalAmt = '0' MAXRESULTS 200").text
    assert '"TotalAmt":0,' in raw
    assert "null" not in raw


def test_a_moved_clock_shows_the_past_and_a_window_its_changes(company: Client, filling: Filling) -> None:
    clock, batches = company.vendor.clock, filling.company.batches
    now = clock.now
    try:
        clock.set(batches[8].name_time)
        early = company.query("SELECT count(*) FROM Invoice")["totalCount"]
        since, until = batches[7].name_time, batches[8].name_time
        where = (
            f"MetaData.LastUpdatedTime > '{since.isoformat()}' AND MetaData.LastUpdatedTime <= '{until.isoformat()}'"
        )
        changed = company.query(f"SELECT * FROM Invoice WHERE {where} MAXRESULTS 1000")["Invoice"]
        offset = "-07:00" if until > datetime(2026, 3, 8, 10, tzinfo=UTC) else "-08:00"
        assert {each["MetaData"]["LastUpdatedTime"][-6:] for each in changed} == {offset}
        assert 0 < len(changed) < early
    finally:
        clock.set(now)
    assert company.query("SELECT count(*) FROM Invoice")["totalCount"] > early
    starts = {each["MetaData"]["CreateTime"][-6:] for each in company.query("SELECT * FROM CreditMemo")["CreditMemo"]}
    assert starts <= {"-08:00", "-07:00"}


def test_applying_a_payment_touches_invoice_and_customer(client: Client, cases: dict[str, Case]) -> None:
    ids = cases["voided_payment"].ids
    before = client.query(f"SELECT * FROM Invoice WHERE Id = '{ids['invoice']}'")["Invoice"][0]
    now = client.wait(timedelta(days=3))
    line = {"Amount": 30.5, "LinkedTxn": [{"TxnId": ids["invoice"], "TxnType": "Invoice"}]}
    body = {"CustomerRef": {"value": ids["customer"]}, "TotalAmt": 40, "Line": [line], "PaymentRefNum": "P-1"}
    payment = client.post("payment", body).json()["Payment"]
    assert (payment["UnappliedAmt"], payment["SyncToken"]) == (9.5, "0")
    after = client.get(f"invoice/{ids['invoice']}").json()["Invoice"]
    customer = client.get(f"customer/{ids['customer']}").json()["Customer"]
    assert (after["Balance"], customer["Balance"]) == (49.5, 40)
    moments = {each["MetaData"]["LastUpdatedTime"] for each in (payment, after, customer)}
    assert moments == {"2026-03-09T12:00:00-07:00"}
    assert now.astimezone(UTC) == datetime.fromisoformat(moments.pop())
    assert int(after["SyncToken"]) == int(before["SyncToken"]) + 1


def test_deletions_are_told_for_30_days(client: Client, cases: dict[str, Case]) -> None:
    invoice = cases["deleted_invoice"].ids["invoice"]
    assert "Invoice" not in client.query(f"SELECT * FROM Invoice WHERE Id = '{invoice}'")
    gone = client.get(f"invoice/{invoice}")
    assert code_of(gone) == (400, "610")
    parts = client.changes("Invoice,RefundReceipt,Vendor,Customer", AT - timedelta(hours=1))
    assert [len(each) > 0 for each in parts] == [True, True, False, True]
    told = next(each for each in parts[0]["Invoice"] if each["Id"] == invoice)
    assert told == {
        "status": "Deleted",
        "Id": invoice,
        "MetaData": {"LastUpdatedTime": "2026-03-06T10:00:00-08:00"},
    }
    merged = cases["merged_customers"].ids["gone"]
    deleted = [each["Id"] for each in parts[3]["Customer"] if each.get("status") == "Deleted"]
    assert deleted == [merged]
    client.wait(timedelta(hours=1))
    assert client.changes("Invoice", client.vendor.clock.now - timedelta(minutes=5)) == [{}]
    client.wait(timedelta(days=30))
    late = client.get("cdc", entities="Invoice", changedSince=AT.isoformat())
    assert code_of(late) == (400, "4001")


def test_change_data_capture_is_cut_at_1000_objects(company: Client, filling: Filling) -> None:
    since = filling.company.batches[0].name_time - timedelta(hours=1)
    parts = company.changes("Customer,Invoice,Payment", since)
    customers = len(filling.company.books().customers)
    assert [each.get("maxResults") for each in parts] == [customers, 1000 - customers, None]
    assert len(company.changes("Invoice", since)[0]["Invoice"]) == 1000
    for asked in ("Invoice,Nothing", "TaxCode", "Invoice,"):
        assert company.get("cdc", entities=asked, changedSince=since.isoformat()).status_code == 400
    assert code_of(company.get("cdc", entities="Invoice")) == (400, "2020")
    assert code_of(company.get("cdc", entities="Invoice", changedSince="yesterday")) == (400, "4001")


def test_inactive_customers_come_only_when_asked_for(client: Client, cases: dict[str, Case]) -> None:
    customer = cases["inactive_customer"].ids["customer"]
    assert client.query(f"SELECT * FROM Customer WHERE Id = '{customer}'") == {}
    found = client.query(f"SELECT * FROM Customer WHERE Id = '{customer}' AND Active IN (true, false)")["Customer"]
    assert found[0]["DisplayName"] == "Inactive (deleted)"
    assert client.get(f"customer/{customer}").json()["Customer"]["Active"] is False


def test_a_query_may_be_posted_and_the_company_describes_itself(client: Client) -> None:
    url = client._url("query")
    headers = {"Content-Type": "application/text"}
    answer = client.session.post(url, data="SELECT * FROM Preferences", headers=headers, timeout=5)
    preferences = answer.json()["QueryResponse"]["Preferences"][0]
    assert preferences["CurrencyPrefs"] == {"MultiCurrencyEnabled": True, "HomeCurrency": {"value": "USD"}}
    info = client.get(f"companyinfo/{client.vendor.book.realm_id}").json()["CompanyInfo"]
    assert info["CompanyName"] == "Sandbox Company"
    assert answer.headers["intuit_tid"] != client.get("preferences").headers["intuit_tid"]
    assert client.session.post(url, data="SELECT * FROM Account", timeout=5).status_code == 400
    plain = client.session.get(url, params={"query": "SELECT * FROM Account"}, headers={"Accept": "*/*"}, timeout=5)
    assert plain.headers["Content-Type"].startswith("application/xml")


def test_an_old_minor_version_answers_as_the_present_one(client: Client) -> None:
    answers = [client.get("query", query="SELECT * FROM Account", minorversion=each) for each in ("1", "75")]
    assert answers[0].json()["QueryResponse"] == answers[1].json()["QueryResponse"]
    assert code_of(client.get("query", query="SELECT * FROM Account", minorversion="new")) == (400, "2080")


@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        ("query", {"query": "SELECT * FROM Customer STARTPOSITION 0"}, "4001"),
        ("query", {"query": "SELECT * FROM invoice"}, "4001"),
        ("query", {"query": "SELECT * FROM Invoice WHERE Id = '1' OR Id = '2'"}, "4000"),
        ("query", {}, "2020"),
        ("query", {"query": "SELECT * FROM Invoice", "page": "2"}, "2010"),
        ("nothing/1", {}, "500"),
        ("invoice/99999", {}, "610"),
        ("invoice", {}, "610"),
    ],
)
def test_refusals_have_the_vendors_body(company: Client, path: str, params: dict[str, str], code: str) -> None:
    answer = company.get(path, **params)
    assert code_of(answer) == (400, code)
    body = answer.json()
    assert body["Fault"]["type"] == "ValidationFault"
    assert {"Message", "Detail", "code"} <= set(body["Fault"]["Error"][0])
    assert datetime.fromisoformat(body["time"]).utcoffset() is not None


def test_a_token_that_ended_and_a_foreign_company_are_refused_in_lower_case(client: Client) -> None:
    client.vendor.tokens.expire_access()
    answer = client.get("query", query="SELECT * FROM Account")
    error = answer.json()["fault"]["error"][0]
    assert (answer.status_code, error["code"]) == (401, "003200")
    assert "errorCode=003200" in error["message"]
    assert CANARY not in answer.text
    client.sign_in()
    assert client.get("query", query="SELECT * FROM Account").ok
    foreign = client.session.get(f"{client.vendor.url}/v3/company/1/query", params={"query": "x"}, timeout=5)
    assert (foreign.status_code, foreign.json()["fault"]["error"][0]["code"]) == (403, "003201")


def test_a_refresh_token_is_kept_for_a_day_and_then_replaced(client: Client) -> None:
    vendor = client.vendor
    token = str(vendor.tokens.issue(SCOPE)["refresh_token"])

    def refresh(secret: str = SECRET) -> Json:
        form = {"grant_type": "refresh_token", "refresh_token": token}
        answer = requests.post(vendor.url + TOKEN_PATH, data=form, auth=("sandbox-app", secret), timeout=5)
        body: Json = answer.json()
        return body

    first = refresh()
    assert (first["refresh_token"], first["expires_in"]) == (token, 3600)
    assert first["x_refresh_token_expires_in"] == 100 * 86400
    assert refresh("wrong") == {"error": "invalid_client"}
    vendor.clock.advance(timedelta(hours=25))
    second = refresh()["refresh_token"]
    assert second != token
    assert refresh()["refresh_token"] != token, "the answer may have been lost"
    vendor.clock.advance(timedelta(hours=24))
    assert refresh() == {"error": "invalid_grant"}


def test_both_throttle_forms_and_faults_inside_a_200(client: Client) -> None:
    ask = lambda: client.get("query", query="SELECT * FROM Account")  # noqa: E731 - asked again and again
    client.vendor.server.fail_next("/v3/", 429)
    client.vendor.server.fail_next("/v3/", 403)
    client.vendor.server.fail_next("/v3/", client.vendor.fault(10000))
    client.vendor.server.fail_next("/v3/", 500)
    client.vendor.server.fail_next("/v3/", VendorFault.NOT_JSON)
    throttles = [ask(), ask()]
    assert [each.status_code for each in throttles] == [429, 403]
    assert {each.json()["fault"]["error"][0]["code"] for each in throttles} == {"003001"}
    inside, broken, page = ask(), ask(), ask()
    assert (inside.status_code, inside.json()["Fault"]["Error"][0]["code"]) == (200, "10000")
    assert (broken.status_code, broken.json()["Fault"]["type"]) == (500, "SystemFault")
    assert "html" in page.text
    assert ask().ok


def test_the_published_limits_hold_and_run_faster_with_a_factor() -> None:
    file = CompanyFile(QuickBooksBook(), AT)
    with SandboxQuickBooks(file, clock=VendorClock(AT), limits=published_limits(factor=0.001)) as vendor:
        client = Client(vendor)
        statuses = [client.get("preferences").status_code for _ in range(12)]
        assert statuses == [200] * 10 + [429] * 2
        vendor.limits = published_limits(factor=10_000)
        assert {client.get("preferences").status_code for _ in range(30)} == {200}
        assert (vendor.limits.granted, vendor.limits.refused) == (30, 0)
        assert vendor.api_requests == 42
        client.session.close()
