"""Contract of every registered connector, offline: what is registered, its fixtures, what they become."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import kolleno_pipelines.connectors
from kolleno_pipelines.connections import SYSTEMS
from kolleno_pipelines.connectors.contract import Connector, Extract, Pass
from kolleno_pipelines.connectors.payload_blocks import normalise_block, payload_blocks
from kolleno_pipelines.connectors.registry import CONNECTORS, connector_of
from kolleno_pipelines.pipeline.sources import SOURCES
from kolleno_pipelines.schemas.api_systems import API_SYSTEMS
from kolleno_pipelines.schemas.record_models import validate
from kolleno_pipelines.schemas.records import PAYLOADS, RECORD_TABLES, Normalised
from tests.contract.vendors import FIXTURES, HERE, OF_FOLDERS

FOLDERS = [path.parent for path in Path(kolleno_pipelines.connectors.__file__).parent.glob("*/connector.py")]
NAMES = [path.name for path in FOLDERS]
#: What a system is read for.
MAIN = {"customers", "invoices", "charges", "payouts", "balance_transactions", "bank_lines"}


def test_registry_and_folders_are_the_same() -> None:
    assert sorted(NAMES) == sorted(CONNECTORS), "a line in connectors/registry.py for each folder with a connector.py"


@pytest.mark.parametrize("system", sorted({*CONNECTORS, *NAMES}))
def test_a_system_has_all_its_parts(system: str) -> None:
    lacking = [
        what
        for what, is_there in (
            ("a line in connectors/registry.py", system in CONNECTORS),
            ("a connection type in connections.py", system in SYSTEMS),
            ("a line in SOURCES of pipeline/sources.py", system in SOURCES),
            ("an entry in schemas/api_systems.py", system in API_SYSTEMS),
            (
                "tests/contract/systems/<system>.py",
                system in OF_FOLDERS or (HERE / "systems" / f"{system}.py").exists(),
            ),
            ("tests/contract/fixtures/<system>/", (FIXTURES / system).is_dir()),
            ("README.md in its folder", any((path / "README.md").exists() for path in FOLDERS if path.name == system)),
        )
        if not is_there
    ]
    assert lacking == [], f"{system} lacks {lacking}: docs/adding-a-connector.md tells how they are written"


@pytest.fixture(params=CONNECTORS)
def connector(request: pytest.FixtureRequest) -> Connector:
    return connector_of(request.param)


def payloads_of(connector: Connector, extract: Extract) -> list[bytes]:
    path = FIXTURES / connector.system / f"{extract.name}.jsonl"
    assert path.exists(), f"record a few payloads of {extract.name} in {path}"
    return path.read_bytes().splitlines()


def normalised(connector: Connector, extract: Extract, payloads: list[bytes]) -> Normalised:
    """What payloads say, as the pipeline has it."""
    said: list[Normalised] = []
    for table, unreadable in payload_blocks(
        io.BytesIO(b"".join(payload + b"\n" for payload in payloads)), extract.schema
    ):
        said.append(normalise_block(connector.normalise, extract.name, table))
        said[-1].quarantined += unreadable
    assert len(said) == 1, "fixtures are small"
    return said[0]


def test_extracts_are_named_once_and_read_exactly(connector: Connector) -> None:
    names = [extract.name for extract in connector.extracts]
    assert len(names) == len(set(names))
    assert all(name.islower() and name.isidentifier() for name in names)
    assert all(extract.passes for extract in connector.extracts)
    inexact = [f"{e.name}.{path}" for e in connector.extracts for path, kind in _types(e.schema) if _is_float(kind)]
    assert inexact == [], "amounts are decimals"


def test_what_hangs_on_objects_is_read_by_their_ids_alone(connector: Connector) -> None:
    names = [extract.name for extract in connector.extracts]
    hanging = [extract for extract in connector.extracts if extract.hangs_on is not None or extract.flag is not None]
    for extract in hanging:
        assert extract.hangs_on in names[: names.index(extract.name)], "parents first"
        assert extract.passes == {Pass.LOOKUP}
        objects = [json.loads(payload) for payload in payloads_of(connector, connector.extract(extract.hangs_on))]
        assert extract.flag is None or all(isinstance(one.get(extract.flag), bool) for one in objects)
    assert API_SYSTEMS[connector.system].also_read == tuple(extract.name for extract in hanging)


def test_fixtures_are_objects_of_every_extract(connector: Connector) -> None:
    folder = FIXTURES / connector.system
    assert sorted(path.stem for path in folder.iterdir()) == sorted(extract.name for extract in connector.extracts)
    for extract in connector.extracts:
        objects = [json.loads(payload) for payload in payloads_of(connector, extract)]
        assert objects, extract.name
        read = set(extract.schema.names)
        assert all(isinstance(one, dict) and read & set(one) for one in objects), extract.name


def test_fixtures_become_valid_rows(connector: Connector) -> None:
    made: set[str] = set()
    for extract in connector.extracts:
        payloads = payloads_of(connector, extract)
        said = normalised(connector, extract, payloads)
        assert said.quarantined == [], extract.name
        assert said.payloads.schema.equals(PAYLOADS)
        assert said.payloads["line"].to_pylist() == list(range(1, len(payloads) + 1)), "a row for each payload"
        assert all(said.payloads["source_id"].to_pylist())
        for entity, rows in said.rows.items():
            _assert_valid(entity, rows, len(payloads))
            made |= {entity} if rows.num_rows else set()
    told = set(API_SYSTEMS[connector.system].entities)
    assert made <= told, "schemas/api_systems.py names what a system has"
    assert told & MAIN, "documents, or money in a payment provider or a bank"
    assert told & MAIN <= made


def _assert_valid(entity: str, rows: pa.Table, payloads: int) -> None:
    assert rows.schema.equals(RECORD_TABLES[entity].schema), entity
    validate(entity, rows)
    assert [path for path, kind in _types(rows.schema) if _is_float(kind)] == []
    assert set(rows["line"].to_pylist()) <= set(range(1, payloads + 1))
    keys = list(zip(rows["line"].to_pylist(), rows["source_id"].to_pylist(), strict=True))
    assert len(keys) == len(set(keys)), f"a payload says a record of {entity} once"


def test_what_cannot_be_read_is_quarantined_alone(connector: Connector) -> None:
    for extract in connector.extracts:
        good = payloads_of(connector, extract)
        bad = [b'{"cut": ', b"no JSON at all", b"[1, 2]", b'"a text"', b"{}", *_wrong(extract, good[0])]
        mixed = [one for pair in zip([good[0]] * len(bad), bad, strict=True) for one in pair]
        said = normalised(connector, extract, [*mixed, *good])
        lines = sorted(one.line for one in said.quarantined)
        assert lines == list(range(2, len(mixed) + 1, 2)), extract.name
        assert all(len(one.reason) > 10 for one in said.quarantined)
        alone = normalised(connector, extract, good)
        behind = {line: line - len(mixed) for line in range(len(mixed) + 1, len(mixed) + len(good) + 1)}
        for entity, rows in alone.rows.items():
            kept = [
                {**row, "line": behind[row["line"]]} for row in said.rows[entity].to_pylist() if row["line"] in behind
            ]
            assert kept == rows.to_pylist(), f"the others go on: {extract.name}, {entity}"


def _wrong(extract: Extract, payload: bytes) -> Iterator[bytes]:
    """A payload whose first amount is a word, and one whose amount has more digits than any currency."""
    said: dict[str, Any] = json.loads(payload)
    amount = next((field.name for field in extract.schema if _is_amount(field) and field.name in said), None)
    if amount is not None:
        yield json.dumps({**said, amount: "many"}).encode()
        yield json.dumps({**said, amount: 0}).replace(f'"{amount}": 0', f'"{amount}": 0.1234567').encode()


def _is_amount(field: pa.Field[Any]) -> bool:
    """Major units are decimals, minor ones whole numbers; a rate may have more decimals than an amount."""
    if pa.types.is_decimal(field.type):
        return bool(field.type.scale <= 6)
    return field.name == "amount"


def _types(schema: pa.Schema) -> Iterator[tuple[str, pa.DataType]]:
    waiting = [(field.name, field.type) for field in schema]
    while waiting:
        path, kind = waiting.pop()
        yield path, kind
        if pa.types.is_list(kind):
            waiting.append((f"{path}[]", kind.value_type))
        elif pa.types.is_struct(kind):
            waiting += [(f"{path}.{field.name}", field.type) for field in kind]


def _is_float(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind))
