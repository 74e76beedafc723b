"""Cuts a bank's file into payloads: its accounts, its statements, each entry as the bank wrote it. Pure, no folder.

What an entry or a statement means is entries.py's and statements.py's; here it is asked for ids alone, so that what a
second file says once more is known again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from xml.parsers import expat

from kolleno_pipelines.connectors.bank_files import entries, statements
from kolleno_pipelines.connectors.bank_files.elements import (
    XmlError,
    as_utf8,
    first_text,
    local,
    new_parser,
    told,
    tree,
)
from kolleno_pipelines.connectors.bank_files.entries import EntryError
from kolleno_pipelines.connectors.bank_files.faults import Found, found
from kolleno_pipelines.connectors.bank_files.statements import StatementError

#: The element of a document that holds an account's entries -> what it is.
KINDS = {"Stmt": "statement", "Rpt": "report", "Ntfctn": "notification"}
_DOCUMENT, _ENTRY, _HEAD = "Document", "Ntry", "GrpHdr"
_DEPTH = 3  # Document / message / statement


class _Piece:
    """Where an element lies in the document, and in which line it begins."""

    def __init__(self, name: str, start: int, line: int) -> None:
        self.name, self.start, self.end, self.line = name, start, start, line


class _Cutter:
    """Finds the head of a document, its statements, and the entries of each; a document may lie in an envelope."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._path: list[str] = []
        self._around = 0  # how many elements are around the document
        self.head: _Piece | None = None
        self.statements: list[tuple[_Piece, list[_Piece]]] = []
        self._parser = new_parser()
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._finish
        try:
            self._parser.Parse(data, True)
        except expat.ExpatError as error:
            raise XmlError(told(error)) from None

    def _begin(self, name: str, _: dict[str, str]) -> None:
        self._path.append(local(name))
        if self._path[-1] == _DOCUMENT and _DOCUMENT not in self._path[:-1]:
            self._around = len(self._path) - 1
        depth, piece = len(self._path) - self._around, self._here()
        if depth == _DEPTH and self._path[-1] == _HEAD:
            self.head = piece
        elif depth == _DEPTH and self._path[-1] in KINDS:
            self.statements.append((piece, []))
        elif depth == _DEPTH + 1 and self._path[-1] == _ENTRY and self._path[-2] in KINDS:
            self.statements[-1][1].append(piece)

    def _finish(self, _: str) -> None:
        depth, name = len(self._path) - self._around, self._path.pop()
        if depth == _DEPTH and name == _HEAD and self.head is not None:
            self.head.end = self._after()
        elif depth == _DEPTH and name in KINDS:
            self.statements[-1][0].end = self._after()
        elif depth == _DEPTH + 1 and name == _ENTRY and self._path[-1] in KINDS:
            self.statements[-1][1][-1].end = self._after()

    def _here(self) -> _Piece:
        return _Piece(self._path[-1], self._parser.CurrentByteIndex, self._parser.CurrentLineNumber)

    def _after(self) -> int:
        return self._data.index(b">", self._parser.CurrentByteIndex) + 1


def read_document(data: bytes, file: str) -> Iterator[Found]:
    """Yield the accounts, statements and entries of a file, then the file itself with all that is wrong in it.

    Never raises: a file of which nothing can be read says why. What was wrong in a file is known by its name, so that
    the same name with other bytes makes it good.
    """
    faults: list[dict[str, Any]] = []
    statements_read = entries_read = 0
    created = None
    try:
        body = as_utf8(data)
        cut = _Cutter(body)
        if not cut.statements:
            raise XmlError("it holds no statement, report or notification of an account (camt.052, 053 or 054)")
        head = None if cut.head is None else tree(body[cut.head.start : cut.head.end])
        created = first_text(head, "CreDtTm")
        for piece, parts in cut.statements:
            one = _Statement(body, file, created, faults, statements.message_page(head))
            yield from one.cut(piece, parts)
            statements_read, entries_read = statements_read + 1, entries_read + len(parts)
    except XmlError as fault:
        faults.append({"fault": str(fault)})
    counts = {"statements": statements_read, "entries": entries_read, "sha256": hashlib.sha256(data).hexdigest()}
    yield found("files", file, file=file, created=created, faults=faults, **counts)


class _Statement:
    """One statement of a file: what it says of itself, its entries, and what they come to."""

    def __init__(
        self, body: bytes, file: str, created: str | None, faults: list[dict[str, Any]], page: str | None
    ) -> None:
        self._body, self._file, self._created, self._faults = body, file, created, faults
        self._page = page
        self._number = self._id = self._ref = ""
        self._currency: str | None = None
        self._times: Counter[str] = Counter()
        self._booked = Decimal(0)

    def cut(self, piece: _Piece, parts: list[_Piece]) -> Iterator[Found]:
        """Yield the entries, the account and the statement; nothing where it cannot be told whose they are."""
        around = self._body[piece.start : piece.end]
        if parts:
            around = self._body[piece.start : parts[0].start] + self._body[parts[-1].end : piece.end]
        try:
            head = tree(around)
            self._number, self._currency = statements.account_number(head), statements.currency(head)
            ref, kind, (_, last) = statements.reference(head, self._page), KINDS[piece.name], statements.days(head)
        except (StatementError, XmlError) as fault:
            self._faults.append({"line": piece.line, "fault": str(fault), "xml": around.decode()})
            return
        self._ref, self._created = ref, self._created or first_text(head, "CreDtTm")
        # Some banks give every statement the same id.
        self._id = f"{self._number}|{kind}|{ref}|{last or (self._created or '')[:10]}"
        for part in parts:
            yield from self._entry(part)
        told: dict[str, Any] = {"file": self._file, "created": self._created, "xml": around.decode()}
        yield found("accounts", self._account, **told)
        told |= {"account": self._account, "kind": kind, "ref": ref, "file_line": piece.line}
        yield found("statements", self._id, entries=len(parts), booked=f"{self._booked:f}", **told)

    @property
    def _later_page(self) -> str:
        """The page of a statement after its first; nothing for the first, which most statements are."""
        _, paged, page = self._ref.rpartition(" page ")
        return page if paged and page != "1" else ""

    @property
    def _account(self) -> str:
        """The account: its number and its currency, as one number may have several."""
        return f"{self._number}:{self._currency}" if self._currency else self._number

    def _entry(self, part: _Piece) -> Iterator[Found]:
        xml = self._body[part.start : part.end]
        try:
            read = tree(xml)
            lines, name = entries.lines_of(read), entries.identity(read, self._later_page)
        except (EntryError, XmlError) as fault:
            self._faults.append({"line": part.line, "fault": str(fault), "xml": xml.decode()})
            return
        self._currency = self._currency or lines[0].currency_iso
        self._times[name] += 1
        again = f"#{self._times[name]}" if self._times[name] > 1 else ""
        self._booked += sum((one.amount for one in lines if one.status == "booked"), Decimal(0))
        told = {"file": self._file, "created": self._created, "account": self._account, "statement": self._id}
        yield found("entries", f"{self._account}|{name}{again}", file_line=part.line, xml=xml.decode(), **told)
