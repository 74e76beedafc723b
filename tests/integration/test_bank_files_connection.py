"""A bank's files on a real SFTP server, and what is said of such a connection: checked, listed, not signed in to."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest

from kolleno_pipelines.connections import BankFilesConnection, bank_connections, load_connections
from kolleno_pipelines.connectors.bank_files.client import BankFilesSource
from kolleno_pipelines.connectors.contract import Pass
from kolleno_pipelines.connectors.folders.client import open_folder
from kolleno_pipelines.pipeline.api_delivery import UnknownObjectError, deliver_objects
from kolleno_pipelines.pipeline.connecting import describe_connections
from kolleno_pipelines.pipeline.connection_states import connection_states
from kolleno_pipelines.pipeline.deployment import NotConfiguredError, open_deployment
from kolleno_pipelines.pipeline.opening import Opening
from kolleno_pipelines.pipeline.sign_in import Person, sign_in_connection
from kolleno_pipelines.pipeline.sources import SOURCES
from kolleno_pipelines.settings import Settings
from tests.bank_folder import DAY, ENTRIES, FILES, cut, window
from tests.drop_servers import SERVERS, Server, running_server


@pytest.fixture(params=list(SERVERS))
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with running_server(request.param, tmp_path) as running:
        yield running


def put(server: Server, name: str, text: str, modified_at: datetime | None = None) -> Path:
    path = server.put(name, text.encode())
    if modified_at is not None:
        os.utime(path, (time.time(), modified_at.timestamp()))
    return path


def bank_on(server: Server) -> BankFilesConnection:
    reached = server.settings
    return BankFilesConnection(
        location=reached.location,
        folder=reached.folder,
        key_file=reached.key_file,
        known_hosts=reached.known_hosts,
        files="*.xml",
        settle=timedelta(milliseconds=50),
        max_file_bytes=1_000,
    )


def test_files_on_a_server_are_read_in_order_and_what_cannot_be_is_told(server: Server, tmp_path: Path) -> None:
    kept_in = tmp_path / "kept"
    kept_in.mkdir()
    put(server, "b.xml", "first 1\n", DAY)
    put(server, "a.xml", "first 2\nsecond 2\n", DAY + timedelta(hours=1))
    put(server, "large.xml", "x" * 1_001, DAY + timedelta(hours=2))
    gone = put(server, "gone.xml", "gone 1\n", DAY + timedelta(hours=3))
    put(server, "young.xml", "young 3\n")
    put(server, "next.xml.part", "next", DAY)
    with open_folder(bank_on(server), str, first_pause=0.01) as drop:
        source = BankFilesSource(drop, bank_on(server), cut, kept_in=kept_in)
        files = source.records(FILES, window())
        told = [json.loads(next(files).payload)]
        gone.unlink()
        told += [json.loads(record.payload) for record in files]
        swept = list(source.records(ENTRIES, window(Pass.SWEEP)))
    assert [(one["id"], bool(one["faults"])) for one in told] == [
        ("b.xml", False),
        ("a.xml", False),
        ("large.xml", True),
        ("young.xml", False),
    ]
    assert [(one.source_id, json.loads(one.payload)["text"]) for one in swept] == [
        ("young", "3"),
        ("first", "2"),
        ("second", "2"),
    ]


@pytest.fixture
def bank(settings: Settings, tmp_path: Path) -> Path:
    """The folder of a bank beside a ledger, both in connections.yaml."""
    folder = tmp_path / "statements"
    folder.mkdir()
    bank = f"  bank: {{system: bank_files, location: '{folder.as_uri()}', files: '*.xml'}}\n"
    settings.connections.write_text(f"connections:\n  books: {{system: quickbooks}}\n{bank}", encoding="utf-8")
    return folder


def test_checking_it_says_what_is_in_the_folder(bank: Path, settings: Settings) -> None:
    for name in ("a.xml", "b.xml", "readme.txt"):
        (bank / name).write_text("x", encoding="utf-8")
    (tried,) = describe_connections("bank", settings)
    assert tried.error is None
    assert tried.facts[0].startswith(f"Folder {bank}: 3 files, 3 bytes, the newest modified at ")
    assert tried.facts[1:] == ["Names that match files, *.xml: 2."]
    (bank / "a.xml").rename(bank.parent / "a.xml")
    bank.rename(bank.parent / "elsewhere")
    (tried,) = describe_connections("bank", settings)
    assert "There is no folder" in str(tried.error)


@pytest.mark.usefixtures("bank")
def test_single_objects_cannot_be_asked_for(settings: Settings) -> None:
    connection = bank_connections(load_connections(settings.connections))["bank"]
    with pytest.raises(UnknownObjectError, match=r"^bank_files is not asked by id\.$"):
        deliver_objects(open_deployment(settings), connection, "entries", ["x"])


def test_it_is_listed_without_usage_and_nobody_signs_in(bank: Path, settings: Settings) -> None:
    _, state = connection_states(settings)
    assert (state.name, state.role, state.state, state.usage) == ("bank", "bank", "not_looked_at", None)
    assert (state.sign_in, state.is_asking) == ("is a folder of this machine; nobody signs in", False)
    with pytest.raises(NotConfiguredError, match="bank of bank_files is a folder of this machine; nobody signs in"):
        sign_in_connection("bank", Person(lambda _: None), settings=settings)
    assert bank.is_dir()


def test_what_is_cut_of_its_files_is_kept_for_one_reading_alone(
    bank: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    documents = ModuleType("kolleno_pipelines.connectors.bank_files.documents")
    documents.read_document = cut  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, documents.__name__, documents)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (bank / "a.xml").write_text("one 1\n", encoding="utf-8")
    os.utime(bank / "a.xml", (time.time(), DAY.timestamp()))
    connection = bank_connections(load_connections(settings.connections))["bank"]
    with ExitStack() as opened:
        source = SOURCES["bank_files"](Opening(open_deployment(settings), connection, opened))
        (record,) = source.records(ENTRIES, window())
        assert json.loads(record.payload) == {"id": "one", "text": "1"}
        (kept,) = (tmp_path / "temporary").iterdir()
        assert kept.stat().st_mode & 0o777 == 0o700
        assert sorted(path.suffix for path in kept.iterdir()) == [".accounts", ".entries", ".files"]
    assert list((tmp_path / "temporary").iterdir()) == []
