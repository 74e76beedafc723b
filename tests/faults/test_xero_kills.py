"""SIGKILL in the middle of reading Xero: in the end the same as an undisturbed reading of the same organisation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kolleno_pipelines.sandbox.xero.cases import book_of_cases
from kolleno_pipelines.settings import Settings
from tests.killing import POINTS, extract_to_the_end, kill_while_extracting
from tests.xero_deployment import NAME, XeroDeployment, xero_deployment


@pytest.mark.nightly
def test_killed_while_reading_xero_the_next_reading_makes_it_good(
    settings: Settings, second: Settings, tmp_path: Path
) -> None:
    book, _ = book_of_cases(datetime.now(UTC).replace(microsecond=0) - timedelta(days=3))
    with xero_deployment(book, settings, tmp_path / "site") as site:
        site.sign_in(lasts=timedelta(0))  # the first request renews
        for point in POINTS:
            kill_while_extracting(site.variables(), NAME, point, tmp_path / "mark")
        assert extract_to_the_end(site.variables(), NAME)["parked"] == 0
        calm = XeroDeployment(site.vendor, second, tmp_path / "calm")
        calm.sign_in()
        assert extract_to_the_end(calm.variables(), NAME)["parked"] == 0
        assert site.receivables() == calm.receivables(), "as a reading that nobody disturbed"
        assert site.receivables()["allocations"]
        assert site.rows("SELECT count(*) FROM raw.extracts WHERE status <> 'folded'") == [(0,)]
