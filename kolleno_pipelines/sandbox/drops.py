"""From events to files: the seven CSVs of each batch, rendered and written to a folder. No simulation, no answers."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from kolleno_pipelines.sandbox.books import Books, Touched
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.events import Batch
from kolleno_pipelines.sandbox.rows import batch_rows
from kolleno_pipelines.schemas.sftp_tables import TableName

Row = Mapping[str, str]

# Headers of levels 1 and 2, which every file must have, in the order of the source's documentation.
HEADERS: Mapping[TableName, tuple[str, ...]] = {
    TableName.CUSTOMERS: (
        "id", "name", "ref", "currency_iso", "address_line_1", "address_line_2", "postal_code", "city", "state",
        "country_iso",
    ),
    TableName.CONTACTS: ("id", "customer_id", "first_name", "last_name", "email", "phone"),
    TableName.INVOICES: (
        "id", "customer_id", "ref", "amount", "balance", "currency_iso", "date_issued", "date_due",
    ),
    TableName.CREDIT_NOTES: ("id", "customer_id", "ref", "amount", "balance", "currency_iso", "date_issued"),
    TableName.PAYMENTS: ("id", "customer_id", "ref", "amount", "balance", "currency_iso", "date_paid"),
    TableName.PAYMENTS_INVOICES: ("payment_id", "invoice_id", "amount"),
    TableName.CREDIT_NOTES_INVOICES: ("credit_note_id", "invoice_id", "amount"),
}  # fmt: skip


def file_name(table: TableName, name_time: datetime, *, separator: str = ":", fix: int = 0) -> str:
    """Return `<type>_YYYY-MM-DDTHH:MM:SS[.fixN].csv`; `separator` is `-` for senders on Windows."""
    stamp = name_time.strftime(f"%Y-%m-%dT%H{separator}%M{separator}%S")
    return f"{table.value}_{stamp}{f'.fix{fix}' if fix else ''}.csv"


def csv_bytes(columns: Iterable[str], rows: Iterable[Row], *, line_end: str = "\n", mark: bool = False) -> bytes:
    """Return a CSV file: UTF-8, comma, quotes where needed; `mark` puts a byte order mark first."""
    text = io.StringIO(newline="")
    header = list(columns)
    writer = csv.DictWriter(text, header, restval="", extrasaction="ignore", lineterminator=line_end)
    writer.writeheader()
    writer.writerows(rows)
    return (b"\xef\xbb\xbf" if mark else b"") + text.getvalue().encode()


@dataclass(frozen=True)
class Drop:
    """The seven files of one batch before they are text: rows by table, the columns of each file, when they arrive."""

    number: int
    name_time: datetime
    arrives_on: date
    columns: Mapping[TableName, tuple[str, ...]]
    rows: Mapping[TableName, tuple[Row, ...]]

    def time_of(self, table: TableName) -> datetime:
        """Return the time in one file's name: a sender writes the seven files a second apart."""
        return self.name_time + timedelta(seconds=list(TableName).index(table))

    def name_of(self, table: TableName, *, separator: str = ":") -> str:
        """Return one file's name."""
        return file_name(table, self.time_of(table), separator=separator)

    def content_of(self, table: TableName) -> bytes:
        """Return one file; some batches have CRLF line ends, some a byte order mark: both are fine."""
        line_end = "\r\n" if self.number % 7 == 3 else "\n"
        return csv_bytes(self.columns[table], self.rows[table], line_end=line_end, mark=self.number % 11 == 5)

    @property
    def files(self) -> dict[str, bytes]:
        """File names and contents, in the order of the seven types."""
        return {self.name_of(table): self.content_of(table) for table in TableName}


def versions(company: Company) -> Iterator[Drop]:
    """Yield the company's drops in version order (by the time in their names)."""
    books = Books(company.version_days)
    for batch in company.batches:
        touched = Touched()
        for event in company.events_of(batch):
            books.apply(event, touched)
        columns = {table: (*HEADERS[table], *batch.columns[table]) for table in TableName}
        yield Drop(batch.number, batch.name_time, batch.arrives_on, columns, batch_rows(books, touched, batch))


def arrivals(company: Company) -> Iterator[Drop]:
    """Yield the drops as they arrive; a late batch comes after newer ones. Holds back only the late ones."""
    waiting: dict[int, Drop] = {}
    source = versions(company)
    for batch in company.arrivals():
        while batch.number not in waiting:
            drop = next(source)
            waiting[drop.number] = drop
        yield waiting.pop(batch.number)


def write(folder: Path, drops: Iterable[Drop], *, separator: str = ":") -> list[Path]:
    """Write drops into a folder, each file under its final name only when whole; returns the paths in that order.

    Files get the day of their arrival as modified time, which lies in the past and makes them complete at first look.
    """
    paths: list[Path] = []
    folder.mkdir(parents=True, exist_ok=True)
    for drop in drops:
        arrived = max(drop.name_time, datetime.combine(drop.arrives_on, time(6, 5), UTC)).timestamp()
        for table in TableName:
            path = folder / drop.name_of(table, separator=separator)
            part = folder / f"{path.name}.part"
            part.write_bytes(drop.content_of(table))
            os.utime(part, (arrived, arrived))
            part.replace(path)
            paths.append(path)
    return paths


def stated_cells(company: Company) -> dict[TableName, dict[str, dict[str, str]]]:
    """Return what the newest file that has the column says in each cell, by table and record.

    Records are keyed by their id, links by `<payment or credit note>|<invoice>`. Level-3 and extra columns keep the
    value of the last file that had them (article 11647004: absent leaves the value, present and empty clears it).
    """
    state: dict[TableName, dict[str, dict[str, str]]] = {table: {} for table in TableName}
    for drop in versions(company):
        for table in TableName:
            for row in drop.rows[table]:
                cells = {column: row.get(column, "") for column in drop.columns[table]}
                state[table].setdefault(row_key(table, cells), {}).update(cells)
    return state


def row_key(table: TableName, row: Row) -> str:
    """Return the identity of a row: its id, for links the pair."""
    if table in (TableName.PAYMENTS_INVOICES, TableName.CREDIT_NOTES_INVOICES):
        first = "payment_id" if table == TableName.PAYMENTS_INVOICES else "credit_note_id"
        return f"{row[first]}|{row['invoice_id']}"
    return row["id"]


def columns_of(batch: Batch, table: TableName) -> tuple[str, ...]:
    """Return the header of one table's file in a batch."""
    return (*HEADERS[table], *batch.columns[table])
