"""Children are started again with growing pauses, and end with their parent, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kolleno_pipelines.cli.dagster_servers import AlreadyRunningError, _only_one, free_port, running_process
from kolleno_pipelines.pipeline import supervision
from kolleno_pipelines.pipeline.supervision import Child, Supervision
from tests.command_line import ROOT

#: A bound for a machine that has much else to do; nothing waits so long where it works.
PATIENCE = 60.0


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


def test_a_child_that_dies_is_started_again_and_pauses_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "FIRST_PAUSE", 0.05)
    log = tmp_path / "starts"
    dying = Child("short one", ["sh", "-c", f"echo x >> {log}; exit 3"], pause=0.05)
    lasting = Child("long one", ["sleep", "600"])
    told: list[str] = []
    watched = Supervision([dying, lasting], say=told.append)
    thread = threading.Thread(target=watched.run)
    thread.start()
    # What a start writes comes when the machine gets to it; the last one may be ended before.
    wait_for(lambda: log.exists() and len(log.read_text().split()) >= 3 and lasting.pid)
    pid = lasting.pid
    watched.request_stop()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert pid is not None
    assert not is_alive(pid)
    assert lasting.starts == 1
    assert told[0] == "The short one ended with code 3; it is started again in 0 s."
    assert 2 <= len(told) <= dying.starts
    assert dying.pause == pytest.approx(0.05 * 2 ** len(told)), "each pause is twice as long as the one before"
    assert dying.starts - 1 <= len(log.read_text().split()) <= dying.starts


def test_a_child_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "GRACE", 0.3)
    note = tmp_path / "deaf"
    deaf = Child("deaf one", ["sh", "-c", f"trap '' TERM; echo > {note}; while :; do sleep 1; done"])
    watched = Supervision([deaf], say=lambda _: None)
    thread = threading.Thread(target=watched.run)
    thread.start()
    wait_for(lambda: note.exists() and deaf.pid)
    pid = deaf.pid
    watched.request_stop()
    thread.join(PATIENCE)
    assert pid is not None
    assert not is_alive(pid)


def test_children_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    """SIGKILL gives no chance to tidy up: two daemons of one home would do everything twice."""
    note = tmp_path / "pid"
    script = (
        "from kolleno_pipelines.pipeline.supervision import Child, Supervision\n"
        f"Supervision([Child('c', ['sh', '-c', 'echo $$ > {note}; exec sleep 60'])], say=print).run()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        wait_for(lambda: note.exists() and note.read_text().strip())
        child = int(note.read_text())
        assert is_alive(child)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    wait_for(lambda: not is_alive(child))


def test_what_a_killed_child_left_behind_ends_too(tmp_path: Path) -> None:
    note = tmp_path / "grandchild"
    child = Child("parent", ["sh", "-c", f"sleep 60 & echo $! > {note}; wait"])
    watched = Supervision([child], say=lambda _: None)
    thread = threading.Thread(target=watched.run)
    thread.start()
    wait_for(lambda: note.exists() and note.read_text().strip() and child.pid)
    orphan = int(note.read_text())
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    wait_for(lambda: not is_alive(orphan))
    wait_for(lambda: child.starts == 2)
    second = child.pid
    watched.request_stop()
    thread.join(PATIENCE)
    assert second is not None
    assert not is_alive(second)


def test_one_home_has_one_daemon(tmp_path: Path) -> None:
    assert running_process(tmp_path / "absent") is None
    assert running_process(tmp_path) is None
    with _only_one(tmp_path):
        with pytest.raises(AlreadyRunningError, match=f"process {os.getpid()}"), _only_one(tmp_path):
            pass
        assert running_process(tmp_path) == str(os.getpid())
    assert running_process(tmp_path) is None


def test_a_taken_port_is_passed_over() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port("127.0.0.1", port) > port
