"""A simulated Stripe that runs: accounts, a clock, keys, limits, and the server before them. It words no answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kolleno_pipelines.sandbox.stripe.access import Key, Permission, StripeLimits, new_key, published_limits
from kolleno_pipelines.sandbox.stripe.app import StripeApi
from kolleno_pipelines.sandbox.stripe.ledger import Ledger
from kolleno_pipelines.sandbox.stripe.reading import Tamper
from kolleno_pipelines.sandbox.stripe.refusals import told_to_fail
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.vendor_server import ServedVendor, VendorServer


class SandboxStripe(ServedVendor):
    """Serves accounts as Stripe does, below `/v1` of its address.

    The first account is the platform: `key` is its own and reaches the others by the header `Stripe-Account`.
    limits: the published ones when not given. mark: a text in every key. port: 0 takes a free one.
    """

    def __init__(
        self,
        *ledgers: Ledger,
        clock: VendorClock | None = None,
        limits: StripeLimits | None = None,
        mark: str = "",
        port: int = 0,
        seconds_per_answer: float = 0.0,
    ) -> None:
        self.ledgers = {each.account_id: each for each in ledgers}
        self.clock = clock or VendorClock()
        self.mark = mark
        livemode = ledgers[0].terms.livemode
        self.limits = published_limits(livemode=livemode) if limits is None else limits
        self.api = StripeApi(ledgers, self.clock, self.limits)
        super().__init__(
            VendorServer(self.api.asgi(), port=port, seconds_per_answer=seconds_per_answer, refusal=told_to_fail)
        )
        self.account_id = ledgers[0].account_id
        self.key = self.new_key(reaches=self.ledgers).secret

    def new_key(
        self,
        account_id: str = "",
        *,
        permissions: Mapping[str, Permission] | None = None,
        reaches: Iterable[str] = (),
    ) -> Key:
        """Issue a key of an account, the platform when it is not named; with permissions it is a restricted one."""
        account_id = account_id or self.account_id
        key = new_key(
            account_id,
            livemode=self.ledgers[account_id].terms.livemode,
            mark=self.mark,
            permissions=permissions,
            reaches=frozenset(reaches),
        )
        self.api.keys[key.secret] = key
        return key

    def revoke(self, secret: str) -> None:
        """Let a key open nothing from now on."""
        self.api.keys.pop(secret, None)

    def tamper(self, tamper: Tamper | None, account_id: str = "") -> None:
        """Answer an account's questions with a quiet change, or rightly again with None."""
        self.api.readers[account_id or self.account_id].tamper = tamper
