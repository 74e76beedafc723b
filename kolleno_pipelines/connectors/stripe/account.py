"""What a Stripe account is reached with: address, version, limits, as data. Nothing is asked here.

Sources: the vendor's pages about versions, rate limits and events (README.md).
"""

from __future__ import annotations

from datetime import timedelta

from kolleno_pipelines.connectors.rate_limits import AccountLimits, LimitHeaders, Rate

API_URL = "https://api.stripe.com"
#: The version of the API whose objects the normaliser reads, whatever the account's own default is.
VERSION = "2026-06-24.dahlia"
REQUEST_ID_HEADERS = ("Request-Id",)
#: 25 a second for one endpoint, in test and live; one endpoint is asked at a time.
LIMITS = AccountLimits((Rate(25, 1.0, spare=2),), slots=8)
LIMIT_HEADERS = LimitHeaders(pause=1.0)
#: Events are kept for so long.
EVENTS_REACH = timedelta(days=30)
#: Where events were missed, objects made so long before are listed once more: a SEPA debit can be disputed 13 months.
RELISTED = timedelta(days=400)


def is_live(key: str) -> bool | None:
    """Say of which mode a key is by its beginning (`sk_live_`, `rk_test_`); None where it does not tell."""
    return {"live": True, "test": False}.get(key.split("_", 2)[1]) if key.count("_") >= 2 else None
