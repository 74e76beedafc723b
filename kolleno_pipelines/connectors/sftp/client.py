"""The drop folder of the seven CSV files: where it lies, and which files beside it were meant for it.

How a folder is listed and read does not belong here (connectors/folders).
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from kolleno_pipelines.connectors.folders.client import open_folder
from kolleno_pipelines.connectors.folders.drop import Drop
from kolleno_pipelines.connectors.folders.location import DropSettings, Resolve
from kolleno_pipelines.connectors.sftp.names import looks_like_ours

DEFAULT_FOLDER = "csv_data_uploads"


def open_drop(connection: DropSettings, resolve: Resolve, *, first_pause: float = 0.5) -> AbstractContextManager[Drop]:
    """The drop folder of a connection; see `open_folder`.

    A local folder may be the drop folder itself: the sub-folder is a custom of servers made for senders.
    """
    return open_folder(
        connection,
        resolve,
        first_pause=first_pause,
        belongs_inside=looks_like_ours,
        may_be_root=connection.folder == DEFAULT_FOLDER,
    )
