"""One line of the table: a figure, its unit, what it should reach. How figures are measured does not belong here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Line:
    """A figure; `target` is the most it may be, None for a figure that is only shown."""

    name: str
    value: float
    unit: str
    target: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None where there is none."""
        return None if self.target is None else self.value <= self.target

    def to_json(self) -> dict[str, Any]:
        """Return the element of results.json."""
        value = round(self.value, 3)
        return {"name": self.name, "value": value, "unit": self.unit, "target": self.target, "met": self.met}


def middle(figures: Iterable[float]) -> float:
    """Return the median of repeated measurements."""
    return float(median(figures))


def print_table(lines: Sequence[Line]) -> None:
    """Print the lines as one table on stdout."""
    words = {None: "", True: "met", False: "MISSED"}
    rows = [("line", "value", "unit", "at most", "", "")]
    rows += [
        (
            line.name,
            f"{line.value:,.2f}",
            line.unit,
            "" if line.target is None else f"{line.target:,g}",
            words[line.met],
            line.note,
        )
        for line in lines
    ]
    widths = [max(len(row[place]) for row in rows) for place in range(6)]
    for row in rows:
        numbers = {1, 3}
        cells = [
            text.rjust(width) if place in numbers else text.ljust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def write_results(path: Path, lines: Sequence[Line], order: Sequence[str]) -> None:
    """Write results.json; lines that were not measured now keep their last figure."""
    known = {each["name"]: each for each in json.loads(path.read_text())} if path.exists() else {}
    known |= {line.name: line.to_json() for line in lines}
    kept = [known[name] for name in order if name in known]
    path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
