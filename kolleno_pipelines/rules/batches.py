"""Which files form a batch, from their names and verdicts alone (design 8). No clock, no storage.

Arrival cannot matter: the same set of files gives the same batches. A batch groups the commit and the operator's view;
it never orders data.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from kolleno_pipelines.schemas.sftp_tables import TableName

_ORDER = {name: position for position, name in enumerate(TableName)}


class BatchState(StrEnum):
    """What the files themselves say; whether a waiting batch has stalled is a matter of time (`is_stalled`)."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    RELEASED = "released"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class BatchFile:
    """One file name as far as grouping needs it.

    `failed`: no content received under it can be read. `overtaken`: one can, and stands, but a newer one failed.
    """

    name: str
    type: TableName
    time: datetime
    fix: int = 0
    failed: bool = False
    overtaken: bool = False

    @property
    def order(self) -> tuple[datetime, int, int, str]:
        """Sort key: time, fix number, type, name."""
        return (self.time, self.fix, _ORDER[self.type], self.name)


@dataclass
class Batch:
    """Files that are committed together. `replaced_by` names the file that completes the batch for a failed type.

    `adopted`: such files, and failed attempts at them, that would otherwise be an incomplete batch of their own.
    `unmended`: types whose newest content failed, with an older content standing and no later good file.
    """

    batch_id: str
    begins_at: datetime
    members: list[BatchFile]
    state: BatchState = BatchState.INCOMPLETE
    missing: list[TableName] = field(default_factory=list)
    replaced_by: dict[TableName, BatchFile] = field(default_factory=dict)
    adopted: list[BatchFile] = field(default_factory=list)
    unmended: list[TableName] = field(default_factory=list)

    @property
    def day(self) -> date:
        """The day of its earliest file."""
        return self.begins_at.date()

    @property
    def failed(self) -> list[TableName]:
        """Types whose file failed and has no successor yet."""
        return [m.type for m in self.members if m.failed and m.type not in self.replaced_by]

    @property
    def loadable(self) -> list[BatchFile]:
        """The files that load when the batch may load, in order of dependency; none while it may not."""
        if self.state not in {BatchState.COMPLETE, BatchState.RELEASED}:
            return []
        files = {f for f in (*self.members, *self.replaced_by.values(), *self.adopted) if not f.failed}
        return sorted(files, key=lambda f: (_ORDER[f.type], f.order))

    @property
    def own(self) -> list[BatchFile]:
        """Every file that is judged with this batch: its members and those it adopted."""
        return [*self.members, *self.adopted]


def group(
    files: Iterable[BatchFile], *, window: timedelta, released: Collection[str] = (), skipped: Collection[str] = ()
) -> list[Batch]:
    """Return the batches that the files form, in order of their begin.

    Sorted by the time in the name, a batch begins at the earliest unassigned file and takes, per type, the first file
    within `window`. A fix file is a batch of its own. `released` and `skipped` are names an operator decided about: a
    decision concerns the batch whose members they are, and a skipped file completes no other batch.
    """
    ordered = sorted(files, key=lambda f: f.order)
    regular = [f for f in ordered if f.fix == 0]
    batches = [_single(f) for f in ordered if f.fix > 0] + _windows(regular, window)
    batches.sort(key=lambda b: (b.begins_at, b.batch_id))
    live = [b for b in batches if not {m.name for m in b.members} & set(skipped)]
    absorbed = _complete_failed(live)
    batches = [b for b in batches if b not in absorbed]
    for batch in batches:
        batch.state = _state(batch, released, skipped)
    return batches


def _single(file: BatchFile) -> Batch:
    return Batch(f"{file.time:%Y%m%dT%H%M%S}-{file.type}-fix{file.fix}", file.time, [file])


def _windows(ordered: Sequence[BatchFile], window: timedelta) -> list[Batch]:
    batches: list[Batch] = []
    used: set[str] = set()
    ids: set[str] = set()
    for position, first in enumerate(ordered):
        if first.name in used:
            continue
        taken: dict[TableName, BatchFile] = {}
        for file in ordered[position:]:
            if file.time - first.time > window or len(taken) == len(TableName):
                break
            if file.name not in used:
                taken.setdefault(file.type, file)
        used.update(f.name for f in taken.values())
        batches.append(Batch(_unique_id(first.time, ids), first.time, list(taken.values())))
    return batches


def _unique_id(begins_at: datetime, ids: set[str]) -> str:
    stem = f"{begins_at:%Y%m%dT%H%M%S}"
    batch_id, number = stem, 1
    while batch_id in ids:
        number += 1
        batch_id = f"{stem}-{number}"
    ids.add(batch_id)
    return batch_id


def _complete_failed(batches: Sequence[Batch]) -> list[Batch]:
    """Let the next good file of a failed type complete its batch, whatever the window; returns the batches absorbed.

    A later file serves its own batch too, so that one bad day does not stall every day after it; a batch left with
    nothing but such files is adopted by the batch that it completes. A fix completes only the file it names.
    """
    ordered = sorted((m for b in batches for m in b.members), key=lambda f: f.order)
    completes: dict[str, Batch] = {}
    for batch in batches:
        for member in (m for m in batch.members if m.failed or m.overtaken):
            successor = next((f for f in ordered if _succeeds(f, member)), None)
            if member.failed and successor:
                batch.replaced_by[member.type] = successor
                completes.setdefault(successor.name, batch)
            elif member.overtaken and not successor:
                batch.unmended.append(member.type)
    absorbed = {
        b.batch_id: next(completes[m.name] for m in b.members if m.name in completes)
        for b in batches
        if len(b.members) < len(TableName) and _is_absorbed(b, completes)
    }
    for batch in (b for b in batches if b.batch_id in absorbed):
        adopter = absorbed[batch.batch_id]
        while adopter.batch_id in absorbed:
            adopter = absorbed[adopter.batch_id]
        adopter.adopted += batch.members
    return [b for b in batches if b.batch_id in absorbed]


def _succeeds(later: BatchFile, failed: BatchFile) -> bool:
    is_good = later.type is failed.type and later.order > failed.order and not later.failed
    return is_good and (later.fix == 0 or later.time == failed.time)


def _is_absorbed(batch: Batch, completes: Mapping[str, Batch]) -> bool:
    """Tell whether a batch is nothing but files that complete others; a fix needs no companions and stays."""
    if any(m.fix for m in batch.members):
        return False
    return all(m.name in completes or (m.failed and m.type in batch.replaced_by) for m in batch.members) and any(
        m.name in completes for m in batch.members
    )


def _state(batch: Batch, released: Collection[str], skipped: Collection[str]) -> BatchState:
    names = {m.name for m in batch.members}
    alone = batch.members[0].fix > 0
    present = {m.type for m in batch.members}
    batch.missing = [] if alone else [t for t in TableName if t not in present]
    if names & set(skipped):
        return BatchState.SKIPPED
    if names & set(released):
        return BatchState.RELEASED
    if batch.failed:
        return BatchState.FAILED
    return BatchState.INCOMPLETE if batch.missing else BatchState.COMPLETE


def is_stalled(batch: Batch, first_seen: datetime, now: datetime, stall_after: timedelta) -> bool:
    """Tell whether an incomplete batch has waited longer than `stall_after` since its newest file was first seen."""
    return batch.state is BatchState.INCOMPLETE and now - first_seen > stall_after
