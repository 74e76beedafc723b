"""What a vendor lets an account ask for, as plain data. Nothing waits or counts here (storage/rate_limits.py does)."""

from __future__ import annotations

from dataclasses import dataclass

#: A count that has reached 0 pauses for this part of its window: when the window ends no vendor says.
PARTS_OF_WINDOW = 24


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `limit` requests in any `period` seconds.

    `burst` of them may go at once; the others are spaced so that no window of that length, wherever it begins, holds
    more than `limit - spare`. What is spared makes good requests that reach the vendor closer together than they left.
    """

    limit: int
    period: float
    burst: int = 1
    spare: int = 0

    def __post_init__(self) -> None:
        if (
            self.limit < 1
            or self.period <= 0
            or self.burst < 1
            or self.spare < 0
            or self.burst + self.spare >= self.limit
        ):
            raise ValueError(f"{self} leaves nothing to grant: burst + spare must be below limit, period above 0")

    @property
    def interval(self) -> float:
        """Seconds between two requests that go on for ever."""
        return self.period / (self.limit - self.burst - self.spare)

    @property
    def tolerance(self) -> float:
        """Seconds that requests may run ahead of that spacing: what a burst uses."""
        return self.interval * (self.burst - 1)


@dataclass(frozen=True, slots=True)
class DayLimit:
    """At most `limit` requests in any `period` seconds, counted, not spaced: used up, the work stops until it opens."""

    limit: int
    period: float = 86_400.0

    def __post_init__(self) -> None:
        if self.limit < 1 or self.period <= 0:
            raise ValueError(f"{self} leaves nothing to grant")


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """Everything a vendor limits for one account: rates, requests at once (`slots`, None: any number), the day."""

    rates: tuple[Rate, ...] = ()
    slots: int | None = None
    day: DayLimit | None = None

    def __post_init__(self) -> None:
        if self.slots is not None and self.slots < 1:
            raise ValueError("slots are at least 1, or None")


@dataclass(frozen=True, slots=True)
class LimitNotice:
    """What an answer says about the account's limits: nobody asks for `pause` seconds, and why (words for a person)."""

    pause: float
    reason: str
