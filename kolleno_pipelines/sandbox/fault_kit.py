"""What a case of a faulty file is, and the kit that builds one. The faults themselves lie beside it.

A case is a little batch of its own day and its own ids, so that all cases may lie in one folder beside the company.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from kolleno_pipelines.sandbox.drops import HEADERS, csv_bytes, file_name
from kolleno_pipelines.schemas.codes import Code, Level, level_of
from kolleno_pipelines.schemas.sftp_tables import TableName

DROP_FOLDER = "csv_data_uploads"

Cells = dict[str, str]


@dataclass(frozen=True)
class FaultFile:
    """One file to upload; `folder` is relative to the server's root."""

    name: str
    content: bytes
    folder: str = DROP_FOLDER


@dataclass(frozen=True)
class ExpectedFinding:
    """What must be found; State findings name a document instead of a file.

    `line` and `column` are None where the fault has none; a faulty header names the column as it was sent, several
    missing ones joined by a comma.
    """

    code: Code
    file: str | None = None
    line: int | None = None
    column: str | None = None
    kind: str = ""
    source_id: str = ""

    @property
    def level(self) -> Level:
        """What the finding does to its file or row."""
        return level_of(self.code)


@dataclass(frozen=True)
class FaultCase:
    """Uploads in their order (each ingested before the next) and exactly the findings that must come."""

    code: Code
    title: str
    uploads: tuple[tuple[FaultFile, ...], ...]
    expected: tuple[ExpectedFinding, ...]
    max_file_bytes: int | None = None

    @property
    def needs_state(self) -> bool:
        """Whether only a take into a database finds it: offline validation sees no other file and no earlier upload."""
        stateful = {Code.DUPLICATE_CONTENT, Code.WRONG_FOLDER, Code.SUPERSEDED, Code.NEWER_PARKED}
        return self.code in stateful or level_of(self.code) in {Level.PARKED, Level.FINDING}

    @property
    def files(self) -> tuple[FaultFile, ...]:
        """All files of all uploads."""
        return tuple(file for upload in self.uploads for file in upload)

    def write(self, root: Path, upload: int = 0) -> list[Path]:
        """Write one upload under the server's root; returns the paths."""
        paths = []
        for file in self.uploads[upload]:
            path = root / file.folder / file.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content)
            paths.append(path)
        return paths


@dataclass(frozen=True)
class Kit:
    """Builds one case: its day, its ids, a good batch around the faulty rows."""

    number: int
    first_day: date
    hour: int = 6
    alone: bool = False  # without good rows, so that nothing of a rejected case loads
    rows: Mapping[TableName, tuple[Cells, ...]] = field(init=False)

    def __post_init__(self) -> None:
        none: dict[TableName, tuple[Cells, ...]] = dict.fromkeys(TableName, ())
        object.__setattr__(self, "rows", none if self.alone else self._good_rows())

    @property
    def day(self) -> date:
        """The day in the case's file names."""
        return self.first_day + timedelta(days=self.number)

    def id(self, name: str) -> str:
        """Return an id that no other case and no company uses."""
        return f"F{self.number:02d}-{name}"

    def name(self, table: TableName) -> str:
        """Return the name of one of the case's files."""
        moment = datetime.combine(self.day, time(self.hour, 30), UTC)
        return file_name(table, moment + timedelta(seconds=list(TableName).index(table)))

    def customer(self, name: str, **cells: str) -> Cells:
        """Return a good customers row."""
        return {"id": self.id(name), "name": f"Case {self.number} {name}", "currency_iso": "USD"} | cells

    def invoice(self, name: str, **cells: str) -> Cells:
        """Return a good row of an open invoice over 50.00."""
        issued = self.day.isoformat()
        good = {"id": self.id(name), "customer_id": self.id("c1"), "ref": f"R-{self.number}-{name}"}
        good |= {"amount": "50.00", "balance": "50.00", "currency_iso": "USD"}
        return good | {"date_issued": issued, "date_due": issued} | cells

    def payment(self, name: str, **cells: str) -> Cells:
        """Return a good row of a payment of 60.00 that is wholly applied."""
        good = {"id": self.id(name), "customer_id": self.id("c1"), "ref": "BNK", "amount": "60.00", "balance": "0.00"}
        return good | {"currency_iso": "USD", "date_paid": self.day.isoformat()} | cells

    def link(self, first: str, payer: str, invoice: str, amount: str) -> Cells:
        """Return a link row; `first` is payment or credit_note."""
        return {f"{first}_id": self.id(payer), "invoice_id": self.id(invoice), "amount": amount}

    def batch(
        self,
        changes: Mapping[TableName, bytes | Iterable[Cells]] | None = None,
        *,
        columns: Mapping[TableName, tuple[str, ...]] | None = None,
        bare: bool = False,
    ) -> tuple[FaultFile, ...]:
        """Return the seven files: bytes as given, rows added to the good ones, or (`bare`) in header-only files."""
        files = []
        for table in TableName:
            change = (changes or {}).get(table, ())
            if isinstance(change, bytes):
                files.append(FaultFile(self.name(table), change))
                continue
            rows = (*(() if bare else self.rows[table]), *change)
            header = self.columns(table, *(columns or {}).get(table, ()))
            files.append(FaultFile(self.name(table), csv_bytes(header, rows)))
        return tuple(files)

    def columns(self, table: TableName, *more: str) -> tuple[str, ...]:
        """Return the columns of a case's file: documents have a description, which may hold line ends."""
        texts = ("description",) if table in (TableName.INVOICES, TableName.CREDIT_NOTES) else ()
        return (*HEADERS[table], *texts, *(each for each in more if each not in texts))

    def row_case(
        self,
        code: Code,
        title: str,
        table: TableName,
        bad: Iterable[tuple[Cells, tuple[str, ...]]],
        *,
        columns: tuple[str, ...] = (),
        state: tuple[ExpectedFinding, ...] = (),
    ) -> FaultCase:
        """Return a case of bad rows after the good ones: each bad row with the columns that must be named."""
        pairs = list(bad)
        rows = (*self.rows[table], *(row for row, _ in pairs))
        lines = lines_of(self.columns(table, *columns), rows)[len(self.rows[table]) :]
        expected = tuple(
            ExpectedFinding(code, self.name(table), line, column)
            for (_, named), line in zip(pairs, lines, strict=True)
            for column in named
        )
        files = self.batch({table: [row for row, _ in pairs]}, columns={table: columns})
        return FaultCase(code, title, (files,), expected + state)

    def _good_rows(self) -> dict[TableName, tuple[Cells, ...]]:
        """A batch that ties; most first rows hold quoted line ends, so that lines are not record numbers."""
        note = {"id": self.id("n1"), "customer_id": self.id("c2"), "ref": "CRN-1", "amount": "10.00"}
        note |= {"description": "a\nb", "balance": "10.00", "currency_iso": "USD", "date_issued": self.day.isoformat()}
        contact = {"id": self.id("p1"), "customer_id": self.id("c1"), "first_name": "Ana\nMaria", "last_name": "Null"}
        return {
            TableName.CUSTOMERS: (self.customer("c1", address_line_1="1 High Street\nRear"), self.customer("c2")),
            TableName.CONTACTS: (contact | {"email": "ana@customer.example"},),
            TableName.INVOICES: (
                self.invoice("i1", amount="100.00", balance="40.00", description='said\n"so", twice\n'),
                self.invoice("i2"),
            ),
            TableName.CREDIT_NOTES: (note,),
            TableName.PAYMENTS: (self.payment("m1", ref="two\nlines"),),
            TableName.PAYMENTS_INVOICES: (self.link("payment", "m1", "i1", "60.00"),),
            TableName.CREDIT_NOTES_INVOICES: (),
        }


def lines_of(columns: Iterable[str], rows: Iterable[Cells]) -> list[int]:
    """Return the physical line on which each row begins; the header is line 1."""
    header = list(columns)
    lines, line = [], 1 + csv_bytes(header, ()).count(b"\n")
    for row in rows:
        lines.append(line)
        line += csv_bytes(header, (row,)).count(b"\n") - 1
    return lines
