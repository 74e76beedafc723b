"""The SSH server as docs/operating.md sets it up, for real: its commands, its configuration, both accounts at work.

The accounts of the page are not made on the machine that runs the tests: two that every system has stand for them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.connectors.errors import ConnectorError
from kolleno_pipelines.connectors.folders.drop import Drop
from kolleno_pipelines.connectors.sftp.client import open_drop
from tests.sshd import find_sshd, make_host, make_key, running

ROOT = Path(__file__).parents[2]
SENDER, READER, READERS = "games", "nobody", "nogroup"
NAME = "invoices_2026-03-31T06:00:00.csv"


@pytest.fixture
def top() -> Iterator[Path]:
    """A folder whose whole path belongs to root and is open to everybody, as a chroot needs it."""
    if find_sshd() is None:
        pytest.skip("needs the package openssh-server")
    if os.geteuid() != 0:
        pytest.skip("needs root, as setting up a chroot does")
    folder = Path(tempfile.mkdtemp(prefix="kolleno-sshd-", dir="/var/lib"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def _placed(text: str, top: Path) -> str:
    """The page's or the file's text with the places and accounts of this test."""
    for old, new in (
        (r"/srv/sftp", str(top / "srv")),
        (r"/etc/ssh/kolleno_keys", str(top / "keys")),
        (r"\bkolleno-senders\b", f"{SENDER},{READERS}"),
        (r"-g kolleno\b", f"-g {READERS}"),
        (r"(?<=-o )kolleno\b|(?<=User )kolleno\b|(?<=keys/)kolleno\b", READER),
        (r"\bacme\b(?!\.pub)", SENDER),
        (r"\b(acme|id_ed25519)\.pub", rf"{top}/\1.pub"),
    ):
        text = re.sub(old, new, text)
    return text


def _connection(top: Path, port: int, user: str, key: Path, folder: str = "csv_data_uploads") -> SftpConnection:
    return SftpConnection(
        location=f"sftp://{user}@127.0.0.1:{port}/", key_file=key, known_hosts=top / "known_hosts", folder=folder
    )


def test_sender_and_pipeline_do_their_work_and_nothing_else(top: Path) -> None:
    keys = {SENDER: make_key(top / "acme"), READER: make_key(top / "id_ed25519")}
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", page.split("## 2.")[0], re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines() if not re.match(r"(user|group)(add|mod) ", line)]
    subprocess.run(["sh", "-euxc", _placed("\n".join(lines), top)], check=True)

    port = make_host(top)
    rules = (ROOT / "deploy" / "sshd_config.d" / "kolleno.conf").read_text(encoding="utf-8")
    head = f"Port {port}\nListenAddress 127.0.0.1\nHostKey {top}/host_key\nPidFile {top}/pid\nUsePAM no\n"
    config = top / "sshd_config"
    config.write_text(f"{head}Subsystem sftp internal-sftp\n{_placed(rules, top)}")
    with running(config, port, top / "log"):
        with open_drop(_connection(top, port, SENDER, keys[SENDER]), str) as sender:
            sender.put_atomically("csv_data_uploads", NAME, b"id\n1\n")
            _refuses(sender, "processed")
            _refuses(sender, "other")
        assert (top / "srv" / SENDER / "csv_data_uploads" / NAME).stat().st_mode & 0o777 == 0o640
        with open_drop(_connection(top, port, READER, keys[READER]), str) as reader:
            (entry,) = reader.listing().entries
            got = _Kept()
            assert reader.download(entry, got) == 5
            assert got.data == b"id\n1\n"
            assert reader.move(entry, "processed") == f"processed/{NAME}"
            reader.put_atomically("feedback", f"{NAME}.result.csv", b"line,code\n")
            _refuses(reader, "other")
        with open_drop(_connection(top, port, SENDER, keys[SENDER], "feedback"), str) as sender:
            (entry,) = sender.listing().entries
            got = _Kept()
            sender.download(entry, got)
            assert got.data == b"line,code\n"


class _Kept:
    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


def _refuses(drop: Drop, folder: str) -> None:
    with pytest.raises(ConnectorError):
        drop.put_atomically(folder, "x.csv", b"x")
