"""SIGKILL in the middle of reading Stripe: in the end as a reading that nobody disturbed, and nothing asked twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from kolleno_pipelines.sandbox.stripe import charging, disputes, payouts
from kolleno_pipelines.sandbox.stripe.access import no_limits
from kolleno_pipelines.sandbox.stripe.charging import Payment
from kolleno_pipelines.sandbox.stripe.ledger import Ledger
from kolleno_pipelines.sandbox.stripe.server import SandboxStripe
from kolleno_pipelines.settings import Settings
from tests.canaries import CANARY
from tests.killing import kill_while_extracting
from tests.record_payloads import Row, state_of
from tests.stripe_deployment import NAME, SECRET_VARIABLE, StripeDeployment

AT = datetime.now(UTC).replace(microsecond=0) - timedelta(days=12)
DAY = timedelta(days=1)
_OF_READINGS = {"balance_snapshots"}
_PASSING = {"observed_at", "first_seen_at"}
#: Parts in the order in which they land: events, snapshot, rows, customers, intents, charges, refunds, disputes,
#: payouts, and what payouts hold.
CHARGES, PAYOUTS, MEMBERS = 6, 9, 10
POINTS = [
    pytest.param("archived", CHARGES, id="charges are in the archive alone"),
    pytest.param("landed", PAYOUTS, id="payouts landed, nobody asked what they hold"),
    pytest.param("landed", MEMBERS, id="what payouts hold landed"),
    pytest.param("archived", MEMBERS, id="what payouts hold is in the archive alone", marks=pytest.mark.nightly),
    pytest.param("landed", CHARGES, id="charges landed", marks=pytest.mark.nightly),
    pytest.param("archived", PAYOUTS, id="payouts are in the archive alone", marks=pytest.mark.nightly),
]


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxStripe]:
    ledger: Ledger = payouts.open_account("kills", AT - DAY)
    who = charging.add_customer(ledger, AT, name="Acme")["id"]
    made = [charging.charge(ledger, AT + day * DAY, Payment(1_000, customer=who))["id"] for day in range(5)]
    charging.refund(ledger, AT + 6 * DAY, made[0], 400)
    disputes.open_dispute(ledger, AT + 6 * DAY, made[1])
    with SandboxStripe(ledger, limits=no_limits(), mark=CANARY) as vendor:
        monkeypatch.setenv(SECRET_VARIABLE, vendor.key)
        yield vendor


def _state(read: StripeDeployment) -> dict[str, list[Row]]:
    with read.deployment.transaction() as conn:
        state = state_of(conn, NAME)
    return {
        entity: [{name: cell for name, cell in row.items() if name not in _PASSING} for row in rows]
        for entity, rows in state.items()
        if entity not in _OF_READINGS
    }


def _asked(vendor: SandboxStripe) -> Counter[tuple[str, str]]:
    """How often whole lists were asked for: those from the beginning on, and what each payout holds."""
    asked: Counter[tuple[str, str]] = Counter()
    for request in vendor.server.requests:
        query = dict(parse_qsl(request.query))
        if "payout" in query or query.get("created[gte]", "9") < "13":  # from 2010 on
            asked[request.path.removeprefix("/v1/"), query.get("payout", "")] += 1
    return asked


@pytest.mark.parametrize(("point", "times"), POINTS)
def test_killed_while_reading_stripe_the_next_reading_makes_it_good(
    vendor: SandboxStripe, settings: Settings, second: Settings, tmp_path: Path, point: str, times: int
) -> None:
    calm = StripeDeployment(vendor, second, tmp_path / "calm")
    calm.read()
    undisturbed = _asked(vendor)
    assert len([path for path, payout in undisturbed if payout]) >= 3
    read = StripeDeployment(vendor, settings, tmp_path / "killed")
    kill_while_extracting(read.variables(), NAME, f"{point}@{times}", tmp_path / "mark")
    read.read()
    assert _state(read) == _state(calm)
    assert read.rows("SELECT count(*) FROM raw.extracts WHERE status <> 'folded'") == [(0,)]
    again = _asked(vendor) - undisturbed - undisturbed
    if point == "landed":
        assert again == {}, "nothing that has landed is asked for once more"
    else:
        assert {path for path, _ in again} == {
            {CHARGES: "charges", PAYOUTS: "payouts"}.get(times, "balance_transactions")
        }
