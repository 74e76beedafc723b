"""What contract tests need to know of a system, and a client of it whose waits and sign-ins can be looked at.

How a vendor is started and written to does not belong here: each has a module of its own in systems/.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Protocol

from kolleno_pipelines.connectors.contract import Connector, Extract, Pass, Record, RecordSource, Window
from kolleno_pipelines.connectors.http import Classify, HttpClient, Retries, Timing
from kolleno_pipelines.connectors.rate_limits import LimitHeaders
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.vendor_server import VendorServer

HERE = Path(__file__).parent
FIXTURES = HERE / "fixtures"
ATTEMPTS = 3

#: Extract -> its payloads, amounts exact.
Payloads = Mapping[str, list[dict[str, Any]]]


class Vendor(Protocol):
    """A simulated vendor that runs, with a book of cases that is to be read whole.

    api: how the paths of its API begin, and those of its sign-in do not. page_size: the connector's constant that says
    how many objects a page has. written: the extract that `write` writes to; it is read page by page.
    """

    api: ClassVar[str]
    page_size: ClassVar[str]
    written: ClassVar[str]
    limit_headers: ClassVar[LimitHeaders]
    server: VendorServer
    clock: VendorClock

    def classify(self) -> Classify:
        """What the connector says of an answer."""
        ...

    def sign_in(self) -> str:
        """A new Authorization header."""
        ...

    def expire(self) -> None:
        """End every sign-in."""
        ...

    def source(self, http: HttpClient) -> RecordSource:
        """The connector's client of this account."""
        ...

    def write(self, at: datetime) -> str:
        """A new object that is open, and its id. Moments rise from write to write."""
        ...

    def change(self, source_id: str, at: datetime) -> None:
        """Change what was written, so that the vendor tells of it; its amounts stay."""
        ...

    def delete(self, source_id: str, at: datetime) -> None:
        """Delete what was written, the vendor's way."""
        ...

    def totals(self, payloads: Payloads) -> dict[str, Decimal]:
        """What posted documents come to by the vendor's own payloads: `invoices.amount`, `invoices.balance_open`."""
        ...


def serve(system: str) -> AbstractContextManager[Vendor]:
    """Start the simulated vendor of a system. ModuleNotFoundError: nobody wrote tests/contract/systems/<system>.py."""
    served: AbstractContextManager[Vendor] = import_module(f"tests.contract.systems.{system}").serve()
    return served


class Client:
    """A client of a vendor that never sleeps. waits: seconds that it would have; sign_ins: what it was let in by."""

    def __init__(self, vendor: Vendor) -> None:
        self.waits: list[float] = []
        self.sign_ins = [vendor.sign_in()]
        self._vendor = vendor
        self.http = HttpClient(
            "contract",
            vendor.server.url,
            classify=vendor.classify(),
            authorise=self._authorise,
            limit_headers=vendor.limit_headers,
            retries=Retries(attempts=ATTEMPTS),
            timing=Timing(sleep=self.waits.append, draw=lambda: 0.0),
        )
        self.source = vendor.source(self.http)

    def _authorise(self, rejected: str | None) -> str:
        if rejected is not None:
            self.sign_ins.append(self._vendor.sign_in())
        return self.sign_ins[-1]

    def read(self, extract: Extract, after: datetime | None = None, until: datetime | None = None) -> list[Record]:
        """What changed of an extract in a window; all of it up to now, unless told."""
        window = Window(Pass.CHANGES, after, until or self._vendor.clock.now)
        return list(self.source.records(extract, window))

    def read_whole(self, connector: Connector) -> dict[str, list[Record]]:
        """Everything of every extract."""
        found: dict[str, list[Record]] = {}
        for extract in connector.extracts:
            on = extract.hangs_on
            ids = tuple(record.source_id for record in found[on]) if on else ()
            pass_ = Pass.LOOKUP if on else Pass.CHANGES if Pass.CHANGES in extract.passes else Pass.SWEEP
            window = Window(pass_, None, self._vendor.clock.now, ids)
            found[extract.name] = list(self.source.records(extract, window))
        return found


@contextmanager
def client_of(vendor: Vendor) -> Iterator[Client]:
    """A client that is closed at the end of the block."""
    client = Client(vendor)
    with client.http:
        yield client


def parsed(records: list[Record]) -> list[dict[str, Any]]:
    """Payloads with exact numbers, read by nothing of the connector's."""
    return [json.loads(record.payload, parse_float=Decimal) for record in records]


def write_some(vendor: Vendor, number: int, *, apart: timedelta) -> list[str]:
    """Write objects so far apart, from the vendor's now, and leave its clock a minute after the last one."""
    begin = vendor.clock.now
    made = [vendor.write(begin + place * apart) for place in range(number)]
    vendor.clock.set(begin + number * apart + timedelta(minutes=1))
    return made
