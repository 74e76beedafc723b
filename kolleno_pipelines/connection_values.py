"""The kinds of values in connections.yaml: references to secrets, durations, sizes, amounts, and the error about them.

Which fields a system has does not belong here; that is `connections.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Self, TypeAlias

from pydantic import BeforeValidator, Field, InstanceOf

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

_DURATION = re.compile(r"(\d{1,9})\s*([smhd]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZE = re.compile(r"(\d{1,15})\s*(?:([KMGT])(i?)B)?")
_TOLERANCE = re.compile(r"\d{1,14}(\.\d{1,6})?")


class ConnectionsError(ValueError):
    """connections.yaml cannot be used; the text is one sentence with file and line, and holds no secret."""


class Reference(str):
    """`${VAR}` as written in connections.yaml: names a secret, never holds one. `where` says who asks for it."""

    where: str

    def __new__(cls, text: str, where: str = "") -> Self:
        """Raises ValueError when `text` is not `${VARIABLE}`."""
        if VARIABLE.fullmatch(text) is None:
            raise ValueError("a reference is written ${VARIABLE}: letters, digits and _ in braces")
        reference = super().__new__(cls, text)
        reference.where = where
        return reference

    @property
    def variable(self) -> str:
        """Name of the environment variable."""
        return self[2:-1]


def resolve(value: str, environ: Mapping[str, str]) -> str:
    """The secret that `${VAR}` stands for, taken from `environ` now.

    Raises ConnectionsError naming the variable and the place that needs it, when it is missing or empty.
    """
    reference = value if isinstance(value, Reference) else Reference(value)
    secret = environ.get(reference.variable)
    if not secret:
        asker = f", which {reference.where} asks for," if reference.where else ""
        raise ConnectionsError(
            f"The environment variable {reference.variable}{asker} is not set: set it where kolleno runs, or in .env."
        )
    return secret


def duration(value: object) -> timedelta:
    """`10` (seconds), `10s`, `15m`, `24h` or `7d` as a timedelta. Raises ValueError for anything else."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(str(value).strip()) if not isinstance(value, bool) else None
    if match is None:
        raise ValueError(f"{value!r} is not a duration such as 10 (seconds), 10s, 15m, 24h or 7d")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def _size(value: object) -> object:
    match = _SIZE.fullmatch(str(value).strip()) if not isinstance(value, bool) else None
    if match is None:
        raise ValueError(f"{value!r} is not a size such as 1048576 (bytes), 500MB or 2GiB")
    base = 1024 if match[3] else 1000
    return int(match[1]) * base ** (" KMGT".index(match[2]) if match[2] else 0)


def _amount(value: object) -> object:
    text = str(value)
    if isinstance(value, float) or _TOLERANCE.fullmatch(text) is None:
        raise ValueError(f"{value!r} is not an amount such as 0.05 (at most 6 decimals, not negative)")
    return Decimal(text)


Duration: TypeAlias = Annotated[timedelta, BeforeValidator(duration)]
Size: TypeAlias = Annotated[int, BeforeValidator(_size), Field(gt=0)]
Amount: TypeAlias = Annotated[Decimal, BeforeValidator(_amount)]
Secret: TypeAlias = InstanceOf[Reference]
