"""Accounts of the sandbox Stripe for tests, and what must be true of every one of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from kolleno_pipelines.sandbox.stripe.book import Json, Kind
from kolleno_pipelines.sandbox.stripe.ledger import Ledger, Terms
from kolleno_pipelines.sandbox.stripe.payouts import members_of, open_account

#: A Monday morning.
AT = datetime(2026, 2, 2, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)
FX = Terms(rates={"eur": Decimal("1.234"), "jpy": Decimal("0.0067")})


def ledger(terms: Terms | None = None) -> Ledger:
    return open_account("test", AT, terms)


def rows(account: Ledger, now: datetime | None = None) -> list[Json]:
    """The balance transactions, oldest first."""
    return account.book.records(Kind.BALANCE_TRANSACTIONS, now or account.now)[::-1]


def payouts_of(account: Ledger, now: datetime | None = None) -> list[Json]:
    """The payouts, oldest first."""
    return account.book.records(Kind.PAYOUTS, now or account.now)[::-1]


def event_types(account: Ledger) -> list[str]:
    """The types of all events, oldest first."""
    return [each["type"] for each in account.book.records(Kind.EVENTS, account.now)[::-1]]


def check_laws(account: Ledger, now: datetime) -> None:
    """Every law of money that holds at any moment."""
    sums: dict[str, list[int]] = {currency: [0, 0] for currency in account.balance(now)}
    for row in rows(account, now):
        assert row["net"] == row["amount"] - row["fee"], row
        assert row["fee"] == sum(each["amount"] for each in row["fee_details"]), row
        assert row["created"] <= row["available_on"] or row["status"] == "available"
        assert (row["status"] == "pending") == (row["available_on"] > now.timestamp())
        assert all({**row, "status": ""} == {**each, "status": ""} for _, each in account.book.versions(row["id"], now))
        sums[row["currency"]][row["status"] == "pending"] += row["net"]
    assert {each: tuple(parts) for each, parts in account.balance(now).items()} == {
        each: tuple(parts) for each, parts in sums.items()
    }
    _check_payouts(account, now)


def _check_payouts(account: Ledger, now: datetime) -> None:
    seen: set[str] = set()
    for payout in payouts_of(account, now):
        own = account.book.get(payout["balance_transaction"], now)
        assert own is not None
        assert own["net"] == -payout["amount"]
        members = members_of(account, payout["id"], now)
        ids = {each["id"] for each in members}
        if not payout["automatic"]:
            assert members == []
            continue
        assert not ids & seen, "nothing is in two payouts"
        seen |= ids
        if payout["reconciliation_status"] == "completed":
            assert sum(each["net"] for each in members) == 0, "payout row and members"
            assert sum(each["net"] for each in members if each["id"] != own["id"]) == payout["amount"]
            assert {each["currency"] for each in members} == {payout["currency"]}
