"""What changes at Stripe long after it was made, through the whole path: receivables say so after the next readings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from kolleno_pipelines.connections import StripeConnection, load_connections
from kolleno_pipelines.connectors.rate_limits import AccountLimits
from kolleno_pipelines.pipeline.api_delivery import ApiDelivered, deliver_again, deliver_from_vendor
from kolleno_pipelines.sandbox.stripe import charging, disputes, payouts
from kolleno_pipelines.sandbox.stripe.access import no_limits
from kolleno_pipelines.sandbox.stripe.book import Kind
from kolleno_pipelines.sandbox.stripe.charging import Payment
from kolleno_pipelines.sandbox.stripe.ledger import Ledger
from kolleno_pipelines.sandbox.stripe.server import SandboxStripe
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.settings import Settings
from tests.canaries import CANARY
from tests.databases import fresh_database
from tests.record_payloads import Row, by_id, state_of
from tests.stripe_deployment import NAME, SECRET_VARIABLE, StripeDeployment

AT = datetime(2026, 2, 2, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)
#: What differs with the days on which somebody reads, and cannot be had later: the balance of those moments, events
#: that Stripe keeps no longer, when an object was first and last seen, whether a row's money was available then.
_OF_READINGS = {"provider_events", "balance_snapshots"}
_SEEN = {"observed_at", "first_seen_at"}
_OF_THE_MOMENT = {("balance_transactions", "status")}
RELISTED = {"customers", "payment_intents", "charges", "refunds", "disputes", "payouts"}


class Account:
    """An account with money taken in, whose story a test goes on with; ids: Stripe's by a name of ours."""

    def __init__(self, name: str = "late") -> None:
        self.ledger: Ledger = payouts.open_account(name, AT - DAY)
        self.ids: dict[str, str] = {}
        for role in ("renamed", "left"):
            self.ids[role] = charging.add_customer(self.ledger, AT - DAY, key=role, name=role)["id"]
        for role in ("won", "lost", "refunded", "edited"):
            self.ids[role] = charging.charge(self.ledger, AT, Payment(10_000, key=role))["id"]
        debit = Payment(100_000, method="us_bank_account", key="debit")
        self.ids["debit"] = charging.charge(self.ledger, AT, debit)["id"]
        self.ids["refund"] = charging.refund(self.ledger, AT + DAY, self.ids["refunded"], 4_000)["id"]
        for role in ("won", "lost"):
            made = disputes.open_dispute(self.ledger, AT + DAY, self.ids[role])
            self.ids[f"dispute_{role}"] = made["id"]
        # It is newer than all that changes later: no window of creation shows these again.
        self.ids["newest"] = charging.charge(self.ledger, AT + 2 * DAY, Payment(500, key="newest"))["id"]

    def go_on(self, at: datetime) -> None:
        """An ACH failure, disputes won and lost, a refund that fails, a paid payout that fails; then edits."""
        ledger, ids = self.ledger, self.ids
        ids["payout"] = next(iter(ledger.members))
        assert ledger.book.latest(ids["payout"])["status"] == "paid"
        assert ledger.book.latest(ids["debit"])["status"] == "succeeded"
        charging.fail(ledger, at, ids["debit"])
        disputes.close_dispute(ledger, at, ids["dispute_won"], won=True)
        disputes.close_dispute(ledger, at, ids["dispute_lost"], won=False)
        charging.fail_refund(ledger, at, ids["refund"])
        payouts.fail_payout(ledger, at, ids["payout"])
        ids["later"] = charging.charge(ledger, at, Payment(700, key="later"))["id"]
        self.edit(at)

    def edit(self, at: datetime) -> None:
        """What moves no money and is told by an event alone: metadata of all that has any, names, a customer gone."""
        ledger, ids = self.ledger, self.ids
        note = {"created_by": "Kolleno", "payment_charge": "PAY-9"}
        intent = ledger.book.latest(ids["edited"])["payment_intent"]
        ledger.change(ids["edited"], Kind.CHARGES, at, "charge.updated", metadata=note, description="Edited")
        ledger.change(intent, Kind.PAYMENT_INTENTS, at, "payment_intent.updated", metadata=note)
        for kind, word, role in (("REFUNDS", "refund", "refund"), ("DISPUTES", "charge.dispute", "dispute_won")):
            ledger.change(ids[role], Kind[kind], at, f"{word}.updated", metadata=note)
        ledger.change(ids["payout"], Kind.PAYOUTS, at, "payout.updated", metadata=note)
        ledger.change(ids["renamed"], Kind.CUSTOMERS, at, "customer.updated", name="Renamed", email="new@example.com")
        charging.delete_customer(ledger, at, ids["left"])

    def check(self, state: dict[str, list[Row]], *, happened: bool) -> None:
        """What receivables must say, before and after."""
        charges, ids = by_id(state, "charges"), self.ids
        found = {
            "debit": charges[ids["debit"]]["status"],
            "won": by_id(state, "disputes")[ids["dispute_won"]]["status"],
            "lost": by_id(state, "disputes")[ids["dispute_lost"]]["status"],
            "refund": by_id(state, "refunds")[ids["refund"]]["status"],
            "refunded": charges[ids["refunded"]]["amount_refunded"],
            "payout": by_id(state, "payouts")[next(iter(self.ledger.members))]["status"],
            **self._edits(state),
        }
        before = {"debit": "succeeded", "won": "needs_response", "lost": "needs_response"}
        after = {"debit": "failed", "won": "won", "lost": "lost", "refund": "failed", "payout": "failed", "refunded": 0}
        if happened:
            assert found == {**after, "edited": ["PAY-9"] * 5, "renamed": "Renamed new@example.com", "left": False}
        else:
            unchanged = {"edited": [None] * 5, "renamed": "renamed None", "left": True}
            assert found == {**before, "refund": "succeeded", "refunded": 40, "payout": "paid", **unchanged}

    def _edits(self, state: dict[str, list[Row]]) -> dict[str, object]:
        ids, customers = self.ids, by_id(state, "psp_customers")
        edited = by_id(state, "charges")[ids["edited"]]
        noted = [
            by_id(state, "payment_intents")[edited["payment_intent_source_id"]],
            by_id(state, "refunds")[ids["refund"]],
            by_id(state, "disputes")[ids["dispute_won"]],
            by_id(state, "payouts")[next(iter(self.ledger.members))],
        ]
        return {
            "edited": [edited["own_reference"], *((row["metadata"] or {}).get("payment_charge") for row in noted)],
            "renamed": "{name} {email}".format(**customers[ids["renamed"]]),
            "left": customers[ids["left"]]["is_active"],
        }


@pytest.fixture
def second_database(postgres_url: str, migrated_template: str) -> Iterator[str]:
    with fresh_database(postgres_url, migrated_template, "stripe_outage") as url:
        yield url


@contextmanager
def _reading(
    account: Account, database: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *others: Ledger
) -> Iterator[StripeDeployment]:
    clock = VendorClock(AT + 7 * DAY)
    with SandboxStripe(account.ledger, *others, clock=clock, limits=no_limits(), mark=CANARY) as vendor:
        monkeypatch.setenv(SECRET_VARIABLE, vendor.key)
        monkeypatch.setattr("kolleno_pipelines.connectors.stripe.account.LIMITS", AccountLimits(slots=4))
        yield StripeDeployment(vendor, Settings(home=folder / "home", database_url=database), folder)


def _state(read: StripeDeployment, name: str = NAME) -> dict[str, list[Row]]:
    with read.deployment.transaction() as conn:
        return state_of(conn, name)


def _said(state: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """What holds whenever it was read."""
    return {
        entity: [
            {name: cell for name, cell in row.items() if name not in _SEEN and (entity, name) not in _OF_THE_MOMENT}
            for row in rows
        ]
        for entity, rows in state.items()
        if entity not in _OF_READINGS
    }


def _listed_again(done: ApiDelivered) -> set[str]:
    assert done.read is not None
    return {each.extract for each in done.read.passes if each.pass_ == "sweep"}


def test_late_changes_are_seen_by_the_next_reading_and_a_replay_changes_nothing(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Account()
    with _reading(account, database, tmp_path, monkeypatch) as read:
        first = read.read()
        assert first.read is not None
        assert first.read.failed == []
        account.check(_state(read), happened=False)
        account.go_on(read.vendor.clock.now + timedelta(minutes=5))
        read.later(timedelta(minutes=20))
        read.read()
        state = _state(read)
        account.check(state, happened=True)
        asked = read.vendor.server.count()
        again = deliver_again(read.deployment, read.connection, date(2026, 1, 1), date(2026, 12, 31))
        assert again.parts
        assert (_state(read), read.vendor.server.count()) == (state, asked)


def test_an_outage_that_is_longer_than_events_are_kept_ends_in_the_same_receivables(
    database: str, second_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What moved money, and edits: metadata, a customer's name, a customer who is gone."""
    states, listed = [], []
    for url, step in ((database, 5 * DAY), (second_database, 45 * DAY)):
        account = Account()
        folder = tmp_path / f"every-{step.days}"
        with _reading(account, url, folder, monkeypatch) as read:
            read.read()
            account.go_on(read.vendor.clock.now + timedelta(hours=1))
            for _ in range(45 // step.days):
                read.later(step)
                done = read.read()
                assert done.read is not None
                assert done.read.failed == []
                listed.append(_listed_again(done))
            read.later(timedelta(minutes=1))
            listed.append(_listed_again(read.read()))
            account.check(_state(read), happened=True)
            states.append(_said(_state(read)))
    assert listed == [*([set()] * 10), RELISTED, set()], "once, and only where events were missed"
    regular, after_outage = states
    assert {name for name in regular if regular[name] != after_outage[name]} == set()


def test_what_was_not_listed_again_is_taken_up_by_the_next_reading(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Account()
    with _reading(account, database, tmp_path, monkeypatch) as read:
        read.read()
        account.go_on(read.vendor.clock.now + timedelta(hours=1))
        read.later(45 * DAY)
        read.vendor.server.fail_next("/v1/customers", 400, skip=1)  # the first request is for new ones
        first = read.read()
        assert first.read is not None
        assert [(one.extract, one.pass_) for one in first.read.failed] == [("customers", "sweep")]
        read.later(timedelta(minutes=15))
        assert _listed_again(read.read()) == {"customers"}
        account.check(_state(read), happened=True)


def test_how_far_back_objects_are_listed_again(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects made in the 400 days before events were last read; customers however old they are."""
    account = Account()
    made = {}
    ledger = payouts.open_account("old", AT - 500 * DAY)
    who = charging.add_customer(ledger, AT - 500 * DAY, name="Old")["id"]
    for days in (410, 380):
        made[days] = charging.charge(ledger, AT - days * DAY, Payment(100, key=str(days)))["id"]
    account.ledger = ledger
    with _reading(account, database, tmp_path, monkeypatch) as read:
        read.read()
        for charge in made.values():
            ledger.change(charge, Kind.CHARGES, ledger.now, "charge.updated", metadata={"payment_charge": "PAY-1"})
        ledger.change(who, Kind.CUSTOMERS, ledger.now, "customer.updated", name="Renamed")
        read.later(45 * DAY)
        assert _listed_again(read.read()) == RELISTED
        charges = by_id(_state(read), "charges")
        assert [bool(charges[made[days]]["metadata"]) for days in (410, 380)] == [False, True]
        assert by_id(_state(read), "psp_customers")[who]["name"] == "Renamed"


def test_a_customer_who_is_known_to_be_deleted_is_not_asked_for_again(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Account()
    with _reading(account, database, tmp_path, monkeypatch) as read:
        read.read()
        charging.delete_customer(account.ledger, read.vendor.clock.now + timedelta(minutes=5), account.ids["left"])
        read.later(timedelta(minutes=20))
        read.read()
        by_its_id = f"/v1/customers/{account.ids['left']}"
        assert read.vendor.server.count(by_its_id) == 1
        read.later(45 * DAY)
        assert _listed_again(read.read()) == RELISTED
        assert read.vendor.server.count(by_its_id) == 1
        assert by_id(_state(read), "psp_customers")[account.ids["left"]]["is_active"] is False


def test_what_changes_in_the_second_in_which_it_is_read_is_seen(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event's moment is cut to the second: what was read in that second may be what was before."""
    account = Account()
    with _reading(account, database, tmp_path, monkeypatch) as read:
        read.vendor.clock.advance(timedelta(milliseconds=300))
        read.read()
        account.go_on(read.vendor.clock.now + timedelta(milliseconds=400))
        read.later(timedelta(minutes=15))
        read.read()
        account.check(_state(read), happened=True)


def test_two_accounts_are_two_connections_beside_each_other(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Account(), Account("other")
    with _reading(first, database, tmp_path, monkeypatch, second.ledger) as read:
        read.read()
        alone = _said(_state(read))
        other = StripeDeployment(read.vendor, read.settings, tmp_path / "other", second.ledger.account_id)
        other.file.write_text(other.file.read_text().replace(f"  {NAME}:", "  other:"))
        connection = load_connections(other.file)["other"]
        assert isinstance(connection, StripeConnection)
        deliver_from_vendor(other.deployment, connection, clock=lambda: read.vendor.clock.now)
        second.check(_state(read, "other"), happened=False)
        assert {row["source_id"] for row in _state(read, "other")["charges"]} == {
            second.ids[role] for role in ("won", "lost", "refunded", "edited", "debit", "newest")
        }
        assert _said(_state(read)) == alone
