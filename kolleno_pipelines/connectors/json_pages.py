"""The objects of a page exactly as the vendor wrote them: bytes of the elements of an array inside a JSON answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_WHITESPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str)


class PageError(ValueError):
    """The answer is not what its documentation says; the text says where."""


def elements(body: bytes, *path: str) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Yield each object of the array at `path` as its own bytes and as parsed (numbers stay text).

    A step of the path is a key, or `*` for every key of an object or every element of an array. What is absent yields
    nothing. Line ends between the parts of an object, which JSON allows, become spaces, so that it fits one line.
    Raises PageError.
    """
    text = body.decode("utf-8-sig")
    try:
        begin = _skip(text, 0)
        if text[begin] not in "{[":
            raise json.JSONDecodeError("an object or array was expected", text, begin)
        for start, end, value in _walk(text, begin, path):
            if isinstance(value, dict):
                yield text[start:end].replace("\r", " ").replace("\n", " ").encode(), value
    except (json.JSONDecodeError, IndexError) as error:
        raise PageError(f"the answer is not JSON as documented: {error}") from None


def _walk(text: str, at: int, path: tuple[str, ...]) -> Iterator[tuple[int, int, Any]]:
    """Yield (start, end, value) of the elements of the array at the path below the value that begins at `at`."""
    if not path:
        if text[at] != "[":
            return
        for start in _items(text, at):
            value, end = _DECODER.raw_decode(text, start)
            yield start, end, value
        return
    step, rest = path[0], path[1:]
    if text[at] == "{":
        for key, start in _members(text, at):
            if step in {"*", key}:
                yield from _walk(text, start, rest)
    elif text[at] == "[" and step == "*":
        for start in _items(text, at):
            yield from _walk(text, start, rest)


def _members(text: str, at: int) -> Iterator[tuple[str, int]]:
    """Yield (key, where its value begins) of the object that begins at `at`."""
    at = _skip(text, at + 1)
    while text[at] != "}":
        if text[at] != '"':
            raise json.JSONDecodeError("a key was expected", text, at)
        key, at = _DECODER.raw_decode(text, at)
        at = _skip(text, _expect(text, _skip(text, at), ":"))
        yield key, at
        at = _next(text, _DECODER.raw_decode(text, at)[1], "}")


def _items(text: str, at: int) -> Iterator[int]:
    """Yield where each element of the array begins that begins at `at`."""
    at = _skip(text, at + 1)
    while text[at] != "]":
        yield at
        at = _next(text, _DECODER.raw_decode(text, at)[1], "]")


def _next(text: str, at: int, end: str) -> int:
    at = _skip(text, at)
    return at if text[at] == end else _skip(text, _expect(text, at, ","))


def _expect(text: str, at: int, sign: str) -> int:
    if text[at] != sign:
        raise json.JSONDecodeError(f"{sign!r} was expected", text, at)
    return at + 1


def _skip(text: str, at: int) -> int:
    match = _WHITESPACE.match(text, at)
    return match.end() if match else at
