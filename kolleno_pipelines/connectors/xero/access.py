"""What a caller needs to open Xero: addresses, scopes, how long tokens live, limits and the headers that tell of them.

Data alone: no request is made here, and no secret is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from kolleno_pipelines.connectors.rate_limits import AccountLimits, DayLimit, LimitHeaders, Rate

BASE_URL = "https://api.xero.com"
AUTHORISE_URL = "https://login.xero.com/identity/connect/authorize"
TOKEN_URL = "https://identity.xero.com/connect/token"  # noqa: S105 - an address
#: Below BASE_URL: which organisations (`tenantId`) the tokens of a sign-in reach.
CONNECTIONS_PATH = "/connections"

#: Granular scopes: apps made since 2 March 2026 get no `accounting.transactions`.
SCOPES = (
    "accounting.invoices.read",
    "accounting.payments.read",
    "accounting.contacts.read",
    "accounting.settings.read",
    "offline_access",
)
#: Needed beside them for extracts that are off unless asked for.
ALSO_SCOPES: Mapping[str, str] = {"invoice_attachments": "accounting.attachments.read"}

#: A refresh token works once; the one before it goes on for so long, should the answer be lost.
GRACE = timedelta(minutes=30)
REFRESH_LIFETIME = timedelta(days=60)

#: Of one organisation: 60 a minute, of which two are spared for requests that crowd, 5 at once, 5,000 a day.
LIMITS = AccountLimits((Rate(60, 60.0, spare=2),), slots=5, day=DayLimit(5_000))
LIMIT_HEADERS = LimitHeaders(remaining={"X-MinLimit-Remaining": 60.0, "X-DayLimit-Remaining": 86_400.0})
#: The vendor's own id of a request, for its support.
REQUEST_ID_HEADERS = ("Xero-Correlation-Id",)


def headers_of(tenant_id: str) -> Mapping[str, str]:
    """Headers of every request to the accounting API: without the first Xero answers XML, without the second 403."""
    return {"Accept": "application/json", "xero-tenant-id": tenant_id}
