"""Quiet changes of what an account's API answers, one or two at a time, and what must be named. No server."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import pairwise

from kolleno_pipelines.sandbox.stripe.book import Json, Kind
from kolleno_pipelines.sandbox.stripe.identities import object_id
from kolleno_pipelines.sandbox.stripe.ledger import Ledger
from kolleno_pipelines.sandbox.stripe.payouts import members_of
from kolleno_pipelines.sandbox.stripe.reading import Tamper

_CENT = 1


def alter_row(ledger: Ledger, now: datetime, place: int = 0) -> Tamper:
    """State a charge's row one cent too high, gross and net: the payout and the charge say otherwise."""
    row = _charge_row(ledger, now, place)
    altered = {row["id"]: {"amount": row["amount"] + _CENT, "net": row["net"] + _CENT}}
    return Tamper("alter_row", f"{row['id']} has one cent too many", row["id"], altered)


def change_fee(ledger: Ledger, now: datetime, place: int = 0) -> Tamper:
    """State the fee of a charge's row one cent too high: amount - fee is not its net."""
    row = _charge_row(ledger, now, place)
    details = [{**row["fee_details"][0], "amount": row["fee_details"][0]["amount"] + _CENT}, *row["fee_details"][1:]]
    altered = {row["id"]: {"fee": row["fee"] + _CENT, "fee_details": details}}
    return Tamper("change_fee", f"the fee of {row['id']} is one cent too high", row["id"], altered)


def drop_row(ledger: Ledger, now: datetime, place: int = 0) -> Tamper:
    """Never answer a row: its payout has too little, and its charge none."""
    row = _charge_row(ledger, now, place)
    return Tamper("drop_row", f"{row['id']} is never answered", row["id"], dropped=frozenset({row["id"]}))


def double_row(ledger: Ledger, now: datetime, place: int = 0) -> Tamper:
    """Answer a row a second time under another id: its payout has too much, its charge two."""
    row = _charge_row(ledger, now, place)
    twin = {**row, "id": object_id("txn", f"twin of {row['id']}")}
    return Tamper("double_row", f"{row['id']} comes again as {twin['id']}", twin["id"], doubled={row["id"]: twin})


def move_row(ledger: Ledger, now: datetime, place: int = 0) -> Tamper:
    """Say that a row belongs to the payout after its own: one has too little, the other too much."""
    moves = [
        (row["id"], first["id"], second["id"])
        for first, second in pairwise(_completed(ledger, now))
        for row in _charges_of(ledger, first, now)
        if first["currency"] == second["currency"]
    ]
    if len(moves) <= place:
        raise _unsuitable("two itemised payouts of one currency, the first with a charge")
    row, first, second = moves[place]
    return Tamper("move_row", f"{row} of {first} is said to be in {second}", row, moved={row: second})


def alter_payout(ledger: Ledger, now: datetime, place: int = 0) -> Tamper:
    """State a payout one cent too high, though its rows and the bank say otherwise."""
    completed = _completed(ledger, now)
    if not completed:
        raise _unsuitable("an itemised payout")
    payout = completed[min(place, len(completed) - 1)]
    altered = {payout["id"]: {"amount": payout["amount"] + _CENT}}
    return Tamper("alter_payout", f"{payout['id']} has one cent too many", payout["id"], altered)


def alter_charge(ledger: Ledger, now: datetime, place: int = 0) -> Tamper:
    """State a charge one cent too high, though its row and the ledger's payment say otherwise."""
    rows = [each for each in _charge_rows(ledger, now) if each["exchange_rate"] is None]
    if len(rows) <= place:
        raise _unsuitable("a charge in the balance's own currency")
    charge_id = rows[place]["source"]
    charge = ledger.book.get(charge_id, now) or {}
    altered = {charge_id: {"amount": charge["amount"] + _CENT}}
    return Tamper("alter_charge", f"{charge_id} has one cent too many", charge_id, altered)


def strip_metadata(ledger: Ledger, now: datetime, place: int = 0) -> Tamper:
    """Answer a charge and its intent without metadata: nothing says which payment of the ledger it is."""
    found = [ledger.book.get(row["source"], now) or {} for row in _charge_rows(ledger, now)]
    named = [charge for charge in found if charge["metadata"]]
    if len(named) <= place:
        raise _unsuitable("a charge with metadata in an itemised payout")
    charge = named[place]
    altered: dict[str, Json] = {each: {"metadata": {}} for each in (charge["id"], charge["payment_intent"])}
    return Tamper("strip_metadata", f"{charge['id']} has lost its metadata", charge["id"], altered)


_MAKERS: tuple[Callable[[Ledger, datetime, int], Tamper], ...] = (
    *(alter_row, change_fee, drop_row, double_row, move_row, alter_payout, alter_charge, strip_metadata),
)


def tampers(ledger: Ledger, now: datetime, place: int = 0) -> tuple[Tamper, ...]:
    """Return one tamper of each kind; ValueError when the account has nothing that suits one.

    place: which of the charges that suit, or of the payouts; of fewer payouts the last.
    """
    return tuple(make(ledger, now, place) for make in _MAKERS)


def together(first: Tamper, second: Tamper) -> Tamper:
    """Return two tampers as one, for accounts in which both happen; `item` is the first's."""
    altered = {
        each: {**first.altered.get(each, {}), **second.altered.get(each, {})}
        for each in (*first.altered, *second.altered)
    }
    return Tamper(
        f"{first.name}_{second.name}",
        f"{first.story}; {second.story}",
        first.item,
        altered,
        first.dropped | second.dropped,
        {**first.doubled, **second.doubled},
        {**first.moved, **second.moved},
    )


def _completed(ledger: Ledger, now: datetime) -> list[Json]:
    """The itemised payouts, oldest first, those of one currency after the other."""
    found = [each for each in ledger.book.records(Kind.PAYOUTS, now)[::-1] if _is_itemised(each)]
    return sorted(found, key=lambda each: str(each["currency"]))


def _is_itemised(payout: Json) -> bool:
    return bool(payout["automatic"] and payout["reconciliation_status"] == "completed")


def _charges_of(ledger: Ledger, payout: Json, now: datetime) -> list[Json]:
    rows = members_of(ledger, payout["id"], now)
    return [each for each in rows if each["reporting_category"] == "charge"]


def _charge_rows(ledger: Ledger, now: datetime) -> list[Json]:
    rows = [row for payout in _completed(ledger, now) for row in _charges_of(ledger, payout, now)]
    if not rows:
        raise _unsuitable("a charge in an itemised payout")
    return rows


def _charge_row(ledger: Ledger, now: datetime, place: int) -> Json:
    rows = _charge_rows(ledger, now)
    if len(rows) <= place:
        raise _unsuitable("charge more in an itemised payout")
    return rows[place]


def _unsuitable(what: str) -> ValueError:
    return ValueError(f"This account has no {what}: let more happen in it.")
