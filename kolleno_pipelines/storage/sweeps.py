"""How far a stopped sweep came (`raw.sweeps`): the next one goes on there. What a sweep is: pipeline/sweep.py."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg


@dataclass
class SweepProgress:
    """began: when the sweep began, not its present reading. reached: up to which modified time it has read.

    seen: ids of what is there; gone: ids that were asked for in vain.
    """

    began: datetime
    is_of_everything: bool
    reached: datetime | None = None
    seen: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)


def stopped_sweep(
    conn: psycopg.Connection[Any], connection: str, extract: str, *, everything: bool
) -> SweepProgress | None:
    """Return the sweep of an extract that was stopped, if it was of the same objects."""
    row = conn.execute(
        "SELECT began_at, reached FROM raw.sweeps WHERE connection = %s AND extract = %s AND is_of_everything = %s",
        [connection, extract, everything],
    ).fetchone()
    if row is None:
        return None
    progress = SweepProgress(row[0], everything, row[1])
    for source_id, is_there in conn.execute(
        "SELECT source_id, is_there FROM raw.swept_objects WHERE connection = %s AND extract = %s",
        [connection, extract],
    ):
        (progress.seen if is_there else progress.gone).add(source_id)
    return progress


def keep_sweep(conn: psycopg.Connection[Any], connection: str, extract: str, progress: SweepProgress) -> None:
    """Keep how far a sweep came, in place of what was kept of one before."""
    forget_sweep(conn, connection, extract)
    conn.execute(
        "INSERT INTO raw.sweeps VALUES (%s, %s, %s, %s, %s)",
        [connection, extract, progress.began, progress.reached, progress.is_of_everything],
    )
    with conn.cursor() as cursor, cursor.copy("COPY raw.swept_objects FROM STDIN") as copy:
        for source_id in progress.seen:
            copy.write_row((connection, extract, source_id, True))
        for source_id in progress.gone - progress.seen:
            copy.write_row((connection, extract, source_id, False))


def forget_sweep(conn: psycopg.Connection[Any], connection: str, extract: str) -> None:
    """Forget a sweep that has ended."""
    conn.execute("DELETE FROM raw.sweeps WHERE connection = %s AND extract = %s", [connection, extract])
