"""The fold of records: brings `receivables` in line with the payloads of an API connection. No file, no network.

docs/model.md, state is a fold: the newest version of an owner, by the source's modified time, then the time observed,
is its whole state; every touched owner is folded from all its versions, so that order and repetition do not matter.
"""

from typing import Any

import psycopg

from kolleno_pipelines.storage import fold_apply, fold_derived, record_sql, turns
from kolleno_pipelines.storage.failpoints import reach
from kolleno_pipelines.storage.fold_report import Changes, FoldReport
from kolleno_pipelines.storage.record_specs import HOME_CURRENCY, RECORD_SPECS, SERVING_SPECS, RecordSpec

#: Temp tables of one fold: a sample tells enough of them, and they are sorted in memory.
_SETTINGS = ("SET LOCAL default_statistics_target = 10", "SET LOCAL work_mem = '64MB'", "SET LOCAL jit = off")


class _RecordFold:
    """One fold of one connection inside one transaction."""

    def __init__(
        self, conn: psycopg.Connection[Any], connection: str, run_id: str | None, ledger: str | None = None
    ) -> None:
        self.conn = conn
        self.params: dict[str, Any] = {"connection": connection, "run_id": run_id, "ledger": ledger}
        self.specs = RECORD_SPECS if ledger is None else SERVING_SPECS
        self.report = FoldReport({spec.entity: Changes() for spec in self.specs})
        self.round = 0
        self.gone: dict[str, list[str]] = {}
        #: Names of the specs of which a touched owner has rows, and entities with rows that were withdrawn: a fold of a
        #: small batch meets few of them.
        self.named: set[str] = set()
        self.withdrawn: set[str] = set()

    def execute(self, statement: str, **params: Any) -> psycopg.Cursor[Any]:
        return self.conn.execute(statement.encode(), {**self.params, **params})

    def touch(self, owners: str, **params: Any) -> int:
        """Add the owners of a SELECT (kind, source_id) with all their versions; returns how many are new."""
        self.round += 1
        found = self.execute(
            f"INSERT INTO touched SELECT DISTINCT kind, source_id, %(round)s::integer FROM ({owners}) o"
            " WHERE NOT EXISTS (SELECT FROM touched t WHERE t.kind = o.kind AND t.source_id = o.source_id)",
            round=self.round,
            **params,
        ).rowcount
        if found:
            self._lay_out_versions()
        return found

    def touch_queued(self) -> None:
        """Touch, first of all, what was normalised anew."""
        self.withdrawn.update(row[0] for row in self.execute("SELECT DISTINCT entity FROM queued"))
        if self.execute(record_sql.TOUCH_QUEUED).rowcount:
            self._lay_out_versions()

    def _lay_out_versions(self) -> None:
        self.execute("ANALYZE touched")
        self.execute(record_sql.INSERT_VERSIONS, round=self.round)
        self.execute("ANALYZE versions")
        self.named.update(row[0] for row in self.execute(record_sql.specs_with_rows(self.specs)))

    def fold_entity(self, spec: RecordSpec) -> None:
        """Fold one entity of all touched owners, and of those whose rows waited for a parent that is known now."""
        if spec.source.parents:
            self.touch(record_sql.touch_unparked(spec))
        if spec.name not in self.named and spec.entity not in self.withdrawn:
            return
        self.execute("DROP TABLE IF EXISTS record_rows, late_ids, late_steps, fold_state, moved_lines")
        self.execute(record_sql.create_rows(spec))
        self.execute("ANALYZE record_rows")
        ids = self.execute(record_sql.CREATE_IDS, entity=spec.entity).rowcount
        if ids == 0:
            return
        self.execute("ANALYZE late_ids")
        self._park(spec)
        self.execute(record_sql.create_state(spec))
        self.execute("ANALYZE fold_state")
        if spec.entity == "journals":
            self.execute(record_sql.CREATE_MOVED_LINES)
        self._apply(spec)
        self._touch_dependants(spec)

    def _touch_dependants(self, spec: RecordSpec) -> None:
        """Touch what must be folded again since a record that it names is gone or means something else now."""
        orphans = record_sql.touch_orphans(spec.entity)
        if orphans and self.gone.get(spec.entity):
            self.touch(orphans, gone=self.gone[spec.entity])
        if spec.entity == "journals":
            self.touch(record_sql.TOUCH_MOVED_LINES)

    def _park(self, spec: RecordSpec) -> None:
        if not spec.source.parents:
            return
        self.execute(
            "DELETE FROM normalised.parked_rows w USING record_rows r WHERE w.entity = %(entity)s"
            " AND (w.extract_id, w.line, w.source_id) = (r.extract_id, r.line, r.source_id)",
            entity=spec.entity,
        )
        for parent in spec.source.parents:
            self.execute(record_sql.park(spec, parent))

    def _apply(self, spec: RecordSpec) -> None:
        steps = record_sql.create_steps(spec)
        if steps:
            self.execute(steps)
            fold_apply.replace_moves(self.execute, spec)
        gone = fold_apply.delete_gone(self.execute, spec)
        self.gone.setdefault(spec.entity, []).extend(gone)
        fields = fold_apply.audit(self.execute, spec)
        changed = fold_apply.update_changed(self.execute, spec)
        new = fold_apply.insert_state(self.execute, spec)
        self.report.entities[spec.entity].add(Changes(new, changed, len(gone), fields))

    def touches(self, entity: str) -> bool:
        """Whether the fold changed anything of an entity."""
        changes = self.report.entities[entity]
        return bool(changes.new or changes.changed or changes.gone)

    def home_currency(self) -> str | None:
        """Return the home currency that documents without one of their own have."""
        row = self.execute(f"SELECT {HOME_CURRENCY}").fetchone()
        return row[0] if row else None

    def receivables_accounts(self) -> set[str]:
        """Return the accounts on which receivables are kept."""
        rows = self.execute(
            "SELECT source_id FROM receivables.accounts WHERE connection = %(connection)s AND is_receivable"
        )
        return {row[0] for row in rows}


def fold_records(
    conn: psycopg.Connection[Any], connection: str, *, run_id: str | None = None, ledger: str | None = None
) -> FoldReport:
    """Fold every pending payload of one connection inside the open transaction of `conn`; the caller commits.

    ledger: of a payment provider or a bank, the connection that it serves; a ledger or mirror has none. Returns counts
    of records new, changed and gone per entity. Folding again changes nothing.
    """
    work = _RecordFold(conn, connection, run_id, ledger)
    turns.take_fold_turn(conn, connection)
    for statement in (*_SETTINGS, *record_sql.CREATE_TABLES):
        work.execute(statement)
    if ledger is None:
        _fold_ledger(work)
    else:
        _fold_serving(work)
    reach("after_merge")
    _note_folded(work)
    return work.report


def _fold_ledger(work: _RecordFold) -> None:
    home, accounts = work.home_currency(), work.receivables_accounts()
    work.touch_queued()
    work.touch(record_sql.TOUCH_PENDING)
    reach("before_merge")
    for spec in work.specs:
        work.fold_entity(spec)
        if spec.entity == "ledger_units" and work.home_currency() != home:
            work.touch(record_sql.touch_home_currency())
        if spec.entity == "accounts" and (flipped := accounts ^ work.receivables_accounts()):
            work.touch(record_sql.touch_accounts(), accounts=list(flipped))
    if work.touches("customers"):
        work.report.entities["customers"].fields += fold_derived.refresh_groups(work.execute)
    fold_derived.derive_journal_balances(work.execute)


def _fold_serving(work: _RecordFold) -> None:
    """Fold what a payment provider or a bank says: no row of it waits for another."""
    work.touch_queued()
    work.touch(record_sql.TOUCH_PENDING)
    reach("before_merge")
    for spec in work.specs:
        work.fold_entity(spec)


def _note_folded(work: _RecordFold) -> None:
    work.report.files = work.execute(
        "UPDATE raw.extracts e SET status = 'folded', folded_at = clock_timestamp(),"
        " run_id = COALESCE(%(run_id)s, run_id) FROM folding f WHERE f.id = e.id"
    ).rowcount
    row = work.execute(
        "SELECT count(DISTINCT (extract_id, line, entity, source_id)) FROM normalised.parked_rows"
        " WHERE connection = %(connection)s AND NOT is_overtaken"
    ).fetchone()
    work.report.parked = int(row[0]) if row else 0
