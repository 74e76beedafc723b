"""Payloads of QuickBooks from the archive to committed rows: time and memory. Nothing is asked of a vendor."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from benchmarks.lines import Line, middle
from benchmarks.memory_watch import watched
from benchmarks.site import Site
from kolleno_pipelines.connectors.contract import Pass
from kolleno_pipelines.connectors.quickbooks.connector import QUICKBOOKS
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.normalise import fold, normalise_pending
from kolleno_pipelines.storage import embedded, extracts
from kolleno_pipelines.storage.extracts import Landed

INVOICES, CUSTOMERS = 60_000, 1_000
PAYLOADS = INVOICES + INVOICES // 2 + CUSTOMERS + 1
PER_SECOND = 15_000
_PART = 5_000
_STAMP = "2026-02-18T13:13:33-08:00"
_OBSERVED = datetime(2026, 2, 19, tzinfo=UTC)
Payload = dict[str, Any]


def measure(site: Site, repeats: int) -> list[Line]:
    """60,000 invoices of 2.2 kB, 30,000 payments and 1,000 customers in parts of 5,000, all new."""
    seconds, notes, memory = [], "", []
    for _ in range(repeats):
        deployment = site.begin_afresh()
        _land(deployment)
        with watched(os.getpid(), embedded.status(site.home).pid or 0) as peak:
            began = time.perf_counter()
            normalise_pending(deployment, "bench", QUICKBOOKS)
            normalised = time.perf_counter()
            report = fold(deployment, "bench")
            ended = time.perf_counter()
        rows = sum(changes.new for changes in report.entities.values())
        assert report.entities["invoices"].new == INVOICES, report
        seconds.append(ended - began)
        memory.append(peak.tree / 1e6)
        notes = (
            f"normalise {normalised - began:.1f}, fold {ended - normalised:.1f}; {PAYLOADS / seconds[-1]:,.0f} payloads"
            f" and {rows / seconds[-1]:,.0f} rows a second"
        )
    return [
        Line("payload_rows", middle(seconds), "s", PAYLOADS / PER_SECOND, notes),
        Line("payload_rows_memory", middle(memory), "MB", note="this process, all of the above"),
    ]


def _land(deployment: Deployment) -> None:
    for name, payloads in _company():
        part: list[Payload] = []
        for payload in payloads:
            part.append(payload)
            if len(part) == _PART:
                _put(deployment, name, part)
                part = []
        _put(deployment, name, part)


def _put(deployment: Deployment, extract: str, part: list[Payload]) -> None:
    if not part:
        return
    with deployment.archive.writer() as writer:
        for payload in part:
            writer.write(json.dumps(payload).encode() + b"\n")
    digest = writer.close()
    landed = Landed(
        connection="bench",
        extract=extract,
        pass_=Pass.CHANGES.value,
        partition_day=_OBSERVED.date(),
        observed_at=_OBSERVED,
        sha256=digest.sha256,
        size=digest.size,
        records=len(part),
    )
    with deployment.transaction() as conn:
        extracts.note_landed(conn, landed)


def _company() -> Iterator[tuple[str, Iterator[Payload]]]:
    yield "preferences", iter([_stamped(1, CurrencyPrefs={"HomeCurrency": {"value": "USD"}})])
    phone = {"FreeFormNumber": "+1 555 0100"}
    yield (
        "customers",
        (
            _stamped(number, DisplayName=f"Customer {number}", Active=True, Balance=0, PrimaryPhone=phone)
            for number in range(CUSTOMERS)
        ),
    )
    yield "invoices", (_invoice(number) for number in range(INVOICES))
    yield "payments", (_payment(number) for number in range(INVOICES // 2))


def _stamped(number: int, **fields: Any) -> Payload:
    times = {"CreateTime": _STAMP, "LastUpdatedTime": _STAMP}
    return {"Id": str(number), "SyncToken": "0", "MetaData": times, **fields}


def _invoice(number: int) -> Payload:
    sold = {"ItemRef": {"value": "1", "name": "Services"}, "UnitPrice": 10.5, "Qty": 1, "TaxCodeRef": {"value": "NON"}}
    line = {"Description": "x" * 120, "Amount": 10.5, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": sold}
    return _stamped(
        number,
        CustomerRef={"value": str(number % CUSTOMERS), "name": "Customer"},
        DocNumber=f"INV{number}",
        TxnDate="2026-01-10",
        DueDate="2026-02-10",
        TotalAmt=100.25,
        Balance=40.25 if number % 2 == 0 else 100.25,
        Line=[{"Id": str(place), "LineNum": place, **line} for place in range(1, 6)],
        CurrencyRef={"value": "USD", "name": "United States Dollar"},
        BillEmail={"Address": "ada@example.com"},
        EmailStatus="NotSet",
        TxnTaxDetail={"TotalTax": 0},
    )


def _payment(number: int) -> Payload:
    invoice = str(number * 2)
    return _stamped(
        number,
        CustomerRef={"value": str(number * 2 % CUSTOMERS), "name": "Customer"},
        TxnDate="2026-01-20",
        TotalAmt=60,
        UnappliedAmt=0,
        Line=[{"Amount": 60, "LinkedTxn": [{"TxnId": invoice, "TxnType": "Invoice"}]}],
    )
