"""What is said of a month's usage: of how much, and from when on somebody is told."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from kolleno_pipelines.pipeline.usage import Usage, size_words
from kolleno_pipelines.storage.usage import UsageCount, month_of

MONTH = date(2026, 2, 1)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1_000, "1 kB"),
        (1_234_567, "1.235 MB"),
        (10_000_000_000, "10 GB"),
        (2_500_000_000_000_000, "2,500 TB"),
    ],
)
def test_sizes_are_told_as_vendors_count_them(size: int, words: str) -> None:
    assert size_words(size) == words


def test_usage_says_of_how_much() -> None:
    usage = Usage(MONTH, 1_204, 3_100_000, monthly_calls=500_000)
    assert (usage.calls, usage.egress) == ("1,204 of 500,000", "3.1 MB")
    assert Usage(MONTH, 0, 0, monthly_egress=10_000_000_000).egress == "0 bytes of 10 GB"


def test_somebody_is_told_from_four_fifths_on() -> None:
    assert list(Usage(MONTH, 399_999, 0, 500_000).warnings()) == []
    (told,) = Usage(MONTH, 400_000, 10**15, 500_000).warnings()
    assert told.startswith("80 % of the month's 500,000 calls are used. Reading goes on;")
    assert "(monthly_calls)" in told
    both = list(Usage(MONTH, 600_000, 9_999_999_999, 500_000, 10_000_000_000).warnings())
    assert [one.split(" are used")[0] for one in both] == [
        "120 % of the month's 500,000 calls",
        "99 % of the month's 10 GB",
    ]
    assert list(Usage(MONTH, 10**9, 10**15).warnings()) == [], "nothing to compare with"


def test_a_month_is_that_of_utc() -> None:
    east = timezone(timedelta(hours=13))
    assert month_of(datetime(2026, 3, 1, 2, tzinfo=east)) == MONTH
    assert month_of(datetime(2026, 3, 1, tzinfo=UTC)) == date(2026, 3, 1)


def test_counts_are_written_now_and_then_by_the_month_in_which_they_came() -> None:
    written: list[tuple[date, int, int]] = []
    now, seconds = datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC), 0.0

    def run(_: str, values: object) -> None:
        assert isinstance(values, dict)
        written.append((values["month"], values["requests"], values["received"]))

    count = UsageCount("acme", "books", run, now=lambda: now, clock=lambda: seconds)
    for _ in range(100):
        count.add(10)
    assert written == [], "not a writing for each request"
    now += timedelta(seconds=2)
    count.add(7)
    assert written == []
    seconds = 5.0
    count.add(1)
    assert written == [(date(2026, 2, 1), 100, 1_000), (date(2026, 3, 1), 2, 8)]
    count.add(3)
    count.close()
    count.close()
    assert written[2:] == [(date(2026, 3, 1), 1, 3)]
