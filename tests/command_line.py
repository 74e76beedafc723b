"""A site for tests of the command: a drop folder, a connections.yaml, and `kolleno` as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from kolleno_pipelines.sandbox.drops import HEADERS, csv_bytes, file_name
from kolleno_pipelines.schemas.sftp_tables import TableName
from tests.canaries import CANARIES
from tests.warm_command import ROOT, WarmCommand

#: Commands that have commands of their own.
GROUPS = ("batches", "connections", "db", "differences", "files")
#: What a site says to the interpreter: the libraries are loaded so.
OF_PYTHON = {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
WARM = WarmCommand()
_started: set[tuple[str, ...]] = set()
Rows = Sequence[Mapping[str, str]]

CUSTOMER = {"id": "C1", "name": "Null & Sons", "currency_iso": "USD", "country_iso": "US"}
INVOICE = {
    "id": "I1",
    "customer_id": "C1",
    "ref": "INV 1",
    "amount": "100.00",
    "balance": "60.00",
    "currency_iso": "USD",
    "date_issued": "2025-03-01",
    "date_due": "2025-03-31",
}
PAYMENT = {
    "id": "P1",
    "customer_id": "C1",
    "ref": "BNK 1",
    "amount": "40.00",
    "balance": "0.00",
    "currency_iso": "USD",
    "date_paid": "2025-03-02",
}
LINK = {"payment_id": "P1", "invoice_id": "I1", "amount": "40.00"}
STANDARD: dict[str, Rows] = {
    "customers": [CUSTOMER],
    "invoices": [INVOICE],
    "payments": [PAYMENT],
    "payments_invoices": [LINK],
}


@dataclass
class Site:
    """One deployment in a folder; `variables` is the whole environment of its commands."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def drop(self) -> Path:
        return self.folder / "drop" / "csv_data_uploads"

    def run_slowly(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command that may take minutes on a busy machine."""
        return self.run(*words, timeout=300)

    def run(
        self, *words: str, code: int | None = 0, timeout: float = 120, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `kolleno` with these words; `code` is the exit code that must come, None for any."""
        done = run_command(words, {**self.variables, **more}, self.folder, timeout)
        told = f"kolleno {' '.join(words)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert code is None or done.returncode == code, told
        assert "Traceback" not in done.stderr or "--debug" in words, told
        assert CANARIES.find(told) is None
        return done

    def data(self, *words: str, code: int | None = 0) -> Any:
        """Run `kolleno ... --json` and return what it printed."""
        return json.loads(self.run(*words, "--json", code=code).stdout)

    def refusal(self, *words: str, **more: str) -> str:
        """Run a command that cannot run: exit code 2, nothing on stdout, one sentence on stderr, which is returned."""
        done = self.run(*words, code=2, **more)
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1, done.stderr
        return done.stderr.strip()

    def put(self, name: str, content: bytes) -> Path:
        """Put one file into the drop folder, as if uploaded ten minutes ago."""
        self.drop.mkdir(parents=True, exist_ok=True)
        path = self.drop / name
        path.write_bytes(content)
        uploaded = time.time() - 600
        os.utime(path, (uploaded, uploaded))
        return path

    def put_batch(self, stamp: str, tables: Mapping[str, Rows | bytes] | None = None, *, leave_out: str = "") -> None:
        """Put the seven files of one moment; tables that are not given have a header only."""
        moment = datetime.fromisoformat(stamp)
        for table in TableName:
            if table.value != leave_out:
                content = (tables or {}).get(table.value, [])
                if not isinstance(content, bytes):
                    content = csv_bytes(columns_of(table, content), content)
                self.put(file_name(table, moment), content)


def run_command(
    words: Sequence[str], variables: Mapping[str, str], folder: Path, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run `kolleno` as a process of its own. The first of each command in a run of tests is started from nothing, so
    that an import that is missing shows; what is repeated is forked from a process that has loaded the libraries.
    """
    command = tuple(words[:2] if words and words[0] in GROUPS else words[:1])
    own = {name: value for name, value in variables.items() if name.startswith("PYTHON")}
    if command in _started and own == OF_PYTHON:
        return WARM.run(words, variables, folder, timeout)
    _started.add(command)
    return subprocess.run(
        [sys.executable, "-m", "kolleno_pipelines.cli", *words],
        env=variables,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


def columns_of(table: TableName, rows: Rows) -> list[str]:
    """The columns every file has, then what the rows have besides."""
    extra = [name for row in rows for name in row if name not in HEADERS[table]]
    return [*HEADERS[table], *dict.fromkeys(extra)]


def make_site(folder: Path, database_url: str | None) -> Site:
    """A site in `folder`, which may be new, with a database of its own or (None) the embedded one."""
    site = Site(folder)
    site.drop.mkdir(parents=True)
    (folder / "connections.yaml").write_text(
        f"connections:\n  sftp:\n    system: sftp\n    location: file://{site.drop.parent}\n", encoding="utf-8"
    )
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    site.variables = kept | {
        **OF_PYTHON,
        "KOLLENO_HOME": str(folder / "home"),
        "KOLLENO_ENV_FILE": os.devnull,
    }
    if database_url is not None:
        site.variables["KOLLENO_DATABASE_URL"] = database_url
    return site
