"""Words of the reconciliation of charges, payouts and the balance at a payment provider. No rule, no I/O.

The lists of types and categories of a balance are schemas/balance_categories.py, rows schemas/payouts.py.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class ChargeOutcome(StrEnum):
    """What became of a charge; the first that applies, in this order."""

    BEFORE_CUTOVER = "before_cutover"
    FAILED = "failed"
    FAILED_BUT_PAID = "failed_but_paid"
    PENDING = "pending"
    NO_PAYMENT = "no_payment"
    CURRENCY_MISMATCH = "currency_mismatch"
    AMOUNT_MISMATCH = "amount_mismatch"
    PAYMENT_SHARED = "payment_shared"
    REFUND_NOT_IN_LEDGER = "refund_not_in_ledger"
    DISPUTE_NOT_IN_LEDGER = "dispute_not_in_ledger"
    FAILURE_NOT_IN_LEDGER = "failure_not_in_ledger"
    RECONCILED_WITH_FALLBACK = "reconciled_with_fallback"
    RECONCILED = "reconciled"


#: Outcomes of charges that ask for nobody.
SETTLED_CHARGES = frozenset(
    {
        ChargeOutcome.BEFORE_CUTOVER,
        ChargeOutcome.FAILED,
        ChargeOutcome.PENDING,
        ChargeOutcome.RECONCILED_WITH_FALLBACK,
        ChargeOutcome.RECONCILED,
    }
)


class ChargeState(StrEnum):
    """Where the money of a charge is, by the provider's own words."""

    TAKEN = "taken"
    FAILED_LATE = "failed_late"  # it was there and was taken back
    PENDING = "pending"  # not certain, or not captured yet
    NONE = "none"  # it failed, or its authorisation was released


class Resolver(StrEnum):
    """By what the ledger's payments of a charge were found."""

    OWN = "own"  # the platform's own reference
    CHARGE_ID = "charge_id"  # the charge's id, in a field of the payment


class PayoutOutcome(StrEnum):
    """What became of a payout, and of each of its legs; the first that applies, in this order."""

    REVERSED = "reversed"
    NOT_ITEMISABLE = "not_itemisable"
    PENDING = "pending"
    BLOCKED_BEFORE_CUTOVER = "blocked_before_cutover"
    BLOCKED_UNKNOWN_CATEGORY = "blocked_unknown_category"
    BLOCKED_UNKNOWN_MEMBER = "blocked_unknown_member"
    CURRENCY_MISMATCH = "currency_mismatch"
    AMOUNT_MISMATCH = "amount_mismatch"
    FEE_MISMATCH = "fee_mismatch"
    NOT_AT_BANK = "not_at_bank"
    AWAITING_BANK = "awaiting_bank"
    RECONCILED_WITH_FALLBACK = "reconciled_with_fallback"
    RECONCILED = "reconciled"
    NOT_COMPARED = "not_compared"  # of the bank's leg alone: no bank is read that could have it


class Leg(StrEnum):
    """The comparisons of a payout."""

    ITEMS = "items"  # the payout with its items
    LEDGER = "ledger"  # the items with the ledger's payments
    BANK = "bank"  # the payout with its line at the bank


#: Told wherever outcomes of payouts are read, as the legs above are not all that `reconciled` could be taken for.
BANK_IS_TOLD_APART = (
    "Whether the money arrived is told by `bank_outcome`: where that is `not_compared` or not shown, no bank is read"
    " that could say so. The deposit in the ledger is not compared yet."
)


class ExceptionCode(StrEnum):
    """What is wrong with an item of a payout, or with its sum."""

    BEFORE_CUTOVER = "before_cutover"
    UNKNOWN_CATEGORY = "unknown_category"
    NOT_IN_BALANCE = "not_in_balance"
    UNKNOWN_CHARGE = "unknown_charge"
    NO_PAYMENT = "no_payment"
    ITEM_CURRENCY = "item_currency"
    PAYMENT_CURRENCY = "payment_currency"
    ALTERED = "altered"
    NET_DIFFERS = "net_differs"
    FEE_DIFFERS = "fee_differs"
    DOUBLED = "doubled"
    IN_TWO_PAYOUTS = "in_two_payouts"
    SOURCE_DIFFERS = "source_differs"
    DROPPED = "dropped"
    MOVED = "moved"
    OWN_ROW = "own_row"
    SUM_DIFFERS = "sum_differs"
    PAYMENTS_SUM = "payments_sum"
    PAYMENT_SHARED = "payment_shared"
    FEE_DETAILS = "fee_details"
    NO_BANK_LINE = "no_bank_line"
    BANK_AMOUNT = "bank_amount"
    BANK_CURRENCY = "bank_currency"
    BANK_DOUBLED = "bank_doubled"
    BANK_RETURNED = "bank_returned"
    BANK_KEPT = "bank_kept"


class Effect(NamedTuple):
    """The leg that an exception concerns, and the outcome that it gives it."""

    leg: Leg
    outcome: PayoutOutcome


EFFECTS: dict[ExceptionCode, Effect] = {
    ExceptionCode.BEFORE_CUTOVER: Effect(Leg.LEDGER, PayoutOutcome.BLOCKED_BEFORE_CUTOVER),
    ExceptionCode.UNKNOWN_CATEGORY: Effect(Leg.ITEMS, PayoutOutcome.BLOCKED_UNKNOWN_CATEGORY),
    ExceptionCode.NOT_IN_BALANCE: Effect(Leg.ITEMS, PayoutOutcome.BLOCKED_UNKNOWN_MEMBER),
    ExceptionCode.UNKNOWN_CHARGE: Effect(Leg.LEDGER, PayoutOutcome.BLOCKED_UNKNOWN_MEMBER),
    ExceptionCode.NO_PAYMENT: Effect(Leg.LEDGER, PayoutOutcome.BLOCKED_UNKNOWN_MEMBER),
    ExceptionCode.ITEM_CURRENCY: Effect(Leg.ITEMS, PayoutOutcome.CURRENCY_MISMATCH),
    ExceptionCode.PAYMENT_CURRENCY: Effect(Leg.LEDGER, PayoutOutcome.CURRENCY_MISMATCH),
    ExceptionCode.ALTERED: Effect(Leg.ITEMS, PayoutOutcome.AMOUNT_MISMATCH),
    ExceptionCode.NET_DIFFERS: Effect(Leg.ITEMS, PayoutOutcome.AMOUNT_MISMATCH),
    ExceptionCode.DOUBLED: Effect(Leg.ITEMS, PayoutOutcome.AMOUNT_MISMATCH),
    ExceptionCode.IN_TWO_PAYOUTS: Effect(Leg.ITEMS, PayoutOutcome.AMOUNT_MISMATCH),
    ExceptionCode.SOURCE_DIFFERS: Effect(Leg.ITEMS, PayoutOutcome.AMOUNT_MISMATCH),
    ExceptionCode.DROPPED: Effect(Leg.ITEMS, PayoutOutcome.AMOUNT_MISMATCH),
    ExceptionCode.MOVED: Effect(Leg.ITEMS, PayoutOutcome.AMOUNT_MISMATCH),
    ExceptionCode.OWN_ROW: Effect(Leg.ITEMS, PayoutOutcome.AMOUNT_MISMATCH),
    ExceptionCode.SUM_DIFFERS: Effect(Leg.ITEMS, PayoutOutcome.AMOUNT_MISMATCH),
    ExceptionCode.PAYMENTS_SUM: Effect(Leg.LEDGER, PayoutOutcome.AMOUNT_MISMATCH),
    ExceptionCode.PAYMENT_SHARED: Effect(Leg.LEDGER, PayoutOutcome.AMOUNT_MISMATCH),
    ExceptionCode.FEE_DIFFERS: Effect(Leg.ITEMS, PayoutOutcome.FEE_MISMATCH),
    ExceptionCode.FEE_DETAILS: Effect(Leg.ITEMS, PayoutOutcome.FEE_MISMATCH),
    ExceptionCode.NO_BANK_LINE: Effect(Leg.BANK, PayoutOutcome.NOT_AT_BANK),
    ExceptionCode.BANK_AMOUNT: Effect(Leg.BANK, PayoutOutcome.AMOUNT_MISMATCH),
    ExceptionCode.BANK_CURRENCY: Effect(Leg.BANK, PayoutOutcome.CURRENCY_MISMATCH),
    ExceptionCode.BANK_DOUBLED: Effect(Leg.BANK, PayoutOutcome.AMOUNT_MISMATCH),
    ExceptionCode.BANK_RETURNED: Effect(Leg.BANK, PayoutOutcome.NOT_AT_BANK),
    ExceptionCode.BANK_KEPT: Effect(Leg.BANK, PayoutOutcome.NOT_AT_BANK),
}

#: What is known of an item by itself, as columns of flags; the others are found from a payout's sum.
ITEM_CODES: tuple[ExceptionCode, ...] = (
    ExceptionCode.UNKNOWN_CATEGORY,
    ExceptionCode.NOT_IN_BALANCE,
    ExceptionCode.UNKNOWN_CHARGE,
    ExceptionCode.NO_PAYMENT,
    ExceptionCode.ITEM_CURRENCY,
    ExceptionCode.PAYMENT_CURRENCY,
    ExceptionCode.ALTERED,
    ExceptionCode.NET_DIFFERS,
    ExceptionCode.FEE_DIFFERS,
    ExceptionCode.DOUBLED,
    ExceptionCode.IN_TWO_PAYOUTS,
    ExceptionCode.SOURCE_DIFFERS,
    ExceptionCode.PAYMENTS_SUM,
    ExceptionCode.PAYMENT_SHARED,
    ExceptionCode.FEE_DETAILS,
)


class ProofOutcome(StrEnum):
    """What became of the proof of a balance at one moment."""

    TIED = "tied"
    DIFFERS = "differs"
    NO_SNAPSHOT = "no_snapshot"
    MOVED_DURING_READ = "moved_during_read"
