"""Archived payloads, one JSON object a line, as Arrow tables of an extract's schema, block by block. No decisions.

A block that cannot be read is read again line by line, so that one bad payload is set aside with its reason and the
rest go on. Amounts are exact: a number with more than six decimals is such a reason.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.json

from kolleno_pipelines.connectors.row_faults import without_faulty
from kolleno_pipelines.connectors.value_faults import without_invalid
from kolleno_pipelines.schemas.records import PAYLOADS, Normalised, Quarantined

BLOCK_BYTES = 8 * 1024 * 1024
_json: Any = pyarrow.json


class Readable(Protocol):
    """The one method that is needed of an open binary file."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none at the end."""


def payload_blocks(
    stream: Readable, schema: pa.Schema, *, forms: Sequence[pa.Schema] = (), block_bytes: int = BLOCK_BYTES
) -> Iterator[tuple[pa.Table, list[Quarantined]]]:
    """Yield tables of the schema with `line` (from 1) and `digest` of each payload, and what could not be read.

    forms: schemas that are tried in their order where that one does not fit.
    """
    line, schemas = 1, (schema, *forms)
    for block in _whole_lines(stream, block_bytes):
        payloads = block.splitlines()
        numbers = [number for number, payload in enumerate(payloads, start=line) if payload.strip()]
        yield from _read(numbers, [payload for payload in payloads if payload.strip()], schemas)
        line += len(payloads)


def _whole_lines(stream: Readable, size: int) -> Iterator[bytes]:
    rest = b""
    while data := stream.read(size):
        cut = data.rfind(b"\n") + 1
        if cut:
            yield rest + data[:cut]
            rest = data[cut:]
        else:
            rest += data
    if rest:
        yield rest


def _read(
    numbers: list[int], payloads: list[bytes], schemas: Sequence[pa.Schema]
) -> Iterator[tuple[pa.Table, list[Quarantined]]]:
    for schema in schemas:
        try:
            table = _table(numbers, payloads, schema)
        except pa.ArrowInvalid:
            continue
        yield table, []
        return
    yield from _read_one_by_one(numbers, payloads, schemas)


def _read_one_by_one(
    numbers: list[int], payloads: list[bytes], schemas: Sequence[pa.Schema]
) -> Iterator[tuple[pa.Table, list[Quarantined]]]:
    tables = [[_table([], [], schema)] for schema in schemas]
    quarantined: list[Quarantined] = []
    for number, payload in zip(numbers, payloads, strict=True):
        faults: list[pa.ArrowInvalid] = []
        for fitting, schema in zip(tables, schemas, strict=True):
            try:
                fitting.append(_table([number], [payload], schema))
            except pa.ArrowInvalid as error:
                faults.append(error)
            else:
                break
        if len(faults) == len(schemas):
            quarantined.append(Quarantined(number, _id_of(payload, schemas[0].names[0]), _reason(faults[0])))
    yield pa.concat_tables(tables[0]), quarantined
    yield from ((pa.concat_tables(fitting), []) for fitting in tables[1:] if len(fitting) > 1)


def _table(numbers: list[int], payloads: list[bytes], schema: pa.Schema) -> pa.Table:
    if payloads:
        options = _json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
        size = sum(map(len, payloads)) + len(payloads)
        reading = _json.ReadOptions(use_threads=False, block_size=size)
        table = _json.read_json(io.BytesIO(b"\n".join(payloads)), read_options=reading, parse_options=options)
    else:
        table = schema.empty_table()
    if table.num_rows != len(payloads):
        raise pa.ArrowInvalid("the line holds more or less than one JSON object")
    digests = [hashlib.sha256(payload).hexdigest() for payload in payloads]
    selected: pa.Table = table.select(schema.names)
    selected = selected.append_column("line", pa.array(numbers, pa.int32()))
    return selected.append_column("digest", pa.array(digests, pa.string()))


def _id_of(payload: bytes, field: str) -> str | None:
    """Return the id of a payload of which some other field cannot be read, so that a good version makes it good."""
    try:
        value = json.loads(payload).get(field)
    except (ValueError, AttributeError, RecursionError):
        return None
    return value if isinstance(value, str) else None


def _reason(error: pa.ArrowInvalid) -> str:
    text = " ".join(str(error).split()).removeprefix("JSON parse error: ")
    return f"the payload cannot be read: {text.removesuffix(' in row 0')[:300]}"


#: What a payload can make a normaliser raise. It is the payload's fault or one of ours: either way the rest go on.
_FAULTS = (ValueError, TypeError, LookupError, ArithmeticError)


def normalise_block(normalise: Callable[[str, pa.Table], Normalised], extract: str, table: pa.Table) -> Normalised:
    """Normalise a block; where one of its payloads cannot be, in ever smaller parts, so that the others go on.

    What it gives can be stored (row_faults.py) and is valid (value_faults.py): payloads with other rows are set aside.
    """
    return without_invalid(without_faulty(_normalised(normalise, extract, table)))


def _normalised(normalise: Callable[[str, pa.Table], Normalised], extract: str, table: pa.Table) -> Normalised:
    try:
        return normalise(extract, table)
    except _FAULTS as error:
        if table.num_rows == 0:
            raise
        if table.num_rows == 1:
            line = int(table["line"][0].as_py())
            reason = f"a value cannot be read: {' '.join(str(error).split())[:300]}"
            named = table.column(0)[0].as_py()
            quarantined = Quarantined(line, named if isinstance(named, str) else None, reason)
            return Normalised(PAYLOADS.empty_table(), {}, [quarantined])
    half = table.num_rows // 2
    parts = [_normalised(normalise, extract, part) for part in (table.slice(0, half), table.slice(half))]
    entities = {entity for part in parts for entity in part.rows}
    return Normalised(
        pa.concat_tables([part.payloads for part in parts]),
        {entity: pa.concat_tables([part.rows[entity] for part in parts if entity in part.rows]) for entity in entities},
        [one for part in parts for one in part.quarantined],
    )
