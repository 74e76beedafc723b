"""Who may ask what: the scopes of each address, the tokens' lives and the limits that the vendor publishes. No HTTP."""

from __future__ import annotations

from datetime import timedelta

from kolleno_pipelines.sandbox.vendor_limits import LimitWindow, VendorLimits
from kolleno_pipelines.sandbox.vendor_tokens import TokenRules
from kolleno_pipelines.sandbox.xero.objects import Kind

#: Access half an hour; a refresh token works once and 60 days, the one before for 30 minutes more.
TOKEN_RULES = TokenRules(
    access_life=timedelta(minutes=30),
    refresh_life=timedelta(days=60),
    grace=timedelta(minutes=30),
    client_error_status=400,
)

#: Named as `X-Rate-Limit-Problem` names them.
LIMITS = (
    LimitWindow("minute", 60, 60),
    LimitWindow("day", 86_400, 5_000),
    LimitWindow("appminute", 60, 10_000, per_account=False),
)
AT_ONCE_LIMIT = 5


def published_limits(factor: float = 1.0) -> VendorLimits:
    """Return the limits of one organisation and app: 5 at once, 60 a minute, 5,000 a day; `factor` runs them faster."""
    return VendorLimits(LIMITS, at_once=AT_ONCE_LIMIT, factor=factor)


REMAINING_HEADERS = {
    "day": "X-DayLimit-Remaining",
    "minute": "X-MinLimit-Remaining",
    "appminute": "X-AppMinLimit-Remaining",
}

_BROAD = "accounting.transactions"
_AREAS: dict[Kind, tuple[str, ...]] = {
    Kind.ORGANISATION: ("accounting.settings",),
    Kind.ACCOUNTS: ("accounting.settings",),
    Kind.CONTACTS: ("accounting.contacts",),
    Kind.CONTACT_GROUPS: ("accounting.contacts",),
    Kind.INVOICES: ("accounting.invoices", _BROAD),
    Kind.CREDIT_NOTES: ("accounting.invoices", _BROAD),
    Kind.PAYMENTS: ("accounting.payments", _BROAD),
    Kind.OVERPAYMENTS: ("accounting.payments", _BROAD),
    Kind.PREPAYMENTS: ("accounting.payments", _BROAD),
    Kind.BATCH_PAYMENTS: ("accounting.payments", _BROAD),
}
READ_SCOPES = (
    "offline_access accounting.settings.read accounting.contacts.read accounting.invoices.read "
    "accounting.payments.read accounting.attachments.read"
)
WRITE_SCOPES = f"{READ_SCOPES} accounting.invoices accounting.payments accounting.contacts"

#: What an app made on or after 2 March 2026 may ask for: the broad scope is no longer given out.
GRANULAR_SCOPES = frozenset(
    {
        *("openid", "profile", "email", "offline_access"),
        *("accounting.settings", "accounting.settings.read", "accounting.contacts", "accounting.contacts.read"),
        *("accounting.invoices", "accounting.invoices.read", "accounting.payments", "accounting.payments.read"),
        *("accounting.attachments", "accounting.attachments.read"),
    }
)


def may(scope: str, kind: Kind, *, write: bool = False, attachments: bool = False) -> bool:
    """Whether a token with these scopes may read or write an address."""
    held = set(scope.split())
    areas = ("accounting.attachments",) if attachments else _AREAS[kind]
    return any(area in held or (not write and f"{area}.read" in held) for area in areas)
