"""What `location`, `folder` and the key settings of a connection mean: which account, which folders.

Checking them when connections.yaml is read (kolleno_pipelines.connections) and using them does not belong here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeAlias
from urllib.parse import unquote_to_bytes, urlsplit

from kolleno_pipelines.connectors.errors import NeedsHuman
from kolleno_pipelines.connectors.folders.session import Account

Resolve: TypeAlias = Callable[[str], str]
"""Takes `${VAR}`, gives its value; raises where the variable is missing."""


class DropSettings(Protocol):
    """What opening a drop needs of a connection. Time-outs in seconds."""

    @property
    def name(self) -> str:
        """The name in connections.yaml, for messages."""
        ...

    @property
    def location(self) -> str:
        """`sftp://user@host:22/` or `file:///folder`."""
        ...

    @property
    def folder(self) -> str:
        """The drop folder, relative to what location names."""
        ...

    @property
    def key_file(self) -> Path | None:
        """The private key."""
        ...

    @property
    def key_passphrase(self) -> str | None:
        """`${VAR}` of its passphrase."""
        ...

    @property
    def known_hosts(self) -> Path:
        """The file with the server's host key."""
        ...

    @property
    def connect_timeout(self) -> float:
        """For each step until the session stands."""
        ...

    @property
    def read_timeout(self) -> float:
        """For each answer after that."""
        ...

    @property
    def retries(self) -> int:
        """How many times in a row an attempt may bring nothing."""
        ...


def is_local(settings: DropSettings) -> bool:
    """Whether the drop is a folder of this machine (`file:///folder`)."""
    return urlsplit(settings.location).scheme == "file"


def read_root(settings: DropSettings) -> bytes:
    """The folder that `location` names, which `folder` and the other folders are relative to.

    On a server, no path or `/` means the folder that a login starts in, given as b"".
    """
    path = unquote_to_bytes(urlsplit(settings.location).path)
    if b"\0" in path:
        raise NeedsHuman("location holds a NUL character; write file:///folder.", settings.name)
    if is_local(settings):
        return path.rstrip(b"/") or b"/"
    return path.rstrip(b"/")


def read_account(settings: DropSettings, resolve: Resolve) -> Account:
    """Where to log in and with what; the passphrase is resolved now. Raises NeedsHuman, or what `resolve` raises."""
    try:
        parts = urlsplit(settings.location)
        port = parts.port or 22
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme != "sftp" or not parts.hostname or not parts.username or parts.password is not None:
        raise NeedsHuman(
            "location is not of the form sftp://user@host:22/ (only keys are used, never a password).", settings.name
        )
    if settings.key_file is None:
        raise NeedsHuman("key_file is not set: an SFTP server is reached with a private key.", settings.name)
    return Account(
        connection=settings.name,
        host=parts.hostname,
        port=port,
        user=unquote_to_bytes(parts.username).decode(),
        key_file=settings.key_file,
        key_passphrase=None if settings.key_passphrase is None else resolve(settings.key_passphrase),
        known_hosts=settings.known_hosts,
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
    )


def join(folder: bytes, name: bytes) -> bytes:
    """A path below a folder; an absolute one stays, b"" is where the login starts."""
    if name.startswith(b"/") or not folder:
        return name.rstrip(b"/") or name[:1] or b"."
    return folder if name in (b"", b".") else folder.rstrip(b"/") + b"/" + name.rstrip(b"/")
