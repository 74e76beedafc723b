"""Reading the simulated Xero in tests: windows, records, the sandbox with every case."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest

from kolleno_pipelines.connectors.contract import Pass, Record, Window
from kolleno_pipelines.connectors.xero.connector import XERO
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.vendor_limits import VendorLimits
from kolleno_pipelines.sandbox.xero.cases import Case, book_of_cases
from kolleno_pipelines.sandbox.xero.server import SandboxXero
from tests.xero_client import AT, NOW
from tests.xero_site import source_of

API = "/api.xro/2.0"

INVOICES = XERO.extract("invoices")


@pytest.fixture
def cases() -> Iterator[tuple[SandboxXero, dict[str, Case]]]:
    book, made = book_of_cases(AT)
    with SandboxXero(book, clock=VendorClock(NOW), limits=VendorLimits()) as xero:
        yield xero, made


def changes(after: datetime | None = None, until: datetime = NOW) -> Window:
    return Window(Pass.CHANGES, after, until)


def read(xero: SandboxXero, name: str, window: Window) -> list[Record]:
    return list(source_of(xero).records(XERO.extract(name), window))
