"""Which parked rows are not the newest word about their record any more. Parking them, and folding, are not here.

A row that a newer one overtook asks for nobody; it still folds in its own place in time, should its parent come.
"""

from collections.abc import Sequence

from kolleno_pipelines.schemas.sftp_tables import CsvTable
from kolleno_pipelines.storage.fold_apply import Execute


def overtake_older(execute: Execute, table: CsvTable, file_id: int, *, skip_ids: bool) -> None:
    """Mark parked rows about whose record a file speaks that is newer than all before (fast path).

    `skip_ids`: not those of `late_ids`, which the full fold has judged with all their rows, newer ones too.
    """
    late = " AND NOT EXISTS (SELECT FROM late_ids l WHERE l.source_id = p.source_id)" if skip_ids else ""
    execute(
        f"UPDATE sftp_csv.parked_rows p SET is_overtaken = true FROM sftp_csv.{table.name} s"
        " WHERE s.file_id = %(file_id)s AND p.source_id = s.source_id AND p.table_name = %(table)s"
        f" AND p.connection = %(connection)s AND p.file_id <> s.file_id AND NOT p.is_overtaken{late}"
        # Checked once: without a parked row the file is not read.
        " AND EXISTS (SELECT FROM sftp_csv.parked_rows o WHERE o.connection = %(connection)s"
        " AND o.table_name = %(table)s AND o.file_id <> %(file_id)s)",
        table=table.name.value,
        file_id=file_id,
    )


def overtake_among(execute: Execute, table: CsvTable, few: Sequence[str] | None) -> None:
    """Mark the parked rows of `late_ids` that are not the newest of their record; `few` binds the ids as an array."""
    wanted = "n.source_id = ANY(%(few)s::text[])" if few else "n.source_id IN (SELECT source_id FROM late_ids)"
    execute(
        f"""
WITH newest AS (
    SELECT DISTINCT ON (n.source_id) n.source_id, n.file_id
    FROM sftp_csv.{table.name} n JOIN raw.files g ON g.id = n.file_id
    WHERE {wanted} AND g.connection = %(connection)s AND g.is_loaded
    ORDER BY n.source_id, g.name_time DESC, g.fix DESC, g.receipt DESC
)
UPDATE sftp_csv.parked_rows p SET is_overtaken = true FROM newest n
WHERE p.connection = %(connection)s AND p.table_name = %(table)s AND p.source_id = n.source_id
  AND p.file_id <> n.file_id""",
        table=table.name.value,
        few=list(few) if few else None,
    )
