"""Kills `kolleno extract` at its failpoints, as a machine would. What must hold afterwards is the tests' own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.command_line import OF_PYTHON, run_command

#: Where a reading is killed, one after the other: each goes on from what the last one left.
POINTS = ("tokens_answered", "archived@3", "landed@5", "before_commit@2", "before_fold_commit")


def kolleno(variables: Mapping[str, str], *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a process of its own, with these variables as its environment."""
    environment = {"PATH": os.environ["PATH"], **OF_PYTHON, **variables, **more}
    return run_command(words, environment, Path(variables["KOLLENO_HOME"]).parent, timeout=240)


def kill_while_extracting(variables: Mapping[str, str], name: str, point: str, mark: Path) -> None:
    """Extract until a failpoint, and die there."""
    died = kolleno(variables, "extract", name, KOLLENO_FAILPOINT=point, KOLLENO_FAILPOINT_MARK=str(mark))
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert mark.read_text() == point.partition("@")[0]


def extract_to_the_end(variables: Mapping[str, str], name: str) -> dict[str, Any]:
    """Extract undisturbed, and return what is told of the connection."""
    done = kolleno(variables, "extract", name, "--json")
    assert done.returncode in {0, 1}, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)["connections"][0]
    assert not [one for one in told["passes"] if one["error"]]
    return told
