"""What the values of our entities may be, as data: one rule a column, with the words in which a fault is told.

Here is what docs/model.md fixes of a single value. What no column can hold (NUL, too many digits) is
connectors/row_faults.py's; what depends on other records is a finding of the state, and no rule. Nothing is validated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from kolleno_pipelines.schemas.currencies import currency_codes
from kolleno_pipelines.schemas.ledger_parts import MONEY_KINDS, REFUND, DocumentKind
from kolleno_pipelines.schemas.statuses import CollectionStatus, PostingStatus

#: Money received: applied, or on account as Xero keeps it in documents of their own.
PAYMENT_KINDS = tuple(kind.value for kind in MONEY_KINDS)
#: Where an allocation comes from. The fold takes these one by one: what is not named here would never be folded.
FROM_KINDS = ("payment", "credit_note", "journal", "overpayment", "prepayment", "deposit", "invoice_deposit")
#: What an allocation settles.
TO_KINDS = ("invoice", "journal", REFUND, "finance_charge")
#: Whose set an allocation belongs to.
OWNER_KINDS = (*(kind.value for kind in DocumentKind), REFUND)
#: Fax is no type of ours.
PHONE_TYPES = ("phone", "mobile")
#: What a bank sends: of whole days with balances, of parts of a day, or of movements alone.
STATEMENT_KINDS = ("statement", "report", "notification")
#: Whose charges are read.
PROVIDERS = ("stripe",)


@dataclass(frozen=True)
class ValueRule:
    """A fault is told as "<column> '<value>' of <entity> <wrong>, expected <expected>"; null breaks none."""

    wrong: str
    expected: str


@dataclass(frozen=True)
class OneOf(ValueRule):
    """A word of a closed list, which is read on first use."""

    words: Callable[[], Iterable[str]]


@dataclass(frozen=True)
class AtLeast(ValueRule):
    """A number that is not below a bound."""

    bound: int


@dataclass(frozen=True)
class MoreThan(ValueRule):
    """A number above a bound."""

    bound: int


@dataclass(frozen=True)
class Passes(ValueRule):
    """A text for which a function is true; texts that match `plain` (a pattern of RE2) surely pass."""

    test: Callable[[str], bool]
    plain: str


# A NUL as JSON writes it: not a backslash that is written as two, with the letters behind it.
_NUL = re.compile(r"(?:^|[^\\])(?:\\\\)*\\u0000")


def is_storable_object(text: str) -> bool:
    """Whether a text is a JSON object that a jsonb column takes: no NaN, no NUL, no half of a surrogate pair."""
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and _NUL.search(text) is None


def is_storable_list(text: str) -> bool:
    """Whether a text is a JSON list that a jsonb column takes."""
    return text.startswith("[") and is_storable_object(f'{{"list": {text}}}')


def _one_of(wrong: str, words: type[StrEnum] | tuple[str, ...]) -> OneOf:
    known = tuple(str(word) for word in words)
    return OneOf(wrong, " or ".join(filter(None, (", ".join(known[:-1]), known[-1]))), lambda: known)


_POSTING = _one_of("is no posting status", PostingStatus)
_COLLECTION = _one_of("is no collection status", CollectionStatus)
# The rule and the words are those of the CSV files: a guess about money is worse than a question.
_CURRENCY = OneOf("is not a currency code", "an ISO 4217 code in capitals such as USD", currency_codes)
_AMOUNT = AtLeast("is negative", "an amount of 0 or more, in the document's own sense", 0)
_RATE = MoreThan("is no rate", "home units for one unit of the document's currency, more than 0", 0)
# JSON of one level without anything that is escaped, as most of it is: told apart for a whole column at once.
_STRING = r'"[^"\\\x00-\x1f]*"'
_PLAIN = rf"(?:{_STRING}|-?(?:0|[1-9][0-9]{{0,17}})(?:\.[0-9]{{1,17}})?|true|false|null)"
_OBJECT = Passes(
    "cannot be stored",
    "a JSON object without NUL characters",
    is_storable_object,
    rf"^\{{(?:{_STRING}: {_PLAIN}(?:, {_STRING}: {_PLAIN})*)?\}}$",
)
_LIST = Passes(
    "cannot be stored",
    "a JSON list without NUL characters",
    is_storable_list,
    rf"^\[(?:{_PLAIN}(?:, {_PLAIN})*)?\]$",
)
_ORDINAL = AtLeast("is no place in a list", "1 or more", 1)

Rules = Mapping[str, ValueRule]

_POSTED: Rules = {"posting_status": _POSTING, "currency_iso": _CURRENCY}
_DOCUMENT: Rules = {
    **_POSTED,
    "collection_status": _COLLECTION,
    "amount": _AMOUNT,
    "exchange_rate": _RATE,
    "extra": _OBJECT,
}

#: What was charged, given back or disputed is positive; payouts and rows of a balance are signed.
_CHARGED: Rules = {"currency_iso": _CURRENCY, "amount": _AMOUNT, "metadata": _OBJECT}

#: Entity -> column -> what a value there must be. A journal line is signed; a balance below 0 is an overpaid document.
VALUE_RULES: dict[str, Rules] = {
    "ledger_units": {"home_currency_iso": _CURRENCY},
    "accounts": {"currency_iso": _CURRENCY},
    "customers": {"currency_iso": _CURRENCY, "balance_currency_iso": _CURRENCY, "extra": _OBJECT},
    "contacts": {"extra": _OBJECT},
    "phones": {"type": _one_of("is no type of telephone", PHONE_TYPES)},
    "invoices": _DOCUMENT,
    "credit_notes": _DOCUMENT,
    "payments": {**_DOCUMENT, "kind": _one_of("is no kind of payment", PAYMENT_KINDS)},
    "journals": {**_POSTED, "exchange_rate": _RATE},
    "refunds_erp": {**_POSTED, "amount": _AMOUNT},
    "allocations": {
        "owner_kind": _one_of("owns no allocations", OWNER_KINDS),
        "from_kind": _one_of("is nothing that pays", FROM_KINDS),
        "to_kind": _one_of("is nothing that can be settled", TO_KINDS),
        "ordinal": _ORDINAL,
    },
    "psp_customers": {"metadata": _OBJECT},
    "payment_intents": _CHARGED,
    "charges": {
        **_CHARGED,
        "surcharge_amount": _AMOUNT,
        "provider": _one_of("is no payment provider", PROVIDERS),
        "invoices_source_ids": _LIST,
        "invoices_refs": _LIST,
    },
    "refunds": _CHARGED,
    "disputes": {**_CHARGED, "balance_transactions": _LIST},
    "payouts": {"currency_iso": _CURRENCY, "metadata": _OBJECT},
    "payout_members": {"currency_iso": _CURRENCY},
    "balance_transactions": {
        "currency_iso": _CURRENCY,
        "charge_currency_iso": _CURRENCY,
        "exchange_rate": MoreThan("is no rate", "units of the balance for one unit charged, more than 0", 0),
    },
    "fee_details": {"currency_iso": _CURRENCY, "ordinal": _ORDINAL},
    "balance_snapshots": {"currency_iso": _CURRENCY},
    "bank_accounts": {"currency_iso": _CURRENCY},
    "bank_statements": {
        "currency_iso": _CURRENCY,
        "kind": _one_of("is no kind of statement", STATEMENT_KINDS),
        "entries": AtLeast("is no number of entries", "0 or more", 0),
    },
    "bank_lines": {
        "currency_iso": _CURRENCY,
        "currency_instructed_iso": _CURRENCY,
        "words": _LIST,
        "file_line": AtLeast("is no line of a file", "1 or more", 1),
    },
}
