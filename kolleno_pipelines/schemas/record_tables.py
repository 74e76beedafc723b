"""The shape of what normalisers give: an entity's columns, what must be there, what it refers to, how it ends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


class Cell(StrEnum):
    """What a column holds."""

    TEXT = "text"
    MONEY = "money"
    RATE = "rate"
    DAY = "day"
    MOMENT = "moment"
    FLAG = "flag"
    COUNT = "count"
    JSON = "json"


#: The database's type of what a column holds.
SQL_TYPES: dict[Cell, str] = {
    Cell.TEXT: "text",
    Cell.MONEY: "numeric",
    Cell.RATE: "numeric",
    Cell.DAY: "date",
    Cell.MOMENT: "timestamptz",
    Cell.FLAG: "boolean",
    Cell.COUNT: "integer",
    Cell.JSON: "jsonb",
}


class Ending(StrEnum):
    """What becomes of a record that the newest set of its owner does not hold any more."""

    DELETED = "deleted"  # a document: it stays, closed
    REMOVED = "removed"  # an allocation: it stays, with the version in which it ended
    INACTIVE = "inactive"  # a link: it stays, no longer in use
    GONE = "gone"  # no record of its own: what took its place is all there is
    KEPT = "kept"  # the one record that its owner always is


@dataclass(frozen=True)
class Parent:
    """A reference that must be known before the row loads; until then it is parked with `code`.

    `when` (column, value) confines it to the rows that have that value there.
    """

    entity: str
    column: str
    code: str
    when: tuple[str, str] | None = None


@dataclass(frozen=True)
class RecordTable:
    """Rows of one entity as normalisers give them: column -> what it holds, beside `line` and `source_id`."""

    entity: str
    columns: dict[str, Cell]
    ending: Ending
    required: frozenset[str] = frozenset()
    parents: tuple[Parent, ...] = ()

    @property
    def schema(self) -> pa.Schema:
        """Columns of a frame: `line` of the payload, `source_id`, then the entity's own."""
        import pyarrow as pa  # the graph shows these columns, and is loaded without pyarrow

        columns: list[tuple[str, pa.DataType]] = [("line", pa.int32()), ("source_id", pa.string())]
        columns += [(name, _arrow(cell)) for name, cell in self.columns.items()]
        return pa.schema(columns)


def _arrow(cell: Cell) -> pa.DataType:
    import pyarrow as pa

    types: dict[Cell, pa.DataType] = {
        Cell.TEXT: pa.string(),
        Cell.MONEY: pa.decimal128(20, 6),
        Cell.RATE: pa.decimal128(38, 24),
        Cell.DAY: pa.date32(),
        Cell.MOMENT: pa.timestamp("us", "UTC"),
        Cell.FLAG: pa.bool_(),
        Cell.COUNT: pa.int32(),
        Cell.JSON: pa.string(),
    }
    return types[cell]
