"""What the connections of every system have in common: a name, a role, secrets by reference, how figures are judged.

The fields of one system do not belong here; sftp_connection.py, api_connections.py and bank_connection.py hold them.
"""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from kolleno_pipelines.connection_values import Amount, Reference
from kolleno_pipelines.schemas.agreement_mapping import AgreementMapping

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_CURRENCY = re.compile(r"[A-Z]{3}")


class Connection(BaseModel):
    """What every system has in common. `name` is the connection's key in connections.yaml."""

    # Most deployments have connections of one or two systems: the others' validators are never built.
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=False, defer_build=True
    )

    #: Fields that take `${VAR}` and nothing else.
    secrets: ClassVar[frozenset[str]] = frozenset()

    name: str
    role: Literal["ledger", "mirror", "provider", "bank"] = "ledger"

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


class DocumentConnection(Connection):
    """A connection that carries documents, so that it is reconciled: as the ledger, or as a mirror of it.

    agreement: how the records of a mirror are found in the ledger.
    """

    role: Literal["ledger", "mirror"] = "ledger"

    agreement: AgreementMapping = AgreementMapping()
    tolerance: dict[str, Amount] = Field(default_factory=dict)
    ageing_buckets: tuple[int, ...] = (30, 60, 90)

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
