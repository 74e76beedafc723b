"""What a fold did, in counts of records per entity."""

from dataclasses import dataclass, field


@dataclass
class Changes:
    """What a fold did to one entity, in records; `fields` counts changed fields (audit entries)."""

    new: int = 0
    changed: int = 0
    gone: int = 0
    fields: int = 0

    def add(self, other: "Changes") -> None:
        """Add another count to this one."""
        self.new += other.new
        self.changed += other.changed
        self.gone += other.gone
        self.fields += other.fields


@dataclass
class FoldReport:
    """What one fold changed, by entity, and how many rows wait for a parent afterwards."""

    entities: dict[str, Changes] = field(default_factory=dict)
    files: int = 0
    parked: int = 0

    def add(self, later: "FoldReport") -> None:
        """Add what a later fold did."""
        for entity, changes in later.entities.items():
            self.entities.setdefault(entity, Changes()).add(changes)
        self.files += later.files
        self.parked = later.parked

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        return not any(c.new or c.changed or c.gone for c in self.entities.values())
