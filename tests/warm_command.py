"""`kolleno` as a process forked from one that has the libraries loaded: loading them is most of what a command takes.

All else is a process's own: environment, folder, standard streams, exit code, what ends it. Run as a module, this is
the process that others are forked from; tests/command_line.py says which commands are started from nothing instead.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: What the process that is forked loads; the commands import what they need as ever.
LIBRARIES = (
    *("kolleno_pipelines.cli.app", "kolleno_pipelines.pipeline.connecting", "kolleno_pipelines.pipeline.reports"),
    *("kolleno_pipelines.pipeline.ingest", "kolleno_pipelines.pipeline.extract", "pandas", "rich.table"),
)
_REQUEST_BYTES = 1 << 20


class WarmCommand:
    """Starts the process at the first command, and ends it with `stop`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._place = ""

    def run(
        self, words: Sequence[str], variables: Mapping[str, str], folder: Path, timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run the command as subprocess.run does, with text captured. Raises TimeoutExpired."""
        self._start()
        request = json.dumps({"words": list(words), "variables": dict(variables), "folder": str(folder)}).encode()
        with (
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
            socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line,
        ):
            line.connect(self._place)
            socket.send_fds(line, [request], [out.fileno(), err.fileno()])
            pid = int(line.recv(64))
            line.settimeout(timeout)
            try:
                code = int(line.recv(64))
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(list(words), timeout) from None
            said = [_text(file.fileno()) for file in (out, err)]
        return subprocess.CompletedProcess(list(words), code, *said)

    def stop(self) -> None:
        """End the process that others are forked from."""
        if self._process is not None and self._folder is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait(60)
            self._folder.cleanup()
        self._process = None

    def _start(self) -> None:
        if self._process is not None:
            return
        self._folder = tempfile.TemporaryDirectory(prefix="kolleno-warm-")
        self._place = str(Path(self._folder.name) / "place")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(self._place)
            listener.listen(64)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm_command", str(listener.fileno())],
                stdin=subprocess.PIPE,
                env={"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", "PATH": os.environ["PATH"]},
                pass_fds=[listener.fileno()],
                cwd=ROOT,
            )


def _text(file: int) -> str:
    with os.fdopen(os.dup(file), "rb") as opened:
        opened.seek(0)
        return opened.read().decode()


def _serve(listener: socket.socket) -> list[str]:
    """Fork for every request until standard input ends. Returns in the children alone, with their command's words."""
    import selectors

    with selectors.DefaultSelector() as waiting:
        waiting.register(listener, selectors.EVENT_READ)
        waiting.register(sys.stdin, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in waiting.select()}
            if sys.stdin in ready:
                os._exit(0)
            line, _ = listener.accept()
            if os.fork() == 0:
                break
            line.close()
            _reap()
    listener.close()
    return _become(line)


def _reap() -> None:
    """Take leave of the children that have ended."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _become(line: socket.socket) -> list[str]:
    """Fork the command and tell its end; returns in the command's own process."""
    request, files, _, _ = socket.recv_fds(line, _REQUEST_BYTES, 2)
    pid = os.fork()
    if pid:
        line.send(str(pid).encode())
        _, status = os.waitpid(pid, 0)
        with suppress(OSError):
            line.send(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    line.close()
    wanted = json.loads(request)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, file in enumerate((nothing, *files)):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(wanted["variables"])
    os.chdir(wanted["folder"])
    words: list[str] = wanted["words"]
    return words


def _load() -> None:
    from importlib import import_module

    for name in LIBRARIES:
        import_module(name)


if __name__ == "__main__":
    import gc

    _load()
    gc.freeze()
    sys.argv = ["kolleno", *_serve(socket.socket(fileno=int(sys.argv[1])))]
    from kolleno_pipelines.cli.app import main

    sys.exit(main())
