"""The messages of a bank as files of one folder. No payouts, no disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from kolleno_pipelines.sandbox.bank.account import EVENING, BankAccount
from kolleno_pipelines.sandbox.bank.statements import Kind, Statement
from kolleno_pipelines.sandbox.bank.writing import PLAIN, Form, write

PUT_AFTER = timedelta(minutes=5)
_NOON = time(12)


class File(NamedTuple):
    """A file as it lies in the folder; `modified` is when the bank put it there."""

    name: str
    data: bytes
    modified: datetime


@dataclass(frozen=True)
class Message:
    """A file before it is written. Statements of several accounts may be in one."""

    name: str
    created: datetime
    statements: tuple[Statement, ...]
    kind: Kind = Kind.STATEMENT
    form: Form = PLAIN
    put_after: timedelta = PUT_AFTER

    def file(self) -> File:
        """Write it."""
        identity = hashlib.sha256(f"{self.kind}/{self.created}/{_about(self.statements)}".encode()).hexdigest()[:24]
        data = write(self.kind, self.form, identity.upper(), self.created, self.statements)
        return File(self.name, data, self.created + self.put_after)


Messages = tuple[Message, ...]


def _about(statements: Iterable[Statement]) -> str:
    return "/".join(f"{each.account.id}-{each.number}" for each in statements)


def statement_messages(account: BankAccount, until: date, form: Form = PLAIN) -> Messages:
    """Return a file for each banking day until a day, made in its evening: `<account>_20260204.xml`."""
    return tuple(message_of(each, form) for each in account.statements(until))


def message_of(statement: Statement, form: Form = PLAIN, kind: Kind = Kind.STATEMENT) -> Message:
    """Return a day's statement, or a notification or a report of the same day, which come at noon."""
    is_statement = kind is Kind.STATEMENT
    name = f"{statement.account.id}_{statement.day:%Y%m%d}{'' if is_statement else f'_{kind.value}'}.xml"
    created = datetime.combine(statement.day, EVENING if is_statement else _NOON, UTC)
    return Message(name, created, (statement,), kind, form)


def folder(messages: Iterable[Message]) -> tuple[File, ...]:
    """Return the files in the order in which the bank put them. Raises ValueError for two of one name."""
    files = sorted((each.file() for each in messages), key=lambda each: (each.modified, each.name))
    names = {each.name for each in files}
    if len(names) != len(files):
        message = "Two files have one name."
        raise ValueError(message)
    return tuple(files)
