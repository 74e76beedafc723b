"""What every test may use: a PostgreSQL of its own, a fresh migrated database, an environment that is nobody's.

What tests leave (captured output, logs, databases, files below pytest's folder) is searched for their secrets.

Parts that only some tests need (an SFTP server, a Dagster instance) do not belong here.
"""

from __future__ import annotations

import gc
import itertools
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from kolleno_pipelines.settings import Settings
from kolleno_pipelines.storage import database as storage_database
from kolleno_pipelines.storage import embedded
from tests.canaries import CANARIES
from tests.command_line import WARM
from tests.databases import fresh_database, url_of
from tests.skips import SCHEMAS_ABSENT

POSTGRES_15 = Path("/usr/lib/postgresql/15/bin")
SERVER_FOLDER = "kolleno-test-server-"
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - where Linux keeps it
SERVER_BYTES = 8 << 30
_numbers = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    """Take the developer's own settings out of the environment before anything is imported or read."""
    for name in [name for name in os.environ if name.startswith(("KOLLENO_", "DAGSTER_", "PG"))]:
        if name != "KOLLENO_TEST_POSTGRES":
            del os.environ[name]
    os.environ["KOLLENO_ENV_FILE"] = os.devnull


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected stays: looking for garbage among it costs seconds, now and at each test."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = _skipped(terminalreporter)
    if skipped and _in_ci():
        terminalreporter.section("skipped in CI, where everything must run", red=True)
        for report in skipped:
            terminalreporter.line(f"{report.nodeid}: {_reason(report)}")


def _skipped(reporter: pytest.TerminalReporter) -> list[pytest.TestReport]:
    """Skips that CI must not have: the vendors' schemas are no part of the project, and may be absent there too."""
    return [one for one in reporter.stats.get("skipped", []) if SCHEMAS_ABSENT not in str(_reason(one))]


def _reason(report: pytest.TestReport) -> object:
    return report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and _in_ci() and _skipped(reporter) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test whose output, log or failure says a secret has failed."""
    report = yield
    told = CANARIES.find("\n".join([*(text for _, text in report.sections), str(report.longrepr or "")]))
    if told is not None:
        report.outcome, report.longrepr = "failed", f"{item.nodeid} lets a secret out: {told}"
    return report


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"true", "1"}


@pytest.fixture(scope="session", autouse=True)
def own_home() -> Iterator[Path]:
    """HOME is a folder of this run: no test reads the developer's keys, known hosts or settings."""
    folder = Path(tempfile.mkdtemp(prefix="kolleno-test-home-"))
    before = os.environ.get("HOME")
    os.environ["HOME"] = str(folder)
    yield folder
    if before is None:
        del os.environ["HOME"]
    else:
        os.environ["HOME"] = before
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def searched_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The files that the run leaves (archives, logs, instances) hold no secret."""
    yield
    told = list(CANARIES.in_files(tmp_path_factory.getbasetemp()))
    assert not told, "Files hold secrets:\n" + "\n".join(told)


@pytest.fixture(scope="session", autouse=True)
def warm_command() -> Iterator[None]:
    """The process that commands are forked from ends with the run."""
    yield
    WARM.stop()


@pytest.fixture(scope="session")
def postgres_programs() -> Path | None:
    """Folder of the PostgreSQL programs under test: None is the bundled 18, KOLLENO_TEST_POSTGRES=15 Debian's 15."""
    wanted = os.environ.get("KOLLENO_TEST_POSTGRES", "")
    if wanted not in {"", "15", "18"}:
        pytest.fail(f"KOLLENO_TEST_POSTGRES={wanted} is neither 15 nor 18")
    if wanted != "15":
        return None
    if not (POSTGRES_15 / "postgres").exists():
        pytest.skip("needs the package postgresql-15")
    return POSTGRES_15


@pytest.fixture(scope="session")
def postgres_url(postgres_programs: Path | None) -> Iterator[str]:
    """libpq URL of an empty server's maintenance database, for the whole run. Nothing in it survives the run."""
    _remove_abandoned()
    # pytest's own tmp folders are 0700: the account that runs PostgreSQL for root could not reach them.
    home = Path(tempfile.mkdtemp(prefix=f"{SERVER_FOLDER}{os.getpid()}-", dir=_server_place()))
    home.chmod(0o711)
    url = make_conninfo(embedded.start(home, bin_dir=postgres_programs), dbname="postgres")
    passfile = Path(str(psycopg.conninfo.conninfo_to_dict(url)["passfile"]))
    CANARIES.watch(passfile.read_text().strip().rpartition(":")[2])
    with psycopg.connect(url, autocommit=True) as connection:
        # Tests kill processes, never the machine: without fsync they are several times faster and prove the same.
        connection.execute("ALTER SYSTEM SET fsync = off")
        # The log is memory where the server lies in memory.
        connection.execute("ALTER SYSTEM SET min_wal_size = '80MB'")
        connection.execute("ALTER SYSTEM SET max_wal_size = '512MB'")
        connection.execute("SELECT pg_reload_conf()")
    yield url
    embedded.stop(home)
    shutil.rmtree(home)


def _server_place() -> Path:
    """Where a server lies: in memory where there is room, as the 900 files of a database cost a busy disk a second."""
    try:
        room = os.statvfs(IN_MEMORY)
    except OSError:
        return Path(tempfile.gettempdir())
    return IN_MEMORY if room.f_bavail * room.f_frsize >= SERVER_BYTES else Path(tempfile.gettempdir())


def _remove_abandoned() -> None:
    """Stop and remove the servers of runs that were killed: a server outlives the process that started it."""
    places = {IN_MEMORY, Path(tempfile.gettempdir())}
    for home in (home for place in places for home in place.glob(f"{SERVER_FOLDER}*")):
        runner = int(home.name.removeprefix(SERVER_FOLDER).split("-")[0])
        if home.stat().st_uid == os.geteuid() and not _is_alive(runner):
            embedded.stop(home)
            shutil.rmtree(home, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@pytest.fixture(scope="session")
def migrated_template(postgres_url: str) -> str:
    """Name of a database that the migrations have set up and no test touches."""
    name = "template_kolleno"
    storage_database.prepare(Settings(database_url=url_of(postgres_url, name)))
    return name


@pytest.fixture
def database(postgres_url: str, migrated_template: str) -> Iterator[str]:
    """URL of a fresh migrated database for one test."""
    with fresh_database(postgres_url, migrated_template, f"test_{next(_numbers)}") as url:
        yield url


@pytest.fixture
def empty_database(postgres_url: str) -> Iterator[str]:
    """URL of a database without any table of ours, as an administrator would hand it over."""
    with fresh_database(postgres_url, "template0", f"test_{next(_numbers)}") as url:
        yield url


@pytest.fixture
def settings(database: str, tmp_path: Path) -> Settings:
    """Settings of one test: its own migrated database, home, archive and (absent) connections.yaml."""
    home = tmp_path / "home"
    return Settings(home=home, database_url=database, connections=tmp_path / "connections.yaml")
