"""Posting and collection status, and the tables that map a word of a source to them (model 3). Settlement is derived.

No default depends on data.
"""

from enum import StrEnum
from string import ascii_lowercase, ascii_uppercase
from typing import NamedTuple


class PostingStatus(StrEnum):
    """Decides whether a document counts: only `posted` does."""

    DRAFT = "draft"
    PENDING_APPROVAL = "pending_approval"
    POSTED = "posted"
    VOIDED = "voided"
    DELETED = "deleted"


class CollectionStatus(StrEnum):
    """An overlay of the collection process; a balance of 0 masks it, never clears it."""

    DISPUTED = "disputed"
    INSTALMENTS = "instalments"
    BAD_DEBT = "bad_debt"
    PAYMENT_PENDING = "payment_pending"
    PAYMENT_SCHEDULED = "payment_scheduled"
    NONE = "none"


class Statuses(NamedTuple):
    """What one word of a source means; `closed` words promise a balance of 0."""

    posting: PostingStatus = PostingStatus.POSTED
    collection: CollectionStatus = CollectionStatus.NONE
    closed: bool = False


_POSTED, _CLOSED = Statuses(), Statuses(closed=True)

# Words of the status column of the CSV files, lower case, blanks and hyphens as underscores (7903720, 14469289).
SFTP_STATUSES: dict[str, Statuses] = {
    "open": _POSTED,
    "unpaid": _POSTED,
    "overdue": _POSTED,
    "partially_paid": _POSTED,
    "unapplied": _POSTED,
    "partially_applied": _POSTED,
    "paid": _CLOSED,
    "closed": _CLOSED,
    "applied": _CLOSED,
    "refunded": _CLOSED,
    "draft": Statuses(PostingStatus.DRAFT),
    "pending_approval": Statuses(PostingStatus.PENDING_APPROVAL),
    "void": Statuses(PostingStatus.VOIDED),
    "voided": Statuses(PostingStatus.VOIDED),
    "cancelled": Statuses(PostingStatus.VOIDED),
    "canceled": Statuses(PostingStatus.VOIDED),
    "deleted": Statuses(PostingStatus.DELETED),
    "dispute": Statuses(collection=CollectionStatus.DISPUTED),
    "disputed": Statuses(collection=CollectionStatus.DISPUTED),
    "instalments": Statuses(collection=CollectionStatus.INSTALMENTS),
    "installments": Statuses(collection=CollectionStatus.INSTALMENTS),
    "bad_debt": Statuses(collection=CollectionStatus.BAD_DEBT),
    "payment_pending": Statuses(collection=CollectionStatus.PAYMENT_PENDING),
    "paid_pending_confirmation": Statuses(collection=CollectionStatus.PAYMENT_PENDING),
    "payment_scheduled": Statuses(collection=CollectionStatus.PAYMENT_SCHEDULED),
}


_SPELLING = str.maketrans(ascii_uppercase + " -", ascii_lowercase + "__")


def normalise_status(word: str) -> str:
    """Return the word as the status tables spell it: ASCII letters lower, each blank and hyphen an underscore.

    Blanks around it do not count; other white space is not a blank. The fold computes exactly this in SQL.
    """
    return word.strip(" ").translate(_SPELLING)
