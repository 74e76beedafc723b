"""connections.yaml: every refusal is one sentence with file and line, and no secret is ever shown."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolleno_pipelines import marked_yaml
from kolleno_pipelines.connections import (
    BankFilesConnection,
    ConnectionsError,
    QuickBooksConnection,
    Reference,
    SftpConnection,
    XeroConnection,
    api_connections,
    bank_connections,
    document_connections,
    ledger_of,
    ledger_served,
    load_connections,
    provider_connections,
    resolve,
)
from tests.canaries import CANARY

SECRET = CANARY
ROOT = Path(__file__).parents[2]
BEGIN = "connections:\n  drop:\n    system: sftp\n    location: file:///srv/drop\n"


def _file(folder: Path, text: str) -> Path:
    path = folder / "connections.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def _refusal(folder: Path, text: str) -> str:
    with pytest.raises(ConnectionsError) as refusal:
        load_connections(_file(folder, text))
    message = str(refusal.value)
    assert "\n" not in message
    assert SECRET not in message
    assert refusal.value.__cause__ is None
    return message.replace(str(folder), "")


def test_defaults(tmp_path: Path) -> None:
    connection = load_connections(_file(tmp_path, BEGIN))["drop"]
    assert connection.name == "drop"
    assert connection.role == "ledger"
    assert connection.folder == "csv_data_uploads"
    assert connection.settle == timedelta(seconds=10)
    assert connection.batch_window == timedelta(minutes=15)
    assert connection.stall_after == timedelta(minutes=60)
    assert connection.expect_every is None
    assert connection.max_file_bytes == 2 * 1024**3
    assert connection.ageing_buckets == (30, 60, 90)
    assert connection.is_local
    assert connection.local_root == Path("/srv/drop")


def test_values_are_read_exactly(tmp_path: Path) -> None:
    text = BEGIN + (
        "    settle: 10\n    batch_window: 2m\n    expect_every: 24h\n    max_file_bytes: 500MB\n"
        "    tolerance: {USD: 0.05, KWD: '0.005', JPY: 1}\n    ageing_buckets: [15, 45]\n"
        "    timezone: Europe/London\n    balance_stated: true\n    retention_days: 30\n    connect_timeout: 2.5\n"
    )
    connection = load_connections(_file(tmp_path, text))["drop"]
    assert connection.tolerance == {"USD": Decimal("0.05"), "KWD": Decimal("0.005"), "JPY": Decimal(1)}
    assert str(connection.tolerance["USD"]) == "0.05"
    assert connection.expect_every == timedelta(hours=24)
    assert connection.max_file_bytes == 500_000_000
    assert connection.ageing_buckets == (15, 45)
    assert connection.connect_timeout == 2.5
    assert connection.balance_stated
    assert connection.retention_days == 30


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    text = (
        "connections:\n  sftp:\n    system: sftp\n    location: sftp://u@h:2222/\n"
        "    key_file: keys/id\n    known_hosts: /etc/known\n"
    )
    connection = load_connections(_file(tmp_path, text))["sftp"]
    assert connection.key_file == tmp_path / "keys" / "id"
    assert connection.known_hosts == Path("/etc/known")
    assert not connection.is_local


@pytest.mark.parametrize(
    ("added", "line", "words"),
    [
        ("    setle: 10\n", 5, "unknown key setle (did you mean settle?)"),
        ("    settle: soon\n", 5, "settle: 'soon' is not a duration"),
        ("    settle: true\n", 5, "settle: True is not a duration"),
        ("    settle: 10\n    settle: 20\n", 6, "the key settle comes a second time (first on line 5)"),
        ("    known_hosts:\n", 5, "known_hosts: no value is written"),
        ("    known_hosts: 5\n", 5, "known_hosts: 5 is not the path"),
        ("    timezone: Mars/Olympus\n", 5, "timezone: 'Mars/Olympus' is not a time zone"),
        ("    role: boss\n", 5, "role: it should be 'ledger' or 'mirror'"),
        ("    tolerance:\n      USD: 0.05\n      EUR: -1\n", 7, "tolerance.EUR: -1 is not an amount"),
        ("    tolerance: {usd: 1}\n", 5, "tolerance: 'usd' is not a currency code"),
        ("    ageing_buckets: [60, 30]\n", 5, "ageing_buckets: the bounds are days that rise"),
        ("    ageing_buckets: []\n", 5, "ageing_buckets: the bounds are days that rise"),
        ("    max_file_bytes: 0\n", 5, "max_file_bytes"),
        ("    max_file_bytes: huge\n", 5, "max_file_bytes: 'huge' is not a size"),
        ("    folder: ../up\n", 5, "folder: '../up' is not a folder on the server"),
        ("    retention_days: 0\n", 5, "retention_days"),
        ("    name: other\n", 5, "unknown key name"),
        (f"    key_passphrase: {SECRET}\n", 5, "key_passphrase: a secret is never written into this file"),
        (f"    key_passphrase: ${{{SECRET}\n", 5, "key_passphrase: a secret is never written into this file"),
        ("    key_passphrase: ${}\n", 5, "key_passphrase: a secret is never written into this file"),
        (f"    password: {SECRET}\n", 5, "unknown key password"),
        ("    folder: ${FOLDER}\n", 5, "folder: ${VARIABLE} is understood in secrets only (key_passphrase)"),
        ("    folder: a/${FOLDER}\n", 5, "folder: ${VARIABLE} is understood in secrets only"),
        (f"    settle: [{SECRET}\n", 6, "expected"),
        (f"    settle: *{SECRET}\n", 5, "undefined alias (…)"),
        (f"    settle: !{SECRET} x\n", 5, "a tag (!...) has no meaning here"),
        ("\tsettle: 1\n", 5, "token"),
        ("    ? [a, b]\n    : 1\n", 5, "a key must be plain text"),
        ("  second:\n    system: sftp\n    location: file:///b\n", 5, "a second sftp connection is not possible yet"),
        ("  other:\n    system: abacus\n", 6, "system is missing or unknown; known: sftp"),
        ("  other:\n    location: x\n", 5, "system is missing or unknown; known: sftp"),
        ("  other:\n", 5, "its settings (system, location, ...) are missing"),
        ("  Other Name:\n    system: sftp\n    location: file:///b\n", 5, "is not a name of lower case letters"),
        ("other: 1\n", 5, "unknown key other"),
        ("    key_file: ~nosuchuser/key\n", 5, "key_file: ~nosuchuser is no account with a home folder"),
        ("    known_hosts: ~nosuchuser/known\n", 5, "known_hosts: ~nosuchuser is no account with a home folder"),
    ],
)
def test_refusals_name_the_line(tmp_path: Path, added: str, line: int, words: str) -> None:
    message = _refusal(tmp_path, BEGIN + added)
    assert message.startswith(f"/connections.yaml line {line}: "), message
    assert words in message


@pytest.mark.parametrize(
    ("location", "words"),
    [
        (f"sftp://u:{SECRET}@h/", "a password has no place in it"),
        ("sftp://h/", "neither sftp://user@host:22/ nor file:///folder"),
        ("sftp://u@h:99999/", "its host or port cannot be read"),
        ("ftp://u@h/", "neither"),
        ("file://folder/x", "neither"),
        ("/srv/drop", "neither"),
        ("sftp://u@h/", "key_file is missing"),
    ],
)
def test_locations(tmp_path: Path, location: str, words: str) -> None:
    message = _refusal(tmp_path, f"connections:\n  sftp:\n    system: sftp\n    location: {location}\n")
    assert words in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no connections are written in it"),
        ("connections:\n", "no connections are written in it"),
        ("- a\n", "no connections are written in it"),
        ("connections: &a\n  x: *a\n", "nested too deeply"),
        ("connections: \x01\n", "a character that YAML does not allow"),
    ],
)
def test_files_that_say_nothing(tmp_path: Path, text: str, words: str) -> None:
    assert words in _refusal(tmp_path, text)


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(ConnectionsError, match=r"absent\.yaml does not exist: copy connections\.example\.yaml"):
        load_connections(tmp_path / "absent.yaml")
    with pytest.raises(ConnectionsError, match="cannot be read"):
        load_connections(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"connections: \xe9\n")
    with pytest.raises(ConnectionsError, match="is not UTF-8 text"):
        load_connections(tmp_path / "latin.yaml")


def test_secret_is_resolved_when_needed(tmp_path: Path) -> None:
    path = _file(tmp_path, BEGIN + "    key_passphrase: ${SFTP_PASS}\n")
    connection = load_connections(path)["drop"]
    assert connection.key_passphrase == "${SFTP_PASS}"
    assert resolve(connection.key_passphrase, {"SFTP_PASS": SECRET}) == SECRET
    assert SECRET not in repr(connection)
    with pytest.raises(ConnectionsError) as missing:
        resolve(connection.key_passphrase, {})
    assert str(missing.value) == (
        f"The environment variable SFTP_PASS, which key_passphrase of connection drop ({path} line 5) asks for, "
        "is not set: set it where kolleno runs, or in .env."
    )


def test_connection_made_in_code() -> None:
    connection = SftpConnection(location="file:///srv/with%20space", key_passphrase=Reference("${A}"))
    assert connection.local_root == Path("/srv/with space")
    assert resolve("${A}", {"A": SECRET}) == SECRET
    with pytest.raises(ValueError, match="VARIABLE"):
        Reference(SECRET)


def test_example_is_complete_and_true() -> None:
    path = ROOT / "connections.example.yaml"
    assert set(load_connections(path)) == {"sftp"}
    text = path.read_text(encoding="utf-8")
    for name in set(SftpConnection.model_fields) - {"name"}:
        assert f" {name}:" in text or f"#{name}:" in text


def test_commented_defaults_of_the_example_are_the_defaults(tmp_path: Path) -> None:
    lines = (ROOT / "connections.example.yaml").read_text(encoding="utf-8").splitlines()
    unset = ("key_passphrase", "archive_folder", "feedback_folder", "expect_every", "retention_days")
    uncommented = [
        line.replace("#", "", 1) if line.lstrip().startswith("#") and line.startswith("    #") else line
        for line in lines
        if not any(line.startswith(f"    #{name}:") for name in unset)
    ]
    shown = [
        line
        for line in uncommented
        if not line.startswith(("    When", "    Where", "    Noth", "    The", "    Mean"))
    ]
    text = "\n".join(line for line in shown if not line.startswith("     "))
    written = load_connections(_file(tmp_path, text))["sftp"]
    plain = SftpConnection(location=written.location, key_file=written.key_file)
    assert written == plain


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_with_a_line(text: str) -> None:
    line = 1
    try:
        marked_yaml.read(text)
    except marked_yaml.MarkedYamlError as refusal:
        line = refusal.line
    assert line >= 1


BOOKS = "connections:\n  books:\n    system: quickbooks\n"


def test_an_api_connection_may_be_its_system_alone(tmp_path: Path) -> None:
    connections = load_connections(_file(tmp_path, BOOKS))
    books = connections["books"]
    assert isinstance(books, QuickBooksConnection)
    assert (books.role, books.link_cap, books.close_share) == ("ledger", None, Decimal("0.1"))
    assert books.sweep_every == timedelta(hours=24)
    assert ledger_of(connections) is books
    capped = load_connections(_file(tmp_path, BOOKS + "    link_cap: 15\n    realm_id: 4620816365\n"))["books"]
    assert isinstance(capped, QuickBooksConnection)
    assert (capped.link_cap, capped.realm_id) == (15, "4620816365")
    off = load_connections(_file(tmp_path, BOOKS + "    link_cap: off\n"))["books"]
    assert isinstance(off, QuickBooksConnection)
    assert off.link_cap is None


def test_a_month_s_allowance_is_the_vendor_s_unless_it_is_written(tmp_path: Path) -> None:
    def allowed(system: str, more: str = "") -> tuple[int | None, int | None]:
        written = f"connections:\n  books:\n    system: {system}\n{more}"
        (connection,) = api_connections(load_connections(_file(tmp_path, written)))
        return connection.monthly_calls, connection.monthly_egress

    assert allowed("quickbooks") == (500_000, None)
    assert allowed("xero") == (None, 10_000_000_000)
    assert allowed("xero", "    monthly_egress: 50GB\n    monthly_calls: 1000\n") == (1_000, 50_000_000_000)
    assert allowed("quickbooks", "    monthly_calls: off\n") == (None, None)
    assert allowed("xero", "    monthly_egress: off\n") == (None, None)


@pytest.mark.parametrize(
    ("added", "line", "words"),
    [
        (f"    client_secret: {SECRET}\n", 4, "write ${VARIABLE}"),
        ("    link_cap: 12\n", 4, "link_cap"),
        ("    role: provider\n", 4, "role: it should be 'ledger' or 'mirror'"),
        ("    close_share: 1.5\n", 4, "a share is between 0 and 1"),
        ("    poll_every: 5s\n", 4, "at least 1m"),
        ("    api_url: http://books.example.com\n", 4, "begins with https://"),
        ("    api_url: https://user@books.example.com\n", 4, "without user"),
        ("    batch_window: 1m\n", 4, "unknown key batch_window"),
        ("    monthly_calls: many\n", 4, "monthly_calls: it should be a valid integer"),
        ("    monthly_calls: 0\n", 4, "monthly_calls: it should be greater than 0"),
        ("    monthly_calls: true\n", 4, "monthly_calls: it should be a valid integer"),
        ("    monthly_egress: much\n", 4, "monthly_egress: 'much' is not a size"),
        ("    also_read: [invoices]\n", 4, "'invoices' is nothing that quickbooks reads where asked; known: none"),
        ("    also_read_a_day: 0\n", 4, "also_read_a_day"),
        ("  other:\n    system: xero\n", 4, "a second ledger, books is the first"),
        ("    role: mirror\n  other:\n    system: xero\n    role: mirror\n", 1, "every connection is a mirror"),
    ],
)
def test_refusals_of_api_connections_name_the_line(tmp_path: Path, added: str, line: int, words: str) -> None:
    message = _refusal(tmp_path, BOOKS + added)
    assert message.startswith(f"/connections.yaml line {line}: "), message
    assert words in message


def test_what_is_also_read_is_known_by_name(tmp_path: Path) -> None:
    xero = "connections:\n  xero:\n    system: xero\n"
    plain = load_connections(_file(tmp_path, xero))["xero"]
    assert isinstance(plain, XeroConnection)
    assert (plain.also_read, plain.also_read_a_day) == ((), 250)
    names = "[invoice_attachments, invoice_history, invoice_attachments]"
    both = load_connections(_file(tmp_path, f"{xero}    also_read: {names}\n    also_read_a_day: 1000\n"))["xero"]
    assert isinstance(both, XeroConnection)
    assert (both.also_read, both.also_read_a_day) == (("invoice_history", "invoice_attachments"), 1000)
    for wrong in ("[history]", "[invoice_history, history]"):
        message = _refusal(tmp_path, f"{xero}    also_read: {wrong}\n")
        assert message == (
            "/connections.yaml line 4: connection xero: also_read: 'history' is nothing that xero reads where asked;"
            " known: invoice_history, invoice_attachments."
        )
    assert "also_read" in _refusal(tmp_path, f"{xero}    also_read: invoice_history\n")


def test_several_systems_with_one_ledger_are_read(tmp_path: Path) -> None:
    more = "  uk: {system: quickbooks, role: mirror}\n  xero: {system: xero, role: mirror}\n"
    connections = load_connections(_file(tmp_path, BOOKS + more))
    assert [each.name for each in api_connections(connections)] == ["books", "uk", "xero"]
    assert ledger_of(connections).name == "books"


BANK = BOOKS + "  bank:\n    system: bank_files\n    location: sftp://acme@bank.example/\n    key_file: keys/bank\n"


def test_a_bank_serves_the_ledger_and_carries_no_documents(tmp_path: Path) -> None:
    more = "  stripe: {system: stripe}\n  second: {system: bank_files, location: file:///srv/bank, files: '*.xml'}\n"
    connections = load_connections(_file(tmp_path, BANK + more))
    bank, second = bank_connections(connections).values()
    assert (bank.name, bank.role, bank.ledger, bank.is_local) == ("bank", "bank", "books", False)
    assert (bank.folder, bank.files, bank.key_file) == (".", "*", tmp_path / "keys" / "bank")
    assert (bank.settle, bank.payout_window) == (timedelta(seconds=10), timedelta(days=5))
    assert (second.files, second.local_root, second.is_counted) == ("*.xml", Path("/srv/bank"), False)
    assert [each.name for each in api_connections(connections)] == ["books", "bank", "stripe", "second"]
    assert list(document_connections(connections)) == ["books"]
    assert list(provider_connections(connections)) == ["stripe"]
    assert [ledger_served(connections, name) for name in connections] == [None, "books", "books", "books"]


def test_the_secret_of_a_bank_is_resolved_when_needed(tmp_path: Path) -> None:
    bank = load_connections(_file(tmp_path, BANK + "    key_passphrase: ${BANK_PASS}\n"))["bank"]
    assert isinstance(bank, BankFilesConnection)
    assert bank.key_passphrase is not None
    assert resolve(bank.key_passphrase, {"BANK_PASS": SECRET}) == SECRET
    assert SECRET not in repr(bank)


@pytest.mark.parametrize(
    ("added", "line", "words"),
    [
        (f"    key_passphrase: {SECRET}\n", 8, "key_passphrase: a secret is never written into this file"),
        ("    role: ledger\n", 8, "role: it should be 'bank'"),
        ("    ledger: bank\n", 8, "bank is no ledger that it could serve; there is books"),
        ("    files: in/*.xml\n", 8, "files: it is a pattern of file names such as *.xml"),
        ("    payout_window: 36h\n", 8, "payout_window: it is in whole days"),
        ("    folder: ../up\n", 8, "folder: '../up' is not a folder on the server"),
        ("    archive_folder: done\n", 8, "unknown key archive_folder"),
        ("    start_date: 2026-01-01\n", 8, "start_date: leave it out"),
        ("    also_read: []\n", 8, "also_read: leave it out"),
        ("    also_read_a_day: 5\n", 8, "also_read_a_day: leave it out"),
        ("    close_share: 0.2\n", 8, "close_share: leave it out"),
        ("    monthly_calls: 5\n", 8, "monthly_calls: leave it out"),
        ("    monthly_egress: 5GB\n", 8, "monthly_egress: leave it out"),
        ("    api_url: https://bank.example\n", 8, "api_url: leave it out"),
        ("    tolerance: {USD: 1}\n", 8, "unknown key tolerance"),
    ],
)
def test_refusals_of_a_bank_name_the_line(tmp_path: Path, added: str, line: int, words: str) -> None:
    message = _refusal(tmp_path, BANK + added)
    assert message.startswith(f"/connections.yaml line {line}: connection bank: "), message
    assert words in message


def test_a_bank_without_a_ledger_or_a_key_is_refused(tmp_path: Path) -> None:
    alone = "connections:\n  bank: {system: bank_files, location: file:///srv/bank}\n"
    assert "there is no ledger that it could serve" in _refusal(tmp_path, alone)
    message = _refusal(tmp_path, BANK.replace("    key_file: keys/bank\n", ""))
    assert "key_file is missing: an SFTP server is reached with a private key" in message


def test_the_bank_of_the_example_shows_the_defaults(tmp_path: Path) -> None:
    example = (ROOT / "connections.example.yaml").read_text(encoding="utf-8")
    lines = [line.replace("#", "", 1) for line in example[example.index("  #bank:") :].splitlines()]
    unset = ("key_passphrase", "expect_every", "ledger")
    shown = "\n".join(re.sub("^( *)#", r"\1", line) for line in lines if not line.strip("# ").startswith(unset))
    bank = load_connections(_file(tmp_path, f"{BOOKS}{shown}\n"))["bank"]
    assert isinstance(bank, BankFilesConnection)
    assert bank == BankFilesConnection(name="bank", location=bank.location, key_file=bank.key_file, ledger="books")
    refused = {"start_date", "also_read", "also_read_a_day", "close_share"}
    refused |= {"monthly_calls", "monthly_egress", "api_url"}
    for name in set(BankFilesConnection.model_fields) - refused - {"name", "role"}:
        assert name in "\n".join(lines)
