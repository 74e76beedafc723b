"""What reconciliation needs to know of connections, and which of them it reads. Computing results is not here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Protocol

from kolleno_pipelines.schemas.agreement_mapping import AgreementMapping


class ReconciledConnection(Protocol):
    """What reconciliation needs to know of a connection; those of connections.yaml that carry documents are some.

    Three settings belong to some systems only and may be absent: `link_cap` (what is past that link of a payment is
    left out), `start_date` (closed transactions before it were not read), `agreement` (AgreementMapping of a mirror).
    """

    @property
    def name(self) -> str:
        """Key of the connection."""

    @property
    def role(self) -> str:
        """`ledger` or `mirror`."""

    @property
    def system(self) -> str:
        """What it is an account of: `sftp`, `quickbooks`."""

    @property
    def tolerance(self) -> Mapping[str, Decimal]:
        """Differences by currency that are let pass; 0 where none is named."""

    @property
    def ageing_buckets(self) -> tuple[int, ...]:
        """Upper bounds of the buckets in days late."""

    @property
    def batch_window(self) -> timedelta:
        """How far apart the files of one batch may lie."""

    @property
    def balance_stated(self) -> bool:
        """Whether the source states its customers' balances."""


Connections = Mapping[str, ReconciledConnection]


class ProviderConnection(Protocol):
    """What reconciliation needs to know of a connection to a payment provider."""

    @property
    def name(self) -> str:
        """Key of the connection."""

    @property
    def ledger(self) -> str | None:
        """The connection of the ledger that it serves; to be known when it is reconciled."""

    @property
    def cutover(self) -> date | None:
        """Day from which on its charges are in the ledger; None: all of them."""

    @property
    def payout_charge_id_field(self) -> str | None:
        """The field of the ledger's payments that may carry a charge's id: `ref`, `psp_reference`, `extra.<key>`."""


class BankConnection(Protocol):
    """What reconciliation needs to know of a connection to a bank."""

    @property
    def name(self) -> str:
        """Key of the connection."""

    @property
    def ledger(self) -> str | None:
        """The connection of the ledger that it serves."""

    @property
    def payout_window(self) -> timedelta:
        """How long after its day of arrival a payout may be booked."""


Providers = Mapping[str, ProviderConnection]
Banks = Mapping[str, BankConnection]
NO_PROVIDERS: Providers = MappingProxyType({})
NO_BANKS: Banks = MappingProxyType({})


def caps_links(connection: ReconciledConnection) -> bool:
    """Tell whether links past the cap are left out (off unless set)."""
    return getattr(connection, "link_cap", None) is not None


def read_since(connection: ReconciledConnection) -> datetime | None:
    """Return from when on a connection's closed transactions were read; None: all of them."""
    day: date | None = getattr(connection, "start_date", None)
    return datetime.combine(day, time(), UTC) if day is not None else None


def mapping_of(connection: ReconciledConnection) -> AgreementMapping:
    """Return how the records of a mirror are found in the ledger."""
    mapping: AgreementMapping = getattr(connection, "agreement", None) or AgreementMapping()
    return mapping
