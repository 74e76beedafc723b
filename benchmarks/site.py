"""A deployment of its own for measuring: home, embedded PostgreSQL, drop folder, archive. Nothing is measured here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg
from psycopg.conninfo import make_conninfo

from kolleno_pipelines.pipeline import server
from kolleno_pipelines.pipeline.deployment import Deployment, open_deployment
from kolleno_pipelines.pipeline.instance import environment
from kolleno_pipelines.settings import Settings
from kolleno_pipelines.storage import embedded

ROOT = Path(__file__).resolve().parent.parent
_PREFIX = "kolleno-bench-"


class Site:
    """A private folder with everything in it; `remove` leaves nothing behind."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        if os.geteuid() == 0:
            self.home.chmod(0o711)  # PostgreSQL refuses root and runs under another account
        self.made = self.home / "made"
        self.drop = self.home / "drop" / "csv_data_uploads"
        connections = self.home / "connections.yaml"
        connections.write_text(f"connections:\n  sftp: {{system: sftp, location: 'file://{self.drop.parent}'}}\n")
        self.settings = Settings(
            home=self.home,
            connections=connections,
            archive=str(self.home / "archive"),
            database_url=None,
            dagster_database_url=None,
            webhook_url=None,
        )

    def begin_afresh(self) -> Deployment:
        """Empty database, archive and drop folder; returns the deployment."""
        url = embedded.start(self.home)
        with psycopg.connect(make_conninfo(url, dbname="postgres"), autocommit=True) as connection:
            for name in (embedded.DATABASE, f"{embedded.DATABASE}_dagster"):
                connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            connection.execute("CHECKPOINT")
        for folder in (self.drop, self.home / "archive"):
            shutil.rmtree(folder, ignore_errors=True)
        self.drop.mkdir(parents=True)
        return open_deployment(self.settings)

    def put(self, paths: Sequence[Path]) -> None:
        """Drop copies of files, with the times that the files have."""
        for path in paths:
            shutil.copy2(path, self.drop)

    @property
    def environment(self) -> dict[str, str]:
        """Environment of child processes: this site's settings and none of the caller's."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("KOLLENO_", "DAGSTER_"))}
        return {**own, **environment(self.settings), "KOLLENO_ENV_FILE": os.devnull}

    def start_child(self, *arguments: str) -> subprocess.Popen[str]:
        """Start Python with these arguments, its stdout to be read, its stderr in `child.log`."""
        with (self.home / "child.log").open("w") as log:
            return subprocess.Popen(
                [sys.executable, *arguments],
                env=self.environment,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def run_child(self, *arguments: str) -> str:
        """Run Python to its end and return its stdout. Raises RuntimeError with its last words."""
        child = self.start_child(*arguments)
        said, _ = child.communicate()
        self.expect_success(child)
        return said

    def expect_success(self, child: subprocess.Popen[str]) -> None:
        """Raise RuntimeError when the ended child failed."""
        if child.returncode != 0:
            words = (self.home / "child.log").read_text(errors="replace").strip()[-2000:]
            raise RuntimeError(f"{child.args!r} ended with {child.returncode}: {words}")

    def remove(self) -> None:
        """Stop the server and remove the folder."""
        server.remove(self.settings)
        shutil.rmtree(self.home, ignore_errors=True)


def remove_abandoned() -> None:
    """Remove what runs left that were killed: a server outlives the process that started it."""
    for home in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        runner = home.name.removeprefix(_PREFIX).partition("-")[0]
        if home.stat().st_uid == os.geteuid() and not psutil.pid_exists(int(runner)):
            server.remove(Settings(home=home, database_url=None))
            shutil.rmtree(home, ignore_errors=True)
