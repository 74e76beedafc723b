"""Tables in the pages that are generated from data: codes, CSV columns, status words, rules of values.

    python -m tests.doc_tables     writes them into the pages again

A table stands between `<!-- table NAME -->` and `<!-- end -->`; tests/test_docs.py compares all but the measured
figures, which follow benchmarks/results.json when somebody writes them. No prose here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from kolleno_pipelines.schemas.codes import CODE_TEXTS, Level
from kolleno_pipelines.schemas.record_rules import VALUE_RULES, ValueRule
from kolleno_pipelines.schemas.sftp_tables import TABLES, Column, Kind, TableName
from kolleno_pipelines.schemas.statuses import SFTP_STATUSES, CollectionStatus

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "docs/csv_format.md", "docs/model.md")
MEASURED = "docs/performance.md"
RESULTS = ROOT / "benchmarks" / "results.json"
_MARKED = re.compile(r"(<!-- table (?P<name>[a-z_]+) -->\n).*?(<!-- end -->)", re.DOTALL)

_HAPPENS = {
    Level.NOTICE: "not read",
    Level.FAILED: "file fails",
    Level.REJECTED: "row rejected",
    Level.PARKED: "row waits",
    Level.WARNING: "row loads",
    Level.FINDING: "listed as a break",
}
_CELL = {
    Kind.ID: "id, at most 255 characters",
    Kind.TEXT: "text",
    Kind.NAME: "text (the word Null is allowed)",
    Kind.DECIMAL: "number such as `1234.50`",
    Kind.DATE: "`YYYY-MM-DD`",
    Kind.BOOLEAN: "`true` `false` `yes` `no` `1` `0`",
    Kind.CURRENCY: "ISO 4217, capitals",
    Kind.COUNTRY: "ISO 3166, two capitals",
    Kind.EMAIL: "one e-mail address",
    Kind.STATUS: "a status word, see below",
}


def codes() -> str:
    """Return the table of all codes, in the order of what they do."""
    rows = (
        (f"`{code.value}`", _HAPPENS[text.level], _sentence(text.meaning), text.next_step)
        for code, text in CODE_TEXTS.items()
    )
    return _table(("Code", "What happens", "What it means", "What to do"), rows)


def columns_of(table: TableName) -> str:
    """Return the table of one file's columns."""
    rows = (
        (f"`{column.name}`", column.requirement.value, _cell(column), column.provenance.value, column.basis)
        for column in TABLES[table].columns
    )
    return _table(("Column", "Requirement", "Cell", "Known from", "Basis and meaning"), rows)


def statuses() -> str:
    """Return the table of the status words and what each means."""
    rows = (
        (
            f"`{word}`",
            meaning.posting.value,
            "" if meaning.collection is CollectionStatus.NONE else meaning.collection.value,
            "yes" if meaning.closed else "",
        )
        for word, meaning in SFTP_STATUSES.items()
    )
    return _table(("Word", "posting_status", "collection_status", "promises a balance of 0"), rows)


def values() -> str:
    """Return the table of what values the columns of entities may have; columns of one rule are one line."""
    where: dict[tuple[str, ValueRule], list[str]] = {}
    for entity, rules in VALUE_RULES.items():
        for column, rule in rules.items():
            where.setdefault((column, rule), []).append(entity)
    rows = ((f"`{column}`", ", ".join(entities), rule.expected) for (column, rule), entities in where.items())
    return _table(("Column", "Of", "A value is"), rows)


def results() -> str:
    """Return the table of the figures measured last."""
    measured = json.loads(RESULTS.read_text(encoding="utf-8"))
    words = {None: "", True: "yes", False: "**no**"}
    rows = (
        (
            f"`{line['name']}`",
            f"{line['value']:,.2f} {line['unit']}",
            "" if line["target"] is None else f"{line['target']:,g}",
            words[line["met"]],
        )
        for line in measured
    )
    return _table(("Line", "Reached", "At most", "Met"), rows)


def tables() -> dict[str, Callable[[], str]]:
    """Return every generated table by the name in its marker."""
    return {"codes": codes, "statuses": statuses, "values": values} | {name.value: _of(name) for name in TableName}


def generated(text: str) -> str:
    """Return a page with its tables made from the data."""
    known = tables() | {"results": results}
    return _MARKED.sub(lambda found: f"{found[1]}{known[found['name']]()}{found[3]}", text)


def marked_in(text: str) -> Iterator[str]:
    """Yield the names of the tables that a page holds."""
    return (found["name"] for found in _MARKED.finditer(text))


def _of(name: TableName) -> Callable[[], str]:
    return lambda: columns_of(name)


def _cell(column: Column) -> str:
    words = [_CELL[column.kind]]
    if column.non_negative:
        words.append("0 or more")
    if column.aliases:
        words.append("the column may also be named " + " or ".join(f"`{alias}`" for alias in column.aliases))
    return "; ".join(words)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _table(header: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join(f"| {' | '.join(_escaped(cell) for cell in line)} |\n" for line in lines)


def _escaped(cell: str) -> str:
    """Angle brackets outside code would be taken for HTML, a bar for the end of the cell."""
    parts = cell.split("`")
    parts[::2] = [part.replace("<", "&lt;").replace(">", "&gt;") for part in parts[::2]]
    return "`".join(parts).replace("|", "\\|")


def main() -> None:
    """Write the tables into the pages."""
    for page in (*PAGES, *([MEASURED] if RESULTS.exists() else [])):
        path = ROOT / page
        path.write_text(generated(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
