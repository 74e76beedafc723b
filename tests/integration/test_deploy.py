"""The files of deploy/ are ones that the programs they are for accept."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kolleno_pipelines.settings import Settings

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
    url = next(line.partition("=")[2] for line in lines if line.startswith("KOLLENO_DATABASE_URL="))
    assert Settings(database_url=url).database_url is not None
