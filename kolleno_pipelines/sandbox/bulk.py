"""Large drops for measuring: a million plain invoices, or many days of even batches. No events, no coherent story.

Rows come from arithmetic on their number, so that files of any size are written in bounded memory and their totals
are known without reading them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

from kolleno_pipelines.sandbox.drops import HEADERS, file_name
from kolleno_pipelines.schemas.sftp_tables import TableName

BASELINE = datetime(2026, 1, 1, 6, tzinfo=UTC)
DEFAULT_FIRST_DAY = date(2025, 1, 1)
_CURRENCIES = ("USD", "EUR", "GBP")
_BLOCK = 20_000

Lines = Callable[[int, int], str]


@dataclass(frozen=True)
class BulkDrop:
    """Seven written files and what the invoices among them sum to, by currency."""

    name_time: datetime
    paths: Mapping[TableName, Path]
    rows: Mapping[TableName, int]
    invoices_amount: Mapping[str, Decimal] = field(default_factory=dict)
    invoices_balance: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of the seven files."""
        return sum(path.stat().st_size for path in self.paths.values())


def _calendar(first: date, days: int) -> list[str]:
    return [(first + timedelta(days=number)).isoformat() for number in range(days)]


def _customer_lines(seed: int) -> Lines:
    def lines(start: int, stop: int) -> str:
        return "".join(
            f"{i:07d},Customer {i} of {seed},C-{i},{_CURRENCIES[i % 3]},{i} High Street,,{i % 99999:05d},Leeds,,GB\n"
            for i in range(start, stop)
        )

    return lines


def _invoice_cents(number: int, seed: int) -> tuple[int, int]:
    """Amount and balance in cents: three in seven open, two half paid, two paid."""
    amount = 100 + (number * 7919 + seed * 104_729) % 999_900
    return amount, (amount, amount // 2, 0)[number % 7 % 3]


def _invoice_lines(seed: int, customers: int, first: date) -> Lines:
    issued, due = _calendar(first, 365), _calendar(first + timedelta(days=30), 365)

    def lines(start: int, stop: int) -> str:
        rows = []
        for i in range(start, stop):
            amount, balance = _invoice_cents(i, seed)
            customer, day = i % customers, i % 365
            rows.append(
                f"{i:09d},{customer:07d},INV-{i},{amount // 100}.{amount % 100:02d},"
                f"{balance // 100}.{balance % 100:02d},{_CURRENCIES[customer % 3]},{issued[day]},{due[day]}\n"
            )
        return "".join(rows)

    return lines


def invoice_totals(
    start: int, stop: int, customers: int, seed: int = 1
) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """Return amount and balance by currency of the bulk invoices numbered from `start` to before `stop`."""
    amounts, balances = [0, 0, 0], [0, 0, 0]
    for i in range(start, stop):
        amount, balance = _invoice_cents(i, seed)
        place = i % customers % 3
        amounts[place] += amount
        balances[place] += balance
    return _decimals(amounts), _decimals(balances)


def _decimals(cents: list[int]) -> dict[str, Decimal]:
    return {currency: Decimal(each).scaleb(-2) for currency, each in zip(_CURRENCIES, cents, strict=True)}


def _write_file(path: Path, table: TableName, lines: Lines | None, start: int, stop: int, modified: float) -> Path:
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(HEADERS[table]) + "\n")
        if lines:
            for block in range(start, stop, _BLOCK):
                file.write(lines(block, min(block + _BLOCK, stop)))
    os.utime(part, (modified, modified))
    return part.replace(path)


def _write_seven(
    folder: Path, name_time: datetime, filled: Mapping[TableName, tuple[Lines, int, int]], separator: str
) -> tuple[dict[TableName, Path], dict[TableName, int]]:
    folder.mkdir(parents=True, exist_ok=True)
    paths, rows = {}, dict.fromkeys(TableName, 0)
    for place, table in enumerate(TableName):
        path = folder / file_name(table, name_time + timedelta(seconds=place), separator=separator)
        lines, start, stop = filled.get(table, (None, 0, 0))
        paths[table] = _write_file(path, table, lines, start, stop, name_time.timestamp())
        rows[table] = stop - start
    return paths, rows


def write_customers(
    folder: Path, customers: int = 50_000, *, name_time: datetime = BASELINE, seed: int = 1, separator: str = ":"
) -> BulkDrop:
    """Write a batch with `customers` customers and six header-only files."""
    filled = {TableName.CUSTOMERS: (_customer_lines(seed), 0, customers)}
    return BulkDrop(name_time, *_write_seven(folder, name_time, filled, separator))


def write_invoices(
    folder: Path,
    invoices: int = 1_000_000,
    customers: int = 50_000,
    *,
    name_time: datetime = BASELINE + timedelta(days=1),
    seed: int = 1,
    separator: str = ":",
) -> BulkDrop:
    """Write a batch with `invoices` invoices of the customers of `write_customers` and six header-only files.

    Written again with a later `name_time` it holds the same rows in a new file; with another `seed` each row changes.
    """
    filled = {TableName.INVOICES: (_invoice_lines(seed, customers, DEFAULT_FIRST_DAY), 0, invoices)}
    paths, rows = _write_seven(folder, name_time, filled, separator)
    return BulkDrop(name_time, paths, rows, *invoice_totals(0, invoices, customers, seed))


def write_bulk(
    folder: Path, invoices: int = 1_000_000, customers: int = 50_000, *, seed: int = 1, separator: str = ":"
) -> tuple[BulkDrop, BulkDrop]:
    """Write both batches for the benchmark: customers, and a day later the invoices."""
    first = write_customers(folder, customers, seed=seed, separator=separator)
    return first, write_invoices(folder, invoices, customers, seed=seed, separator=separator)


def write_days(
    folder: Path, days: int = 365, rows: int = 1_000, *, first_day: date = DEFAULT_FIRST_DAY, separator: str = ":"
) -> list[BulkDrop]:
    """Write `days` batches in which each of the seven files has `rows` rows, all references known, all balances tied.

    Customers and contacts are the same each day with one changed cell; documents are new. Day n's invoice i has
    amount 10.00 plus a part paid by payment i and a part credited by credit note i, and 10.00 open.
    """
    return [_write_day(folder, number, rows, first_day + timedelta(days=number), separator) for number in range(days)]


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _paid(i: int) -> int:
    return 100 + i % 900


def _credited(i: int) -> int:
    return 50 + i % 450


def _day_rows(number: int, rows: int, day: str) -> dict[TableName, Callable[[int], str]]:
    """One row maker for each table; row i of a day belongs to customer i modulo the rows of a day."""

    def owner(i: int) -> str:
        return f"{i % rows:07d}"

    def money(i: int, amount: int, balance: str) -> str:
        return f"{_money(amount)},{balance},{_CURRENCIES[i % rows % 3]},{day}"

    return {
        TableName.CUSTOMERS: lambda i: (
            f"{owner(i)},Customer {owner(i)},C-{owner(i)},{_CURRENCIES[i % rows % 3]},{number} Lane,,00000,Leeds,,GB\n"
        ),
        TableName.CONTACTS: lambda i: f"p{owner(i)},{owner(i)},Ana,Null,a{owner(i)}@customer.example,+44 {number}\n",
        TableName.INVOICES: lambda i: (
            f"{i:09d},{owner(i)},INV-{i},{money(i, 1000 + _paid(i) + _credited(i), '10.00')},{day}\n"
        ),
        TableName.CREDIT_NOTES: lambda i: f"C{i:09d},{owner(i)},CRN-{i},{money(i, _credited(i), '0.00')}\n",
        TableName.PAYMENTS: lambda i: f"P{i:09d},{owner(i)},BNK {i},{money(i, _paid(i), '0.00')}\n",
        TableName.PAYMENTS_INVOICES: lambda i: f"P{i:09d},{i:09d},{_money(_paid(i))}\n",
        TableName.CREDIT_NOTES_INVOICES: lambda i: f"C{i:09d},{i:09d},{_money(_credited(i))}\n",
    }


def _joined(row: Callable[[int], str]) -> Lines:
    return lambda start, stop: "".join(map(row, range(start, stop)))


def _write_day(folder: Path, number: int, rows: int, day: date, separator: str) -> BulkDrop:
    start, stop = number * rows, (number + 1) * rows
    name_time = datetime.combine(day, time(6), UTC)
    makers = _day_rows(number, rows, day.isoformat())
    filled = {table: (_joined(row), start, stop) for table, row in makers.items()}
    paths, counts = _write_seven(folder, name_time, filled, separator)
    amounts, balances = [0, 0, 0], [0, 0, 0]
    for i in range(start, stop):
        amounts[i % rows % 3] += 1000 + _paid(i) + _credited(i)
        balances[i % rows % 3] += 1000
    return BulkDrop(name_time, paths, counts, _decimals(amounts), _decimals(balances))
