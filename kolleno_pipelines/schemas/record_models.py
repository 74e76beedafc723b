"""pandera models of our entities as normalisers give them: columns, what must be there, the rules of values. No words.

Columns are records.py's, rules record_rules.py's: they are data there, so that no model is written out here.
Importing this module loads pandas and pandera (about a second): import it inside functions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
from pandera.errors import SchemaErrorReason, SchemaErrors

from kolleno_pipelines.schemas.record_rules import VALUE_RULES, AtLeast, MoreThan, OneOf, Passes, ValueRule
from kolleno_pipelines.schemas.records import RECORD_TABLES, RecordTable


def _check(rule: ValueRule) -> pandera.Check:
    match rule:
        case OneOf():
            return pandera.Check(lambda cells: cells.isin(rule.words()), name="one_of")
        case AtLeast():
            return pandera.Check.ge(rule.bound)
        case MoreThan():
            return pandera.Check.gt(rule.bound)
        case Passes():
            return pandera.Check(lambda cells: _passes(rule, cells), name="passes")
    raise TypeError(rule)


def _passes(rule: Passes, cells: pd.Series[str]) -> pd.Series[bool]:
    """Only texts that are not plain are looked at one by one; no cell is null."""
    passes = cells.str.contains(rule.plain, regex=True).to_numpy(dtype=bool, copy=True)
    for place in np.flatnonzero(~passes):
        passes[place] = rule.test(cells.iloc[place])
    return pd.Series(passes, cells.index)


def _model(table: RecordTable) -> pandera.DataFrameSchema:
    rules, needed = VALUE_RULES.get(table.entity, {}), {"line", "source_id", *table.required}
    columns = {
        field.name: pandera.Column(
            pd.ArrowDtype(field.type),
            checks=_check(rules[field.name]) if field.name in rules else None,
            nullable=field.name not in needed,
        )
        for field in table.schema
    }
    return pandera.DataFrameSchema(columns, strict=True, coerce=False, name=table.entity)


def _values(entity: str) -> pandera.DataFrameSchema:
    """The rules alone: types and what must be there are proven with Arrow by then (connectors/row_faults.py)."""
    columns = {
        name: pandera.Column(checks=_check(rule), nullable=True, required=False)
        for name, rule in VALUE_RULES[entity].items()
    }
    return pandera.DataFrameSchema(columns, name=entity)


#: Every entity as a whole: what a normaliser must give.
MODELS: dict[str, pandera.DataFrameSchema] = {entity: _model(table) for entity, table in RECORD_TABLES.items()}
_VALUES: dict[str, pandera.DataFrameSchema] = {entity: _values(entity) for entity in VALUE_RULES}


def validate(entity: str, rows: pa.Table) -> None:
    """Raise pandera's SchemaErrors, all at once, when rows break the model of their entity."""
    MODELS[entity].validate(rows.to_pandas(types_mapper=pd.ArrowDtype), lazy=True)


def broken_rules(entity: str, rows: pa.Table) -> Iterator[tuple[int, str]]:
    """Yield (row, column) of every value that breaks its rule; only columns with a rule and a value are looked at."""
    names = [name for name in VALUE_RULES.get(entity, ()) if rows[name].null_count < rows.num_rows]
    if not names:
        return
    frame = rows.select(names).to_pandas(types_mapper=pd.ArrowDtype)
    try:
        _VALUES[entity].validate(frame, lazy=True, inplace=True)
    except SchemaErrors as errors:
        if set(errors.error_counts) != {SchemaErrorReason.DATAFRAME_CHECK.name}:
            raise  # a rule that could not be looked at is a fault of ours
        failures = errors.failure_cases[["index", "column"]]
        yield from ((int(row), str(name)) for row, name in failures.itertuples(index=False))
