"""Recorded payloads of every extract, for the contract tests.

    python -m tests.contract.make_fixtures [SYSTEM ...]     writes them again from the simulated vendors

Payloads of a real account may stand there too, if nothing in them is about a person.
"""

from __future__ import annotations

import json
import sys

from kolleno_pipelines.connectors.contract import Record
from kolleno_pipelines.connectors.registry import CONNECTORS, connector_of
from tests.contract.vendors import FIXTURES, client_of, serve

MOST = 6


def main(systems: list[str]) -> None:
    """Write the fixtures of some systems, or of all."""
    for system in systems or CONNECTORS:
        with serve(system) as vendor, client_of(vendor) as client:
            folder = FIXTURES / system
            folder.mkdir(parents=True, exist_ok=True)
            for extract, records in client.read_whole(connector_of(system)).items():
                lines = [record.payload + b"\n" for record in _various(records)]
                (folder / f"{extract}.jsonl").write_bytes(b"".join(lines))


def _various(records: list[Record]) -> list[Record]:
    """Return the first of each shape and status: which fields there are, and words in capitals."""
    shapes: dict[object, Record] = {}
    for record in records:
        shapes.setdefault(_shape(json.loads(record.payload)), record)
    return list(shapes.values())[:MOST]


def _shape(value: object) -> object:
    if isinstance(value, dict):
        return tuple((name, _shape(one)) for name, one in sorted(value.items()))
    if isinstance(value, list):
        return tuple(dict.fromkeys(map(_shape, value)))
    return value if isinstance(value, str) and value.isupper() and value.isalpha() else type(value).__name__


if __name__ == "__main__":
    main(sys.argv[1:])
