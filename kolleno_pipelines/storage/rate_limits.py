"""Turns at one vendor account, shared by the threads and processes of all machines through PostgreSQL, and its counts.

What a vendor allows does not belong here (its connector declares it), nor what its answers say of it.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Self

import psycopg

from kolleno_pipelines.connectors.errors import Retryable
from kolleno_pipelines.schemas.rates import PARTS_OF_WINDOW, AccountLimits, LimitNotice
from kolleno_pipelines.storage import database
from kolleno_pipelines.storage.usage import UsageCount

#: Real seconds between two looks for a slot that another process holds.
_LOOK_AGAIN = 0.02
# An unplugged machine gives its slots back within a minute or so; sessions over a Unix socket end at once anyway.
_SESSION = (
    "SELECT set_config('synchronous_commit', 'off', false), set_config('tcp_keepalives_idle', '30', false),"
    " set_config('tcp_keepalives_interval', '10', false), set_config('tcp_keepalives_count', '3', false)"
)


class SharedLimits:
    """`connectors.rate_limits.RateLimits` of one account. Threads may share it; `close` it at the end.

    account: its name in the database; the same for everybody who shares the vendor's limit.
    clock_factor: how many seconds of the vendor's clock pass in one of ours (tests run published limits faster).
    patience: the longest wait for a turn, in seconds of the vendor's clock; what would take longer is refused.
    counted_for: the connection whose requests are counted by month; None: they are not counted.
    """

    def __init__(
        self,
        database_url: str,
        account: str,
        limits: AccountLimits,
        *,
        clock_factor: float = 1.0,
        patience: float = 120.0,
        sleep: Callable[[float], None] = time.sleep,
        counted_for: str | None = None,
    ) -> None:
        self._account = account
        self._limits = limits
        self._factor = clock_factor
        self._patience = patience
        self._sleep = sleep
        self._session = _Session(database_url)
        self._numbers = threading.BoundedSemaphore(limits.slots or 1)
        self._usage = None if counted_for is None else UsageCount(account, counted_for, self._session.row)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what was counted, and end the session, with it every slot that is still held."""
        if self._usage is not None:
            self._usage.close()
        self._session.close()

    @contextmanager
    def acquire(self) -> Iterator[None]:
        """Wait for a slot and a turn; the slot is held for the length of the block. Raises Retryable."""
        with self._slot():
            self._wait_for_turn()
            yield

    def note(self, notice: LimitNotice) -> None:
        """Pause everybody who shares the account; a longer pause that runs already stays."""
        self._session.row(
            "INSERT INTO raw.rate_limits AS r (account, paused_until, pause_reason)"
            " VALUES (%(account)s, extract(epoch FROM clock_timestamp()) + %(pause)s, %(reason)s)"
            " ON CONFLICT (account) DO UPDATE SET paused_until = excluded.paused_until,"
            " pause_reason = excluded.pause_reason WHERE r.paused_until < excluded.paused_until RETURNING 1",
            {"account": self._account, "pause": notice.pause / self._factor, "reason": notice.reason},
        )

    def count(self, received: int) -> None:
        """Count a request that was sent, and the bytes that came back; it never raises."""
        if self._usage is not None:
            self._usage.add(received)

    def _wait_for_turn(self) -> None:
        rates, day = self._limits.rates, self._limits.day
        wanted = {
            "account": self._account,
            "intervals": [rate.interval / self._factor for rate in rates],
            "tolerances": [rate.tolerance / self._factor for rate in rates],
            "patience": self._patience / self._factor,
            "limit": day.limit if day else None,
            "part": day.period / PARTS_OF_WINDOW / self._factor if day else 1.0,
        }
        while True:
            row = self._session.row(
                "SELECT wait, refused_by FROM raw.take_turn(%(account)s, %(intervals)s::float8[],"
                " %(tolerances)s::float8[], %(patience)s, %(limit)s, %(part)s)",
                wanted,
            )
            wait, refused_by = (row[0], row[1]) if row else (0.0, None)
            if refused_by is not None:
                raise self._refusal(wait, refused_by)
            if wait <= 0:
                return
            self._sleep(wait)
            if not self._is_paused():
                return

    def _is_paused(self) -> bool:
        """Tell whether a pause began while we waited: our turn is forfeit then, so that nobody bursts when it ends."""
        row = self._session.row(
            "SELECT paused_until > extract(epoch FROM clock_timestamp()) FROM raw.rate_limits WHERE account = %s",
            [self._account],
        )
        return bool(row and row[0])

    def _refusal(self, wait: float, refused_by: str) -> Retryable:
        """Say when to come back; `wait` is in our seconds."""
        opens = datetime.now(UTC) + timedelta(seconds=wait + 1)
        when = f"it opens again at {opens:%Y-%m-%d %H:%M:%S} UTC"
        if refused_by == "day" and self._limits.day is not None:
            said = f"The day's {self._limits.day.limit:,} requests are used up; {when}."
        elif refused_by == "queue":
            said = (
                f"So many requests are waiting that the next turn comes in {wait * self._factor:.0f} s; try again then."
            )
        else:
            said = f"No request is made for now ({refused_by}); {when}."
        return Retryable(said, self._account, retry_after=wait * self._factor)

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if self._limits.slots is None:
            yield
            return
        deadline = time.monotonic() + self._patience / self._factor
        if not self._numbers.acquire(timeout=max(deadline - time.monotonic(), 0.0)):
            raise self._no_slot()
        try:
            slot = self._take_slot(self._limits.slots, deadline)
            try:
                yield
            finally:
                self._session.unlock(self._key, slot)
        finally:
            self._numbers.release()

    def _take_slot(self, slots: int, deadline: float) -> _Slot:
        """A number from 1 to `slots` that no other session holds; its lock ends with our session."""
        while True:
            slot = self._session.lock_one(self._key, range(1, slots + 1))
            if slot is not None:
                return slot
            if time.monotonic() > deadline:
                raise self._no_slot()
            self._sleep(_LOOK_AGAIN * (0.5 + random.random()))  # noqa: S311 - spreads the looks

    def _no_slot(self) -> Retryable:
        said = f"All {self._limits.slots} requests at once that the vendor allows are under way; try again later."
        return Retryable(said, self._account, retry_after=self._patience)

    @property
    def _key(self) -> int:
        return int.from_bytes(blake2b(f"slots {self._account}".encode(), digest_size=4).digest(), "big", signed=True)


@dataclass(frozen=True, slots=True)
class _Slot:
    """A number that is locked, and by which of our sessions, one after the other."""

    number: int
    session: int


class _Session:
    """One database session that threads use in turn; opened when it is needed, again when it was lost."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._conn: psycopg.Connection[Any] | None = None
        self._held: set[int] = set()
        self._opened = 0

    def close(self) -> None:
        with self._lock:
            self._drop()

    def row(self, statement: str, params: Any) -> tuple[Any, ...] | None:
        """Run a statement and return its first row; once more on a new session when the server ended this one."""
        with self._lock:
            return self._row(statement, params)

    def lock_one(self, key: int, numbers: Sequence[int]) -> _Slot | None:
        """Lock the first free one of the numbers. A session gets its own locks again: those are left out."""
        with self._lock:
            self._connected()
            free = [number for number in numbers if number not in self._held]
            row = self._row("SELECT n FROM unnest(%s::int[]) n WHERE pg_try_advisory_lock(%s, n) LIMIT 1", [free, key])
            if row is None:
                return None
            self._held.add(row[0])
            return _Slot(row[0], self._opened)

    def unlock(self, key: int, slot: _Slot) -> None:
        """Let a number go; a session that was lost has done so already."""
        with self._lock:
            if slot.session == self._opened and self._conn is not None:
                self._held.discard(slot.number)
                with suppress(psycopg.OperationalError):
                    self._conn.execute("SELECT pg_advisory_unlock(%s, %s)", [key, slot.number])

    def _row(self, statement: str, params: Any) -> tuple[Any, ...] | None:
        try:
            return self._connected().execute(statement, params).fetchone()
        except psycopg.OperationalError:
            self._drop()
            return self._connected().execute(statement, params).fetchone()

    def _connected(self) -> psycopg.Connection[Any]:
        if self._conn is None or self._conn.closed:
            self._drop()
            self._conn = database.connect(self._url, autocommit=True, application_name="kolleno turns")
            self._conn.execute(_SESSION)
            self._opened += 1
        return self._conn

    def _drop(self) -> None:
        self._held.clear()
        if self._conn is not None:
            self._conn.close()
            self._conn = None
