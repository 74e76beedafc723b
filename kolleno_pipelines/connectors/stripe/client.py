"""Reading one Stripe account: lists by rising moment of creation, single objects, what payouts hold, the balance.

What the objects mean does not belong here. The vendor's rules (README.md): nothing tells when an object changed, so
that what changed comes by events and by id; a payout's list is whole once `reconciliation_status` is `completed`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from kolleno_pipelines.connectors.answers import Answer, no_json, shown
from kolleno_pipelines.connectors.contract import Extract, Pass, Record, Window
from kolleno_pipelines.connectors.errors import ConnectorError, NeedsHuman, Permanent, Retryable
from kolleno_pipelines.connectors.http import HttpClient
from kolleno_pipelines.connectors.json_pages import elements
from kolleno_pipelines.connectors.stripe.account import VERSION
from kolleno_pipelines.connectors.stripe.lists import Listing, falling, newest, rising
from kolleno_pipelines.connectors.stripe.sdk import Api
from kolleno_pipelines.connectors.stripe.secrets import without_secrets

_ROWS = Listing("/v1/balance_transactions", {"expand": ["data.source"]})
_LISTINGS: dict[str, Listing] = {
    "events": Listing("/v1/events", {}),
    "balance_transactions": _ROWS,
    "customers": Listing("/v1/customers", {}),
    "payment_intents": Listing("/v1/payment_intents", {}),
    "charges": Listing("/v1/charges", {}),
    "refunds": Listing("/v1/refunds", {}),
    "disputes": Listing("/v1/disputes", {}),
    "payouts": Listing("/v1/payouts", {}),
}
_LOOKS = 5


class NotThere(Permanent):
    """Stripe knows no object with this id."""


def classify(answer: Answer) -> ConnectorError | None:
    """Say what is wrong with an answer by the vendor's own words; None leaves it to the status."""
    where, connection = answer.told(), answer.connection
    if answer.status == 200:
        return no_json(answer) or _other_version(answer)
    error = _error(answer)
    said = _said(answer, error)
    if answer.status == 401:
        return NeedsHuman(
            f"{where}: {said}. The key is wrong, or was rolled: write a valid one in the variable that api_key names.",
            connection,
        )
    if answer.status == 403:
        what_to_do = (
            "Write an account that the key reaches as account_id in connections.yaml, or let the account connect again."
            if error.get("code") == "account_invalid"
            else "The key may not read this: give the restricted key read access to it in the dashboard."
        )
        return NeedsHuman(f"{where}: {said}. {what_to_do}", connection)
    if answer.status == 404 or error.get("code") == "resource_missing":
        return NotThere(f"{where}: {said}", connection)
    if answer.status in {409, 429}:  # 409: another request held the object
        return Retryable(f"{where}: {said}", connection)
    return Permanent(f"{where}: {said}", connection) if 400 <= answer.status < 500 else None


def _other_version(answer: Answer) -> NeedsHuman | None:
    """Say that an answer is not of the version that was asked for, whose objects alone are read."""
    version = answer.headers.get("Stripe-Version", VERSION)
    if version == VERSION:
        return None
    return NeedsHuman(
        f"{answer.told()} in version {shown(version, answer.hidden, 40)} of the API, and {VERSION} was asked for:"
        " something between here and Stripe takes the header Stripe-Version away.",
        answer.connection,
    )


def _error(answer: Answer) -> dict[str, Any]:
    said = answer.json() if answer.is_json else None
    error = said.get("error") if isinstance(said, dict) else None
    return error if isinstance(error, dict) else {}


def _said(answer: Answer, error: dict[str, Any]) -> str:
    parts = [str(error[name]) for name in ("message", "code", "param") if error.get(name)]
    return shown(": ".join(parts), answer.hidden, 300) if parts else answer.excerpt() or "nothing more"


class StripeSource:
    """One account, as a source of records: the key's own, or a connected one that it reaches."""

    def __init__(
        self, http: HttpClient, account_id: str | None = None, is_live: Callable[[], bool | None] = lambda: None
    ) -> None:
        self._api = Api(http, account_id, is_live)

    def records(self, extract: Extract, window: Window) -> Iterator[Record]:
        """Yield what the account has in a window, by rising moment of creation; see RecordSource."""
        if extract.name == "payout_members":
            found = self._members(window)
        elif extract.name == "balance_snapshots":
            found = self._snapshot(window.until)
        elif window.pass_ is Pass.LOOKUP:
            found = self._by_id(_LISTINGS[extract.name], window)
        else:
            found = rising(self._api, _LISTINGS[extract.name], window.after, window.until)
        yield from (replace(record, payload=without_secrets(record.payload)) for record in found)

    def _by_id(self, listing: Listing, window: Window) -> Iterator[Record]:
        """Read single objects; one that Stripe does not know is left out."""
        expand = {"expand": ["source"]} if listing is _ROWS else {}
        for source_id in window.ids:
            try:
                answer = self._api.get(f"{listing.path}/{quote(source_id, safe='')}", **expand)
            except NotThere:
                continue
            yield Record(_object(answer), source_id, None)

    def _members(self, window: Window) -> Iterator[Record]:
        """Yield what is in the payouts that are named: each row of the balance, with the payout's id before it."""
        for payout in window.ids:
            times: Counter[str] = Counter()
            for row in falling(self._api, Listing(_ROWS.path, {"payout": payout})):
                times[row.source_id] += 1
                # A row that the list holds twice is two members: it must show.
                again = f"#{times[row.source_id]}" if times[row.source_id] > 1 else ""
                member = f"{payout}|{row.source_id}{again}"
                head = json.dumps({"id": member, "payout": payout})[:-1].encode()
                yield Record(head + b', "item": ' + row.payload + b"}", member, None)

    def _snapshot(self, asked_at: datetime) -> Iterator[Record]:
        """Yield the balance, taken while no row was added to it: the newest row is the same before and after."""
        after = self._newest()
        for _ in range(_LOOKS):
            answer = self._api.get("/v1/balance")
            before, after = after, self._newest()
            if before == after:
                yield _snapshot(answer, after, asked_at)
                return
        raise Retryable(
            "The balance changed while it was read, five times over; the next reading tries it again.",
            self._api.connection,
        )

    def _newest(self) -> str | None:
        row = newest(self._api, _ROWS.path)
        return None if row is None else row.source_id


def _snapshot(answer: Answer, newest_row: str | None, asked_at: datetime) -> Record:
    """The vendor's balance below the moment at which it was asked for and the row up to which it counts."""
    second = int(asked_at.timestamp())
    source_id = f"balance-{second}"
    head = json.dumps({"id": source_id, "created": second, "newest_balance_transaction": newest_row})
    return Record(head[:-1].encode() + b', "balance": ' + _object(answer) + b"}", source_id, None)


def _object(answer: Answer) -> bytes:
    """The one object of an answer. Raises Retryable for an answer that is none, as one that was cut."""
    try:
        (payload,) = (payload for payload, _ in elements(b"[" + answer.body + b"]"))
    except ValueError:
        raise Retryable(f"{answer.told()} without the object that was asked for.", answer.connection) from None
    return payload
