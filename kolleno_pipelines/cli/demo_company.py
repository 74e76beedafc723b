"""The demo's made-up company: its files, what each system is told of it, and the findings its faulty files must bring.

Only what QuickBooks, Xero and the files can all state happens to it. Figures are compared in demo_figures.py.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from time import time as now_in_seconds

from kolleno_pipelines.sandbox import drops, faulty_files
from kolleno_pipelines.sandbox.books import Document
from kolleno_pipelines.sandbox.company import MORNING, Company
from kolleno_pipelines.sandbox.events import INVOICE, DocumentCorrected
from kolleno_pipelines.sandbox.fault_kit import ExpectedFinding, FaultFile, Kit
from kolleno_pipelines.sandbox.stripe.taken import taken_by_stripe, with_shared_references
from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.sftp_tables import TableName

DROP_FOLDER = "csv_data_uploads"
SEED, CUSTOMERS, DAYS, INVOICES_PER_DAY, HISTORY_DAYS = 11, 60, 21, 12, 90
#: Connections of the demo, as connections.yaml names them: the first is the ledger, the others are mirrors of it.
QUICKBOOKS, SFTP, XERO = "quickbooks", "sftp", "xero"
CONNECTIONS = (QUICKBOOKS, SFTP, XERO)
#: Takes a share of its payments, for the ledger.
STRIPE = "stripe"
#: To which Stripe pays out.
BANK = "bank"
#: What the planted break adds to one invoice in Xero.
PLANTED = Decimal("10.00")
#: Faults of whole files, one batch each, an hour apart and after all good files: nothing of them ever loads.
_FAILING = (faulty_files.missing_columns, faulty_files.latin_1, faulty_files.semicolons, faulty_files.unclosed_quote)
_IGNORED = (faulty_files.unknown_type, faulty_files.not_csv, faulty_files.wrong_folder)
_BAD_CELLS: tuple[tuple[Code, dict[str, str]], ...] = (
    (Code.REQUIRED_VALUE_EMPTY, {"ref": ""}),
    (Code.BAD_DECIMAL, {"amount": "1,234.50"}),
    (Code.BAD_DATE, {"date_issued": "31/01/2026"}),
    (Code.BAD_CURRENCY, {"currency_iso": "Dollar"}),
)


@dataclass(frozen=True)
class PlantedBreak:
    """One invoice that one mirror is told otherwise: its amounts in the ledger and in the mirror."""

    mirror: str
    source_id: str
    ref: str
    currency_iso: str
    amount: Decimal
    mirror_amount: Decimal


@dataclass(frozen=True)
class Dropped:
    """The company, its files, the findings that its faulty files must bring, the break planted, a digest of it all.

    today: the day of its last batch, which its figures speak of.
    """

    company: Company
    first_day: date
    today: date
    files: tuple[FaultFile, ...]
    expected: tuple[ExpectedFinding, ...]
    planted: PlantedBreak | None = None

    @property
    def an_invoice(self) -> str:
        """The id of the first invoice that the company sends."""
        rows = next(drops.versions(self.company)).rows[TableName.INVOICES]
        return str(rows[0]["id"])

    @property
    def digest(self) -> str:
        """The same files and the same break, the same digest."""
        content = hashlib.sha256(repr((self.planted, *CONNECTIONS, STRIPE, BANK)).encode())
        for file in self.files:
            content.update(f"{file.folder}/{file.name}\0{len(file.content)}\0".encode() + file.content)
        return content.hexdigest()

    def told(self, connection: str) -> Company:
        """Return the company as one system is told of it: with the planted break in the mirror that has it."""
        if self.planted is None or self.planted.mirror != connection:
            return self.company
        last = self.company.batches[-1].number
        event = DocumentCorrected(last, INVOICE, self.planted.source_id, amount=self.planted.mirror_amount)
        return replace(self.company, events=(*self.company.events, event))

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


def make_company(now: datetime, *, with_faults: bool, with_break: bool) -> Dropped:
    """Make the company of the three weeks that end with the newest morning batch, its files and what is planted."""
    # A system that is asked tells nothing of the future: before today's batch, the company's last day is yesterday.
    today = (now - timedelta(hours=MORNING.hour, minutes=5)).date()
    first_day = today - timedelta(days=DAYS - 1)
    built = Company.build(
        SEED,
        customers=CUSTOMERS,
        days=DAYS,
        first_day=first_day,
        invoices_per_day=INVOICES_PER_DAY,
        history_days=HISTORY_DAYS,
        expressible=True,
    )
    company = with_shared_references(built, taken_by_stripe(built))
    good = [
        FaultFile(name, content, DROP_FOLDER)
        for drop in drops.arrivals(company)
        for name, content in drop.files.items()
    ]
    bad, expected = _faulty(today) if with_faults else ((), ())
    planted = _planted(company) if with_break else None
    return Dropped(company, first_day, today, (*good, *bad), tuple(expected), planted)


def _planted(company: Company) -> PlantedBreak:
    """Choose the newest invoice in USD of which nothing was paid, so that amount and balance both differ."""
    books = company.books()

    def is_open(document: Document) -> bool:
        return document.key.kind == INVOICE and not document.voided and document.currency == "USD"

    document = max(
        (each for each in books.documents.values() if is_open(each) and books.balance(each) == each.amount),
        key=lambda each: (each.date_issued, each.key.source_id),
    )
    return PlantedBreak(
        XERO, document.key.source_id, document.ref, document.currency, document.amount, document.amount + PLANTED
    )


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
