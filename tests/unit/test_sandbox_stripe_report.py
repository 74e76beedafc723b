"""The sandbox Stripe's payout report against what its book says, and its tampers against the laws of money."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.stripe.book import Json, Kind
from kolleno_pipelines.sandbox.stripe.cases import CASES
from kolleno_pipelines.sandbox.stripe.filling import filled_from
from kolleno_pipelines.sandbox.stripe.ledger import Ledger
from kolleno_pipelines.sandbox.stripe.money import minor
from kolleno_pipelines.sandbox.stripe.reading import Reader
from kolleno_pipelines.sandbox.stripe.report import COLUMNS, payout_reconciliation
from kolleno_pipelines.sandbox.stripe.scenes import AT, NOW
from kolleno_pipelines.sandbox.stripe.tampers import tampers
from tests.stripe_book import ledger, payouts_of

WEEK = timedelta(days=7)


@pytest.fixture(scope="module")
def account() -> Ledger:
    return filled_from(Company.build(3, customers=20, days=20, history_days=30, expressible=True)).ledger


def _read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_report_and_the_api_say_the_same(account: Ledger) -> None:
    now = account.now
    told = _read(payout_reconciliation(account, now, account.opened, now + WEEK))
    sums: dict[str, int] = {}
    for row in told:
        served = account.book.get(row["balance_transaction_id"], now)
        assert served is not None
        for column, field in (("gross", "amount"), ("fee", "fee"), ("net", "net")):
            assert minor(Decimal(row[column]), row["currency"]) == served[field]
        assert row["reporting_category"] == served["reporting_category"]
        payout = row["automatic_payout_id"]
        sums[payout] = sums.get(payout, 0) + served["net"]
    completed = [each for each in payouts_of(account) if each["reconciliation_status"] == "completed"]
    assert sums == {each["id"]: each["amount"] for each in completed}


def test_the_columns_and_units_of_a_row() -> None:
    case = CASES["foreign_currency"]()
    wanted = (*COLUMNS, "payment_metadata[payment_charge]")
    text = payout_reconciliation(case.ledger, NOW, AT, NOW, columns=wanted, timezone="America/New_York")
    assert tuple(text.splitlines()[0].split(",")) == wanted
    [row] = _read(text)
    assert (row["gross"], row["fee"], row["net"], row["currency"]) == ("12.34", "0.66", "11.68", "usd")
    assert (row["customer_facing_amount"], row["customer_facing_currency"]) == ("10.00", "eur")
    assert (row["charge_id"], row["payment_method_type"]) == (case.ids["charge"], "card")
    assert row["payment_metadata[payment_charge]"] == case.erp[0].ref
    assert (row["created_utc"], row["created"]) == ("2026-02-02 09:30:00", "2026-02-02 04:30:00")
    with pytest.raises(ValueError, match="no column"):
        payout_reconciliation(case.ledger, NOW, AT, NOW, columns=("nonsense",))


def test_the_interval_is_of_arrivals_and_its_end_is_outside() -> None:
    case = CASES["negative"]()
    first, second = payouts_of(case.ledger)
    arrivals = [datetime.fromtimestamp(each["arrival_date"], AT.tzinfo) for each in (first, second)]
    told = _read(payout_reconciliation(case.ledger, NOW, arrivals[0], arrivals[1]))
    assert {each["automatic_payout_id"] for each in told} == {first["id"]}
    [refund] = _read(payout_reconciliation(case.ledger, NOW, AT, NOW, payout=second["id"]))
    assert (refund["gross"], refund["charge_id"]) == ("-100.00", case.ids["charge"])
    assert _read(payout_reconciliation(case.ledger, NOW, AT, NOW, currency="eur")) == []


def test_what_is_not_itemised_is_in_no_report() -> None:
    for name in ("manual", "pending"):
        assert _read(payout_reconciliation(CASES[name]().ledger, NOW, AT, NOW + WEEK)) == []


def _wrong(reader: Reader, now: datetime) -> set[tuple[str, str]]:
    """What a plain reader finds, by id: rows and payouts that do not add up, charges that differ, lost metadata."""
    wrong: set[tuple[str, str]] = set()
    sources: dict[str, list[Json]] = {}
    for row in reader.records(Kind.BALANCE_TRANSACTIONS, now):
        if row["net"] != row["amount"] - row["fee"]:
            wrong.add((row["id"], "net"))
        if row["reporting_category"] == "charge":
            sources.setdefault(row["source"], []).append(row)
    for charge in reader.records(Kind.CHARGES, now):
        rows = sources.get(charge["id"], [])
        if not charge["metadata"]:
            wrong.add((charge["id"], "metadata"))
        if len(rows) != 1:
            wrong |= {(each, "rows") for each in (charge["balance_transaction"], *(row["id"] for row in rows))}
        elif charge["currency"] == rows[0]["currency"] and charge["amount"] != rows[0]["amount"]:
            wrong |= {(charge["id"], "amount"), (rows[0]["id"], "amount")}
    for payout in reader.records(Kind.PAYOUTS, now):
        members = reader.members(payout["id"], now)
        is_whole = payout["reconciliation_status"] == "completed"
        if is_whole and (sum(each["net"] for each in members) or payout["amount"] != -members[0]["net"]):
            wrong |= {(each, "sum") for each in (payout["id"], *(row["id"] for row in members))}
    return wrong


def test_each_tamper_is_seen_at_its_item_and_taken_away(account: Ledger) -> None:
    now, reader = account.now, Reader(account)
    right = _wrong(reader, now)
    made = tampers(account, now)
    assert len({each.name for each in made}) == len(made) == 8
    for tamper in made:
        reader.tamper = tamper
        found = _wrong(reader, now)
        assert tamper.item in {each for each, _ in found - right}, tamper.story
        assert tamper.item in tamper.story
    reader.tamper = None
    assert _wrong(reader, now) == right
    assert {what for _, what in right} == {"metadata"}, "only the charges that were made elsewhere"


def test_an_account_may_have_nothing_to_tamper_with() -> None:
    empty = ledger()
    with pytest.raises(ValueError, match="This account has no"):
        tampers(empty, empty.now)
