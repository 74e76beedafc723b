"""Every faulty file of the sandbox through the whole pipeline, each in a connection of its own; and a huge one."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from kolleno_pipelines.pipeline.reconcile import reconcile_present
from kolleno_pipelines.sandbox import drops, faults
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.fault_kit import ExpectedFinding, FaultCase
from kolleno_pipelines.schemas.codes import Code, Level
from kolleno_pipelines.schemas.sftp_tables import TABLES, TableName
from tests.faults.conftest import MakeWorld
from tests.faults.worlds import DAY, OLD, World, csv_of, customer

CASES = faults.cases()
#: About a record, not about a cell: the case names no column.
_NO_COLUMN = {Code.SUPERSEDED, Code.NEWER_PARKED, Code.RAGGED_ROW}
_MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def shared(make_world: MakeWorld) -> World:
    return make_world()


def _id(case: FaultCase) -> str:
    return f"{case.code}: {case.title}".replace(" ", "_")


@pytest.mark.parametrize("number", range(len(CASES)), ids=[_id(case) for case in CASES])
def test_a_faulty_case_brings_exactly_its_findings(shared: World, tmp_path: Path, number: int) -> None:
    case = CASES[number]
    size = {"max_file_bytes": str(case.max_file_bytes)} if case.max_file_bytes else {}
    world = World(tmp_path, shared.database_url, size, f"case_{number}")
    for upload in range(len(case.uploads)):
        for path in case.write(world.root, upload):
            os.utime(path, (time.time() - OLD + upload, time.time() - OLD + upload))
        world.ingest()
    found = set(_findings(world))
    assert found == {_comparable(finding) for finding in case.expected}
    assert _is_told(world, case), "an operator reads the reason"


def _comparable(finding: ExpectedFinding) -> ExpectedFinding:
    column = None if finding.code in _NO_COLUMN else finding.column
    return ExpectedFinding(finding.code, finding.file, finding.line, column, finding.kind, finding.source_id)


def _findings(world: World) -> list[ExpectedFinding]:
    rows = world.query(
        "SELECT g.code, f.name, g.line, g.column_name FROM raw.findings g JOIN raw.files f ON f.id = g.file_id"
        " WHERE f.connection = %s UNION ALL"
        " SELECT g ->> 'code', f.name, r.line, g ->> 'column' FROM sftp_csv.rejected_rows r"
        " JOIN raw.files f ON f.id = r.file_id CROSS JOIN jsonb_array_elements(r.findings) g"
        " WHERE f.connection = %s",
        world.name,
        world.name,
    )
    found = [_of_file(*row) for row in rows]
    parked = world.query(
        "SELECT p.code, f.name, p.line, p.table_name, p.parent_table FROM sftp_csv.parked_rows p"
        " JOIN raw.files f ON f.id = p.file_id WHERE p.connection = %s",
        world.name,
    )
    for code, name, line, table, parent in parked:
        (column,) = [r.field for r in TABLES[TableName(str(table))].references if r.table == parent]
        found.append(_of_file(code, name, line, column))
    state = world.query(
        "SELECT kind, left_kind, left_source_id FROM reconciliation.differences WHERE connection = %s AND cause"
        " IS DISTINCT FROM 'parked'",
        world.name,
    )
    found += [ExpectedFinding(Code(str(k)), kind=str(kind), source_id=str(source)) for k, kind, source in state]
    return found


def _of_file(code: object, name: object, line: object, column: object) -> ExpectedFinding:
    shown = None if column is None or Code(str(code)) in _NO_COLUMN else str(column)
    return ExpectedFinding(Code(str(code)), str(name), None if line is None else int(str(line)), shown)


def _is_told(world: World, case: FaultCase) -> bool:
    """Whether every message of the case's findings is a sentence without control characters."""
    messages = world.query(
        "SELECT g.message FROM raw.findings g JOIN raw.files f ON f.id = g.file_id WHERE f.connection = %s"
        " UNION ALL SELECT g ->> 'message' FROM sftp_csv.rejected_rows r JOIN raw.files f ON f.id = r.file_id"
        " CROSS JOIN jsonb_array_elements(r.findings) g WHERE f.connection = %s",
        world.name,
        world.name,
    )
    needed = any(e.level in {Level.FAILED, Level.REJECTED, Level.WARNING, Level.NOTICE} for e in case.expected)
    needed = needed and case.code is not Code.DUPLICATE_CONTENT
    return bool(messages) >= needed and all(len(str(m)) > 15 and str(m).isprintable() for (m,) in messages)


def test_every_code_has_a_case() -> None:
    assert {finding.code for case in CASES for finding in case.expected} == set(Code)


def test_nothing_of_the_results_differs_when_computed_again(shared: World, tmp_path: Path) -> None:
    """After all cases: the present state computed once more changes nothing."""
    world = World(tmp_path, shared.database_url, name="case_0")
    deployment = world.deployment
    reconcile_present(deployment.database_url, deployment.connections, _today())
    before = world.digest()
    reconcile_present(deployment.database_url, deployment.connections, _today())
    assert world.digest() == before


def test_files_that_were_damaged_at_random_never_stop_a_run(world: World, company: Company) -> None:
    """Bits flipped, pieces lost or doubled, odd characters put in: each file gets its verdict, all else goes on."""
    rng = random.Random(12)
    odd = (
        b'"',
        b'""',
        b"\r",
        b"\n",
        b"\r\n",
        b",",
        b"\x00",
        b"\xff",
        b"\n\\.\n",
        "\u2028".encode(),
        b"'",
        b"\\N",
        "\ufeff".encode(),
    )
    baseline = next(drops.arrivals(company))
    names = []
    for number in range(120):
        table = list(TableName)[number % 7]
        content = bytearray(baseline.content_of(table))
        for _ in range(rng.choice((1, 1, 2, 8))):
            place, length = rng.randrange(len(content)), rng.randrange(1, 40)
            harm = rng.randrange(4)
            if harm == 0:
                content[place] ^= 1 << rng.randrange(8)
            elif harm == 1:
                del content[place : place + length]
            elif harm == 2:
                content[place:place] = rng.choice(odd)
            else:
                content[place:place] = content[place : place + length]
        names.append(drops.file_name(table, DAY, fix=number + 1))
        world.put(names[-1], bytes(content))
    world.put_batch(customers=[customer("SAFE")])
    done = world.ingest()
    assert "SAFE" in world.column("customers", "name")
    verdicts = world.query(
        "SELECT status, rows_read, rows_accepted, rows_rejected, message FROM raw.files WHERE name = ANY(%s)", names
    )
    assert len(verdicts) == 120
    told = {"failed": 0, "processed": 0, "processed_with_rejects": 0}
    for status, read, accepted, rejected, message in verdicts:
        told[str(status)] += 1
        if status == "failed":
            assert len(str(message)) > 15
            assert str(message).isprintable()
        else:
            assert read == int(str(accepted)) + int(str(rejected))
    assert min(told.values()) > 5, told
    kept = sum(world.rows_kept().values())
    assert kept == world.value("SELECT sum(rows_accepted) FROM raw.files WHERE is_loaded")
    assert len(done.ingested.loaded.failed) == told["failed"]
    assert world.ingest().ingested.folded.is_empty


def _today():  # type: ignore[no-untyped-def]
    from datetime import UTC, datetime

    return datetime.now(UTC).date()


@pytest.mark.parametrize("place", [pytest.param("near the end", marks=pytest.mark.nightly), "early"])
def test_two_hundred_megabytes_with_one_quote_unclosed(world: World, place: str) -> None:
    names = world.put_batch(customers=[customer("C1")])
    path = world.drop / names[TableName.INVOICES]
    header = csv_of(TableName.INVOICES, []).replace(b"\n", b",description\n")
    row = "{0:09d},C1,INV-{0},100.00,100.00,USD,2026-03-01,2026-03-31,goods sold and delivered {1}\n"
    with path.open("wb") as file:
        file.write(header)
        line, written, bad_line = 1, len(header), 0
        while written < 200 * _MEGABYTE:
            block = "".join(row.format(number, "x" * 30) for number in range(line, line + 20_000))
            due = written > 180 * _MEGABYTE or place == "early"
            if due and not bad_line:
                bad_line = line + 1 + 7
                whole = row.format(line + 7, "x" * 30)
                block = block.replace(whole, whole.replace("goods", '"goods'))
            written += file.write(block.encode())
            line += 20_000
    os.utime(path, (time.time() - OLD, time.time() - OLD))

    process = world.start("ingest")
    out, err = process.stdout, process.stderr
    assert out is not None
    assert err is not None
    said, told = out.read(), err.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    out.close()
    err.close()
    assert process.returncode == 1, told
    assert "Traceback" not in told
    assert names[TableName.INVOICES] in said
    assert f"line {bad_line:,}" in said or f"line {bad_line}" in said, said
    assert used.ru_maxrss < 1024 * 1024, "kilobytes: a gigabyte at most"
    assert used.ru_utime + used.ru_stime < 30, "seconds of our own work"
    assert world.column("customers", "name") == {}
    assert set(world.rows_kept().values()) == {0}
    assert world.batches() == {"20260302T060000": "failed"}
