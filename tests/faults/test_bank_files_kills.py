"""SIGKILL in the middle of reading a bank's folder, corrections, reprocessing and imports by the command."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from kolleno_pipelines.settings import Settings
from kolleno_pipelines.storage.waiting_payloads import quarantined
from tests.bank_documents import IBAN, balance, document, entry, transaction
from tests.killing import extract_to_the_end, kill_while_extracting, kolleno
from tests.receivables_rows import rows

#: Nobody signs in to a bank's folder.
POINTS = ("archived@2", "landed@3", "before_commit@2", "before_fold_commit")
_YAML = """connections:
  books:
    system: quickbooks
  bank:
    system: bank_files
    location: {location}
"""
_STATE = """
SELECT 'line', source_id, statement_source_id || amount || file, words::text FROM receivables.bank_lines
UNION ALL SELECT 'statement', source_id, file, amount_booked::text FROM receivables.bank_statements
UNION ALL SELECT 'account', source_id, account_number, currency_iso FROM receivables.bank_accounts
ORDER BY 1, 2"""
_OPEN = "SELECT id FROM raw.extracts WHERE status <> 'folded'"


class Folder:
    """A bank's folder with three days, and a deployment that reads it."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.folder, self.url = folder, settings.database_url.get_secret_value()  # type: ignore[union-attr]
        folder.mkdir(exist_ok=True)
        file = settings.home.parent / f"{settings.home.name}.yaml"
        file.write_text(_YAML.format(location=folder.as_uri()))
        self.variables: Mapping[str, str] = {
            "KOLLENO_HOME": str(settings.home),
            "KOLLENO_DATABASE_URL": self.url,
            "KOLLENO_CONNECTIONS": str(file),
        }

    def put(self, day: int, amount: str = "5.00", hours: int = 0) -> None:
        one = entry(amount, ref=f"B-{day}", day=f"2026-02-0{day}", details=transaction(trace=f"TRACE-{day}"))
        balances = [balance("OPBD", "0.00"), balance("CLBD", "5.00", f"2026-02-0{day}")]
        data = document([one], balances, ref=f"S-{day}", days=None, created=f"2026-02-0{day + 1}T05:00:00Z")
        path = self.folder / f"{day}.xml"
        path.write_bytes(data)
        modified = datetime.now(UTC) - timedelta(days=9 - day, hours=-hours)
        os.utime(path, (time.time(), modified.timestamp()))

    def state(self) -> list[tuple[object, ...]]:
        return rows(self.url, _STATE)


@pytest.fixture
def bank(settings: Settings, tmp_path: Path) -> Folder:
    found = Folder(settings, tmp_path / "outgoing")
    for day in (1, 2, 3):
        found.put(day)
    return found


def test_killed_while_reading_the_next_reading_makes_it_good(bank: Folder, second: Settings, tmp_path: Path) -> None:
    for point in POINTS:
        kill_while_extracting(bank.variables, "bank", point, tmp_path / "mark")
    extract_to_the_end(bank.variables, "bank")
    calm = Folder(second, bank.folder)
    extract_to_the_end(calm.variables, "bank")
    assert bank.state() == calm.state()
    assert [one[0] for one in bank.state()] == ["account", *["line"] * 3, *["statement"] * 3]
    assert rows(bank.url, _OPEN) == []


def test_a_corrected_file_heals_and_reprocessing_changes_nothing(bank: Folder) -> None:
    extract_to_the_end(bank.variables, "bank")
    good = bank.state()
    bank.put(3, "broken", hours=1)
    extract_to_the_end(bank.variables, "bank")
    assert _set_aside(bank) == ["files: 3.xml: line 4: Amt is 'broken', no amount"]
    assert [one for one in bank.state() if one not in good] == [
        ("statement", f"{IBAN}|statement|S-3|2026-02-03", "3.xml", "0.000000")
    ]
    bank.put(3, hours=2)
    extract_to_the_end(bank.variables, "bank")
    assert _set_aside(bank) == []
    assert bank.state() == good
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    done = kolleno(bank.variables, "reprocess", "--from", "2026-01-01", "--to", today, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["connections"], done.stdout
    assert (bank.state(), _set_aside(bank)) == (good, [])


def _set_aside(bank: Folder) -> list[str]:
    with psycopg.connect(bank.url) as conn:
        return [f"{one.extract}: {one.reason}" for one in quarantined(conn, "bank")]
