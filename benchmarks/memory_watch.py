"""Peak memory of a process tree, sampled while it works. What the processes do does not belong here."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]

EVERY = 0.05
_POSTGRES_EVERY = 20  # looks; each reads a summary that the kernel must compute


@dataclass
class Peak:
    """Most bytes seen at once: `tree` is RSS summed over the processes, `postgres` PSS (shared memory once)."""

    tree: int = 0
    postgres: int = 0
    samples: int = 0


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _resident(process: psutil.Process) -> int:
    total = 0
    for each in _family(process):
        try:
            total += int(each.memory_info().rss)
        except psutil.NoSuchProcess:
            continue
    return total


def _proportional(process: psutil.Process) -> int:
    total = 0
    for each in _family(process):
        try:
            full = each.memory_full_info()
            total += int(getattr(full, "pss", full.rss))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


@contextmanager
def watched(pid: int, postgres_pid: int) -> Iterator[Peak]:
    """Sample the tree of `pid` every 50 ms and the server's about once a second, until the block ends."""
    peak, over = Peak(), threading.Event()

    def watch() -> None:
        tree, postgres = psutil.Process(pid), psutil.Process(postgres_pid)
        while not over.is_set():
            began = time.monotonic()
            try:
                peak.tree = max(peak.tree, _resident(tree))
            except psutil.NoSuchProcess:
                break
            if peak.samples % _POSTGRES_EVERY == 0:
                peak.postgres = max(peak.postgres, _proportional(postgres))
            peak.samples += 1
            over.wait(max(0.0, EVERY - (time.monotonic() - began)))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()
