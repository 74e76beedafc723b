"""SIGKILL in the middle of reading an API connection, and imports by the command: nothing is lost, nothing doubled."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kolleno_pipelines.sandbox.quickbooks.book import QuickBooksBook
from kolleno_pipelines.sandbox.quickbooks.cases import write_all
from kolleno_pipelines.sandbox.quickbooks.company_file import CompanyFile
from kolleno_pipelines.settings import Settings
from tests.api_sites import NAME, ApiSite, quickbooks_site
from tests.killing import POINTS, extract_to_the_end, kill_while_extracting, kolleno

AT = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)


@pytest.fixture
def site(settings: Settings, tmp_path: Path) -> Iterator[ApiSite]:
    file = CompanyFile(QuickBooksBook(), AT - timedelta(days=30))
    write_all(file, AT, AT.date())
    with quickbooks_site(file, settings, tmp_path / "site") as site:
        yield site


def _kolleno(site: ApiSite, *words: str) -> subprocess.CompletedProcess[str]:
    return kolleno(site.variables(), *words)


def test_killed_while_reading_the_next_reading_makes_it_good(site: ApiSite, second: Settings, tmp_path: Path) -> None:
    site.sign_in(lasts=timedelta(0))  # the first request renews
    for point in POINTS:
        kill_while_extracting(site.variables(), NAME, point, tmp_path / "mark")
    assert extract_to_the_end(site.variables(), NAME)["parked"] == 0
    killed = site.receivables()
    assert killed["invoices"]
    calm = ApiSite(site.vendor, second, tmp_path / "calm")
    calm.sign_in()
    extract_to_the_end(calm.variables(), NAME)
    assert calm.receivables() == killed, "as a reading that nobody disturbed"
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
