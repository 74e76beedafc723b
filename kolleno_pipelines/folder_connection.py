"""What connections to files in a folder have in common: where it lies, and how it is reached. Nothing is opened here.

Which files are looked for there is said by the connections of the systems (sftp_connection.py, bank_connection.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, TypeAlias
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from kolleno_pipelines.connection_models import Connection
from kolleno_pipelines.connection_values import Duration, Secret, Size, duration
from kolleno_pipelines.settings import expanded


def _own_path(path: object) -> Path:
    if isinstance(path, str | Path):
        return expanded(Path(path))
    if path is None:
        raise ValueError("no value is written; name a file, or leave the key out")
    raise ValueError(f"{path!r} is not the path of a file")


def _default_known_hosts() -> Path:
    """The account's own file, the system's for one without a home (as in many containers)."""
    try:
        return expanded(Path("~/.ssh/known_hosts"))
    except ValueError:
        return Path("/etc/ssh/ssh_known_hosts")


def _server_folder(path: str) -> str:
    if not path or "\0" in path or ".." in path.split("/"):
        raise ValueError(f"{path!r} is not a folder on the server (no .., not empty)")
    return path


LocalPath: TypeAlias = Annotated[Path, BeforeValidator(_own_path)]
ServerFolder: TypeAlias = Annotated[str, AfterValidator(_server_folder)]


class FolderConnection(Connection):
    """Files in a folder of an SFTP server, or of this machine.

    Durations are timedeltas, time-outs seconds, sizes bytes; paths of this machine are relative to connections.yaml.
    """

    secrets: ClassVar[frozenset[str]] = frozenset({"key_passphrase"})

    location: str
    folder: ServerFolder = "."
    key_file: LocalPath | None = None
    key_passphrase: Secret | None = None
    known_hosts: LocalPath = Field(default_factory=_default_known_hosts)
    settle: Duration = duration("10s")
    max_file_bytes: Size = 2 * 1024**3
    connect_timeout: float = Field(default=20, gt=0, le=600)
    read_timeout: float = Field(default=60, gt=0, le=3600)
    retries: int = Field(default=4, ge=0, le=20)

    @field_validator("location")
    @classmethod
    def _place(cls, location: str) -> str:
        try:
            parts = urlsplit(location)
            port = parts.port
        except ValueError:
            raise ValueError("its host or port cannot be read; write sftp://user@host:22/") from None
        if parts.password is not None:
            raise ValueError("a password has no place in it, only keys are used; write sftp://user@host:22/")
        if parts.query or parts.fragment:
            raise ValueError("it ends after the path (a ? or # in a path is written %3F or %23)")
        if parts.scheme == "sftp" and parts.hostname and parts.username and port != 0:
            return location
        if parts.scheme == "file" and parts.netloc in {"", "localhost"} and parts.path.startswith("/"):
            return location
        raise ValueError("it is neither sftp://user@host:22/ nor file:///folder")

    @model_validator(mode="after")
    def _complete(self) -> FolderConnection:
        if not self.is_local and self.key_file is None:
            raise ValueError("key_file is missing: an SFTP server is reached with a private key, name its file")
        return self

    @property
    def is_local(self) -> bool:
        """True for a folder of this machine (`file:///folder`)."""
        return self.location.startswith("file:")

    @property
    def local_root(self) -> Path:
        """The folder that `file:///folder` names."""
        return Path(unquote(urlsplit(self.location).path))
