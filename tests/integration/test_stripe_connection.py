"""A connection to Stripe through the whole path: its key, its account, what is told when one of them is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kolleno_pipelines.assets.checks.api import reading_facts
from kolleno_pipelines.connectors.errors import NeedsHuman
from kolleno_pipelines.connectors.registry import connector_of
from kolleno_pipelines.pipeline.api_delivery import deliver_objects
from kolleno_pipelines.pipeline.api_runs import fold_days, read_days
from kolleno_pipelines.pipeline.connecting import Tried, describe_connections
from kolleno_pipelines.pipeline.connection_states import ConnectionState, connection_states
from kolleno_pipelines.pipeline.import_extracts import import_extracts
from kolleno_pipelines.sandbox.stripe import charging
from kolleno_pipelines.sandbox.stripe.access import READ_ALL, no_limits
from kolleno_pipelines.sandbox.stripe.book import Kind
from kolleno_pipelines.sandbox.stripe.charging import Payment
from kolleno_pipelines.sandbox.stripe.ledger import Ledger, Terms
from kolleno_pipelines.sandbox.stripe.payouts import open_account
from kolleno_pipelines.sandbox.stripe.server import SandboxStripe
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.settings import Settings
from tests.canaries import CANARIES, CANARY
from tests.stripe_deployment import NAME, SECRET_VARIABLE, StripeDeployment

AT = datetime(2026, 2, 2, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)


def _account(name: str, terms: Terms | None = None) -> Ledger:
    ledger = open_account(name, AT - DAY, terms)
    who = charging.add_customer(ledger, AT, name=name)["id"]
    made = charging.charge(ledger, AT, Payment(1_000, customer=who))
    charging.refund(ledger, AT + DAY, made["id"], 100)
    return ledger


@pytest.fixture
def read(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StripeDeployment]:
    """A deployment that reads the account of its key; the vendor has another one, with a key of its own."""
    ledgers = (_account("own"), _account("other"))
    with SandboxStripe(*ledgers, clock=VendorClock(AT + 7 * DAY), limits=no_limits(), mark=CANARY) as vendor:
        monkeypatch.setenv(SECRET_VARIABLE, vendor.new_key().secret)
        read = StripeDeployment(vendor, settings, tmp_path)
        lines = read.file.read_text().splitlines(keepends=True)
        read.file.write_text("".join(line for line in lines if "account_id" not in line))
        yield read


def _state(read: StripeDeployment) -> ConnectionState:
    return next(state for state in connection_states(read.settings) if state.name == NAME)


def _tried(read: StripeDeployment) -> Tried:
    (tried,) = describe_connections(NAME, read.settings)
    return tried


def _landed(read: StripeDeployment) -> int:
    return int(read.rows("SELECT count(*) FROM raw.extracts")[0][0])


def test_a_key_that_was_revoked_is_told_until_another_one_is_there(
    read: StripeDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    read.read()
    assert (_state(read).state, _state(read).is_asking) == ("connected", False)
    read.vendor.api.keys.clear()
    read.later(timedelta(minutes=15))
    with pytest.raises(NeedsHuman, match="does not take the key"):
        read.read()
    state = _state(read)
    assert (state.state, state.is_asking) == ("cannot_read", True)
    assert "does not take the key" in str(state.reason)
    assert state.last_success is not None
    facts = {fact.name: fact for fact in reading_facts(read.deployment, read.connection)}
    assert not facts["no_failed_reading"].holds
    assert "does not take the key" in str(_tried(read).error)
    monkeypatch.setenv(SECRET_VARIABLE, read.vendor.new_key().secret)
    read.later(timedelta(minutes=15))
    read.read()
    assert _state(read).state == "connected"
    assert _tried(read).error is None


def test_the_check_names_every_permission_that_is_missing(
    read: StripeDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read.vendor.server.count()
    told = " ".join(_tried(read).facts)
    assert "events, balance_snapshots, balance_transactions, customers" in told
    assert read.vendor.server.count() - before == 11, "one request for each list, three for the balance"
    held = {area: right for area, right in READ_ALL.items() if area not in {"disputes", "payouts"}}
    monkeypatch.setenv(SECRET_VARIABLE, read.vendor.new_key(permissions=held).secret)
    error = str(_tried(read).error)
    assert "rak_dispute_read" in error
    assert "rak_payout_read" in error
    assert "rak_charge_read" not in error
    with pytest.raises(NeedsHuman, match="rak_dispute_read"):
        read.read()
    assert read.rows("SELECT count(*) FROM receivables.charges") == [(1,)], "what had landed is folded"


def test_the_key_of_another_account_is_refused(read: StripeDeployment, monkeypatch: pytest.MonkeyPatch) -> None:
    read.read()
    landed, own = _landed(read), read.connection
    other = read.vendor.new_key(list(read.vendor.ledgers)[1])
    monkeypatch.setenv(SECRET_VARIABLE, other.secret)
    read.later(DAY)
    today = read.vendor.clock.now.date()
    for days in ([today], [today - DAY]):
        with pytest.raises(NeedsHuman, match=r"opens another account, or another mode.* is not there"):
            read_days(read.deployment, own, days, clock=lambda: read.vendor.clock.now)
    (of_other,) = list(read.vendor.ledgers.values())[1].book.records(Kind.CHARGES, read.vendor.clock.now)
    with pytest.raises(NeedsHuman, match="opens another account"):
        deliver_objects(read.deployment, own, "charges", [of_other["id"]])
    assert _landed(read) == landed, "nothing of it is taken in"
    assert "opens another account" in str(_state(read).reason)
    monkeypatch.setenv(SECRET_VARIABLE, read.vendor.new_key().secret)
    read.read()
    assert _state(read).state == "connected"


def test_the_key_of_another_account_is_refused_where_the_first_reading_was_stopped(
    read: StripeDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody began with the wrong key: what landed is of that account, and nothing of it is folded yet."""
    own, today = read.vendor.new_key(), read.vendor.clock.now.date()
    monkeypatch.setenv(SECRET_VARIABLE, read.vendor.new_key(list(read.vendor.ledgers)[1]).secret)
    read_days(read.deployment, read.connection, [today], clock=lambda: read.vendor.clock.now)
    landed = _landed(read)
    assert read.rows("SELECT count(*) FROM receivables.balance_transactions") == [(0,)]
    monkeypatch.setenv(SECRET_VARIABLE, own.secret)
    with pytest.raises(NeedsHuman, match=r"opens another account.* a connection of another name"):
        read.read()
    assert _landed(read) == landed


def test_a_row_that_was_told_and_never_was_keeps_nobody_out(read: StripeDeployment) -> None:
    read.read()
    with read.deployment.transaction() as conn:
        first = "(SELECT min(source_id) FROM receivables.balance_transactions)"
        conn.execute(
            f"UPDATE receivables.balance_transactions SET source_id = 'txn_0' WHERE source_id = {first}".encode()
        )
    asked = read.vendor.server.count("/v1/balance_transactions/")
    read.later(timedelta(minutes=15))
    read.read()
    assert _state(read).state == "connected"
    assert read.vendor.server.count("/v1/balance_transactions/") - asked == 2, "that row, then one that is there"


def test_the_other_mode_of_an_account_is_refused(
    read: StripeDeployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key of test mode where live ones were read: it has objects of its own, and none of the others."""
    live = _account("live", Terms(livemode=True))
    test = _account("live in test mode")
    with SandboxStripe(live, test, clock=VendorClock(AT + 7 * DAY), limits=no_limits(), mark=CANARY) as vendor:
        deployment = StripeDeployment(vendor, read.settings, tmp_path / "live")
        deployment.file.write_text(read.file.read_text().replace(read.vendor.url, vendor.url))
        monkeypatch.setenv(SECRET_VARIABLE, vendor.key)
        assert vendor.key.startswith("sk_live_")
        deployment.read()
        landed = _landed(deployment)
        monkeypatch.setenv(SECRET_VARIABLE, vendor.new_key(test.account_id).secret)
        with pytest.raises(NeedsHuman, match=r"another mode \(live, test\)"):
            deployment.read()
        assert _landed(deployment) == landed


def test_a_vendor_that_is_away_ends_a_reading_cleanly(read: StripeDeployment) -> None:
    read.read()
    read.vendor.server.fail_next("/v1/", 400, 1)
    done = read_days(read.deployment, read.connection, [read.vendor.clock.now.date()])
    assert [(each.extract, each.records) for each in done.failed] == [("balance_transactions", 0)]
    read.read()
    assert _state(read).state == "connected"


def test_a_changed_object_that_is_refused_is_told(read: StripeDeployment) -> None:
    """It is asked for by its id, beside the extracts: that this failed shows where the readings are judged."""
    (ledger, _) = read.vendor.ledgers.values()
    charge = ledger.book.records(Kind.CHARGES, ledger.now)[-1]["id"]
    charging.charge(ledger, read.vendor.clock.now, Payment(700))  # so that no window shows the other one again
    changed = read.vendor.clock.now + timedelta(minutes=5)
    ledger.change(charge, Kind.CHARGES, changed, "charge.updated", metadata={"customer": "C-1"})
    today = [read.vendor.clock.now.date()]
    told = []
    for is_refused in (False, False, True, False):  # all lands, the event does, what it names is refused, told no more
        if is_refused:
            read.vendor.server.fail_next("/v1/charges/", 400)
        read_days(read.deployment, read.connection, today, clock=lambda: read.vendor.clock.now)
        fold_days(read.deployment, read.connection, today, again=False)
        facts = {fact.name: fact for fact in reading_facts(read.deployment, read.connection)}
        told.append(facts["no_failed_reading"].holds)
        read.later(timedelta(minutes=10))
    assert told == [True, True, False, True]


def test_no_secret_of_an_intent_reaches_the_archive(read: StripeDeployment, tmp_path: Path) -> None:
    """Whether it was read, or recorded elsewhere and imported."""
    read.read()
    (ledger, _) = read.vendor.ledgers.values()
    recorded = tmp_path / "recorded"
    recorded.mkdir()
    intents = ledger.book.records(Kind.PAYMENT_INTENTS, ledger.now)
    (recorded / "payment_intents.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in intents))
    import_extracts(read.deployment, NAME, connector_of("stripe"), recorded)
    (recorded / "payment_intents.jsonl").unlink()  # what tests leave is searched for secrets
    secrets = [each["client_secret"].encode() for each in ledger.book.records(Kind.PAYMENT_INTENTS, ledger.now)]
    assert secrets
    nulls = 0
    for (content,) in read.rows("SELECT sha256 FROM raw.extracts"):
        with read.deployment.archive.open(content) as stream:
            payloads = stream.read()
        assert not [secret for secret in secrets if secret in payloads]
        nulls += payloads.count(b'"client_secret": null')
    assert nulls >= 4, "the intent itself, twice, and the events about it"
    assert list(CANARIES.in_database(read.deployment.database_url)) == []


def test_a_key_that_is_not_there_is_told_by_the_name_of_its_variable(
    read: StripeDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SECRET_VARIABLE)
    assert SECRET_VARIABLE in str(_tried(read).error)
