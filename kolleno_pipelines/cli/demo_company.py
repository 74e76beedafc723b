"""The demo's made-up company: its files in the drop folder, and its own answers beside what the pipeline computed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from time import time as now_in_seconds
from typing import Any

from kolleno_pipelines.sandbox import drops, faulty_files
from kolleno_pipelines.sandbox.answers import Answers
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.fault_kit import ExpectedFinding, FaultFile, Kit
from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.sftp_tables import TableName

DROP_FOLDER = "csv_data_uploads"
SEED, CUSTOMERS, DAYS, INVOICES_PER_DAY, HISTORY_DAYS = 11, 60, 21, 12, 90
#: Faults of whole files, one batch each, an hour apart and after all good files: nothing of them ever loads.
_FAILING = (faulty_files.missing_columns, faulty_files.latin_1, faulty_files.semicolons, faulty_files.unclosed_quote)
_IGNORED = (faulty_files.unknown_type, faulty_files.not_csv, faulty_files.wrong_folder)
_BAD_CELLS: tuple[tuple[Code, dict[str, str]], ...] = (
    (Code.REQUIRED_VALUE_EMPTY, {"ref": ""}),
    (Code.BAD_DECIMAL, {"amount": "1,234.50"}),
    (Code.BAD_DATE, {"date_issued": "31/01/2026"}),
    (Code.BAD_CURRENCY, {"currency_iso": "Dollar"}),
)
_FIGURES = ("customers", "invoices_open", "invoices_balance", "credit_notes_balance", "payments_balance", "net")


@dataclass(frozen=True)
class Line:
    """One figure: what the company's own books say, and what came out of the pipeline."""

    what: str
    expected: str
    computed: str

    @property
    def agrees(self) -> bool:
        """Whether both are the same to the last digit."""
        return self.expected == self.computed


@dataclass(frozen=True)
class Dropped:
    """The company of `today`, its files, the findings that its faulty files must bring, a digest of everything."""

    company: Company
    first_day: date
    today: date
    files: tuple[FaultFile, ...]
    expected: tuple[ExpectedFinding, ...]

    @property
    def an_invoice(self) -> str:
        """The id of the first invoice that the company sends."""
        rows = next(drops.versions(self.company)).rows[TableName.INVOICES]
        return str(rows[0]["id"])

    @property
    def digest(self) -> str:
        """The same files, the same digest."""
        content = hashlib.sha256()
        for file in self.files:
            content.update(f"{file.folder}/{file.name}\0{len(file.content)}\0".encode() + file.content)
        return content.hexdigest()

    def write(self, root: Path) -> int:
        """Put the files that are missing under the server's root, as if uploaded a while ago; returns how many."""
        written, uploaded = 0, now_in_seconds() - 300
        for file in self.files:
            path = root / file.folder / file.name
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                part = path.with_name(f"{path.name}.part")
                part.write_bytes(file.content)
                os.utime(part, (uploaded, uploaded))
                part.replace(path)
                written += 1
        return written


def make_files(today: date, *, with_faults: bool) -> Dropped:
    """Make the company's files of the three weeks that end today."""
    first_day = today - timedelta(days=DAYS - 1)
    company = Company.build(
        SEED,
        customers=CUSTOMERS,
        days=DAYS,
        first_day=first_day,
        invoices_per_day=INVOICES_PER_DAY,
        history_days=HISTORY_DAYS,
    )
    good = [
        FaultFile(name, content, DROP_FOLDER)
        for drop in drops.arrivals(company)
        for name, content in drop.files.items()
    ]
    bad, expected = _faulty(today) if with_faults else ((), ())
    return Dropped(company, first_day, today, (*good, *bad), tuple(expected))


def _faulty(today: date) -> tuple[Sequence[FaultFile], Sequence[ExpectedFinding]]:
    files: list[FaultFile] = []
    expected: list[ExpectedFinding] = []
    for hour, make in enumerate((*_FAILING, *_IGNORED), start=7):
        case = make(Kit(0, today, hour=hour))
        files += case.files
        expected += case.expected
    kit = Kit(0, today, hour=6)
    # Rows that are all rejected, in a file that needs no companions and joins the company's last batch.
    last_batch = datetime.combine(today, time(6, 0), UTC) + timedelta(seconds=list(TableName).index(TableName.INVOICES))
    name = drops.file_name(TableName.INVOICES, last_batch, fix=1)
    rows = [kit.invoice(f"x{number}", **cell) for number, (_, cell) in enumerate(_BAD_CELLS)]
    files.append(FaultFile(name, drops.csv_bytes(drops.HEADERS[TableName.INVOICES], rows), DROP_FOLDER))
    expected += [ExpectedFinding(code, name) for code, _ in _BAD_CELLS]
    return files, expected


def compare(
    dropped: Dropped, control_totals: Iterable[Mapping[str, Any]], ageing: Iterable[Mapping[str, Any]], opening: int
) -> Iterator[Line]:
    """Yield every figure of the company's answers beside the pipeline's; what only one of them has shows as `-`."""
    answers = Answers.of(dropped.company)
    totals = {row["currency_iso"]: row for row in control_totals}
    expected_totals = {each.currency_iso: each for each in answers.control_totals(dropped.today)}
    for currency in sorted({*totals, *expected_totals}):
        for figure in _FIGURES:
            mine = getattr(expected_totals.get(currency), figure, None)
            yield Line(f"{currency} {figure}", _number(mine), _number(totals.get(currency, {}).get(figure)))
    buckets = {(row["currency_iso"], row["bucket"]): row for row in ageing if _counts(row)}
    expected_buckets = {(each.currency_iso, each.bucket): each for each in answers.ageing(dropped.today)}
    for place in sorted({*buckets, *expected_buckets}, key=_bucket_order):
        row, mine = buckets.get(place), expected_buckets.get(place)
        computed = f"{row['documents']} {_number(row['amount'])}" if row else "-"
        yield Line(f"{place[0]} {place[1]}", f"{mine.documents} {_number(mine.amount)}" if mine else "-", computed)
    yield Line("documents with an opening difference", str(len(answers.opening_differences())), str(opening))


def _counts(row: Mapping[str, Any]) -> bool:
    return bool(int(row["documents"])) or Decimal(str(row["amount"])) != 0


def _bucket_order(place: tuple[str, str]) -> tuple[str, int]:
    order = ("not_due", "1-30", "31-60", "61-90", "91+", "unapplied")
    return place[0], order.index(place[1]) if place[1] in order else len(order)


def _number(value: object) -> str:
    """A figure in one spelling, whatever type it came as: no zeros at the end, exact."""
    if value is None:
        return "-"
    amount = Decimal(str(value))
    return f"{amount.normalize():,f}" if amount else "0"
