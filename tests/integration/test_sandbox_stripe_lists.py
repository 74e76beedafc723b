"""Lists, filters, cursors and expansions of the sandbox Stripe over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from kolleno_pipelines.sandbox.stripe import charging
from kolleno_pipelines.sandbox.stripe.charging import Payment
from kolleno_pipelines.sandbox.stripe.scenes import AT, NOW, Case
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from tests.stripe_book import FX, ledger
from tests.stripe_client import Client, error_of, served, served_cases

COUNT = 23


@pytest.fixture(scope="module")
def charges() -> Iterator[Client]:
    """An account with a charge each hour of two days, a few refunds, and payouts."""
    account = ledger(FX)
    for number in range(COUNT):
        currency = "eur" if number % 5 == 4 else "usd"
        made = charging.charge(account, AT + timedelta(hours=number), Payment(1_000 + number, currency))
        if number % 10 == 9:
            charging.refund(account, AT + timedelta(hours=number), made["id"])
    account.advance(NOW)
    with served(account) as client:
        yield client


@pytest.fixture(scope="module")
def cases_served() -> Iterator[tuple[Client, dict[str, Case]]]:
    with served_cases() as client_and_cases:
        yield client_and_cases


def _of(cases_served: tuple[Client, dict[str, Case]], name: str) -> tuple[Client, Case]:
    client, cases = cases_served
    client.session.headers["Stripe-Account"] = cases[name].ledger.account_id
    return client, cases[name]


def test_lists_are_newest_first_and_ten_long(charges: Client) -> None:
    page = charges.got("charges")
    assert (page["object"], page["url"], page["has_more"], len(page["data"])) == ("list", "/v1/charges", True, 10)
    created = [each["created"] for each in page["data"]]
    assert created == sorted(created, reverse=True)


@pytest.mark.parametrize("size", [1, 7, 22, 23, 100])
def test_cursors_walk_through_everything_both_ways(charges: Client, size: int) -> None:
    every = [each["id"] for each in charges.data("charges")]
    assert len(set(every)) == COUNT
    down: list[str] = []
    page = charges.got("charges", limit=size)
    while True:
        down.extend(each["id"] for each in page["data"])
        if not page["has_more"]:
            break
        page = charges.got("charges", limit=size, starting_after=down[-1])
    assert down == every
    up = [every[-1]]
    while True:
        page = charges.got("charges", limit=size, ending_before=up[0])
        up[:0] = [each["id"] for each in page["data"]]
        if not page["has_more"]:
            break
    assert up == every
    error_of(charges.ask("charges", starting_after=every[0], ending_before=every[1]))


def test_moments_bound_lists(charges: Client) -> None:
    first = int(AT.timestamp())
    hour = 3_600
    for params, count in (
        ({"created[gte]": first + hour}, COUNT - 1),
        ({"created[gt]": first + hour}, COUNT - 2),
        ({"created[lt]": first + hour}, 1),
        ({"created[lte]": first + hour, "created[gte]": first + hour}, 1),
        ({"created": first + 2 * hour}, 1),
        ({"created": first + 1}, 0),
    ):
        assert len(charges.data("charges", params=params)) == count, params


def test_balance_transactions_by_source_type_and_currency(charges: Client) -> None:
    every = charges.data("balance_transactions")
    refunds = charges.data("balance_transactions", type="refund")
    assert len(refunds) == 2
    assert {each["type"] for each in refunds} == {"refund"}
    charge = charges.data("charges")[0]
    assert [each["id"] for each in charges.data("balance_transactions", source=charge["id"])] == [
        charge["balance_transaction"]
    ]
    assert len(charges.data("balance_transactions", currency="usd")) == len(every)
    assert charges.data("balance_transactions", currency="eur") == []
    assert len(charges.data("refunds", charge=charges.data("refunds")[0]["charge"])) == 1


def test_the_balance_is_the_sum_of_all_rows(charges: Client) -> None:
    rows = charges.data("balance_transactions")
    balance = charges.got("balance")
    for status in ("available", "pending"):
        stated = {each["currency"]: each["amount"] for each in balance[status]}
        assert stated == {"usd": sum(each["net"] for each in rows if each["status"] == status)}


def test_the_payout_filter_gives_its_rows(charges: Client) -> None:
    seen: set[str] = set()
    payouts = charges.data("payouts", status="paid")
    assert payouts
    for payout in payouts:
        rows = charges.data("balance_transactions", payout=payout["id"])
        ids = {each["id"] for each in rows}
        assert payout["balance_transaction"] in ids
        assert sum(each["net"] for each in rows) == 0
        assert not ids & seen
        seen |= ids
        walked = charges.got("balance_transactions", payout=payout["id"], limit=1)
        assert walked["has_more"] is True


def test_payouts_by_day_status_and_destination(cases_served: tuple[Client, dict[str, Case]]) -> None:
    client, case = _of(cases_served, "reversed_after_paid")
    failed, paid = case.payouts
    assert [each["id"] for each in client.data("payouts", status="failed")] == [failed]
    assert [each["id"] for each in client.data("payouts", status="paid")] == [paid]
    first = client.got(f"payouts/{failed}")
    assert [each["id"] for each in client.data("payouts", arrival_date=first["arrival_date"])] == [failed]
    bounds = {"arrival_date[gt]": first["arrival_date"]}
    assert [each["id"] for each in client.data("payouts", params=bounds)] == [paid]
    assert len(client.data("payouts", destination=first["destination"])) == 2
    assert client.data("payouts", destination="ba_none") == []


def test_only_automatic_payouts_are_itemised(cases_served: tuple[Client, dict[str, Case]]) -> None:
    client, case = _of(cases_served, "manual")
    assert "automatic" in error_of(client.ask("balance_transactions", payout=next(iter(case.payouts))))["message"]


def test_expansions(cases_served: tuple[Client, dict[str, Case]]) -> None:
    client, case = _of(cases_served, "partial_refunds")
    rows = client.data("balance_transactions", params={"expand[]": "data.source"})
    assert {each["source"]["object"] for each in rows} == {"charge", "refund", "payout"}
    deep = client.data("balance_transactions", params={"expand[0]": "data.source.charge.payment_intent"})
    sources = [each["source"] for each in deep if each["type"] == "refund"]
    assert {each["charge"]["payment_intent"]["metadata"]["created_by"] for each in sources} == {"Kolleno"}
    assert isinstance(next(each for each in deep if each["type"] == "charge")["source"], dict)
    charge = client.got(f"charges/{case.ids['charge']}", params={"expand[]": ["refunds", "balance_transaction"]})
    assert [each["amount"] for each in charge["refunds"]["data"]] == [2_000, 3_000]
    assert charge["balance_transaction"]["net"] == 9_680
    assert "refunds" not in client.got(f"charges/{case.ids['charge']}")
    row = client.got(f"balance_transactions/{charge['balance_transaction']['id']}", params={"expand[]": "source"})
    assert row["source"]["id"] == charge["id"]


@pytest.mark.parametrize(
    ("path", "wanted", "told"),
    [
        ("charges", "data.nonsense", "(nonsense)"),
        ("charges", "customer", "'data.customer'"),
        ("charges", "data.metadata", "(metadata)"),
        ("charges", "data.balance_transaction.source.balance_transaction.source", "4 levels"),
        ("balance_transactions", "data.source.nonsense", "(nonsense)"),
        ("events", "data.data", "(data)"),
        ("balance", "available", "(available)"),
    ],
)
def test_unknown_expansions(charges: Client, path: str, wanted: str, told: str) -> None:
    answer = charges.ask(path, params={"expand[]": wanted})
    assert told in error_of(answer)["message"]


def test_events_of_thirty_days_by_type(cases_served: tuple[Client, dict[str, Case]]) -> None:
    client, case = _of(cases_served, "dispute_won")
    every = client.data("events")
    kinds = {each["type"] for each in every}
    assert {"charge.dispute.created", "charge.dispute.funds_reinstated", "payout.reconciliation_completed"} <= kinds
    assert {each["type"] for each in client.data("events", type="payout.paid")} == {"payout.paid"}
    wanted = {"types[]": ["charge.dispute.*", "payout.paid"]}
    chosen = {each["type"] for each in client.data("events", params=wanted)}
    assert "payout.paid" in chosen
    assert all(each == "payout.paid" or each.startswith("charge.dispute.") for each in chosen)
    closed = client.data("events", type="charge.dispute.closed")[0]
    assert (closed["data"]["object"]["id"], closed["data"]["object"]["status"]) == (case.ids["dispute"], "won")
    updated = client.data("events", type="payout.updated")[0]
    assert updated["data"]["previous_attributes"] == {"reconciliation_status": "in_progress"}
    try:
        client.stripe.clock.set(NOW + timedelta(days=31))
        old = client.ask(f"events/{closed['id']}")
        assert old.status_code == 404
        assert closed["id"] not in {each["id"] for each in client.data("events")}
    finally:
        client.stripe.clock.set(NOW)


def test_reads_see_the_state_of_the_clock() -> None:
    account = ledger()
    made = charging.charge(account, AT, Payment(100_000, method="us_bank_account"))
    clock = VendorClock(AT)
    with served(account, clock=clock) as client:
        seen = []
        for days in (0, 4, 5, 8):
            clock.set(datetime.fromtimestamp(AT.timestamp() + days * 86_400, AT.tzinfo))
            balance = client.got("balance")
            amounts = (balance["available"][0]["amount"], balance["pending"][0]["amount"])
            seen.append((client.got(f"charges/{made['id']}")["status"], *amounts, len(client.data("payouts"))))
        assert seen == [
            ("pending", 0, 99_500, 0),
            ("succeeded", 0, 0, 1),
            ("succeeded", 0, 0, 1),
            ("succeeded", 0, 0, 1),
        ]
        clock.set(AT)
        assert client.got(f"charges/{made['id']}")["status"] == "pending", "back again"
        assert client.data("payouts") == []
