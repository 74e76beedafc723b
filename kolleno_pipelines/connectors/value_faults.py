"""Which payloads made rows with values that our model does not have, and why; they are set aside whole.

The rules are schemas/record_rules.py's, proven with pandera. What no column can hold is row_faults.py's.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa

from kolleno_pipelines.connectors.row_faults import set_aside
from kolleno_pipelines.schemas.findings import shown
from kolleno_pipelines.schemas.record_rules import VALUE_RULES
from kolleno_pipelines.schemas.records import Normalised

_MOST = 5


def without_invalid(said: Normalised) -> Normalised:
    """Return what is valid of a block; a payload with a value that is not is quarantined, with all that is wrong."""
    faults: dict[int, list[str]] = {}
    for entity, rows in said.rows.items():
        for line, reason in _invalid(entity, rows):
            faults.setdefault(line, []).append(reason)
    return set_aside(said, {line: _told(reasons) for line, reasons in faults.items()})


def _invalid(entity: str, rows: pa.Table) -> Iterator[tuple[int, str]]:
    """Yield (line, reason) of each value that breaks its rule."""
    if rows.num_rows == 0 or entity not in VALUE_RULES:
        return
    from kolleno_pipelines.schemas.record_models import broken_rules  # loads pandera: a second, and only here

    for row, column in broken_rules(entity, rows):
        rule, value = VALUE_RULES[entity][column], rows[column][row].as_py()
        reason = f"{column} '{shown(_text(value))}' of {entity} {rule.wrong}, expected {rule.expected}"
        yield int(rows["line"][row].as_py()), reason


def _text(value: Any) -> str:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


def _told(reasons: list[str]) -> str:
    distinct = list(dict.fromkeys(reasons))
    more = f"; and {len(distinct) - _MOST:,} more" if len(distinct) > _MOST else ""
    return "; ".join(distinct[:_MOST]) + more
