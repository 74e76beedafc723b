"""What is told of a sign-in before it ends: unused, or for good."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kolleno_pipelines.pipeline.sign_in_ages import NOTICE, sign_in_warnings, sign_in_words
from kolleno_pipelines.storage.tokens import TokenState

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def state(*, unused: timedelta | None = None, at_the_latest: timedelta | None = None, used: int = 1) -> TokenState:
    """A sign-in that was used so many days ago; its ends are counted from now."""
    return TokenState(
        connection="books",
        state="connected",
        reason=None,
        since=NOW,
        scopes=(),
        account={},
        refresh_expires_at=None if unused is None else NOW + unused,
        signed_in_at=datetime(2021, 3, 20, tzinfo=UTC),
        refreshed_at=NOW - used * DAY,
        sign_in_ends_at=None if at_the_latest is None else NOW + at_the_latest,
    )


def test_an_end_for_good_is_told_two_weeks_before() -> None:
    assert list(sign_in_warnings(state(at_the_latest=NOTICE), NOW)) == []
    (told,) = sign_in_warnings(state(at_the_latest=NOTICE - timedelta(seconds=1)), NOW)
    assert told == (
        "The sign-in of 2021-03-20 ends on 2026-03-24 however much it is used: run kolleno connections login books"
        " before."
    )


@pytest.mark.parametrize(("lasts", "notice"), [(100, 14.0), (60, 14.0), (30, 7.5), (8, 2.0)])
def test_an_unused_sign_in_is_told_in_time_whatever_its_life(lasts: int, notice: float) -> None:
    ended = NOW - lasts * DAY
    kept = replace(state(unused=timedelta(0)), refreshed_at=ended)
    assert list(sign_in_warnings(kept, NOW - notice * DAY)) == []
    (told,) = sign_in_warnings(kept, NOW - notice * DAY + timedelta(seconds=1))
    assert told.startswith(f"The sign-in was last used on {ended:%Y-%m-%d} and ends unused on 2026-03-10: run kolleno ")
    assert "kolleno extract books" in told


def test_nothing_is_told_where_no_end_is_known_or_somebody_must_sign_in_anyway() -> None:
    assert list(sign_in_warnings(state(), NOW)) == []
    near = state(unused=DAY, at_the_latest=DAY, used=99)
    assert len(list(sign_in_warnings(near, NOW))) == 2
    assert list(sign_in_warnings(replace(near, state="needs_reauth"), NOW)) == []


def test_the_age_is_told_in_words() -> None:
    assert sign_in_words(state()) == "signed in on 2021-03-20"
    assert sign_in_words(state(unused=DAY, at_the_latest=9 * DAY)) == (
        "signed in on 2021-03-20, unused it ends on 2026-03-11, at the latest on 2026-03-19"
    )
