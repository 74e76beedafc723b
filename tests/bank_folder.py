"""A bank's folder for tests: a local one whose files, and what happens to them meanwhile, a test decides."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from kolleno_pipelines.connections import BankFilesConnection
from kolleno_pipelines.connectors.bank_files.client import BankFilesSource
from kolleno_pipelines.connectors.bank_files.faults import Found
from kolleno_pipelines.connectors.contract import Extract, Pass, Record, Window
from kolleno_pipelines.connectors.folders.client import open_folder
from kolleno_pipelines.connectors.folders.drop import Drop, Entry, Listing, Sink

NAMES = ("accounts", "files", "entries")
ACCOUNTS, FILES, ENTRIES = (Extract(name, name, pa.schema([("id", pa.string())])) for name in NAMES)
DAY = datetime(2026, 3, 1, 8, tzinfo=UTC)
WAIT = timedelta(milliseconds=20)


def cut(data: bytes, file: str) -> Iterator[Found]:
    """Read a file of lines `id text`: its account is its first word, its entries the lines."""
    yield Found("accounts", "A", json.dumps({"id": "A", "file": file}).encode())
    yield Found("files", file, json.dumps({"id": file, "faults": []}).encode())
    for line in data.decode().splitlines():
        source_id, _, text = line.partition(" ")
        yield Found("entries", source_id, json.dumps({"id": source_id, "text": text}).encode())


class Bank:
    """A local folder of a bank, and what was fetched from it; `meanwhile` happens before each listing but the first."""

    def __init__(self, folder: Path, kept_in: Path) -> None:
        self.folder, self.kept_in = folder, kept_in
        self.fetched: list[str] = []
        self.listings = 0
        self.meanwhile: Callable[[], object] = lambda: None
        self.before_fetching: Callable[[Entry], object] = lambda _: None

    def put(self, name: str, text: str, modified_at: datetime | None = DAY) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        if modified_at is not None:
            os.utime(path, (time.time(), modified_at.timestamp()))
        return path

    @contextmanager
    def open(self, **changes: object) -> Iterator[BankFilesSource]:
        connection = BankFilesConnection(location=self.folder.as_uri()).model_copy(update={"settle": WAIT} | changes)
        with open_folder(connection, str) as drop:
            yield BankFilesSource(_Watched(drop, self), connection, cut, kept_in=self.kept_in)

    def changes(self, extract: Extract = ENTRIES, **changes: object) -> list[str]:
        with self.open(**changes) as source:
            return ids(source.records(extract, window()))


class _Watched:
    """A `Drop` that tells the bank what is asked of it."""

    def __init__(self, drop: Drop, bank: Bank) -> None:
        self._drop, self._bank = drop, bank
        self.move, self.put_atomically, self.describe = drop.move, drop.put_atomically, drop.describe

    def listing(self, *, with_root: bool = True) -> Listing:
        if self._bank.listings:
            self._bank.meanwhile()
        self._bank.listings += 1
        return self._drop.listing(with_root=with_root)

    def download(self, entry: Entry, into: Sink, offset: int = 0) -> int:
        self._bank.before_fetching(entry)
        self._bank.fetched.append(entry.name)
        return self._drop.download(entry, into, offset)


def window(pass_: Pass = Pass.CHANGES, after: datetime | None = None, until: datetime | None = None) -> Window:
    return Window(pass_, after, until or datetime.now(UTC))


def ids(records: Iterator[Record]) -> list[str]:
    return [record.source_id for record in records]
