"""The files of deploy/ are ones that the programs they are for accept."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kolleno_pipelines.cli.dagster_servers import _only_one
from kolleno_pipelines.settings import Settings
from tests.command_line import make_site

DEPLOY = Path(__file__).parents[2] / "deploy"


def test_openssh_takes_the_server_s_configuration(tmp_path: Path) -> None:
    sshd = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    if sshd is None:
        pytest.skip("needs the package openssh-server")
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    config = DEPLOY / "sshd_config.d" / "kolleno.conf"
    shown = subprocess.run(
        [sshd, "-T", "-f", str(config), "-h", str(key), "-C", "user=root,host=x,addr=127.0.0.1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    # A keyword that sshd does not know, or one that a Match block may not hold, fails the test above.
    assert "Match Group kolleno-senders" in config.read_text()


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    units = sorted((DEPLOY / "systemd").iterdir())
    assert [unit.name for unit in units] == [
        "kolleno-backup.service",
        "kolleno-backup.timer",
        "kolleno-daemon.service",
        "kolleno-webserver.service",
    ]
    for unit in units:
        text = unit.read_text()
        assert text.count("[Unit]") == 1
        for command in re.findall(r"^ExecStart=(\S+)", text, re.MULTILINE):
            assert command.startswith("/")
            script = DEPLOY.parent / command.removeprefix("/opt/kolleno/")
            assert command.startswith("/bin/") or os.access(script, os.X_OK), command
    if verify is None:
        return
    for unit in units:
        # The programs of a production machine are not here: theirs are replaced by one that is.
        copy = tmp_path / unit.name
        copy.write_text(re.sub(r"^ExecStart=/opt\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.MULTILINE))
    done = subprocess.run(
        [verify, "verify", "--man=no", *(str(tmp_path / unit.name) for unit in units)],
        capture_output=True,
        text=True,
        check=False,
    )
    complaints = [line for line in done.stderr.splitlines() if "kolleno" in line and "User=" not in line]
    assert not complaints, done.stderr


def test_the_environment_file_names_settings_there_are() -> None:
    lines = (DEPLOY / "kolleno.env.example").read_text().splitlines()
    names = {match[1] for line in lines if (match := re.match(r"#?KOLLENO_([A-Z_]+)=", line))}
    assert {name.lower() for name in names} <= set(Settings.model_fields)
    assert Settings(database_url=_as_systemd_reads("\n".join(lines))["KOLLENO_DATABASE_URL"]).database_url is not None


def _as_systemd_reads(text: str) -> dict[str, str]:
    """Read an environment file as systemd does: nothing is replaced, what stands in single quotes is literal."""
    lines = [line for line in text.splitlines() if line and line[0] not in "#;"]
    found = dict(line.split("=", 1) for line in lines)
    assert all(re.fullmatch(r"'[^']*'", value) for value in found.values()), found
    return {name: value[1:-1] for name, value in found.items()}


def test_the_environment_file_means_the_same_to_systemd_and_to_a_shell(tmp_path: Path) -> None:
    lines = (DEPLOY / "kolleno.env.example").read_text().splitlines()
    # The commented lines too, with values such as they will have.
    filled = "\n".join(re.sub(r"^#(\w+)=''$", r"\1='https://x/y?a=1&b=$2 #c'", line) for line in lines)
    file = tmp_path / "kolleno.env"
    file.write_text(filled + "\n")
    expected = _as_systemd_reads(filled)
    assert {"SFTP_KEY_PASSPHRASE", "KOLLENO_WEBHOOK_URL", "KOLLENO_DATABASE_URL"} <= set(expected)
    script = 'set -a; . "$0"; exec env -0'
    done = subprocess.run(["sh", "-c", script, str(file)], env={"PATH": os.environ["PATH"]}, capture_output=True)
    assert done.stderr == b""
    sourced = dict(pair.split("=", 1) for pair in done.stdout.decode().split("\0") if pair)
    assert {name: sourced.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("url", "address", "password"),
    [
        (
            "postgresql://k:p%40%3A%25%C3%BC@h:5432/d?sslmode=require",
            "postgresql://k@h:5432/d?sslmode=require",
            "p@:%ü",
        ),
        ("postgres://k@h/d?a=b&password=x%26y&c=d", "postgresql://k@h/d?a=b&c=d", "x&y"),
        ("postgresql+psycopg2://k@/d?host=%2Frun&passfile=%2Fp", "postgresql://k@/d?host=%2Frun&passfile=%2Fp", ""),
        ("postgresql://h/d", "postgresql://h/d", ""),
    ],
)
def test_the_scripts_take_the_password_out_of_the_url(url: str, address: str, password: str) -> None:
    script = '. "$0"; use_database "$1"; printf "%s\\n%s" "$address" "${PGPASSWORD-}"'
    done = subprocess.run(
        ["sh", "-c", script, str(DEPLOY / "places.sh"), url], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n") == [address, password]


def test_a_second_daemon_is_refused(tmp_path: Path, database: str) -> None:
    """deploy/daemon.sh beside `kolleno dev`, and the other way round: one lock for both."""
    site = make_site(tmp_path / "site", database)
    site.run("db", "start")
    programs = tmp_path / "bin"
    programs.mkdir()
    _program(programs / "kolleno", f'exec {sys.executable} -m kolleno_pipelines.cli "$@"')
    _program(programs / "dagster-daemon", 'echo "daemon $*"; exec sleep 300')
    command, environment = ["sh", str(DEPLOY / "daemon.sh")], {**site.variables, "KOLLENO_BIN": str(programs)}
    daemon = subprocess.Popen(command, env=environment, cwd=site.folder, stdout=subprocess.PIPE, text=True)
    try:
        assert daemon.stdout is not None
        assert daemon.stdout.readline() == f"daemon run -w {site.folder / 'home' / 'workspace.yaml'}\n"
        told = site.run("dev", code=2).stderr
        assert f"run already (process {daemon.pid})" in told
        second = subprocess.run(command, env=environment, cwd=site.folder, capture_output=True, text=True, check=False)
        assert (second.returncode, second.stdout) == (1, "")
        assert f"runs already (process {daemon.pid})" in second.stderr
    finally:
        daemon.kill()
        daemon.wait()
        assert daemon.stdout is not None
        daemon.stdout.close()
    with _only_one(site.folder / "home"):
        third = subprocess.run(command, env=environment, cwd=site.folder, capture_output=True, text=True, check=False)
    assert third.returncode == 1


def _program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
