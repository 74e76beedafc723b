"""SIGKILL in the middle of reading an API connection, and imports by the command: nothing is lost, nothing doubled."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kolleno_pipelines.sandbox.quickbooks.book import QuickBooksBook
from kolleno_pipelines.sandbox.quickbooks.cases import write_all
from kolleno_pipelines.sandbox.quickbooks.company_file import CompanyFile
from kolleno_pipelines.settings import Settings
from tests.api_sites import NAME, ApiSite, quickbooks_site

AT = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)


@pytest.fixture
def site(settings: Settings, tmp_path: Path) -> Iterator[ApiSite]:
    file = CompanyFile(QuickBooksBook(), AT - timedelta(days=30))
    write_all(file, AT, AT.date())
    with quickbooks_site(file, settings, tmp_path / "site") as site:
        yield site


def _kolleno(site: ApiSite, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kolleno_pipelines.cli", *words],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2]), **site.variables(), **more},
        cwd=site.settings.home.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def _die(site: ApiSite, point: str, mark: Path) -> None:
    died = _kolleno(site, "extract", NAME, KOLLENO_FAILPOINT=point, KOLLENO_FAILPOINT_MARK=str(mark))
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert mark.read_text() == point.partition("@")[0]


def test_killed_while_reading_the_next_reading_makes_it_good(site: ApiSite, tmp_path: Path) -> None:
    site.sign_in(lasts=timedelta(0))  # the first request renews
    for point in ("tokens_answered", "archived@3", "landed@5", "before_commit@2", "before_fold_commit"):
        _die(site, point, tmp_path / "mark")
    done = _kolleno(site, "extract", NAME, "--json")
    assert done.returncode in {0, 1}, done.stderr
    (told,) = json.loads(done.stdout)["connections"]
    assert not [one for one in told["passes"] if one["error"]]
    assert told["parked"] == 0
    killed = site.receivables()
    assert killed["invoices"]
    pending = "SELECT count(*) FROM raw.extracts WHERE status <> 'folded'"
    assert site.rows(pending) == [(0,)]
    folder = _exported(site, tmp_path)
    site.file.write_text("connections:\n  books:\n    system: quickbooks\n")
    with site.deployment.transaction() as conn:
        conn.execute("TRUNCATE raw.extracts, raw.watermarks, raw.readings, raw.lookups, raw.quarantined_payloads")
        for table in conn.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname IN ('normalised', 'receivables')"
        ).fetchall():
            conn.execute(f"TRUNCATE {table[0]} CASCADE".encode())
    imported = _kolleno(site, "import-extracts", NAME, str(folder), "--observed-at", AT.isoformat())
    assert "taken as observed at" in imported.stdout, imported.stderr
    assert site.receivables() == killed, "an undisturbed import of the same payloads gives the same"


def _exported(site: ApiSite, tmp_path: Path) -> Path:
    """Write what is in the archive as a folder of recorded payloads."""
    folder = tmp_path / "recorded"
    folder.mkdir()
    for extract, sha256 in site.rows("SELECT extract, sha256 FROM raw.extracts ORDER BY id"):
        with site.deployment.archive.open(sha256) as stream, (folder / f"{extract}.jsonl").open("ab") as file:
            file.write(stream.read())
    return folder


def test_an_import_says_what_it_took_and_what_it_kept_aside(site: ApiSite, tmp_path: Path) -> None:
    site.file.write_text("connections:\n  books:\n    system: quickbooks\n")
    folder = tmp_path / "recorded"
    folder.mkdir()
    meta = {"LastUpdatedTime": "2026-03-01T10:00:00+00:00"}
    lines = [
        json.dumps({"Id": "1", "DisplayName": "Acme", "Balance": 10.5, "MetaData": meta}),
        json.dumps({"Id": "2", "MetaData": meta}),
        "{broken",
    ]
    (folder / "customers.jsonl").write_text("\n".join(lines) + "\n")
    done = _kolleno(site, "import-extracts", NAME, str(folder))
    assert done.returncode == 1, done.stderr
    assert "customers 3" in done.stdout
    assert "2026-03-01T10:00:00" in done.stdout
    assert "Quarantined: customers line 2 (2): the payload lacks DisplayName" in done.stdout
    assert "Quarantined: customers line 3: the payload cannot be read" in done.stdout
    assert "customers 1 new" in done.stdout
    wrong = _kolleno(site, "import-extracts", NAME, str(folder), "--observed-at", "2026-03-01T12:00:00")
    assert wrong.returncode == 2
    assert "states no offset" in wrong.stderr
    assert _kolleno(site, "extract", NAME).returncode == 2
