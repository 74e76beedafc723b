"""Does the ledger show the money of each charge, and nothing more (model 5, 7)?

Finding the payments of a charge does not belong here (storage/charges.py).
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kolleno_pipelines.rules.breaks import break_id
from kolleno_pipelines.rules.columns import Flags, is_one_of, microseconds, rows_of, take
from kolleno_pipelines.rules.scaled import Amounts, decimal, decimals, scaled
from kolleno_pipelines.schemas.currencies import amount_text
from kolleno_pipelines.schemas.payout_words import SETTLED_CHARGES, ChargeOutcome, ChargeState, Resolver
from kolleno_pipelines.schemas.payouts import CHARGE_ROWS, CHARGES

KIND = "charge"
_O = ChargeOutcome
_NAMES = tuple(ChargeOutcome)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Sums(NamedTuple):
    """Amounts of a part of the charges; `expected` is what the ledger must show, `left` what is left of the money."""

    money: Amounts
    surcharge: Amounts
    paid: Amounts
    applied: Amounts
    refunded: Amounts
    disputed: Amounts
    failed: Amounts

    @property
    def expected(self) -> Amounts:
        return self.money - self.surcharge

    @property
    def excess(self) -> Amounts:
        """What more is applied than is left of the money; only where something went back."""
        back = self.refunded + self.disputed + self.failed
        left = np.maximum(self.money - back, 0)
        return np.where(back > 0, np.maximum(self.applied - left, 0), 0)


def charge_rows(connection: str, ledger: str, charges: pa.Table, cutover: date | None) -> pa.Table:
    """Return the rows of the result (CHARGE_ROWS) for a part of the charges (CHARGES) of one connection."""
    sums = _Sums(
        *scaled(
            *(charges[name] for name in ("money", "surcharge", "paid", "applied", "refunded", "disputed", "failed"))
        )
    )
    outcomes = outcomes_of(charges, sums, cutover)
    has_payments = _numbers(charges["payments"]) > 0
    is_left_out = np.isin(outcomes, [_NAMES.index(one) for one in (_O.BEFORE_CUTOVER, _O.PENDING)])
    is_compared = has_payments & (_numbers(charges["other_currency"]) == 0) & ~is_left_out
    asking = np.flatnonzero(np.isin(outcomes, [_NAMES.index(one) for one in _NAMES if one not in SETTLED_CHARGES]))
    break_ids, evidence = _told(connection, ledger, charges, sums, outcomes, asking)
    columns: dict[str, Any] = {
        "connection": pa.repeat(connection, charges.num_rows),
        "ledger": pa.repeat(ledger, charges.num_rows),
        "outcome": pa.array([outcome.value for outcome in _NAMES]).take(pa.array(outcomes, pa.int64())),
        "amount": charges["money"],
        "surcharge_amount": charges["surcharge"],
        "paid": _where(has_payments, decimals(sums.paid)),
        "difference": _where(is_compared, decimals(sums.expected - sums.paid)),
        "break_id": break_ids,
        "evidence": evidence,
    }
    for name in CHARGE_ROWS.names:
        columns.setdefault(name, charges[name] if name in CHARGES.names else None)
    return pa.table({name: columns[name] for name in CHARGE_ROWS.names})


def outcomes_of(charges: pa.Table, sums: _Sums, cutover: date | None) -> npt.NDArray[np.int64]:
    """Return for each charge the place of its outcome in ChargeOutcome: the first that applies."""
    state = {one: is_one_of(charges["state"], [one.value]) for one in ChargeState}
    is_returned = is_one_of(charges["is_returned"], [True])
    is_paid = _numbers(charges["payments"]) > 0
    has_payments = is_paid | is_returned
    excess = sums.excess
    named = _part_to_blame(sums, excess)
    applies: dict[ChargeOutcome, Flags] = {
        _O.BEFORE_CUTOVER: _made_before(charges, cutover),
        _O.FAILED: (state[ChargeState.NONE] & ~is_paid) | (state[ChargeState.FAILED_LATE] & ~has_payments),
        _O.FAILED_BUT_PAID: state[ChargeState.NONE],
        _O.PENDING: state[ChargeState.PENDING],
        _O.NO_PAYMENT: ~has_payments,
        _O.CURRENCY_MISMATCH: _numbers(charges["other_currency"]) > 0,
        _O.AMOUNT_MISMATCH: np.asarray(sums.paid != sums.expected, dtype=np.bool_) & ~is_returned,
        _O.PAYMENT_SHARED: _numbers(charges["shared"]) > 0,
        _O.REFUND_NOT_IN_LEDGER: named == _NAMES.index(_O.REFUND_NOT_IN_LEDGER),
        _O.DISPUTE_NOT_IN_LEDGER: named == _NAMES.index(_O.DISPUTE_NOT_IN_LEDGER),
        _O.FAILURE_NOT_IN_LEDGER: named == _NAMES.index(_O.FAILURE_NOT_IN_LEDGER),
        _O.RECONCILED_WITH_FALLBACK: is_one_of(charges["resolver"], [Resolver.CHARGE_ID.value]),
        _O.RECONCILED: np.ones(charges.num_rows, dtype=np.bool_),
    }
    first: npt.NDArray[np.int64] = np.argmax(np.stack([applies[one] for one in _NAMES]), axis=0)
    return first


def _part_to_blame(sums: _Sums, excess: Amounts) -> npt.NDArray[np.int64]:
    """Where too much is applied, name the part that went back of exactly that size, else the first there is."""
    parts = (
        (sums.refunded, _O.REFUND_NOT_IN_LEDGER),
        (sums.disputed, _O.DISPUTE_NOT_IN_LEDGER),
        (sums.failed, _O.FAILURE_NOT_IN_LEDGER),
    )
    tests = [amount == excess for amount, _ in parts] + [amount > 0 for amount, _ in parts]
    places = [_NAMES.index(outcome) for _, outcome in parts] * 2
    there = np.asarray(excess > 0, dtype=np.bool_)
    return np.select([there & np.asarray(test, dtype=np.bool_) for test in tests], places, -1)


def _made_before(charges: pa.Table, cutover: date | None) -> Flags:
    if cutover is None:
        return np.zeros(charges.num_rows, dtype=np.bool_)
    moment = datetime.combine(cutover, time(), UTC) - _EPOCH
    return microseconds(charges["created_at"]) < int(moment.total_seconds()) * 1_000_000


def _told(
    connection: str,
    ledger: str,
    charges: pa.Table,
    sums: _Sums,
    outcomes: npt.NDArray[np.int64],
    asking: npt.NDArray[np.int64],
) -> tuple[pa.Array[Any], pa.Array[Any]]:
    """Return the break ids and sentences of the charges that ask for somebody; the others have none."""
    ids: list[str | None] = [None] * charges.num_rows
    sentences: list[str | None] = [None] * charges.num_rows
    amounts = {name: getattr(sums, name)[asking].tolist() for name in (*sums._fields, "expected", "excess")}
    rows = rows_of(take(charges.select(_NAMED), asking))
    for number, (place, row) in enumerate(zip(asking.tolist(), rows, strict=True)):
        told = {name: amount_text(decimal(values[number]), row["currency_iso"]) for name, values in amounts.items()}
        ids[place] = break_id(KIND, connection, (KIND, row["source_id"]))
        sentences[place] = SENTENCES[_NAMES[outcomes[place]]].format(ledger=ledger, **row, **told, **_spoken(row))
    return pa.array(ids, pa.string()), pa.array(sentences, pa.string())


def _spoken(row: dict[str, Any]) -> dict[str, str]:
    """Return the ids of a charge's payments as people read them, and by which reference there should be some."""
    reference = row["own_reference"]
    looked = f" with reference {reference}" if reference else "; the charge carries no reference of the platform"
    return {"named": ", ".join(json.loads(row["payment_source_ids"] or "[]")), "looked": looked}


#: What of a charge its sentence may name.
_NAMED = ["source_id", "currency_iso", "payments", "payment_source_ids", "own_reference"]
#: Why a charge asks for somebody.
SENTENCES: dict[ChargeOutcome, str] = {
    _O.FAILED_BUT_PAID: "No money was taken, and {ledger} has {payments} payment(s) of it: {named}.",
    _O.NO_PAYMENT: "{currency_iso} {money} was taken, and {ledger} has no payment of it{looked}.",
    _O.CURRENCY_MISMATCH: "{currency_iso} {money} was taken; {ledger} has another currency: {named}.",
    _O.AMOUNT_MISMATCH: (
        "{currency_iso} {money} was taken, {surcharge} of it as surcharge; {ledger} must show {expected}, and shows"
        " {paid}: {named}."
    ),
    _O.PAYMENT_SHARED: "Another charge claims a payment of {ledger} as well: {named}.",
    _O.REFUND_NOT_IN_LEDGER: (
        "{currency_iso} {refunded} was refunded; of the payments in {ledger} {applied} is applied, {excess} too much."
    ),
    _O.DISPUTE_NOT_IN_LEDGER: (
        "{currency_iso} {disputed} is disputed; of the payments in {ledger} {applied} is applied, {excess} too much."
    ),
    _O.FAILURE_NOT_IN_LEDGER: (
        "{currency_iso} {failed} failed late; of the payments in {ledger} {applied} is applied, {excess} too much."
    ),
}


def _numbers(column: Any) -> npt.NDArray[np.int64]:
    return np.asarray(column.to_numpy(), dtype=np.int64)


def _where(flags: Flags, amounts: pa.Array[Any]) -> pa.Array[Any]:
    """Return the amounts where the flags are set, else null."""
    places = np.where(flags, np.arange(len(amounts)), -1)
    return amounts.take(pa.array(places, pa.int64(), mask=places < 0))
