"""Payloads as bytes: cut out of a vendor's pages exactly, read back block by block, bad ones set aside alone."""

from __future__ import annotations

import io
import json
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolleno_pipelines.connectors.json_pages import PageError, elements
from kolleno_pipelines.connectors.payload_blocks import normalise_block, payload_blocks
from kolleno_pipelines.schemas.records import PAYLOADS, Normalised

_FIELDS: list[tuple[str, pa.DataType]] = [("Id", pa.string()), ("Amount", pa.decimal128(20, 6))]
SCHEMA = pa.schema(_FIELDS)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def test_elements_are_the_bytes_that_the_vendor_sent() -> None:
    body = b'{"time": 1, "QueryResponse" :{"startPosition":1, "Invoice": [ {"Id":"1",\r\n "A": 1.10}, {"Id":"2"} ]}}'
    found = list(elements(body, "QueryResponse", "Invoice"))
    assert [payload for payload, _ in found] == [b'{"Id":"1",   "A": 1.10}', b'{"Id":"2"}']
    assert found[0][1] == {"Id": "1", "A": "1.10"}, "numbers stay text"


def test_a_star_goes_through_every_key_and_element() -> None:
    body = b'{"CDCResponse":[{"QueryResponse":[{"Customer":[{"Id":"1"}]},{},{"Invoice":[{"Id":"2"}]}]}]}'
    assert [value["Id"] for _, value in elements(body, "CDCResponse", "*", "QueryResponse", "*", "*")] == ["1", "2"]
    assert list(elements(body, "CDCResponse", "*", "absent")) == []


@pytest.mark.parametrize("body", [b"<html>", b"", b'{"a":[{"b":1', b'{"a" 1}', b'{"a":[1 2]}', b"plain words"])
def test_an_answer_that_is_not_json_is_an_error(body: bytes) -> None:
    with pytest.raises(PageError, match="not JSON"):
        list(elements(body, "a"))


@given(st.lists(st.dictionaries(st.text(max_size=4), _JSON, max_size=4), max_size=4), st.sampled_from([None, 0, 2]))
def test_whatever_a_page_holds_comes_out_as_it_went_in(objects: list[dict[str, object]], indent: int | None) -> None:
    body = json.dumps({"before": [1, {"x": []}], "page": objects, "after": "]}"}, indent=indent).encode()
    found = list(elements(body, "page"))
    assert [json.loads(payload) for payload, _ in found] == objects
    assert all(b"\n" not in payload for payload, _ in found)


def test_blocks_keep_line_numbers_and_exact_amounts() -> None:
    lines = [b'{"Id": "%d", "Amount": %d.10, "More": {"x": [1]}}' % (n, n) for n in range(1, 200)]
    tables = [table for table, bad in payload_blocks(io.BytesIO(b"\n".join(lines)), SCHEMA, block_bytes=500) if not bad]
    assert len(tables) > 5
    table = pa.concat_tables(tables)
    assert table["line"].to_pylist() == list(range(1, 200))
    assert table["Amount"].to_pylist() == [Decimal(n) + Decimal("0.10") for n in range(1, 200)]
    assert len(set(table["digest"].to_pylist())) == 199


@pytest.mark.parametrize(
    "bad",
    [b'{"Id": "2", "Amount": 1.1234567}', b'{"Id": 2}', b"{", b"nonsense", b'{"Id": "2"} {"Id": "3"}', b'{"Id":"2"}}'],
)
def test_a_bad_payload_is_set_aside_alone(bad: bytes) -> None:
    stream = io.BytesIO(b'{"Id": "1", "Amount": 1}\n' + bad + b'\n\n{"Id": "4"}\n')
    ((table, quarantined),) = payload_blocks(stream, SCHEMA)
    assert table["line"].to_pylist() == [1, 4]
    assert [one.line for one in quarantined] == [2]
    assert "cannot be read" in quarantined[0].reason


def test_payloads_that_cannot_be_normalised_are_found_in_few_steps() -> None:
    lines = b"".join(b'{"Id": "%d", "Amount": %d}\n' % (number, number) for number in range(1_000))
    ((table, _),) = payload_blocks(io.BytesIO(lines), SCHEMA)
    sizes: list[int] = []

    def normalise(extract: str, part: pa.Table) -> Normalised:
        sizes.append(part.num_rows)
        if {"7", "640"} & set(part["Id"].to_pylist()):
            raise ValueError(f"a number that {extract} do not have")
        own = [
            {"line": line, "kind": extract, "source_id": source_id, "is_deleted": False, "digest": "0"}
            for line, source_id in zip(part["line"].to_pylist(), part["Id"].to_pylist(), strict=True)
        ]
        return Normalised(pa.Table.from_pylist(own, schema=PAYLOADS))

    said = normalise_block(normalise, "things", table)
    assert [(one.line, one.source_id, one.reason) for one in said.quarantined] == [
        (8, "7", "a value cannot be read: a number that things do not have"),
        (641, "640", "a value cannot be read: a number that things do not have"),
    ]
    assert said.payloads["line"].to_pylist() == [line for line in range(1, 1_001) if line not in {8, 641}]
    assert len(sizes) < 50, "the good ones are not normalised one by one"


def test_a_normaliser_that_cannot_take_an_empty_block_is_not_asked_for_ever() -> None:
    ((table, _),) = payload_blocks(io.BytesIO(b'{"Id": "1"}\n'), SCHEMA)

    def normalise(extract: str, part: pa.Table) -> Normalised:
        raise ValueError(extract)

    with pytest.raises(ValueError, match="things"):
        normalise_block(normalise, "things", table.slice(1))
