"""What our looks at a drop folder remember of one name. No listing, no decision."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Sighting:
    """Size in bytes and time of change as listed; `changed_at` is the look that first saw both as they are."""

    name: str
    size: int
    modified_at: datetime
    changed_at: datetime
    seen_at: datetime
