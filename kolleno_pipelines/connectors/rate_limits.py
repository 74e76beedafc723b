"""How a client waits for its turn at a vendor: the Protocol, no limits at all, and reading a vendor's limit headers.

Sharing the turns between processes does not belong here; storage does that and pipeline passes it in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

from kolleno_pipelines.connectors.answers import Answer
from kolleno_pipelines.schemas.rates import PARTS_OF_WINDOW, AccountLimits, DayLimit, LimitNotice, Rate

__all__ = [
    "UNLIMITED",
    "AccountLimits",
    "DayLimit",
    "LimitHeaders",
    "LimitNotice",
    "Rate",
    "RateLimits",
    "retry_after",
]


class RateLimits(Protocol):
    """Turns of one vendor account, shared by everybody who asks it. Durations are seconds of the vendor's clock."""

    def acquire(self) -> AbstractContextManager[None]:
        """Wait for a turn and hold it while the request is under way.

        Raises Retryable with `retry_after` when the wait is longer than this client waits (a day limit, a long pause).
        """
        ...

    def note(self, notice: LimitNotice) -> None:
        """Pause everybody who shares the account."""
        ...

    def count(self, received: int) -> None:
        """Count a request that was sent, refused ones too, and the bytes of its answer's body as they came."""
        ...


class _Unlimited:
    @contextmanager
    def acquire(self) -> Iterator[None]:
        yield

    def note(self, notice: LimitNotice) -> None:
        """Nobody else is there."""

    def count(self, received: int) -> None:
        """Nothing is compared with it."""


UNLIMITED: RateLimits = _Unlimited()


@dataclass(frozen=True)
class LimitHeaders:
    """Which headers tell of limits.

    remaining: header -> seconds of its window; a count of 0 pauses for a part of that window, since no vendor says when
    it ends. throttled: statuses that mean "too many". pause: seconds to stay away after one without Retry-After.
    """

    remaining: Mapping[str, float] = field(default_factory=dict)
    throttled: frozenset[int] = frozenset({429})
    pause: float = 5.0

    def read(self, answer: Answer, now: datetime) -> LimitNotice | None:
        """Return what the answer says about the account's limits; the longest pause where several are said."""
        found: list[LimitNotice] = []
        said = retry_after(answer, now) if answer.status >= 400 else None
        if said is None and answer.status in self.throttled:
            said = self.pause
        if said is not None:
            found.append(LimitNotice(said, f"the vendor answered {answer.status} and asked for a pause"))
        for header, period in self.remaining.items():
            if answer.headers.get(header, "").strip() in {"0", "0.0"}:
                found.append(LimitNotice(period / PARTS_OF_WINDOW, f"the vendor's {header} is 0"))
        return max(found, key=lambda notice: notice.pause, default=None)


def retry_after(answer: Answer, now: datetime) -> float | None:
    """Seconds that `Retry-After` asks for (a number or an HTTP date; never below 0), None when it says nothing usable.

    A date is counted from the answer's own Date header, so that our clock need not agree with the vendor's.
    """
    said = answer.headers.get("Retry-After", "").strip()
    if not said:
        return None
    if said.replace(".", "", 1).isascii() and said.replace(".", "", 1).isdigit():
        return float(said)
    moment = _http_date(said)
    if moment is None:
        return None
    return max(0.0, (moment - (_http_date(answer.headers.get("Date", "")) or now)).total_seconds())


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError):
        return None
    return moment if moment.tzinfo is not None else None
