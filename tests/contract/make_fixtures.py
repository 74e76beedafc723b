"""Recorded payloads of every extract, for the contract tests.

    python -m tests.contract.make_fixtures [SYSTEM ...]     writes them again from the simulated vendors

Payloads of a real account may stand there too, if nothing in them is about a person.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from kolleno_pipelines.connectors.bank_files.documents import read_document
from kolleno_pipelines.connectors.contract import Record
from kolleno_pipelines.connectors.registry import CONNECTORS, connector_of
from kolleno_pipelines.sandbox.bank.cases import CASES
from tests.contract.vendors import FIXTURES, client_of, serve

MOST = 6


def main(systems: list[str]) -> None:
    """Write the fixtures of some systems, or of all."""
    for system in systems or CONNECTORS:
        if system == "bank_files":
            _write(system, _of_bank())  # of which the XML is a text of one shape
            continue
        with serve(system) as vendor, client_of(vendor) as client:
            found = client.read_whole(connector_of(system))
            _write(system, {extract: _various(records) for extract, records in found.items()})


def _write(system: str, found: Mapping[str, list[Record]]) -> None:
    folder = FIXTURES / system
    folder.mkdir(parents=True, exist_ok=True)
    for extract, records in found.items():
        lines = [record.payload + b"\n" for record in records]
        (folder / f"{extract}.jsonl").write_bytes(b"".join(lines))


def _of_bank() -> dict[str, list[Record]]:
    """A file of each of some cases of the sandbox's bank."""
    found: dict[str, list[Record]] = {extract.name: [] for extract in connector_of("bank_files").extracts}
    for name in ("by_trace", "in_a_batch_of_version_02", "exchanged", "notified_only", "by_account_number"):
        file = next(each for each in CASES[name]().files if b"Ntry" in each.data)
        for one in read_document(file.data, file.name):
            if len(found[one.extract]) < MOST:
                found[one.extract].append(Record(one.payload, one.source_id, file.modified))
    return found


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
