"""The request limits that a vendor publishes, as fixed windows per account. No HTTP: the app words the refusal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

AT_ONCE = "at_once"


@dataclass(frozen=True)
class LimitWindow:
    """At most `requests` in `seconds` of the vendor's time; `per_account` False counts all accounts together."""

    name: str
    seconds: float
    requests: int
    per_account: bool = True


@dataclass(frozen=True)
class Refusal:
    """Which limit refuses a request (a window's name or `at_once`), and after how many vendor seconds it will not."""

    limit: str
    retry_after: float


@dataclass
class _Count:
    start: float
    used: int = 0


class VendorLimits:
    """Grants or refuses requests. A window begins with the first request after the last one ended.

    factor: how many seconds pass at the vendor in one real second, so that a test meets a limit of a minute sooner.
    seconds: the real time, monotonic; a test may pass its own. Refused requests use nothing up.
    """

    def __init__(
        self,
        windows: Iterable[LimitWindow] = (),
        *,
        at_once: int | None = None,
        factor: float = 1.0,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.windows = tuple(windows)
        self.at_once = at_once
        self.factor = factor
        self.granted = 0
        self.refused = 0
        self.most_at_once = 0
        self._seconds = seconds
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], _Count] = {}
        self._open: dict[str, int] = {}

    def enter(self, account: str) -> Refusal | None:
        """Take a request in, or say which limit refuses it. Each request taken in must `leave`."""
        with self._lock:
            refusal = self._refusal(account)
            if refusal is not None:
                self.refused += 1
                return refusal
            for window in self.windows:
                self._count(window, account).used += 1
            self._open[account] = self._open.get(account, 0) + 1
            self.most_at_once = max(self.most_at_once, self._open[account])
            self.granted += 1
            return None

    def leave(self, account: str) -> None:
        """Note that a request is answered."""
        with self._lock:
            self._open[account] -= 1

    def remaining(self, account: str) -> dict[str, int]:
        """Return how many requests each window still grants, by its name."""
        with self._lock:
            return {each.name: max(0, each.requests - self._count(each, account).used) for each in self.windows}

    def use_up(self, account: str, window: str, *, left: int = 0) -> None:
        """Let a window grant only `left` more requests before it ends."""
        with self._lock:
            for each in self.windows:
                if each.name == window:
                    self._count(each, account).used = each.requests - left

    def _refusal(self, account: str) -> Refusal | None:
        if self.at_once is not None and self._open.get(account, 0) >= self.at_once:
            return Refusal(AT_ONCE, 1)
        for window in self.windows:
            count = self._count(window, account)
            if count.used >= window.requests:
                return Refusal(window.name, count.start + window.seconds - self._now())
        return None

    def _count(self, window: LimitWindow, account: str) -> _Count:
        """The count of the running window; a new one when the last has ended."""
        place = (window.name, account if window.per_account else "")
        now = self._now()
        count = self._counts.get(place)
        if count is None or now >= count.start + window.seconds:
            count = self._counts[place] = _Count(now)
        return count

    def _now(self) -> float:
        return self._seconds() * self.factor
