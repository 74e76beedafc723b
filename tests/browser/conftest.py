"""The running UI over a drop with one wrong file, and a Chromium to look at it. No assertions."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.pipeline.deployment import Deployment, open_deployment
from kolleno_pipelines.sandbox import drops
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.settings import Settings
from tests.servers import Servers, served

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
DAYS = 2
SLOW = 120_000.0

expect.set_options(timeout=SLOW)


@dataclass(frozen=True)
class Site:
    """What the tests look at: the servers, the deployment behind them, the company, the file that is wrong."""

    servers: Servers
    deployment: Deployment
    company: Company
    wrong_file: str


@pytest.fixture(scope="module")
def site(postgres_url: str, migrated_template: str) -> Iterator[Site]:
    """A deployment of its own with webserver and daemon; nothing is materialised yet."""
    if not CHROMIUM.exists():
        pytest.skip("needs the package chromium")
    folder = Path(tempfile.mkdtemp(prefix="kolleno-browser-"))
    name = "test_browser"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
    try:
        yield from _site(folder, postgres_url, name)
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            for database in (name, f"{name}_dagster"):
                connection.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        shutil.rmtree(folder)


def _site(folder: Path, postgres_url: str, name: str) -> Iterator[Site]:
    first_day = datetime.now(UTC).date() - timedelta(days=DAYS)
    company = Company.build(5, customers=8, days=DAYS, first_day=first_day, invoices_per_day=3, history_days=20)
    drop = folder / "drop" / "csv_data_uploads"
    drops.write(drop, drops.arrivals(company))
    wrong = next(drop.glob(f"payments_{company.last_day}T*.csv"))
    wrong.write_text("id,customer_id,amount\nP1,C1,10.00\n")
    os.utime(wrong, (0, 0))
    parts = psycopg.conninfo.conninfo_to_dict(postgres_url)
    settings = Settings(
        home=folder / "home",
        database_url=f"postgresql://{parts['user']}@/{name}?host={parts['host']}&passfile={parts['passfile']}",
        connections=folder / "connections.yaml",
        first_day=first_day - timedelta(days=2),
    )
    connections = {"sftp": SftpConnection(location=drop.parent.as_uri())}
    with served(settings, connections) as servers:
        yield Site(servers, open_deployment(settings, connections), company, wrong.name)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    if not CHROMIUM.exists():
        pytest.skip("needs the package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page that waits patiently: the machine may be busy."""
    page = browser.new_page(viewport={"width": 1900, "height": 1300})
    page.set_default_timeout(SLOW)
    yield page
    page.close()
