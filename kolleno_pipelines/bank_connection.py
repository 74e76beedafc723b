"""The connection to the files of a bank: statements in a folder on its SFTP server, or of this machine."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, field_validator

from kolleno_pipelines.api_connections import ApiConnection
from kolleno_pipelines.connection_values import Duration, Size, duration
from kolleno_pipelines.folder_connection import FolderConnection


def _file_pattern(pattern: str) -> str:
    if not pattern or "/" in pattern or not pattern.isprintable():
        raise ValueError("it is a pattern of file names such as *.xml or ACME_*, without /")
    return pattern


FilePattern: TypeAlias = Annotated[str, AfterValidator(_file_pattern)]


class BankFilesConnection(FolderConnection, ApiConnection):
    """A bank's files (ISO 20022), which serve a ledger: its payouts are looked for in them.

    ledger: that connection; the only ledger where it is left out. files: which names are a bank's, as a shell's pattern
    in which capitals count. payout_window: how many days after its arrival a payout may be booked.
    """

    system: Literal["bank_files"] = "bank_files"
    name: str = "bank_files"
    role: Literal["bank"] = "bank"
    ledger: str = ""
    files: FilePattern = "*"
    max_file_bytes: Size = 200 * 1000**2
    payout_window: Duration = duration("5d")

    @field_validator(
        *("start_date", "also_read", "also_read_a_day", "close_share", "monthly_calls", "monthly_egress", "api_url"),
        mode="before",
    )
    @classmethod
    def _not_of_files(cls, _: object) -> object:
        raise ValueError("leave it out: it is for systems that are asked, and files are only read")

    @field_validator("payout_window")
    @classmethod
    def _whole_days(cls, window: timedelta) -> timedelta:
        if window % timedelta(days=1):
            raise ValueError("it is in whole days, as in 5d")
        return window

    @property
    def is_counted(self) -> bool:
        """Nobody is asked: files are read."""
        return False
