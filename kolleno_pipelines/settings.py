"""The KOLLENO_* environment as one typed value, read only when `load_settings` is called.

What one source needs (hosts, keys, tolerances) does not belong here: `connections.py` reads that from connections.yaml.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "KOLLENO_"
FIRST_DAY = date(2020, 1, 1)
_MAKE_KEY = "make one with `openssl rand -base64 32 | tr +/ -_` and keep it apart from the database"


class SettingsError(ValueError):
    """A KOLLENO_* variable cannot be used; the text is one sentence for the operator and holds no secret."""


def expanded(path: Path) -> Path:
    """Replace a leading `~` or `~user`. Raises ValueError where there is no such account."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(f"{path.parts[0]} is no account with a home folder on this machine") from None


class Settings(BaseSettings):
    """Where everything is: one deployment serves one company.

    Unset paths follow `home`; they are made absolute against the working directory when the settings are loaded.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    home: Path = Path(".kolleno")
    database_url: SecretStr | None = None
    dagster_database_url: SecretStr | None = None
    connections: Path = Path("connections.yaml")
    archive: str = ""
    webhook_url: SecretStr | None = None
    secret_key: SecretStr | None = None
    first_day: date = Field(default=FIRST_DAY)

    @field_validator("home", "connections")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return expanded(path).absolute()

    @field_validator("database_url", "dagster_database_url")
    @classmethod
    def _postgres(cls, url: SecretStr | None) -> SecretStr | None:
        """`postgres://` and a driver's name (`postgresql+psycopg2://`) are taken as the same thing."""
        if url is None:
            return None
        scheme, separator, rest = url.get_secret_value().partition("://")
        if not separator or scheme.split("+")[0] not in {"postgresql", "postgres"}:
            raise ValueError("it must begin with postgresql://, as in postgresql://user:password@host:5432/kolleno")
        return SecretStr(f"postgresql://{rest}")

    @field_validator("webhook_url")
    @classmethod
    def _web_address(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(("https://", "http://")):
            raise ValueError("it must begin with https:// (or http://)")
        return url

    @field_validator("archive")
    @classmethod
    def _place(cls, place: str) -> str:
        if not place or "://" in place:
            return place
        return str(expanded(Path(place)).absolute())

    def secret_keys(self) -> tuple[str, ...]:
        """The keys of KOLLENO_SECRET_KEY, the newest first, for what is kept encrypted.

        Raises SettingsError, saying how to make one, when there is none or one is not a Fernet key.
        """
        written = self.secret_key.get_secret_value() if self.secret_key else ""
        keys = tuple(key for part in written.split(",") if (key := part.strip()))
        if not keys:
            raise SettingsError(f"KOLLENO_SECRET_KEY is not set, and sign-ins are kept encrypted with it: {_MAKE_KEY}.")
        for number, key in enumerate(keys, 1):
            if not _is_fernet_key(key):
                which = f"key {number} of {len(keys)} in it" if len(keys) > 1 else "it"
                raise SettingsError(
                    f"KOLLENO_SECRET_KEY cannot be used: {which} is not 32 bytes in URL-safe base64; {_MAKE_KEY}."
                )
        return keys

    @property
    def archive_root(self) -> str:
        """Folder or URL of the archive; `<home>/archive` unless KOLLENO_ARCHIVE is set."""
        return self.archive or str(self.home / "archive")


def _is_fernet_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key, altchars=b"-_", validate=True)) == 32
    except ValueError:
        return False


def env_file() -> Path:
    """The file that may hold KOLLENO_* and secrets beside the environment: `.env`, or what KOLLENO_ENV_FILE names."""
    return Path(os.environ.get(f"{PREFIX}ENV_FILE") or ".env")


def environment() -> Mapping[str, str]:
    """What `${VAR}` in connections.yaml is resolved from: the env file's lines, overruled by the environment itself."""
    from dotenv import dotenv_values

    lines = {name: value for name, value in dotenv_values(env_file()).items() if value is not None}
    return {**lines, **os.environ}


def load_settings() -> Settings:
    """Read the environment and the env file now.

    Raises SettingsError, naming the first variable that cannot be used; secret values are never part of its text.
    """
    try:
        return Settings(_env_file=env_file())
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        name = PREFIX + "_".join(str(part) for part in first["loc"]).upper()
        reason = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{name} cannot be used: {reason}.") from None
