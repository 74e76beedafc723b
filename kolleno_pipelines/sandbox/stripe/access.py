"""Who may ask what of which account: keys, the permissions of restricted ones, rate limits. No HTTP."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from kolleno_pipelines.sandbox.vendor_limits import LimitWindow, VendorLimits

Permission = Literal["read", "write"]

#: By the first part of a path: what Stripe calls the permission.
AREAS: Mapping[str, str] = {
    "account": "accounts_kyc_basic",
    "balance": "balance",
    "balance_transactions": "balance_transaction_source",
    "charges": "charge",
    "payment_intents": "payment_intent",
    "refunds": "refund",
    "disputes": "dispute",
    "payouts": "payout",
    "customers": "customer",
    "events": "event",
}
#: What a restricted key needs that only reads.
READ_ALL: Mapping[str, Permission] = dict.fromkeys(AREAS, "read")


@dataclass(frozen=True)
class Key:
    """A secret key of an account; `permissions` None may do everything, a restricted key only what it names.

    reaches: further accounts that the header `Stripe-Account` may name.
    """

    secret: str
    account_id: str
    permissions: Mapping[str, Permission] | None = None
    reaches: frozenset[str] = frozenset()

    def may(self, area: str, needed: Permission) -> bool:
        """Whether the key may read or write what is below a path; who may write may read."""
        held = "write" if self.permissions is None else self.permissions.get(area)
        return held == "write" or held == needed

    def __repr__(self) -> str:
        return f"Key({self.account_id})"


def new_key(
    account_id: str,
    *,
    livemode: bool,
    mark: str = "",
    permissions: Mapping[str, Permission] | None = None,
    reaches: frozenset[str] = frozenset(),
) -> Key:
    """Make a key; `mark` is a text in it."""
    prefix = f"{'sk' if permissions is None else 'rk'}_{'live' if livemode else 'test'}"
    return Key(f"{prefix}_{mark}{secrets.token_hex(16)}", account_id, permissions, reaches)


@dataclass(frozen=True)
class StripeLimits:
    """The rates of an account as a whole, and of each of its endpoints (the same path with whatever id)."""

    account: VendorLimits
    endpoint: VendorLimits

    def refused(self, account_id: str, endpoint: str) -> str | None:
        """Take a request in, or return the reason for which it is not; nothing is kept under way."""
        place = f"{account_id} {endpoint}"
        if self.endpoint.enter(place) is not None:
            return "endpoint-rate"
        self.endpoint.leave(place)
        if self.account.enter(account_id) is not None:
            return "global-rate"
        self.account.leave(account_id)
        return None


def published_limits(*, livemode: bool = False, factor: float = 1.0) -> StripeLimits:
    """Return the limits that Stripe publishes: 100 a second live, 25 in a sandbox, 25 for each endpoint."""
    account = LimitWindow("global-rate", 1, 100 if livemode else 25)
    endpoint = LimitWindow("endpoint-rate", 1, 25)
    return StripeLimits(VendorLimits((account,), factor=factor), VendorLimits((endpoint,), factor=factor))


def no_limits() -> StripeLimits:
    """Return limits that refuse nothing."""
    return StripeLimits(VendorLimits(), VendorLimits())
