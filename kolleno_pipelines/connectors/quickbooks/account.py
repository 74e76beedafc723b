"""What a QuickBooks Online account is reached with: addresses, scope, limits, as data. Nothing is asked here.

Sources: the vendor's pages about OAuth 2.0, base URLs and limits (README.md).
"""

from __future__ import annotations

from datetime import timedelta

from kolleno_pipelines.connectors.rate_limits import AccountLimits, LimitHeaders, Rate

API_URLS = {
    "production": "https://quickbooks.api.intuit.com",
    "sandbox": "https://sandbox-quickbooks.api.intuit.com",
}
AUTHORISE_URL = "https://appcenter.intuit.com/connect/oauth2"
TOKEN_URL = "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer"  # noqa: S105 - an address
SCOPES = ("com.intuit.quickbooks.accounting",)
#: An unused refresh token ends; the answers say so too.
REFRESH_LIFETIME = timedelta(days=100)
#: However much it is used, a sign-in ends after five years; counted short, so that it is told early.
SIGN_IN_LIFETIME = timedelta(days=5 * 365)
#: Which company signed in: a parameter of the redirect.
REALM = "realmId"
REQUEST_ID_HEADERS = ("intuit_tid",)

LIMITS = AccountLimits((Rate(10, 1.0, spare=1), Rate(500, 60.0, burst=10, spare=10)), slots=10)
#: A refusal names no wait: the minute's window has to pass.
LIMIT_HEADERS = LimitHeaders(pause=60.0)
