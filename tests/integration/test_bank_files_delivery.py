"""A bank's files from its folder to the results: read, read again, wrong, made good, replayed from the archive."""

from __future__ import annotations

import os
import time
from datetime import date, timedelta
from pathlib import Path

import pytest

from kolleno_pipelines.connections import BankFilesConnection, bank_connections, load_connections
from kolleno_pipelines.pipeline.api_delivery import ApiDelivered, deliver_again, deliver_from_vendor
from kolleno_pipelines.pipeline.api_facts import entity_totals
from kolleno_pipelines.pipeline.bank_facts import statement_faults, unstated_payouts
from kolleno_pipelines.pipeline.deployment import Deployment, open_deployment
from kolleno_pipelines.sandbox.bank.cases import CASES
from kolleno_pipelines.sandbox.bank.files import File
from kolleno_pipelines.sandbox.bank.scenes import ARRIVES, BankCase
from kolleno_pipelines.settings import Settings
from tests.bank_cases import bank_outcomes
from tests.receivables_rows import rows
from tests.stripe_cases import fold_case


class Site:
    """A ledger and a Stripe account that were read, and the bank's folder."""

    def __init__(self, settings: Settings, folder: Path, case: BankCase) -> None:
        self.folder, self.case = folder, case
        self._settings = settings
        settings.connections.write_text(
            "connections:\n  stripe_qb: {system: quickbooks, role: ledger}\n  stripe: {system: stripe}\n"
            f"  bank: {{system: bank_files, location: '{folder.as_uri()}', files: '*.xml', sweep_every: 1m}}\n",
            encoding="utf-8",
        )
        fold_case(self.deployment.database_url, "stripe", case.stripe, now=case.until)

    @property
    def deployment(self) -> Deployment:
        return open_deployment(self._settings, load_connections(self._settings.connections))

    @property
    def url(self) -> str:
        return self.deployment.database_url

    @property
    def banks(self) -> dict[str, BankFilesConnection]:
        return bank_connections(self.deployment.connections)

    def put(self, *files: File) -> None:
        for file in files:
            (self.folder / file.name).write_bytes(file.data)
            os.utime(self.folder / file.name, (time.time(), file.modified.timestamp()))

    def read(self) -> ApiDelivered:
        return deliver_from_vendor(self.deployment, self.banks["bank"])

    def state(self) -> list[tuple[object, ...]]:
        """Every row of the bank's, but for when it was written and from where."""
        tables = ("bank_accounts", "bank_statements", "bank_lines")
        told = "to_jsonb(t) - 'loaded_at' - 'origin'"
        return [
            row for table in tables for row in rows(self.url, f"SELECT {told} FROM receivables.{table} t ORDER BY 1")
        ]


@pytest.fixture
def site(settings: Settings, tmp_path: Path) -> Site:
    folder = tmp_path / "statements"
    folder.mkdir()
    return Site(settings, folder, CASES["by_trace"]())


def test_files_are_taken_through_to_the_payouts_and_again_nothing_is_new(site: Site) -> None:
    site.put(*site.case.files)
    assert not site.read().has_findings
    (outcome,) = bank_outcomes(site.url, "stripe").values()
    assert outcome == ("reconciled", "trace_id")
    totals = {one.entity: one.rows for one in entity_totals(site.deployment, site.banks["bank"])}
    assert totals.keys() == {"bank_accounts", "bank_statements", "bank_lines"}
    assert totals["bank_statements"] == len(site.case.files)
    before, kept = site.state(), rows(site.url, "SELECT count(*) FROM raw.extracts")
    assert not site.read().has_findings
    assert (site.state(), rows(site.url, "SELECT count(*) FROM raw.extracts")) == (before, kept)


def test_a_file_that_cannot_be_read_is_told_until_the_same_name_comes_right(site: Site) -> None:
    day = next(file for file in site.case.files if f"{ARRIVES:%Y%m%d}" in file.name)
    others = [file for file in site.case.files if file != day]
    site.put(*others, day._replace(data=day.data[:-20]))
    told = site.read()
    assert told.has_findings
    (quarantined,) = told.quarantined
    assert (quarantined["extract"], quarantined["source_id"]) == ("files", day.name)
    assert "it is no well-formed XML" in quarantined["reason"]
    assert list(bank_outcomes(site.url, "stripe").values()) == [("awaiting_bank", "")]
    (fault,) = statement_faults(site.deployment, site.banks)
    assert fault["code"] == "gap"
    window = timedelta(days=5)
    for late, number in ((0, 0), (1, 1)):
        today = ARRIVES + 2 * window + timedelta(days=late)
        assert len(unstated_payouts(site.deployment, ["stripe"], site.banks, today)) == number
    site.put(day._replace(modified=day.modified + timedelta(days=20)))
    assert not site.read().has_findings
    assert list(bank_outcomes(site.url, "stripe").values()) == [("reconciled", "trace_id")]
    assert statement_faults(site.deployment, site.banks) == []


def test_a_file_with_an_old_date_is_found_by_the_sweep(site: Site) -> None:
    first, *later = site.case.files
    site.put(*later)
    site.read()
    site.put(first)
    with site.deployment.transaction() as conn:  # the last sweep was a while ago
        conn.execute("UPDATE raw.watermarks SET reached = reached - interval '1 day' WHERE pass = 'sweep'")
    site.read()
    assert len(rows(site.url, "SELECT FROM receivables.bank_statements")) == len(site.case.files)


def test_the_archive_is_enough_once_the_folder_is_empty(site: Site) -> None:
    site.put(*site.case.files)
    site.read()
    before = site.state()
    for file in site.folder.iterdir():
        file.unlink()
    with site.deployment.transaction() as conn:
        conn.execute("DELETE FROM receivables.bank_lines")
    (days,) = rows(
        site.url, "SELECT min(partition_day), max(partition_day) FROM raw.extracts WHERE connection = 'bank'"
    )
    first, last = days
    assert isinstance(first, date)
    assert isinstance(last, date)
    deliver_again(site.deployment, site.banks["bank"], first, last)
    assert site.state() == before
