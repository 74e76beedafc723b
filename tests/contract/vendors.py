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
from kolleno_pipelines.connectors.registry import CONNECTORS
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.vendor_server import VendorServer
from tests.record_payloads import Row

HERE = Path(__file__).parent
FIXTURES = HERE / "fixtures"
ATTEMPTS = 3

#: Systems that are read from a folder: nothing is asked, so that tests of requests have nothing to look at.
OF_FOLDERS = frozenset({"bank_files"})
ASKED = tuple(system for system in CONNECTORS if system not in OF_FOLDERS)

#: Extract -> its payloads, amounts exact.
Payloads = Mapping[str, list[dict[str, Any]]]


class Vendor(Protocol):
    """A simulated vendor that runs, with a book of cases that is to be read whole.

    api: how the paths of its API begin, and those of its sign-in do not. page_size: the connector's constant that says
    how many objects a page has. written: the extract that `write` writes to, and the entity that it becomes; it is read
    page by page. told_by: the extract in whose windows a change shows: `written`, unless a changed object keeps its
    moment, and with it its place in the list. counted: entities whose amounts `totals` states. covers: two of these
    totals, of which the first is more than the second, and that more than 0. quiet: for so long nothing happens at the
    vendor by itself. by_each_reading: entities to which every reading adds.
    """

    api: ClassVar[str]
    page_size: ClassVar[str]
    written: ClassVar[str]
    told_by: ClassVar[str]
    counted: ClassVar[tuple[str, ...]]
    covers: ClassVar[tuple[str, str]]
    quiet: ClassVar[timedelta]
    by_each_reading: ClassVar[frozenset[str]]
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

    def changed_in(self, payload: dict[str, Any]) -> str:
        """The id of the object of `written` that a payload of `told_by` tells of."""
        ...

    def is_open(self, row: Row) -> bool:
        """Whether a row of `written` says that it counts, and is not done with."""
        ...

    def is_gone(self, row: Row) -> bool:
        """Whether a row of `written` says that it was deleted, and counts no more."""
        ...

    def counts(self, row: Row) -> bool:
        """Whether a row of `counted` is in the totals."""
        ...

    def asked_for(self, extract: str, payloads: Payloads) -> tuple[str, ...]:
        """The ids by which an extract is read that has neither windows nor sweeps, by what was read before."""
        ...

    def totals(self, payloads: Payloads) -> dict[str, Decimal]:
        """What counts by the vendor's own payloads: `invoices.amount`, `invoices.balance_open`."""
        ...


class OfDocuments:
    """A vendor of documents that have a status and a balance, whose lists are by the moment of the last change."""

    written: ClassVar[str] = "invoices"
    told_by: ClassVar[str] = "invoices"
    counted: ClassVar[tuple[str, ...]] = ("invoices", "credit_notes", "payments", "journals", "refunds_erp")
    covers: ClassVar[tuple[str, str]] = ("invoices.amount", "invoices.balance_open")
    quiet: ClassVar[timedelta] = timedelta(days=2)
    by_each_reading: ClassVar[frozenset[str]] = frozenset()
    #: The field of a payload that is its id.
    id_field: ClassVar[str]

    def changed_in(self, payload: dict[str, Any]) -> str:
        return str(payload[self.id_field])

    def is_open(self, row: Row) -> bool:
        return bool(row["posting_status"] == "posted" and row["balance_open"] > 0)

    def is_gone(self, row: Row) -> bool:
        return bool(row["posting_status"] in {"deleted", "voided"} and row["balance_open"] == 0)

    def counts(self, row: Row) -> bool:
        return bool(row["posting_status"] == "posted")

    def asked_for(self, extract: str, _payloads: Payloads) -> tuple[str, ...]:
        raise LookupError(f"{extract} has neither windows nor sweeps.")


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
            on, ids = extract.hangs_on, tuple[str, ...]()
            if on:
                ids = tuple(record.source_id for record in found[on])
            elif extract.passes == {Pass.LOOKUP}:
                ids = self._vendor.asked_for(extract.name, {name: parsed(records) for name, records in found.items()})
            pass_ = Pass.LOOKUP if ids else Pass.CHANGES if Pass.CHANGES in extract.passes else Pass.SWEEP
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
