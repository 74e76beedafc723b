"""What every API connector is: data about its extracts, a source of records, a normaliser. No system is named here.

Adding a system is adding a folder with these parts and one line in registry.py; docs/adding-a-connector.md tells how.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from kolleno_pipelines.schemas.records import Normalised


class Pass(StrEnum):
    """Why an extract is read."""

    CHANGES = "changes"  # what was modified in a window
    DELETIONS = "deletions"  # what the source says it deleted
    SWEEP = "sweep"  # everything that is open, for changes that the source does not announce
    LOOKUP = "lookup"  # single objects by id: parents that are missing, what hangs on documents
    IMPORT = "import"  # payloads that were recorded elsewhere


@dataclass(frozen=True)
class Extract:
    """One kind of object of a system.

    name: the vendor's object in snake case and plural, `credit_memos`; what there is one of stays singular.
    schema: the fields that are read of a payload, with their types (amounts decimal128, exact); others are ignored. The
    first is the object's id.
    passes: how it can be read beside the changes.
    sweeps_open_only: a sweep yields what is open only; what it leaves out may be closed or gone.
    is_limited: a start date limits what is read of it at first; what is open of it comes with the sweep.
    is_momentary: what comes is the state at the moment of asking, whatever the window: past days cannot be read of it.
    forms: schemas of other forms in which a payload may come; the first that fits is taken.
    hangs_on: the extract on each of whose objects this one hangs: it is read by their ids, a call each, and only where
    the connection asks for it (`also_read`).
    flag: the field of those objects that says whether anything hangs there; where it says no, none is asked for.
    """

    name: str
    vendor_object: str
    schema: pa.Schema
    passes: frozenset[Pass] = frozenset({Pass.CHANGES})
    sweeps_open_only: bool = False
    is_limited: bool = False
    is_momentary: bool = False
    forms: tuple[pa.Schema, ...] = ()
    hangs_on: str | None = None
    flag: str | None = None


@dataclass(frozen=True)
class Window:
    """What to read: objects modified from `after` (None: all) to `until`, both included, or the ones named by `ids`.

    What lies up to a second before `after` may come too; what lies after `until` never does.
    """

    pass_: Pass
    after: datetime | None
    until: datetime
    ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """One payload as received: a JSON object without line ends between its parts, its own id and modified time."""

    payload: bytes
    source_id: str
    modified_at: datetime | None


class RecordSource(Protocol):
    """The client of one account of a system."""

    def records(self, extract: Extract, window: Window) -> Iterator[Record]:
        """Yield what the source has in a window, by rising modified time, so that a stopped reading can go on.

        Raises ConnectorError; Retryable with `retry_after` when the source asks for a longer wait (a day limit).
        """


def _no_lookup(_entity: str, _parent_id: str) -> tuple[str, str] | None:
    """For systems whose objects cannot be asked for by their id."""
    return None


@dataclass(frozen=True)
class Events:
    """How a system tells what became of objects that keep their moment when they change, and so their window.

    extract: what tells of them. reach: how far back it does. relisted: extract -> how long before the last telling its
    objects may have been made (None: however long) to be listed once more where some of it was missed.
    """

    extract: str
    reach: timedelta
    relisted: Mapping[str, timedelta | None]


@dataclass(frozen=True)
class Connector:
    """One system: its extracts and how their payloads become rows of our entities.

    normalise: pure; takes an extract's name and a block of its payloads, an Arrow table of the extract's schema with
    `line` (number in the file) and `digest` beside it. Payloads that make no sense are quarantined, the others go on.
    lookup_of: for an entity of ours and an id in it, the extract and the vendor's id under which it is asked for.
        Payments are named by their kind: `payments`, `overpayments`, `prepayments`.
    tombstone: for an id and a moment, the payload that says deleted then; None where nothing vanishes from the system.
    deletions_reach: how far back the system tells of deletions, where it does so.
    events: how it tells of changes, where no window shows them.
    without_secrets: for a recorded payload, what of it may be kept; None where its payloads hold no secret.
    """

    system: str
    extracts: tuple[Extract, ...]
    normalise: Callable[[str, pa.Table], Normalised]
    lookup_of: Callable[[str, str], tuple[str, str] | None] = _no_lookup
    tombstone: Callable[[str, datetime], bytes] | None = None
    deletions_reach: timedelta | None = None
    events: Events | None = None
    without_secrets: Callable[[bytes], bytes] | None = None

    def extract(self, name: str) -> Extract:
        """Return an extract by name; KeyError when there is none."""
        for extract in self.extracts:
            if extract.name == name:
                return extract
        raise KeyError(f"{self.system} has no extract {name}")
