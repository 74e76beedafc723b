"""Ids as Stripe writes them, the same for the same name in every process. No objects."""

from __future__ import annotations

import hashlib

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LENGTHS = {"acct": 16, "cus": 14, "req": 14}


def object_id(prefix: str, name: str) -> str:
    """Return an id of a kind (`ch`, `txn`, `acct`) for a name of ours."""
    number = int.from_bytes(hashlib.sha256(f"{prefix}/{name}".encode()).digest(), "big")
    letters = []
    for _ in range(_LENGTHS.get(prefix, 24)):
        number, place = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[place])
    return f"{prefix}_{''.join(letters)}"
