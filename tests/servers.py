"""Dagster's webserver and daemon as children on a free port, for tests that need the running UI. No assertions."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kolleno_pipelines.connections import Connections
from kolleno_pipelines.pipeline.instance import environment, workspace_file, write_instance
from kolleno_pipelines.settings import Settings

PATIENCE = 180.0

_SENSORS = """{ repositoriesOrError { ... on RepositoryConnection { nodes { name location { name }
  sensors { name sensorState { id selectorId } } schedules { name scheduleState { id selectorId } } } } } }"""
_STOP_SENSOR = "mutation ($id: String!) { stopSensor(id: $id) { __typename } }"
_STOP_SCHEDULE = "mutation ($id: String!) { stopRunningSchedule(id: $id) { __typename } }"


class Servers:
    """The running webserver; `start_daemon` starts the daemon beside it. Connections given as text are written so."""

    def __init__(self, settings: Settings, connections: Connections | str) -> None:
        self.settings = settings
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._children: list[subprocess.Popen[bytes]] = []
        home = write_instance(settings)
        if not isinstance(connections, str):
            location = json.dumps(connections["sftp"].location)
            connections = f"connections:\n  sftp: {{system: sftp, location: {location}}}\n"
        settings.connections.write_text(connections)
        assert settings.database_url is not None
        self._environment = {
            **os.environ,
            **environment(settings),
            "KOLLENO_DATABASE_URL": settings.database_url.get_secret_value(),
            "KOLLENO_FIRST_DAY": settings.first_day.isoformat(),
        }
        self._workspace = workspace_file(home)
        self.log = home / "servers.log"

    def start_webserver(self) -> None:
        """Start the webserver and wait until it answers with the code location loaded."""
        self._start("dagster_webserver", "-h", "127.0.0.1", "-p", str(self.port), "-w", str(self._workspace))
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                if self.ask(_SENSORS)["repositoriesOrError"].get("nodes"):
                    return
            except (OSError, ValueError):
                pass
            if time.monotonic() > deadline:
                raise RuntimeError(self.log.read_text()[-4000:])
            time.sleep(0.3)

    def start_daemon(self) -> None:
        """Start the daemon: backfills, the run queue, sensors."""
        self._start("dagster._daemon", "run", "-w", str(self._workspace))

    def stop_automation(self) -> None:
        """Turn sensors and schedules off, so that nothing starts but what the test starts."""
        for repository in self.ask(_SENSORS)["repositoriesOrError"]["nodes"]:
            for sensor in repository["sensors"]:
                self.ask(_STOP_SENSOR, {"id": sensor["sensorState"]["id"]})
            for schedule in repository["schedules"]:
                self.ask(_STOP_SCHEDULE, {"id": schedule["scheduleState"]["id"]})

    def ask(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send one GraphQL request and return its data."""
        body = json.dumps({"query": query, "variables": dict(variables or {})}).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
            parsed = json.load(connection.getresponse())
        finally:
            connection.close()
        assert "errors" not in parsed, parsed["errors"]
        data: dict[str, Any] = parsed["data"]
        return data

    def stop(self) -> None:
        """End the children."""
        for child in self._children:
            child.send_signal(signal.SIGTERM)
        for child in self._children:
            try:
                child.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()

    def _start(self, module: str, *arguments: str) -> None:
        with self.log.open("ab") as log:
            self._children.append(
                subprocess.Popen(
                    [sys.executable, "-m", module, *arguments],
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=Path(__file__).parent.parent,
                    start_new_session=True,
                )
            )


@contextmanager
def served(settings: Settings, connections: Connections) -> Iterator[Servers]:
    """Run the webserver, and the daemon without sensors and schedules, for the time of the block."""
    servers = Servers(settings, connections)
    try:
        servers.start_webserver()
        servers.stop_automation()
        servers.start_daemon()
        yield servers
    finally:
        servers.stop()


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
