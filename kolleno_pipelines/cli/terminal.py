"""How the command talks: data on stdout, everything else on stderr, progress only on a terminal. No use case."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import IO, Any, NoReturn
from unicodedata import category

import typer

from kolleno_pipelines.schemas.escapes import escape

Say = Callable[[str], None]
_PIPE_WIDTH = 10_000


class CannotRun(Exception):  # noqa: N818 - says what it means: exit code 2
    """The command cannot do what was asked; the text is one sentence for the person who typed it."""


def end(*, findings: bool) -> NoReturn:
    """Leave the command: 1 when somebody should look at something, else 0."""
    raise typer.Exit(1 if findings else 0)


def say(text: str) -> None:
    """Tell the person something that is no data."""
    print("\n".join(printable(line) for line in text.split("\n")), file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """Return text as a terminal may show it: what would move, colour or reorder it, or end the line, is escaped.

    Senders choose file names and cells; neither may speak to the terminal of whoever looks at them.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if category(c) == "Zs" else _escaped(ord(c)) for c in text)


def _escaped(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def print_json(value: object) -> None:
    """Print data for scripts; amounts, days and moments are strings."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=plain))


def plain(value: object) -> object:
    """Return a value as JSON can hold it."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal | Path):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """Print a table for people: fitted to the terminal, never cut when it goes into a file or a pipe."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = [[printable(cell(value)) for value in row] for row in rows]
    table = Table(
        title=None if title is None else printable(title),
        title_justify="left",
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    for index, column in enumerate(columns):
        numeric = all(_is_number(row[index]) for row in shown) and bool(shown)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in shown:
        table.add_row(*(Text(value) for value in row))
    if sys.stdout.isatty():
        Console(file=sys.stdout, highlight=False).print(table)
        return
    text = io.StringIO()
    Console(file=text, width=_PIPE_WIDTH, highlight=False).print(table)
    print("\n".join(line.rstrip() for line in text.getvalue().splitlines()))


def cell(value: object) -> str:
    """Return a value as a table or a CSV shows it; nothing is empty, moments are UTC to the second."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(cell(each) for each in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {cell(each)}" for key, each in value.items())
    return str(value.value) if isinstance(value, Enum) else str(value)


def _is_number(text: str) -> bool:
    return not text or text.lstrip("-").replace(",", "").replace(".", "", 1).isdigit()


def write_csv(target: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as a CSV file (UTF-8, comma), whole or not at all; `-` is stdout. Raises CannotRun."""
    if str(target) == "-":
        _write_csv(sys.stdout, columns, rows)
        return
    if target.is_dir():
        raise CannotRun(f"{target} is a folder; name a file in it.")
    part = target.with_name(f".{target.name}.part")
    try:
        file = part.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise CannotRun(f"{target} cannot be written: {error.strerror}.") from None
    with file:
        _write_csv(file, columns, rows)
    part.replace(target)


def _write_csv(file: IO[str], columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        values = (row.get(column) for column in columns)
        writer.writerow([_csv_cell(value) for value in values])


def _csv_cell(value: object) -> str:
    """Return a value as a CSV holds it; text that a spreadsheet would run as a formula gets an apostrophe."""
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=plain)
    return value.isoformat() if isinstance(value, datetime) else escape(cell(value))


@dataclass
class Work:
    """A progress line: `step` names what is being done now and counts it."""

    step: Say


@contextmanager
def working(title: str, total: int | None = None) -> Iterator[Work]:
    """Show progress on stderr while the block runs, when that is a terminal; `total` steps give a bar."""
    if not sys.stderr.isatty():
        yield Work(lambda _: None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.text import Text

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=total)

        def step(text: str) -> None:
            progress.update(task, advance=1, description=f"{title}: {Text(printable(text)).markup}")

        yield Work(step)
