"""The vendor's `where` and `order` parameters: the forms in use, parsed and applied to objects. No HTTP, no paging.

Type=="ACCREC" AND (Status=="AUTHORISED" OR Status=="PAID")    AmountDue>0 && Date>=DateTime(2026,1,31)
Contact.ContactID==guid("...")    Name.StartsWith("A")    EmailAddress!=null    IsCustomer==true
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from kolleno_pipelines.sandbox.xero.fields import FIELDS, FieldType, comparable, value_at
from kolleno_pipelines.sandbox.xero.objects import Kind, Record

Test = Callable[[Mapping[str, Any]], bool]


class QueryError(Exception):
    """A `where` or `order` that the vendor cannot read; the text is its message."""


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<date>DateTime\s*\((?P<parts>[\d\s,]*)\))
    | (?P<guid>[Gg]uid\s*\(\s*"(?P<id>[^"]*)"\s*\))
    | (?P<method>\.(?P<name>Contains|StartsWith|EndsWith)\s*\(\s*"(?P<piece>[^"]*)"\s*\))
    | (?P<text>"(?P<inner>[^"]*)")
    | (?P<number>-?\d+(?:\.\d+)?)
    | (?P<sign>==|!=|>=|<=|&&|\|\||[<>()=])
    | (?P<word>[A-Za-z]\w*(?:\.(?!Contains|StartsWith|EndsWith)[A-Za-z]\w*)*)
    )""",
    re.VERBOSE,
)
_JOINS = {"&&": "and", "AND": "and", "||": "or", "OR": "or"}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


@dataclass(frozen=True)
class _Token:
    kind: str
    value: Any
    extra: str = ""


@dataclass(frozen=True)
class Where:
    """A parsed condition; `indexed` tests only what an index of dates, types and statuses can narrow down."""

    test: Test
    indexed: Test


def parse_where(kind: Kind, text: str) -> Where:
    """Read a `where` of a kind. Raises QueryError with the vendor's sentence."""
    parser = _Parser(kind, _tokens(text))
    conjuncts = parser.conjuncts()
    parser.expect_end()

    def test(record: Mapping[str, Any]) -> bool:
        return all(each.test(record) for each in conjuncts)

    narrow = [each.test for each in conjuncts if each.fields <= {"Date", "Type", "Status"}]
    return Where(test, lambda record: all(each(record) for each in narrow))


def parse_order(kind: Kind, text: str) -> list[tuple[str, bool]]:
    """Read an `order`: fields, each with whether it descends. Raises QueryError."""
    wanted = []
    for part in text.split(","):
        field, _, direction = part.strip().partition(" ")
        if field not in FIELDS[kind]:
            raise QueryError(_unknown(kind, field))
        if direction.strip().upper() not in {"", "ASC", "DESC"}:
            raise QueryError("Syntax error")
        wanted.append((field, direction.strip().upper() == "DESC"))
    return wanted


def in_order(records: list[Record], order: list[tuple[str, bool]]) -> list[Record]:
    """Return records in an order; what lacks a field comes first, equal ones stay as they were."""
    for field, descends in reversed(order):
        records = sorted(records, key=lambda record: _order_key(value_at(record, field)), reverse=descends)
    return records


def _order_key(value: Any) -> tuple[bool, Any]:
    return (value is not None, comparable(value) if value is not None else 0)


def _unknown(kind: Kind, field: str) -> str:
    return f"No property or field '{field}' exists in type '{kind.value.removesuffix('s')}'"


def _tokens(text: str) -> list[_Token]:
    found, place = [], 0
    while place < len(text.rstrip()):
        match = _TOKEN.match(text, place)
        if match is None:
            raise QueryError(f"Syntax error (at index {place})")
        found.append(_token(match))
        place = match.end()
    return found


def _token(match: re.Match[str]) -> _Token:
    if match["date"]:
        try:
            parts = [int(each) for each in match["parts"].split(",")]
            return _Token("date", datetime(*parts, tzinfo=UTC))  # type: ignore[arg-type, misc]
        except (TypeError, ValueError):
            raise QueryError("No applicable constructor exists in type 'DateTime'") from None
    if match["guid"]:
        try:
            return _Token("guid", str(UUID(match["id"])))
        except ValueError:
            raise QueryError("Unrecognized Guid format.") from None
    if match["method"]:
        return _Token("method", match["piece"], match["name"])
    if match["text"]:
        return _Token("text", match["inner"])
    if match["number"]:
        return _Token("amount", Decimal(match["number"]))
    return _Token("sign", match["sign"]) if match["sign"] else _Token("word", match["word"])


@dataclass(frozen=True)
class _Condition:
    test: Test
    fields: frozenset[str]


class _Parser:
    def __init__(self, kind: Kind, tokens: list[_Token]) -> None:
        self.kind, self.tokens, self.place = kind, tokens, 0

    def conjuncts(self) -> list[_Condition]:
        """What the top level joins with AND; one condition where it is joined with OR."""
        parts = [[self._term()]]
        while (join := self._join()) is not None:
            if join == "or":
                parts.append([])
            parts[-1].append(self._term())
        if len(parts) == 1:
            return parts[0]
        fields = frozenset().union(*(each.fields for part in parts for each in part))
        return [_Condition(lambda record: any(all(each.test(record) for each in part) for part in parts), fields)]

    def expect_end(self) -> None:
        if self.place != len(self.tokens):
            raise QueryError("Syntax error")

    def _next(self) -> _Token:
        if self.place == len(self.tokens):
            raise QueryError("Expression expected")
        self.place += 1
        return self.tokens[self.place - 1]

    def _join(self) -> str | None:
        if self.place < len(self.tokens):
            join = _JOINS.get(str(self.tokens[self.place].value).upper())
            if join and self.tokens[self.place].kind in {"sign", "word"}:
                self.place += 1
                return join
        return None

    def _term(self) -> _Condition:
        token = self._next()
        if token == _Token("sign", "("):
            inner = self.conjuncts()
            if self._next() != _Token("sign", ")"):
                raise QueryError("')' or operator expected")
            fields = frozenset().union(*(each.fields for each in inner))
            return _Condition(lambda record: all(each.test(record) for each in inner), fields)
        if token.kind != "word":
            raise QueryError("Expression expected")
        return self._comparison(token.value)

    def _comparison(self, field: str) -> _Condition:
        known = FIELDS[self.kind].get(field)
        if known is None:
            raise QueryError(_unknown(self.kind, field))
        sign = self._next()
        if sign.kind == "method":
            if known != "text":
                raise QueryError(f"No applicable method '{sign.extra}' exists in type '{known}'")
            return _Condition(_text_test(field, sign), frozenset({field}))
        if sign.kind != "sign" or sign.value not in _COMPARE:
            raise QueryError("Operator expected")
        value = self._value(known, sign.value)
        compare = _COMPARE[sign.value]
        return _Condition(lambda record: _holds(compare, value_at(record, field), value), frozenset({field}))

    def _value(self, known: FieldType, sign: str) -> Any:
        token = self._next()
        word = token.value.lower() if token.kind == "word" else ""
        if word == "null" and sign in {"==", "=", "!="}:
            return None
        if known == "flag" and word in {"true", "false"}:
            return word == "true"
        if token.kind != known or (known in {"text", "guid"} and sign not in {"==", "=", "!="}):
            raise QueryError(f"Operator '{sign}' incompatible with operand types '{known}' and '{token.kind}'")
        return token.value


def _text_test(field: str, method: _Token) -> Test:
    def test(record: Mapping[str, Any]) -> bool:
        value = value_at(record, field)
        if not isinstance(value, str):
            return False
        if method.extra == "Contains":
            return method.value in value
        return value.startswith(method.value) if method.extra == "StartsWith" else value.endswith(method.value)

    return test


def _holds(compare: Callable[[Any, Any], bool], actual: Any, value: Any) -> bool:
    if actual is None or value is None:
        return compare in {operator.eq, operator.ne} and compare(actual, value)
    return compare(comparable(actual), value)
