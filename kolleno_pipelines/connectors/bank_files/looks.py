"""Which files of a folder are a bank's, which of them are whole, when each counts as modified. None is read here."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from kolleno_pipelines.bank_connection import BankFilesConnection
from kolleno_pipelines.connectors.folders.drop import Drop, Entry, Listing

_OLD_ENOUGH = timedelta(seconds=60)
#: A look that begins too early by a clock's rounding would be none.
_A_LITTLE = 0.1


@dataclass(frozen=True)
class BankFile:
    """A file as it was listed. fault: why it is not read. is_whole: its sender has finished.

    modified_at: by the server's clock, but never later than the moment at which the source was opened by ours, so that
    a clock that is ahead delays nothing; None where the server does not say.
    """

    entry: Entry
    modified_at: datetime | None
    fault: str | None
    is_whole: bool


def look(drop: Drop, connection: BankFilesConnection, opened_at: datetime) -> list[BankFile]:
    """Return the bank's files by rising modified time; the folder is listed again where some are young.

    A file is whole that was not touched for a minute by the server's clock, or is as it was `settle` before. Raises
    ConnectorError when the folder cannot be listed.
    """
    listing = drop.listing(with_root=False)
    before = {entry.exact: entry for entry in matching(listing.entries, connection.files)}
    if any(not _is_old(entry, listing) and _fault(entry, connection) is None for entry in before.values()):
        time.sleep(connection.settle.total_seconds() + _A_LITTLE)
        listing = drop.listing(with_root=False)
    files = []
    for entry in matching(listing.entries, connection.files):
        modified_at = None if entry.modified_at is None else min(entry.modified_at, opened_at)
        fault = _fault(entry, connection)
        is_whole = fault is not None or _is_old(entry, listing) or before.get(entry.exact) == entry
        files.append(BankFile(entry, modified_at, fault, is_whole))
    return sorted(files, key=lambda file: (file.modified_at or opened_at, file.entry.exact))


def matching(entries: Iterable[Entry], pattern: str) -> list[Entry]:
    """Return the files that are named as a bank's; not folders, links, and names of files that are still written."""
    files = (entry for entry in entries if entry.is_file and not _is_part(entry.name))
    return [entry for entry in files if fnmatchcase(entry.name, pattern)]


def _is_part(name: str) -> bool:
    return name.startswith(".") or name.lower().endswith((".part", ".tmp"))


def _is_old(entry: Entry, listing: Listing) -> bool:
    return entry.modified_at is not None and entry.modified_at <= listing.server_now - _OLD_ENOUGH


def _fault(entry: Entry, connection: BankFilesConnection) -> str | None:
    """Why a file can never be read as it is, as a sentence for those who put it there."""
    if entry.name_fault is not None:
        return f"Its name is not used: {entry.name_fault}. The bank must rename it."
    if entry.size is None or entry.modified_at is None:
        return "The server states no size or no time of change for it, so that nobody knows when it is whole."
    if entry.size > connection.max_file_bytes:
        return (
            f"It has {entry.size:,} bytes; this connection takes at most {connection.max_file_bytes:,}. Raise"
            " max_file_bytes in connections.yaml, or ask the bank for smaller files."
        )
    return None
