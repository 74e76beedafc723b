"""What the sandbox promises against what the product's landing finds, file by file: no database, no server."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest

from kolleno_pipelines.connectors.sftp.landing import LandingOptions, land
from kolleno_pipelines.connectors.sftp.names import classify
from kolleno_pipelines.sandbox import drops
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.fault_kit import FaultCase, FaultFile
from kolleno_pipelines.sandbox.faults import cases
from kolleno_pipelines.schemas.codes import Code, Level
from kolleno_pipelines.schemas.findings import FileFailed, Finding
from kolleno_pipelines.schemas.sftp_tables import TABLES

NOW, FIRST_DAY = datetime(2026, 12, 1, tzinfo=UTC), date(2020, 1, 1)
# These compare with what was taken before, or with other folders.
OUT_OF_SIGHT = {Code.DUPLICATE_CONTENT, Code.WRONG_FOLDER, Code.SUPERSEDED, Code.NEWER_PARKED}


def _findings(file: FaultFile, options: LandingOptions) -> Iterator[Finding]:
    classified = classify(file.name, now=NOW, first_day=FIRST_DAY)
    if classified.finding is not None or classified.file is None:
        if classified.finding is not None:
            yield classified.finding
        return
    try:
        landing = land(lambda: io.BytesIO(file.content), TABLES[classified.file.type], options)
        for block in landing.blocks():
            yield from (finding for row in block.rejected for finding in row.findings)
            yield from block.warnings
        yield from (finding for row in landing.duplicates() for finding in row.findings)
    except FileFailed as failed:
        yield from failed.findings


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.code.value}: {case.title}")
def test_landing_finds_exactly_what_the_case_promises(case: FaultCase) -> None:
    options = LandingOptions(max_file_bytes=case.max_file_bytes or 1 << 30)
    found = {
        (file.name, finding.line, finding.column, finding.code)
        for file in case.files
        for finding in _findings(file, options)
    }
    promised = {
        (each.file, each.line, each.column, each.code)
        for each in case.expected
        if each.level not in {Level.PARKED, Level.FINDING} and each.code not in OUT_OF_SIGHT
    }
    assert found == promised
    assert case.needs_state or found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_company_itself_sends_nothing_that_is_wrong(seed: int) -> None:
    company = Company.build(seed, customers=40, days=14)
    files = [FaultFile(name, content) for drop in drops.arrivals(company) for name, content in drop.files.items()]
    assert len(files) == 7 * len(company.batches)
    assert [(file.name, finding) for file in files for finding in _findings(file, LandingOptions())] == []
