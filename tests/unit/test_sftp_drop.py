"""Names from a server: which are safe to join to a path, and how the others are shown."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.connectors.errors import Changed, ConnectorError, NeedsHuman, Permanent, Retryable
from kolleno_pipelines.connectors.folders.drop import (
    Listing,
    describe_listing,
    make_entry,
    name_fault,
    printable_name,
    require_readable,
)
from kolleno_pipelines.connectors.folders.location import join, read_account, read_root
from kolleno_pipelines.connectors.sftp.names import looks_like_ours

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("exact", "fault"),
    [
        (b"..", "not the name of a file"),
        (b".", "not the name of a file"),
        (b"", "not the name of a file"),
        (b"../../etc/passwd", "path separator"),
        (b"/etc/passwd", "path separator"),
        (b"..\\..\\boot.ini", "path separator"),
        (b"a\x00.csv", "NUL"),
        (b"a\nb.csv", "control"),
        (b"a\x1b[31mb.csv", "control"),
        ("invoices\u202evsc.exe".encode(), "control or invisible"),
        ("a\u200bb".encode(), "control or invisible"),
        (b"f\xe9vrier.csv", "not UTF-8"),
        (b"x" * 256, "longer than 255"),
    ],
)
def test_a_dangerous_name_is_never_readable(exact: bytes, fault: str) -> None:
    entry = make_entry(exact, 5, 0, is_file=True)
    assert entry.name_fault is not None
    assert fault in entry.name_fault
    assert entry.name.isprintable()
    assert not entry.readable
    with pytest.raises(Permanent, match="The sender must rename it") as raised:
        require_readable(entry, "sftp")
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("name", ["invoices_2026-01-01T00:00:00.csv", "Überweisung 2026.csv", "請求書.csv", ".hidden"])
def test_an_ordinary_name_is_shown_as_it_is(name: str) -> None:
    entry = make_entry(name.encode(), 5, 0, is_file=True)
    assert (entry.name, entry.name_fault, entry.readable) == (name, None, True)


def test_folders_and_links_are_not_read() -> None:
    with pytest.raises(Permanent, match="not a regular file"):
        require_readable(make_entry(b"invoices.csv", 5, 0, is_file=False), "sftp")


@given(st.binary(max_size=60))
def test_every_name_is_shown_in_printable_text(exact: bytes) -> None:
    assert printable_name(exact).isprintable()
    if name_fault(exact) is None:
        assert printable_name(exact).encode() == exact


@given(st.lists(st.binary(max_size=6) | st.text(max_size=6).map(str.encode), min_size=2, max_size=30, unique=True))
def test_two_names_are_never_shown_alike(names: list[bytes]) -> None:
    assert len({printable_name(name) for name in names}) == len(names)


def test_an_escaped_byte_is_not_taken_for_a_typed_escape() -> None:
    assert printable_name(b"\xff") == "\\xff"
    assert printable_name(b"\\xff") == "\\\\xff"
    assert printable_name(b"a\nb") == "a\\u000ab"


@pytest.mark.parametrize("seconds", [2**32 - 1, 1e18, -1e18, float("nan")])
def test_a_time_beyond_the_calendar_does_not_stop_a_listing(seconds: float) -> None:
    assert make_entry(b"a", 1, seconds, is_file=True).modified_at in (None, datetime(2106, 2, 7, 6, 28, 15, tzinfo=UTC))


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("invoices_2026-01-01T00:00:00.csv", True),
        ("CREDIT_NOTES_INVOICES_2026-01-01.CSV", True),
        ("customers-1.csv", True),
        ("INV-1001.pdf", False),
        ("notes_2026.csv", False),
        ("invoices_2026.pdf", False),
    ],
)
def test_names_that_look_like_ours(name: str, ours: bool) -> None:
    assert looks_like_ours(name.encode()) is ours


@pytest.mark.parametrize(
    ("root", "folder", "path"),
    [
        (b"", b"csv_data_uploads", b"csv_data_uploads"),
        (b"/base", b"csv_data_uploads/", b"/base/csv_data_uploads"),
        (b"/base", b"/elsewhere", b"/elsewhere"),
        (b"/base", b".", b"/base"),
        (b"", b".", b"."),
        (b"/", b"in", b"/in"),
        (b"", b"/", b"/"),
    ],
)
def test_folders_are_relative_to_the_location(root: bytes, folder: bytes, path: bytes) -> None:
    assert join(root, folder) == path


@pytest.mark.parametrize(
    ("location", "root"),
    [
        ("sftp://u@h:22/", b""),
        ("sftp://u@h", b""),
        ("sftp://u@h/base/", b"/base"),
        ("file:///srv/a%20b", b"/srv/a b"),
        ("file:///", b"/"),
    ],
)
def test_the_root_is_what_the_location_names(location: str, root: bytes) -> None:
    assert read_root(SftpConnection(location=location, key_file=Path("key"))) == root


def test_an_account_is_read_from_the_location_and_shows_no_secret() -> None:
    settings = SftpConnection(location="sftp://a%40b@[::1]:2222/", key_file=Path("key")).model_copy(
        update={"key_passphrase": "${PASS}"}
    )
    account = read_account(settings, {"${PASS}": "s3cr3t-canary"}.__getitem__)
    assert (account.user, account.host, account.port, account.address) == ("a@b", "::1", 2222, "[::1]:2222")
    assert account.key_passphrase == "s3cr3t-canary"
    assert "s3cr3t-canary" not in repr(account)


@pytest.mark.parametrize("location", ["sftp://u:s3cr3t-canary@h/", "ftp://u@h/", "sftp://h/", "sftp://u@h:99999/"])
def test_a_location_that_cannot_be_used_is_one_sentence_without_its_password(location: str) -> None:
    settings = SftpConnection(location="file:///x").model_copy(update={"location": location})
    with pytest.raises(NeedsHuman, match="not of the form sftp://user@host:22/") as raised:
        read_account(settings, str)
    assert "s3cr3t-canary" not in str(raised.value)


def test_errors_say_who_must_act_and_survive_a_process_boundary() -> None:
    error = pickle.loads(pickle.dumps(Retryable("Wait.", "sftp", 2.5)))  # noqa: S301
    assert (str(error), error.connection, error.retry_after) == ("sftp: Wait.", "sftp", 2.5)
    assert issubclass(Changed, Retryable)
    assert set(ConnectorError.__subclasses__()) == {Retryable, Permanent, NeedsHuman}


def test_a_description_tells_what_a_person_would_ask() -> None:
    listing = Listing(
        entries=(make_entry(b"a\nb", 1, 0, is_file=True), make_entry(b"c.csv", 7, 86400, is_file=True)),
        misplaced=(make_entry(b"invoices_1.csv", 1, 0, is_file=True),),
        looked_at=NOW,
        server_now=NOW - timedelta(seconds=30),
        clock="measured",
    )
    text = " ".join(describe_listing(listing, "/in"))
    assert "Folder /in: 1 files, 7 bytes, the newest modified at 1970-01-02 00:00:00 UTC." in text
    assert "1 names there are never read, such as a\\u000ab: it holds a control" in text
    assert "1 files lie beside the folder instead of in it, such as invoices_1.csv." in text
    assert "The server's clock is 30 s behind ours." in text
