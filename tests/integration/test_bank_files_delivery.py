"""A bank's files from its folder to the results: read, read again, wrong, made good, replayed from the archive."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from kolleno_pipelines.pipeline.api_delivery import deliver_again, deliver_from_folder
from kolleno_pipelines.pipeline.api_facts import entity_totals, standing
from kolleno_pipelines.pipeline.bank_facts import statement_faults, unstated_payouts
from kolleno_pipelines.sandbox.bank.cases import CASES
from kolleno_pipelines.sandbox.bank.scenes import ARRIVES
from kolleno_pipelines.settings import Settings
from tests.bank_cases import bank_outcomes
from tests.bank_site import BankSite
from tests.receivables_rows import rows


@pytest.fixture
def site(settings: Settings, tmp_path: Path) -> BankSite:
    folder = tmp_path / "statements"
    folder.mkdir()
    return BankSite(settings, folder, CASES["by_trace"]())


def test_files_are_taken_through_to_the_payouts_and_again_nothing_is_new(site: BankSite) -> None:
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


def test_a_file_that_cannot_be_read_is_told_until_the_same_name_comes_right(site: BankSite) -> None:
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
    assert fault["code"] == "missing_before"
    window = timedelta(days=5)
    for late, number in ((0, 0), (1, 1)):
        today = ARRIVES + 2 * window + timedelta(days=late)
        assert len(unstated_payouts(site.deployment, ["stripe"], site.banks, today)) == number
    site.put(day._replace(modified=day.modified + timedelta(days=20)))
    assert not site.read().has_findings
    assert list(bank_outcomes(site.url, "stripe").values()) == [("reconciled", "trace_id")]
    assert statement_faults(site.deployment, site.banks) == []


def test_a_file_that_the_bank_sent_under_another_name_can_be_told_to_be_good(site: BankSite, tmp_path: Path) -> None:
    """As docs/operating.md says it."""
    site.put(site.case.files[0]._replace(name="broken.xml", data=b"<Document>"), *site.case.files)
    assert [one["source_id"] for one in site.read().quarantined] == ["broken.xml"]
    told = tmp_path / "told"
    told.mkdir()
    (told / "files.jsonl").write_text('{"id": "broken.xml", "file": "broken.xml", "faults": []}\n', encoding="utf-8")
    done = deliver_from_folder(site.deployment, site.banks["bank"], told, observed_at=datetime.now(UTC))
    assert done.quarantined == []
    assert list(bank_outcomes(site.url, "stripe").values()) == [("reconciled", "trace_id")]
    (site.folder / "broken.xml").unlink()
    assert not site.read().has_findings


def test_silence_is_judged_by_the_newest_file(site: BankSite) -> None:
    bank = site.banks["bank"].model_copy(update={"expect_every": timedelta(days=4)})
    none_yet = standing(site.deployment, bank)
    assert (none_yet.is_silent, "none has come yet; expected every 4 days" in none_yet.silence) == (True, True)
    site.put(*site.case.files)
    site.read()
    newest = max(file.modified for file in site.case.files)
    for hours, is_silent in ((95, False), (97, True)):
        assert (
            standing(site.deployment, bank, clock=lambda at=newest + timedelta(hours=hours): at).is_silent is is_silent
        )
    assert f"The newest file of bank: {newest:%Y-%m-%d %H:%M} UTC" in standing(site.deployment, bank).silence


def test_a_file_with_an_old_date_is_found_by_the_sweep(site: BankSite) -> None:
    first, *later = site.case.files
    site.put(*later)
    site.read()
    site.put(first)
    with site.deployment.transaction() as conn:  # the last sweep was a while ago
        conn.execute("UPDATE raw.watermarks SET reached = reached - interval '1 day' WHERE pass = 'sweep'")
    site.read()
    assert len(rows(site.url, "SELECT FROM receivables.bank_statements")) == len(site.case.files)


def test_the_archive_is_enough_once_the_folder_is_empty(site: BankSite) -> None:
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
