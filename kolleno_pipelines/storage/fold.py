"""The fold: brings `receivables` in line with the rows of `sftp_csv`, in the caller's transaction. No file is read.

Model 2 binds: the result is a function of the set of inputs. Per table, files newer than all folded ones take the fast
path; ids touched by late, replaced or withdrawn inputs, and parked rows whose parent came, are folded from all rows.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from kolleno_pipelines.schemas.sftp_tables import TABLES, CsvTable, TableName
from kolleno_pipelines.storage import fold_apply, fold_derived, fold_notes, fold_sql, fold_waiting, ledger, turns
from kolleno_pipelines.storage.failpoints import reach
from kolleno_pipelines.storage.fold_report import Changes, FoldReport
from kolleno_pipelines.storage.fold_specs import FOLD_SPECS, FoldSpec

_FEW_IDS = 50
_MANY_ROWS = 50_000
_MANY_FILES = 40


class PrunedRowsError(Exception):
    """A full fold needs rows that are past retention; `files` are the ledger ids whose rows must be restored."""

    def __init__(self, files: Sequence[int]) -> None:
        super().__init__(f"the rows of {len(files)} files are needed and must be restored from the archive")
        self.files = list(files)


@dataclass(frozen=True)
class _File:
    id: int
    type: str
    name_time: datetime
    version: int
    is_folded: bool
    first_time: bool
    rows: int
    is_pruned: bool
    fields: Collection[str]


class _Fold:
    """One fold of one connection inside one transaction."""

    def __init__(self, conn: psycopg.Connection[Any], connection: str, run_id: str | None) -> None:
        self.conn = conn
        self.params: dict[str, Any] = {"connection": connection, "run_id": run_id}
        self.gone: dict[str, list[str]] = {}
        self.report = FoldReport({spec.entity: Changes() for spec in FOLD_SPECS})

    def execute(self, statement: str, **params: Any) -> psycopg.Cursor[Any]:
        return self.conn.execute(statement.encode(), {**self.params, **params})

    def count(self, statement: str, **params: Any) -> int:
        row = self.execute(statement, **params).fetchone()
        return int(row[0]) if row else 0

    def fold_table(self, table: CsvTable, files: Sequence[_File]) -> None:
        """Fold one CSV table: late ids first, from all rows kept; then newer files in version order."""
        newest = max((f.version for f in files if not f.first_time), default=-1)
        fast = [f for f in files if f.first_time and f.version > newest]
        if len(fast) > _MANY_FILES:
            fast = []  # one pass over all rows writes each record once
        late = [f for f in files if not f.is_folded and f not in fast]
        specs = [spec for spec in FOLD_SPECS if spec.source is table]
        ids = self._collect_late_ids(table, [f.id for f in late])
        pruned = [f.id for f in files if f.is_pruned]
        if pruned and (ids or any(self.gone.get(reference.table.value) for reference in table.references)):
            raise PrunedRowsError(pruned)
        if ids:
            self._fold_late(table, specs, ids, [f.id for f in late if f.first_time and f.version < newest])
        for file in fast:
            self._fold_newer(table, specs, file, skip_ids=ids > 0)

    def _collect_late_ids(self, table: CsvTable, late_files: Sequence[int]) -> int:
        """Fill `late_ids` with the records of one table that must be folded from all their rows."""
        self.execute("DROP TABLE IF EXISTS late_ids, late_steps")
        parked = " OR ".join(
            f"(p.parent_table = '{parent}' AND EXISTS (SELECT FROM receivables.{parent} t"
            " WHERE t.source_id = p.parent_id AND t.connection = p.connection))"
            for _, parent, *_ in fold_sql.parent_conditions(table)
        )
        orphans = "".join(
            f" UNION SELECT source_id FROM sftp_csv.{table.name} WHERE {reference.field} = ANY(%(gone_{i})s)"
            for i, reference in enumerate(table.references)
            if self.gone.get(reference.table.value)
        )
        files = f" UNION SELECT source_id FROM sftp_csv.{table.name} WHERE file_id = ANY(%(files)s)"
        gone = {f"gone_{i}": self.gone.get(r.table.value, []) for i, r in enumerate(table.references)}
        self.execute(
            "CREATE TEMP TABLE late_ids ON COMMIT DROP AS "
            "SELECT source_id FROM sftp_csv.ids_to_fold WHERE connection = %(connection)s AND table_name = %(table)s"
            f"{files if late_files else ''}"
            " UNION SELECT source_id FROM sftp_csv.parked_rows p WHERE connection = %(connection)s"
            f" AND table_name = %(table)s AND ({parked or 'false'}){orphans}",
            table=table.name.value,
            files=list(late_files),
            **gone,
        )
        self.execute("ANALYZE late_ids")
        return self.count("SELECT count(*) FROM late_ids")

    def _fold_late(self, table: CsvTable, specs: Sequence[FoldSpec], ids: int, first_time: Sequence[int]) -> None:
        few = ids <= _FEW_IDS
        wanted = [row[0] for row in self.execute("SELECT source_id FROM late_ids")] if few else None
        self._plan_for_many(not few)
        self.execute(fold_sql.create_steps(table, few=few), few=wanted)
        self.execute("ANALYZE late_steps")
        self.execute(
            "DELETE FROM sftp_csv.parked_rows p USING late_ids l WHERE p.connection = %(connection)s"
            " AND p.table_name = %(table)s AND p.source_id = l.source_id",
            table=table.name.value,
        )
        own = "s.file_id IN (SELECT id FROM raw.files WHERE connection = %(connection)s AND is_loaded)"
        if self._park(table, f"s.source_id IN (SELECT source_id FROM late_ids) AND {own}"):
            fold_waiting.overtake_among(self.execute, table, wanted)
        for spec in specs:
            self.execute("DROP TABLE IF EXISTS fold_state")
            self.execute(f"CREATE TEMP TABLE fold_state ON COMMIT DROP AS {fold_sql.select_folded(spec)}")
            self.execute("ANALYZE fold_state")
            self._apply_late(spec)
        fold_notes.note_superseded(self.execute, first_time)
        self._plan_for_many(False)

    def _apply_late(self, spec: FoldSpec) -> None:
        changes = self.report.entities[spec.entity]
        fold_apply.replace_moves(self.execute, spec)
        gone = fold_apply.delete_gone(self.execute, spec)
        self.gone.setdefault(spec.entity, []).extend(gone)
        fields = fold_apply.audit(self.execute, spec)
        changed = fold_apply.update_changed(self.execute, spec)
        new = fold_apply.insert_state(self.execute, spec)
        changes.add(Changes(new, changed, len(gone), fields))

    def _fold_newer(self, table: CsvTable, specs: Sequence[FoldSpec], file: _File, *, skip_ids: bool) -> None:
        """Fast path: insert rows whose key is new, update those that differ; unchanged ones are not touched."""
        if file.rows == 0:
            return
        params = {"file_id": file.id, "version_at": file.name_time, "origin": f"{file.id}:"}
        for spec in specs:
            is_new = file.rows > _MANY_ROWS and self._is_mostly_new(spec, file)
            self._plan_for_many(file.rows > _MANY_ROWS)
            changes = self.report.entities[spec.entity]
            if is_new:
                orphans = any(self.count(statement, **params) for statement in fold_sql.count_orphans(table))
                insert = fold_sql.insert_new(spec, file.fields, skip_ids=skip_ids, orphans=orphans)
                inserted = self.execute(insert, **params).rowcount
                changes.new += inserted
                if inserted == file.rows:
                    continue
            self.execute("DROP TABLE IF EXISTS fold_state")
            states = fold_sql.select_differing(spec, file.fields, skip_ids=skip_ids)
            self.execute(f"CREATE TEMP TABLE fold_state ON COMMIT DROP AS {states}", **params)
            self.execute("ANALYZE fold_state")
            self._park_states(table, file)
            self._apply_newer(spec, changes)
        fold_waiting.overtake_older(self.execute, table, file.id, skip_ids=skip_ids)
        self._plan_for_many(False)

    def _is_mostly_new(self, spec: FoldSpec, file: _File) -> bool:
        """Tell from a sample of a large file whether it is worth inserting without a pass that compares."""
        row = self.execute(fold_sql.sample_known(spec), file_id=file.id).fetchone()
        looked_at, known = row or (0, 0)
        return bool(looked_at and known * 2 < looked_at)

    def _park_states(self, table: CsvTable, file: _File) -> None:
        """Park the rows behind `fold_state` whose parents are unknown and take them out of it.

        Rows that say what is stored have their parents: a parent that goes takes them to the full fold.
        """
        rows = "s.file_id = %(file_id)s AND s.source_id IN (SELECT source_id FROM fold_state)"
        if table.references and self._park(table, rows, file_id=file.id):
            self.execute(
                "DELETE FROM fold_state n USING sftp_csv.parked_rows p"
                " WHERE p.file_id = %(file_id)s AND p.source_id = n.source_id",
                file_id=file.id,
            )

    def _apply_newer(self, spec: FoldSpec, changes: Changes) -> None:
        if self.count("SELECT count(*) FROM (SELECT FROM fold_state LIMIT 1) one") == 0:
            return
        fold_apply.add_moves(self.execute, spec)
        fields = fold_apply.audit(self.execute, spec)
        changed = fold_apply.update_changed(self.execute, spec)
        changes.add(Changes(fold_apply.insert_state(self.execute, spec), changed, 0, fields))

    def _park(self, table: CsvTable, rows: str, **params: Any) -> int:
        """Record the rows whose parents are unknown; returns how many (row, parent) pairs wait or waited already."""
        parked = 0
        for code, parent, column, exists in fold_sql.parent_conditions(table):
            parked += self.execute(
                "INSERT INTO sftp_csv.parked_rows"
                " (connection, file_id, line, table_name, source_id, code, parent_table, parent_id)"
                f" SELECT %(connection)s, s.file_id, s.line, %(table)s, s.source_id, '{code}', '{parent}', s.{column}"
                f" FROM sftp_csv.{table.name} s WHERE {rows} AND NOT {exists}"
                " ON CONFLICT (file_id, line, parent_table, parent_id) DO UPDATE SET code = excluded.code",
                table=table.name.value,
                **params,
            ).rowcount
        return parked

    def _plan_for_many(self, many: bool) -> None:
        """Keep the planner, which has no statistics of rows just loaded, from looping over a million rows alone."""
        for setting in ("enable_nestloop", "enable_mergejoin"):
            self.execute(f"SET LOCAL {setting} = {'off' if many else 'on'}")
        for setting in ("parallel_setup_cost", "parallel_tuple_cost"):
            self.execute(f"SET LOCAL {setting} TO {'0' if many else 'DEFAULT'}")


def _loaded_files(conn: psycopg.Connection[Any], connection: str) -> list[_File]:
    rows = conn.cursor(row_factory=dict_row).execute(
        """
        SELECT id, type, name_time,
               row_number() OVER (PARTITION BY type ORDER BY name_time, fix, receipt, sha256) AS version,
               is_folded, folded_at IS NULL AS first_time, rows_accepted AS rows, is_pruned, fields
        FROM raw.files WHERE connection = %s AND is_loaded ORDER BY version
        """,
        [connection],
    )
    return [_File(**row) for row in rows]


def fold(conn: psycopg.Connection[Any], connection: str, *, run_id: str | None = None) -> FoldReport:
    """Fold everything pending of one connection inside the open transaction of `conn`; the caller commits.

    Pending are loaded files not folded yet, ids whose inputs were replaced or withdrawn, and parked rows whose parent
    is known now. Returns counts of records new, changed and gone per entity.
    """
    work = _Fold(conn, connection, run_id)
    turns.take_fold_turn(conn, connection)
    fold_notes.note_waiting(work.execute)
    files = _loaded_files(conn, connection)
    pending = [f.id for f in files if not f.is_folded]
    reach("before_merge")
    for name, table in TABLES.items():
        work.fold_table(table, [f for f in files if f.type == name])
    if _touches(work.report, TableName.CUSTOMERS.value):
        work.report.entities["customers"].fields += fold_derived.refresh_groups(work.execute)
    work.report.entities["payments"].fields += fold_derived.derive_balances(work.execute)
    fold_notes.note_newer_parked(work.execute, [f.id for f in files if f.first_time])
    fold_notes.ask_for_answers(work.execute)
    reach("after_merge")
    work.execute("DELETE FROM sftp_csv.ids_to_fold WHERE connection = %(connection)s")
    work.execute(
        "UPDATE raw.files SET is_folded = true, folded_at = clock_timestamp(), run_id = COALESCE(%(run_id)s, run_id),"
        " status = CASE WHEN rows_rejected > 0 THEN 'processed_with_rejects' ELSE 'processed' END"
        " WHERE id = ANY(%(pending)s)",
        pending=pending,
    )
    work.execute(
        "UPDATE raw.files SET is_folded = true, folded_at = clock_timestamp() WHERE connection = %(connection)s"
        f" AND {ledger.WITHDRAWN}"
    )
    work.report.files = len(pending)
    work.report.parked = work.count(
        "SELECT count(DISTINCT (file_id, line)) FROM sftp_csv.waiting_rows WHERE connection = %(connection)s"
    )
    return work.report


def _touches(report: FoldReport, entity: str) -> bool:
    changes = report.entities[entity]
    return bool(changes.new or changes.changed or changes.gone)


def pending(conn: psycopg.Connection[Any], connection: str) -> bool:
    """Tell whether the next fold of the connection would have something to do."""
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM raw.files WHERE connection = %(c)s AND is_loaded AND NOT is_folded)"
        " OR EXISTS (SELECT FROM sftp_csv.ids_to_fold WHERE connection = %(c)s)"
        f" OR EXISTS (SELECT FROM raw.files WHERE connection = %(c)s AND {ledger.WITHDRAWN})".encode(),
        {"c": connection},
    ).fetchone()
    return bool(row and row[0])
