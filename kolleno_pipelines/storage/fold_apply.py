"""How a fold's new states reach `receivables`: audit, insert, update, delete, balance moves, derived columns.

Everything works on the temp tables of fold.py (`fold_state`, `late_ids`, `late_steps`); it decides nothing itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from kolleno_pipelines.storage.fold_specs import FoldSpec

Execute = Callable[..., "psycopg.Cursor[Any]"]

_FINDINGS_KEPT = 1_000
_UNAUDITED = {"kind", "owner_kind", "from_kind", "to_kind", "customer_connection", "contact_source_id"}
_SETTLEMENT = (
    "CASE WHEN d.balance < 0 THEN 'overpaid' WHEN d.balance = 0 THEN 'paid'"
    " WHEN d.balance < p.amount THEN 'partially_paid' ELSE 'open' END"
)


def _state_columns(spec: FoldSpec) -> list[str]:
    extra = ["extra"] if spec.keeps_extra else []
    return [target.name for target in spec.targets] + extra


def _written_columns(spec: FoldSpec) -> list[str]:
    removed = ["removed_at"] if spec.link_kind else []
    first_seen = ["first_seen_at"] if spec.keeps_first_seen else []
    return [*_state_columns(spec), *removed, *first_seen, "observed_at", "origin"]


def _join(spec: FoldSpec) -> str:
    return f"r.source_id = n.source_id AND r.connection = %(connection)s AND {spec.scope}"


def audit(execute: Execute, spec: FoldSpec) -> int:
    """Write one audit entry per field in which `fold_state` differs from the record stored; returns their number."""
    follows = {target.name for target in spec.targets if target.follows}
    fields = [name for name in _state_columns(spec) if name not in _UNAUDITED | follows]
    values = ", ".join(f"('{name}', r.{name}::text, n.{name}::text)" for name in fields)
    return execute(
        "INSERT INTO receivables.audit"
        " (connection, entity, source_id, field, old_value, new_value, version_at, origin, run_id)"
        " SELECT %(connection)s, %(entity)s, n.source_id, c.field, c.old, c.new, n.observed_at, n.origin, %(run_id)s"
        f" FROM fold_state n JOIN {spec.table} r ON {_join(spec)}"
        f" CROSS JOIN LATERAL (VALUES {values}) c (field, old, new) WHERE c.old IS DISTINCT FROM c.new",
        entity=spec.entity,
    ).rowcount


def update_changed(execute: Execute, spec: FoldSpec) -> int:
    """Bring stored records to the state of `fold_state`; returns how many changed in a field (not only in version)."""
    content = _state_columns(spec)
    written = _written_columns(spec)
    differs = f"({_tuple('r', content)}) IS DISTINCT FROM ({_tuple('n', content)})"
    row = execute(f"SELECT count(*) FROM fold_state n JOIN {spec.table} r ON {_join(spec)} WHERE {differs}").fetchone()
    sets = ", ".join(f"{name} = n.{name}" for name in written)
    # A replaced content may say the same on another line: that is another origin.
    versioned = [*content, *(name for name in written if name in {"first_seen_at", "observed_at", "origin"})]
    execute(
        f"UPDATE {spec.table} r SET {sets}, loaded_at = clock_timestamp() FROM fold_state n WHERE {_join(spec)}"
        f" AND ({_tuple('r', versioned)}) IS DISTINCT FROM ({_tuple('n', versioned)})"
    )
    return int(row[0]) if row else 0


def _tuple(alias: str, names: Sequence[str]) -> str:
    return ", ".join(f"{alias}.{name}" for name in names)


def insert_state(execute: Execute, spec: FoldSpec) -> int:
    """Insert the records of `fold_state` that are not stored yet; returns their number."""
    names = _written_columns(spec)
    group = ("group_source_id", "n.source_id") if spec.entity == "customers" else None
    into = [*names, group[0]] if group else names
    values = [f"n.{name}" for name in names] + ([group[1]] if group else [])
    return execute(
        f"INSERT INTO {spec.table} (connection, source_id, {', '.join(into)})"
        f" SELECT %(connection)s, n.source_id, {', '.join(values)} FROM fold_state n"
        f" WHERE NOT EXISTS (SELECT FROM {spec.table} r WHERE {_join(spec)})"
    ).rowcount


def delete_gone(execute: Execute, spec: FoldSpec) -> list[str]:
    """Remove records of `late_ids` that no live row names any more, leaving an audit entry; returns their ids."""
    rows = execute(
        f"DELETE FROM {spec.table} r USING late_ids l WHERE r.source_id = l.source_id"
        f" AND r.connection = %(connection)s AND {spec.scope}"
        " AND NOT EXISTS (SELECT FROM fold_state n WHERE n.source_id = r.source_id)"
        " RETURNING r.source_id, r.origin, to_jsonb(r)::text"
    ).fetchall()
    for source_id, origin, record in rows:
        execute(
            "INSERT INTO receivables.audit"
            " (connection, entity, source_id, field, old_value, new_value, origin, run_id)"
            " VALUES (%(connection)s, %(entity)s, %(source_id)s, 'withdrawn', %(record)s, NULL, %(origin)s,"
            " %(run_id)s)",
            entity=spec.entity,
            source_id=source_id,
            record=record,
            origin=origin,
        )
    return [row[0] for row in rows]


@dataclass(frozen=True)
class _Moves:
    """Where the moves of an entity are kept, and what moves: over `n` and `r` (fast path), over `late_steps`."""

    table: str
    kind_column: str
    kind: str
    delta_column: str
    value: str
    condition: str
    step: str


def _moves_of(spec: FoldSpec) -> _Moves | None:
    if spec.kind:
        stated = "n.balance_source = 'stated' AND r.balance_source = 'stated'"
        value = "({0}.amount - {0}.balance)"
        return _Moves("balance_moves", "kind", spec.kind, "settled_delta", value, stated, "settled")
    if spec.link_kind:
        step = "(st ->> 'amount')::numeric"
        return _Moves("allocation_moves", "from_kind", spec.link_kind, "amount_delta", "{0}.amount", "true", step)
    return None


def add_moves(execute: Execute, spec: FoldSpec) -> None:
    """Record by how much `amount - balance`, or an allocation's amount, moves with the states to be written (fast)."""
    moves = _moves_of(spec)
    if moves is None:
        return
    new, old = moves.value.format("n"), moves.value.format("r")
    execute(
        f"INSERT INTO receivables.{moves.table} (connection, {moves.kind_column}, source_id, moved_at,"
        f" {moves.delta_column}) SELECT %(connection)s, %(kind)s, n.source_id, n.observed_at, {new} - {old}"
        f" FROM fold_state n JOIN {spec.table} r ON {_join(spec)} WHERE {moves.condition} AND {new} <> {old}"
        f" ON CONFLICT (source_id, {moves.kind_column}, connection, moved_at) DO UPDATE"
        f" SET {moves.delta_column} = {moves.table}.{moves.delta_column} + excluded.{moves.delta_column},"
        " loaded_at = clock_timestamp()",
        kind=moves.kind,
    )


def replace_moves(execute: Execute, spec: FoldSpec) -> None:
    """Make the moves of `late_ids` those of `late_steps`; rows already right are not touched."""
    moves = _moves_of(spec)
    if moves is None:
        return
    execute("DROP TABLE IF EXISTS late_moves")
    execute(
        "CREATE TEMP TABLE late_moves ON COMMIT DROP AS SELECT source_id, name_time AS moved_at, sum(delta) AS delta"
        f" FROM (SELECT source_id, name_time, {moves.step} - lag({moves.step})"
        " OVER (PARTITION BY source_id ORDER BY version) AS delta FROM late_steps) d"
        " WHERE delta <> 0 GROUP BY source_id, name_time"
    )
    execute(
        f"DELETE FROM receivables.{moves.table} m USING late_ids l WHERE m.source_id = l.source_id"
        f" AND m.{moves.kind_column} = %(kind)s AND m.connection = %(connection)s AND NOT EXISTS (SELECT"
        " FROM late_moves n WHERE n.source_id = m.source_id AND n.moved_at = m.moved_at"
        f" AND n.delta = m.{moves.delta_column})",
        kind=moves.kind,
    )
    execute(
        f"INSERT INTO receivables.{moves.table} (connection, {moves.kind_column}, source_id, moved_at,"
        f" {moves.delta_column}) SELECT %(connection)s, %(kind)s, source_id, moved_at, delta FROM late_moves"
        " ON CONFLICT DO NOTHING",
        kind=moves.kind,
    )


def refresh_groups(execute: Execute) -> int:
    """Derive each customer's group, the ultimate parent that is known; a cycle ends the walk at its smallest id.

    Every walk doubles its stride until it stands at its end: a chain of 5,000 takes 13 steps, not 12 million rows.
    Returns the number of audit entries.
    """
    execute("DROP TABLE IF EXISTS walks, rings, tops")
    execute(
        "CREATE TEMP TABLE walks ON COMMIT DROP AS SELECT c.source_id, p.source_id AS at FROM receivables.customers c"
        " JOIN receivables.customers p ON p.source_id = c.parent_source_id AND p.connection = c.connection"
        " WHERE c.connection = %(connection)s"
    )
    _double(execute, "walks", "at = n.at")
    # Whoever still stands on a customer with a parent walks in a ring; together they stand on all of it.
    execute(
        "CREATE TEMP TABLE rings ON COMMIT DROP AS SELECT c.source_id, c.parent_source_id AS at,"
        ' LEAST(c.source_id COLLATE "C", c.parent_source_id) COLLATE "default" AS low FROM receivables.customers c'
        " WHERE c.connection = %(connection)s AND c.source_id IN"
        " (SELECT w.at FROM walks w JOIN walks n ON n.source_id = w.at)"
    )
    _double(execute, "rings", 'at = n.at, low = LEAST(r.low COLLATE "C", n.low)')
    execute(
        "CREATE TEMP TABLE tops ON COMMIT DROP AS SELECT c.source_id, c.group_source_id AS old,"
        " COALESCE(g.low, w.at, c.source_id) AS new FROM receivables.customers c"
        " LEFT JOIN walks w ON w.source_id = c.source_id LEFT JOIN rings g ON g.source_id = w.at"
        " WHERE c.connection = %(connection)s AND c.group_source_id IS DISTINCT FROM COALESCE(g.low, w.at, c.source_id)"
    )
    execute(
        "UPDATE receivables.customers c SET group_source_id = t.new FROM tops t"
        " WHERE c.connection = %(connection)s AND c.source_id = t.source_id"
    )
    return _audit_derived(execute, "customers", "group_source_id", "tops")


def _double(execute: Execute, table: str, sets: str) -> None:
    """Let every walk of a table jump to where the walk it stands on stands, until all have come round or ended."""
    row = execute(f"SELECT count(*) FROM {table}").fetchone()
    for _ in range((int(row[0]) if row else 0).bit_length()):
        if not execute(f"UPDATE {table} r SET {sets} FROM {table} n WHERE n.source_id = r.at").rowcount:
            break


def _audit_derived(execute: Execute, entity: str, field: str, changed: str) -> int:
    """Write an audit entry per row (source_id, old, new) of a temp table of derived values; returns their number."""
    return execute(
        "INSERT INTO receivables.audit"
        " (connection, entity, source_id, field, old_value, new_value, version_at, origin, run_id)"
        " SELECT %(connection)s, %(entity)s, n.source_id, %(field)s, n.old::text, n.new::text, r.observed_at, r.origin,"
        f" %(run_id)s FROM {changed} n JOIN receivables.{entity} r ON r.source_id = n.source_id"
        " AND r.connection = %(connection)s"
        # A record that was inserted just now has no former value.
        " WHERE n.old IS NOT NULL OR EXISTS (SELECT FROM receivables.audit a WHERE a.source_id = n.source_id"
        " AND a.entity = %(entity)s AND a.connection = %(connection)s AND a.field = %(field)s"
        " AND a.xmin = pg_current_xact_id()::xid)",
        entity=entity,
        field=field,
    ).rowcount


def derive_balances(execute: Execute) -> int:
    """Set the balance of payments that state none to amount less what is allocated to posted invoices (facts 5.5).

    An allocation's amount is in the invoice's currency: one to another currency takes off nothing, as in rules.
    Returns the number of audit entries.
    """
    execute("DROP TABLE IF EXISTS derived")
    execute(
        """
        CREATE TEMP TABLE derived ON COMMIT DROP AS SELECT source_id, old, new FROM (
            SELECT p.source_id, p.balance AS old,
                   p.amount - COALESCE(sum(a.amount) FILTER (WHERE i.posting_status = 'posted'
                                                             AND i.currency_iso = p.currency_iso), 0) AS new
            FROM receivables.payments p
            LEFT JOIN receivables.allocations a ON a.from_source_id = p.source_id AND a.from_kind = 'payment'
                 AND a.connection = p.connection AND a.removed_at IS NULL
            LEFT JOIN receivables.invoices i ON i.source_id = a.to_source_id AND i.connection = a.connection
            WHERE p.connection = %(connection)s AND p.balance_source = 'derived'
            GROUP BY p.source_id, p.connection
        ) d WHERE old IS DISTINCT FROM new
        """
    )
    execute(
        f"""
        UPDATE receivables.payments p SET balance = d.balance, settlement = {_SETTLEMENT},
               balance_open = CASE WHEN p.posting_status = 'posted' THEN d.balance ELSE 0 END
        FROM (SELECT source_id, new AS balance FROM derived) d
        WHERE p.connection = %(connection)s AND p.source_id = d.source_id AND p.balance_source = 'derived'
        """
    )
    return _audit_derived(execute, "payments", "balance", "derived")


def note_superseded(execute: Execute, files: Sequence[int]) -> None:
    """Warn, once per file, of its rows about which a newer input already speaks."""
    _note(
        execute,
        "SELECT file_id, line, source_id FROM (SELECT *, max(version) OVER (PARTITION BY source_id) AS newest"
        " FROM late_steps) s WHERE version < newest AND file_id = ANY(%(files)s)",
        "superseded",
        "a newer file already speaks about this record; the row is kept in its place in time",
        files,
    )


def note_newer_parked(execute: Execute, files: Sequence[int]) -> None:
    """Warn of rows that load although a newer row about the same record waits for its parent."""
    waiting = execute("SELECT DISTINCT table_name FROM sftp_csv.parked_rows WHERE connection = %(connection)s")
    for (table,) in waiting.fetchall():
        _note(
            execute,
            f"SELECT DISTINCT s.file_id, s.line, s.source_id FROM sftp_csv.{table} s"
            " JOIN raw.files f ON f.id = s.file_id"
            " JOIN sftp_csv.parked_rows p ON p.source_id = s.source_id AND p.table_name = f.type"
            " AND p.connection = f.connection JOIN raw.files n ON n.id = p.file_id"
            " WHERE s.file_id = ANY(%(files)s) AND (n.name_time, n.fix, n.receipt) > (f.name_time, f.fix, f.receipt)",
            "newer_parked",
            "a newer row about this record waits for its parent; this older one stands until then",
            files,
        )


def _note(execute: Execute, rows: str, code: str, message: str, files: Sequence[int]) -> None:
    if not files:
        return
    execute(
        f"WITH hit AS ({rows}), counted AS (SELECT file_id, count(*) AS n FROM hit GROUP BY file_id), raised AS ("
        " UPDATE raw.files f SET warnings = COALESCE(warnings, 0) + n, answered_at = NULL,"
        " code_counts = code_counts || jsonb_build_object(%(code)s::text, n) FROM counted c WHERE f.id = c.file_id)"
        " INSERT INTO raw.findings (file_id, line, column_name, value, code, level, message)"
        " SELECT file_id, line, 'id', source_id, %(code)s, 'warning', %(message)s"
        " FROM (SELECT *, row_number() OVER (PARTITION BY file_id ORDER BY line) AS k FROM hit) h WHERE k <= %(kept)s",
        code=code,
        message=message,
        files=list(files),
        kept=_FINDINGS_KEPT,
    )


_WAITING = (
    "SELECT file_id, sum(hashtextextended(concat_ws('|', line, parent_table, parent_id), 0)::numeric) AS rows"
    " FROM sftp_csv.parked_rows WHERE connection = %(connection)s GROUP BY file_id"
)


def note_waiting(execute: Execute) -> None:
    """Remember which rows wait before the fold."""
    execute("DROP TABLE IF EXISTS waited")
    execute(f"CREATE TEMP TABLE waited ON COMMIT DROP AS {_WAITING}")


def ask_for_answers(execute: Execute) -> None:
    """Let the senders of files of which other rows wait now than before the fold be told again."""
    execute(
        f"UPDATE raw.files f SET answered_at = NULL FROM waited w FULL JOIN ({_WAITING}) n USING (file_id)"
        " WHERE f.id = COALESCE(w.file_id, n.file_id) AND f.answered_at IS NOT NULL AND w.rows IS DISTINCT FROM n.rows"
    )
