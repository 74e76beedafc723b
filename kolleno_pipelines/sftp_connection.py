"""The connection to files dropped on an SFTP server, or in a folder of this machine. Nothing is opened here."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from kolleno_pipelines.connection_models import DocumentConnection
from kolleno_pipelines.connection_values import Duration, duration
from kolleno_pipelines.folder_connection import FolderConnection, ServerFolder


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone such as UTC or Europe/London") from None
    return name


ZoneName: TypeAlias = Annotated[str, AfterValidator(_known_zone)]


class SftpConnection(DocumentConnection, FolderConnection):
    """Seven CSV files dropped on an SFTP server, or in a folder of this machine (design section 8)."""

    system: Literal["sftp"] = "sftp"
    name: str = "sftp"
    folder: ServerFolder = "csv_data_uploads"
    archive_folder: ServerFolder | None = None
    feedback_folder: ServerFolder | None = None
    batch_window: Duration = duration("15m")
    stall_after: Duration = duration("60m")
    expect_every: Duration | None = None
    timezone: ZoneName = "UTC"
    allocation_key: Literal["auto", "pair", "id"] = "auto"
    balance_stated: bool = False
    retention_days: int | None = Field(default=None, ge=1)
