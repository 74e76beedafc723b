"""A simulated Xero that runs: a book, a clock, tokens, limits, and the server before them. It words no answers."""

from __future__ import annotations

from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.vendor_limits import VendorLimits
from kolleno_pipelines.sandbox.vendor_server import ServedVendor, VendorServer
from kolleno_pipelines.sandbox.vendor_tokens import VendorTokens
from kolleno_pipelines.sandbox.xero.access import READ_SCOPES, TOKEN_RULES, published_limits
from kolleno_pipelines.sandbox.xero.app import API, XeroApi
from kolleno_pipelines.sandbox.xero.book import Book
from kolleno_pipelines.sandbox.xero.listing import INDEX_LIMIT
from kolleno_pipelines.sandbox.xero.refusals import told_to_fail


class SandboxXero(ServedVendor):
    """Serves a book as Xero does; below its address are `/connections` and the OAuth pages.

    limits: the published ones when not given; a client that is made to wait gets vendor seconds in Retry-After, which
    a factor of the limits shortens in real time. seconds_per_answer: added to each, while the request counts as one of
    those at once. mark: a text in every token. port: 0 takes a free one.
    allowed_scopes: what the app may ask for; `access.GRANULAR_SCOPES` for an app of today.
    """

    def __init__(
        self,
        book: Book,
        *,
        clock: VendorClock | None = None,
        limits: VendorLimits | None = None,
        client_id: str = "sandbox-xero",
        client_secret: str = "sandbox-secret",  # noqa: S107 - it opens nothing but this sandbox
        mark: str = "",
        port: int = 0,
        seconds_per_answer: float = 0.0,
        allowed_scopes: frozenset[str] | None = None,
        index_limit: int = INDEX_LIMIT,
    ) -> None:
        self.book = book
        self.clock = clock or VendorClock()
        self.limits = published_limits() if limits is None else limits
        self.tokens = VendorTokens(
            self.clock,
            TOKEN_RULES,
            client_id=client_id,
            client_secret=client_secret,
            mark=mark,
            allowed_scopes=allowed_scopes,
        )
        self.api = XeroApi(book, self.clock, self.tokens, self.limits, index_limit=index_limit)
        self.api.work_seconds = seconds_per_answer
        super().__init__(VendorServer(self.api.asgi(), port=port, refusal=told_to_fail))

    @property
    def api_url(self) -> str:
        """Where the accounting API is."""
        return f"{self.server.url}{API}"

    @property
    def authorize_url(self) -> str:
        """The page on which a user allows access."""
        return f"{self.server.url}/identity/connect/authorize"

    @property
    def token_url(self) -> str:
        """The token endpoint."""
        return f"{self.server.url}/connect/token"

    @property
    def tenant_id(self) -> str:
        """The value for the header `xero-tenant-id`."""
        return self.api.tenant_id

    def sign_in(self, scope: str = READ_SCOPES) -> dict[str, str | int]:
        """Return the token answer of a user who has just agreed."""
        return self.tokens.issue(scope)
