"""Exceptions of payouts with the sentence that says why. Which there are is not decided here (payouts.py)."""

from __future__ import annotations

from datetime import UTC, datetime, time
from decimal import Decimal

from kolleno_pipelines.rules.breaks import Side, break_id
from kolleno_pipelines.schemas.currencies import amount_text
from kolleno_pipelines.schemas.payout_bank import BankLeg
from kolleno_pipelines.schemas.payout_words import EFFECTS, ExceptionCode
from kolleno_pipelines.schemas.payouts import Explanation, PayoutException, PayoutFacts, SuspectItem

KIND = "payout"
_ZERO = Decimal(0)
_C = ExceptionCode


def of_item(connection: str, ledger: str, item: SuspectItem, code: ExceptionCode) -> PayoutException:
    """Return what is wrong with an item of a payout."""
    return PayoutException(
        break_id=_break_id(connection, item.payout_source_id, code, item.source_id, item.occurrence),
        connection=connection,
        payout_source_id=item.payout_source_id,
        code=code.value,
        leg=EFFECTS[code].leg.value,
        outcome=EFFECTS[code].outcome.value,
        balance_transaction_source_id=item.source_id,
        occurrence=item.occurrence,
        charge_source_id=item.charge_source_id,
        currency_iso=_currency(item, code),
        amount=item_amount(item, code),
        evidence=item_evidence(item, code, ledger),
        since=item.since,
        is_break=True,
    )


def of_payout(connection: str, payout: PayoutFacts, code: ExceptionCode, named: Explanation | None) -> PayoutException:
    """Return what is wrong with a payout itself; `named` is the row that explains its gap, or a part of it."""
    item, amount, charge = "", payout.amount - payout.items_net - payout.set_off, None
    if named is not None:
        item, amount, charge = named.source_id, named.amount, named.charge_source_id
    elif code is _C.OWN_ROW:
        item, amount = payout.own_row_source_id or "", payout.amount + (payout.own_row_net or _ZERO)
    elif code is _C.NOT_IN_BALANCE:
        item, amount = payout.own_row_source_id or "", -payout.amount
    elif code is _C.BEFORE_CUTOVER:
        amount, charge = _ZERO, payout.first_before_cutover
    return PayoutException(
        break_id=_break_id(connection, payout.source_id, code, item, 0),
        connection=connection,
        payout_source_id=payout.source_id,
        code=code.value,
        leg=EFFECTS[code].leg.value,
        outcome=EFFECTS[code].outcome.value,
        balance_transaction_source_id=item,
        occurrence=0,
        charge_source_id=charge,
        currency_iso=payout.currency_iso,
        amount=amount,
        evidence=_sentence(payout, code, named),
        since=payout.observed_at,
        is_break=code is not _C.BEFORE_CUTOVER,
    )


def of_bank(connection: str, payout: PayoutFacts, code: ExceptionCode, leg: BankLeg) -> PayoutException:
    """Return what is wrong with a payout at the bank."""
    return PayoutException(
        break_id=break_id(KIND, connection, (KIND, payout.source_id), (f"bank_line {code.value}", "")),
        connection=connection,
        payout_source_id=payout.source_id,
        code=code.value,
        leg=EFFECTS[code].leg.value,
        outcome=EFFECTS[code].outcome.value,
        balance_transaction_source_id="",
        occurrence=0,
        charge_source_id=None,
        currency_iso=payout.currency_iso,
        amount=leg.missing,
        evidence=leg.evidence,
        since=max(payout.observed_at, datetime.combine(leg.since, time(), UTC)) if leg.since else payout.observed_at,
        is_break=True,
        bank_line_source_id=None if leg.line is None else leg.line.source_id,
    )


def _break_id(connection: str, payout: str, code: ExceptionCode, item: str, occurrence: int) -> str:
    row: Side = (f"balance_transaction {code.value}", f"{item}#{occurrence}" if occurrence > 1 else item)
    return break_id(KIND, connection, (KIND, payout), row)


def item_evidence(item: SuspectItem, code: ExceptionCode, ledger: str = "") -> str:
    """Return why, in a sentence; `ledger` is needed where the code is about the ledger."""
    return _ITEM_SENTENCES[code].format(ledger=ledger, **_shown(item))


def item_amount(item: SuspectItem, code: ExceptionCode) -> Decimal:
    """Return what is to be added to the row, or to its payout, for it to be right; else what the item comes to.

    So it is above 0 where something is missing, below 0 where it is too much. In the currency of _currency.
    """
    if code in {_C.DOUBLED, _C.IN_TWO_PAYOUTS}:
        return -item.net
    if code is _C.ALTERED and item.balance_net is not None:
        return (item.balance_net - item.net) or (item.balance_amount or _ZERO) - item.amount
    if code in {_C.NET_DIFFERS, _C.FEE_DIFFERS}:
        return item.amount - item.fee - item.net
    if code is _C.SOURCE_DIFFERS and item.source_amount is not None:
        return item.source_amount - item.amount
    if code is _C.FEE_DETAILS:
        return item.fee - (item.details_fee or _ZERO)
    if code is _C.PAYMENTS_SUM and item.charge_expected is not None and item.charge_paid is not None:
        return item.charge_expected - item.charge_paid
    return item.net


def _currency(item: SuspectItem, code: ExceptionCode) -> str:
    """Payments are compared with their charge in its currency, all else with the item in the payout's."""
    if code is _C.PAYMENTS_SUM and item.charge_currency_iso is not None:
        return item.charge_currency_iso
    return item.currency_iso


def _shown(item: SuspectItem) -> dict[str, str]:
    """Return the facts of an item as they are told; amounts with the decimals of their currency, nothing as a dash."""
    facts = {name: value for name, value in vars(item).items() if name not in {"flags", "since"}}
    facts["difference"] = item.net if item.balance_net is None else item.balance_net - item.net
    facts["counted"] = item.amount - item.fee
    facts["details"] = item.details_fee or _ZERO
    facts["implied"] = item.amount - item.net
    return {
        name: amount_text(value, item.charge_currency_iso if name in _OF_THE_CHARGE else item.currency_iso)
        if isinstance(value, Decimal)
        else str(value or "-")
        for name, value in facts.items()
    }


_OF_THE_CHARGE = {"charge_expected", "charge_paid"}


#: Why an item keeps its payout from being reconciled.
_ITEM_SENTENCES: dict[ExceptionCode, str] = {
    _C.UNKNOWN_CATEGORY: "Nobody knows what a row of type {type} and category {category} is.",
    _C.NOT_IN_BALANCE: "The payout's list has the row, the balance's own list does not.",
    _C.UNKNOWN_CHARGE: "The row is of category {category}, and its charge {charge_source_id} is not known.",
    _C.NO_PAYMENT: "{ledger} has no payment of charge {charge_source_id}.",
    _C.ITEM_CURRENCY: "The row is in {currency_iso}, the payout in {payout_currency_iso}.",
    _C.PAYMENT_CURRENCY: "{ledger} has charge {charge_source_id} in another currency than {charge_currency_iso}.",
    _C.ALTERED: (
        "The payout's list says {amount} less {fee} is {net}, the balance's own list says {balance_amount} less"
        " {balance_fee} is {balance_net}."
    ),
    _C.NET_DIFFERS: "{amount} less {fee} is {counted}, and the row says {net}.",
    _C.FEE_DIFFERS: "{amount} less {net} leaves a fee of {implied}, and the row says {fee}.",
    _C.DOUBLED: "The row is in the payout once more: this is number {occurrence}.",
    _C.IN_TWO_PAYOUTS: "The row is in {other_payouts} as well.",
    _C.SOURCE_DIFFERS: "The row says {amount}, what made it says {source_amount}.",
    _C.PAYMENTS_SUM: (
        "{ledger} must show {charge_currency_iso} {charge_expected} of charge {charge_source_id}, and its payments come"
        " to {charge_paid}."
    ),
    _C.PAYMENT_SHARED: "A payment of charge {charge_source_id} is claimed by another charge as well.",
    _C.FEE_DETAILS: "The fee is {fee}, what it is made of comes to {details} in {currency_iso}.",
}


def _sentence(payout: PayoutFacts, code: ExceptionCode, named: Explanation | None) -> str:
    def shown(amount: Decimal) -> str:
        return amount_text(amount, payout.currency_iso)

    stated = f"The payout is {payout.currency_iso} {shown(payout.amount)}"
    if code is _C.BEFORE_CUTOVER:
        charge = f"charge {payout.first_before_cutover}"
        return f"{payout.items_before_cutover} item(s) are of charges from before the cut-over, {charge} is one."
    if code is _C.OWN_ROW:
        return f"{stated}, its own row of the balance says {shown(-(payout.own_row_net or _ZERO))}."
    if code is _C.NOT_IN_BALANCE:
        return f"{stated}, its own row is not in the balance's list."
    apart = f"{stated}, its items come to {shown(payout.items_net)}"
    if named is None:
        return f"{apart}; no row explains the difference."
    is_all = named.amount == payout.amount - payout.items_net
    most = "" if named.is_exact else "at most "
    rest = "" if is_all else f" That is {most}{shown(named.amount)} of {shown(payout.amount - payout.items_net)}."
    rivals = f" It may be one of these instead: {', '.join(named.rivals)}." if named.rivals else ""
    return f"{apart}: {_explained(named, payout.currency_iso)}.{rest}{rivals}"


def _explained(named: Explanation, currency_iso: str) -> str:
    code, row, net = named.code, f"row {named.source_id}", amount_text(abs(named.amount), currency_iso)
    if code is _C.MOVED and named.is_missing:
        return f"{row} over {net} is missing here and too much in {named.other_source_id}"
    if code is _C.MOVED:
        return f"{row} over {net} is too much here and missing in {named.other_source_id}"
    if code is _C.DOUBLED:
        return f"{row} over {net} is row {named.other_source_id} once more"
    if code is _C.SOURCE_DIFFERS:
        more = "less" if named.amount > 0 else "more"
        return f"{row} says {net} {more} than {named.other_source_id}, which made it"
    if not named.is_known:
        charge = f" of charge {named.charge_source_id}" if named.charge_source_id else ""
        return f"{row}{charge} is neither in it nor in the balance's list"
    return f"{row} over {amount_text(named.amount, currency_iso)} is in no payout"
