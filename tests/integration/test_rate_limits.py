"""Turns at a vendor: never more than it allows, nearly all of it, shared by threads and processes. No HTTP here."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from kolleno_pipelines.connectors.errors import Retryable
from kolleno_pipelines.schemas.rates import AccountLimits, DayLimit, LimitNotice, Rate
from kolleno_pipelines.storage.rate_limits import SharedLimits

ROOT = Path(__file__).parents[2]

# The published limits of the two vendors, as their connectors declare them.
QUICKBOOKS = AccountLimits(rates=(Rate(10, 1.0, spare=1), Rate(500, 60.0, burst=10, spare=10)), slots=10)
XERO = AccountLimits(rates=(Rate(60, 60.0, spare=2),), slots=5, day=DayLimit(5_000))
LIMITS = {"quickbooks": QUICKBOOKS, "xero": XERO}

_ASKER = """
import sys, time
from kolleno_pipelines.storage.rate_limits import SharedLimits
from tests.integration.test_rate_limits import LIMITS
url, name, factor = sys.argv[1], sys.argv[2], float(sys.argv[3])
print("ready", flush=True)
until = float(sys.stdin.readline())
with SharedLimits(url, "acme", LIMITS[name], clock_factor=factor) as limits:
    while time.time() < until:
        with limits.acquire():
            print(time.time(), flush=True)
            time.sleep(0.01)
"""

_HOLDER = """
import sys, time
from kolleno_pipelines.schemas.rates import AccountLimits
from kolleno_pipelines.storage.rate_limits import SharedLimits
with SharedLimits(sys.argv[1], "acme", AccountLimits(slots=2)).acquire():
    print("held", flush=True)
    time.sleep(60)
"""


def most_within(moments: Sequence[float], period: float) -> int:
    """The most requests in any window of that length, wherever it begins."""
    return max(index - bisect_left(moments, moment - period + 1e-9) + 1 for index, moment in enumerate(moments))


def _ask(database: str, name: str, factor: float, seconds: float, processes: int = 2) -> list[float]:
    """Moments (seconds of the vendor's clock) of the requests that several processes made at once."""
    askers = [
        subprocess.Popen(
            [sys.executable, "-c", _ASKER, database, name, str(factor)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(processes)
    ]
    for asker in askers:
        assert asker.stdout is not None
        assert asker.stdout.readline() == "ready\n"
    until = time.time() + seconds
    for asker in askers:
        assert asker.stdin is not None
        asker.stdin.write(f"{until}\n")
        asker.stdin.flush()
    told = [asker.communicate(timeout=60)[0].split() for asker in askers]
    assert all(told)  # each had its turns
    return sorted(float(line) * factor for lines in told for line in lines)


@pytest.mark.parametrize(
    ("name", "factor", "seconds", "limit", "period"),
    [("quickbooks", 5.0, 3.0, 10, 1.0), ("quickbooks", 8.0, 9.0, 500, 60.0), ("xero", 20.0, 5.0, 60, 60.0)],
)
def test_processes_together_stay_below_the_limit_and_use_it(
    database: str, name: str, factor: float, seconds: float, limit: int, period: float
) -> None:
    moments = _ask(database, name, factor, seconds)
    lasted = moments[-1] - moments[0]
    assert lasted > period
    assert len(moments) >= 0.9 * lasted * min(rate.limit / rate.period for rate in LIMITS[name].rates)
    assert most_within(moments, period) <= limit


def test_more_threads_than_slots_never_ask_at_once(database: str) -> None:
    limits = SharedLimits(database, "acme", AccountLimits(slots=3))
    under_way, most, lock = 0, 0, threading.Lock()

    def ask(_: int) -> None:
        nonlocal under_way, most
        with limits.acquire():
            with lock:
                under_way += 1
                most = max(most, under_way)
            time.sleep(0.01)
            with lock:
                under_way -= 1

    with limits, ThreadPoolExecutor(12) as pool:
        list(pool.map(ask, range(60)))
    assert most == 3


def test_two_sessions_share_the_slots(database: str) -> None:
    one, other = (
        SharedLimits(database, "acme", AccountLimits(slots=1), patience=0.2),
        SharedLimits(database, "acme", AccountLimits(slots=1), patience=0.2),
    )
    with one, other:
        with one.acquire(), pytest.raises(Retryable, match="under way") as refusal, other.acquire():
            pass
        assert refusal.value.retry_after is not None
        with other.acquire():
            pass


def test_slots_of_a_killed_process_are_free_again(database: str) -> None:
    holders = [
        subprocess.Popen([sys.executable, "-c", _HOLDER, database], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for _ in range(2)
    ]
    for holder in holders:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
    with SharedLimits(database, "acme", AccountLimits(slots=2), patience=0.3) as limits:
        with pytest.raises(Retryable), limits.acquire():
            pass
        for holder in holders:
            holder.kill()
            holder.wait()
            assert holder.stdout is not None
            holder.stdout.close()
    with SharedLimits(database, "acme", AccountLimits(slots=2), patience=20) as limits, limits.acquire():
        pass


def test_a_restart_of_the_database_loses_no_request_and_no_slot(database: str) -> None:
    with SharedLimits(database, "acme", AccountLimits(rates=(Rate(1_000, 1.0),), slots=2), patience=5) as limits:
        with limits.acquire():
            _end_sessions(database)
        with limits.acquire(), limits.acquire():
            pass


def _end_sessions(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        ended = conn.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'kolleno turns'"
            " AND datname = current_database()"
        )
        assert ended.rowcount == 1


def test_a_pause_holds_for_everybody_and_for_those_who_wait_already(database: str) -> None:
    slow = AccountLimits(rates=(Rate(2, 0.6),))  # a turn every 0.6 s
    with SharedLimits(database, "acme", slow) as one, SharedLimits(database, "acme", slow) as other:
        with one.acquire():
            pass
        asked: list[float] = []

        def ask() -> None:
            with other.acquire():
                asked.append(time.monotonic())

        waiting = threading.Thread(target=ask)
        waiting.start()
        time.sleep(0.2)
        paused = time.monotonic()
        one.note(LimitNotice(1.2, "the vendor answered 429 and asked for a pause"))
        waiting.join(20)
        assert asked[0] - paused >= 1.2


def test_a_long_pause_is_told_and_not_waited_for(database: str) -> None:
    with SharedLimits(database, "acme", AccountLimits(rates=(Rate(100, 1.0),)), clock_factor=10.0) as limits:
        limits.note(LimitNotice(66_975, "the vendor answered 429 and asked for a pause"))
        limits.note(LimitNotice(1, "a shorter one"))
        with pytest.raises(Retryable, match=r"asked for a pause\); it opens again at 20") as refusal, limits.acquire():
            pass
        assert refusal.value.retry_after == pytest.approx(66_975, abs=100)


def test_a_day_limit_stops_and_says_when_it_opens(database: str) -> None:
    day = AccountLimits(day=DayLimit(20, period=24.0))  # a part of the day lasts a second
    with SharedLimits(database, "acme", day, clock_factor=24.0) as limits, SharedLimits(database, "b", day) as beside:
        for _ in range(20):
            with limits.acquire():
                pass
        with pytest.raises(Retryable, match="day's 20 requests are used up; it opens") as refusal, limits.acquire():
            pass
        with beside.acquire():
            pass
        assert refusal.value.retry_after is not None
        assert 0 < refusal.value.retry_after <= 26
        time.sleep(refusal.value.retry_after / 24.0 + 0.01)
        with limits.acquire():
            pass


def test_a_turn_costs_about_a_millisecond(database: str) -> None:
    free = AccountLimits(rates=(Rate(1_000_000, 1.0, burst=1_000), Rate(1_000_000, 60.0, burst=1_000)), slots=5)
    with SharedLimits(database, "acme", AccountLimits(free.rates, 5, DayLimit(1_000_000))) as limits:
        for _ in range(20):
            with limits.acquire():
                pass
        began = time.perf_counter()
        for _ in range(200):
            with limits.acquire():
                pass
        each = (time.perf_counter() - began) / 200
    assert each < 0.01


@pytest.mark.parametrize(
    "make",
    [lambda: Rate(1, 1.0), lambda: Rate(5, 0.0), lambda: Rate(5, 1.0, burst=3, spare=2), lambda: DayLimit(0)],
)
def test_limits_that_grant_nothing_are_refused(make: object) -> None:
    with pytest.raises(ValueError, match="nothing to grant"):
        make()  # type: ignore[operator]
