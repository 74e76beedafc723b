"""What hangs on a document: its history with the notes that people write, and its attachments. No amounts."""

from __future__ import annotations

from datetime import datetime

from kolleno_pipelines.sandbox.xero.book import Book
from kolleno_pipelines.sandbox.xero.objects import Kind, Record, object_id

#: Whose history takes notes; of the others the vendor says that it finds no such document.
NOTED = frozenset({Kind.INVOICES, Kind.CREDIT_NOTES, Kind.CONTACTS})
LONGEST_NOTE = 2500


class Papers:
    """Notes and attachments by document; the vendor lists them one document at a time, newest history first."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self._notes: dict[tuple[Kind, str], list[Record]] = {}
        self._attachments: dict[tuple[Kind, str], list[Record]] = {}

    def note(self, kind: Kind, identity: str, details: str, at: datetime, user: str = "Sandbox User") -> Record:
        """Write a note; it can neither be changed nor deleted."""
        record = {"Details": details, "Changes": "Note", "User": user, "DateUTC": at}
        self._notes.setdefault((kind, identity), []).append(record)
        return record

    def attach(
        self,
        kind: Kind,
        identity: str,
        file_name: str,
        at: datetime,
        *,
        size: int = 1024,
        mime: str = "application/pdf",
    ) -> Record:
        """Attach a file, whose content is not kept."""
        place = f"{kind}/{identity}/Attachments/{file_name}"
        record = {
            "AttachmentID": object_id("Attachment", place),
            "FileName": file_name,
            "Url": f"https://api.xero.com/api.xro/2.0/{place}",
            "MimeType": mime,
            "ContentLength": size,
            "IncludeOnline": False,
        }
        self._attachments.setdefault((kind, identity), []).append(record)
        owner = self.book.get(kind, identity, at)
        if owner is not None:
            self.book.put(kind, owner | {"HasAttachments": True}, at)
        return record

    def attachments(self, kind: Kind, identity: str) -> list[Record]:
        """Return the attachments of a document."""
        return self._attachments.get((kind, identity), [])

    def history(self, kind: Kind, identity: str, now: datetime) -> list[Record]:
        """Return what happened to a document: notes, and every change of it."""
        found = [each for each in self._notes.get((kind, identity), []) if each["DateUTC"] <= now]
        before: Record | None = None
        for at, version in self.book.versions(kind, identity, now):
            if version is not None:
                status = version.get("Status", "")
                moved = before is not None and status != before.get("Status", "")
                changes = "Created" if before is None else status.capitalize() if moved else "Edited"
                found.append({"Details": "", "Changes": changes, "User": "Sandbox User", "DateUTC": at})
            before = version
        return sorted(found, key=lambda each: each["DateUTC"], reverse=True)
