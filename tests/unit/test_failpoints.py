"""Fail-points: nothing when unset, a mark and SIGKILL at the named time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = (
    "from kolleno_pipelines.storage.failpoints import reach\n"
    "for turn in range(1, 4):\n    print(turn, flush=True)\n    reach('before_commit')\n    reach('after_commit')\n"
)


@pytest.mark.parametrize(
    ("point", "turns", "mark"),
    [
        ("", "1\n2\n3\n", None),
        ("elsewhere", "1\n2\n3\n", None),
        ("before", "1\n2\n3\n", None),
        ("before_commit@4", "1\n2\n3\n", None),
        ("before_commit", "1\n", "before_commit"),
        ("after_commit@3", "1\n2\n3\n", "after_commit"),
    ],
)
def test_dies_at_the_named_time_only(tmp_path: Path, point: str, turns: str, mark: str | None) -> None:
    path = tmp_path / "mark"
    environ = {**os.environ, "KOLLENO_FAILPOINT": point, "KOLLENO_FAILPOINT_MARK": str(path)}
    ended = subprocess.run([sys.executable, "-c", PROGRAM], check=False, capture_output=True, text=True, env=environ)
    assert ended.stdout == turns
    assert ended.returncode == (0 if mark is None else -9)
    assert (path.read_text() if path.exists() else None) == mark
