"""What the command says when it cannot run, and the commands about the deployment: check, connections, db, env."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from kolleno_pipelines.sandbox.sftp_server import SandboxSftpServer
from tests.canaries import CANARY
from tests.command_line import INVOICE, STANDARD, Site, make_site


@pytest.fixture
def site(tmp_path: Path, database: str) -> Site:
    return make_site(tmp_path / "site", database)


@pytest.fixture
def offline(tmp_path: Path) -> Site:
    """A site whose database nobody could reach."""
    return make_site(tmp_path / "site", f"postgresql://nobody:{CANARY}@127.0.0.1:9/nothing")


def test_what_is_wrong_with_the_configuration_is_one_sentence(offline: Site) -> None:
    assert "copy connections.example.yaml" in offline.refusal("ingest", KOLLENO_CONNECTIONS="absent.yaml")
    assert "KOLLENO_DATABASE_URL" in offline.refusal("files", KOLLENO_DATABASE_URL="mysql://x")
    told = offline.refusal("files")
    assert "cannot be reached" in told
    assert CANARY not in told
    assert "There is no connection bank" in offline.refusal("ingest", "bank")
    (offline.folder / "connections.yaml").write_text(
        "connections:\n  sftp:\n    system: sftp\n    location: file:///x\n    setle: 5s\n", encoding="utf-8"
    )
    told = offline.refusal("ingest")
    assert "connections.yaml line 5" in told
    assert "did you mean settle" in told
    debugged = offline.run("ingest", "--debug", code=2)
    assert "Traceback" in debugged.stderr
    assert CANARY not in debugged.stderr


def test_a_drop_folder_that_is_not_there_is_an_error_not_an_empty_one(site: Site) -> None:
    site.drop.rmdir()
    site.drop.parent.rmdir()
    told = site.refusal("ingest")
    assert str(site.drop.parent) in told
    # The operator looks at what is known all the same.
    assert site.data("files") == []


def test_check_needs_no_database_and_tells_the_sender_everything(offline: Site) -> None:
    offline.put_batch("2025-03-03T06:00:00", STANDARD)
    offline.put("invoices_2025-03-04T06:00:00.csv", b"id,customer_id,amount\n")
    offline.put("invoices_2025-03-05T06:00:00.csv", b"")
    offline.put("notes.txt", b"")
    report = offline.data("check", str(offline.drop), code=1)
    files = {file["name"]: file for file in report["files"]}
    assert set(report) == {"files"}
    keys = {"name", "type", "status", "rows_read", "rows_accepted", "rows_rejected", "findings"}
    assert all(set(file) == keys for file in files.values())
    assert files["invoices_2025-03-03T06:00:00.csv"] == {
        "name": "invoices_2025-03-03T06:00:00.csv",
        "type": "invoices",
        "status": "clean",
        "rows_read": 1,
        "rows_accepted": 1,
        "rows_rejected": 0,
        "findings": [],
    }
    (missing,) = files["invoices_2025-03-04T06:00:00.csv"]["findings"]
    assert set(missing) == {"line", "column", "value", "code", "level", "message"}
    assert (missing["code"], missing["level"]) == ("missing_columns", "failed")
    assert files["invoices_2025-03-05T06:00:00.csv"]["findings"][0]["code"] == "empty_file"
    assert files["notes.txt"]["status"] == "ignored"

    shown = offline.run("check", str(offline.drop), code=1)
    assert "missing_columns" in shown.stdout
    good = [str(path) for path in sorted(offline.drop.glob("*2025-03-03*"))]
    assert "clean" in offline.run("check", *good).stdout
    assert "is no file and no folder" in offline.refusal("check", "nowhere")
    assert "is no time zone" in offline.refusal("check", good[0], "--timezone", "Mars/Base")


def test_check_with_a_baseline_reports_unknown_parents(offline: Site) -> None:
    offline.put_batch("2025-03-03T06:00:00", STANDARD)
    sent = offline.folder / "sent"
    sent.mkdir()
    (sent / "customers_2025-03-01T06:00:00.csv").write_bytes(
        next(offline.drop.glob("customers*")).read_bytes().replace(b"C1", b"C0")
    )
    lone = offline.folder / "invoices_2025-03-06T06:00:00.csv"
    lone.write_bytes(next(offline.drop.glob("invoices*")).read_bytes())
    assert offline.data("check", str(lone))["files"][0]["status"] == "clean"
    found = offline.data("check", str(lone), "--baseline", str(sent), code=1)["files"][0]["findings"]
    assert [finding["code"] for finding in found] == ["unknown_customer"]


def test_findings_are_cut_and_the_counts_are_not(offline: Site) -> None:
    rows = [INVOICE | {"id": f"I{number}", "amount": "x"} for number in range(30)]
    offline.put_batch("2025-03-03T06:00:00", {"invoices": rows})
    name = str(next(offline.drop.glob("invoices*")))
    (file,) = offline.data("check", name, "--max-findings", "5", code=1)["files"]
    assert (len(file["findings"]), file["rows_rejected"]) == (5, 30)
    assert "30 findings, of which 5 are listed" in offline.run("check", name, "--max-findings", "5", code=1).stderr


@pytest.fixture
def sftp(tmp_path: Path) -> Iterator[SandboxSftpServer]:
    with SandboxSftpServer(tmp_path / "served", tmp_path / "keys") as server:
        (server.root / "csv_data_uploads").mkdir()
        yield server


def test_connections_check_says_what_is_there_or_why_not(offline: Site, sftp: SandboxSftpServer) -> None:
    config = offline.folder / "connections.yaml"
    good = (
        f"connections:\n  sftp:\n    system: sftp\n    location: {sftp.location}\n    key_file: {sftp.key_file}\n"
        f"    known_hosts: {sftp.known_hosts}\n    retries: 0\n    connect_timeout: 5\n"
    )
    config.write_text(good, encoding="utf-8")
    told = offline.run("connections", "check").stdout
    assert "The host key is ssh-ed25519 SHA256:" in told
    assert "0 files" in told
    assert offline.data("connections", "check")["connections"][0]["error"] is None

    (offline.folder / "nobody_knows").touch()
    config.write_text(good.replace(str(sftp.known_hosts), "nobody_knows"), encoding="utf-8")
    done = offline.run("connections", "check", code=2)
    assert "SHA256:" in done.stderr
    sftp.stop()
    config.write_text(good, encoding="utf-8")
    assert "127.0.0.1" in offline.run("connections", "check", code=2).stderr
    config.write_text(f"{good}    key_passphrase: ${{NOT_SET}}\n", encoding="utf-8")
    assert "NOT_SET" in offline.run("connections", "check", code=2).stderr


def test_an_analyst_reads_reporting_and_nothing_else(site: Site, database: str) -> None:
    role = f"analyst_{os.getpid()}"
    site.put_batch("2025-03-03T06:00:00", STANDARD)
    site.run("ingest")
    assert f"There is no role {role}" in site.refusal("db", "grant-analyst", role)
    try:
        created = site.run("db", "grant-analyst", role, "--create", KOLLENO_ANALYST_PASSWORD=CANARY)
        assert CANARY not in created.stdout + created.stderr
        site.run("db", "grant-analyst", role)  # again changes nothing
        with psycopg.connect(database, autocommit=True) as conn:
            (stored,) = conn.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [role]).fetchone() or ("",)
            assert stored.startswith("SCRAM-SHA-256$")
            conn.execute(f"SET ROLE {role}")
            views = conn.execute(
                "SELECT table_name FROM information_schema.views WHERE table_schema = 'reporting'"
            ).fetchall()
            assert len(views) > 5
            for (view,) in views:
                conn.execute(f"SELECT count(*) FROM reporting.{view}")
            assert conn.execute("SELECT sum(net) FROM reporting.open_items").fetchone() == (60,)
            for table in ("receivables.invoices", "raw.files", "reconciliation.ageing", "sftp_csv.invoices"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    conn.execute(f"SELECT * FROM {table}")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute("DELETE FROM reporting.customers")
            conn.execute("RESET ROLE")
    finally:
        with psycopg.connect(database, autocommit=True) as conn:
            conn.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_env_gives_other_tools_the_same_instance(site: Site, database: str, postgres_url: str) -> None:
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    try:
        printed = site.run("env").stdout
        assert all(line.startswith("export ") and line.endswith(";") for line in printed.splitlines())
        script = (
            'eval $("$PYTHON" -m kolleno_pipelines.cli env); cd /; echo "$DAGSTER_HOME"; test -f "$KOLLENO_CONNECTIONS"'
        )
        variables = {**site.variables, "PYTHON": sys.executable}
        done = subprocess.run(["sh", "-c", script], env=variables, cwd=site.folder, capture_output=True, check=True)
        home = Path(done.stdout.decode().strip())
        assert home == site.folder / "home"
        written = home / "dagster.yaml"
        assert written.stat().st_mode & 0o777 == 0o600
        text = written.read_text(encoding="utf-8")
        assert "postgresql+psycopg2://" in text
        assert f"{name}_dagster" in text
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as conn:
            conn.execute(f"DROP DATABASE IF EXISTS {name}_dagster WITH (FORCE)")


def test_the_embedded_database_is_started_and_stopped_by_hand_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    site = make_site(tmp_path / "site", None)
    try:
        began = time.monotonic()
        url = site.run("db", "start").stdout.strip()
        assert time.monotonic() - began < 60
        site.put_batch("2025-03-03T06:00:00", STANDARD)
        site.run("ingest")
        with psycopg.connect(url) as conn:  # it outlived the commands
            assert conn.execute("SELECT count(*) FROM receivables.invoices").fetchone() == (1,)
        assert "has stopped" in site.run("db", "stop").stderr
        assert "No PostgreSQL runs" in site.run("db", "stop").stderr
        assert site.data("files")  # the next command starts it again
    finally:
        site.run("db", "stop", code=None)
    told = site.refusal("db", "stop", KOLLENO_DATABASE_URL="postgresql://somebody@127.0.0.1:9/theirs")
    assert "its administrator does" in told


def test_progress_goes_to_a_terminal_and_never_into_the_data(offline: Site) -> None:
    offline.put_batch("2025-03-03T06:00:00", STANDARD)
    terminal, other_end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "kolleno_pipelines.cli", "check", str(offline.drop), "--json"],
        env={**offline.variables, "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=other_end,
    )
    os.close(other_end)
    out, _ = process.communicate(timeout=60)
    shown = b""
    try:
        while data := os.read(terminal, 4096):
            shown += data
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(terminal)
    assert process.returncode == 0
    assert b"Checking" in shown
    assert len(json.loads(out)["files"]) == 7
    assert offline.run("check", str(offline.drop)).stderr == ""


def test_a_reader_that_has_enough_is_no_error(site: Site) -> None:
    site.put_batch("2025-03-03T06:00:00", STANDARD)
    site.run("ingest")
    script = '"$PYTHON" -m kolleno_pipelines.cli files --json; echo "code $?" >&2'
    done = subprocess.run(
        ["sh", "-c", f"({script}) | head -c 1 >/dev/null"],
        env={**site.variables, "PYTHON": sys.executable},
        cwd=site.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == "code 0\n"
