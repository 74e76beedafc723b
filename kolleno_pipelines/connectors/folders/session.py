"""One authenticated SSH session with its host key checked before anything is proved to the server (paramiko).

What is asked over SFTP (conversation.py) and how often a lost session is opened again (client.py) does not belong here.
"""

from __future__ import annotations

import logging
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from kolleno_pipelines.connectors.errors import NeedsHuman, Retryable
from kolleno_pipelines.connectors.folders.conversation import Conversation
from kolleno_pipelines.connectors.folders.host_keys import HostKey, KnownKeys, host_label, read_known_keys
from kolleno_pipelines.connectors.folders.packets import Lost

if TYPE_CHECKING:
    import paramiko

_LOG_CHANNEL = "kolleno_pipelines.paramiko"
_KEEPALIVE_SECONDS = 15
# Encryption that authenticates comes first; CBC, 3DES, SHA-1 and MD5 are not offered at all.
_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes256-ctr", "aes192-ctr", "aes128-ctr")
_DIGESTS = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
)
_NO_KEY = "is not an OpenSSH or PEM private key (ed25519, RSA or ECDSA); check that key_file is not the .pub file"
_RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256")


@dataclass(frozen=True, slots=True)
class Account:
    """Where to log in, as whom, with what, and how long to wait (seconds). `connection` is its name for messages."""

    connection: str
    host: str
    port: int
    user: str
    key_file: Path
    key_passphrase: str | None = field(repr=False)
    known_hosts: Path
    connect_timeout: float
    read_timeout: float

    @property
    def address(self) -> str:
        """The server for messages: `host:port`."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Session:
    """An open session: `sftp` is the conversation; the rest is what `connections check` tells."""

    sftp: Conversation
    host_key: HostKey
    key_kind: str
    key_fingerprint: str
    transport: paramiko.Transport
    wire: socket.socket

    def close(self) -> None:
        """Close the connection and wait for paramiko's thread to end."""
        _close(self.transport, self.wire)


def open_session(account: Account) -> Session:
    """Connect, check the host key, authenticate with the key and start SFTP.

    Raises Retryable when the server cannot be reached or drops us, NeedsHuman for names, keys and permissions.
    """
    import paramiko

    key, known = _load_key(account), _known_keys(account)
    wire = _connect(account)
    transport: paramiko.Transport | None = None
    try:
        transport = _prepare_transport(account, wire, known)
        host_key = _check_host_key(account, transport, known)
        _authenticate(account, transport, key)
        sftp = _start_sftp(account, transport)
    except BaseException as error:
        _close(transport, wire)
        if isinstance(error, (paramiko.SSHException, OSError, EOFError, Lost)):
            raise Retryable(
                f"The SSH session with {account.address} could not be set up: {_reason(error)}. "
                "If this stays, check that the port is that of an SFTP server.",
                account.connection,
            ) from error
        raise
    return Session(sftp, host_key, key.get_name(), key.fingerprint, transport, wire)


def _load_key(account: Account) -> paramiko.PKey:
    """The private key, decrypted with the passphrase where it needs one."""
    import paramiko
    from cryptography.exceptions import UnsupportedAlgorithm

    path = account.key_file
    secret = account.key_passphrase.encode() if account.key_passphrase else None
    try:
        return _read_key(path, secret)
    except OSError as error:
        fault = f"cannot be read ({error.strerror}); check key_file and that this user may read it"
    except TypeError:
        # cryptography's word for both "needs a passphrase" and "has none though one was given".
        if secret is None:
            fault = "is protected by a passphrase and none is set; set key_passphrase to ${VARIABLE}"
        else:
            return _read_key(path, None)
    except (ValueError, UnsupportedAlgorithm, paramiko.SSHException, paramiko.pkey.UnknownKeyType):
        fault = _unreadable_key(path, secret)
    raise NeedsHuman(f"The private key {path} {fault}.", account.connection)


def _read_key(path: Path, secret: bytes | None) -> paramiko.PKey:
    import paramiko

    # The annotation says str, the library below it takes bytes only.
    return paramiko.PKey.from_path(path, cast("Any", secret))


def _unreadable_key(path: Path, secret: bytes | None) -> str:
    """Why a file that exists gave no key: its kind, or a passphrase that does not fit."""
    from cryptography.exceptions import UnsupportedAlgorithm

    if path.read_bytes().startswith(b"PuTTY-User-Key-File"):
        openssh = path.with_suffix("" if path.suffix else ".openssh")
        return (
            f"is in PuTTY's format; convert it (puttygen {path} -O private-openssh -o {openssh}) and name {openssh} as"
            " key_file"
        )
    if secret is not None:
        try:
            _read_key(path, None)
        except TypeError:
            return "is not opened by the passphrase that key_passphrase gives; check the variable it names"
        except (ValueError, UnsupportedAlgorithm):
            return _NO_KEY
    return _NO_KEY


def _connect(account: Account) -> socket.socket:
    """A TCP connection within the connect time-out."""
    try:
        wire = socket.create_connection((account.host, account.port), account.connect_timeout)
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return wire
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            raise Retryable(f"The name {account.host} cannot be looked up now.", account.connection) from error
        raise NeedsHuman(
            f"There is no server named {account.host} ({error.strerror}); check location in connections.yaml.",
            account.connection,
        ) from error
    except (TimeoutError, OSError) as error:
        raise Retryable(
            f"The SFTP server {account.address} cannot be reached: {_reason(error)}. It is tried again by itself; if "
            "it stays away, ask its operator whether it runs and lets this machine in.",
            account.connection,
        ) from error


def _prepare_transport(account: Account, wire: socket.socket, known: KnownKeys) -> paramiko.Transport:
    """A transport with our limits and algorithms; its host key types start with those that known_hosts has."""
    import paramiko

    log = logging.getLogger(_LOG_CHANNEL)
    if log.level == logging.NOTSET:
        # paramiko logs tracebacks of what we report in sentences; set a level on this logger to see them.
        log.setLevel(logging.CRITICAL)
    transport = paramiko.Transport(wire)
    transport.set_log_channel(_LOG_CHANNEL)
    transport.daemon = True
    # start_client's own time-out comes first, so that a silent server always gets the same sentence.
    transport.banner_timeout = transport.handshake_timeout = account.connect_timeout + 1
    transport.auth_timeout = transport.channel_timeout = account.connect_timeout
    transport.use_compression(False)
    options = transport.get_security_options()
    options.ciphers = [name for name in _CIPHERS if name in options.ciphers]
    options.digests = [name for name in _DIGESTS if name in options.digests]
    signatures = [name for key in known.trusted for name in (_RSA_SIGNATURES if key.kind == "ssh-rsa" else (key.kind,))]
    preferred = [name for name in dict.fromkeys(signatures) if name in options.key_types]
    options.key_types = preferred + [name for name in options.key_types if name not in preferred]
    return transport


def _known_keys(account: Account) -> KnownKeys:
    try:
        return read_known_keys(account.known_hosts, account.host, account.port)
    except OSError as error:
        raise NeedsHuman(
            f"The file of known host keys {account.known_hosts} cannot be read ({error.strerror}), so no server is "
            "trusted. Check known_hosts and that this user may read it.",
            account.connection,
        ) from error


def _check_host_key(account: Account, transport: paramiko.Transport, known: KnownKeys) -> HostKey:
    """Negotiate, and refuse every server whose key the known_hosts file does not list for it."""
    transport.start_client(timeout=account.connect_timeout)
    if not transport.initial_kex_done:
        raise Lost("it did not finish the SSH greeting within the connect time-out")
    presented = transport.get_remote_server_key()
    key = HostKey(presented.get_name(), presented.asbytes())
    shown = f"{account.address} presented the {key.kind} host key {key.fingerprint}"
    if key in known.revoked:
        raise NeedsHuman(
            f"{shown}, which {account.known_hosts} marks as revoked. Nothing was sent to it. Ask its operator.",
            account.connection,
        )
    if key in known.trusted:
        return key
    if known.trusted:
        expected = ", ".join(f"{trusted.kind} {trusted.fingerprint}" for trusted in known.trusted)
        raise NeedsHuman(
            f"The host key of the SFTP server has changed: {shown}, expected was {expected} "
            f"(from {account.known_hosts}). Nothing was sent to it. Someone may stand between you and the server: "
            "ask its operator, by another way, whether the key was changed. If it was, remove the old lines of "
            f"{host_label(account.host, account.port)} from that file and add: "
            f"{key.line(account.host, account.port)}",
            account.connection,
        )
    raise NeedsHuman(
        f"The SFTP server is not known: {shown}, and {account.known_hosts} has no key for it. Nothing was sent to it. "
        "Compare the fingerprint with the one that the server's operator gives you; when they are equal, add this "
        f"line to that file: {key.line(account.host, account.port)}",
        account.connection,
    )


def _authenticate(account: Account, transport: paramiko.Transport, key: paramiko.PKey) -> None:
    """Log in with the one key; no agent, no password, no other key."""
    import paramiko

    try:
        missing = transport.auth_publickey(account.user, key)
    except paramiko.BadAuthenticationType as error:
        missing = list(error.allowed_types)
    except paramiko.AuthenticationException as error:
        # The same class stands for "no" and for "no answer"; only the words tell them apart.
        if str(error) != "Authentication failed.":
            raise
        missing = ["another key"]
    if missing:
        raise NeedsHuman(
            f"{account.address} does not let the user {account.user} in with the {key.get_name()} key "
            f"{key.fingerprint} ({account.key_file}); it asks for {', '.join(missing)}. Give the server's operator the "
            "public key, and check the user in location.",
            account.connection,
        )


def _start_sftp(account: Account, transport: paramiko.Transport) -> Conversation:
    """The SFTP subsystem on a channel whose reads and writes end after the read time-out."""
    import paramiko

    transport.set_keepalive(_KEEPALIVE_SECONDS)
    channel = transport.open_session(timeout=account.connect_timeout)
    channel.settimeout(account.read_timeout)
    try:
        channel.invoke_subsystem("sftp")
    except paramiko.SSHException as error:
        if not transport.is_active():
            raise
        raise NeedsHuman(
            f"{account.address} let {account.user} in but offers no SFTP to it; ask its operator to allow the sftp "
            "subsystem.",
            account.connection,
        ) from error
    return Conversation(channel)


def _close(transport: paramiko.Transport | None, wire: socket.socket) -> None:
    # Transport.close() does nothing once the peer is gone, so the socket and the thread are ended here.
    if transport is not None:
        with suppress(OSError, EOFError):
            transport.close()
    with suppress(OSError):
        wire.shutdown(socket.SHUT_RDWR)
    wire.close()
    if transport is not None and transport.is_alive():
        transport.join(5)


def _reason(error: BaseException) -> str:
    """What went wrong in a few printable words; a server's banner may be in there."""
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return "".join(c if c.isprintable() else " " for c in words)[:200].rstrip(".")
