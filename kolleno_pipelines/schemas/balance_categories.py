"""Types and reporting categories of the rows of a balance at a payment provider, and the line of each. No rule, no I/O.

Source: Stripe's constants of both (stripe-go, stripe-python) and its page about reporting categories. A word that is
not here is unknown: nobody guesses what it means.
"""

from __future__ import annotations

from enum import StrEnum


class PayoutLineName(StrEnum):
    """The lines between the gross and the net of a payout, in their order."""

    CHARGES = "charges"
    REFUNDS = "refunds"
    DISPUTES = "disputes"
    FAILURES = "failures"
    FEES = "fees"
    TAXES = "taxes"
    HOLDS = "holds"
    RELEASES = "releases"
    TRANSFERS = "transfers"
    ADJUSTMENTS = "adjustments"
    OTHER = "other"


_L = PayoutLineName

#: Lines whose items must name a charge that is known.
LINES_WITH_CHARGE = (_L.CHARGES, _L.REFUNDS, _L.DISPUTES, _L.FAILURES)
#: Every known category; the last two are stated for their types and are in no list of the vendor's.
LINE_OF_CATEGORY: dict[str, PayoutLineName] = {
    "charge": _L.CHARGES,
    "refund": _L.REFUNDS,
    "refund_failure": _L.REFUNDS,
    "partial_capture_reversal": _L.REFUNDS,
    "dispute": _L.DISPUTES,
    "dispute_reversal": _L.DISPUTES,
    "charge_failure": _L.FAILURES,
    "fee": _L.FEES,
    "tax": _L.TAXES,
    "connect_reserved_funds": _L.HOLDS,
    "risk_reserved_funds": _L.HOLDS,
    "issuing_authorization_hold": _L.HOLDS,
    "issuing_authorization_release": _L.RELEASES,
    "connect_collection_transfer": _L.TRANSFERS,
    "payout": _L.TRANSFERS,
    "payout_reversal": _L.TRANSFERS,
    "topup": _L.TRANSFERS,
    "topup_reversal": _L.TRANSFERS,
    "transfer": _L.TRANSFERS,
    "transfer_reversal": _L.TRANSFERS,
    "other_adjustment": _L.ADJUSTMENTS,
    "advance": _L.OTHER,
    "advance_funding": _L.OTHER,
    "issuing_transaction": _L.OTHER,
    "platform_earning": _L.OTHER,
    "platform_earning_refund": _L.OTHER,
    "payout_minimum_balance_hold": _L.HOLDS,
    "payout_minimum_balance_release": _L.RELEASES,
}

#: The category that stands for a row that states none, by its type. A type that is not here has none.
CATEGORY_OF_TYPE: dict[str, str] = {
    "adjustment": "other_adjustment",
    "advance": "advance",
    "advance_funding": "advance_funding",
    "anticipation_repayment": "other_adjustment",
    "application_fee": "platform_earning",
    "application_fee_refund": "platform_earning_refund",
    "charge": "charge",
    "climate_order_purchase": "other_adjustment",
    "climate_order_refund": "other_adjustment",
    "connect_collection_transfer": "connect_collection_transfer",
    "contribution": "other_adjustment",
    "fee_credit_funding": "other_adjustment",
    "inbound_transfer": "topup",
    "inbound_transfer_reversal": "topup_reversal",
    "issuing_authorization_hold": "issuing_authorization_hold",
    "issuing_authorization_release": "issuing_authorization_release",
    "issuing_dispute": "issuing_transaction",
    "issuing_transaction": "issuing_transaction",
    "obligation_outbound": "other_adjustment",
    "obligation_reversal_inbound": "other_adjustment",
    "payment": "charge",
    "payment_failure_refund": "charge_failure",
    "payment_network_reserve_hold": "risk_reserved_funds",
    "payment_network_reserve_release": "risk_reserved_funds",
    "payment_refund": "refund",
    "payment_reversal": "charge_failure",
    "payment_unreconciled": "other_adjustment",
    "payout": "payout",
    "payout_cancel": "payout_reversal",
    "payout_failure": "payout_reversal",
    "payout_minimum_balance_hold": "payout_minimum_balance_hold",
    "payout_minimum_balance_release": "payout_minimum_balance_release",
    "recipient_transfer": "transfer",
    "recipient_transfer_cancel": "transfer_reversal",
    "recipient_transfer_failure": "transfer_reversal",
    "refund": "refund",
    "refund_failure": "refund_failure",
    "reserve_hold": "risk_reserved_funds",
    "reserve_release": "risk_reserved_funds",
    "reserve_transaction": "risk_reserved_funds",
    "reserved_funds": "connect_reserved_funds",
    "stripe_balance_payment_debit": "other_adjustment",
    "stripe_balance_payment_debit_reversal": "other_adjustment",
    "stripe_fee": "fee",
    "stripe_fx_fee": "fee",
    "tax_fee": "tax",
    "tax_fund": "tax",
    "topup": "topup",
    "topup_reversal": "topup_reversal",
    "transfer": "transfer",
    "transfer_cancel": "transfer_reversal",
    "transfer_failure": "transfer_reversal",
    "transfer_refund": "transfer_reversal",
}

#: Types that say what their category leaves open, whichever it is.
LINE_OF_TYPE: dict[str, PayoutLineName] = {
    "payment_network_reserve_hold": _L.HOLDS,
    "payment_network_reserve_release": _L.RELEASES,
    "payout_minimum_balance_hold": _L.HOLDS,
    "payout_minimum_balance_release": _L.RELEASES,
    "reserve_hold": _L.HOLDS,
    "reserve_release": _L.RELEASES,
}

#: Disputes for these reasons are debits that failed after they had succeeded.
FAILURE_REASONS = ("bank_cannot_process", "incorrect_account_details", "insufficient_funds")
#: States of disputes in which money is gone, or may come back; in all others known none moved, or it came back.
DISPUTED_STATUSES = ("needs_response", "under_review", "lost")
HARMLESS_DISPUTE_STATUSES = ("won", "prevented", "warning_needs_response", "warning_under_review", "warning_closed")


def line_of(kind: str | None, category: str | None) -> PayoutLineName | None:
    """Return the line of a row by its type and reporting category; None: the one or the other is unknown."""
    stated = category or CATEGORY_OF_TYPE.get(kind or "")
    if stated is None or stated not in LINE_OF_CATEGORY:
        return None
    return LINE_OF_TYPE.get(kind or "", LINE_OF_CATEGORY[stated])
