"""The fold of records: brings `receivables` in line with the payloads of an API connection. No file, no network.

docs/model.md, state is a fold: the newest version of an owner, by the source's modified time, then the time observed,
is its whole state; every touched owner is folded from all its versions, so that order and repetition do not matter.
"""

from typing import Any

import psycopg

from kolleno_pipelines.storage import fold_apply, fold_derived, record_sql, turns
from kolleno_pipelines.storage.failpoints import reach
from kolleno_pipelines.storage.fold_report import Changes, FoldReport
from kolleno_pipelines.storage.record_specs import HOME_CURRENCY, RECORD_SPECS, RecordSpec


class _RecordFold:
    """One fold of one connection inside one transaction."""

    def __init__(self, conn: psycopg.Connection[Any], connection: str, run_id: str | None) -> None:
        self.conn = conn
        self.params: dict[str, Any] = {"connection": connection, "run_id": run_id}
        self.report = FoldReport({spec.entity: Changes() for spec in RECORD_SPECS})
        self.round = 0

    def execute(self, statement: str, **params: Any) -> psycopg.Cursor[Any]:
        return self.conn.execute(statement.encode(), {**self.params, **params})

    def touch(self, owners: str) -> int:
        """Add the owners of a SELECT (kind, source_id) with all their versions; returns how many are new."""
        self.round += 1
        found = self.execute(
            f"INSERT INTO touched SELECT DISTINCT kind, source_id, %(round)s::integer FROM ({owners}) o"
            " WHERE NOT EXISTS (SELECT FROM touched t WHERE t.kind = o.kind AND t.source_id = o.source_id)",
            round=self.round,
        ).rowcount
        if found:
            self.execute("ANALYZE touched")
            self.execute(record_sql.INSERT_VERSIONS, round=self.round)
            self.execute("ANALYZE versions")
            self.execute(record_sql.INSERT_OWNERS, round=self.round)
            self.execute("ANALYZE owners")
        return found

    def fold_entity(self, spec: RecordSpec) -> None:
        """Fold one entity of all touched owners, and of those whose rows waited for a parent that is known now."""
        if spec.source.parents:
            self.touch(record_sql.touch_unparked(spec))
        self.execute("DROP TABLE IF EXISTS record_rows, late_ids, late_steps, fold_state")
        self.execute(record_sql.create_rows(spec))
        self.execute("ANALYZE record_rows")
        ids = self.execute(record_sql.CREATE_IDS, entity=spec.entity).rowcount
        if ids == 0:
            return
        self.execute("ANALYZE late_ids")
        self._park(spec)
        self.execute(record_sql.create_state(spec))
        self.execute("ANALYZE fold_state")
        self._apply(spec)

    def _park(self, spec: RecordSpec) -> None:
        if not spec.source.parents:
            return
        self.execute(
            "DELETE FROM normalised.parked_rows w USING late_ids l WHERE w.connection = %(connection)s"
            " AND w.entity = %(entity)s AND w.source_id = l.source_id",
            entity=spec.entity,
        )
        for parent in spec.source.parents:
            self.execute(record_sql.park(spec, parent))

    def _apply(self, spec: RecordSpec) -> None:
        steps = record_sql.create_steps(spec)
        if steps:
            self.execute(steps)
            fold_apply.replace_moves(self.execute, spec)
        gone = len(fold_apply.delete_gone(self.execute, spec))
        fields = fold_apply.audit(self.execute, spec)
        changed = fold_apply.update_changed(self.execute, spec)
        new = fold_apply.insert_state(self.execute, spec)
        self.report.entities[spec.entity].add(Changes(new, changed, gone, fields))

    def touches(self, entity: str) -> bool:
        """Whether the fold changed anything of an entity."""
        changes = self.report.entities[entity]
        return bool(changes.new or changes.changed or changes.gone)

    def home_currency(self) -> str | None:
        """Return the home currency that documents without one of their own have."""
        row = self.execute(f"SELECT {HOME_CURRENCY}").fetchone()
        return row[0] if row else None


def fold_records(conn: psycopg.Connection[Any], connection: str, *, run_id: str | None = None) -> FoldReport:
    """Fold every pending payload of one connection inside the open transaction of `conn`; the caller commits.

    Returns counts of records new, changed and gone per entity. Folding again changes nothing.
    """
    work = _RecordFold(conn, connection, run_id)
    turns.take_fold_turn(conn, connection)
    for statement in record_sql.CREATE_TABLES:
        work.execute(statement)
    home = work.home_currency()
    work.touch(record_sql.TOUCH_PENDING)
    reach("before_merge")
    for spec in RECORD_SPECS:
        work.fold_entity(spec)
        if spec.entity == "ledger_units" and work.home_currency() != home:
            work.touch(record_sql.touch_home_currency())
        if spec.entity == "accounts" and work.touches("accounts"):
            work.touch(record_sql.TOUCH_ACCOUNTS)
    if work.touches("customers"):
        work.report.entities["customers"].fields += fold_derived.refresh_groups(work.execute)
    fold_derived.derive_journal_balances(work.execute)
    reach("after_merge")
    _note_folded(work)
    return work.report


def _note_folded(work: _RecordFold) -> None:
    for queue in ("owners_to_fold", "records_to_fold"):
        work.execute(f"DELETE FROM normalised.{queue} WHERE connection = %(connection)s")
    work.report.files = work.execute(
        "UPDATE raw.extracts SET status = 'folded', folded_at = clock_timestamp(),"
        " run_id = COALESCE(%(run_id)s, run_id) WHERE connection = %(connection)s AND status = 'normalised'"
    ).rowcount
    row = work.execute(
        "SELECT count(DISTINCT (extract_id, line, entity, source_id)) FROM normalised.parked_rows"
        " WHERE connection = %(connection)s AND NOT is_overtaken"
    ).fetchone()
    work.report.parked = int(row[0]) if row else 0
