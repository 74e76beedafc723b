"""The objects of one organisation with their history: what stood at a moment. No checks of what may be written.

An object is put whole; its `UpdatedDateUTC` becomes the moment of the change, unless the change is one that the vendor
does not announce.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right, insort
from datetime import datetime

from kolleno_pipelines.sandbox.xero.objects import Kind, Record


class Book:
    """Versions of objects by kind and id."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._log: list[tuple[Kind, str]] = []
        self._versions: dict[Kind, dict[str, list[tuple[datetime, Record | None]]]] = {kind: {} for kind in Kind}
        self._moments: dict[Kind, list[datetime]] = {kind: [] for kind in Kind}
        self._seen: dict[Kind, tuple[tuple[int, int], list[Record]]] = {}

    def put(self, kind: Kind, record: Record, at: datetime, *, announced: bool = True) -> Record:
        """Write a new version of an object, and return it. Raises ValueError when a newer one is there."""
        identity = record[kind.id_field]
        with self._lock:
            before = self._latest(kind, identity, at)
            moment = at if announced or before is None else before["UpdatedDateUTC"]
            version = record | {"UpdatedDateUTC": moment}
            self._write(kind, identity, version, at)
        return version

    def delete(self, kind: Kind, identity: str, at: datetime) -> None:
        """Make an object disappear without a trace, as no accounting document does: those get a status."""
        with self._lock:
            self._latest(kind, identity, at)
            self._write(kind, identity, None, at)

    def get(self, kind: Kind, identity: str, now: datetime) -> Record | None:
        """Return an object as it stood, or None when it was not there."""
        versions = self._versions[kind].get(identity, [])
        place = bisect_right(versions, now, key=lambda each: each[0])
        return versions[place - 1][1] if place else None

    def versions(self, kind: Kind, identity: str, now: datetime) -> list[tuple[datetime, Record | None]]:
        """Return what an object was, one version after the other, up to a moment."""
        return [each for each in self._versions[kind].get(identity, []) if each[0] <= now]

    def records(self, kind: Kind, now: datetime) -> list[Record]:
        """Return every object of a kind as it stood, in the order in which they first came."""
        with self._lock:
            moments = self._moments[kind]
            mark = (bisect_right(moments, now), len(moments))
            seen = self._seen.get(kind)
            if seen is None or seen[0] != mark:
                found = (self.get(kind, identity, now) for identity in self._versions[kind])
                seen = self._seen[kind] = (mark, [each for each in found if each is not None])
            return seen[1]

    def position(self, now: datetime) -> tuple[int, ...]:
        """Return a mark that changes whenever anything that stands at `now` changes."""
        with self._lock:
            return (len(self._log), *(bisect_right(moments, now) for moments in self._moments.values()))

    def written(self) -> int:
        """Return how many versions were written: the mark to which `undo` goes back."""
        return len(self._log)

    def undo(self, mark: int) -> None:
        """Take back every version written since a mark."""
        with self._lock:
            while len(self._log) > mark:
                kind, identity = self._log.pop()
                at, _ = self._versions[kind][identity].pop()
                del self._moments[kind][bisect_left(self._moments[kind], at)]
            self._seen.clear()

    def _latest(self, kind: Kind, identity: str, at: datetime) -> Record | None:
        versions = self._versions[kind].get(identity, [])
        if versions and versions[-1][0] > at:
            message = f"{kind} {identity} has a version of {versions[-1][0]}, after {at}."
            raise ValueError(message)
        return versions[-1][1] if versions else None

    def _write(self, kind: Kind, identity: str, version: Record | None, at: datetime) -> None:
        self._versions[kind].setdefault(identity, []).append((at, version))
        insort(self._moments[kind], at)
        self._log.append((kind, identity))
