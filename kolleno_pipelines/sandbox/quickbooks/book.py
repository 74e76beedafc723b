"""The objects of one QuickBooks company with their history; reads see the state at a moment. No sums, no HTTP."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from kolleno_pipelines.sandbox.quickbooks.wire import Json, Stored, moment_text

#: Kinds that are lists of names: their objects are made inactive, never deleted.
LIST_KINDS = frozenset({"Account", "Customer", "Item", "Term", "PaymentMethod", "Vendor", "Class", "Department"})
TRANSACTION_KINDS = frozenset(
    {"Invoice", "CreditMemo", "Payment", "RefundReceipt", "Deposit", "Purchase", "JournalEntry"}
)
SINGLE_KINDS = frozenset({"CompanyInfo", "Preferences"})
KINDS = LIST_KINDS | TRANSACTION_KINDS | SINGLE_KINDS


@dataclass(frozen=True)
class Version:
    """One state of one object; `object` is None when it is deleted. `token` counts the states before it."""

    kind: str
    id: str
    at: datetime
    token: int
    object: Json | None


class QuickBooksBook:
    """All versions of all objects, in the order of time.

    realm_id: the company's id. zone: its time zone, whose offset its moments carry. home: its home currency.
    multi_currency False: no object names a currency or an exchange rate.
    """

    def __init__(
        self,
        realm_id: str = "9130355377388383",
        *,
        zone: str = "America/Los_Angeles",
        home: str = "USD",
        multi_currency: bool = True,
    ) -> None:
        self.realm_id = realm_id
        self.zone = ZoneInfo(zone)
        self.home = home
        self.multi_currency = multi_currency
        self.lock = threading.RLock()
        self._times: dict[str, list[datetime]] = {kind: [] for kind in KINDS}
        self._versions: dict[str, list[Version]] = {kind: [] for kind in KINDS}
        self._latest: dict[tuple[str, str], Version] = {}
        self._created: dict[tuple[str, str], datetime] = {}
        self._seen: dict[str, tuple[int, dict[str, Version]]] = {}
        self._sorted: dict[str, tuple[int, list[Json]]] = {}
        self._last_at: datetime | None = None
        self._ids = 0

    def next_id(self) -> str:
        """Return an id that no object has; all kinds share the numbers."""
        with self.lock:
            self._ids += 1
            return str(self._ids)

    def put(self, kind: str, content: Json, at: datetime) -> Version:
        """Write a new state of the object `content["Id"]`; SyncToken and MetaData are the book's own.

        Raises ValueError for a moment before the last write: the book's time goes forward.
        """
        with self.lock:
            version = self._next(kind, content["Id"], at)
            created = self._created.setdefault((kind, version.id), version.at)
            meta = {
                "CreateTime": moment_text(created, self.zone),
                "LastUpdatedTime": moment_text(version.at, self.zone),
            }
            rest = {name: value for name, value in content.items() if name not in {"Id", "SyncToken", "MetaData"}}
            stored: Json = {
                "domain": "QBO",
                "sparse": False,
                "Id": version.id,
                "SyncToken": str(version.token),
                "MetaData": meta,
                **rest,
            }
            return self._keep(Version(kind, version.id, version.at, version.token, Stored(stored)))

    def delete(self, kind: str, source_id: str, at: datetime) -> Version:
        """Delete an object: gone from reads and queries, told by change data capture for 30 days."""
        with self.lock:
            return self._keep(self._next(kind, source_id, at))

    def latest(self, kind: str, source_id: str) -> Json | None:
        """Return the newest state of an object, whatever the time; None where it is deleted or unknown."""
        with self.lock:
            version = self._latest.get((kind, source_id))
            return None if version is None else version.object

    def state(self, kind: str, now: datetime) -> dict[str, Version]:
        """Return the newest version of each object of a kind at a moment, the deleted ones too, by id."""
        with self.lock:
            count = bisect_right(self._times[kind], now)
            known, state = self._seen.get(kind, (0, {}))
            if count < known:
                known, state = 0, {}
            if count > known:
                state = dict(state)
                for version in self._versions[kind][known:count]:
                    state[version.id] = version
            self._seen[kind] = (count, state)
            return state

    def objects(self, kind: str, now: datetime) -> list[Json]:
        """Return the objects of a kind that exist at a moment, in the order of their ids."""
        with self.lock:
            state = self.state(kind, now)
            count = self._seen.get(kind, (0, {}))[0]
            known, found = self._sorted.get(kind, (-1, []))
            if known != count:
                found = [each.object for each in state.values() if each.object is not None]
                found.sort(key=lambda each: int(each["Id"]))
                self._sorted[kind] = (count, found)
            return list(found)

    def one(self, kind: str, source_id: str, now: datetime) -> Json | None:
        """Return one object as it is at a moment."""
        version = self.state(kind, now).get(source_id)
        return None if version is None else version.object

    def changed(self, kind: str, since: datetime, now: datetime) -> list[Version]:
        """Return the objects of a kind that changed at or after `since`, as they are now, oldest change first."""
        with self.lock:
            start = bisect_left(self._times[kind], since)
            ids = dict.fromkeys(each.id for each in self._versions[kind][start:])
        state = self.state(kind, now)
        return sorted((state[each] for each in ids if each in state), key=lambda each: (each.at, int(each.id)))

    @property
    def last_at(self) -> datetime | None:
        """Moment of the last write."""
        return self._last_at

    def _next(self, kind: str, source_id: str, at: datetime) -> Version:
        if self._last_at is not None and at < self._last_at:
            message = f"The book's last write is of {self._last_at.isoformat()}; {at.isoformat()} is before it."
            raise ValueError(message)
        before = self._latest.get((kind, source_id))
        # Moments are told to the second; a later part of one would be newer than what it says.
        at = max(at - timedelta(microseconds=at.microsecond), self._last_at or at.replace(microsecond=0))
        return Version(kind, source_id, at, 0 if before is None else before.token + 1, None)

    def _keep(self, version: Version) -> Version:
        self._last_at = version.at
        self._latest[version.kind, version.id] = version
        self._times[version.kind].append(version.at)
        self._versions[version.kind].append(version)
        return version
