"""Do the documents on each receivables account come to what the source says of the account (model 7)?

Adding documents up per account does not belong here (storage/control_totals.py does it in SQL, exactly).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from kolleno_pipelines.rules.breaks import break_id
from kolleno_pipelines.schemas.ledger_parts import AccountTotal, ReceivablesAccount
from kolleno_pipelines.schemas.results import AccountTotalRow, Cause

KIND = "account_total"
NOT_STATED = "the source states no balance of this account"
NO_CURRENCY = "neither the account nor the company has a currency"
OTHER_CURRENCY = "the account is kept in another currency"
UNKNOWN_ACCOUNT = "the account is not among the receivables accounts"
NO_ACCOUNT = "the documents name no account, and their currency has not exactly one"
_ZERO = Decimal(0)


def account_totals(
    accounts: Sequence[ReceivablesAccount],
    totals: Iterable[AccountTotal],
    home_currency_iso: str | None,
    tolerance: Mapping[str, Decimal],
) -> list[AccountTotalRow]:
    """Return one row per account and currency; where the two cannot be compared, the reason.

    A document that names no account is on the only receivables account of its currency, if there is one; where
    there are several it may be on any of them, and none of them is compared. What an account in a foreign currency
    states does not say whether it is in that currency or in home currency (each document at its own rate): it
    agrees when it is either.
    """
    by_account: dict[tuple[str, str], AccountTotal] = {}
    only = {currency: found[0] for currency, found in _by_currency(accounts).items() if len(found) == 1}
    for total in totals:
        account = total.account_source_id or only.get(total.currency_iso, "")
        key = (account, total.currency_iso)
        by_account[key] = _plus(by_account.get(key), total)
    unplaced = {currency for (account, currency), total in by_account.items() if not account and total.net}
    rows = [
        _not_compared(one, by_account.pop((one.source_id, one.currency_iso or ""), None), NO_ACCOUNT)
        if one.currency_iso in unplaced and one.stated is not None
        else _compared(one, by_account.pop((one.source_id, one.currency_iso or ""), None), home_currency_iso, tolerance)
        for one in accounts
    ]
    known = {one.source_id: one for one in accounts}
    connection = accounts[0].connection if accounts else ""
    rows += [
        _apart(connection, known.get(account), total, account)
        for (account, _), total in sorted(by_account.items())
        if total.net
    ]
    return rows


def _by_currency(accounts: Iterable[ReceivablesAccount]) -> dict[str | None, list[str]]:
    found: dict[str | None, list[str]] = {}
    for one in accounts:
        found.setdefault(one.currency_iso, []).append(one.source_id)
    return found


def _plus(known: AccountTotal | None, total: AccountTotal) -> AccountTotal:
    if known is None:
        return total
    return AccountTotal(
        known.account_source_id,
        total.currency_iso,
        known.net + total.net,
        known.net_home + total.net_home,
        max(known.changed_at, total.changed_at),
    )


def _compared(
    account: ReceivablesAccount, total: AccountTotal | None, home: str | None, tolerance: Mapping[str, Decimal]
) -> AccountTotalRow:
    currency, computed, stated = account.currency_iso, total.net if total else _ZERO, account.stated
    if currency is None or stated is None:
        return _not_compared(account, total, NO_CURRENCY if currency is None else NOT_STATED)
    if (
        total is not None
        and currency != home
        and home is not None
        and abs(computed - stated) > tolerance.get(currency, _ZERO)
        and abs(total.net_home - stated) <= tolerance.get(home, _ZERO)
    ):
        currency, computed = home, total.net_home
    moved = total is not None and total.changed_at > account.last_read
    since = max(account.observed_at, total.changed_at) if total else account.observed_at
    differs = abs(computed - stated) > tolerance.get(currency, _ZERO)
    cause = Cause.MOVED_DURING_READ.value if moved and differs else None
    row = _row(account, currency, computed, stated, computed - stated, cause=cause, since=since)
    return replace(row, is_break=differs)


def _not_compared(account: ReceivablesAccount, total: AccountTotal | None, reason: str) -> AccountTotalRow:
    computed = total.net if total else _ZERO
    return _row(
        account, account.currency_iso or "", computed, account.stated, None, reason=reason, since=account.observed_at
    )


def _apart(connection: str, account: ReceivablesAccount | None, total: AccountTotal, source_id: str) -> AccountTotalRow:
    reason = NO_ACCOUNT if not source_id else OTHER_CURRENCY if account else UNKNOWN_ACCOUNT
    stand_in = account or ReceivablesAccount(connection, source_id, "", None, None, total.changed_at, total.changed_at)
    return _row(stand_in, total.currency_iso, total.net, None, None, reason=reason, since=total.changed_at)


def _row(
    account: ReceivablesAccount,
    currency: str,
    computed: Decimal,
    stated: Decimal | None,
    difference: Decimal | None,
    *,
    since: datetime,
    reason: str | None = None,
    cause: str | None = None,
) -> AccountTotalRow:
    return AccountTotalRow(
        break_id=break_id(KIND, account.connection, ("account", account.source_id), ("currency", currency)),
        connection=account.connection,
        account_source_id=account.source_id,
        name=account.name,
        currency_iso=currency,
        computed=computed,
        stated=stated,
        difference=difference,
        reason=reason,
        cause=cause,
        since=since,
    )
