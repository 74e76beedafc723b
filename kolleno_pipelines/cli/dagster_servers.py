"""The UI's server and the daemon as children of a command, on a free port. What they serve does not belong here."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from kolleno_pipelines.cli.terminal import CannotRun
from kolleno_pipelines.pipeline.instance import environment, workspace_file, write_instance
from kolleno_pipelines.pipeline.supervision import Child, Supervision
from kolleno_pipelines.settings import Settings

Say = Callable[[str], None]


def run_servers(
    settings: Settings,
    *,
    host: str,
    port: int,
    say: Say,
    own_workspace: bool = False,
    extra: dict[str, str] | None = None,
) -> None:
    """Run webserver and daemon until SIGINT or SIGTERM. Raises CannotRun when this home has a daemon already.

    own_workspace: the home's workspace.yaml even where the working folder has one. extra: more environment.
    """
    home = write_instance(settings)
    with _only_one(home) as lock:
        chosen = free_port(host, port)
        workspace = home / "workspace.yaml" if own_workspace else workspace_file(home)
        variables = {**environment(settings), **(extra or {})}
        web = [_script("dagster-webserver"), "-h", host, "-p", str(chosen), "-w", str(workspace)]
        children = [
            Child("UI", [*web, "--dagster-log-level", "warning", "--code-server-log-level", "warning"], variables),
            Child(
                "daemon", [_script("dagster-daemon"), "run", "-w", str(workspace), "--log-level", "warning"], variables
            ),
        ]
        supervision = Supervision(children, say=say, pass_fds=[lock])
        shown = f"[{host}]" if ":" in host else host
        if chosen != port:
            say(f"Port {port} is taken, so it is {chosen}.")
        say(f"The UI comes up at http://{shown}:{chosen} (Ctrl-C ends it; the database keeps running).")
        with _stopped_by_signals(supervision):
            supervision.run()


def free_port(host: str, wanted: int) -> int:
    """Return `wanted`, or the next port that nobody listens on. Raises CannotRun after 100."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in range(wanted, min(wanted + 100, 65536)):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise CannotRun(f"None of the ports from {wanted} on is free on {host}; choose another with --port.")


def _script(name: str) -> str:
    path = Path(sysconfig.get_path("scripts")) / name
    if not path.exists():
        raise CannotRun(f"{path} is missing: install kolleno_pipelines again, with its dependencies.")
    return str(path)


def running_process(home: Path) -> str | None:
    """Return the process id of the home's UI and daemon, None when they do not run."""
    try:
        with _only_one(home):
            return None
    except AlreadyRunningError as running:
        return running.process
    except FileNotFoundError:
        return None


class AlreadyRunningError(CannotRun):
    """This home has its UI and daemon; two daemons would do everything twice."""

    def __init__(self, home: Path, process: str) -> None:
        self.process = process
        super().__init__(f"The UI and daemon of {home} run already (process {process}); there is one for each home.")


@contextmanager
def _only_one(home: Path) -> Iterator[int]:
    """Hold the home's `dev.lock`. The children inherit it, so that a daemon that outlives us still holds it."""
    handle = os.open(home / "dev.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(home, os.read(handle, 20).decode() or "?") from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield handle
    finally:
        os.close(handle)


@contextmanager
def _stopped_by_signals(supervision: Supervision) -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        supervision.request_stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
