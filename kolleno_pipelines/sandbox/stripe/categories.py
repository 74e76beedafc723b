"""Types of balance transactions and the reporting category of each. No amounts."""

from __future__ import annotations

from collections.abc import Mapping

#: Every type that the sandbox writes. `adjustment` and partial captures are told apart by the category alone.
CATEGORY_OF: Mapping[str, str] = {
    "charge": "charge",
    "payment": "charge",
    "refund": "refund",
    "payment_refund": "refund",
    "refund_failure": "refund_failure",
    "payment_failure_refund": "charge_failure",
    "adjustment": "other_adjustment",
    "payout": "payout",
    "payout_failure": "payout_reversal",
    "payout_cancel": "payout_reversal",
    "payout_minimum_balance_hold": "payout_minimum_balance_hold",
    "payout_minimum_balance_release": "payout_minimum_balance_release",
    "stripe_fee": "fee",
    "stripe_fx_fee": "fee",
    "tax_fee": "tax",
    "topup": "topup",
    "topup_reversal": "topup_reversal",
    "transfer": "transfer",
    "transfer_refund": "transfer_reversal",
    "reserved_funds": "connect_reserved_funds",
    "reserve_hold": "risk_reserved_funds",
    "reserve_release": "risk_reserved_funds",
    "application_fee": "platform_earning",
}
DISPUTE, DISPUTE_REVERSAL = "dispute", "dispute_reversal"
#: In real accounts, in no list of the vendor's: whoever reads it must not guess.
UNKNOWN_TYPE = "network_cost"


def category_of(kind: str) -> str:
    """Return the category of a type; of one that nobody knows, the type itself."""
    return CATEGORY_OF.get(kind, kind)
