"""The systems that the demo reads, served by its own process: files over SFTP, the others over HTTP.

What they are told of the company belongs in demo_company.py. Here are their ports and secrets, connections.yaml, and a
person who signs in by itself.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kolleno_pipelines.cli.demo_company import BANK, QUICKBOOKS, SFTP, STRIPE, XERO, Dropped
from kolleno_pipelines.cli.terminal import say
from kolleno_pipelines.settings import Settings

if TYPE_CHECKING:
    from kolleno_pipelines.sandbox.quickbooks.app import SandboxQuickBooks
    from kolleno_pipelines.sandbox.sftp_server import SandboxSftpServer
    from kolleno_pipelines.sandbox.startable import Startable
    from kolleno_pipelines.sandbox.stripe.server import SandboxStripe
    from kolleno_pipelines.sandbox.vendor_server import VendorServer
    from kolleno_pipelines.sandbox.xero.server import SandboxXero

SECRET_KEY = "KOLLENO_SECRET_KEY"  # noqa: S105 - the name of a variable
#: Variables that hold the secrets of the apps registered with the vendors.
CLIENT_SECRETS = {QUICKBOOKS: "DEMO_QUICKBOOKS_CLIENT_SECRET", XERO: "DEMO_XERO_CLIENT_SECRET"}
#: Variable that holds the key which opens the account at Stripe.
API_KEY = "DEMO_STRIPE_API_KEY"
#: The systems that are read extract by extract, the ledger first and what is compared with it after.
VENDORS = (QUICKBOOKS, XERO, STRIPE, BANK)
_TITLES = {
    QUICKBOOKS: "A simulated QuickBooks",
    SFTP: "An SFTP server",
    XERO: "A simulated Xero",
    STRIPE: "A simulated Stripe",
}
_APP = "kolleno-demo"
_CONNECTIONS = """\
# The demo's own connections, written again at every start; their secrets are in secrets.env.
connections:
  quickbooks:
    system: quickbooks
    role: ledger
    client_id: {app}
    client_secret: ${{{quickbooks_secret}}}
    api_url: {quickbooks_url}
    token_url: {quickbooks_url}{quickbooks_token_path}
    authorise_url: {quickbooks_url}{quickbooks_authorise_path}
  sftp:
    system: sftp
    role: mirror
    location: {sftp.location}
    key_file: {sftp.key_file}
    known_hosts: {sftp.known_hosts}
    settle: 1s
  xero:
    system: xero
    role: mirror
    client_id: {app}
    client_secret: ${{{xero_secret}}}
    api_url: {xero.url}
    token_url: {xero.token_url}
    authorise_url: {xero.authorize_url}
  stripe:
    system: stripe
    ledger: quickbooks
    api_key: ${{{api_key}}}
    api_url: {stripe.url}
    payout_charge_id_field: extra.note
  bank:
    system: bank_files
    ledger: quickbooks
    location: {sftp.location}
    folder: {bank_folder}
    files: "*.xml"
    key_file: {sftp.key_file}
    known_hosts: {sftp.known_hosts}
"""


def secrets_file(home: Path) -> Path:
    """Return where the demo keeps the key of its sign-ins and the secrets of its apps."""
    return home / "secrets.env"


def make_secrets(home: Path) -> Mapping[str, str]:
    """Return the demo's secrets by variable, made at the first start and kept in a file that nobody else may read."""
    from dotenv import dotenv_values

    file = secrets_file(home)
    if not file.exists():
        key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        lines = [f"{SECRET_KEY}={key}", *(f"{name}={secrets.token_hex(16)}" for name in CLIENT_SECRETS.values())]
        lines.append(f"{API_KEY}=sk_test_{secrets.token_hex(16)}")
        part = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            opened.write("".join(f"{line}\n" for line in lines))
        part.replace(file)
    return {name: value for name, value in dotenv_values(file).items() if value is not None}


def noted(note: Path) -> dict[str, Any]:
    """Return what demo.json says; nothing where there is none."""
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def served(settings: Settings, dropped: Dropped, known_secrets: Mapping[str, str]) -> Iterator[None]:
    """Serve the four systems while the block runs, on the ports of last time, where another demo may serve them.

    Writes connections.yaml.
    """
    note = settings.home / "demo.json"
    before = noted(note)
    ports = dict.fromkeys(_TITLES, 0) | before.get("ports", {})
    sftp, quickbooks, xero, stripe = _servers(settings, dropped, known_secrets, ports)
    servers: dict[str, SandboxSftpServer | VendorServer] = {
        SFTP: sftp,
        QUICKBOOKS: quickbooks.server,
        XERO: xero.server,
        STRIPE: stripe.server,
    }
    with ExitStack() as opened:
        for name, server in servers.items():
            if _start(name, server, ports[name]):
                opened.callback(server.stop)
        ports = {name: server.port for name, server in servers.items()}
        note.write_text(json.dumps({**before, "ports": ports}), encoding="utf-8")
        settings.connections.write_text(_connections(sftp, quickbooks, xero, stripe), encoding="utf-8")
        yield


def _servers(
    settings: Settings, dropped: Dropped, known_secrets: Mapping[str, str], ports: Mapping[str, int]
) -> tuple[SandboxSftpServer, SandboxQuickBooks, SandboxXero, SandboxStripe]:
    from kolleno_pipelines.sandbox.quickbooks import filling as quickbooks_filling
    from kolleno_pipelines.sandbox.quickbooks.app import SandboxQuickBooks
    from kolleno_pipelines.sandbox.sftp_server import SandboxSftpServer
    from kolleno_pipelines.sandbox.stripe.taken import payment_fields, taken_by_stripe
    from kolleno_pipelines.sandbox.xero import filling as xero_filling
    from kolleno_pipelines.sandbox.xero.server import SandboxXero

    home = settings.home
    sftp = SandboxSftpServer(home / "sftp", home / "sftp_keys", port=ports[SFTP])
    fields = payment_fields(taken_by_stripe(dropped.company))
    books = quickbooks_filling.filled_from(dropped.told(QUICKBOOKS), payment_fields=fields)
    quickbooks = SandboxQuickBooks(
        books.file,
        client_id=_APP,
        client_secret=known_secrets[CLIENT_SECRETS[QUICKBOOKS]],
        port=ports[QUICKBOOKS],
    )
    xero = SandboxXero(
        xero_filling.filled_from(dropped.told(XERO)).book,
        client_id=_APP,
        client_secret=known_secrets[CLIENT_SECRETS[XERO]],
        port=ports[XERO],
    )
    stripe = _stripe(dropped, books.ids, known_secrets[API_KEY], ports[STRIPE], sftp.root)
    return sftp, quickbooks, xero, stripe


def _stripe(
    dropped: Dropped, ledger_ids: Mapping[tuple[str, str], str], key: str, port: int, root: Path
) -> SandboxStripe:
    """Return the account that took the company's payments, opened by the demo's own key, with what is planted.

    Its payouts reach the bank, whose files are put below the root of the SFTP server.
    """
    from kolleno_pipelines.cli.demo_bank import write_files
    from kolleno_pipelines.cli.demo_stripe import account_of, planted_error
    from kolleno_pipelines.sandbox.stripe.server import SandboxStripe

    account = account_of(dropped, ledger_ids)
    write_files(dropped, account, root)
    stripe = SandboxStripe(account.ledger, port=port)
    stripe.api.keys[key] = replace(stripe.new_key(), secret=key)
    planted = planted_error(dropped, account)
    stripe.tamper(planted.tamper if planted is not None else None)
    return stripe


def _start(name: str, server: Startable, port: int) -> bool:
    """Start a server; False where its port of last time is taken, which is then another demo's doing."""
    try:
        server.start()
    except OSError:
        if not port:
            raise
        say(f"{_TITLES[name]} listens on port {port} already; it is taken for that of another demo.")
        return False
    return True


def _connections(
    sftp: SandboxSftpServer, quickbooks: SandboxQuickBooks, xero: SandboxXero, stripe: SandboxStripe
) -> str:
    from kolleno_pipelines.cli.demo_bank import FOLDER
    from kolleno_pipelines.sandbox.quickbooks.app import AUTHORIZE_PATH, TOKEN_PATH

    return _CONNECTIONS.format(
        app=_APP,
        bank_folder=FOLDER,
        sftp=sftp,
        xero=xero,
        stripe=stripe,
        api_key=API_KEY,
        quickbooks_url=quickbooks.url,
        quickbooks_token_path=TOKEN_PATH,
        quickbooks_authorise_path=AUTHORIZE_PATH,
        quickbooks_secret=CLIENT_SECRETS[QUICKBOOKS],
        xero_secret=CLIENT_SECRETS[XERO],
    )


def sign_in(settings: Settings) -> None:
    """Sign in at both vendors as a person would, by the page that a browser would show; the tokens are kept encrypted.

    A vendor of the demo forgets its tokens when the demo ends, so this is done at each start.
    """
    from kolleno_pipelines.pipeline.sign_in import Person, sign_in_connection

    person = Person(tell=lambda _: None, opens=_visit)
    for name in CLIENT_SECRETS:
        sign_in_connection(name, person, timeout=30, settings=settings, ports=(0,))


def _visit(url: str) -> bool:
    """Open a vendor's page, which sends the visitor back with a code at once: the person of the demo always agrees."""
    import requests

    with requests.Session() as session:
        session.trust_env = False  # no proxy stands between this machine and itself
        return session.get(url, timeout=20).ok
