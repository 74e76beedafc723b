"""What a payout holds is read with the payout: landed, asked for and folded in one run, asked for once in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kolleno_pipelines.connectors.registry import connector_of
from kolleno_pipelines.pipeline.api_runs import fold_days, read_days
from kolleno_pipelines.pipeline.normalise import normalise_pending
from kolleno_pipelines.sandbox.stripe import charging, payouts
from kolleno_pipelines.sandbox.stripe.access import no_limits
from kolleno_pipelines.sandbox.stripe.charging import Payment
from kolleno_pipelines.sandbox.stripe.ledger import Ledger
from kolleno_pipelines.sandbox.stripe.reading import Tamper
from kolleno_pipelines.sandbox.stripe.server import SandboxStripe
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.settings import Settings
from tests.canaries import CANARY
from tests.stripe_deployment import NAME, SECRET_VARIABLE, StripeDeployment

AT = datetime(2026, 2, 2, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)
#: A charge of Monday is paid out on Wednesday at 2:00; what the payout holds is known at 8:00.
ON_ITS_WAY, WHOLE = AT.replace(day=4, hour=7), AT.replace(day=4, hour=9)


@pytest.fixture
def ledger() -> Ledger:
    ledger = payouts.open_account("members", AT - DAY)
    for day in range(3):
        for amount in (1_000, 2_000):
            charging.charge(ledger, AT + day * DAY, Payment(amount))
    return ledger


@pytest.fixture
def read(
    ledger: Ledger, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StripeDeployment]:
    with SandboxStripe(ledger, clock=VendorClock(AT + 7 * DAY), limits=no_limits(), mark=CANARY) as vendor:
        monkeypatch.setenv(SECRET_VARIABLE, vendor.key)
        yield StripeDeployment(vendor, settings, tmp_path)


def _run(read: StripeDeployment, *, folds: bool = True) -> None:
    """What a run of Dagster does for today: everything is read, then folded."""
    today = [read.vendor.clock.now.date()]
    done = read_days(read.deployment, read.connection, today, clock=lambda: read.vendor.clock.now)
    assert done.failed == []
    if folds:
        fold_days(read.deployment, read.connection, today, again=False)


def _members(read: StripeDeployment) -> dict[str, int]:
    """How many members each payout has."""
    rows = read.rows("SELECT payout_source_id, count(*) FROM receivables.payout_members GROUP BY 1")
    return dict(rows)


def _asked(read: StripeDeployment) -> Counter[str]:
    """How often it was asked what each payout holds."""
    queries = [each.query for each in read.vendor.server.requests if "payout=" in each.query]
    return Counter(query.split("payout=")[1].split("&")[0] for query in queries)


def _whole(ledger: Ledger) -> dict[str, int]:
    """How many rows each payout of the account has, its own among them."""
    return {payout: len(rows) + 1 for payout, rows in ledger.members.items()}


def test_the_first_run_knows_what_each_payout_holds(read: StripeDeployment, ledger: Ledger) -> None:
    _run(read)
    assert len(_members(read)) == 3
    assert _members(read) == _whole(ledger)
    assert _asked(read) == dict.fromkeys(_whole(ledger), 1)
    _run(read)
    assert _asked(read) == dict.fromkeys(_whole(ledger), 1), "and asks once"


def test_long_answers_land_one_by_one(read: StripeDeployment, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """What payouts hold is not kept in memory until fifty of them have answered."""
    monkeypatch.setattr("kolleno_pipelines.pipeline.hanging._RECORDS_TOGETHER", 3)
    _run(read)
    assert _members(read) == _whole(ledger)
    parts = read.rows("SELECT records FROM raw.extracts WHERE extract = 'payout_members'")
    assert sorted(parts) == [(3,)] * 3


def test_a_payout_is_asked_when_its_list_is_whole(read: StripeDeployment, ledger: Ledger) -> None:
    read.vendor.clock.set(ON_ITS_WAY)
    _run(read)
    assert read.rows("SELECT reconciliation_status FROM receivables.payouts") == [("in_progress",)]
    assert _asked(read) == {}
    read.vendor.clock.set(WHOLE)
    for _ in range(2):  # the event lands, then what it names is asked for, and what that holds in the same run
        _run(read)
        read.later(timedelta(minutes=15))
    assert _members(read) == _whole(ledger)
    assert set(_asked(read).values()) == {1}


def test_payouts_that_landed_in_a_run_that_was_stopped_are_asked_for_by_the_next(
    read: StripeDeployment, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither normalised nor folded, and listed by no window any more: the archive tells of them."""
    with monkeypatch.context() as stopped:
        stopped.setattr("kolleno_pipelines.pipeline.renewals._members", lambda *_: {})
        _run(read, folds=False)
    assert read.rows("SELECT count(*) FROM receivables.payouts") == [(0,)]
    read.later(DAY)
    _run(read)
    assert _members(read) == _whole(ledger)
    assert set(_asked(read).values()) == {1}


def test_a_payout_that_makes_no_sense_ends_no_reading(read: StripeDeployment, ledger: Ledger) -> None:
    """One that the normaliser cannot take, alone in what landed: it is quarantined until it can be taken."""
    read.vendor.clock.set(WHOLE)
    ledger.advance(WHOLE)
    (payout,) = ledger.members
    read.vendor.tamper(Tamper("huge", "more money than there is", payout, altered={payout: {"amount": 10**18}}))
    _run(read)
    assert (payout,) in read.rows("SELECT source_id FROM raw.quarantined_payloads")
    assert _asked(read) == {}
    read.vendor.tamper(None)
    read.later(DAY)
    for _ in range(2):
        _run(read)
    assert _members(read) == _whole(ledger)


def test_payouts_that_are_normalised_and_not_folded_are_asked_for(
    read: StripeDeployment, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as stopped:
        stopped.setattr("kolleno_pipelines.pipeline.renewals._members", lambda *_: {})
        _run(read, folds=False)
    normalise_pending(read.deployment, NAME, connector_of("stripe"))
    read.later(DAY)
    _run(read)
    assert _members(read) == _whole(ledger)
