"""Pages that must end: a page token or position that comes again is found. How a vendor pages does not belong here."""

from __future__ import annotations

from hashlib import blake2b

from kolleno_pipelines.connectors.answers import shown
from kolleno_pipelines.connectors.errors import Permanent


class Pages:
    """Where one reading of pages has been; `what` names it for messages (`invoices`)."""

    def __init__(self, connection: str, what: str, *, most: int = 1_000_000) -> None:
        self._connection = connection
        self._what = what
        self._most = most
        self._seen: set[bytes] = set()

    def go_to(self, position: str | int) -> None:
        """Say which page is asked for next, before it is.

        Raises Permanent when it was asked for before, or after `most` pages: the vendor would lead us round for ever.
        """
        mark = blake2b(f"{type(position).__name__} {position}".encode(), digest_size=16).digest()
        if mark in self._seen:
            raise Permanent(
                f"The pages of {self._what} lead round: page {shown(str(position), (), 60)} came twice after "
                f"{len(self._seen):,} pages; nothing of this reading counts. Try again, then ask the vendor.",
                self._connection,
            )
        if len(self._seen) >= self._most:
            raise Permanent(f"The pages of {self._what} do not end: {self._most:,} were read.", self._connection)
        self._seen.add(mark)
