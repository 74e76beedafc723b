"""Payloads that come again because readings overlap, and say nothing new: they need not land again. Nothing is read.

A payload is left out only if it is byte for byte the newest version that the fold knows of its object: landing it again
would change no record. What another version has replaced meanwhile lands, for it is news then (docs/model.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice

from kolleno_pipelines.connectors.contract import Record, Window
from kolleno_pipelines.pipeline.parts import Reading
from kolleno_pipelines.storage import versions
from kolleno_pipelines.storage.archive import ArchiveError

_EVER = datetime.min.replace(tzinfo=UTC)


def newest_known(reading: Reading, ids: Sequence[str]) -> dict[str, str]:
    """Return id -> digest of the newest payload; nothing is known while a part waits to be normalised."""
    with reading.deployment.transaction() as conn:
        if not versions.is_settled(conn, reading.connection, reading.extract.name, _EVER):
            return {}
        return versions.newest_digests(conn, reading.connection, reading.extract.name, ids)


def without_known(part: Sequence[Record], known: Mapping[str, str]) -> list[Record]:
    """Return what of a part is not, byte for byte, what is known of its object."""
    return [each for each in part if known.get(each.source_id) != hashlib.sha256(each.payload).hexdigest()]


def without_repetitions(reading: Reading, window: Window, part: list[Record], reached: datetime | None) -> list[Record]:
    """Return what of a part is new. Only what was modified up to `reached` can have come before."""
    if reached is None or window.after is None:
        return part
    ids = [each.source_id for each in part if each.modified_at is not None and each.modified_at <= reached]
    if not ids:
        return part
    connection, extract = reading.connection, reading.extract.name
    with reading.deployment.transaction() as conn:
        if not versions.is_settled(conn, connection, extract, window.after):
            return part
        known = versions.newest_digests(conn, connection, extract, ids)
        aside = versions.kept_aside(conn, connection, extract, ids)
    known |= {source_id: _digest(reading, *place) for source_id, place in aside.items()}
    # Of what cannot have come before nothing is compared.
    return without_known(part, known)


def _digest(reading: Reading, sha256: str, line: int) -> str:
    """Return the digest of a line in the archive; of none where it cannot be read: then the payload lands again."""
    try:
        with reading.deployment.archive.open(sha256) as stream:
            payload = next(islice(stream, line - 1, None), b"")
    except (ArchiveError, OSError):
        return ""
    return hashlib.sha256(payload.rstrip(b"\n")).hexdigest()
