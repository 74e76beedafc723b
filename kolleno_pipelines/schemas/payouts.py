"""Rows that the rules of charges, payouts and the balance at a payment provider take and give. No rule, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

import pyarrow as pa

from kolleno_pipelines.schemas.ledger_parts import AMOUNT, MOMENT, TEXT, TOTAL, schema
from kolleno_pipelines.schemas.payout_words import ExceptionCode

#: One row per charge, as the rules take them. Amounts are in the charge's currency; `payments` counts those found,
#: `other_currency` those of them in another currency, `paid` is the sum of the rest; `shared` counts those that another
#: charge claims as well. `own_reference` is there on charges of the platform alone, `applied` where something went
#: back, `is_returned` where the ledger voided payments for it, and lacks no more than that.
CHARGES = schema(
    source_id=TEXT,
    state=TEXT,
    money=AMOUNT,
    surcharge=AMOUNT,
    currency_iso=TEXT,
    created_at=MOMENT,
    customer_source_id=TEXT,
    own_reference=TEXT,
    resolver=TEXT,
    payments=pa.int64(),
    is_returned=pa.bool_(),
    other_currency=pa.int64(),
    shared=pa.int64(),
    paid=TOTAL,
    applied=TOTAL,
    refunded=TOTAL,
    disputed=TOTAL,
    failed=TOTAL,
    payment_source_ids=TEXT,
    since=MOMENT,
)

#: Rows of the result `charges`.
CHARGE_ROWS = schema(
    connection=TEXT,
    source_id=TEXT,
    ledger=TEXT,
    outcome=TEXT,
    resolver=TEXT,
    customer_source_id=TEXT,
    currency_iso=TEXT,
    amount=AMOUNT,
    surcharge_amount=AMOUNT,
    payments=pa.int64(),
    paid=TOTAL,
    difference=TOTAL,
    refunded=TOTAL,
    disputed=TOTAL,
    failed=TOTAL,
    applied=TOTAL,
    payment_source_ids=TEXT,
    created_at=MOMENT,
    since=MOMENT,
    break_id=TEXT,
    evidence=TEXT,
)


@dataclass(frozen=True)
class PayoutFacts:
    """One payout with what its items come to; amounts in its currency.

    `flags`: how many items have each of ITEM_CODES, in that order. `set_off` is what the balance's list says of the
    items more than the payout's own, less what is in it twice (`doubled`, which is below 0 where that is above);
    `suspected` what would make items agree with their source, their fee, or the details of it. `own_row_net` is absent
    where the balance's list does not have the payout's own row.
    """

    source_id: str
    status: str
    amount: Decimal
    currency_iso: str
    created_at: datetime
    date_arrival: date | None
    observed_at: datetime
    is_reversed: bool
    is_itemisable: bool
    is_complete: bool
    own_row_source_id: str | None
    own_row_net: Decimal | None
    items: int
    items_net: Decimal
    set_off: Decimal
    doubled: Decimal
    suspected: Decimal
    items_before_cutover: int
    first_before_cutover: str | None
    fallbacks: int
    flags: tuple[int, ...]


@dataclass(frozen=True)
class SuspectItem:
    """An item of a payout of which something is wrong, with what the two lists and the ledger say of it.

    `flags` are those of ITEM_CODES, in that order.
    """

    payout_source_id: str
    occurrence: int
    source_id: str
    type: str
    category: str | None
    currency_iso: str
    payout_currency_iso: str
    amount: Decimal
    fee: Decimal
    net: Decimal
    balance_amount: Decimal | None
    balance_fee: Decimal | None
    balance_net: Decimal | None
    details_fee: Decimal | None
    charge_source_id: str | None
    source_object_id: str | None
    source_amount: Decimal | None
    charge_expected: Decimal | None
    charge_currency_iso: str | None
    charge_paid: Decimal | None
    other_payouts: str | None
    since: datetime
    flags: tuple[bool, ...]


class Gap(NamedTuple):
    """What a payout's items come to less than it states (above 0) or more, when what is known of items is set off.

    What is known may explain a part of it or not: `number` counts what the gap may be, the likeliest first.
    """

    payout_source_id: str
    currency_iso: str
    amount: Decimal
    created_at: datetime
    number: int = 0


class Explanation(NamedTuple):
    """A row that may explain a gap or a part of it, and its `rivals`, which may as well.

    `amount`: how much of the gap it explains; where it is not exact, the most that it can be, as the fee of a row that
    no list has is not known. `is_missing`: it should be in the payout; else it is too much there. `is_known`: the
    balance's list has it; else only the charge names it. `other_source_id`: the payout that it was moved to or from,
    the row that it doubles, the object that made it.
    """

    payout_source_id: str
    code: ExceptionCode
    source_id: str
    amount: Decimal
    is_missing: bool
    is_known: bool
    other_source_id: str | None
    charge_source_id: str | None
    rivals: tuple[str, ...] = ()
    is_exact: bool = True


@dataclass(frozen=True)
class PayoutRow:
    """A payout with its outcomes: a row of the result `payouts`."""

    connection: str
    source_id: str
    ledger: str
    outcome: str
    items_outcome: str
    ledger_outcome: str
    bank_outcome: str
    status: str
    currency_iso: str
    amount: Decimal
    items: int
    items_net: Decimal
    difference: Decimal | None
    exceptions: int
    fallbacks: int
    date_arrival: date | None
    created_at: datetime
    bank_resolver: str | None
    bank_connection: str | None
    bank_line_source_id: str | None
    bank_amount: Decimal | None
    bank_currency_iso: str | None
    bank_day: date | None


@dataclass(frozen=True)
class PayoutLine:
    """A line of the table from gross to net of a payout."""

    connection: str
    payout_source_id: str
    line: str
    currency_iso: str
    items: int
    amount: Decimal
    fee: Decimal
    net: Decimal


@dataclass(frozen=True)
class PayoutException:
    """What keeps a payout from being reconciled: the item, the charge, the amount, and why in a sentence.

    `occurrence` counts an item that is in its payout more than once; 0 where no item is named. `bank_line_source_id`:
    the bank's line, where one is to blame.
    """

    break_id: str
    connection: str
    payout_source_id: str
    code: str
    leg: str
    outcome: str
    balance_transaction_source_id: str
    occurrence: int
    charge_source_id: str | None
    currency_iso: str
    amount: Decimal
    evidence: str
    since: datetime
    is_break: bool
    bank_line_source_id: str | None = None


@dataclass(frozen=True)
class SnapshotFacts:
    """A balance snapshot of one currency, with what the rows up to it come to.

    `before`: rows made in seconds before the one that decides; `newest`: the snapshot's newest row itself, where it is
    of this currency; `beside`: the other rows of that second, which may be older or younger. `is_newest_known` is false
    where the newest row was not read.
    """

    source_id: str
    currency_iso: str
    taken_at: datetime
    available: Decimal
    pending: Decimal
    is_newest_known: bool
    rows_before: int
    before: Decimal
    newest: Decimal | None
    rows_beside: int
    beside: Decimal


@dataclass(frozen=True)
class UnprovenDays:
    """Rows of a currency that were made before the day of the first snapshot, or there is none."""

    currency_iso: str
    rows: int
    net: Decimal
    since: datetime


@dataclass(frozen=True)
class BalanceProof:
    """Do the rows of a balance come to what the provider says it was? difference = computed - stated.

    `change` is what the difference grew by since the snapshot before. `source_id` is empty for days before the first.
    """

    break_id: str
    connection: str
    source_id: str
    currency_iso: str
    outcome: str
    taken_at: datetime | None
    available: Decimal | None
    pending: Decimal | None
    rows: int
    computed: Decimal
    difference: Decimal | None
    change: Decimal | None
    is_break: bool
    since: datetime
