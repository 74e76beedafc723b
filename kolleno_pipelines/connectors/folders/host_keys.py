"""Which host keys a known_hosts file trusts for a server, in OpenSSH's format (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).

Connecting and asking the server for its key does not belong here. Certificates (@cert-authority) are not supported.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path


@dataclass(frozen=True, slots=True)
class HostKey:
    """A server's public key: its type as written in known_hosts, and its bytes."""

    kind: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """`SHA256:...` as `ssh-keygen -l` prints it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    def line(self, host: str, port: int) -> str:
        """The line that makes this key known for the server."""
        return f"{host_label(host, port)} {self.kind} {base64.b64encode(self.blob).decode()}"


@dataclass(frozen=True, slots=True)
class KnownKeys:
    """What the file says about one server, in the file's order."""

    trusted: tuple[HostKey, ...]
    revoked: tuple[HostKey, ...]


def host_label(host: str, port: int) -> str:
    """How known_hosts names a server: the host alone for port 22, `[host]:port` otherwise."""
    return host if port == 22 else f"[{host}]:{port}"


def read_known_keys(path: Path, host: str, port: int) -> KnownKeys:
    """The keys that the file lists for the server; none when there is no file. Unreadable lines are passed over.

    Raises OSError when the file exists and cannot be read.
    """
    trusted: list[HostKey] = []
    revoked: list[HostKey] = []
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return KnownKeys((), ())
    for line in lines:
        fields = line.split()
        marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
        if len(fields) < 3 or fields[0].startswith("#") or marker not in ("", "@revoked"):
            continue
        if not _names_host(fields[0], host_label(host, port).lower()):
            continue
        try:
            key = HostKey(fields[1], base64.b64decode(fields[2], validate=True))
        except (binascii.Error, ValueError):
            continue
        (revoked if marker else trusted).append(key)
    return KnownKeys(tuple(trusted), tuple(revoked))


def _names_host(patterns: str, label: str) -> bool:
    """Whether the first field of a line means the server: a hash, or patterns of which none may forbid it."""
    if patterns.startswith("|1|"):
        return _is_hash_of(patterns, label)
    named = False
    for pattern in patterns.lower().split(","):
        # Square brackets are part of a label with a port, not a character class.
        matches = fnmatchcase(label, pattern.lstrip("!").replace("[", "[[]"))
        if matches and pattern.startswith("!"):
            return False
        named = named or matches
    return named


def _is_hash_of(hashed: str, label: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in hashed.removeprefix("|1|").split("|"))
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.new(salt, label.encode(), hashlib.sha1).digest(), digest)
