"""`kolleno dev` for real: UI, daemon, database, started again when they die. The demo is in test_demo.py."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.command_line import STANDARD, Site, make_site
from tests.servers import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]
_QUERY = (
    "{ workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError { __typename } } } }"
    " instance { daemonHealth { allDaemonStatuses { daemonType healthy required } } } }"
)


def wait_for(what: Callable[[], object], seconds: float, why: Callable[[], str]) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, why()
        time.sleep(0.3)


def answers(port: int) -> dict[str, object] | None:
    """What the UI's server says about its code location and its daemon; None while it is not up."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", "/graphql", json.dumps({"query": _QUERY}), {"Content-Type": "application/json"})
        found = json.loads(connection.getresponse().read())["data"]
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return found if isinstance(found, dict) else None


def is_loaded(port: int) -> bool:
    found = answers(port)
    return bool(found) and '"RepositoryLocation"' in json.dumps(found)


def children(pid: int) -> dict[str, int]:
    """Script name to process id of the direct children."""
    found = {}
    for name in Path("/proc").iterdir():
        try:
            if name.name.isdigit() and (name / "stat").read_text().rsplit(")", 1)[1].split()[1] == str(pid):
                words = (name / "cmdline").read_bytes().split(b"\0")
                found[Path(words[1].decode()).name] = int(name.name)
        except (OSError, IndexError):
            continue
    return found


def living_groups() -> set[int]:
    """Process groups of everything that runs; a process that only waits to be reaped does not."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            state, _, group = (process / "stat").read_text().rsplit(")", 1)[1].split()[:3]
        except OSError:
            continue
        if state != "Z":
            found.add(int(group))
    return found


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site on its own embedded server."""
    for folder in (tmp_path, tmp_path.parent):
        folder.chmod(0o711)
    site = make_site(tmp_path / "site", None)
    yield site
    for home in (site.folder / "home", site.folder / "home" / "demo"):
        site.run("db", "stop", code=None, KOLLENO_HOME=str(home))


@contextmanager
def running(site: Site, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    with (site.folder / "said").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "kolleno_pipelines.cli", *words],
            env=site.variables,
            cwd=site.folder,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(90)


def test_dev_keeps_ui_and_daemon_running_until_it_is_told_to_stop(site: Site) -> None:
    site.put_batch("2025-03-03T06:00:00", STANDARD)

    def said() -> str:
        return (site.folder / "said").read_text(errors="replace")

    port = free_port()
    with running(site, "dev", "--port", str(port)) as process:
        wait_for(lambda: is_loaded(port), 120, said)
        assert f"http://127.0.0.1:{port}" in said()
        before = children(process.pid)
        assert set(before) == {"dagster-webserver", "dagster-daemon"}
        assert "run already" in site.run("dev", "--port", str(port + 1), code=2).stderr

        os.kill(before["dagster-webserver"], signal.SIGKILL)
        wait_for(lambda: "UI was ended by SIGKILL" in said(), 20, said)
        wait_for(lambda: is_loaded(port), 120, said)
        assert children(process.pid)["dagster-daemon"] == before["dagster-daemon"]
        # The sensor finds the batch by itself and the job takes it.
        wait_for(lambda: len(site.data("files", "--status", "processed")) == 7, 120, said)

        after = children(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.wait(90) == 0, said()
        assert not any(Path(f"/proc/{pid}").exists() for pid in after.values())
    # Neither the killed UI nor the ended ones left a code server behind.
    groups = {*before.values(), *after.values()}
    wait_for(lambda: not groups & living_groups(), 10, lambda: f"{groups & living_groups()} live on")
    # The database is never stopped by a process that leaves.
    assert "has stopped" in site.run("db", "stop").stderr
