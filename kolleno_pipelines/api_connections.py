"""The connections that are read by extracts, and those of vendors. What each vendor's addresses are is its connector's.

Everything but the system may be left out by a connection that only imports recorded payloads.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from kolleno_pipelines.connection_models import Connection, DocumentConnection
from kolleno_pipelines.connection_values import Amount, Duration, Secret, Size, duration
from kolleno_pipelines.schemas.api_systems import API_SYSTEMS


def _address(url: str) -> str:
    """An address of a vendor: encrypted, or of this machine (the sandbox)."""
    parts = urlsplit(url)
    is_here = parts.hostname in {"127.0.0.1", "::1", "localhost"}
    if parts.username or parts.password or parts.query or parts.fragment or not parts.hostname:
        raise ValueError("it is an address such as https://host/path, without user, ? and #")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_here):
        raise ValueError("it begins with https:// (http:// only on this machine)")
    return url.rstrip("/")


def _off(value: object) -> object:
    """`off` is YAML for false."""
    return None if value is False or value == "off" else value


def _day(value: object) -> object:
    """A plain day; what is none, as a year alone, is told in our words."""
    if value is None or type(value) is date:
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError("it is a day such as 2026-01-31") from None


def _charge_id_field(value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"ref|psp_reference|extra\.[^.\x00]{1,100}", value):
        raise ValueError("it is ref, psp_reference or extra.<key> (as extra.note), or off")
    return value


def _stripe_account(value: object) -> object:
    if value is not None and not (isinstance(value, str) and re.fullmatch(r"acct_[A-Za-z0-9]{1,60}", value)):
        raise ValueError("it is the id of an account, acct_ and what follows")
    return value


Address: TypeAlias = Annotated[str, AfterValidator(_address)]
Day: TypeAlias = Annotated[date, BeforeValidator(_day)]
ChargeIdField: TypeAlias = Annotated[str | None, BeforeValidator(_off), AfterValidator(_charge_id_field)]
LinkCap: TypeAlias = Annotated[Literal[15] | None, BeforeValidator(_off)]
Calls: TypeAlias = Annotated[Annotated[int, Field(gt=0, strict=True)] | None, BeforeValidator(_off)]
Egress: TypeAlias = Annotated[Size | None, BeforeValidator(_off)]


class ApiConnection(Connection):
    """What the connections to all vendors have in common: when to read, how far a sweep may go, a month's allowance.

    Banks' files are read in the same way (bank_connection.py), and refuse what is for those who are asked.

    start_date: the first load leaves out closed transactions not modified since.
    close_share: a sweep that would close more of what is open than this share, and more than one, closes nothing.
    also_read: extracts that cost a call for each document, which nobody reads unless they are named here, in the order
    of reading. also_read_a_day: of each of them at most so many documents within 24 hours.
    monthly_calls, monthly_egress: requests and bytes of answers that the vendor includes in a calendar month; None:
    nothing to compare with. A system whose vendor publishes one states it. It is compared with, never enforced.
    api_url: in place of the vendor's own, for a sandbox.
    """

    system: str
    start_date: Day | None = None
    poll_every: Duration = duration("15m")
    lookback: Duration = duration("10m")
    sweep_every: Duration = duration("24h")
    close_share: Amount = Decimal("0.1")
    expect_every: Duration | None = None
    also_read: tuple[str, ...] = ()
    also_read_a_day: int = Field(default=250, ge=1)
    monthly_calls: Calls = None
    monthly_egress: Egress = None
    api_url: Address | None = None

    @field_validator("close_share")
    @classmethod
    def _part_of_one(cls, share: Decimal) -> Decimal:
        if share > 1:
            raise ValueError("a share is between 0 and 1, as in 0.1")
        return share

    @field_validator("poll_every", "sweep_every")
    @classmethod
    def _not_at_once(cls, every: timedelta) -> timedelta:
        if every < timedelta(minutes=1):
            raise ValueError("at least 1m, so that the vendor's limits are not used up by looking")
        return every

    @field_validator("also_read")
    @classmethod
    def _there(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        system = str(info.data.get("system"))
        known = API_SYSTEMS[system].also_read if system in API_SYSTEMS else ()
        if unknown := [name for name in names if name not in known]:
            raise ValueError(
                f"{unknown[0]!r} is nothing that {system} reads where asked; known: {', '.join(known) or 'none'}"
            )
        return tuple(name for name in known if name in names)

    @property
    def batch_window(self) -> timedelta:
        """How far apart what a vendor tells about one event may lie: as for the files of a batch."""
        return duration("15m")

    @property
    def is_counted(self) -> bool:
        """A vendor is asked, and each request counted."""
        return True

    @property
    def balance_stated(self) -> bool:
        """The vendors state what each customer owes."""
        return True


class AppConnection(ApiConnection):
    """A connection that a person signs in to, through an app registered with the vendor (OAuth 2).

    client_id, client_secret: of the app. redirect_uri: what is registered there in place of this machine's own address.
    token_url, authorise_url: in place of the vendor's own, for a sandbox.
    """

    secrets: ClassVar[frozenset[str]] = frozenset({"client_secret"})

    client_id: str | None = None
    client_secret: Secret | None = None
    redirect_uri: Address | None = None
    token_url: Address | None = None
    authorise_url: Address | None = None


class QuickBooksConnection(DocumentConnection, AppConnection):
    """A company of QuickBooks Online. realm_id: the company's; that of the sign-in where it is left out.

    link_cap: 15 lets what a payment's links after the fifteenth allocate count for nothing in reconciliation, as the
    platform does; off counts all. All are stored and marked either way.
    """

    system: Literal["quickbooks"] = "quickbooks"
    name: str = "quickbooks"
    environment: Literal["production", "sandbox"] = "production"
    realm_id: str | None = Field(default=None, pattern=r"^\d{1,30}$")
    link_cap: LinkCap = None
    monthly_calls: Calls = 500_000  # of the first tier; larger ones say so

    @field_validator("realm_id", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class XeroConnection(DocumentConnection, AppConnection):
    """An organisation of Xero. tenant_id: the organisation's; the only one of the sign-in where it is left out."""

    system: Literal["xero"] = "xero"
    name: str = "xero"
    tenant_id: str | None = Field(default=None, pattern=r"^[0-9a-fA-F-]{36}$")
    monthly_egress: Egress = 10_000_000_000  # of the first tiers; larger ones say so


class StripeConnection(ApiConnection):
    """An account of Stripe, which serves a ledger: its charges stand for payments there.

    ledger: that connection; the only ledger where it is left out. api_key: a restricted key that may read is enough.
    account_id: of a connected account that the key reaches, else its own is read. cutover: charges made before that day
    are not compared, and no payout that holds one. payout_charge_id_field: where a payment of the ledger that was taken
    elsewhere carries the id of its charge (`ref`, `psp_reference` or `extra.<key>`); off: nowhere.
    """

    secrets: ClassVar[frozenset[str]] = frozenset({"api_key"})

    system: Literal["stripe"] = "stripe"
    name: str = "stripe"
    role: Literal["provider"] = "provider"
    ledger: str = ""
    api_key: Secret | None = None
    account_id: Annotated[str | None, BeforeValidator(_stripe_account)] = None
    cutover: Day | None = None
    payout_charge_id_field: ChargeIdField = None

    @field_validator("start_date")
    @classmethod
    def _from_the_beginning(cls, day: date | None) -> date | None:
        if day is not None:
            raise ValueError("leave it out: a balance is the sum of all its rows; cutover says from when charges count")
        return day
