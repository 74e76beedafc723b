"""The Dagster instance of one KOLLENO_HOME: its dagster.yaml, its workspace, the environment of every Dagster process.

Starting those processes does not belong here (supervision.py). No secret is written into dagster.yaml or the
environment: the UI shows both. A password goes into `dagster.pgpass` (0600), which libpq reads.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from kolleno_pipelines.settings import PREFIX, Settings, env_file
from kolleno_pipelines.storage import database

MODULE = "kolleno_pipelines.definitions"
LOCATION = "kolleno_pipelines"

#: One database connection per query is Dagster's way; events written in batches halve the time of long ranges.
EVENT_BATCH = "500"

_DAGSTER_YAML = """\
# Written by kolleno at every start: changes here are lost. Settings are KOLLENO_* variables.
storage:
  postgres:
    postgres_url: {url}
local_artifact_storage:
  module: dagster._core.storage.root
  class: LocalArtifactStorage
  config: {{base_dir: {artifacts}}}
compute_logs:
  module: dagster._core.storage.local_compute_log_manager
  class: LocalComputeLogManager
  config: {{base_dir: {logs}}}
# For the terminal: every event stays in the UI.
python_logs: {{python_log_level: INFO}}
run_coordinator:
  module: dagster._core.run_coordinator
  class: QueuedRunCoordinator
concurrency:
  # Runs of one day wait for each other by a lock in our database; this bounds memory and connections.
  runs: {{max_concurrent_runs: {runs}}}
  pools: {{granularity: run}}
run_monitoring:
  enabled: true
  start_timeout_seconds: 300
  cancel_timeout_seconds: 120
  max_runtime_seconds: {max_runtime}
  poll_interval_seconds: 60
retention:
  sensor: {{purge_after_days: {{skipped: 2, failure: 30, success: 30}}}}
  schedule: {{purge_after_days: {{skipped: 7, failure: 30, success: 30}}}}
  auto_materialize: {{purge_after_days: {{skipped: 2, failure: 30, success: 30}}}}
sensors: {{use_threads: true, num_workers: 2}}
schedules: {{use_threads: true, num_workers: 2}}
backfills: {{use_threads: true, num_workers: 1}}
code_servers: {{local_startup_timeout: 120}}
telemetry: {{enabled: false}}
nux: {{enabled: false}}
"""

_WORKSPACE_YAML = """\
# Written by kolleno; a workspace.yaml in the working folder is used instead of this one.
load_from:
  - python_module:
      module_name: {module}
      location_name: {location}
"""

MAX_CONCURRENT_RUNS = 2
MAX_RUNTIME_SECONDS = 6 * 3600


def write_instance(settings: Settings) -> Path:
    """Write dagster.yaml and workspace.yaml into the home, creating Dagster's database; returns the home.

    Raises DatabaseError or EmbeddedError. Any number of processes may do it at once.
    """
    home = settings.home
    url = _without_password(database.dagster_url(settings), home / "dagster.pgpass")
    text = _DAGSTER_YAML.format(
        url=_quoted(url),
        artifacts=_quoted(str(home / "dagster_storage")),
        logs=_quoted(str(home / "dagster_logs")),
        runs=MAX_CONCURRENT_RUNS,
        max_runtime=MAX_RUNTIME_SECONDS,
    )
    home.mkdir(parents=True, exist_ok=True)
    _write(home / "dagster.yaml", text)
    _write(home / "workspace.yaml", _WORKSPACE_YAML.format(module=MODULE, location=LOCATION))
    return home


def environment(settings: Settings) -> Mapping[str, str]:
    """What a Dagster process needs beside the inherited environment, so that it means this instance from any folder."""
    values = {
        "DAGSTER_HOME": str(settings.home),
        "DAGSTER_EVENT_BATCH_SIZE": EVENT_BATCH,
        f"{PREFIX}HOME": str(settings.home),
        f"{PREFIX}CONNECTIONS": str(settings.connections),
        f"{PREFIX}ARCHIVE": settings.archive_root,
    }
    if env_file().exists():
        values[f"{PREFIX}ENV_FILE"] = str(env_file().absolute())
    return values


def workspace_file(home: Path) -> Path:
    """The workspace that the UI loads: the working folder's own, else the one written into the home."""
    own = Path("workspace.yaml")
    return own.absolute() if own.is_file() else home / "workspace.yaml"


def _without_password(url: str, passfile: Path) -> str:
    """The URL without its password, which libpq finds in `passfile` instead; unchanged when it has none."""
    parts = urlsplit(url)
    credentials, separator, place = parts.netloc.rpartition("@")
    user, has_password, password = credentials.partition(":")
    if not has_password:
        return url
    escaped = unquote(password).replace("\\", "\\\\").replace(":", "\\:")
    _write(passfile, f"*:*:*:*:{escaped}\n")
    query = [*parse_qsl(parts.query), ("passfile", str(passfile))]
    return urlunsplit(parts._replace(netloc=f"{user}{separator}{place}", query=urlencode(query, quote_via=quote)))


def _write(path: Path, text: str) -> None:
    """Make the file say `text`, 0600, whole at every moment; one that says so already is left alone."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)


def _quoted(text: str) -> str:
    """A YAML scalar that means exactly this text."""
    return "'" + text.replace("'", "''") + "'"
