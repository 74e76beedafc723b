"""The Dagster UI as an operator uses it: the graph, a range materialised, results, a wrong file. The order matters."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from kolleno_pipelines.assets.presentation import amount_shown
from tests.browser.conftest import DAYS, Site
from tests.graph.conftest import days_between

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parents[2]
GROUPS = ("raw", "sftp_csv", "receivables", "reconciliation")
_STATUS = """query ($id: String!) {
  partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status error { message } } } }"""
_MATERIALISATIONS = """query ($key: AssetKeyInput!) { assetOrError(assetKey: $key) { ... on Asset {
  assetMaterializations(limit: 1) { runId metadataEntries { label ... on IntMetadataEntry { intValue } } } } } }"""


def _wait_for(site: Site, backfill: str, seconds: float = 600) -> None:
    deadline = time.monotonic() + seconds
    while True:
        state = site.servers.ask(_STATUS, {"id": backfill})["partitionBackfillOrError"]
        if state["status"] == "COMPLETED_SUCCESS":
            return
        assert state["status"] in {"REQUESTED", "IN_PROGRESS"}, state
        assert time.monotonic() < deadline, site.servers.log.read_text()[-4000:]
        time.sleep(1)


def test_a_range_of_partitions_is_materialised_from_the_ui(site: Site, page: Page) -> None:
    page.goto(f"{site.servers.url}/asset-groups/~/lineage")
    for group in GROUPS:
        expect(page.locator("svg").get_by_text(group, exact=True)).to_be_visible()
    page.get_by_role("button", name="Materialize all").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Launch runs to materialize 21 assets")).to_be_visible()
    days = dialog.get_by_placeholder("No matching partitions")
    days.fill(f"[{site.company.plan.first_day}...{site.company.last_day}]")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(dialog.get_by_text(f"{DAYS} partitions", exact=True)).to_be_visible()
    with page.expect_response(lambda answer: "launchPartitionBackfill" in (answer.request.post_data or "")) as sent:
        dialog.get_by_role("button", name="Launch backfill").click()
    launched = sent.value.json()["data"]["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched
    _wait_for(site, launched["backfillId"])


def test_the_results_are_on_the_assets_page(site: Site, page: Page) -> None:
    with site.deployment.session() as session:
        row = session.execute(
            "SELECT currency_iso, amount FROM reconciliation.ageing WHERE bucket = 'not_due' AND day = %s"
            " ORDER BY amount DESC LIMIT 1",
            [site.company.last_day],
        ).fetchone()
    assert row is not None
    page.goto(f"{site.servers.url}/assets/reconciliation/ageing?view=partitions&partition={site.company.last_day}")
    expect(page.get_by_text(f"{row[0]} not_due").first).to_be_visible()
    expect(page.get_by_text(amount_shown(row[1], row[0])).first).to_be_visible()
    page.get_by_text("[Show Markdown]").first.click()
    picture = page.get_by_role("dialog").locator("img")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") > 0


def test_a_wrong_files_message_is_on_the_tables_page_and_its_check_is_red(site: Site, page: Page) -> None:
    page.goto(f"{site.servers.url}/assets/sftp_csv/payments?view=partitions&partition={site.company.last_day}")
    said = page.get_by_text(re.compile(re.escape(site.wrong_file)))
    expect(said.first).to_be_visible()
    expect(page.get_by_text(re.compile("currency_iso.*date_paid|date_paid.*currency_iso")).first).to_be_visible()
    page.goto(f"{site.servers.url}/assets/raw/sftp/files?view=checks&checkDetail=no_failed_file")
    expect(page.get_by_text("Failed files whose batch waits for a good one: 1.").first).to_be_visible()


@pytest.mark.nightly
def test_the_request_in_the_documentation_reprocesses_and_changes_nothing(site: Site) -> None:
    text = (ROOT / "docs" / "reprocess.md").read_text()
    blocks = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    (request,) = [json.loads(block) for block in blocks]
    request["variables"]["params"]["partitionNames"] = days_between(site.company.plan.first_day, site.company.last_day)
    before = _newest(site, "receivables", "sftp", "invoices")
    answer = site.servers.ask(request["query"], request["variables"])["launchPartitionBackfill"]
    assert answer["__typename"] == "LaunchBackfillSuccess", answer
    _wait_for(site, answer["backfillId"])
    after = _newest(site, "receivables", "sftp", "invoices")
    assert after["runId"] != before["runId"]
    counts = {entry["label"]: entry.get("intValue") for entry in after["metadataEntries"]}
    assert (counts["new"], counts["changed"], counts["gone"]) == (0, 0, 0)
    assert (
        counts["dagster/row_count"]
        == {entry["label"]: entry.get("intValue") for entry in before["metadataEntries"]}["dagster/row_count"]
    )


def _newest(site: Site, *path: str) -> dict[str, Any]:
    asset = site.servers.ask(_MATERIALISATIONS, {"key": {"path": list(path)}})["assetOrError"]
    newest: dict[str, Any] = asset["assetMaterializations"][0]
    return newest
