"""The asset graph of four connections as the README shows it: the stages closed, the results open. No run is asked."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from playwright.sync_api import Page, expect

from kolleno_pipelines.automation.launch import launch
from kolleno_pipelines.connections import load_connections
from kolleno_pipelines.definitions import build_definitions
from kolleno_pipelines.pipeline.instance import write_instance
from kolleno_pipelines.sandbox import drops
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.settings import Settings
from tests.databases import url_of
from tests.servers import Servers

pytestmark = [pytest.mark.browser, pytest.mark.nightly, pytest.mark.slow, pytest.mark.timeout(1200)]

DAYS = 3
NAME = "test_asset_graph"
STAGES = ("raw", "sftp_csv", "receivables")
RESULTS = (
    *("ageing", "agreement", "balances", "charges", "control_totals", "differences", "payouts", "roll_forward"),
    "unapplied_cash",
)
#: Of what the README may cost whoever opens it.
LARGEST = 300_000


@pytest.fixture(scope="module")
def served_graph(postgres_url: str, migrated_template: str) -> Iterator[Servers]:
    """A webserver over a ledger, two mirrors and a payment provider, of which the files were read.

    It is made before the browser, whose event loop a run in this process cannot have beside its own.
    """
    folder = Path(tempfile.mkdtemp(prefix="kolleno-graph-"))
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {NAME} TEMPLATE {migrated_template}")
    try:
        yield from _served(folder, url_of(postgres_url, NAME))
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            for database in (NAME, f"{NAME}_dagster"):
                connection.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        shutil.rmtree(folder)


def _served(folder: Path, database: str) -> Iterator[Servers]:
    first = datetime.now(UTC).date() - timedelta(days=DAYS)
    company = Company.build(5, customers=8, days=DAYS, first_day=first, invoices_per_day=3, history_days=20)
    drops.write(folder / "drop" / "csv_data_uploads", drops.arrivals(company))
    text = (
        f"connections:\n  quickbooks: {{system: quickbooks}}\n  xero: {{system: xero, role: mirror}}\n"
        f"  sftp: {{system: sftp, role: mirror, location: {(folder / 'drop').as_uri()}}}\n"
        "  stripe: {system: stripe}\n"
    )
    settings = Settings(
        home=folder / "home", database_url=database, connections=folder / "connections.yaml", first_day=first
    )
    settings.connections.write_text(text)
    definitions = build_definitions(settings, load_connections(settings.connections))
    with dg.DagsterInstance.from_config(str(write_instance(settings))) as instance:
        assert launch(instance, definitions, "sftp", first, first + timedelta(days=DAYS)).success
    servers = Servers(settings, text)
    try:
        servers.start_webserver()
        yield servers
    finally:
        servers.stop()


def test_a_picture_of_the_graph(served_graph: Servers, page: Page, tmp_path: Path) -> None:
    """SCREENSHOT_FOLDER=docs/img writes the picture of the README there."""
    picture = Path(os.environ.get("SCREENSHOT_FOLDER", str(tmp_path))) / "asset_graph.png"
    page.set_viewport_size({"width": 1700, "height": 1250})
    graph = f"{served_graph.url}/asset-groups/~/lineage?expanded=global%40global%3Areconciliation"
    page.goto(graph)
    page.get_by_role("button", name="Hide navigation").click()
    page.goto(graph)  # it fits what is shown into the room that is left now
    for name in (*STAGES, *RESULTS):
        expect(page.locator("svg").get_by_text(name, exact=True).first).to_be_visible()
    expect(page.locator("svg").get_by_text("Materialized").first).to_be_visible()
    expect(page.locator("svg").get_by_text("Loading...")).to_have_count(0)
    page.wait_for_timeout(3_000)  # the view still moves to fit the graph
    page.screenshot(path=picture)
    assert 20_000 < picture.stat().st_size < LARGEST
