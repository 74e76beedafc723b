"""What was found in a bank's file, as payloads, and what is said of a file that cannot be read. No file is opened."""

from __future__ import annotations

import json
from typing import Any, NamedTuple


class Found(NamedTuple):
    """A payload: the extract that it is one of, its id, and a JSON object in one line."""

    extract: str
    source_id: str
    payload: bytes


def found(extract: str, source_id: str, **told: Any) -> Found:
    """Return a payload of what is told."""
    return Found(extract, source_id, json.dumps({"id": source_id, **told}, ensure_ascii=False).encode())


def unreadable(file: str, fault: str) -> Found:
    """Return what stands for a file of which nothing can be read: the normaliser sets it aside with the reason."""
    return found("files", file, file=file, faults=[{"fault": fault}])
