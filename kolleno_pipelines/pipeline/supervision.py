"""Child processes that are kept running: started, watched, started again with growing pauses, stopped together.

What the children are does not belong here (the caller names them), nor the database, which outlives everybody.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Say = Callable[[str], None]

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
#: A child that ran so long counts as healthy: its next pause is the first one again.
HEALTHY_AFTER = 60.0
#: Seconds between asking the children to end and killing them. Dagster's own code servers take up to 30 s.
GRACE = 40.0
_TICK = 0.2
_PR_SET_PDEATHSIG = 1


@dataclass
class Child:
    """One command to keep running."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    starts: int = 0
    pause: float = FIRST_PAUSE
    due_at: float = 0.0
    #: Process group of the last start. What a killed child started (Dagster's code servers) is left in it.
    group: int | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self.process.pid if self.process is not None and self.process.poll() is None else None


class Supervision:
    """Keeps children running until told to stop."""

    def __init__(self, children: Sequence[Child], *, say: Say, pass_fds: Sequence[int] = ()) -> None:
        self.children = list(children)
        self._say = say
        self._pass_fds = tuple(pass_fds)
        self._stopping = threading.Event()

    def request_stop(self) -> None:
        """Let `run` end; may be called from a signal handler or another thread."""
        self._stopping.set()

    def run(self) -> None:
        """Start the children and watch them until `request_stop`, then end them."""
        try:
            while not self._stopping.is_set():
                now = time.monotonic()
                for child in self.children:
                    self._look_after(child, now)
                self._stopping.wait(_TICK)
        finally:
            self._end()

    def _look_after(self, child: Child, now: float) -> None:
        if child.process is None:
            if now >= child.due_at:
                self._start(child)
        elif (code := child.process.poll()) is not None:
            child.process = None
            _signal_group(child, signal.SIGTERM)
            if now - child.started_at > HEALTHY_AFTER:
                child.pause = FIRST_PAUSE
            child.due_at = now + child.pause
            self._say(f"The {child.name} {_ended(code)}; it is started again in {child.pause:.0f} s.")
            child.pause = min(child.pause * 2, LONGEST_PAUSE)

    def _start(self, child: Child) -> None:
        _signal_group(child, signal.SIGKILL)
        child.process = subprocess.Popen(
            list(child.command),
            env={**os.environ, **child.environment},
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches us alone; we end the children in order
            pass_fds=self._pass_fds,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
        child.group = child.process.pid
        child.started_at = time.monotonic()
        child.starts += 1

    def _end(self) -> None:
        alive = [child.process for child in self.children if child.process is not None]
        for process in alive:
            process.terminate()
        deadline = time.monotonic() + GRACE
        for process in alive:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for child in self.children:
            _signal_group(child, signal.SIGKILL)


def _signal_group(child: Child, number: signal.Signals) -> None:
    """Signal whatever is left of the child's last start; nothing is left when it ended in order."""
    if child.group is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.group, number)


def _end_with_parent() -> None:
    """Ask the kernel to end this child when its parent is killed: two daemons of one home must never run."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _ended(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with code {code}"
