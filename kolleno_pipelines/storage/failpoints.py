"""Named points at which a test may kill this process, to prove that nothing is lost there.

What happens after the kill does not belong here; the crash tests check that.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

#: The point to die at: its name, or `name@3` for the third time that this process reaches it.
POINT = "KOLLENO_FAILPOINT"
#: File that is written just before, so that a test can tell "died there" from "never came there".
MARK = "KOLLENO_FAILPOINT_MARK"

_reached: Counter[str] = Counter()


def reach(name: str) -> None:
    """Do nothing, unless KOLLENO_FAILPOINT names this point: then leave the mark and end by SIGKILL."""
    wanted = os.environ.get(POINT)
    if not wanted:
        return
    point, _, times = wanted.partition("@")
    if point != name:
        return
    _reached[name] += 1
    if _reached[name] == int(times or "1"):
        _leave_mark(name)
        os.kill(os.getpid(), signal.SIGKILL)


def _leave_mark(name: str) -> None:
    path = os.environ.get(MARK)
    if path:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.write(handle, name.encode())
        os.fsync(handle)
        os.close(handle)
