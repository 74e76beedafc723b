"""Parameters of requests: nested names of queries and forms, and what type each must have. No objects."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from kolleno_pipelines.sandbox.stripe.book import Json, moment_of
from kolleno_pipelines.sandbox.stripe.refusals import refusal, unknown_parameter

Read = Callable[[str, Any], Any]
_COMPARISONS = ("gt", "gte", "lt", "lte")
_WHOLE = re.compile(r"-?[0-9]{1,15}")
#: The last second of the year 9999.
_LAST_STAMP = 253_402_300_799


def nested(pairs: Iterable[tuple[str, str]]) -> Json:
    """Read `a[b]=x`, `a[]=x` and `a[0]=x` into dictionaries and lists. Raises ApiRefusalError for a contradiction."""
    found: Json = {}
    for name, value in pairs:
        path = name.replace("]", "").split("[")
        place: Any = found
        for step, following in zip(path, [*path[1:], None], strict=True):
            if isinstance(place, list):
                place.append(value)
                break
            if following is None:
                place[step] = value
                break
            place = place.setdefault(step, [] if following == "" else {})
            if not isinstance(place, (dict, list)):
                raise refusal("Invalid hash", param=path[0])
    return {name: _listed(value) for name, value in found.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(each.isdigit() for each in value):
        return [_listed(value[each]) for each in sorted(value, key=int)]
    return {name: _listed(each) for name, each in value.items()}


def read(given: Mapping[str, Any], known: Mapping[str, Read], required: Iterable[str] = ()) -> Json:
    """Return the parameters in their types. Raises ApiRefusalError for unknown, wrong and missing ones."""
    for name in given:
        if name not in known:
            raise unknown_parameter(name)
    for name in required:
        if name not in given:
            raise refusal(f"Missing required param: {name}.", code="parameter_missing", param=name)
    return {name: known[name](name, value) for name, value in given.items()}


def text(name: str, value: Any) -> str:
    """Read a text that is not empty."""
    if not isinstance(value, str):
        raise refusal("Invalid string", param=name)
    if not value:
        raise refusal(f"You passed an empty string for '{name}'.", code="parameter_invalid_empty", param=name)
    return value


def whole(name: str, value: Any) -> int:
    """Read a whole number."""
    if not isinstance(value, str) or not _WHOLE.fullmatch(value):
        raise refusal(f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
    return int(value)


def limit(name: str, value: Any) -> int:
    """Read the length of a page."""
    number = whole(name, value)
    if not 1 <= number <= 100:
        bound = "less than or equal to 100" if number > 100 else "greater than or equal to 1"
        raise refusal(f"This value must be {bound}.", code="parameter_invalid_integer", param=name)
    return number


def flag(name: str, value: Any) -> bool:
    """Read a yes or no."""
    if value not in {"true", "false"}:
        raise refusal(f"Invalid boolean: {value}", param=name)
    return bool(value == "true")


def one_of(*words: str) -> Read:
    """Return a reader of one of some words."""

    def reader(name: str, value: Any) -> str:
        if value not in words:
            raise refusal(f"Invalid {name}: must be one of {', '.join(words)}", param=name)
        return str(value)

    return reader


def texts(name: str, value: Any) -> list[str]:
    """Read a list of texts."""
    if not isinstance(value, list):
        raise refusal("Invalid array", param=name)
    return [text(name, each) for each in value]


def moments(name: str, value: Any) -> Mapping[str, datetime]:
    """Read a moment, or bounds of moments by `gt`, `gte`, `lt`, `lte`; a plain one is `eq`."""
    if not isinstance(value, dict):
        return {"eq": _moment(name, value)}
    for each in value:
        if each not in _COMPARISONS:
            raise unknown_parameter(f"{name}[{each}]")
    return {each: _moment(f"{name}[{each}]", bound) for each, bound in value.items()}


def _moment(name: str, value: Any) -> datetime:
    seconds = whole(name, value)
    if not 0 <= seconds <= _LAST_STAMP:
        raise refusal(f"Invalid timestamp: {value}", code="parameter_invalid_integer", param=name)
    return moment_of(seconds)


def metadata(name: str, value: Any) -> Mapping[str, str]:
    """Read metadata: at most 50 keys of 40 characters, values of 500; an empty text stands for none at all."""
    if value == "":
        return {}
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise refusal("Invalid hash", param=name)
    if len(value) > 50:
        raise refusal("Metadata can have at most 50 keys.", param=name)
    for key, each in value.items():
        if len(key) > 40:
            raise refusal("Metadata keys can have at most 40 characters.", param=f"{name}[{key}]")
        if len(each) > 500:
            raise refusal("Metadata values can have at most 500 characters.", param=f"{name}[{key}]")
    return value
