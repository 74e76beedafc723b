"""The query language of QuickBooks: reading a text, and answering it from a list of objects. No HTTP, no book."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import InvalidOperation
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from kolleno_pipelines.sandbox.quickbooks.book import KINDS, LIST_KINDS
from kolleno_pipelines.sandbox.quickbooks.properties import comparable, properties, stated
from kolleno_pipelines.sandbox.quickbooks.refusals import QuickBooksRefusal
from kolleno_pipelines.sandbox.quickbooks.wire import Json

PAGE, LARGEST_PAGE = 100, 1000
_TOKENS = re.compile(r"\s*(?:('(?:\\.|[^'\\])*')|([A-Za-z_][\w.]*)|(-?\d+(?:\.\d+)?)|(<=|>=|=|<|>|\(|\)|,|\*))")
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: bool(left == right),
    "<": lambda left, right: bool(left < right),
    ">": lambda left, right: bool(left > right),
    "<=": lambda left, right: bool(left <= right),
    ">=": lambda left, right: bool(left >= right),
}


@dataclass(frozen=True)
class Condition:
    """One comparison; `values` has more than one element for IN."""

    name: str
    operator: str
    values: tuple[str, ...]


@dataclass
class Query:
    """A query as it was read."""

    kind: str
    counts: bool = False
    conditions: list[Condition] = field(default_factory=list)
    order: list[tuple[str, bool]] = field(default_factory=list)  # property, descending
    start: int = 1
    most: int = PAGE


def parse(text: str) -> Query:
    """Return what a query asks. Raises QuickBooksRefusal 4000 for what cannot be read and 4001 for what is invalid."""
    return _Reader(text).query()


def answer(query: Query, objects: Sequence[Json], zone: ZoneInfo) -> Json:
    """Return the QueryResponse over all objects of the query's kind; of lists, inactive ones only when asked for."""
    found = list(objects)
    if query.kind in LIST_KINDS and not any(each.name == "Active" for each in query.conditions):
        found = [each for each in found if each["Active"]]
    for condition in query.conditions:
        test = _test(query.kind, condition, zone)
        found = [each for each in found if test(each)]
    if query.counts:
        return {"totalCount": len(found)}
    for name, descending in reversed(query.order):
        found = _ordered(found, name, properties(query.kind)[name], zone, descending=descending)
    page = found[query.start - 1 : query.start - 1 + query.most]
    return {query.kind: page, "startPosition": query.start, "maxResults": len(page)} if page else {}


def _ordered(objects: list[Json], name: str, kind: str, zone: ZoneInfo, *, descending: bool) -> list[Json]:
    """Sort by one property, stably; objects without it are the smallest."""
    pairs = [(stated(each, name), each) for each in objects]
    without = [each for value, each in pairs if value is None]
    keyed = [(comparable(kind, value, zone), each) for value, each in pairs if value is not None]
    keyed.sort(key=itemgetter(0), reverse=descending)
    having = [each for _, each in keyed]
    return having + without if descending else without + having


class _Reader:
    """Reads a query from left to right."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_split(text))
        self._place = 0

    def query(self) -> Query:
        self._expect("select")
        counts = self._selection()
        self._expect("from")
        kind = self._next()
        if kind not in KINDS:
            raise QuickBooksRefusal(4001, f"QueryValidationError: {kind} is not a valid entity name")
        query = Query(kind, counts)
        if self._takes("where"):
            query.conditions.append(self._condition(kind))
            while self._takes("and"):
                query.conditions.append(self._condition(kind))
        if self._takes("orderby") or (self._takes("order") and self._expect("by")):
            self._orders(query)
        if self._takes("startposition"):
            query.start = self._number(1, None)
        if self._takes("maxresults"):
            query.most = self._number(1, LARGEST_PAGE)
        if self._place < len(self._tokens):
            raise _unreadable(self._next())
        return query

    def _selection(self) -> bool:
        if self._takes("*"):
            return False
        if self._takes("count") and all(self._takes(each) for each in "(*)"):
            return True
        raise _unreadable(self._peek() or "end of query")

    def _condition(self, kind: str) -> Condition:
        name = self._property(kind)
        operator = self._next().lower()
        if operator == "in":
            self._expect("(")
            values = [self._literal()]
            while self._takes(","):
                values.append(self._literal())
            self._expect(")")
        elif operator in _OPERATORS or operator == "like":
            values = [self._literal()]
        else:
            raise _unreadable(operator)
        for value in values:
            _checked(properties(kind)[name], value, name)
        return Condition(name, operator, tuple(values))

    def _orders(self, query: Query) -> None:
        while True:
            name = self._property(query.kind)
            descending = self._takes("desc")
            query.order.append((name, descending))
            if not descending:
                self._takes("asc")
            if not self._takes(","):
                return

    def _property(self, kind: str) -> str:
        told = self._next()
        for name in properties(kind):
            if name.lower() == told.lower():
                return name
        detail = f"QueryValidationError: Property {told} not found for Entity {kind}"
        raise QuickBooksRefusal(4001, detail)

    def _literal(self) -> str:
        token = self._next()
        if token.startswith("'"):
            return re.sub(r"\\(.)", r"\1", token[1:-1])
        if token.lower() in {"true", "false"} or re.fullmatch(r"-?\d+(\.\d+)?", token):
            return token
        raise _unreadable(token)

    def _number(self, least: int, most: int | None) -> int:
        token = self._next()
        if not re.fullmatch(r"-?\d+", token):
            raise _unreadable(token)
        if int(token) < least:
            raise QuickBooksRefusal(
                4001, f"QueryValidationError: value {token} is too small. Min allowed value is {least}"
            )
        if most is not None and int(token) > most:
            raise QuickBooksRefusal(
                4001, f"QueryValidationError: value {token} is too large. Max allowed value is {most}"
            )
        return int(token)

    def _peek(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        if not token:
            raise _unreadable("<EOF>")
        self._place += 1
        return token

    def _takes(self, word: str) -> bool:
        found = self._peek().lower() == word
        self._place += found
        return found

    def _expect(self, word: str) -> bool:
        if not self._takes(word):
            raise _unreadable(self._peek() or "<EOF>")
        return True


def _split(text: str) -> Iterator[str]:
    place, text = 0, text.strip()
    while place < len(text):
        found = _TOKENS.match(text, place)
        if found is None:
            raise _unreadable(text[place : place + 10].strip())
        yield found.group().strip()
        place = found.end()


def _unreadable(token: str) -> QuickBooksRefusal:
    return QuickBooksRefusal(4000, f'QueryParserError: Encountered " {token} "')


def _checked(kind: str, value: str, name: str) -> None:
    """Refuse a value that is not of the property's type."""
    try:
        comparable(kind, value, ZoneInfo("UTC"))
    except (ValueError, InvalidOperation):
        raise QuickBooksRefusal(4001, f"QueryValidationError: Invalid value for {name}") from None


def _test(kind: str, condition: Condition, zone: ZoneInfo) -> Callable[[Json], bool]:
    """The test of one condition; an object without the property meets it only where a blank text is asked for."""
    typed = properties(kind)[condition.name]
    if condition.operator == "like":
        pattern = re.compile(".*".join(map(re.escape, condition.values[0].split("%"))), re.IGNORECASE | re.DOTALL)
        return lambda each: pattern.fullmatch(str(stated(each, condition.name) or "")) is not None
    if typed == "text" and condition.operator == "=" and not condition.values[0].strip():
        return lambda each: stated(each, condition.name) is None
    wanted = [comparable(typed, each, zone) for each in condition.values]

    def test(content: Json) -> bool:
        value = stated(content, condition.name)
        if value is None:
            return False
        mine = comparable(typed, value, zone)
        return mine in wanted if condition.operator == "in" else _OPERATORS[condition.operator](mine, wanted[0])

    return test
