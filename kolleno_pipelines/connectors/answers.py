"""One answer of a vendor: status, headers, body, and its JSON with exact numbers. It is not asked for here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

from kolleno_pipelines.connectors.errors import Retryable
from kolleno_pipelines.schemas.findings import printable

SHOWN_CHARACTERS = 200
_LOOKED_AT = 1 << 16
HIDDEN = "(hidden)"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_SECRETS = re.compile(
    r"(?P<before>\b(?:bearer|basic)\s+|"
    r"""(?:access_token|refresh_token|id_token|client_secret|assertion|code_verifier|password|api_?key)["']?\s*[=:]\s*["']?)"""
    r"""[^\s"'&,;<>}]+""",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Answer:
    """What came back. `headers` know no case, `elapsed` is seconds, `place` the URL without its query.

    `received` is the size of the body as it came over the line, in bytes: compressed where the vendor compresses.
    `hidden` are the secrets that the request carried: an excerpt never shows them.
    """

    connection: str
    place: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    request_id: str | None = None
    elapsed: float = 0.0
    received: int = 0
    hidden: tuple[str, ...] = field(default=(), repr=False)

    def json(self) -> Any:
        """The body as JSON: fractions are Decimal, whole numbers int, so that no amount is rounded.

        Raises Retryable for a body that is not JSON (a proxy's page, a cut answer), with its first characters.
        """
        fault, value = self._parsed
        if fault is not None:
            raise Retryable(
                f"{self.place} answered {self.status} with {fault}: {self.excerpt() or 'nothing'}{self._traced()}",
                self.connection,
            )
        return value

    @cached_property
    def _parsed(self) -> tuple[str | None, Any]:
        try:
            return None, json.loads(self.body, parse_float=Decimal, parse_constant=_no_number)
        except (ValueError, RecursionError):
            return "a body that is not JSON", None

    @property
    def is_json(self) -> bool:
        """Tell whether the body can be read as JSON."""
        return self._parsed[0] is None

    @property
    def seems_json(self) -> bool:
        """Tell whether the body begins and ends as an object or array does, without reading it all."""
        begin, end = self.body[:64].removeprefix(_BYTE_ORDER_MARK).lstrip(), self.body[-64:].rstrip()
        return (begin[:1], end[-1:]) in {(b"{", b"}"), (b"[", b"]")}

    def excerpt(self, characters: int = SHOWN_CHARACTERS) -> str:
        """The body's first characters for a message: on one line, escaped, cut, without anything that looks secret."""
        return shown(self.body[:_LOOKED_AT].decode("utf-8", "backslashreplace"), self.hidden, characters)

    def told(self) -> str:
        """`place answered status` with the vendor's id of the request, for messages."""
        return f"{self.place} answered {self.status}{self._traced()}"

    def _traced(self) -> str:
        return f" (request {shown(self.request_id, self.hidden, 80)})" if self.request_id else ""


def no_json(answer: Answer) -> Retryable | None:
    """Say what is wrong with an answer whose body is not JSON, such as a proxy's page; None where it seems to be."""
    if answer.seems_json:
        return None
    return Retryable(
        f"{answer.told()} with a body that is not JSON: {answer.excerpt() or 'nothing'}", answer.connection
    )


def shown(text: str, hidden: tuple[str, ...] = (), characters: int = SHOWN_CHARACTERS) -> str:
    """Text of a vendor as a message may show it: secrets hidden, blanks joined, control characters escaped, cut."""
    for secret in sorted(filter(None, hidden), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    text = _SECRETS.sub(lambda match: match["before"] + HIDDEN, text)
    text = printable(" ".join(text.split()))
    return text if len(text) <= characters else text[: characters - 1] + "…"


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no JSON")
