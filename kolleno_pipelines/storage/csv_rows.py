"""Rows of the seven CSV tables in `sftp_csv`: COPY in, rejected rows beside them, withdrawal. No validation."""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.types.json import Jsonb

from kolleno_pipelines.schemas.sftp_tables import CsvTable
from kolleno_pipelines.storage import database, file_verdicts
from kolleno_pipelines.storage.failpoints import reach

if TYPE_CHECKING:
    import pyarrow as pa

KeptRow = tuple[int, list[str], list[dict[str, Any]]]


def copy_rows(
    conn: psycopg.Connection[Any],
    table: CsvTable,
    file_id: int,
    rows: Iterable[pa.RecordBatch],
    present: Collection[str] | None = None,
) -> int:
    """COPY typed rows of one file into `sftp_csv.<table>`; returns their number.

    `present` are the fields that the file has (all, when not given); the others are left out and stay null. Blocks are
    encoded in a second thread, so that parsing and the server's work overlap.
    """
    columns = ["file_id", "line", *_columns(table, table.fields if present is None else present)]
    statement = f"COPY sftp_csv.{table.name} ({', '.join(columns)}) FROM STDIN (FORMAT csv)"
    copied = 0
    with conn.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        for encoded, number in _ahead(_encoded(rows, columns, file_id)):
            copy.write(encoded)
            copied += number
            if copied:
                reach("mid_copy")
    return copied


def _columns(table: CsvTable, present: Collection[str]) -> list[str]:
    link = ["source_id"] if table.is_link else []
    return [*link, *(name for name in table.fields if name in present), "extra", "absent"]


def _encoded(rows: Iterable[pa.RecordBatch], columns: list[str], file_id: int) -> Iterator[tuple[bytes, int]]:
    # Looking at files needs no Arrow.
    import pyarrow as pa
    import pyarrow.csv

    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed")
    for batch in rows:
        if batch.num_rows:
            ids = pa.array([file_id], pa.int32()).take(pa.array([0] * batch.num_rows))
            arrays = [ids, *(batch.column(name) for name in columns[1:])]
            sink = io.BytesIO()
            pyarrow.csv.write_csv(pa.RecordBatch.from_arrays(arrays, names=columns), sink, options)
            yield sink.getvalue(), batch.num_rows


def _ahead(items: Iterator[tuple[bytes, int]]) -> Iterator[tuple[bytes, int]]:
    """Yield items while one thread already makes the next."""
    with ThreadPoolExecutor(max_workers=1) as maker:
        coming = maker.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = maker.submit(next, items, None)
            yield item


def add_rejected(conn: psycopg.Connection[Any], file_id: int, rows: Iterable[KeptRow]) -> int:
    """Keep rejected rows as (line, cells as sent, findings as JSON objects); returns their number."""
    number = 0
    with (
        conn.cursor() as cursor,
        cursor.copy("COPY sftp_csv.rejected_rows (file_id, line, cells, codes, findings) FROM STDIN") as copy,
    ):
        copy.set_types(["int4", "int4", "text[]", "text[]", "jsonb"])
        for line, cells, findings in rows:
            sent = [cell.replace("\x00", "\\0") for cell in cells]
            copy.write_row((file_id, line, sent, [f["code"] for f in findings], Jsonb(findings)))
            number += 1
    return number


def withdraw_lines(conn: psycopg.Connection[Any], table: CsvTable, file_id: int, lines: list[int]) -> None:
    """Take rows of a file out again that turned out to be duplicates."""
    conn.execute(f"DELETE FROM sftp_csv.{table.name} WHERE file_id = %s AND line = ANY(%s)".encode(), [file_id, lines])


def clear_file(conn: psycopg.Connection[Any], connection: str, table: CsvTable, file_id: int) -> None:
    """Withdraw all rows of a file and queue the records they named, so that the next fold folds them again."""
    conn.execute(
        (
            f"WITH gone AS (DELETE FROM sftp_csv.{table.name} WHERE file_id = %(file)s RETURNING source_id)"
            " INSERT INTO sftp_csv.ids_to_fold (connection, table_name, source_id)"
            " SELECT DISTINCT %(connection)s, %(table)s, source_id FROM gone"
        ).encode(),
        {"file": file_id, "connection": connection, "table": table.name.value},
    )
    clear_verdict(conn, file_id)


def clear_verdict(conn: psycopg.Connection[Any], file_id: int) -> None:
    """Remove what an earlier reading of a file kept beside its rows."""
    conn.execute("DELETE FROM sftp_csv.rejected_rows WHERE file_id = %s", [file_id])
    conn.execute("DELETE FROM sftp_csv.parked_rows WHERE file_id = %s", [file_id])
    file_verdicts.clear_findings(conn, file_id)


def sum_up(url: str, tables: Iterable[CsvTable]) -> None:
    """Bring the block ranges by file and by id up to date, so that a row is found without reading all newer ones.

    Autovacuum does it in its own time, which a long load cannot wait for. While it works, or where the tables are
    another role's, or the server cannot be reached, nothing is done: only speed is lost.
    """
    passing = (psycopg.OperationalError, psycopg.errors.InsufficientPrivilege)
    with suppress(*passing), database.connect(url) as conn:
        conn.execute("SET LOCAL lock_timeout = '50ms'")
        for table in tables:
            for index in (f"{table.name}_by_file", f"{table.name}_by_source_id"):
                conn.execute("SELECT brin_summarize_new_values(%s::regclass)", [f"sftp_csv.{index}"])


def queue_all(conn: psycopg.Connection[Any], connection: str, table: CsvTable) -> None:
    """Queue every record of a table, when a file is withdrawn that may have named any: its rows are past retention."""
    paying = table.link_fields[0].removesuffix("_id") if table.link_fields else None
    conn.execute(
        (
            "INSERT INTO sftp_csv.ids_to_fold (connection, table_name, source_id)"
            f" SELECT connection, %s, source_id FROM receivables.{'allocations' if paying else table.name}"
            f" WHERE connection = %s{' AND from_kind = %s' if paying else ''}"
        ).encode(),
        [table.name.value, connection, *([paying] if paying else [])],
    )


def prune(conn: psycopg.Connection[Any], connection: str, before: datetime) -> int:
    """Remove the accepted rows of folded files named earlier than `before`; returns the number of files.

    Files with parked rows keep theirs. The archive keeps the bytes, so nothing is lost.
    """
    files = conn.execute(
        "UPDATE raw.files f SET is_pruned = true WHERE connection = %s AND is_loaded AND is_folded AND NOT is_pruned"
        " AND name_time < %s AND NOT EXISTS (SELECT FROM sftp_csv.parked_rows p WHERE p.file_id = f.id)"
        " RETURNING id, type",
        [connection, before],
    ).fetchall()
    for type_ in {type_ for _, type_ in files}:
        ids = [file_id for file_id, of in files if of == type_]
        conn.execute(f"DELETE FROM sftp_csv.{type_} WHERE file_id = ANY(%s)".encode(), [ids])
    return len(files)


def rejected_rows(conn: psycopg.Connection[Any], file_id: int) -> Iterator[KeptRow]:
    """Yield (line, cells as sent, findings) of a file's rejected rows in order of line."""
    with conn.cursor(name="rejected_rows") as cursor:
        cursor.execute(
            "SELECT line, cells, findings FROM sftp_csv.rejected_rows WHERE file_id = %s ORDER BY line", [file_id]
        )
        for line, cells, findings in cursor:
            yield line, cells, findings if isinstance(findings, list) else json.loads(findings)
