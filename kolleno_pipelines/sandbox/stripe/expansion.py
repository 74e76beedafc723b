"""`expand`: ids in answers that become the objects they name, at most four levels deep. No lists of parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kolleno_pipelines.sandbox.stripe.book import Json
from kolleno_pipelines.sandbox.stripe.refusals import refusal

DEEPEST = 4
_TRANSACTION = ("balance_transaction",)
#: By what an object calls itself: its fields that can be expanded, and what may come.
_FIELDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "charge": {
        "balance_transaction": _TRANSACTION,
        "failure_balance_transaction": _TRANSACTION,
        "customer": ("customer",),
        "payment_intent": ("payment_intent",),
        "refunds": ("list of refund",),
    },
    "payment_intent": {"customer": ("customer",), "latest_charge": ("charge",)},
    "refund": {
        "balance_transaction": _TRANSACTION,
        "failure_balance_transaction": _TRANSACTION,
        "charge": ("charge",),
        "payment_intent": ("payment_intent",),
    },
    "dispute": {"charge": ("charge",), "payment_intent": ("payment_intent",)},
    "payout": {
        "balance_transaction": _TRANSACTION,
        "failure_balance_transaction": _TRANSACTION,
        "original_payout": ("payout",),
        "reversed_by": ("payout",),
    },
    "balance_transaction": {"source": ("charge", "refund", "dispute", "payout", "topup", "transfer")},
    "topup": {"balance_transaction": _TRANSACTION},
    "transfer": {"balance_transaction": _TRANSACTION},
    "customer": {},
    "event": {},
    "account": {},
    "balance": {},
}

Find = Callable[[str], Json | None]
Refunds = Callable[[str], Json]


def check(paths: Iterable[str], word: str, *, listed: bool) -> list[list[str]]:
    """Return the paths in parts. Raises ApiRefusalError for one that is too deep or leads nowhere."""
    return [_checked(path, word, listed=listed) for path in paths]


def _checked(path: str, word: str, *, listed: bool) -> list[str]:
    parts = path.split(".")
    if len(parts) > DEEPEST:
        raise refusal(f"You cannot expand more than {DEEPEST} levels of a property. Property: {path}")
    words: tuple[str, ...] = (f"list of {word}",) if listed else (word,)
    for part in parts:
        following = tuple(each for before in words for each in _next(before, part))
        if not following:
            hint = f" You may want to try expanding 'data.{path}' instead." if listed and part == parts[0] else ""
            raise refusal(f"This property cannot be expanded ({part}).{hint}")
        words = following
    return parts


def _next(word: str, part: str) -> tuple[str, ...]:
    if word.startswith("list of "):
        return (word.removeprefix("list of "),) if part == "data" else ()
    return _FIELDS[word].get(part, ())


def expanded(value: Any, parts: list[str], find: Find, refunds: Refunds) -> Any:
    """Return an object, or each of a list, with one path expanded; what has no such field stays as it is."""
    if not parts or value is None:
        return value
    if isinstance(value, list):
        return [expanded(each, parts, find, refunds) for each in value]
    name, rest = parts[0], parts[1:]
    if value["object"] == "list":
        return {**value, "data": expanded(value["data"], rest, find, refunds)} if name == "data" else value
    if name not in _FIELDS[value["object"]]:
        return value
    within = value.get(name)
    if name == "refunds" and within is None:
        within = refunds(value["id"])
    elif isinstance(within, str):
        within = find(within) or within
    if isinstance(within, str):
        return value
    return {**value, name: expanded(within, rest, find, refunds)}
