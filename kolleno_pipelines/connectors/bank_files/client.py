"""Reading a bank's files as a source of records: one look at the folder, and each file fetched and cut once.

What the files hold does not belong here (documents.py), nor how a folder is reached (connectors/folders). Every extract
of a reading is of the same files as they then were: what is cut of a file is kept in a folder until the source closes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TypeAlias

from kolleno_pipelines.bank_connection import BankFilesConnection
from kolleno_pipelines.connectors.bank_files.faults import Found, unreadable
from kolleno_pipelines.connectors.bank_files.looks import BankFile, look, matching
from kolleno_pipelines.connectors.contract import Extract, Pass, Record, Window
from kolleno_pipelines.connectors.errors import Changed, Permanent
from kolleno_pipelines.connectors.folders.drop import Drop

#: Cuts the bytes of a file, whose name is for messages, into payloads; never raises.
ReadDocument: TypeAlias = Callable[[bytes, str], Iterable[Found]]


class BankFilesSource:
    """`RecordSource` over an open folder. A record's modified time is its file's.

    kept_in: an empty folder that nobody else reads, for what is cut of the files.
    """

    def __init__(
        self, drop: Drop, connection: BankFilesConnection, read_document: ReadDocument, *, kept_in: Path
    ) -> None:
        self._drop = drop
        self._connection = connection
        self._read_document = read_document
        self._kept_in = kept_in
        self._opened_at = datetime.now(UTC)
        self._files: list[BankFile] | None = None
        #: Exact name -> what was cut of it, by extract; None of one that was not there any more as listed.
        self._cut: dict[bytes, dict[str, Path] | None] = {}
        self._gone: dict[bytes, bool] = {}

    def records(self, extract: Extract, window: Window) -> Iterator[Record]:
        """See RecordSource. What changes lies by rising time, and ends at a file that is not whole yet.

        A sweep goes from the newest file to the oldest, and gives of each id the newest payload alone.
        """
        if window.pass_ not in {Pass.CHANGES, Pass.SWEEP}:
            raise ValueError(f"files of a bank cannot be asked for {window.pass_.value}")
        if self._files is None:
            self._files = look(self._drop, self._connection, self._opened_at)
        within = [file for file in self._files if _is_within(file, window)]
        if window.pass_ is Pass.CHANGES:
            yield from self._changes(extract.name, within)
        else:
            yield from self._sweep(extract.name, reversed(within))

    def _changes(self, extract: str, files: Iterable[BankFile]) -> Iterator[Record]:
        for file in files:
            if not self._is_ready(file):
                if self._is_gone(file):
                    continue
                return  # what is modified later waits with it, so that no watermark passes it
            yield from self._records(extract, file)

    def _sweep(self, extract: str, files: Iterable[BankFile]) -> Iterator[Record]:
        given: set[str] = set()
        for file in files:
            if not self._is_ready(file):
                continue
            # Within a file the last word about an id counts, as it does between two files.
            newest = {record.source_id: record for record in self._records(extract, file)}
            yield from (record for source_id, record in newest.items() if source_id not in given)
            given |= newest.keys()

    def _is_ready(self, file: BankFile) -> bool:
        """Whether the file is whole and could be fetched as listed, which is done now where it was not."""
        if not file.is_whole:
            return False
        exact = file.entry.exact
        if exact not in self._cut:
            try:
                self._cut[exact] = self._keep(len(self._cut), self._found(file))
            except Changed:
                self._cut[exact] = None
        return self._cut[exact] is not None

    def _is_gone(self, file: BankFile) -> bool:
        """Whether a file that cannot be had as listed is not there any more; else it is being written."""
        exact = file.entry.exact
        if exact not in self._gone:
            listing = self._drop.listing(with_root=False)
            self._gone[exact] = all(entry.exact != exact for entry in listing.entries)
        return self._gone[exact]

    def _found(self, file: BankFile) -> Iterable[Found]:
        """Fetch a file and cut it. Raises Changed, and what stops all files (Retryable, NeedsHuman)."""
        name = file.entry.name
        if file.fault is not None:
            return [unreadable(name, file.fault)]
        fetched = BytesIO()
        try:
            self._drop.download(file.entry, fetched)
        except Permanent as error:
            return [unreadable(name, error.message)]
        return self._read_document(fetched.getvalue(), name)

    def _keep(self, number: int, found: Iterable[Found]) -> dict[str, Path]:
        """Write what was found, a line each: the id as JSON, a tab, the payload."""
        paths: dict[str, Path] = {}
        with ExitStack() as opened:
            written = {}
            for one in found:
                if one.extract not in written:
                    paths[one.extract] = self._kept_in / f"{number}.{one.extract}"
                    written[one.extract] = opened.enter_context(paths[one.extract].open("wb"))
                written[one.extract].write(json.dumps(one.source_id).encode() + b"\t" + one.payload + b"\n")
        return paths

    def _records(self, extract: str, file: BankFile) -> Iterator[Record]:
        path = (self._cut[file.entry.exact] or {}).get(extract)
        if path is None:
            return
        with path.open("rb") as kept:
            for line in kept:
                source_id, _, payload = line.rstrip(b"\n").partition(b"\t")
                yield Record(payload, json.loads(source_id), file.modified_at)


def describe(drop: Drop, connection: BankFilesConnection) -> tuple[str, ...]:
    """Return sentences for `kolleno connections check`: what was reached, and how many files are a bank's by name."""
    told = drop.describe()
    named = [entry for entry in matching(drop.listing(with_root=False).entries, connection.files) if entry.readable]
    return (*told, f"Names that match files, {connection.files}: {len(named)}.")


def _is_within(file: BankFile, window: Window) -> bool:
    if file.modified_at is None:
        return True
    return (window.after is None or file.modified_at >= window.after) and file.modified_at <= window.until
