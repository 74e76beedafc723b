"""connections.yaml as typed connections: which systems are read, and how.

Opening a connection does not belong here; a connector does that with what it finds in these fields.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, ClassVar, Literal, TypeAlias
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from kolleno_pipelines import marked_yaml
from kolleno_pipelines.connection_values import (
    Amount,
    ConnectionsError,
    Duration,
    Reference,
    Secret,
    Size,
    duration,
    resolve,
)
from kolleno_pipelines.settings import expanded

__all__ = [
    "Connection",
    "Connections",
    "ConnectionsError",
    "Reference",
    "SftpConnection",
    "load_connections",
    "resolve",
]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_CURRENCY = re.compile(r"[A-Z]{3}")


class Connection(BaseModel):
    """What every system has in common. `name` is the connection's key in connections.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=False)

    #: Fields that take `${VAR}` and nothing else.
    secrets: ClassVar[frozenset[str]] = frozenset()

    name: str
    role: Literal["ledger", "mirror"] = "ledger"

    @field_validator("name")
    @classmethod
    def _nameable(cls, name: str) -> str:
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} is not a name of lower case letters, digits and _ (letter first, at most 40)")
        return name

    @field_validator("*", mode="before")
    @classmethod
    def _secret_only_by_reference(cls, value: object, info: ValidationInfo) -> object:
        if info.field_name in cls.secrets:
            if value is not None and not isinstance(value, Reference):
                raise ValueError("a secret is never written into this file: write ${VARIABLE} and set that variable")
        elif isinstance(value, Reference) or (isinstance(value, str) and "${" in value):
            takers = ", ".join(sorted(cls.secrets)) or "no key"
            raise ValueError(f"${{VARIABLE}} is understood in secrets only ({takers}): write the value itself")
        return value


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


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone such as UTC or Europe/London") from None
    return name


def _server_folder(path: str) -> str:
    if not path or "\0" in path or ".." in path.split("/"):
        raise ValueError(f"{path!r} is not a folder on the server (no .., not empty)")
    return path


LocalPath: TypeAlias = Annotated[Path, BeforeValidator(_own_path)]
ServerFolder: TypeAlias = Annotated[str, AfterValidator(_server_folder)]
ZoneName: TypeAlias = Annotated[str, AfterValidator(_known_zone)]


class SftpConnection(Connection):
    """Seven CSV files dropped on an SFTP server, or in a folder of this machine (design section 8).

    Durations are timedeltas, time-outs seconds, sizes bytes; paths of this machine are relative to connections.yaml.
    """

    secrets: ClassVar[frozenset[str]] = frozenset({"key_passphrase"})

    system: Literal["sftp"] = "sftp"
    name: str = "sftp"
    location: str
    folder: ServerFolder = "csv_data_uploads"
    key_file: LocalPath | None = None
    key_passphrase: Secret | None = None
    known_hosts: LocalPath = Field(default_factory=_default_known_hosts)
    archive_folder: ServerFolder | None = None
    feedback_folder: ServerFolder | None = None
    settle: Duration = duration("10s")
    batch_window: Duration = duration("15m")
    stall_after: Duration = duration("60m")
    expect_every: Duration | None = None
    timezone: ZoneName = "UTC"
    max_file_bytes: Size = 2 * 1024**3
    connect_timeout: float = Field(default=20, gt=0, le=600)
    read_timeout: float = Field(default=60, gt=0, le=3600)
    retries: int = Field(default=4, ge=0, le=20)
    tolerance: dict[str, Amount] = Field(default_factory=dict)
    ageing_buckets: tuple[int, ...] = (30, 60, 90)
    allocation_key: Literal["auto", "pair", "id"] = "auto"
    balance_stated: bool = False
    retention_days: int | None = Field(default=None, ge=1)

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

    @field_validator("tolerance")
    @classmethod
    def _currencies(cls, tolerance: dict[str, Amount]) -> dict[str, Amount]:
        for code in tolerance:
            if _CURRENCY.fullmatch(code) is None:
                raise ValueError(f"{code!r} is not a currency code such as USD")
        return tolerance

    @field_validator("ageing_buckets")
    @classmethod
    def _rising(cls, days: tuple[int, ...]) -> tuple[int, ...]:
        if not days or days[0] < 1 or list(days) != sorted(set(days)):
            raise ValueError("the bounds are days that rise, as in [30, 60, 90]")
        return days

    @model_validator(mode="after")
    def _complete(self) -> SftpConnection:
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


Connections: TypeAlias = dict[str, SftpConnection]

SYSTEMS: dict[str, type[SftpConnection]] = {"sftp": SftpConnection}


def load_connections(path: str | Path) -> Connections:
    """Read connections.yaml: name -> connection, in the file's order. Secrets stay `${VAR}` (see `resolve`).

    Raises ConnectionsError: one sentence with file and line.
    """
    path = Path(path)
    document = _document(path)
    written = document.value
    if not isinstance(written, dict) or set(written) != {"connections"} or not isinstance(written["connections"], dict):
        unknown = [key for key in written if key != "connections"] if isinstance(written, dict) else []
        problem = f"unknown key {unknown[0]}" if unknown else "no connections are written in it"
        line = document.line((unknown[0],)) if unknown else 1
        raise ConnectionsError(f"{path} line {line}: {problem}; it holds one key, connections, with a name for each.")
    connections: Connections = {}
    for name, fields in written["connections"].items():
        connections[name] = _connection(path, document, name, fields)
    _refuse_several(path, document, connections)
    return connections


def _document(path: Path) -> marked_yaml.MarkedYaml:
    try:
        return marked_yaml.read(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConnectionsError(
            f"{path} does not exist: copy connections.example.yaml there, or name yours in KOLLENO_CONNECTIONS."
        ) from None
    except UnicodeDecodeError:
        raise ConnectionsError(f"{path} is not UTF-8 text: save it as UTF-8.") from None
    except OSError as error:
        raise ConnectionsError(f"{path} cannot be read: {error.strerror}.") from None
    except marked_yaml.MarkedYamlError as error:
        raise ConnectionsError(f"{path} line {error.line}: {error}.") from None


def _connection(path: Path, document: marked_yaml.MarkedYaml, name: str, fields: object) -> SftpConnection:
    at = ("connections", name)

    def fault(line: int, problem: str) -> ConnectionsError:
        return ConnectionsError(f"{path} line {line}: connection {name}: {problem}.")

    if not isinstance(fields, dict):
        raise fault(document.line(at), "its settings (system, location, ...) are missing")
    system = fields.get("system")
    if not isinstance(system, str) or system not in SYSTEMS:
        known = ", ".join(SYSTEMS)
        raise fault(document.line((*at, "system")), f"system is missing or unknown; known: {known}")
    if "name" in fields:
        raise fault(document.line((*at, "name")), "unknown key name; the name is the key above")
    values = {
        key: _referring(value, f"{key} of connection {name} ({path} line {document.line((*at, key))})")
        for key, value in fields.items()
    }
    try:
        connection = SYSTEMS[system].model_validate({**values, "name": name})
    except ValidationError as error:
        line, problem = _first_problem(error, SYSTEMS[system], document, at)
        raise fault(line, problem) from None
    beside = {
        key: path.parent.absolute() / value
        for key in ("key_file", "known_hosts")
        if isinstance(value := getattr(connection, key), Path)
    }
    return connection.model_copy(update=beside)


def _referring(value: object, where: str) -> object:
    if isinstance(value, str) and value.startswith("${"):
        try:
            return Reference(value, where)
        except ValueError:
            return value
    return value


def _first_problem(
    error: ValidationError, model: type[Connection], document: marked_yaml.MarkedYaml, at: marked_yaml.Path
) -> tuple[int, str]:
    """The problem that stands first in the file, as (line, words without the value where it may be secret)."""
    problems = []
    for one in error.errors(include_input=False, include_url=False, include_context=False):
        place = tuple(one["loc"])
        line = document.line((*at, *place))
        key = ".".join(str(part) for part in place)
        reason = one["msg"].removeprefix("Value error, ")
        if one["type"] == "extra_forbidden":
            near = get_close_matches(str(place[-1]), model.model_fields, n=1)
            reason = f"unknown key {key}" + (f" (did you mean {near[0]}?)" if near else "")
        elif one["type"] == "missing":
            reason = f"{key} is missing"
        elif key:
            reason = f"{key}: {reason.replace('Input should', 'it should')}"
        problems.append((line, reason.rstrip(".")))
    return min(problems, key=lambda problem: problem[0])


def _refuse_several(path: Path, document: marked_yaml.MarkedYaml, connections: Connections) -> None:
    sftp = [name for name, connection in connections.items() if connection.system == "sftp"]
    if len(sftp) > 1:
        line = document.line(("connections", sftp[1]))
        raise ConnectionsError(
            f"{path} line {line}: connection {sftp[1]}: a second sftp connection is not possible yet, "
            f"{sftp[0]} is the first; run a second deployment with its own database."
        )
