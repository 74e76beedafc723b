"""What is asked of a vendor in a month: counted by all processes, shown and told, never a reason to stop."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from kolleno_pipelines.assets.checks.api import reading_facts
from kolleno_pipelines.assets.checks.facts import Fact
from kolleno_pipelines.connections import ApiConnection
from kolleno_pipelines.connectors.rate_limits import AccountLimits
from kolleno_pipelines.pipeline.api_delivery import deliver_from_vendor
from kolleno_pipelines.pipeline.connecting import describe_connections
from kolleno_pipelines.pipeline.connection_states import ConnectionState, connection_states
from kolleno_pipelines.settings import Settings
from kolleno_pipelines.storage.rate_limits import SharedLimits
from kolleno_pipelines.storage.usage import month_of, used_in_month
from tests.api_sites import NAME, SECRET_VARIABLE, ApiSite, one_invoice, quickbooks_site
from tests.killing import kolleno

ROOT = Path(__file__).parents[2]
AT = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)

_COUNTER = """
import sys
from kolleno_pipelines.schemas.rates import AccountLimits
from kolleno_pipelines.storage import usage
from kolleno_pipelines.storage.rate_limits import SharedLimits
usage.WRITTEN_EVERY = 0.001
print("ready", flush=True)
sys.stdin.readline()
with SharedLimits(sys.argv[1], "acme", AccountLimits(), counted_for=sys.argv[2]) as limits:
    for number in range(500):
        limits.count(number)
"""


def used(database: str, *connections: str, month: date | None = None) -> tuple[int, int]:
    with psycopg.connect(database) as conn:
        return used_in_month(conn, connections, month or month_of(datetime.now(UTC)))


def test_two_processes_and_connections_add_up(database: str) -> None:
    counters = [
        subprocess.Popen(
            [sys.executable, "-c", _COUNTER, database, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for name in ("books", "books", "books_too")
    ]
    for counter in counters:
        assert counter.stdout is not None
        assert counter.stdout.readline() == "ready\n"
    for counter in counters:
        assert counter.stdin is not None
        counter.stdin.write("go\n")
        counter.stdin.flush()
    for counter in counters:
        counter.communicate(timeout=60)
        assert counter.returncode == 0
    assert used(database, "books") == used(database, "books_too") == (1_500, 3 * sum(range(500)))
    assert used(database, "others") == (0, 0)
    with psycopg.connect(database) as conn:
        rows = conn.execute("SELECT connection, requests FROM raw.monthly_usage ORDER BY 1").fetchall()
    assert rows == [("books", 1_000), ("books_too", 500)]


def test_counts_come_with_the_end_and_none_without_a_name(database: str) -> None:
    with SharedLimits(database, "acme", AccountLimits(), counted_for="books") as limits:
        for _ in range(10):
            limits.count(100)
        assert used(database, "books") == (0, 0)
    assert used(database, "books") == (10, 1_000)
    with SharedLimits(database, "acme", AccountLimits()) as limits:
        limits.count(100)
    assert used(database, "books") == (10, 1_000)


def test_a_restart_of_the_database_loses_no_count(database: str) -> None:
    with SharedLimits(database, "acme", AccountLimits(slots=1), counted_for="books") as limits:
        with limits.acquire():
            limits.count(1)
        with psycopg.connect(database, autocommit=True) as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE application_name = 'kolleno turns' AND datname = current_database()"
            )
        limits.count(1)
    assert used(database, "books") == (2, 2)


def test_a_month_begins_at_nothing(database: str) -> None:
    with psycopg.connect(database) as conn:
        conn.execute(
            "INSERT INTO raw.monthly_usage VALUES ('acme', '2026-01-01', 'books', 7, 70),"
            " ('acme', '2026-02-01', 'books', 5, 50), ('other', '2026-02-01', 'elsewhere', 100, 100)"
        )
    assert used(database, "books", month=date(2026, 1, 1)) == (7, 70)
    assert used(database, "books", month=date(2026, 2, 1)) == (5, 50)
    assert used(database, "books", month=date(2026, 3, 1)) == (0, 0)
    with psycopg.connect(database) as conn, pytest.raises(psycopg.errors.CheckViolation):
        conn.execute("INSERT INTO raw.monthly_usage VALUES ('acme', '2026-02-02', 'books', 5, 50)")


@pytest.fixture
def site(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiSite]:
    with quickbooks_site(one_invoice(AT), settings, tmp_path / "site") as site:
        monkeypatch.setenv(SECRET_VARIABLE, site.vendor.tokens.client_secret)
        monkeypatch.setattr("kolleno_pipelines.connectors.quickbooks.account.LIMITS", AccountLimits(slots=4))
        yield site


def connection_of(site: ApiSite) -> ApiConnection:
    connection = site.connections[NAME]
    assert isinstance(connection, ApiConnection)
    return connection


def state_of(site: ApiSite, *, at: datetime | None = None) -> ConnectionState:
    (state,) = connection_states(site.settings, clock=lambda: at or datetime.now(UTC))
    return state


def fact_of(site: ApiSite, name: str) -> Fact:
    (fact,) = [fact for fact in reading_facts(site.deployment, connection_of(site)) if fact.name == name]
    return fact


def test_what_a_reading_asks_is_counted_and_shown(site: ApiSite) -> None:
    deliver_from_vendor(site.deployment, connection_of(site))
    state, asked = state_of(site), site.vendor.api_requests
    assert state.usage is not None
    assert state.usage.requests == asked > 5
    assert state.usage.received_bytes > 500
    assert (state.usage.calls, state.warnings, state.is_asking) == (f"{asked} of 500,000", (), False)
    shown = kolleno(site.variables(), "connections")
    assert shown.returncode == 0, shown.stderr
    assert f"{asked} of 500,000" in shown.stdout
    fact = fact_of(site, "allowance_left")
    assert (fact.holds, fact.metadata["calls"]) == (True, f"{asked} of 500,000")
    next_month = month_of(datetime.now(UTC)) + timedelta(days=32)
    later = state_of(site, at=datetime(next_month.year, next_month.month, 1, tzinfo=UTC)).usage
    assert later is not None
    assert later.requests == 0


def test_an_allowance_that_is_used_up_is_told_and_stops_nothing(site: ApiSite) -> None:
    site.write("    monthly_calls: 10\n    monthly_egress: 1000\n")
    for _ in range(2):
        done = deliver_from_vendor(site.deployment, connection_of(site))
        assert done.read is not None
        assert not done.read.failed
    state = state_of(site)
    assert state.state == "connected"
    assert state.is_asking
    assert [one.split(" % ")[1].split(" are ")[0] for one in state.warnings] == [
        "of the month's 10 calls",
        "of the month's 1 kB",
    ]
    (tried,) = describe_connections(settings=site.settings)
    assert tried.error is None
    assert len(tried.warnings) == 2
    assert any(" of 10 calls, " in fact and fact.startswith("in ") for fact in tried.facts)
    fact = fact_of(site, "allowance_left")
    assert not fact.holds
    assert fact.severity.value == "WARN"
    shown = kolleno(site.variables(), "connections", "check")
    assert shown.returncode == 1
    assert "may block or bill" in shown.stderr
    site.write("    monthly_calls: off\n")
    assert state_of(site).warnings == ()


def test_connections_of_one_app_share_its_allowance(site: ApiSite) -> None:
    text = site.file.read_text(encoding="utf-8").partition("\n")[2]
    second = text.replace(f"  {NAME}:", "  books_too:") + "    role: mirror\n"
    third = second.replace("books_too:", "of_another_app:").replace("sandbox-app", "another")
    site.file.write_text(f"connections:\n{text}{second}{third}", encoding="utf-8")
    with site.deployment.transaction() as conn:
        month = month_of(datetime.now(UTC))
        for account, name in (("a", NAME), ("b", "books_too"), ("c", "of_another_app")):
            conn.execute("INSERT INTO raw.monthly_usage VALUES (%s, %s, %s, 10, 10)", [account, month, name])
    counted = {state.name: state.usage.requests for state in connection_states(site.settings) if state.usage}
    assert counted == {NAME: 20, "books_too": 20, "of_another_app": 10}


def test_the_end_of_a_sign_in_is_told_in_time(site: ApiSite) -> None:
    with site.deployment.transaction() as conn:
        conn.execute(
            "UPDATE raw.oauth_tokens SET signed_in_at = now() - interval '1815 days',"
            " sign_in_ends_at = now() + interval '10 days', refreshed_at = now() - interval '90 days',"
            " refresh_expires_at = now() + interval '10 days'"
        )
    state = state_of(site)
    assert state.state == "connected"
    assert state.is_asking
    assert state.signed_in_at is not None
    assert [f"run kolleno connections login {NAME}" in one for one in state.warnings] == [True, False]
    assert f"run kolleno extract {NAME}" in state.warnings[1]
    fact = fact_of(site, "sign_in_lasts")
    assert (fact.holds, fact.severity.value, fact.words) == (False, "WARN", " ".join(state.warnings))
    assert fact_of(site, "signed_in").holds
    (tried,) = describe_connections(settings=site.settings)
    assert (tried.error, tuple(tried.warnings)) == (None, state.warnings)
    assert any(fact.startswith("signed in on 20") and "at the latest on" in fact for fact in tried.facts)
    site.sign_in()
    assert state_of(site).warnings == ()
    assert fact_of(site, "sign_in_lasts").holds
