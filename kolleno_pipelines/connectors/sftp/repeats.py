"""Rows of one file that share a key: found by 64-bit hashes, judged by their whole content. It reads no file itself.

While a file streams, each key costs 8 bytes. A row whose hash was seen before is held back; only when there are such
rows is the file read again, and the rows in question are compared by digests of 128 bits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from kolleno_pipelines.connectors.sftp.columns import Values
from kolleno_pipelines.connectors.sftp.rows import Mask

Hashes = npt.NDArray[np.int64]
Lines = npt.NDArray[np.int32]
_RUN_LENGTH = 1 << 20
_CANDIDATE = np.dtype(
    [("hash", "i8"), ("key", "u8", 2), ("content", "u8", 2), ("line", "i4"), ("rejected", "?"), ("held", "?")]
)


def hashes_of(keys: Values) -> tuple[Hashes, Mask]:
    """Return a 64-bit hash per key (the same within this process) and which rows have a key."""
    has_key = np.ones(len(keys), np.bool_)
    if keys.null_count:
        has_key = pc.is_valid(keys).to_numpy(zero_copy_only=False)
    return np.fromiter(map(hash, keys.to_pylist()), np.int64, count=len(keys)), has_key


class SeenKeys:
    """The hashes seen so far, in sorted runs of at most about a million; nothing else is kept of a row."""

    def __init__(self) -> None:
        self._runs: list[Hashes] = []

    def contains(self, hashes: Hashes) -> Mask:
        """Return which of the hashes were added before."""
        order = np.argsort(hashes, kind="stable")
        found = np.empty(len(hashes), np.bool_)
        found[order] = self._contains_sorted(hashes[order])
        return found

    def add(self, hashes: Hashes) -> Mask:
        """Add the hashes of one block; return which of them were there before, earlier ones of the block included."""
        order = np.argsort(hashes, kind="stable")
        ordered = hashes[order]
        repeated = self._contains_sorted(ordered)
        repeated[1:] |= ordered[1:] == ordered[:-1]
        new = ordered[~repeated]
        if new.size:
            self._runs.append(new)
            self._merge()
        found = np.empty(len(hashes), np.bool_)
        found[order] = repeated
        return found

    def _contains_sorted(self, ordered: Hashes) -> Mask:
        found = np.zeros(len(ordered), np.bool_)
        for run in self._runs:
            positions = np.minimum(np.searchsorted(run, ordered), len(run) - 1)
            found |= run[positions] == ordered
        return found

    def _merge(self) -> None:
        """Keep the runs few: merge the last into the one before it while that one is neither far larger nor full."""
        while len(self._runs) > 1 and len(self._runs[-2]) < min(2 * len(self._runs[-1]), _RUN_LENGTH):
            merged = np.concatenate(self._runs[-2:])
            merged.sort(kind="stable")
            self._runs[-2:] = [merged]


@dataclass(frozen=True, slots=True)
class RepeatVerdict:
    """What the second reading found: `lines` (ascending) to reject, with `held` where a row was never given out.

    `released` are lines that were held back although only their hash had been seen. `first` and `count` say where in
    `members` the lines of the same key stand.
    """

    lines: Lines
    held: Mask
    first: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]
    members: Lines
    released: Lines

    def lines_of_key(self, line: int, limit: int) -> tuple[int, list[int]]:
        """Return how many rows have the key of the row on this line, and the first lines of them."""
        index = int(np.searchsorted(self.lines, np.int32(line)))  # of another type it would copy the array
        first, count = int(self.first[index]), int(self.count[index])
        return count, self.members[first : first + min(count, limit)].tolist()


class RepeatCandidates:
    """Collects, on the second reading, the rows whose hash occurs more than once, and judges them."""

    def __init__(self, suspects: list[Hashes]) -> None:
        self._hashes = SeenKeys()
        for hashes in suspects:
            self._hashes.add(hashes)
        self._found: list[npt.NDArray[Any]] = [np.empty(0, _CANDIDATE)]

    def among(self, hashes: Hashes, has_key: Mask) -> Mask:
        """Return which rows of a block are candidates."""
        return has_key & self._hashes.contains(hashes)

    def add(self, hashes: Hashes, keys: Sequence[str], contents: list[str], lines: Lines, rejected: Mask) -> None:
        """Add candidate rows; key and content are kept as digests, `rejected` rows judge but are not judged."""
        rows = np.zeros(len(keys), _CANDIDATE)
        rows["hash"], rows["line"], rows["rejected"] = hashes, lines, rejected
        rows["key"], rows["content"] = _digests(keys), _digests(contents)
        self._found.append(rows)

    def verdict(self) -> RepeatVerdict:
        """Group the candidates by key: where the contents of a key differ, all its rows are rejected (design 9)."""
        rows = np.concatenate(self._found)
        by_hash = np.lexsort((rows["line"], rows["hash"]))
        same_hash = rows["hash"][by_hash][1:] == rows["hash"][by_hash][:-1]
        rows["held"][by_hash[1:]] = same_hash
        rows = rows[np.lexsort((rows["line"], rows["key"][:, 1], rows["key"][:, 0]))]
        begins = np.ones(len(rows), np.bool_)
        begins[1:] = (rows["key"][1:] != rows["key"][:-1]).any(axis=1)
        first = np.flatnonzero(begins)
        group = np.cumsum(begins) - 1
        count = np.bincount(group, minlength=len(first))
        differs = (rows["content"] != rows["content"][first[group]]).any(axis=1)
        conflicting = np.bincount(group, weights=differs, minlength=len(first))[group] > 0
        judged = np.flatnonzero(conflicting & ~rows["rejected"])
        judged = judged[np.argsort(rows["line"][judged])]
        innocent = begins & ~conflicting & rows["held"] & ~rows["rejected"]
        return RepeatVerdict(
            lines=rows["line"][judged],
            held=rows["held"][judged],
            first=first[group[judged]],
            count=count[group[judged]],
            members=rows["line"],
            released=np.sort(rows["line"][innocent]),
        )


def _digests(texts: Sequence[str]) -> npt.NDArray[np.uint64]:
    joined = b"".join(hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts)
    return np.frombuffer(joined, np.uint64).reshape(-1, 2)
