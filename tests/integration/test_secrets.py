"""A deployment whose every secret is a canary: whatever it is made to say, keep or raise, none of them is in it."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from kolleno_pipelines.sandbox.sftp_server import SandboxSftpServer
from tests.canaries import CANARIES, CANARY, Canaries, forms
from tests.command_line import STANDARD, Site, make_site
from tests.databases import drop_those_of_dagster

ROLE = "keeper_of_secrets"
# Characters that a URL must encode, and that a hasty pattern for passwords stops at.
PASSWORD = f"{CANARY} p@ss/w:rd%+&?#"
PASSPHRASE = f"{CANARY} of the key/+="
# A secret that nobody watches: the tests of the search write it where none should be.
OTHER = "0ther-secret p@ss/w:rd%+&?#"
DAY = "2025-03-03"


@dataclass(frozen=True)
class Secretive:
    """A site on SFTP, with an encrypted key and a database role that has a password."""

    site: Site
    sftp: SandboxSftpServer

    def launch(self) -> subprocess.CompletedProcess[str]:
        """Run the Dagster job of the day as a script would."""
        command = ["-m", "kolleno_pipelines.automation.launch", "--job", "sftp", "--from", DAY, "--to", DAY]
        home = self.site.variables["KOLLENO_HOME"]
        done = subprocess.run(
            [sys.executable, *command],
            env=self.site.variables | {"DAGSTER_HOME": home},
            cwd=self.site.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        assert CANARIES.find(done.stdout + done.stderr) is None
        return done


@pytest.fixture
def account(database: str, postgres_url: str) -> Iterator[str]:
    """URL of the test's database for its owner, whose password is in it."""
    parts = conninfo_to_dict(database)
    named = sql.Identifier(ROLE)
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}").format(named, sql.Literal(PASSWORD)))
        yield f"postgresql://{ROLE}:{quote(PASSWORD, safe='')}@/{parts['dbname']}?host={quote(str(parts['host']))}"
        drop_those_of_dagster(postgres_url)
        conn.execute(sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER").format(named))
        conn.execute(sql.SQL("DROP ROLE {}").format(named))


@pytest.fixture
def secretive(tmp_path: Path, account: str) -> Iterator[Secretive]:
    CANARIES.watch(PASSWORD, PASSPHRASE)
    site = make_site(tmp_path / "site", account)
    with SandboxSftpServer(site.drop.parent, tmp_path / "keys") as server:
        key = tmp_path / "keys" / "locked_key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", PASSPHRASE, "-f", str(key)], check=True)
        server.authorize(key.with_suffix(".pub").read_text())
        CANARIES.watch(key.read_text().splitlines()[2])
        lines = {
            "location": server.location,
            "key_file": key,
            "key_passphrase": "${SFTP_KEY_PASSPHRASE}",
            "known_hosts": server.known_hosts,
            "retries": 0,
        }
        text = "".join(f"    {name}: {value}\n" for name, value in lines.items())
        (site.folder / "connections.yaml").write_text(f"connections:\n  sftp:\n    system: sftp\n{text}")
        site.variables["SFTP_KEY_PASSPHRASE"] = PASSPHRASE
        site.variables["KOLLENO_WEBHOOK_URL"] = f"http://127.0.0.1:9/{CANARY}"
        yield Secretive(site, server)


def test_no_secret_is_said_kept_or_raised(secretive: Secretive, account: str) -> None:
    site = secretive.site
    site.put_batch(f"{DAY}T06:00:00", STANDARD)
    site.run("connections", "check")
    site.run("ingest")
    site.run("env")
    launched = secretive.launch()
    assert launched.returncode == 0, launched.stderr
    assert json.loads(launched.stdout)["success"] is True

    wrong = f"{CANARY} and wrong"
    CANARIES.watch(wrong)
    for words in (["connections", "check"], ["ingest"], ["ingest", "--debug"]):
        site.run(*words, code=2 if words[0] == "ingest" else None, SFTP_KEY_PASSPHRASE=wrong)
    site.variables["SFTP_KEY_PASSPHRASE"] = wrong
    assert secretive.launch().returncode == 1, "a run that cannot read the server fails"
    site.variables["SFTP_KEY_PASSPHRASE"] = PASSPHRASE
    secretive.sftp.stop()
    site.run("ingest", "--debug", code=2)
    assert secretive.launch().returncode == 1
    elsewhere = account.replace(quote(PASSWORD, safe=""), quote(wrong, safe=""))
    site.run("files", "--debug", code=2, KOLLENO_DATABASE_URL=elsewhere)

    assert list(CANARIES.in_files(site.folder)) == []
    dagster = account.replace("?", "_dagster?", 1)
    assert [*CANARIES.in_database(account), *CANARIES.in_database(dagster)] == []
    with psycopg.connect(dagster) as conn:
        failures = conn.execute("SELECT count(*) FROM event_logs WHERE dagster_event_type = 'STEP_FAILURE'").fetchone()
    assert failures == (2,), "what was searched holds the failures"


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
def test_the_search_finds_a_secret_however_it_is_written(before: str) -> None:
    search = Canaries(OTHER)
    assert search.find(f"x{OTHER}y")
    assert search.find(f"postgresql://user:{quote(OTHER, safe='')}@host/db")
    assert search.find(base64.b64encode(f"{before}{OTHER}:after".encode()))
    assert search.find("nothing of the kind") is None
    assert all(search.find(form) for form in forms(OTHER))


def test_the_search_reads_files_and_every_column(tmp_path: Path, database: str) -> None:
    search = Canaries(OTHER)
    (tmp_path / "log").write_text(f"said {OTHER}")
    (tmp_path / "dagster.pgpass").write_text(OTHER)
    assert [told.partition(":")[0] for told in search.in_files(tmp_path)] == [str(tmp_path / "log")]
    assert list(search.in_database(database)) == []
    with psycopg.connect(database) as conn:
        conn.execute("CREATE TABLE public.leaky (id int, said jsonb)")
        conn.execute("INSERT INTO public.leaky VALUES (1, %s)", [json.dumps({"url": quote(OTHER, safe="")})])
    assert [told.partition(":")[0] for told in search.in_database(database)] == ["public.leaky"]
