"""The simulated Stripe for contract tests: one account of what happens to money, debits for what tests write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from kolleno_pipelines.connectors.contract import RecordSource
from kolleno_pipelines.connectors.http import Classify, HttpClient
from kolleno_pipelines.connectors.rate_limits import LimitHeaders
from kolleno_pipelines.connectors.stripe.account import LIMIT_HEADERS
from kolleno_pipelines.connectors.stripe.client import StripeSource, classify
from kolleno_pipelines.sandbox.stripe import charging, disputes, movements, payouts
from kolleno_pipelines.sandbox.stripe.access import no_limits
from kolleno_pipelines.sandbox.stripe.book import Kind
from kolleno_pipelines.sandbox.stripe.charging import Payment
from kolleno_pipelines.sandbox.stripe.ledger import Ledger, Terms
from kolleno_pipelines.sandbox.stripe.metadata import PlatformPayment
from kolleno_pipelines.sandbox.stripe.money import major
from kolleno_pipelines.sandbox.stripe.server import SandboxStripe
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from tests.contract.vendors import Payloads
from tests.record_payloads import Row

AT = datetime(2026, 2, 2, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)
_TERMS = Terms(settles=frozenset({"usd", "jpy"}), rates={"eur": Decimal("1.234")})
_MOVED = ("amount", "fee", "net")


class Stripe:
    """An account that is served; see tests/contract/vendors.py. What tests write are debits that are under way."""

    api: ClassVar[str] = "/v1/"
    page_size: ClassVar[str] = "kolleno_pipelines.connectors.stripe.lists.PAGE"
    written: ClassVar[str] = "charges"
    told_by: ClassVar[str] = "events"
    counted: ClassVar[tuple[str, ...]] = (
        *("payment_intents", "charges", "refunds", "disputes", "payouts"),
        *("payout_members", "balance_transactions", "fee_details"),
    )
    covers: ClassVar[tuple[str, str]] = ("charges.amount", "charges.amount_refunded")
    quiet: ClassVar[timedelta] = timedelta(minutes=2)
    by_each_reading: ClassVar[frozenset[str]] = frozenset({"balance_snapshots"})
    limit_headers: ClassVar[LimitHeaders] = LIMIT_HEADERS

    def __init__(self, vendor: SandboxStripe, ledger: Ledger) -> None:
        self.server, self.clock = vendor.server, vendor.clock
        self._vendor, self._ledger = vendor, ledger

    def classify(self) -> Classify:
        return classify

    def sign_in(self) -> str:
        return f"Bearer {self._vendor.new_key().secret}"

    def expire(self) -> None:
        self._vendor.api.keys.clear()

    def source(self, http: HttpClient) -> RecordSource:
        return StripeSource(http)

    def write(self, at: datetime) -> str:
        return str(charging.charge(self._ledger, at, Payment(1_234, method="us_bank_account"))["id"])

    def change(self, source_id: str, at: datetime) -> None:
        at = self._ledger.advance(at)
        self._ledger.change(source_id, Kind.CHARGES, at, "charge.updated", metadata={"note": f"changed {at}"})

    def delete(self, source_id: str, at: datetime) -> None:
        charging.fail(self._ledger, at, source_id)

    def changed_in(self, payload: dict[str, Any]) -> str:
        return str(payload["data"]["object"]["id"])

    def is_open(self, row: Row) -> bool:
        return bool(row["status"] == "pending" and row["amount"] > 0)

    def is_gone(self, row: Row) -> bool:
        return bool(row["status"] == "failed" and row["failure_balance_transaction_source_id"])

    def counts(self, _row: Row) -> bool:
        return True

    def asked_for(self, extract: str, payloads: Payloads) -> tuple[str, ...]:
        assert extract == "payout_members"
        whole = [one for one in payloads["payouts"] if one["reconciliation_status"] == "completed"]
        return tuple(one["id"] for one in whole)

    def totals(self, payloads: Payloads) -> dict[str, Decimal]:
        rows = payloads["balance_transactions"]
        members = [one["item"] for one in payloads["payout_members"]]
        details = [each for row in rows for each in row["fee_details"]]
        plain = ("payment_intents", "charges", "refunds", "disputes", "payouts")
        return {
            **{f"{name}.amount": _sum(payloads[name], "amount") for name in plain},
            "charges.amount_refunded": _sum(payloads["charges"], "amount_refunded"),
            **{f"balance_transactions.{name}": _sum(rows, name) for name in _MOVED},
            **{f"payout_members.{name}": _sum(members, name) for name in _MOVED},
            "fee_details.amount": _sum(details, "amount"),
        }


def _sum(objects: Iterable[dict[str, Any]], field: str) -> Decimal:
    return sum((major(int(one[field]), one["currency"]) for one in objects), Decimal(0))


def _account() -> Ledger:
    """Cards, debits and yen; refunds, one that fails; disputes won and lost; what else moves a balance; payouts."""
    ledger = payouts.open_account("contract", AT - DAY, _TERMS)
    known = PlatformPayment("PAY-1", "k-1", "C-1", ("I-1", "I-2"), ("INV-1", "INV-2"))
    customer = charging.add_customer(ledger, AT, name="Contract tests")["id"]
    first = charging.charge(ledger, AT, Payment(10_000, customer=customer, metadata=known.metadata))["id"]
    others = [charging.charge(ledger, AT, Payment(amount))["id"] for amount in (20_000, 30_000, 40_000)]
    charging.charge(ledger, AT, Payment(1_000, "eur"))
    charging.charge(ledger, AT, Payment(50_000, "jpy"))
    charging.charge(ledger, AT, Payment(700, declined="card_declined"))
    debit = charging.charge(ledger, AT, Payment(60_000, method="us_bank_account"))["id"]
    back = charging.refund(ledger, AT + DAY, first, 2_500)["id"]
    charging.refund(ledger, AT + DAY, others[0])
    won, lost = (disputes.open_dispute(ledger, AT + DAY, each)["id"] for each in others[1:])
    movements.bill(ledger, AT + DAY, 1_200, "usd")
    movements.unheard_of(ledger, AT + DAY, -123, "usd")
    charging.fail(ledger, AT + 2 * DAY, debit)
    charging.fail_refund(ledger, AT + 3 * DAY, back)
    disputes.close_dispute(ledger, AT + 3 * DAY, won, won=True)
    disputes.close_dispute(ledger, AT + 3 * DAY, lost, won=False)
    ledger.advance(AT + 4 * DAY)
    paid = next(iter(ledger.members))
    payouts.fail_payout(ledger, AT + 4 * DAY, paid)
    return ledger


@contextmanager
def serve() -> Iterator[Stripe]:
    """The account a week later, at noon: what the day brings by itself has come by then."""
    ledger = _account()
    with SandboxStripe(ledger, clock=VendorClock(AT + 7 * DAY + timedelta(hours=3)), limits=no_limits()) as vendor:
        yield Stripe(vendor, ledger)
