"""Reading, moving and writing in the folders of an SFTP server, in terms of entries instead of requests.

Connecting, retrying and turning refusals into errors for a person (client.py) does not belong here.
"""

from __future__ import annotations

from kolleno_pipelines.connectors.folders import packets as status
from kolleno_pipelines.connectors.folders.conversation import Conversation
from kolleno_pipelines.connectors.folders.drop import BelongsInside, Entry, make_entry, to_moment
from kolleno_pipelines.connectors.folders.location import join
from kolleno_pipelines.connectors.folders.packets import Attributes, Refused

# The root may hold many thousands of invoice PDFs; a look for misplaced files reads no further than this.
_ROOT_NAMES = 20_000


def read_entries(sftp: Conversation, folder: bytes) -> tuple[Entry, ...]:
    """What is in a folder, sorted by exact name."""
    entries = []
    for name, stated in sftp.folder_entries(folder):
        entry = make_entry(name, stated.size, stated.mtime, stated.is_file)
        if stated.mode is None and entry.name_fault is None:
            # A few servers leave the kind out of listings.
            full = lstat_or_none(sftp, join(folder, name)) or stated
            entry = make_entry(name, full.size, full.mtime, full.is_file)
        entries.append(entry)
    return tuple(sorted(entries, key=lambda entry: entry.exact))


def read_misplaced(sftp: Conversation, root: bytes, belongs_inside: BelongsInside) -> tuple[Entry, ...]:
    """Files in the root that belong into the folder; none where the root may not be listed, which is no fault."""
    try:
        return tuple(
            make_entry(name, stated.size, stated.mtime, stated.is_file)
            for name, stated in sorted(sftp.folder_entries(root, _ROOT_NAMES), key=lambda item: item[0])
            if stated.is_file and belongs_inside(name)
        )
    except Refused:
        return ()


def put_file(sftp: Conversation, folder: bytes, name: bytes, data: bytes) -> bytes:
    """Write a file as `.<name>.part`, then give it its name in one step; returns its path."""
    make_folder(sftp, folder)
    path, part = join(folder, name), join(folder, b"." + name + b".part")
    handle = sftp.open_new(part)
    sftp.write(handle, data)
    sftp.close(handle)
    try:
        sftp.replace(part, path)
    except Refused as refusal:
        if refusal.code != status.UNSUPPORTED:
            raise
        # Without posix-rename there is a moment without the file, never one with half of it.
        if lstat_or_none(sftp, path) is not None:
            sftp.remove(path)
        sftp.rename(part, path)
    return path


def make_folder(sftp: Conversation, path: bytes) -> None:
    """Make a folder unless there is something of that name; its parent must exist."""
    if lstat_or_none(sftp, path) is None:
        sftp.make_folder(path)


def lstat_or_none(sftp: Conversation, path: bytes) -> Attributes | None:
    """What a path is, None where there is nothing."""
    try:
        return sftp.lstat(path)
    except Refused as refusal:
        if refusal.code == status.NO_SUCH_FILE:
            return None
        raise


def is_as_listed(attributes: Attributes, entry: Entry) -> bool:
    """Whether size and time are still those of the listing."""
    return attributes.size == entry.size and to_moment(attributes.mtime) == entry.modified_at
