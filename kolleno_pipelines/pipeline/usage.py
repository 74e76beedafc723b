"""What a connection's vendor was asked this month, of how much, and what is told of it. Nothing is stopped for it.

Counting does not belong here (storage/usage.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg

from kolleno_pipelines.connections import ApiConnection, AppConnection, Connections
from kolleno_pipelines.storage.usage import month_of, used_in_month

#: From this part of an allowance on, somebody is told.
TOLD_FROM = 0.8
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


@dataclass(frozen=True)
class Usage:
    """Requests and received bytes of a calendar month (UTC), and what the vendor includes (None: not compared).

    month: its first day. Where connections share an app, what all of them used.
    """

    month: date
    requests: int
    received_bytes: int
    monthly_calls: int | None = None
    monthly_egress: int | None = None

    @property
    def calls(self) -> str:
        """Requests, of how many."""
        most = "" if self.monthly_calls is None else f" of {self.monthly_calls:,}"
        return f"{self.requests:,}{most}"

    @property
    def egress(self) -> str:
        """Received bytes, of how many."""
        most = "" if self.monthly_egress is None else f" of {size_words(self.monthly_egress)}"
        return f"{size_words(self.received_bytes)}{most}"

    def warnings(self) -> Iterator[str]:
        """Yield a sentence for each allowance of which most is used; it changes with the percentage alone."""
        for used, most, told, key in (
            (self.requests, self.monthly_calls, f"{self.monthly_calls or 0:,} calls", "monthly_calls"),
            (self.received_bytes, self.monthly_egress, f"{size_words(self.monthly_egress or 0)}", "monthly_egress"),
        ):
            if most is not None and used >= TOLD_FROM * most:
                yield (
                    f"{100 * used // most} % of the month's {told} are used. Reading goes on; what is beyond the vendor"
                    " may block or bill. Read less often (poll_every, sweep_every), or take a larger allowance and"
                    f" write it in connections.yaml ({key})."
                )


def usage_of(
    conn: psycopg.Connection[Any], connections: Connections, connection: ApiConnection, now: datetime
) -> Usage | None:
    """Return what was used of a connection's allowance in the month of `now`; None where no vendor is asked."""
    if not connection.is_counted:
        return None
    month = month_of(now)
    requests, received = used_in_month(conn, _sharing(connections, connection), month)
    return Usage(month, requests, received, connection.monthly_calls, connection.monthly_egress)


def _sharing(connections: Connections, connection: ApiConnection) -> list[str]:
    """The connections whose requests count against one allowance: those of one app registered with the vendor."""
    if not isinstance(connection, AppConnection) or connection.client_id is None:
        return [connection.name]
    return [
        other.name
        for other in connections.values()
        if isinstance(other, AppConnection)
        and (other.system, other.client_id) == (connection.system, connection.client_id)
    ]


def size_words(size: int) -> str:
    """Return a number of bytes as vendors count them: 1 kB is 1,000 bytes."""
    shown, unit = float(size), 0
    while shown >= 1000 and unit < len(_UNITS) - 1:
        shown, unit = shown / 1000, unit + 1
    return f"{size:,} bytes" if unit == 0 else f"{shown:,.4g} {_UNITS[unit]}"
