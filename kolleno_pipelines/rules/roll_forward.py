"""Opening + what happened = closing, per day and currency: the proof of model 6, with what no allocation explains.

Where documents come from and where the rows go do not belong here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pyarrow as pa

from kolleno_pipelines.rules.allocated import LINES
from kolleno_pipelines.rules.columns import codes, is_one_of, taken
from kolleno_pipelines.rules.effective_days import Movements, day_number
from kolleno_pipelines.rules.residuals import BASES
from kolleno_pipelines.rules.scaled import Amounts, decimal, decimals, sums
from kolleno_pipelines.schemas.results import LINE_SIGNS, UNEXPLAINED, Line, RollForwardRow

_ROWS = len(LINES) + 1  # the lines, and one for transfers, which is index -1


@dataclass
class RollForward:
    """Roll-forward of one connection over the days first..last, summed from any number of parts of its ledger."""

    connection: str
    first: date
    last: date
    unexplained: list[pa.Table] = field(default_factory=list)
    _net: dict[str, Amounts] = field(default_factory=dict)  # per currency: [line, 0 = before first, then each day]
    _ahead: dict[str, int] = field(default_factory=dict)

    def add(self, moved: Movements) -> None:
        """Take one part of the ledger: its movements up to the last day, signed as they change what is owed to us."""
        width = (self.last - self.first).days + 2
        place = np.maximum(moved.day.astype(np.int64) - day_number(self.first) + 1, 0)
        kept = place < width
        place, document = place[kept], moved.document[kept]
        net = moved.amount[kept] * moved.linked.part.kind.sign
        line = moved.line[kept].astype(np.int64) % _ROWS
        currency, names = codes(moved.linked.part.documents["currency_iso"])
        code = currency[document]
        totals = sums((code * _ROWS + line) * width + place, net, len(names) * _ROWS * width)
        ahead = moved.ahead[kept]
        ahead_totals = sums(code[ahead], net[ahead], len(names))
        for place_of_name, name in enumerate(names):
            block = (
                totals[place_of_name * _ROWS * width : (place_of_name + 1) * _ROWS * width]
                .reshape(_ROWS, width)
                .astype(object)
            )
            self._net[name] = self._net[name] + block if name in self._net else block
            self._ahead[name] = self._ahead.get(name, 0) + int(ahead_totals[place_of_name])
        self._list_unexplained(moved)

    def rows(self, on: Iterable[date], today: date) -> Iterator[RollForwardRow]:
        """Return the rows of the days asked for; a currency without any figure on a day has no row."""
        wanted = sorted(set(on))
        for currency in sorted(self._net):
            by_line = self._net[currency]
            closings = np.cumsum(by_line.sum(axis=0))
            for day in wanted:
                place = (day - self.first).days + 1
                row = self._row(day, currency, by_line[:, place], int(closings[place - 1]))
                if today == day:
                    row = RollForwardRow(**{**row.__dict__, "dated_ahead": decimal(self._ahead[currency])})
                if any((row.opening, row.closing, *(getattr(row, line.value) for line in LINES))):
                    yield row

    def listed(self, on: Iterable[date]) -> pa.Table:
        """Return the documents behind the unexplained lines of the days asked for (UNEXPLAINED)."""
        every = pa.concat_tables([UNEXPLAINED.empty_table(), *self.unexplained])
        return every.filter(is_one_of(every["day"], sorted(set(on))))

    def _row(self, day: date, currency: str, net: Amounts, opening: int) -> RollForwardRow:
        lines = {line.value: decimal(int(net[place]) * LINE_SIGNS[line]) for place, line in enumerate(LINES)}
        closing = opening + int(net.sum())
        return RollForwardRow(
            day=day,
            connection=self.connection,
            currency_iso=currency,
            opening=decimal(opening),
            closing=decimal(closing),
            dated_ahead=decimal(0),
            **lines,
        )

    def _list_unexplained(self, moved: Movements) -> None:
        """Sum the unexplained movements of the days by document and basis, and keep them as a table."""
        chosen = np.flatnonzero(
            (moved.line == LINES.index(Line.UNEXPLAINED))
            & (moved.day >= day_number(self.first))
            & (moved.day <= day_number(self.last))
        )
        if len(chosen) == 0:
            return
        documents, kind = moved.linked.part.documents, moved.linked.part.kind
        width = (self.last - self.first).days + 1
        offset = moved.day[chosen].astype(np.int64) - day_number(self.first)
        keys = (moved.document[chosen] * width + offset) * len(BASES) + moved.basis[chosen]
        distinct, group = np.unique(keys, return_inverse=True)
        net = sums(group, moved.amount[chosen] * (kind.sign * LINE_SIGNS[Line.UNEXPLAINED]), len(distinct))
        document, basis = distinct // len(BASES) // width, distinct % len(BASES)
        day = (distinct // len(BASES) % width + day_number(self.first)).astype(np.int32)
        arrays = {
            "day": pa.array(day).cast(pa.date32()),
            "connection": pa.array([self.connection] * len(distinct), pa.string()),
            "kind": pa.array([kind.value] * len(distinct), pa.string()),
            "source_id": taken(documents["source_id"], document),
            "basis": pa.array([BASES[place].value for place in basis.tolist()], pa.string()),
            "currency_iso": taken(documents["currency_iso"], document),
            "amount": decimals(net),
        }
        self.unexplained.append(pa.table([arrays[name] for name in UNEXPLAINED.names], schema=UNEXPLAINED))
