"""How counts, sums and rows become metadata of an asset: scalars per day, tables once per run. No computing."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import dagster as dg

from kolleno_pipelines.schemas.currencies import amount_text
from kolleno_pipelines.schemas.model_columns import Columns
from kolleno_pipelines.schemas.sftp_tables import CsvTable, Requirement

Metadata = dict[str, int | str | dg.MetadataValue[Any]]

#: Rows that a table in the metadata shows; the rest is counted.
SHOWN_ROWS = 20
_LONGEST_TEXT = 300


def csv_schema(table: CsvTable) -> dg.TableSchema:
    """Return the column schema of one of the seven CSV tables, from its spec."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=column.kind.value,
                description=f"{column.requirement.value}; {column.provenance.value}: {column.basis}",
                constraints=dg.TableColumnConstraints(nullable=column.requirement is not Requirement.REQUIRED),
            )
            for column in table.columns
        ]
    )


def model_schema(columns: Columns) -> dg.TableSchema:
    """Return the column schema of a receivables entity or a result."""
    return dg.TableSchema(columns=[dg.TableColumn(c.name, c.type, c.meaning) for c in columns])


def amount_shown(amount: Decimal, currency_iso: str | None) -> str:
    """Return an amount as people write it: exact, with its currency's decimals, thousands apart."""
    return amount_text(amount, currency_iso, thousands=True)


def money(prefix: str, sums: Mapping[str, Decimal]) -> Metadata:
    """Return one entry per currency, exact as text: `prefix USD` -> 1,234.50."""
    return {f"{prefix} {currency}".rstrip(): amount_shown(sums[currency], currency) for currency in sorted(sums)}


def rows_table(rows: Iterable[Any], names: Sequence[str] | None = None) -> dg.MetadataValue[Any] | str:
    """Return rows (dataclasses or mappings) as a table, cut at SHOWN_ROWS; a sentence when there are none.

    `names`: which fields to show, all by default. Amounts have the decimals of the row's `currency_iso`.
    """
    records = []
    for row in rows:
        cells = asdict(row) if is_dataclass(row) and not isinstance(row, type) else dict(row)
        currency = cells.get("currency_iso")
        records.append(dg.TableRecord({name: _cell(cells[name], currency) for name in names or cells}))
        if len(records) == SHOWN_ROWS:
            break
    if not records:
        return "none"
    columns = [dg.TableColumn(name, "text") for name in records[0].data]
    return dg.MetadataValue.table(records, dg.TableSchema(columns=columns))


def not_shown(what: str, number: int, where: str) -> Metadata:
    """Return an entry that says how many rows a table leaves out and where they are; none where it shows all."""
    return {f"{what} not shown": f"{number:,} more: {where}"} if number > 0 else {}


def say_calmly(say: Callable[[str], None], *, every: float = 5.0) -> Callable[[str], None]:
    """Return a function that passes on at most one message per `every` seconds: each is an event in the database."""
    last = 0.0

    def say_now_and_then(message: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= every:
            last = now
            say(message)

    return say_now_and_then


def _cell(value: object, currency_iso: str | None) -> str | int | bool:
    """Return a cell as the UI takes it; amounts as text, so that no digit is lost."""
    match value:
        case bool() | int():
            return value
        case None:
            return ""
        case Decimal():
            return amount_shown(value, currency_iso)
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}"
        case date():
            return value.isoformat()
        case list() | tuple() | set():
            text = "; ".join(str(part) for part in value)
        case _:
            text = str(value)
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}..."
