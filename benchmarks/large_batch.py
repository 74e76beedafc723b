"""A batch of a million invoices: how long it takes against a bare COPY, and how much memory. No small batches."""

from __future__ import annotations

import functools
import json
import time
from datetime import timedelta
from pathlib import Path

from benchmarks.lines import Line, middle
from benchmarks.memory_watch import Peak, watched
from benchmarks.site import Site
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.fold import fold
from kolleno_pipelines.pipeline.ingest import ingest
from kolleno_pipelines.pipeline.load import load
from kolleno_pipelines.pipeline.take import take
from kolleno_pipelines.sandbox import bulk
from kolleno_pipelines.sandbox.bulk import BulkDrop
from kolleno_pipelines.schemas.sftp_tables import TableName
from kolleno_pipelines.storage import embedded

ROWS, MORE_ROWS, CUSTOMERS = 1_000_000, 5_000_000, 50_000
MOST_BYTES = 1_000.0  # MB
Stages = tuple[float, float, float]

_YARDSTICK = """
DROP SCHEMA IF EXISTS yardstick CASCADE;
CREATE SCHEMA yardstick;
CREATE TABLE yardstick.invoices (
    id text PRIMARY KEY, customer_id text NOT NULL, ref text NOT NULL, amount numeric(20,6) NOT NULL,
    balance numeric(20,6) NOT NULL, currency_iso text NOT NULL, date_issued date NOT NULL, date_due date
)"""
_SECONDARY = """
SELECT count(*) FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
WHERE t.oid = 'receivables.invoices'::regclass AND NOT i.indisprimary"""


@functools.cache
def made(site: Site, rows: int) -> tuple[BulkDrop, BulkDrop]:
    """Write the customers and `rows` invoices, once."""
    return bulk.write_bulk(site.made / str(rows), rows, CUSTOMERS)


def invoices_file(drop: BulkDrop) -> Path:
    """Return the file that holds the rows."""
    return drop.paths[TableName.INVOICES]


def measure_times(site: Site, repeats: int) -> list[Line]:
    """Time a batch of new rows and the same rows again, beside the yardstick, each time in an empty database."""
    customers, invoices = made(site, ROWS)
    bare: list[float] = []
    new: list[Stages] = []
    for _ in range(repeats):
        deployment = site.begin_afresh()
        site.put(list(customers.paths.values()))
        ingest(deployment, deployment.sftp)
        bare.append(_bare_copy(deployment, invoices_file(invoices)))
        site.put(list(invoices.paths.values()))
        new.append(_timed(deployment, new_rows=ROWS))
    same: list[Stages] = []
    for number in range(repeats):
        again = bulk.write_invoices(
            site.drop, ROWS, CUSTOMERS, name_time=invoices.name_time + timedelta(days=number + 1)
        )
        same.append(_timed(deployment, new_rows=0))
        for path in again.paths.values():
            path.unlink()
    with deployment.session() as session:
        row = session.execute(_SECONDARY).fetchone()
    indexes = int(row[0]) if row else 0
    unit = middle(bare)
    return [
        Line("bare_copy", unit, "s", note="the yardstick"),
        _times("new_rows", new, unit, 4.0 if indexes else 3.0, f", {indexes} secondary indexes"),
        _times("unchanged_rows", same, unit, 2.0),
    ]


def _bare_copy(deployment: Deployment, file: Path) -> float:
    with deployment.session() as session:
        session.execute(_YARDSTICK)
        began = time.perf_counter()
        with file.open("rb") as source:
            header = source.readline().decode().strip()
            source.seek(0)
            with (
                session.cursor() as cursor,
                cursor.copy(f"COPY yardstick.invoices ({header}) FROM STDIN (FORMAT csv, HEADER)") as copy,
            ):
                while block := source.read(1 << 20):
                    copy.write(block)
        seconds = time.perf_counter() - began
        session.execute("DROP SCHEMA yardstick CASCADE")
    return seconds


def _timed(deployment: Deployment, *, new_rows: int) -> Stages:
    """Time taking, loading and folding what lies in the drop folder."""
    moments = [time.perf_counter()]
    taken = take(deployment, deployment.sftp)
    moments.append(time.perf_counter())
    loaded = load(deployment, deployment.sftp)
    moments.append(time.perf_counter())
    folded = fold(deployment, deployment.sftp)
    moments.append(time.perf_counter())
    assert len(taken.names) == len(loaded.loaded) == len(TableName), (taken, loaded)
    assert folded.entities["invoices"].new == new_rows, folded
    return moments[1] - moments[0], moments[2] - moments[1], moments[3] - moments[2]


def _times(name: str, runs: list[Stages], unit: float, target: float, more: str = "") -> Line:
    seconds = middle(map(sum, runs))
    take_, load_, fold_ = (middle(run[place] for run in runs) for place in range(3))
    note = f"{seconds:.2f} s: take {take_:.2f}, load {load_:.2f}, fold {fold_:.2f}{more}"
    return Line(name, seconds / unit, "x bare COPY", target, note)


@functools.cache
def _peaks(site: Site, rows: int, repeats: int) -> tuple[list[Peak], list[float]]:
    """Run the whole Dagster job for a batch of `rows` invoices in a child and watch its memory."""
    customers, invoices = made(site, rows)
    day = invoices.name_time.date().isoformat()
    peaks, seconds = [], []
    for _ in range(repeats):
        deployment = site.begin_afresh()
        from kolleno_pipelines.pipeline.instance import write_instance

        write_instance(site.settings)
        site.put(list(customers.paths.values()))
        ingest(deployment, deployment.sftp)
        site.put(list(invoices.paths.values()))
        postgres = embedded.status(site.home).pid or 0
        launch = ("-m", "kolleno_pipelines.automation.launch", "--job", "sftp", "--no-reload")
        child = site.start_child(*launch, "--from", day, "--to", day)
        with watched(child.pid, postgres) as peak:
            said, _ = child.communicate()
        site.expect_success(child)
        with deployment.session() as session:
            counted = session.execute("SELECT count(*) FROM receivables.invoices").fetchone()
        assert counted == (rows,), counted
        peaks.append(peak)
        seconds.append(json.loads(said.strip().splitlines()[-1])["seconds"])
    return peaks, seconds


def _memory(site: Site, rows: int, repeats: int, name: str) -> list[Line]:
    peaks, seconds = _peaks(site, rows, repeats)
    samples = sum(peak.samples for peak in peaks)
    note = f"the whole Dagster run, reconciliation included: {middle(seconds):.1f} s; {samples} samples"
    return [
        Line(f"memory_{name}", middle(peak.tree / 1e6 for peak in peaks), "MB", MOST_BYTES, note),
        Line(f"memory_{name}_postgres", middle(peak.postgres / 1e6 for peak in peaks), "MB", note="shared memory once"),
    ]


def measure_memory(site: Site, repeats: int) -> list[Line]:
    """Peak memory of a run with 1,000,000 rows."""
    return _memory(site, ROWS, repeats, "1m")


def measure_more_memory(site: Site, repeats: int) -> list[Line]:
    """Peak memory of a run with 5,000,000 rows, and how it compares with that of 1,000,000."""
    lines = _memory(site, MORE_ROWS, repeats, "5m")
    growth = lines[0].value / measure_memory(site, repeats)[0].value
    return [*lines, Line("memory_growth", growth, "x at 5x rows", 1.3)]


def measure_check(site: Site, repeats: int) -> list[Line]:
    """Time `kolleno check` of the file with a million rows, process start included."""
    file = invoices_file(made(site, ROWS)[1])
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        report = json.loads(site.run_child("-m", "kolleno_pipelines.cli", "check", str(file), "--json"))
        seconds.append(time.perf_counter() - began)
        assert report["files"][0]["rows_accepted"] == ROWS, report
    return [Line("check_1m", middle(seconds), "s", 10.0, "process start included")]
