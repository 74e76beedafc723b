"""The faulty files: a case for each code, files that show the fault they claim, on the line they claim."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path

import pytest

from kolleno_pipelines.sandbox.fault_kit import Kit, lines_of
from kolleno_pipelines.sandbox.faults import DROP_FOLDER, FaultCase, cases, showcase
from kolleno_pipelines.schemas.codes import Code, Level, level_of
from kolleno_pipelines.schemas.sftp_tables import TABLES, TableName

ALL = cases()


def _table(name: str) -> TableName | None:
    return next((table for table in TableName if name.startswith(f"{table.value}_2")), None)


def test_every_code_has_a_case() -> None:
    assert {case.code for case in ALL} == set(Code)
    assert all(case.code in {found.code for found in case.expected} for case in ALL)
    assert cases() == ALL
    assert len({case.title for case in ALL}) == len(ALL)


@pytest.mark.parametrize("case", ALL, ids=lambda case: f"{case.code.value}: {case.title}")
def test_each_finding_names_a_file_of_the_case_and_a_line_of_it(case: FaultCase) -> None:
    contents = {file.name: file.content for file in case.files}
    for found in case.expected:
        if found.level is Level.FINDING:
            assert found.file is None
            assert found.kind
            assert found.source_id
            continue
        assert found.file in contents
        if found.line is not None:
            lines = contents[found.file].decode("latin-1").splitlines(keepends=True)
            assert 1 <= found.line <= len(lines)
        if found.column is not None and found.level is not Level.FAILED:
            table = _table(found.file)
            assert table is not None
            assert found.column in TABLES[table].by_header
    batch_sizes = {len(upload) for upload in case.uploads}
    assert batch_sizes <= {1, 7}
    assert (batch_sizes == {1}) == (level_of(case.code) is Level.NOTICE and case.code is not Code.DUPLICATE_CONTENT)


@pytest.mark.parametrize(
    "case",
    [case for case in ALL if level_of(case.code) in {Level.REJECTED, Level.WARNING, Level.PARKED}],
    ids=lambda case: f"{case.code.value}: {case.title}",
)
def test_a_row_finding_names_the_physical_line_where_the_faulty_record_begins(case: FaultCase) -> None:
    """Read the file with a reader of its own: the record on that line is a faulty one, those before it are good."""
    contents = {file.name: file.content for file in case.files}
    for found in case.expected:
        if found.file is None:
            continue
        text = contents[found.file].decode("utf-8-sig")
        stream = io.StringIO(text, newline="")
        begins, records = [], []
        reader = csv.reader(stream, strict=True)
        before = 0
        for record in reader:
            begins.append(before + 1)
            records.append(record)
            before = reader.line_num
        assert found.line in begins
        record = records[begins.index(found.line)]
        assert "F" in record[0] or len(record[0]) == 300
        if found.column:
            assert found.column in records[0]
        else:
            assert found.code in {Code.RAGGED_ROW, Code.SUPERSEDED, Code.NEWER_PARKED}


def test_lines_are_physical_after_quoted_newlines() -> None:
    kit = Kit(3, date(2026, 5, 1))
    rows = kit.rows[TableName.INVOICES]
    columns = kit.columns(TableName.INVOICES)
    assert lines_of(columns, rows) == [2, 5]
    decimals = next(case for case in ALL if case.code is Code.BAD_DECIMAL)
    assert [found.line for found in decimals.expected] == [6, 7, 8, 9, 10, 11, 12]


def test_cases_share_no_name_and_no_id() -> None:
    names = [file.name for case in ALL for file in case.uploads[0]]
    assert len(set(names)) == len(names)
    ids = [
        {line.split(",")[0] for line in file.content.decode("latin-1").splitlines() if line.startswith("F")}
        for case in ALL
        for file in case.uploads[0]
        if (table := _table(file.name)) and not TABLES[table].is_link
    ]
    prefixes = [{each[:4] for each in group} for group in ids if group]
    assert all(len(group) == 1 for group in prefixes)


def test_write_puts_a_file_into_its_folder(tmp_path: Path) -> None:
    misplaced = next(case for case in ALL if case.code is Code.WRONG_FOLDER)
    (path,) = misplaced.write(tmp_path)
    assert path.parent == tmp_path
    twice = next(case for case in ALL if case.code is Code.DUPLICATE_CONTENT)
    first = twice.write(tmp_path)
    assert {each.parent for each in first} == {tmp_path / DROP_FOLDER}
    assert twice.write(tmp_path, 1) == first[:1]


def test_nothing_of_the_showcase_can_load() -> None:
    shown = showcase(date(2026, 3, 1))
    assert {found.level for case in shown for found in case.expected} == {
        Level.NOTICE, Level.REJECTED, Level.PARKED, Level.FAILED,
    }  # fmt: skip
    for case in shown:
        faulty = {(found.file, found.line) for found in case.expected}
        for file in case.files:
            if level_of(case.code) in {Level.REJECTED, Level.PARKED}:
                lines = file.content.decode().splitlines()
                assert {(file.name, number) for number in range(2, len(lines) + 1)} <= faulty
