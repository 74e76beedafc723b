"""The clock of a sandbox vendor: real time, or a moment that a test sets and moves. No limits, no tokens."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta


class VendorClock:
    """What time it is at the vendor. Runs with real time until `set` stops it; `advance` moves it either way.

    start: the moment at which it stands still from the beginning; None is real time.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._lock = threading.Lock()
        self._ahead = timedelta(0)
        self._stopped_at: datetime | None = None
        if start is not None:
            self.set(start)

    @property
    def now(self) -> datetime:
        """The vendor's now, in UTC."""
        with self._lock:
            return self._stopped_at or datetime.now(UTC) + self._ahead

    def set(self, moment: datetime) -> None:
        """Stop the clock at a moment, which may lie before the present one. Raises ValueError without an offset."""
        if moment.tzinfo is None:
            message = "A moment of the vendor's clock needs an offset."
            raise ValueError(message)
        with self._lock:
            self._stopped_at = moment.astimezone(UTC)

    def advance(self, step: timedelta) -> datetime:
        """Move the clock, stopped or running, and return its new now."""
        with self._lock:
            if self._stopped_at is None:
                self._ahead += step
            else:
                self._stopped_at += step
        return self.now

    def run(self) -> None:
        """Let the clock run with real time again, from the moment at which it stands."""
        with self._lock:
            if self._stopped_at is not None:
                self._ahead = self._stopped_at - datetime.now(UTC)
                self._stopped_at = None
