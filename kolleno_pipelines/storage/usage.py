"""What is asked of a vendor in a calendar month (`raw.monthly_usage`): counted in the process, written now and then.

A process that is killed forgets what it counted since it last wrote. What a vendor allows does not belong here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

import psycopg

from kolleno_pipelines.storage.database import DatabaseError

#: Seconds between two writings, and so the most that a killed process forgets.
WRITTEN_EVERY = 5.0

_log = logging.getLogger(__name__)
_ADD = (
    "INSERT INTO raw.monthly_usage AS u (account, month, connection, requests, received_bytes)"
    " VALUES (%(account)s, %(month)s, %(connection)s, %(requests)s, %(received)s)"
    " ON CONFLICT (account, month, connection) DO UPDATE SET requests = u.requests + excluded.requests,"
    " received_bytes = u.received_bytes + excluded.received_bytes RETURNING 1"
)

Run = Callable[[str, Mapping[str, Any]], object]


class UsageCount:
    """Requests and received bytes of one account, asked by one connection. Threads may share it.

    run: carries out a statement in a transaction of its own. The month is that of `now`, in UTC.
    """

    def __init__(
        self,
        account: str,
        connection: str,
        run: Run,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._names = {"account": account, "connection": connection}
        self._run = run
        self._now = now
        self._clock = clock
        self._lock = threading.Lock()
        self._counted: dict[date, tuple[int, int]] = {}
        self._written_at = clock()

    def add(self, received: int) -> None:
        """Count one request and the bytes of its answer; write what was counted when it is time to."""
        month = month_of(self._now())
        with self._lock:
            requests, size = self._counted.get(month, (0, 0))
            self._counted[month] = (requests + 1, size + received)
            if self._clock() - self._written_at >= WRITTEN_EVERY:
                self._write()

    def close(self) -> None:
        """Write what is left."""
        with self._lock:
            self._write()
            lost = sum(requests for requests, _ in self._counted.values())
        if lost:
            _log.warning("%d requests to %s could not be added to the month's count.", lost, self._names["account"])

    def _write(self) -> None:
        """Add to the table; what cannot be written stays for the next time, since no answer may be lost for it."""
        self._written_at = self._clock()
        with suppress(psycopg.Error, DatabaseError):
            for month, (requests, received) in list(self._counted.items()):
                self._run(_ADD, {**self._names, "month": month, "requests": requests, "received": received})
                del self._counted[month]


def month_of(moment: datetime) -> date:
    """Return the first day of a moment's calendar month in UTC."""
    return moment.astimezone(UTC).date().replace(day=1)


def used_in_month(conn: psycopg.Connection[Any], connections: Sequence[str], month: date) -> tuple[int, int]:
    """Return the requests and received bytes of all accounts that these connections ever asked, whoever asked them."""
    row = conn.execute(
        "SELECT coalesce(sum(requests), 0)::bigint, coalesce(sum(received_bytes), 0)::bigint FROM raw.monthly_usage"
        " WHERE month = %s AND account IN (SELECT account FROM raw.monthly_usage WHERE connection = ANY(%s))",
        [month, list(connections)],
    ).fetchone()
    return (row[0], row[1]) if row else (0, 0)
