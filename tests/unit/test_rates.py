"""The arithmetic of rates, and what a vendor's headers say about them. Nobody waits here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from kolleno_pipelines.connectors.answers import Answer
from kolleno_pipelines.connectors.rate_limits import LimitHeaders, LimitNotice, retry_after
from kolleno_pipelines.schemas.rates import Rate

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


def _answer(status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer("acme", "https://vendor.example/x", status, CaseInsensitiveDict(headers or {}), b"{}")


@st.composite
def _rates(draw: st.DrawFn) -> Rate:
    limit = draw(st.integers(2, 60))
    burst = draw(st.integers(1, limit - 1))
    return Rate(limit, 60.0, burst, draw(st.integers(0, limit - burst - 1)))


@given(_rates(), st.lists(st.floats(0, 20), min_size=1, max_size=300))
def test_no_window_ever_holds_more_than_the_limit(rate: Rate, pauses: list[float]) -> None:
    """Requests come after pauses of any length; each goes at the moment that the spacing gives it."""
    now, next_at, moments = 0.0, 0.0, list[float]()
    for pause in pauses:
        now = max(now + pause, next_at - rate.tolerance)
        next_at = max(next_at, now) + rate.interval
        moments.append(now)
    for first, moment in enumerate(moments):
        within = sum(moment <= later < moment + rate.period - 1e-6 for later in moments[first:])
        assert within <= rate.limit - rate.spare


@pytest.mark.parametrize(
    ("rate", "share"), [(Rate(60, 60.0, spare=2), 0.95), (Rate(500, 60.0, burst=10, spare=10), 0.96)]
)
def test_the_long_run_uses_nearly_all_of_it(rate: Rate, share: float) -> None:
    assert rate.period / rate.interval / rate.limit == pytest.approx(share)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"Retry-After": " 0.5 "}, 0.5),
        ({"Retry-After": "Tue, 31 Mar 2026 12:01:00 GMT"}, 60.0),
        ({"Retry-After": "Tue, 31 Mar 2026 11:00:00 GMT"}, 0.0),
        ({"Retry-After": "Tue, 31 Mar 2026 12:01:00 GMT", "Date": "Tue, 31 Mar 2026 12:00:50 GMT"}, 10.0),
        ({"Retry-After": "Tue, 31 Mar 2026 12:01:00 GMT", "Date": "nonsense"}, 60.0),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "1.2.3"}, None),
        ({"Retry-After": "²"}, None),
        ({"Retry-After": "soon"}, None),
    ],
)
def test_retry_after(said: Mapping[str, str], seconds: float | None) -> None:
    assert retry_after(_answer(429, said), NOW) == seconds


def test_the_longest_pause_counts() -> None:
    headers = LimitHeaders(remaining={"X-MinLimit-Remaining": 60.0, "X-DayLimit-Remaining": 86_400.0}, pause=60.0)
    nothing_left = {"x-minlimit-remaining": "0", "x-daylimit-remaining": "0"}
    assert headers.read(_answer(200, {"x-minlimit-remaining": "3"}), NOW) is None
    assert headers.read(_answer(200, nothing_left), NOW) == LimitNotice(
        3600.0, "the vendor's X-DayLimit-Remaining is 0"
    )
    throttled = headers.read(_answer(429, {"x-minlimit-remaining": "0"}), NOW)
    assert throttled is not None
    assert throttled.pause == 60.0
