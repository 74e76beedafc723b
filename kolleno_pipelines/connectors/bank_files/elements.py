"""XML of a bank's file as plain trees: names without prefixes, no external or declared entities. No banking here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from xml.etree.ElementTree import Element, TreeBuilder  # the tree alone: expat below reads, without DTDs
from xml.parsers import expat

_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_AMOUNT = re.compile(r"\+?0*(?:[0-9]{1,13}(?:\.[0-9]{0,5})?|\.[0-9]{1,5})")
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


class XmlError(ValueError):
    """A document that is no XML, or not one that is read; the text is the end of a sentence."""


def as_utf8(data: bytes) -> bytes:
    """Return a document in UTF-8, whatever its own encoding. Raises XmlError."""
    encoding, body = "", data
    for mark, name in _BOMS:
        if data.startswith(mark):
            encoding, body = name, data[len(mark) :]
            break
    declared = _DECLARED.match(body)
    encoding = encoding or (declared[1].decode() if declared else "utf-8")
    try:
        return body.decode(encoding).encode()
    except LookupError:
        raise XmlError(f"its encoding {encoding[:40]} is not known") from None
    except UnicodeError as error:
        place = getattr(error, "start", 0)
        raise XmlError(f"it is not {encoding}, in which it says it is written (byte {place + 1})") from None


def new_parser() -> expat.XMLParserType:
    """Return a parser of UTF-8 that refuses document types, and with them every entity that one could declare."""
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    return parser


def _refuse(*_: object) -> None:
    raise XmlError("it declares a document type, which no bank's file needs")


def local(name: str) -> str:
    """Return a name without its prefix."""
    return name.rpartition(":")[2]


def tree(fragment: bytes) -> Element:
    """Return an element and all below it, in UTF-8. Raises XmlError."""
    parser, builder = new_parser(), TreeBuilder()
    parser.StartElementHandler = lambda name, attributes: builder.start(local(name), attributes)
    parser.EndElementHandler = lambda name: builder.end(local(name))
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(fragment, True)
    except expat.ExpatError as error:
        raise XmlError(told(error)) from None
    return builder.close()


def told(error: expat.ExpatError) -> str:
    """Return what is wrong and where, as the end of a sentence."""
    return f"it is no well-formed XML: {expat.ErrorString(error.code)} (line {error.lineno})"


def decimal(written: str) -> Decimal | None:
    """Return a number without a sign as XML writes decimals; None for what is none, or has more digits than money."""
    return Decimal(written) if _AMOUNT.fullmatch(written) else None


def text(element: Element | None, path: str) -> str | None:
    """Return the text at a path, None where it is absent or blank."""
    if element is None:
        return None
    found = element.findtext(path)
    return (found.strip() or None) if found else None


def first_text(element: Element | None, *paths: str) -> str | None:
    """Return the first text of several paths that is there."""
    return next((found for path in paths if (found := text(element, path))), None)


def texts(element: Element | None) -> Iterator[str]:
    """Yield every text of an element and below it that is not blank."""
    if element is not None:
        yield from (stripped for part in element.itertext() if (stripped := " ".join(part.split())))
