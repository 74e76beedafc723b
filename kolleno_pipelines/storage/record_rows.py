"""Rows of `normalised`: what payloads say, COPY in and withdrawal. No payload is read, nothing is folded here."""

import io
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.csv
import pyarrow.types

from kolleno_pipelines.schemas.records import RECORD_TABLES, Normalised
from kolleno_pipelines.storage.extracts import ExtractRow


def put_rows(conn: psycopg.Connection[Any], extract: ExtractRow, normalised: Normalised) -> None:
    """COPY what one block of an extract's payloads says, with what had to be kept aside."""
    count = normalised.payloads.num_rows
    payloads = normalised.payloads.append_column("connection", pa.repeat(extract.connection, count))
    payloads = payloads.append_column(
        "observed_at", pa.repeat(pa.scalar(extract.observed_at, pa.timestamp("us", "UTC")), count)
    )
    _copy(conn, "normalised.payloads", extract.id, payloads)
    for entity, rows in normalised.rows.items():
        _copy(conn, f"normalised.{entity}", extract.id, rows.select(RECORD_TABLES[entity].schema.names))
    with (
        conn.cursor() as cursor,
        cursor.copy("COPY raw.quarantined_payloads (extract_id, line, source_id, reason) FROM STDIN") as copy,
    ):
        for payload in normalised.quarantined:
            copy.write_row((extract.id, payload.line, _storable(payload.source_id), _storable(payload.reason)))


def _storable(text: str | None) -> str | None:
    """No text of the database can hold a NUL, nor half of a surrogate pair; an id may be as long as a payload."""
    return (
        None
        if text is None
        else text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()[:500]
    )


def clear_rows(conn: psycopg.Connection[Any], extract: ExtractRow) -> None:
    """Withdraw what an extract said, and queue the objects that it spoke of, so that the next fold folds them again."""
    said = conn.execute(
        "SELECT EXISTS (SELECT FROM normalised.payloads WHERE extract_id = %(id)s)"
        " OR EXISTS (SELECT FROM raw.quarantined_payloads WHERE extract_id = %(id)s)",
        {"id": extract.id},
    ).fetchone()
    if said == (False,):
        return  # the first time, which is nearly every time
    conn.execute(
        "INSERT INTO normalised.owners_to_fold SELECT DISTINCT connection, kind, source_id FROM normalised.payloads"
        " WHERE extract_id = %s",
        [extract.id],
    )
    for entity in RECORD_TABLES:
        conn.execute(
            "INSERT INTO normalised.records_to_fold SELECT DISTINCT %s, %s, source_id"
            f" FROM normalised.{entity} WHERE extract_id = %s".encode(),
            [extract.connection, entity, extract.id],
        )
    for table in ("payloads", "parked_rows", *RECORD_TABLES):
        conn.execute(f"DELETE FROM normalised.{table} WHERE extract_id = %s".encode(), [extract.id])
    conn.execute("DELETE FROM raw.quarantined_payloads WHERE extract_id = %s", [extract.id])


def _copy(conn: psycopg.Connection[Any], table: str, extract_id: int, rows: pa.Table) -> None:
    if rows.num_rows == 0:
        return
    rows = rows.append_column("extract_id", pa.repeat(pa.scalar(extract_id, pa.int32()), rows.num_rows))
    # What no row states needs no column; null is what it is then.
    rows = rows.select([name for name in rows.column_names if rows[name].null_count < rows.num_rows])
    rows = rows.combine_chunks()  # the CSV writer puts NULs in place of rows where a column's first chunk is empty
    sink = io.BytesIO()
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed")
    pyarrow.csv.write_csv(rows, sink, options)
    statement = f"COPY {table} ({', '.join(rows.column_names)}) FROM STDIN (FORMAT csv)"
    with conn.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        copy.write(sink.getbuffer())
