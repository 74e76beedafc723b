"""Rows of our entities for tests: the least that is valid, and Hypothesis strategies of everything that is."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from kolleno_pipelines.schemas.record_rules import VALUE_RULES, AtLeast, MoreThan, OneOf, Passes, ValueRule
from kolleno_pipelines.schemas.records import PAYLOADS, RECORD_TABLES, Cell, Normalised

Row = dict[str, Any]

_PLAIN: dict[Cell, Any] = {
    Cell.TEXT: "a",
    Cell.MONEY: Decimal(1),
    Cell.RATE: Decimal(1),
    Cell.DAY: date(2026, 2, 1),
    Cell.MOMENT: datetime(2026, 2, 1, tzinfo=UTC),
    Cell.FLAG: True,
    Cell.COUNT: 1,
    Cell.JSON: "{}",
}
#: What no database text can hold.
_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=8)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXT, inner, max_size=2),
    max_leaves=4,
)
_LIMIT = Decimal(10) ** 14
_CELLS: dict[Cell, st.SearchStrategy[Any]] = {
    Cell.TEXT: _TEXT,
    Cell.MONEY: st.decimals(1 - _LIMIT, _LIMIT - 1, places=6),
    Cell.RATE: st.decimals(1 - _LIMIT, _LIMIT - 1, places=24),
    Cell.DAY: st.dates(),
    Cell.MOMENT: st.datetimes(timezones=st.just(UTC)),
    Cell.FLAG: st.booleans(),
    Cell.COUNT: st.integers(-(2**31), 2**31 - 1),
    Cell.JSON: st.dictionaries(_TEXT, _JSON, max_size=2).map(json.dumps),
}


def valid_row(entity: str, **cells: Any) -> Row:
    """A row with what must be there and nothing else."""
    table, rules = RECORD_TABLES[entity], VALUE_RULES.get(entity, {})
    made = {name: _word(rules.get(name)) or _PLAIN[table.columns[name]] for name in table.required}
    return {"source_id": "1", **made, **cells}


def _word(rule: ValueRule | None) -> str | None:
    """A word of a closed list; a list where a JSON column is one."""
    if isinstance(rule, Passes) and not rule.test("{}") and rule.test("[]"):
        return "[]"
    return next(iter(rule.words())) if isinstance(rule, OneOf) else None


def said(*payloads: dict[str, list[Row]]) -> Normalised:
    """What a block of payloads says, each its rows by entity; their lines count from 1."""
    own = [
        {"line": line, "kind": "thing", "source_id": f"p{line}", "is_deleted": False, "digest": "0"}
        for line in range(1, len(payloads) + 1)
    ]
    rows = {
        entity: [{**row, "line": line} for line, payload in enumerate(payloads, 1) for row in payload.get(entity, ())]
        for entity in RECORD_TABLES
    }
    tables = {
        entity: pa.Table.from_pylist(made, schema=RECORD_TABLES[entity].schema) for entity, made in rows.items() if made
    }
    return Normalised(pa.Table.from_pylist(own, schema=PAYLOADS), tables)


def rows_of(entity: str) -> st.SearchStrategy[Row]:
    """Any row of an entity whose values the rules allow."""
    table, rules = RECORD_TABLES[entity], VALUE_RULES.get(entity, {})
    cells = {"source_id": _TEXT}
    for name, cell in table.columns.items():
        values = _allowed(rules.get(name), _CELLS[cell])
        cells[name] = values if name in table.required else st.none() | values
    return st.fixed_dictionaries(cells)


def _allowed(rule: ValueRule | None, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    match rule:
        case OneOf():
            return st.sampled_from(sorted(rule.words()))
        case AtLeast():
            return values.map(lambda value: max(value, rule.bound))
        case MoreThan():
            return values.filter(lambda value: value > rule.bound)
        case Passes():
            return values.filter(rule.test)
    return values
